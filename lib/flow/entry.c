// From a spec to a ready entry: network byte order and checksum differences.
#include "flow.h"

static uint32_t raw_ip(const struct endpoint *endpoint)
{
	return ip_to_u32_raw(&endpoint->ip);
}

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

static uint64_t words(uint32_t ip)
{
	return (ip & 0xffff) + (ip >> 16);
}

static uint64_t minus(uint64_t folded_word)
{
	return (uint16_t)~folded_word;
}

struct flow4_key flow4_key_make(const struct flow_spec *spec)
{
	return (struct flow4_key){
		.remote_ip = raw_ip(&spec->remote),
		.local_ip = raw_ip(&spec->local),
		.remote_port_be = raw_port(&spec->remote),
		.local_port_be = raw_port(&spec->local),
		.channel_be = spec->kind == FLOW_UP ? __builtin_bswap16(spec->channel) : 0,
	};
}

struct flow4_entry flow4_entry_make(const struct flow_spec *spec)
{
	struct flow4_entry entry = {
		.key = flow4_key_make(spec),
		.source_ip = raw_ip(&spec->source),
		.target_ip = raw_ip(&spec->target),
		.source_port_be = raw_port(&spec->source),
		.target_port_be = raw_port(&spec->target),
		.channel_be = spec->kind == FLOW_DOWN ? __builtin_bswap16(spec->channel) : 0,
		.hop_idx = spec->hop_idx,
		.peer_hop_idx = spec->peer_hop_idx,
		.kind = (uint8_t)spec->kind,
		.allocation_idx = spec->allocation_idx,
	};
	const uint64_t ip_sum = words(entry.source_ip) + words(entry.target_ip) +
		minus(fold(words(entry.key.remote_ip) + words(entry.key.local_ip)));

	entry.ip_delta = fold(ip_sum);
	entry.udp_delta = fold(ip_sum + entry.source_port_be + entry.target_port_be +
		entry.channel_be + minus(entry.key.remote_port_be) +
		minus(entry.key.local_port_be) + minus(entry.key.channel_be));
	return entry;
}
