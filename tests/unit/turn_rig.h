// A TURN instance, one client and virtual time, for tests of lib/turn. Each request goes through
// stun_parse() and turn_handle(); each answer is walked byte by byte; each effect is applied to a
// model of what workers would hold, which refuses to add what is there and to remove what is not.
// What must never be wrong aborts.
#ifndef TURN_RIG_H
#define TURN_RIG_H

#include "base/base.h"
#include "stun/stun.h"
#include "turn/turn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RIG_NO_ANSWER (-1)
#define RIG_LATER (-2)
#define RIG_START_MS 1000000ULL
#define RIG_START_WALL_S 1700000000
#define RIG_ENTRIES_MAX 8192

struct rig_user {
	const char *name;
	struct stun_key key; // MD5
	struct stun_key key_sha256;
};

// "user"/"pass" and "other"/"word" in "realm".
extern const struct rig_user rig_user, rig_other;
extern const struct rig_user rig_nobody; // of no known name

struct rig {
	struct turn *turn;
	struct turn_time time;
	struct stun_mac *mac;
	struct endpoint service;
	struct endpoint client;
	const struct rig_user *user; // signs; NULL: nobody does
	const char *realm; // what it signs with
	bool with_fingerprint;
	char nonce[128];
	size_t nonce_bytes;
	uint32_t n_transactions;
	uint8_t ticket[64];
	size_t ticket_bytes;

	uint8_t request[1500];
	struct stun_writer w;
	uint8_t reply[1500];
	size_t reply_bytes;
	struct turn_answer answer;
	struct stun_view view; // of the reply
	struct turn_effect items[TURN_EFFECTS_MAX];
	struct turn_effects effects; // of the last call

	struct turn_effect
		entries[RIG_ENTRIES_MAX]; // what workers hold: the *_ADD effects that stand
	size_t n_entries;
	struct endpoint cooling[1024];
	size_t n_cooling;
};

struct turn_user rig_turn_user(const struct rig_user *from);
// A relay of 16 ports, both users, 600 s of lifetime and 3,600 at most.
struct turn_config rig_config(void);
// Of a source that has settings for realms, and no users.
enum turn_lookup rig_find_nobody(void *context, size_t realm_idx, const void *name, size_t n_bytes,
	bool may_ask, struct turn_keys *out);
// The listeners of `config`, up to 8: "IP:port" each, NULL after the last. They are good until the
// next call.
void rig_listen(struct turn_config *config, const char *const *listeners);
void rig_open(struct rig *rig, const struct turn_config *config);
void rig_open_default(struct rig *rig);
void rig_close(struct rig *rig);
// Another configuration while it runs: what turn_prepare() says, adopted where it is 0.
int rig_reconfigure(struct rig *rig, const struct turn_config *config);
// All of turn_sweep(); how many shares it took.
unsigned rig_sweep(struct rig *rig);
// From the beginning, by another policy and with an allocation.
void rig_reopen_for_peers(struct rig *rig, struct turn_peer_policy policy);

struct endpoint rig_endpoint(const char *text);

// A request: begin, stun_put_*(&rig->w, ...), send. Send signs it and returns the code of the
// answer, 0 for success, RIG_NO_ANSWER or RIG_LATER.
void rig_begin(struct rig *rig, uint16_t method);
void rig_sign(struct rig *rig); // what rig_send() does before rig_deliver()
int rig_send(struct rig *rig);
int rig_deliver(struct rig *rig); // as it is now
int rig_repeat(struct rig *rig); // the same bytes again

// Learn a nonce by an unsigned request, as clients do.
void rig_challenge(struct rig *rig);
void rig_learn(struct rig *rig); // the nonce of the last answer
int rig_allocate(struct rig *rig);
int rig_refresh(struct rig *rig, int64_t lifetime_s); // negative: no LIFETIME
int rig_permit(struct rig *rig, const char *peer); // without port
int rig_bind(struct rig *rig, uint16_t channel, const char *peer);

// Mobility: keep the ticket of the last answer; a Refresh with it; data on a pending 5-tuple.
void rig_keep_ticket(struct rig *rig);
int rig_move(struct rig *rig);
void rig_moved(struct rig *rig, uint32_t allocation_idx);

// Ends by an operator, of one allocation and of a user's, a step.
int rig_kick(struct rig *rig, uint64_t id);
bool rig_kick_user(struct rig *rig, struct turn_kick *kick);

// Let time pass and what is due expire.
void rig_pass(struct rig *rig, uint64_t ms);
// End the cooling of all cooling ports.
void rig_cool_down(struct rig *rig);

bool rig_has(const struct rig *rig, uint16_t attr);
uint32_t rig_u32(const struct rig *rig, uint16_t attr);
struct endpoint rig_address(const struct rig *rig, uint16_t attr); // of IPv4
// One that is not masked, as text; "none" where it is not there.
const char *rig_plain_address(const struct rig *rig, uint16_t attr);
// XOR-RELAYED-ADDRESS of that family; family none where there is none, aborts where there are two.
struct endpoint rig_relayed(const struct rig *rig, enum family family);
struct turn_stats rig_stats(const struct rig *rig);
// The effects of the last call: "ALLOCATION_ADD PERMISSION_ADD/192.0.2.1
// CHANNEL_UP_ADD/4000/192.0.2.1:9 ..."
const char *rig_effects(struct rig *rig);
// turn_walk() gives exactly what the model holds.
bool rig_walk_matches(struct rig *rig);

#endif
