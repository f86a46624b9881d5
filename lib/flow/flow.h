// The tables of one worker: which packets may pass right now, and what each becomes.
//
// An entry exists if and only if a matching packet may pass. One writer and reader, the worker that
// owns the table; several tables never share a line. The control core prepares an entry with
// flow4_entry_make() or flow6_entry_make() and sends it by value.
//
// Two tables of one layout: flow4 for an IPv4 client with an IPv4 relayed address, flow6 for the
// three other pairs of families. Buckets of half a cache line hold the 16-bit tags of entries,
// which lie in an array of the same order and fill one cache line, or two in flow6. A bucket that
// overflowed says so; only then is its alternate read.
#ifndef FLOW_H
#define FLOW_H

#include "base/base.h"
#include "hop.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define FLOW_BURST_MAX 64
#define FLOW_BUCKET_SLOTS 14

enum flow_kind {
	FLOW_UP = 1, // ChannelData of a client becomes UDP to the peer
	FLOW_DOWN, // UDP from a peer becomes ChannelData
	FLOW_OWNER, // a client's 5-tuple: its Send indications leave from `to.source`
	FLOW_PERMISSION, // UDP from any port of a peer becomes a Data indication; Send may go there
	// The first and the third from where a client may have moved to: control is told that it
	// has (RFC 8016). Above what the express lane takes.
	FLOW_MOVING_FIRST,
	FLOW_UP_MOVING = FLOW_MOVING_FIRST,
	FLOW_OWNER_MOVING,
	// FLOW_UP and FLOW_DOWN whose packets are shown to control: above what the express lane
	// takes too, so that nobody else pays for it.
	FLOW_OBSERVED_FIRST,
	FLOW_UP_OBSERVED = FLOW_OBSERVED_FIRST,
	FLOW_DOWN_OBSERVED,
};

// As the packet has them, network byte order: remote is the packet's source, local its target.
// `channel_be` is the channel of ChannelData from a client, else 0. The permission of a peer has
// remote_port_be 0.
struct flow4_key {
	uint32_t remote_ip;
	uint32_t local_ip;
	uint16_t remote_port_be;
	uint16_t local_port_be;
	uint16_t channel_be;
	uint16_t zero;
};

// The same; an IPv4 address is written as ::ffff:a.b.c.d.
struct flow6_key {
	uint8_t remote_ip[IPV6_BYTES];
	uint8_t local_ip[IPV6_BYTES];
	uint16_t remote_port_be;
	uint16_t local_port_be;
	uint16_t channel_be;
	// Of FLOW_OWNER: enum family of the relayed address, of which a client may have two.
	uint16_t relayed_family;
};

// What a packet becomes, but for its addresses.
struct flow_rewrite {
	uint16_t source_port_be;
	uint16_t target_port_be; // unknown (0) for FLOW_OWNER, as its address
	uint16_t ip_delta; // flow4 only: addresses, new minus old
	uint16_t udp_delta; // addresses, ports and channel: new minus old
	uint16_t channel_be; // FLOW_DOWN: the channel to write
	uint16_t hop_idx; // where the new packet goes
	uint16_t peer_hop_idx; // FLOW_PERMISSION: where Send indications to that peer go
	uint8_t kind; // enum flow_kind
	uint8_t family; // enum family of the new packet
	uint32_t allocation_idx;
	uint32_t user_idx; // whose it is, for the rates of users
	uint64_t n_packets;
	uint64_t n_bytes; // of application data
};
static_assert(sizeof(struct flow_rewrite) == 40, "without holes");

// All that relaying needs in one line.
struct flow4_entry {
	struct flow4_key key;
	uint32_t source_ip; // of the packet it becomes
	uint32_t target_ip;
	struct flow_rewrite to;
};
static_assert(sizeof(struct flow4_key) == 16, "two words");
static_assert(sizeof(struct flow4_entry) == CACHE_LINE_BYTES, "one cache line");

// The same in two lines. Addresses of the new packet's family; those of IPv4 fill four bytes.
struct flow6_entry {
	struct flow6_key key;
	uint8_t source_ip[IPV6_BYTES];
	uint8_t target_ip[IPV6_BYTES];
	struct flow_rewrite to;
	uint32_t flow_label_be; // of an IPv6 packet whose peer is known, in its place in the header
	uint8_t spare[12];
};
static_assert(sizeof(struct flow6_key) == 40, "five words");
static_assert(sizeof(struct flow6_entry) == 2 * CACHE_LINE_BYTES, "two cache lines");

// What an entry is made of, whatever the family. Unused parts are zero.
struct flow_spec {
	enum flow_kind kind;
	struct endpoint local; // of the packets that match
	struct endpoint remote;
	uint16_t channel; // FLOW_UP: part of the key. FLOW_DOWN: what is written
	struct endpoint source; // of the packet it becomes
	struct endpoint target;
	uint16_t hop_idx;
	uint16_t peer_hop_idx;
	uint32_t allocation_idx;
	uint32_t user_idx;
};

// What an entry has counted.
struct flow_count {
	uint64_t n_packets;
	uint64_t n_bytes; // of application data
	struct endpoint
		peer; // of Send indications, to whomever, family none; of permissions port 0
	bool up;
};

struct flow_count flow4_count(const struct flow4_entry *entry);
struct flow_count flow6_count(const struct flow6_entry *entry);

struct flow_table {
	struct pages bucket_pages;
	struct pages entry_pages;
	struct flow_bucket *buckets;
	void *entries; // of flow4 or flow6; the first is never used
	uint32_t n_buckets;
	uint32_t n_entries;
	uint32_t capacity;
	uint64_t seed[2];
};

// Whether this is one for flow4: an IPv4 packet that becomes an IPv4 packet.
static inline bool flow_spec_is_ipv4(const struct flow_spec *spec)
{
	return spec->local.ip.family == FAMILY_IPV4 && spec->source.ip.family == FAMILY_IPV4;
}

// Key and entry from a spec that is IPv4 throughout, or from one that is not. FLOW_OWNER has no
// target but says its family, that of the relayed address.
struct flow4_key flow4_key_make(const struct flow_spec *spec);
struct flow4_entry flow4_entry_make(const struct flow_spec *spec);
struct flow6_key flow6_key_make(const struct flow_spec *spec);
struct flow6_entry flow6_entry_make(const struct flow_spec *spec);

// An address of a flow6_key; `ip` holds the 4 or 16 bytes of a packet.
static inline void flow6_key_write_ip(
	uint8_t out[static IPV6_BYTES], const uint8_t *ip, uint8_t family)
{
	if (family == FAMILY_IPV6) {
		memcpy(out, ip, IPV6_BYTES);
		return;
	}
	memset(out, 0, 10);
	memset(out + 10, 0xff, 2);
	memcpy(out + 12, ip, IPV4_BYTES);
}

// The IPv6 flow label of a relayed flow, in its place in the first word of the header (RFC 6437 §3:
// the same for every packet of a flow, and like no other's). Addresses as they lie in the packet.
uint32_t flow_label_make(const uint8_t *source_ip, const uint8_t *target_ip,
	uint16_t source_port_be, uint16_t target_port_be);

// Memory for `capacity` entries on that NUMA node, with 2 MiB pages if asked for and to be had.
// `seed` should be secret: it keeps an attacker from choosing addresses that collide.
//
// Returns 0; -EINVAL for a capacity of 0 or above 2^28; -ENOMEM.
int flow4_table_create(struct flow_table *table, uint32_t capacity, int numa_node, bool try_huge,
	const uint64_t seed[static 2]);
void flow4_table_destroy(struct flow_table *table);
int flow6_table_create(struct flow_table *table, uint32_t capacity, int numa_node, bool try_huge,
	const uint64_t seed[static 2]);
void flow6_table_destroy(struct flow_table *table);
// What they map where they get 2 MiB pages.
size_t flow4_table_huge_bytes(uint32_t capacity);
size_t flow6_table_huge_bytes(uint32_t capacity);

// Add an entry, or replace the one with the same key and keep its counters. Returns 0; -ENOSPC.
int flow4_insert(struct flow_table *table, const struct flow4_entry *entry);
int flow6_insert(struct flow_table *table, const struct flow6_entry *entry);
// Returns what was removed, good until the next insert; NULL where there was none.
struct flow4_entry *flow4_remove(struct flow_table *table, const struct flow4_key *key);
struct flow6_entry *flow6_remove(struct flow_table *table, const struct flow6_key *key);

// Find up to FLOW_BURST_MAX keys at once; `out[i]` is NULL on a miss. The entries are prefetched
// and stay valid until the next insert or remove.
void flow4_lookup_burst(const struct flow_table *table, const struct flow4_key *keys, unsigned n,
	struct flow4_entry **out);
void flow6_lookup_burst(const struct flow_table *table, const struct flow6_key *keys, unsigned n,
	struct flow6_entry **out);

// The same in two steps, for a caller that reads an entry later than it asks for it. First where
// each key is in nearly all cases, if it is anywhere; never NULL, and prefetched, not read:
void flow4_guess_burst(const struct flow_table *table, const struct flow4_key *keys, unsigned n,
	struct flow4_entry **out);
// Wherever it is; NULL on a miss.
struct flow4_entry *flow4_find(const struct flow_table *table, const struct flow4_key *key);
struct flow6_entry *flow6_find(const struct flow_table *table, const struct flow6_key *key);

static inline bool flow4_key_equal(const struct flow4_key *a, const struct flow4_key *b)
{
	const uint8_t *x = (const uint8_t *)a;
	const uint8_t *y = (const uint8_t *)b;

	return ((load_u64(x) ^ load_u64(y)) | (load_u64(x + 8) ^ load_u64(y + 8))) == 0;
}

// Then whether the guess was right, and what is right otherwise.
static inline struct flow4_entry *flow4_confirm(
	const struct flow_table *table, const struct flow4_key *key, struct flow4_entry *guess)
{
	return flow4_key_equal(&guess->key, key) ? guess : flow4_find(table, key);
}

#endif
