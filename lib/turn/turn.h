// Allocations, permissions, channels and who may have them: RFC 8656 over RFC 8489's long-term
// credentials.
//
// Pure: no clock, socket, ring or thread. The caller hands in one request and the time; it gets the
// bytes of the answer and a list of effects, which it turns into flow entries. State changes only
// when the request is fully judged and there is room for all its effects, so a refused request
// leaves no trace. Unauthenticated requests create no state at all. Control core only.
//
// Order of calls: turn_create(); turn_handle() for each request that is not answered by a worker;
// turn_expire() at least once a second; turn_port_release() when every worker has applied the
// removals before a TURN_PORT_COOLING. Allocate, Refresh, CreatePermission and ChannelBind are
// answered here, and Binding too (workers answer the plain ones themselves).
#ifndef TURN_H
#define TURN_H

#include "base/base.h"
#include "stun/stun.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TURN_PERMISSION_LIFETIME_S 300 // RFC 8656 §9
#define TURN_CHANNEL_LIFETIME_S 600 // RFC 8656 §12
#define TURN_PERMISSIONS_MAX 128 // of one allocation: 508 past it
#define TURN_CHANNELS_MAX 128
// A request or one expiry makes at most this many effects: the end of an allocation with everything
// full, a relayed address of each family and a hand-over under way.
#define TURN_EFFECTS_MAX (TURN_PERMISSIONS_MAX + 3 * TURN_CHANNELS_MAX + 6)
#define TURN_USERNAME_BYTES_MAX 508 // RFC 8489 §14.3
#define TURN_REALMS_MAX 64

struct turn_time {
	uint64_t now_ms; // monotonic: all lifetimes
	int64_t wall_s; // Unix time: only the expiry of REST user names
};

#define TURN_MAC_KEY_BYTES_MAX 48

// The key for each of the algorithms that a client may choose (RFC 8489 §18.5.1), or the one of a
// token (RFC 7635).
struct turn_keys {
	union {
		struct {
			uint8_t md5[STUN_MD5_BYTES]; // MD5(name ":" realm ":" password)
			uint8_t sha256[STUN_SHA256_BYTES];
		};
		uint8_t mac_key[TURN_MAC_KEY_BYTES_MAX];
	};
	bool has_sha256; // else only its MD5 is known
	uint8_t mac_key_bytes; // 0: it is none of a token
};

// The keys of a password. All texts are bytes, already prepared (OpaqueString).
void turn_keys_make(struct turn_keys *out, struct stun_mac *mac, const void *name,
	size_t name_bytes, const char *realm, const char *password, size_t password_bytes);

struct turn_user {
	const char *name;
	struct turn_keys keys;
};

// Shared with a service that hands out users (draft-uberti-behave-turn-rest).
struct turn_rest_secret {
	const char *text;
	bool sha256; // password = base64(HMAC-SHA256()); else HMAC-SHA1, as in the draft
};

// Who may be a peer. What stands further up wins.
struct turn_peer_policy {
	const struct ip_range
		*never; // beside what never is one: addresses of this box, and the like
	size_t n_never;
	const struct ip_range *allow;
	size_t n_allow;
	const struct ip_range *deny;
	size_t n_deny;
	bool allow_private; // RFC 1918, RFC 6598, unique local IPv6
	const struct ip_range *dry_run; // would be denied, and is only counted
	size_t n_dry_run;
	// Prefixes of 32, 40, 48, 56, 64 or 96 bits behind which a translator puts IPv4 (RFC 6052).
	const struct prefix *nat64;
	size_t n_nat64;
};

// What rules about peers there are.
enum turn_peer_kind {
	TURN_PEER_OWN_RELAYED, // the relayed address that asks
	TURN_PEER_OWN_PORT, // of ours, that is no relayed one
	TURN_PEER_OWN_ADDRESS,
	TURN_PEER_THIS_NETWORK, // and so on: built in
	TURN_PEER_LOOPBACK,
	TURN_PEER_LINK_LOCAL,
	TURN_PEER_SITE_LOCAL,
	TURN_PEER_MULTICAST,
	TURN_PEER_BROADCAST,
	TURN_PEER_UNSPECIFIED,
	TURN_PEER_TUNNEL,
	TURN_PEER_ALLOW, // as configured
	TURN_PEER_DENY,
	TURN_PEER_SOURCE_ALLOW, // as a source says
	TURN_PEER_SOURCE_DENY,
	TURN_PEER_PRIVATE,
	TURN_PEER_SPECIAL,
	TURN_PEER_DRY_RUN,
	TURN_PEER_KINDS,
};

// "allow", "deny", "dry_run" ...
const char *turn_peer_kind_name(enum turn_peer_kind kind);
bool turn_peer_kind_refuses(enum turn_peer_kind kind);

// A rule about peers and how often it decided. `range` is of no family where the rule is none.
struct turn_peer_rule {
	const char *name; // of its kind
	struct ip_range range;
	bool refuses;
	uint64_t n_hits;
};

enum turn_lookup {
	TURN_UNKNOWN, // there is no such user
	TURN_FOUND,
	TURN_ASKED, // it is being asked for: try again when the source has more
	TURN_OUT_OF_REACH, // nothing is known, and nobody can be asked now
};

// Users that are kept elsewhere. It says at once what it knows, and never waits. With `may_ask`
// false it asks nobody: the client has not yet shown that it hears at its address.
struct turn_source {
	enum turn_lookup (*find)(void *context, size_t realm_idx, const void *name, size_t n_bytes,
		bool may_ask, struct turn_keys *out);
	void *context;
};

// Who may ask, and for what. A user of one realm is nobody in another, whatever the name.
struct turn_realm_config {
	const char *name;
	const struct endpoint *services; // the listeners that ask for it; in `realm` not used
	size_t n_services;
	const struct turn_user *users;
	size_t n_users;
	const struct turn_rest_secret *rest_secrets; // any may have signed
	size_t n_rest_secrets;
	bool offers_sha256; // in PASSWORD-ALGORITHMS, before MD5: every user needs that key
	bool asks_userhash; // names stay hidden (RFC 8489 §9.2.1): not with the two below
	bool uses_source; // for whom is neither in `users` nor a REST user
	// 486 past them; a reserved port that outlives its allocation counts too. 0: no limit.
	uint32_t n_allocations_max; // of all its users together
	uint32_t n_allocations_per_user;
	struct turn_peer_policy peers;
};

// Shared with who issues tokens (RFC 7635).
struct turn_token_key {
	const char *kid; // that clients give as USERNAME
	uint8_t key[32];
	size_t key_bytes; // 16 or 32, for AEAD_AES_128_GCM or AEAD_AES_256_GCM
};

struct turn_tokens {
	const char *server_name; // as the issuer knows us: no other server's token is good here
	const struct turn_token_key *keys;
	size_t n_keys; // 0: no tokens are taken
};

// An allocation as operators see it: a copy, but for its texts, which are good until the next call
// that may end it.
struct turn_allocation_view {
	uint64_t id; // never 0, and of this one alone
	uint32_t allocation_idx; // as effects name it: another has it later
	const char *realm;
	const uint8_t *user; // as the client wrote it; of a token its kid
	size_t user_bytes;
	struct endpoint service; // our side of the client's 5-tuple
	struct endpoint client;
	struct endpoint relayed[2]; // family none: there is no such one
	struct endpoint outside[2]; // what the client knows them as
	uint64_t expires_ms[2]; // of each
	uint64_t created_ms;
	uint32_t lifetime_s; // granted last
	uint16_t n_permissions;
	uint16_t n_channels;
	bool may_move; // RFC 8016
	uint16_t n_moves;
	struct endpoint pending_service; // where it is about to move to; family none: nowhere
	struct endpoint pending_client;
};

// A permission or a channel.
struct turn_peer_view {
	struct endpoint peer; // of a permission port 0
	uint16_t channel; // 0: it is a permission
	uint64_t expires_ms;
};

enum turn_event_kind {
	TURN_CREATED,
	TURN_REFRESHED,
	TURN_MOVED, // to another 5-tuple (RFC 8016): the view has the new one
	TURN_ENDED, // the view and turn_allocation_peers() tell for the last time
};

enum turn_reason {
	TURN_NO_REASON,
	TURN_EXPIRED,
	TURN_RELEASED, // by its client
	TURN_KICKED,
	TURN_STOPPED, // with the relay
};

struct turn_event {
	enum turn_event_kind kind;
	enum turn_reason reason; // of TURN_ENDED
	struct turn_time time; // of turn_moved() that of the last call that was given one
	struct turn_allocation_view allocation;
};

struct turn_request;

// What was said to a request that got an answer.
struct turn_verdict {
	const struct turn_request *request;
	enum stun_code code; // STUN_CODE_NONE: granted
	const char *realm; // NULL: of a Binding request, which belongs to none
	const uint8_t *user; // who he says he is; only where `known` he is
	size_t user_bytes; // 0: he does not say, or behind a USERHASH that nobody has
	bool known;
};

// Told of each event while it happens, on the control core: it may read, and must not call what
// changes anything. The effects of the same call are not complete yet.
struct turn_watcher {
	void (*notify)(void *context, const struct turn_event *event); // NULL: nobody is told
	void (*judged)(void *context, const struct turn_verdict *verdict); // NULL: the same
	void *context;
};

// All of it is copied.
struct turn_config {
	struct turn_realm_config realm; // of each listener that no other realm has
	struct turn_source source; // of the realms that use it
	const struct turn_realm_config *more_realms;
	size_t n_more_realms; // less than TURN_REALMS_MAX
	uint32_t nonce_lifetime_s;
	uint32_t lifetime_s; // default and least
	uint32_t lifetime_max_s;
	uint32_t n_allocations_max;
	uint32_t n_permissions_max; // of one allocation: 508 past it; 0: TURN_PERMISSIONS_MAX
	uint32_t n_channels_max; // 0: TURN_CHANNELS_MAX
	// Peer addresses a second, and at once, that an allocation has no permission for: 508 past
	// it; 0: no limit.
	uint32_t new_peers_per_user_s;
	uint32_t new_peers_s;
	const struct relay_range *relays;
	size_t n_relays;
	const struct endpoint *services; // all our listeners: never a peer
	size_t n_services;
	// Where clients go when this one is full: at most one of each family; family none is none.
	struct endpoint alternates[2];
	struct stun_discovery discovery; // of RFC 5780
	bool allows_mobility; // RFC 8016
	bool serves_classic; // RFC 3489
	struct turn_tokens tokens; // in all realms
	const char *software; // SOFTWARE of every answer; NULL: none
	bool rfc5766_channels; // also 0x5000..0x7fff, which RFC 8656 reserves
	uint8_t nonce_secret[32];
	uint64_t random_seed; // 0: the kernel's generator; else repeatable, for tests only
	struct turn_watcher watcher;
	// Of the first allocation, the next has one more; 0 is 1. With the time of the start in its
	// upper half, in seconds, none is given twice over restarts.
	uint64_t first_id;
};

enum turn_effect_kind {
	TURN_ALLOCATION_ADD, // Send indications of this client to peers of the family of `relayed`
	TURN_ALLOCATION_REMOVE,
	TURN_PERMISSION_ADD, // peer.ip reaches the client by Data indications, Send reaches it
	TURN_PERMISSION_REMOVE,
	TURN_CHANNEL_UP_ADD, // ChannelData on `channel` goes to `peer`
	TURN_CHANNEL_UP_REMOVE,
	TURN_CHANNEL_DOWN_ADD, // `peer` reaches the client as ChannelData, while permitted
	TURN_CHANNEL_DOWN_REMOVE,
	TURN_PORT_COOLING, // `relayed` is free again once turn_port_release() is called
};

struct turn_effect {
	uint8_t kind; // enum turn_effect_kind
	bool moving; // *_ADD: once the client uses it, turn_moved() is due (RFC 8016)
	bool replaces; // *_ADD: in place of what stands under the same key
	uint8_t old_family; // then: of the client it led to or came from
	bool last; // TURN_PORT_COOLING: the allocation has ended with it
	uint16_t channel;
	uint32_t allocation_idx;
	uint32_t user_idx; // less than n_allocations_max; nobody else has it meanwhile
	struct endpoint service; // our side of the client's 5-tuple
	struct endpoint client;
	struct endpoint relayed; // of an allocation with two: the one of the peer's family
	struct endpoint peer; // port 0 in permissions
	uint64_t allocation_id;
};

// Filled by the callee; the caller resets `n`.
struct turn_effects {
	struct turn_effect *items;
	size_t n;
	size_t capacity;
};

struct turn_request {
	struct endpoint service; // where it arrived
	struct endpoint client; // where it came from
	const struct stun_view *view;
};

// Where the answer is written, and which way it goes: back, unless the client asked otherwise (RFC
// 5780).
struct turn_answer {
	uint8_t *bytes; // may not overlap the request
	size_t capacity_bytes; // 1,500 always suffice
	struct endpoint from; // set by turn_handle(): one of our services
	struct endpoint to; // set by turn_handle(): a port of the client
	bool known; // set by turn_handle(): the client has shown who it is
};

// What a source may say about a realm while it runs.
struct turn_realm_update {
	const struct turn_rest_secret *rest_secrets; // beside the configured ones
	size_t n_rest_secrets;
	uint32_t n_allocations_max; // instead of what is configured; 0: as configured
	uint32_t n_allocations_per_user;
	// Peers: asked after the configured lists, before the profile; allowed wins.
	const struct ip_range *allow;
	size_t n_allow;
	const struct ip_range *deny;
	size_t n_deny;
};

// turn_handle(): nothing was done; the same request is welcome again when the source has more.
#define TURN_LATER SIZE_MAX

struct turn_stats {
	uint32_t n_allocations;
	uint32_t n_dual; // of them with a relayed address of each family
	uint32_t n_permissions;
	uint32_t n_channels;
	uint32_t n_ports_free;
	uint32_t n_ports_used;
	uint32_t n_ports_reserved;
	uint32_t n_ports_cooling;
	uint64_t n_allocations_created;
	uint64_t n_out_of_reach; // requests without an answer: their user could not be asked for
	uint64_t n_too_fast; // requests for new peer addresses above a rate: 508
	uint64_t n_requests[16]; // by method number, all that got an answer
	uint64_t n_errors[700]; // answers by code; [0] is success
};

struct turn_realm_stats {
	const char *name; // good until the next turn_adopt()
	uint32_t n_allocations;
	uint64_t n_allocations_created;
	uint64_t n_unauthenticated; // answers 401 to requests that were signed
	uint64_t n_quota_reached; // answers 486
	uint64_t n_peer_hits[TURN_PEER_KINDS]; // of its rules about peers, those that are gone too
};

struct turn;

// Returns 0; -ENOMEM; -EINVAL for a range or relay that cannot be, an offer that a user cannot
// take, a realm or listener that is there twice.
int turn_create(struct turn **out, const struct turn_config *config);
void turn_destroy(struct turn *turn); // NULL is fine

// Another configuration while it runs, in two steps: turn_prepare() does all that can fail and
// changes nothing; turn_adopt() takes over what it made. Nothing may happen to the instance between
// the two, or turn_destroy() gives up what was prepared.
//
// Allocations live on, also where their listener, relayed port or realm is not there any more: no
// new ones come to these. Whose user is gone or has another key is refused from then on (401), so
// that the allocation expires; one by a REST secret or a source goes on. An allocation stays in the
// realm where it was made. Peers that are denied now keep what they have until turn_sweep(). The
// source and the watcher of the start stay, and with the source the realms that it knows; of one
// that uses it no more, nothing that it said holds.
//
// Returns 0; -ENOMEM; -EINVAL as turn_create(), and for a realm that would use the source and has
// not since the start; -EBUSY where a listener lies between relayed ports, one of them closed and
// still in use.
int turn_prepare(struct turn **out, const struct turn *turn, const struct turn_config *config);
void turn_adopt(struct turn *turn, struct turn *next);
// What workers must serve: listeners, and for each relay address the range of its ports; also what
// is closed and still in use. Of what turn_prepare() gave, what will be. False past the last.
bool turn_service_get(const struct turn *turn, size_t idx, struct endpoint *out);
bool turn_relay_get(const struct turn *turn, size_t idx, struct relay_range *out);
// Forget what is closed and no longer in use. True where that changes what workers must serve.
bool turn_trim(struct turn *turn);
// End permissions and channels of peers that may no longer be, beginning at allocation `*cursor` (0
// first): a bounded number, as far as `effects` has room. Returns true while there is more.
bool turn_sweep(struct turn *turn, uint32_t *cursor, struct turn_effects *effects);

// Judge one request and write its answer.
//
// `effects` must have room for TURN_EFFECTS_MAX more; with less, anything that would need an effect
// is refused with 508 before any state changes.
//
// Returns the bytes of the answer; 0 where none is due (responses, indications, unknown methods,
// users out of reach); TURN_LATER.
size_t turn_handle(struct turn *turn, const struct turn_time *time,
	const struct turn_request *request, struct turn_answer *answer,
	struct turn_effects *effects);

// Refuse new allocations from now on, so that this server empties: with STUN_TRY_ALTERNATE where
// an alternate of the client's family is configured (else STUN_INSUFFICIENT_CAPACITY), or with
// STUN_ALLOCATION_QUOTA_REACHED or STUN_INSUFFICIENT_CAPACITY; STUN_CODE_NONE ends it. What lives
// is refreshed as ever, and a reserved port is still handed out.
void turn_drain(struct turn *turn, enum stun_code answer);

// Take what a source says about a realm, by its number at the start: a copy that replaces what it
// said before. What was allowed before stays as long as it would have. Returns 0; -ENOENT where it
// is no longer configured, or no longer to use the source; -ENOMEM where not all was taken.
int turn_realm_update(struct turn *turn, size_t realm_idx, const struct turn_realm_update *update);
// Its name, good until the next turn_adopt(); NULL where that is -ENOENT.
const char *turn_source_realm(const struct turn *turn, size_t realm_idx);

// Other addresses in the place of `never` in the policy of every realm, those included that are no
// longer configured. Peers that are denied now keep what they have until turn_sweep(). Returns 0;
// -ENOMEM where some realms have those of before.
int turn_set_never(struct turn *turn, const struct ip_range *never, size_t n_never);

// The client of that allocation (as effects name it) has sent something that matched a `moving`
// one: its hand-over ends. Nothing where there is none, or no room for its effects: the next packet
// asks again.
void turn_moved(struct turn *turn, uint32_t allocation_idx, struct turn_effects *effects);

// Remove what has expired, as far as `effects` has room. Returns true where more is due already.
bool turn_expire(struct turn *turn, const struct turn_time *time, struct turn_effects *effects);

// End the cooling of a relayed address.
void turn_port_release(struct turn *turn, const struct endpoint *relayed);

// The *_ADD effects of what lives, again, beginning at allocation `*cursor` (0 first); whole
// allocations only, as many as fit. Returns true while there is more. For new routes.
bool turn_walk(struct turn *turn, uint32_t *cursor, struct turn_effects *effects);

enum turn_step {
	TURN_STEP_END, // there is no more
	TURN_STEP_MORE, // nothing yet: go on when there is time
	TURN_STEP_FOUND,
};

// The next allocation behind `*cursor` (0 first), in no order. One that lives throughout a walk is
// seen once. Each call is of bounded cost.
enum turn_step turn_allocation_next(
	const struct turn *turn, uint32_t *cursor, struct turn_allocation_view *out);
// False where there is none.
bool turn_allocation_find(const struct turn *turn, uint64_t id, struct turn_allocation_view *out);
// Its permissions, then its channels, up to `n_max` of them. Returns how many it has; 0 where there
// is no such allocation.
size_t turn_allocation_peers(
	const struct turn *turn, uint64_t id, struct turn_peer_view *out, size_t n_max);

// The *_ADD effects of all that stands for it. Returns 0; -ENOENT; -EAGAIN without room for them.
int turn_allocation_entries(const struct turn *turn, uint64_t id, struct turn_effects *effects);

// End it, as if it had expired now. Its user may come again. Returns 0; -ENOENT; -EAGAIN without
// room for its effects.
int turn_allocation_end(
	struct turn *turn, const struct turn_time *time, uint64_t id, struct turn_effects *effects);

// A user whose allocations are to end, and how far that is.
struct turn_kick {
	enum turn_reason reason; // TURN_NO_REASON is TURN_KICKED
	const char *realm; // NULL: in any realm
	// As clients write it, or of REST users what stands behind the time in it; NULL: everybody.
	const void *name;
	size_t n_bytes;
	uint32_t cursor; // 0 first
	uint32_t n_ended;
};

// End the user's allocations, each as turn_allocation_end() does: as many as `effects` has room
// for, and a bounded number. Returns true while there may be more.
bool turn_user_end(struct turn *turn, const struct turn_time *time, struct turn_kick *kick,
	struct turn_effects *effects);

#define TURN_ID_TEXT_BYTES 17

// Ids as people see them: 16 hexadecimal digits. Parse takes fewer too and returns 0; -EINVAL.
const char *turn_id_format(uint64_t id, char text[static TURN_ID_TEXT_BYTES]);
int turn_id_parse(uint64_t *out, const char *text);
const char *turn_reason_name(enum turn_reason reason); // "expired", "released" ...

void turn_stats_get(const struct turn *turn, struct turn_stats *out);
// Realms are numbered as in the configuration, `realm` being 0. False past the last.
bool turn_realm_stats_get(const struct turn *turn, size_t realm_idx, struct turn_realm_stats *out);
// Rule `idx` about peers of a realm, in the order in which they are asked. False past the last.
bool turn_peer_rule_get(
	const struct turn *turn, size_t realm_idx, size_t idx, struct turn_peer_rule *out);

// For tests and debug builds: every relayed port is free, used, reserved or cooling; every index
// points at what points back; counters equal what is counted. Returns NULL, or what is wrong.
const char *turn_check(const struct turn *turn);

#endif
