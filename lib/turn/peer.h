// Which addresses may be a peer: the one place that decides, for every method.
//
// Rules stand in one list, in the order in which they are asked; the first that fits an address
// decides and counts. An IPv6 address that carries an IPv4 address is judged as both.
#ifndef TURN_PEER_H
#define TURN_PEER_H

#include "base/base.h"
#include "turn/turn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer_rule {
	struct ip_range range; // of no family: asked elsewhere
	uint64_t n_hits;
	uint8_t kind; // enum turn_peer_kind
};

struct peers {
	struct peer_rule *rules;
	size_t n_rules;
	size_t never_at; // what TURN_PEER_OWN_ADDRESS has beside services
	size_t n_never;
	size_t n_configured; // what a source says comes behind these
	struct prefix *nat64;
	size_t n_nat64;
	uint64_t n_hits[TURN_PEER_KINDS]; // also of rules that are gone
};

struct realm;

// Of a realm. `config` says what this box is. Returns 0; -ENOMEM; -EINVAL for a NAT64 prefix of a
// length that RFC 6052 does not know.
int peers_init(struct peers *peers, const struct turn_peer_policy *policy,
	const struct turn_config *config);
// The lists of a source in the place of those it gave before; rules that are in both count on.
// Returns 0; -ENOMEM: as before.
int peers_update(struct peers *peers, const struct turn_realm_update *update);
// Other addresses in the place of the policy's `never`. Returns 0; -ENOMEM: as before.
int peers_set_never(struct peers *peers, const struct ip_range *list, size_t n);
// What a source has said, from `old`. Returns 0; -ENOMEM.
int peers_carry_source(struct peers *peers, const struct peers *old);
// Of rules that are the same, and of each kind. Returns 0; -ENOMEM.
int peers_carry_counts(struct peers *peers, const struct peers *old);
void peers_fini(struct peers *peers);

// May `relayed`, of that realm, talk to this transport address?
bool peer_is_allowed(const struct turn *turn, struct realm *realm, const struct endpoint *peer,
	const struct endpoint *relayed);
// May a relayed address of that realm talk to some port of this address?
bool peer_ip_is_allowed(const struct turn *turn, struct realm *realm, const struct ip_addr *ip);
// The same of what was allowed once: no rule counts it.
bool peer_stays_allowed(const struct turn *turn, const struct realm *realm,
	const struct endpoint *peer, const struct endpoint *relayed);
bool peer_ip_stays_allowed(
	const struct turn *turn, const struct realm *realm, const struct ip_addr *ip);
// Teredo or 6to4: may not even ask for an allocation (RFC 8656 §21.4).
bool peer_ip_is_tunnel(const struct ip_addr *ip);

#endif
