// What a TURN server owes its clients, written a second time from the sentences of RFC 8656 and
// RFC 8489: plain arrays, no index, no timer wheel, no bytes. It says which answer a request must
// get and, after it, which entries must stand in the tables of workers.
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "request.h"

#include "turn/turn.h"

#define MODEL_TUPLES_MAX 128 // client i is at port CLIENT_PORT + i; of each, one for each service
#define CLIENT_PORT 50000u
#define MODEL_RELAYS_MAX 4
#define MODEL_PORTS_MAX 512
#define MODEL_RESERVATIONS_MAX 512

// What the instance under test was configured with, and what the world is like.
struct model_rules {
	struct relay_range relays[MODEL_RELAYS_MAX];
	size_t n_relays;
	struct endpoint services[2];
	uint32_t n_allocations_max;
	uint32_t n_allocations_per_user;
	uint32_t lifetime_s;
	uint32_t lifetime_max_s;
	uint32_t nonce_lifetime_s;
	bool offers_sha256;
	bool asks_userhash;
	bool has_secrets;
	bool allow_private;
	bool rfc5766_channels;
	struct endpoint alternate;
};

enum model_port {
	MODEL_PORT_FREE,
	MODEL_PORT_USED,
	MODEL_PORT_RESERVED,
	MODEL_PORT_COOLING,
};

struct model_permission {
	struct ip_addr ip;
	uint64_t expires_ms;
};

struct model_channel {
	uint16_t number;
	struct endpoint peer;
	uint64_t expires_ms;
};

struct model_relayed {
	bool lives;
	struct endpoint address;
	uint64_t expires_ms;
};

#define MODEL_FAMILIES 2 // IPv4, IPv6

struct model_allocation {
	struct user owner;
	struct endpoint service;
	struct endpoint client;
	struct model_relayed relayed[MODEL_FAMILIES];
	uint8_t transaction[STUN_TRANSACTION_BYTES];
	int reservation; // made by its EVEN-PORT and not yet taken, or -1
	struct model_permission permissions[TURN_PERMISSIONS_MAX];
	unsigned n_permissions;
	struct model_channel channels[TURN_CHANNELS_MAX];
	unsigned n_channels;
};

struct model_reservation {
	bool lives;
	uint8_t token[TOKEN_BYTES];
	struct endpoint relayed;
	char owner[32];
	int tuple; // whose EVEN-PORT made it, or -1 where that allocation has ended
	uint64_t expires_ms;
};

struct model {
	struct model_rules rules;
	struct model_allocation allocations[MODEL_TUPLES_MAX]; // by 5-tuple
	struct model_reservation reservations[MODEL_RESERVATIONS_MAX];
	uint8_t ports[MODEL_RELAYS_MAX][MODEL_PORTS_MAX]; // enum model_port
};

static inline bool model_lives(const struct model_allocation *a)
{
	return a->relayed[0].lives || a->relayed[1].lives;
}

// The relayed address of a family, or NULL; so for what is no family.
static inline const struct model_relayed *model_relayed(
	const struct model_allocation *a, uint8_t family)
{
	if (family < FAMILY_IPV4 || family > FAMILY_IPV6 || !a->relayed[family - 1].lives)
		return NULL;
	return &a->relayed[family - 1];
}

// The code of the answer to `request`, 0 for success, or ANSWER_NONE. `has_room`: there is room for
// effects. Changes nothing.
int model_judge(const struct model *model, const struct turn_time *time,
	const struct request *request, bool has_room);
// The same for its credentials alone (RFC 8489 §9.2.4).
int model_judge_login(
	const struct model *model, const struct turn_time *time, const struct request *request);
// Whether someone may send to this address, and to this port of it, from `relayed`.
bool model_allows_ip(const struct model *model, const struct ip_addr *ip);
bool model_allows_peer(
	const struct model *model, const struct endpoint *peer, const struct endpoint *relayed);

// The answer was due and is this. NULL, or what is wrong with it; the state follows.
const char *model_take(struct model *model, const struct turn_time *time,
	const struct request *request, const struct answer *answer);
// What turn_expire() takes away at this time.
void model_expire(struct model *model, uint64_t now_ms);
// NULL, or why this port cannot cool down or be free again now.
const char *model_cool(struct model *model, const struct endpoint *relayed);
const char *model_release(struct model *model, const struct endpoint *relayed);
struct turn_stats model_count(const struct model *model);

#endif
