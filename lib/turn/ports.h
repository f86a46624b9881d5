// The relayed addresses: each port of each relay is free, used by one allocation, reserved for one
// to come, or cooling until every worker has forgotten it. A relay that is closed has only the
// ports that were taken when it was, until they are free.
#ifndef TURN_PORTS_H
#define TURN_PORTS_H

#include "turn/entropy.h"

#include "base/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PORT_FREE 0u // owners are the indices of allocations, which begin at 1
#define PORT_COOLING UINT32_MAX
#define PORT_RESERVED (UINT32_MAX - 1)

struct relay_ports {
	struct ip_addr ip;
	struct ip_addr external; // what clients know it as; family none: itself
	uint16_t port_min;
	bool closed; // nothing here is free any more: `free` and `places` are not there
	uint32_t n_ports;
	uint32_t n_taken; // of a closed one: used, reserved or cooling
	uint32_t n_free;
	uint16_t *free; // offsets from port_min; the first n_free are the free ones
	uint16_t *places; // by offset: where in `free` it stands, while it is free
	uint32_t *owners; // by offset
};

#define PORT_FAMILIES (FAMILY_IPV6 + 1)

struct ports {
	struct relay_ports *relays; // open ones first
	size_t n_relays;
	uint32_t n_free[PORT_FAMILIES]; // by family
	uint32_t n_used;
	uint32_t n_reserved;
	uint32_t n_cooling;
};

struct port_wish {
	uint32_t owner;
	uint8_t family;
	bool even;
	bool with_next; // reserve the port behind it too (RFC 8656 §7.2); then it is even
};

// Returns 0; -ENOMEM; -EINVAL where ranges are empty or overlap.
int ports_init(struct ports *ports, const struct relay_range *relays, size_t n_relays);
void ports_fini(struct ports *ports);
// Take over what is taken in `old`: under the relays that are here, or else as closed ones behind
// them. Nothing may have been taken here yet. Returns 0; -ENOMEM.
int ports_carry(struct ports *ports, const struct ports *old);
// Let go the closed relays that are free. True where there were some.
bool ports_trim(struct ports *ports);
// The `idx`th address and the least range that holds all of its ports. False past the last.
bool ports_range(const struct ports *ports, size_t idx, struct relay_range *out);
// Whether any open relay is of that family, be it free or not.
bool ports_have_family(const struct ports *ports, uint8_t family);
// One that is wished for: uniformly random (RFC 6056), even ones nearly so. False where none is
// free.
bool ports_take(struct ports *ports, struct entropy *entropy, const struct port_wish *wish,
	struct endpoint *out);
// The end of a reservation: an allocation takes the port, or it is free again.
void ports_take_reserved(struct ports *ports, uint32_t owner, const struct endpoint *relayed);
void ports_free_reserved(struct ports *ports, const struct endpoint *relayed);
// What clients know as: the other address of a 1:1 NAT, where there is one. And back: what is none
// of ours stays as it is.
struct endpoint ports_outside(const struct ports *ports, const struct endpoint *relayed);
struct ip_addr ports_inside(const struct ports *ports, const struct ip_addr *ip);
void ports_cool(struct ports *ports, const struct endpoint *relayed);
void ports_release(struct ports *ports, const struct endpoint *relayed); // if it is cooling
// A port that is free becomes somebody's, or reserved, or cooling; nothing is counted. For
// ports_carry().
void ports_set_owner(struct ports *ports, const struct endpoint *relayed, uint32_t owner);
uint32_t ports_owner(const struct ports *ports, const struct endpoint *relayed);
bool ports_contain(const struct ports *ports, const struct endpoint *endpoint);
bool ports_contain_ip(const struct ports *ports, const struct ip_addr *ip);
// NULL, or what is wrong.
const char *ports_check(const struct ports *ports);

#endif
