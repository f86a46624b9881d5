// What Redis is told: commands in their order, each kept until Redis has answered it. Private to
// lib/redis.
#ifndef REDIS_OUTBOX_H
#define REDIS_OUTBOX_H

#include "link.h"
#include "redis.h"

struct outbox_item {
	size_t n_words;
	size_t word_bytes[REDIS_WORDS_MAX];
	char *bytes; // of all words, one behind the other
};

struct outbox {
	struct link *link;
	struct outbox_item *items; // a ring of REDIS_OUTBOX_MAX
	size_t first;
	size_t n;
	size_t n_sent; // the first of them, not answered yet
	uint64_t n_told;
	uint64_t n_refused; // answered with an error
	uint64_t n_lost; // for want of room
};

int outbox_init(struct outbox *outbox, struct link *link); // 0; -ENOMEM
void outbox_fini(struct outbox *outbox); // NULL link, or after link_fini()
void outbox_add(struct outbox *outbox, const struct redis_word *words, size_t n);
// The link is up: begin with the oldest.
void outbox_flush(struct outbox *outbox);

#endif
