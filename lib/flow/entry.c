// From a spec to a ready entry: network byte order and checksum differences.
#include "flow.h"

static uint16_t raw_port(const struct endpoint *endpoint)
{
	return __builtin_bswap16(endpoint->port);
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

// What an address adds to a checksum; nothing where there is none.
static uint64_t words(const struct endpoint *endpoint)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < IPV6_BYTES; i += 2)
		sum += load_u16(endpoint->ip.bytes + i);
	return sum;
}

static uint64_t minus(uint64_t sum)
{
	return (uint16_t)~fold(sum);
}

static bool is_up(enum flow_kind kind)
{
	return kind == FLOW_UP || kind == FLOW_UP_MOVING || kind == FLOW_UP_OBSERVED;
}

static bool is_owner(enum flow_kind kind)
{
	return kind == FLOW_OWNER || kind == FLOW_OWNER_MOVING;
}

static bool is_down(enum flow_kind kind)
{
	return kind == FLOW_DOWN || kind == FLOW_DOWN_OBSERVED;
}

static struct flow_rewrite rewrite_make(const struct flow_spec *spec)
{
	struct flow_rewrite to = {
		.source_port_be = raw_port(&spec->source),
		.target_port_be = raw_port(&spec->target),
		.channel_be = is_down(spec->kind) ? __builtin_bswap16(spec->channel) : 0,
		.hop_idx = spec->hop_idx,
		.peer_hop_idx = spec->peer_hop_idx,
		.kind = (uint8_t)spec->kind,
		.family = spec->source.ip.family,
		.allocation_idx = spec->allocation_idx,
		.user_idx = spec->user_idx,
	};
	const uint16_t old_channel_be = is_up(spec->kind) ? __builtin_bswap16(spec->channel) : 0;
	const uint64_t ip_sum = words(&spec->source) + words(&spec->target) +
		minus(words(&spec->remote) + words(&spec->local));

	to.ip_delta = fold(ip_sum);
	to.udp_delta = fold(ip_sum + to.source_port_be + to.target_port_be + to.channel_be +
		minus(raw_port(&spec->remote)) + minus(raw_port(&spec->local)) +
		minus(old_channel_be));
	return to;
}

struct flow4_key flow4_key_make(const struct flow_spec *spec)
{
	return (struct flow4_key){
		.remote_ip = ip_to_u32_raw(&spec->remote.ip),
		.local_ip = ip_to_u32_raw(&spec->local.ip),
		.remote_port_be = raw_port(&spec->remote),
		.local_port_be = raw_port(&spec->local),
		.channel_be = is_up(spec->kind) ? __builtin_bswap16(spec->channel) : 0,
	};
}

struct flow4_entry flow4_entry_make(const struct flow_spec *spec)
{
	return (struct flow4_entry){
		.key = flow4_key_make(spec),
		.source_ip = ip_to_u32_raw(&spec->source.ip),
		.target_ip = ip_to_u32_raw(&spec->target.ip),
		.to = rewrite_make(spec),
	};
}

struct flow6_key flow6_key_make(const struct flow_spec *spec)
{
	struct flow6_key key = {
		.remote_port_be = raw_port(&spec->remote),
		.local_port_be = raw_port(&spec->local),
		.channel_be = is_up(spec->kind) ? __builtin_bswap16(spec->channel) : 0,
		.relayed_family = is_owner(spec->kind) ? spec->source.ip.family : 0,
	};

	flow6_key_write_ip(key.remote_ip, spec->remote.ip.bytes, spec->remote.ip.family);
	flow6_key_write_ip(key.local_ip, spec->local.ip.bytes, spec->local.ip.family);
	return key;
}

struct flow6_entry flow6_entry_make(const struct flow_spec *spec)
{
	struct flow6_entry entry = {
		.key = flow6_key_make(spec),
		.to = rewrite_make(spec),
	};

	memcpy(entry.source_ip, spec->source.ip.bytes, IPV6_BYTES);
	memcpy(entry.target_ip, spec->target.ip.bytes, IPV6_BYTES);
	if (entry.to.family == FAMILY_IPV6)
		entry.flow_label_be = flow_label_make(entry.source_ip, entry.target_ip,
			entry.to.source_port_be, entry.to.target_port_be);
	return entry;
}

static struct flow_count count_of(const struct flow_rewrite *to)
{
	return (struct flow_count){
		.n_packets = to->n_packets,
		.n_bytes = to->n_bytes,
		.up = is_up((enum flow_kind)to->kind) || is_owner((enum flow_kind)to->kind),
	};
}

struct flow_count flow4_count(const struct flow4_entry *entry)
{
	const struct flow_rewrite *to = &entry->to;
	struct flow_count count = count_of(to);

	if (is_owner((enum flow_kind)to->kind))
		return count;
	count.peer.ip = ip_from_u32_raw(count.up ? entry->target_ip : entry->key.remote_ip);
	count.peer.port =
		__builtin_bswap16(count.up ? to->target_port_be : entry->key.remote_port_be);
	return count;
}

// The peer of an entry of an IPv4 relayed address has one too.
struct flow_count flow6_count(const struct flow6_entry *entry)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const struct flow_rewrite *to = &entry->to;
	struct flow_count count = count_of(to);
	const uint8_t *ip = entry->key.remote_ip;

	if (is_owner((enum flow_kind)to->kind))
		return count;
	count.peer.port =
		__builtin_bswap16(count.up ? to->target_port_be : entry->key.remote_port_be);
	if (count.up)
		count.peer.ip = ip_from_bytes((enum family)to->family, entry->target_ip);
	else if (memcmp(ip, mapped, sizeof(mapped)) == 0)
		count.peer.ip = ip_from_bytes(FAMILY_IPV4, ip + sizeof(mapped));
	else
		count.peer.ip = ip_from_bytes(FAMILY_IPV6, ip);
	return count;
}

#define FLOW_LABEL_MASK 0x000fffff

static uint64_t mix(uint64_t a, uint64_t b)
{
	const unsigned __int128 product =
		(unsigned __int128)(a ^ 0xa0761d6478bd642fULL) * (b ^ 0xe7037ed1a0b428dbULL);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint32_t flow_label_make(const uint8_t *source_ip, const uint8_t *target_ip,
	uint16_t source_port_be, uint16_t target_port_be)
{
	const uint64_t ports = (uint64_t)source_port_be << 16 | target_port_be;
	const uint64_t hash = mix(mix(load_u64(source_ip), load_u64(source_ip + 8)) ^ ports,
		mix(load_u64(target_ip), load_u64(target_ip + 8)));
	const uint32_t label = (uint32_t)(hash >> 44);

	return __builtin_bswap32(label ? label : FLOW_LABEL_MASK); // zero says that there is none
}
