#include "flows.h"

#include "stun/stun.h"

#include <assert.h>
#include <string.h>

#define SERVICE_PORT 3478
#define CHANNEL_BYTES 4
#define STUN_BYTES 20
#define SEND_BYTES (STUN_BYTES + 12 + 4) // with the peer's address and the header of the data
static_assert(FLOWS_HEADER_BYTES + SEND_BYTES == FLOWS_HEADERS_BYTES_MAX, "the longest");
#define OTHER_PEER_PORT 6001
#define RELAY_PORT_MIN 1024
#define RELAY_PORTS (65536 - RELAY_PORT_MIN)
#define PEERS 200

static_assert(FLOWS_ALLOCATIONS_MAX <= FLOWS_RELAYS_MAX * RELAY_PORTS, "enough relayed ports");

const uint8_t flows_mac[6] = {0x02, 0, 0, 0, 0, 1};

const char *const flows_kind_names[FRAME_KINDS] = {
	[FRAME_BOTH] = "both",
	[FRAME_UP] = "up",
	[FRAME_DOWN] = "down",
	[FRAME_SEND] = "send",
	[FRAME_DATA] = "data",
	[FRAME_BINDING] = "binding",
	[FRAME_EXPIRED] = "expired",
	[FRAME_NOT_STUN] = "not-stun",
	[FRAME_OTHER_MAC] = "other-mac",
	[FRAME_NONE] = "none",
};

enum frame_kind flows_kind_find(const char *name)
{
	int kind = 0;

	while (kind < FRAME_KINDS && strcmp(flows_kind_names[kind], name) != 0)
		kind++;
	return (enum frame_kind)kind;
}

static struct endpoint at(uint32_t host, uint16_t port)
{
	return (struct endpoint){ip_from_u32_raw(__builtin_bswap32(host)), port};
}

struct endpoint flows_service(void)
{
	return at(0xc6120002, SERVICE_PORT);
}

// Four clients behind each address.
struct endpoint flows_client(uint32_t idx)
{
	return at(0x0a000000 + idx / 4, (uint16_t)(10000 + idx % 4));
}

static struct endpoint relayed_of(uint32_t idx)
{
	return at(0xc6130000 + idx / RELAY_PORTS, (uint16_t)(RELAY_PORT_MIN + idx % RELAY_PORTS));
}

struct endpoint flows_peer(uint32_t idx)
{
	return at(0xcb007100 + idx % PEERS, 6000);
}

size_t flows_relays(struct relay_range out[static FLOWS_RELAYS_MAX], uint32_t n_allocations)
{
	size_t n = 0;

	for (uint32_t idx = 0; idx < n_allocations; idx += RELAY_PORTS)
		out[n++] = (struct relay_range){relayed_of(idx).ip, RELAY_PORT_MIN, 65535};
	return n;
}

void flows_make(struct flow_spec out[static FLOWS_PER_ALLOCATION], uint32_t idx)
{
	const struct flow_spec up = {
		.kind = FLOW_UP,
		.local = flows_service(),
		.remote = flows_client(idx),
		.channel = FLOWS_CHANNEL,
		.source = relayed_of(idx),
		.target = flows_peer(idx),
		.hop_idx = FLOWS_HOP_IDX,
		.allocation_idx = idx,
	};
	struct flow_spec owner = up;
	struct flow_spec down = up;

	owner.kind = FLOW_OWNER;
	owner.channel = 0;
	owner.target = (struct endpoint){.ip.family = FAMILY_IPV4};
	down.kind = FLOW_DOWN;
	down.local = up.source;
	down.remote = up.target;
	down.source = up.local;
	down.target = up.remote;
	out[0] = owner;
	out[1] = down;
	out[1].kind = FLOW_PERMISSION;
	out[1].remote.port = 0;
	out[1].channel = 0;
	out[1].peer_hop_idx = FLOWS_HOP_IDX;
	out[2] = up;
	out[3] = down;
}

void flows_write_headers(uint8_t *frame, const struct endpoint *from, const struct endpoint *to,
	uint16_t payload_bytes)
{
	memset(frame, 0, FLOWS_HEADER_BYTES);
	memcpy(frame, flows_mac, sizeof(flows_mac));
	store_be16(frame + 12, 0x0800);
	frame[14] = 0x45;
	store_be16(frame + 16, (uint16_t)(20 + 8 + payload_bytes));
	frame[22] = 64;
	frame[23] = 17;
	memcpy(frame + 26, from->ip.bytes, 4);
	memcpy(frame + 30, to->ip.bytes, 4);
	store_be16(frame + 34, from->port);
	store_be16(frame + 36, to->port);
	store_be16(frame + 38, (uint16_t)(8 + payload_bytes));
	store_be16(frame + 40, 0x1234);
}

static void write_stun(uint8_t *out, uint16_t type, uint16_t n_bytes)
{
	memset(out, 0, STUN_BYTES);
	store_be16(out, type);
	store_be16(out + 2, n_bytes);
	store_be32(out + 4, STUN_MAGIC_COOKIE);
}

static void write_send(uint8_t *out, const struct endpoint *peer)
{
	write_stun(out, STUN_SEND | 0x0010, SEND_BYTES - STUN_BYTES + FLOWS_DATA_BYTES);
	store_be16(out + 20, STUN_ATTR_XOR_PEER_ADDRESS);
	store_be16(out + 22, 8);
	store_be16(out + 24, FAMILY_IPV4);
	store_be16(out + 26, peer->port ^ (STUN_MAGIC_COOKIE >> 16));
	store_u32(out + 28, ip_to_u32_raw(&peer->ip) ^ __builtin_bswap32(STUN_MAGIC_COOKIE));
	store_be16(out + 32, STUN_ATTR_DATA);
	store_be16(out + 34, FLOWS_DATA_BYTES);
}

// Returns the bytes of the UDP payload.
static uint16_t write_up_payload(uint8_t *out, enum frame_kind kind, const struct endpoint *peer)
{
	switch (kind) {
	case FRAME_SEND:
		write_send(out, peer);
		return SEND_BYTES + FLOWS_DATA_BYTES;
	case FRAME_BINDING:
		write_stun(out, STUN_BINDING, 0);
		return STUN_BYTES;
	default:
		store_be16(out, kind == FRAME_NOT_STUN ? 0xffff : FLOWS_CHANNEL);
		store_be16(out + 2, FLOWS_DATA_BYTES);
		return CHANNEL_BYTES + FLOWS_DATA_BYTES;
	}
}

uint16_t flows_write_frame(
	uint8_t *frame, enum frame_kind kind, struct random *random, uint32_t n_allocations)
{
	const uint32_t idx = random_below(random, n_allocations);
	const bool coin = random_next(random) >> 63;
	const bool mixed = kind == FRAME_BOTH || kind == FRAME_EXPIRED;
	const bool down = kind == FRAME_DOWN || kind == FRAME_DATA || (mixed && coin);
	const struct endpoint client = flows_client(idx);
	const struct endpoint relayed = relayed_of(idx);
	const struct endpoint service = flows_service();
	struct endpoint peer = flows_peer(idx);
	uint16_t payload_bytes = FLOWS_DATA_BYTES;

	if (kind == FRAME_DATA)
		peer.port = OTHER_PEER_PORT;
	if (!down)
		payload_bytes = write_up_payload(frame + FLOWS_HEADER_BYTES, kind, &peer);
	flows_write_headers(
		frame, down ? &peer : &client, down ? &relayed : &service, payload_bytes);
	if (kind == FRAME_EXPIRED)
		frame[22] = 1;
	if (kind == FRAME_OTHER_MAC)
		frame[5] ^= 2;
	return (uint16_t)(FLOWS_HEADER_BYTES + payload_bytes);
}
