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
#define MODEL_PERMISSIONS_MAX 128 // of one allocation
#define MODEL_CHANNELS_MAX 128

// Who may ask, and for what: the realm of a service. Of lists, the first is configured; the second
// a source says, as it does for limits that are not 0.
struct model_realm {
	bool offers_sha256;
	bool offer_changed; // since the start
	unsigned gone_users; // a bit for each that is no longer configured
	bool asks_userhash; // else it uses the source
	bool left_source; // by another configuration, for good
	bool has_secrets;
	bool allow_private;
	uint32_t n_allocations_max; // 0: no limit
	uint32_t n_allocations_per_user;
	struct ip_range allow[2]; // of no family: of nobody
	struct ip_range deny[2];
	struct ip_range dry_run;
	uint32_t source_allocations_max;
	uint32_t source_allocations_per_user;
};

// What the instance under test was configured with, and what the world is like.
struct model_rules {
	struct relay_range relays[MODEL_RELAYS_MAX];
	size_t n_relays;
	unsigned closed_relays; // a bit for each
	struct endpoint services[2];
	struct model_realm realms[REALMS_MAX]; // the second is that of the second service
	size_t n_realms; // 0 is 1
	uint32_t n_allocations_max;
	uint32_t n_permissions_max; // of an allocation; 0: the most
	uint32_t n_channels_max;
	uint32_t new_peers_per_user_s; // of 1,000 a divisor; 0: no limit
	uint32_t new_peers_s;
	uint32_t lifetime_s;
	uint32_t lifetime_max_s;
	uint32_t nonce_lifetime_s;
	bool rfc5766_channels;
	bool allows_mobility;
	bool takes_tokens;
	struct endpoint alternate;
};

// Rules about peers, in the order in which they are asked.
enum model_rule {
	MODEL_NO_RULE,
	MODEL_OWN_RELAYED,
	MODEL_OWN_PORT,
	MODEL_OWN_ADDRESS,
	MODEL_THIS_NETWORK,
	MODEL_LOOPBACK,
	MODEL_LINK_LOCAL,
	MODEL_MULTICAST,
	MODEL_BROADCAST,
	MODEL_TUNNEL,
	MODEL_ALLOW,
	MODEL_DENY,
	MODEL_SOURCE_ALLOW,
	MODEL_SOURCE_DENY,
	MODEL_PRIVATE,
	MODEL_SPECIAL,
	MODEL_DRY_RUN,
	MODEL_RULES,
};

// Which of them decided about the peers of a request, as far as that was asked.
struct model_asked {
	uint8_t rules[PEERS_MAX]; // enum model_rule
	unsigned n;
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

// RFC 8016: after a Refresh with a ticket there are two 5-tuples, until the client uses the second.
struct model_mobility {
	struct ticket newest; // its life is 0 where the allocation may not move
	unsigned established; // generation that the client surely knows
	unsigned used; // by the last Refresh with one
	int pending; // 5-tuple that it may move to, or -1
	struct endpoint service; // the same
	struct endpoint client;
	uint64_t began_ms;
};

struct model_allocation {
	struct user owner; // as who asked last with a token
	int account; // for which it counts
	uint64_t token_ends_s; // what a token allowed
	struct endpoint service;
	struct endpoint client;
	struct model_mobility mobility;
	struct model_relayed relayed[MODEL_FAMILIES];
	uint8_t transaction[STUN_TRANSACTION_BYTES];
	int reservation; // made by its EVEN-PORT and not yet taken, or -1
	struct model_permission permissions[MODEL_PERMISSIONS_MAX];
	unsigned n_permissions;
	struct model_channel channels[MODEL_CHANNELS_MAX];
	unsigned n_channels;
};

struct model_reservation {
	bool lives;
	uint8_t token[TOKEN_BYTES];
	struct endpoint relayed;
	struct user owner;
	int account;
	int tuple; // whose EVEN-PORT made it, or -1 where that allocation has ended
	uint64_t expires_ms;
};

// New peer addresses of late, in thousandths: they go by the rate.
struct model_debt {
	uint64_t thousandths;
	uint64_t at_ms;
};

#define MODEL_ACCOUNTS_MAX (4 * MODEL_TUPLES_MAX + MODEL_RESERVATIONS_MAX)

// A user of a realm, as long as he has an allocation or a reservation, or a debt; a configured one
// for ever.
struct model_account {
	char name[32];
	uint8_t realm;
	unsigned n_held; // 0: free, once the debt is paid
	bool configured; // one of those who hold it is the configuration
	struct model_debt debt;
};

struct model {
	struct model_rules rules;
	struct model_allocation allocations[MODEL_TUPLES_MAX]; // by 5-tuple
	struct model_reservation reservations[MODEL_RESERVATIONS_MAX];
	uint8_t ports[MODEL_RELAYS_MAX][MODEL_PORTS_MAX]; // enum model_port
	bool known[MODEL_RELAYS_MAX]; // open, or not trimmed yet
	uint64_t n_hits[REALMS_MAX][MODEL_RULES];
	int movers[MODEL_TUPLES_MAX]; // whose allocation may move to this 5-tuple: 1 more; or 0
	uint64_t n_lives; // of allocations that may move
	struct model_account accounts[MODEL_ACCOUNTS_MAX];
	struct model_debt debt; // of all
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

// The allocation that a 5-tuple leads to, established or pending; else one that does not live.
static inline struct model_allocation *model_at(const struct model *model, unsigned tuple)
{
	const unsigned i = model->movers[tuple] ? (unsigned)model->movers[tuple] - 1 : tuple;

	return (struct model_allocation *)&model->allocations[i];
}

// The state of a relayed port, enum model_port; NULL where it is of no relay.
uint8_t *model_port_of(struct model *model, const struct endpoint *relayed);
// That of a life, or NULL.
struct model_allocation *model_of_life(const struct model *model, uint64_t life);
uint8_t model_realm_of(const struct model *model, const struct endpoint *service);

// A zeroed model with these rules, as its instance begins.
void model_open(struct model *model, const struct model_rules *rules);
// The code of the answer to `request`, 0 for success, or ANSWER_NONE. `has_room`: there is room for
// effects. Changes nothing.
int model_judge(const struct model *model, const struct turn_time *time,
	const struct request *request, bool has_room, struct model_asked *asked);
// The same for its credentials alone (RFC 8489 §9.2.4).
int model_judge_login(
	const struct model *model, const struct turn_time *time, const struct request *request);
// The rule by which someone may send to this address, or not, and to this port of it from
// `relayed`.
enum model_rule model_rule_of_ip(
	const struct model *model, const struct model_realm *realm, const struct ip_addr *ip);
enum model_rule model_rule_of_peer(const struct model *model, const struct model_realm *realm,
	const struct endpoint *peer, const struct endpoint *relayed);
bool model_rule_allows(enum model_rule rule);
const char *model_rule_name(enum model_rule rule); // NULL: of none
// Those that were asked for a request count.
void model_count_asked(
	struct model *model, const struct request *request, const struct model_asked *asked);

// The answer was due and is this. NULL, or what is wrong with it; the state follows.
const char *model_take(struct model *model, const struct turn_time *time,
	const struct request *request, const struct answer *answer);
// What turn_expire() takes away at this time.
void model_expire(struct model *model, uint64_t now_ms);
// How many effects the end of an allocation has.
size_t model_count_effects(const struct model *model, unsigned tuple);
// An operator ends allocations: one, or all of a user by his name or what it counts for, of one
// realm or (-1) of each. Returns how many they are.
void model_kick(struct model *model, unsigned tuple);
unsigned model_kick_user(struct model *model, int realm, const char *name);
bool model_uses_source(const struct model_realm *realm);
// The source says something else about a realm that uses it.
void model_update(struct model *model, uint8_t realm, const struct turn_realm_update *update);
// Another configuration; peers that it denies are there until the sweep, closed relays without
// ports until they are trimmed.
void model_reload(struct model *model, const struct model_rules *rules);
void model_sweep(struct model *model);
void model_trim(struct model *model);
// The client has sent something from its pending 5-tuple, and the instance has said that it moved.
void model_establish(struct model *model, unsigned tuple);
// NULL, or why this port cannot cool down or be free again now.
const char *model_cool(struct model *model, const struct endpoint *relayed);
const char *model_release(struct model *model, const struct endpoint *relayed);
struct turn_stats model_count(const struct model *model);

#endif
