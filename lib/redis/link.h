// The connection to Redis: made, held, given up when it is silent, and made again.
#ifndef REDIS_LINK_H
#define REDIS_LINK_H

#include "redis.h"

#include <hiredis/async.h>

struct event;

struct link {
	struct event_base *base;
	struct event *timer;
	struct redisAsyncContext *ac; // NULL: none, until the timer says so
	void *owner;
	void (*on_up)(void *owner);
	char *path;
	char address[ADDR_TEXT_BYTES];
	uint16_t port;
	char *user;
	char *password;
	uint32_t database;
	uint32_t timeout_ms;
	bool up; // it has let us in
	bool closing;
	uint32_t pause_ms; // before the next attempt
	uint64_t retry_ms; // when that is
	uint64_t heard_ms; // since when an answer is due; 0: none is
	uint32_t n_due;
	uint64_t n_ups;
};

// Returns 0; -ENOMEM; link_fini() is due in any case.
int link_init(struct link *link, const struct redis_config *config, void *owner,
	void (*on_up)(void *owner));
int link_start(struct link *link, struct event_base *base);
// Every callback that is due is called without a reply first.
void link_fini(struct link *link);
// A command of `n` words; `callback` gets the reply, or NULL where the link breaks, and calls
// link_heard() first of all. Returns 0; -ENOTCONN, and there will be no callback.
int link_send(struct link *link, redisCallbackFn *callback, void *argument, int n,
	const char *const *words, const size_t *word_bytes);
// Whose link it is.
void *link_heard(struct redisAsyncContext *ac);
uint64_t link_now_ms(void);

#endif
