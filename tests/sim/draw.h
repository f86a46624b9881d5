// Random requests: mostly such as a client would send, now and then with one or two things wrong.
#ifndef SIM_DRAW_H
#define SIM_DRAW_H

#include "model.h"

#include "base/base.h"

#define DRAW_CLIENTS_MAX (MODEL_TUPLES_MAX / 2)
#define DRAW_USERS 9

// The world of one run: what the instance is configured with, and how its clients behave.
struct scenario {
	const char *name;
	struct model_rules rules;
	unsigned n_clients;
	unsigned n_hosts; // peers that anybody may talk to
	unsigned ipv6_percent; // of them; as many again
	unsigned n_channels; // numbers that are usually chosen from
	unsigned n_peers_max; // of one CreatePermission
	unsigned fault_percent; // of the requests
	unsigned advance_permille; // of the steps
	unsigned long_permille; // of those
	unsigned starved_percent; // of the requests find no room for effects
};

struct draw {
	struct random random;
	const struct scenario *scenario;
	const struct model *model;
	const struct turn_time *time;
	struct user users[DRAW_USERS];
	struct endpoint clients[DRAW_CLIENTS_MAX];
	struct nonce nonces[DRAW_CLIENTS_MAX]; // the last that each client learned
	struct request allocates[MODEL_TUPLES_MAX]; // the last of each 5-tuple, to be sent again
	uint64_t n_transactions;
};

extern const char *const draw_secrets[2]; // of REST users: the second signs with SHA-256

// `draw` is zeroed but for its pointers and the seed.
void draw_open(struct draw *draw);
struct user draw_configured_user(unsigned i);
#define DRAW_CONFIGURED_USERS 4
// draft-uberti-behave-turn-rest: "expires_s:account", whose password the secret signs.
struct user draw_rest_user(const char *account, int64_t expires_s, const char *secret, bool sha256);
void draw_request(struct draw *draw, struct request *request);
// What the client learned by it.
void draw_learn(struct draw *draw, const struct request *request, const struct answer *answer);
bool draw_chance(struct draw *draw, unsigned percent);

#endif
