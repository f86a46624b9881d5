// Random requests: mostly such as a client would send, now and then with one or two things wrong.
#ifndef SIM_DRAW_H
#define SIM_DRAW_H

#include "model.h"

#include "base/base.h"

#define DRAW_CLIENTS_MAX (MODEL_TUPLES_MAX / 2)
#define DRAW_USERS 12 // of each realm, and of each kind
#define DRAW_TICKETS 64

// The world of one run: what the instance is configured with, and how its clients behave.
struct scenario {
	const char *name;
	struct model_rules rules;
	unsigned n_clients;
	unsigned n_hosts; // peers that anybody may talk to
	unsigned n_ports; // of each; 0 is 3
	unsigned ipv6_percent; // of them; as many again
	unsigned n_channels; // numbers that are usually chosen from
	unsigned n_peers_max; // of one CreatePermission
	unsigned second_percent; // of the requests go to the second service
	unsigned moves_percent; // of the requests are Refreshes with a ticket
	unsigned fault_percent; // of the requests
	unsigned advance_permille; // of the steps
	unsigned long_permille; // of those
	unsigned starved_percent; // of the requests find no room for effects
	unsigned updates_permille; // of the steps: a source changes a realm
	unsigned kicks_permille; // of the steps: an operator ends allocations
	unsigned reloads_permille; // of the steps: the configuration changes
	// What must come about: what never does is not proven.
	unsigned fills_permissions; // the most that an allocation ever has
	unsigned fills_channels;
	unsigned moves_least; // hand-overs that end
};

struct draw {
	struct random random;
	const struct scenario *scenario;
	const struct model *model;
	const struct turn_time *time;
	struct user users[REALMS_MAX][DRAW_USERS];
	uint64_t n_bearers;
	struct endpoint clients[DRAW_CLIENTS_MAX];
	struct nonce nonces[MODEL_TUPLES_MAX]; // the last that each client learned of each service
	struct ticket tickets[DRAW_TICKETS]; // the last that were given
	uint64_t n_tickets;
	struct request before[MODEL_TUPLES_MAX]; // of each 5-tuple, to be sent again
	uint64_t n_transactions;
};

// `draw` is zeroed but for its pointers and the seed.
void draw_open(struct draw *draw);
void draw_request(struct draw *draw, struct request *request);
// What the client learned by it.
void draw_learn(struct draw *draw, const struct request *request, const struct answer *answer);
bool draw_chance(struct draw *draw, unsigned percent);
unsigned draw_below(struct draw *draw, unsigned n);

// A list of one range, or of none.
struct ip_range draw_range(struct draw *draw);
struct model_rules draw_rules(struct draw *draw);

// The parts that know who asks.
void draw_open_users(struct draw *draw);
void draw_login(struct draw *draw, struct request *request);
void draw_spoil_login(struct draw *draw, struct request *request);

#endif
