// What an instance holds, and what one request carries through its judgement. Private to lib/turn.
#ifndef TURN_STATE_H
#define TURN_STATE_H

#include "turn/entropy.h"
#include "turn/fresh.h"
#include "turn/pool.h"
#include "turn/ports.h"
#include "turn/realm.h"
#include "turn/services.h"
#include "turn/token.h"
#include "turn/turn.h"
#include "turn/users.h"
#include "turn/wheel.h"

#include "base/base.h"
#include "stun/stun.h"

#include <assert.h>

struct permission {
	struct timer timer; // first: the wheel finds it there
	uint32_t allocation_idx;
	uint32_t next; // of the same allocation, or 0
	struct ip_addr ip;
};
static_assert(sizeof(struct permission) <= 48, "hundreds of thousands of them");

struct channel {
	struct timer timer; // first
	uint32_t allocation_idx;
	uint32_t next; // of the same allocation, or 0
	struct endpoint peer;
	uint16_t number;
	bool down; // the peer reaches the client: exactly while there is a permission for its IP
};
static_assert(sizeof(struct channel) <= 48, "hundreds of thousands of them");

struct allocation {
	struct timer timer; // first
	struct identity *identity;
	uint32_t next; // in its bucket of clients, or 0
	uint32_t permission_idx; // the first, or 0
	uint32_t channel_idx;
	uint32_t reservation_idx; // made by its EVEN-PORT and not yet taken, or 0
	uint16_t n_permissions;
	uint16_t n_channels;
	struct endpoint service;
	struct endpoint client; // family none: this node is free
	struct endpoint relayed; // the first; `timer` is its
	uint32_t second_idx; // the relayed address of the other family, or 0
	uint32_t mobility_idx; // where its client may move, or 0
	uint8_t transaction_id[STUN_TRANSACTION_BYTES]; // of the Allocate that made it
	uint32_t token_ends_s; // of its owner's token, by the monotonic clock; else UINT32_MAX
	uint32_t next_by_id; // in its bucket of ids, or 0
	uint32_t lifetime_s; // granted last
	uint64_t id;
	uint64_t created_ms;
};
static_assert(sizeof(struct allocation) <= 152, "millions of them");

// Each relayed address has a time of its own (RFC 8656 §6). Where the first one ends, this takes
// its place.
struct second {
	struct timer timer; // first
	uint32_t allocation_idx;
	struct endpoint relayed;
};

// Of an allocation whose client asked for tickets (RFC 8016). See mobility.h.
struct mobility {
	uint64_t moved_ms; // when the last hand-over began
	struct endpoint service; // the pending 5-tuple
	struct endpoint client; // family none: no hand-over is under way
	uint32_t allocation_idx; // 0: this node is free
	uint32_t next; // in its bucket of pending 5-tuples, or 0
	uint32_t life; // of the node: 24 random bits
	// Generations of tickets.
	uint16_t newest;
	uint16_t established; // the newest that the client surely knows
	uint16_t used; // by the last hand-over, or 0
	uint16_t n_moves; // hand-overs that ended
};

#define TOKEN_BYTES 8 // RFC 8656 §18.10

// A relayed address that waits for the second allocation of a pair (RFC 8656 §7.2). Its token is
// good for the same user only.
struct reservation {
	struct timer timer; // first
	struct endpoint relayed;
	struct identity *identity;
	uint32_t allocation_idx; // the first of the pair, or 0 where that has ended
	uint8_t token[TOKEN_BYTES]; // its index here in 3 bytes, 5 bytes that nobody can guess
};

// What is configured and has no state: another configuration replaces all of it.
struct options {
	uint64_t nonce_lifetime_ms;
	uint32_t lifetime_s;
	uint32_t lifetime_max_s;
	uint32_t n_allocations_max;
	uint32_t n_permissions_max; // of one allocation
	uint32_t n_channels_max;
	struct fresh_rates fresh_rates;
	uint16_t channel_max;
	bool allows_mobility;
	bool serves_classic;
	struct endpoint alternates[2];
	struct stun_discovery discovery;
	char software[STUN_SOFTWARE_BYTES_MAX + 1]; // empty: no SOFTWARE
};

struct turn {
	struct stun_mac *mac;
	struct entropy entropy;
	struct turn_time time; // of the last call that was given one
	struct turn_watcher watcher;

	struct options options;
	struct turn_source source;
	struct realm **realms; // [0]: of each listener that no other realm has
	size_t n_realms;
	struct realm **gone_realms; // that are no longer configured and have allocations
	size_t n_gone_realms;
	struct turn_keys dummy_keys; // for the work on behalf of users that are not
	struct bucket fresh; // new peer addresses of all users
	uint64_t n_too_fast;
	struct services services;
	enum stun_code drain_code; // of new allocations; none: they are welcome

	struct tokens tokens;
	struct users users;
	struct ports ports;
	struct pool allocations;
	struct pool seconds;
	struct pool permissions;
	struct pool channels;
	struct pool reservations;
	struct ticketer *ticketer;
	struct pool mobilities;
	uint32_t *moving; // buckets of pending 5-tuples, n_buckets: first mobility, or 0
	uint32_t n_moving;
	uint32_t *buckets; // of clients: first allocation, or 0
	uint32_t *ids; // buckets of ids, n_buckets: first allocation, or 0
	uint64_t next_id;
	size_t n_buckets; // a power of two
	struct hash_key hash_key;
	struct wheel wheel;

	uint64_t n_created;
	uint64_t n_out_of_reach;
	uint64_t n_requests[16];
	uint64_t n_errors[700];
};

// What became of a Refresh's MOBILITY-TICKET.
enum ticket {
	TICKET_NONE,
	TICKET_FORBIDDEN, // by the configuration
	TICKET_BAD, // not ours, or its time is over
	TICKET_OF_NONE, // its allocation has ended
	TICKET_GOOD,
	TICKET_REPEATED, // by a retransmission
};

struct call {
	struct turn *turn;
	const struct turn_time *time;
	const struct turn_request *request;
	struct turn_effects *effects;
	struct turn_answer *answer;
	const struct service *service; // the listener
	struct realm *realm; // its, or that of the allocation
	struct stun_writer reply;
	uint32_t allocation_idx; // of the request's 5-tuple, or 0
	struct allocation *allocation;
	bool from_pending; // the request came by the pending 5-tuple
	enum ticket ticket;
	uint16_t generation; // of the ticket
	enum turn_lookup lookup; // of its user
	bool ignored; // gets no answer
	uint32_t lifetime_max_s; // that its token allows
	bool authenticated;
	bool algorithm_chosen; // by PASSWORD-ALGORITHM; else it is MD5
	enum stun_password_algorithm algorithm;
	struct principal principal; // only where authenticated
	struct stun_key key; // that signed the request and signs its answer
	uint16_t unknown[STUN_UNKNOWN_MAX];
	size_t n_unknown;
};

// Names say who someone is only within a realm.
static inline bool caller_is(const struct call *call, const struct identity *identity)
{
	return identity->realm == call->realm &&
		identity_is(identity, call->principal.name, call->principal.n_bytes);
}

// The same once the request is authenticated: a kid is nobody's name.
static inline bool caller_owns(const struct call *call, const struct identity *identity)
{
	return caller_is(call, identity) &&
		!identity->keys.mac_key_bytes == !call->principal.keys.mac_key_bytes;
}

// One per method. They return 0 and have put the answer's attributes, or a code and have changed
// nothing.
enum stun_code binding_handle(struct call *call);
enum stun_code classic_handle(struct call *call); // both methods of RFC 3489
enum stun_code allocate_handle(struct call *call);
enum stun_code refresh_handle(struct call *call);
enum stun_code permission_handle(struct call *call);
enum stun_code channel_handle(struct call *call);

// RFC 5780 §7.2.
#define CHANGE_IP 0x4u
#define CHANGE_PORT 0x2u

// Let the answer leave from where CHANGE-REQUEST says, `other` being our pair that differs in both.
// 0, or STUN_BAD_REQUEST.
enum stun_code binding_change_origin(struct call *call, const struct endpoint *other);

// RFC 8489 §9.2.4.
enum stun_code auth_check(struct call *call);

void keys_of_rest(const struct call *call, struct turn_keys *out, const struct secret *secret);

void reply_begin(struct call *call, enum stun_class class);
void reply_error(struct call *call, enum stun_code code);
size_t reply_end(struct call *call);

static inline struct allocation *allocation_at(const struct turn *turn, uint32_t idx)
{
	return pool_at(&turn->allocations, idx);
}

static inline struct second *second_at(const struct turn *turn, uint32_t idx)
{
	return pool_at(&turn->seconds, idx);
}

static inline struct permission *permission_at(const struct turn *turn, uint32_t idx)
{
	return pool_at(&turn->permissions, idx);
}

static inline struct channel *channel_at(const struct turn *turn, uint32_t idx)
{
	return pool_at(&turn->channels, idx);
}

static inline struct reservation *reservation_at(const struct turn *turn, uint32_t idx)
{
	return pool_at(&turn->reservations, idx);
}

// Of the port that ports_take_even() reserved behind the allocation's. There must be room in the
// pool.
void reservation_make(struct turn *turn, uint32_t allocation_idx, uint64_t now_ms);
// The one that `token` names and the caller may use, or 0.
uint32_t reservation_find(const struct call *call, const struct stun_attr *token);
// It ends; what becomes of its port is the caller's to say.
void reservation_end(struct turn *turn, uint32_t idx);
// Its allocation has ended: it counts in its place.
void reservation_widow(struct turn *turn, uint32_t idx);
void reservation_expire(struct turn *turn, uint32_t idx);

// Nobody of ours, no tunnel.
bool is_refused_client(const struct call *call);

// Allocations by the client's 5-tuple. Find returns 0 where there is none.
uint32_t clients_find(
	const struct turn *turn, const struct endpoint *service, const struct endpoint *client);
size_t clients_bucket(
	const struct turn *turn, const struct endpoint *service, const struct endpoint *client);
void clients_add(struct turn *turn, uint32_t idx);
void clients_remove(struct turn *turn, uint32_t idx);

// Allocations by their ids. Find returns 0 where there is none.
uint32_t ids_find(const struct turn *turn, uint64_t id);
void ids_add(struct turn *turn, uint32_t idx); // gives it the next one
void ids_remove(struct turn *turn, uint32_t idx);

// Tell the watcher, if there is one; before what ends is gone.
void watch(struct turn *turn, uint32_t idx, enum turn_event_kind kind, enum turn_reason reason);

// What stands for it in flow entries; how many effects its end has.
size_t allocation_count_entries(const struct turn *turn, uint32_t idx);
size_t allocation_count_removals(const struct turn *turn, uint32_t idx);
// With all its relayed addresses.
void allocation_end(
	struct turn *turn, uint32_t idx, enum turn_reason reason, struct turn_effects *effects);
// RFC 8656 §7.2, §8.2: what is granted to who asks for `wanted_s`.
uint32_t allocation_lifetime(const struct call *call, uint32_t wanted_s);
// From now on this token is its owner's (RFC 7635 §9). Returns 0; -ENOMEM.
int allocation_take_token(struct call *call);

// An allocation's relayed address of that family, or NULL.
const struct endpoint *relayed_find(
	const struct turn *turn, const struct allocation *allocation, uint8_t family);
// Add the second one to an allocation; there must be room in the pool.
void relayed_add(struct turn *turn, uint32_t idx, const struct endpoint *relayed);
// The timer whose address is of that family.
uint32_t relayed_timer(const struct turn *turn, uint32_t idx, uint8_t family);
// What it, its permissions and its channels amount to in flow entries.
size_t relayed_count_entries(const struct turn *turn, uint32_t idx, uint8_t family);
// With its permissions and channels (RFC 8656 §8.1), and with the last one the allocation.
void relayed_end(struct turn *turn, uint32_t idx, uint8_t family, enum turn_reason reason,
	struct turn_effects *effects);

uint32_t permission_find(
	const struct turn *turn, uint32_t allocation_idx, const struct ip_addr *ip);
// Refresh it, or make it: then there must be room in pool and effects.
void permission_install(struct call *call, const struct ip_addr *ip);
size_t permission_count_entries(const struct turn *turn, uint32_t idx);
void permission_end(struct turn *turn, uint32_t idx, struct turn_effects *effects);

size_t channel_count_entries(const struct turn *turn, uint32_t idx);
void channel_end(struct turn *turn, uint32_t idx, struct turn_effects *effects);
// A permission for `ip` has come or gone: its channels follow.
void channel_open_down(struct turn *turn, uint32_t allocation_idx, const struct ip_addr *ip,
	struct turn_effects *effects);
void channel_shut_down(struct turn *turn, uint32_t allocation_idx, const struct ip_addr *ip,
	struct turn_effects *effects);

size_t effects_room(const struct turn_effects *effects);
// turn_handle() promises 508 below this room.
static inline bool effects_fit(const struct turn_effects *effects)
{
	return effects_room(effects) >= TURN_EFFECTS_MAX;
}
// Of the allocation's relayed address of that family.
void effects_add_allocation(struct turn_effects *effects, enum turn_effect_kind kind,
	const struct turn *turn, uint32_t allocation_idx, uint8_t family);
void effects_add_permission(struct turn_effects *effects, enum turn_effect_kind kind,
	const struct turn *turn, const struct permission *permission);
void effects_add_channel(struct turn_effects *effects, enum turn_effect_kind kind,
	const struct turn *turn, const struct channel *channel);
// All that stands for an allocation, as *_ADD.
void effects_add_entries(
	struct turn_effects *effects, const struct turn *turn, uint32_t allocation_idx);

// One 5-tuple of a client.
struct leg {
	struct endpoint service;
	struct endpoint client;
	bool moving; // the pending one
};
// What a client sends by that one: its owner entries and its channels.
void effects_add_leg(struct turn_effects *effects, enum turn_effect_kind owner,
	enum turn_effect_kind channel, const struct turn *turn, uint32_t allocation_idx,
	const struct leg *leg);

#endif
