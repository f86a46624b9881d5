// Reading a Send indication in one pass (RFC 8656 §11.2): anything wrong with it is silently
// discarded.
#include "state.h"
#include "stun/stun.h"

#define FIRST_OPTIONAL 0x8000 // attribute types from here on may be unknown (RFC 8489 §14)
#define IPV4_PEER_BYTES 8 // of XOR-PEER-ADDRESS
#define IPV6_PEER_BYTES 20

// What a message says; `value` is NULL where an attribute is missing.
struct found {
	struct stun_attr peer;
	struct stun_attr data;
	bool dont_fragment;
	bool unknown;
	bool sealed; // what follows an integrity attribute is ignored (RFC 8489 §14.5, §14.6)
	bool ended; // by FINGERPRINT (RFC 8489 §14.7)
};

// RFC 8489 §14: of attributes of one type the first counts.
static inline void keep_first(struct stun_attr *kept, const struct stun_attr *attr)
{
	if (!kept->value)
		*kept = *attr;
}

static inline void note(struct found *found, const struct stun_attr *attr)
{
	if (attr->type == STUN_ATTR_FINGERPRINT) {
		found->ended = true;
	} else if (found->sealed) {
		return;
	} else if (attr->type == STUN_ATTR_XOR_PEER_ADDRESS) {
		keep_first(&found->peer, attr);
	} else if (attr->type == STUN_ATTR_DATA) {
		keep_first(&found->data, attr);
	} else if (attr->type == STUN_ATTR_DONT_FRAGMENT) {
		found->dont_fragment = true;
	} else if (attr->type == STUN_ATTR_MESSAGE_INTEGRITY ||
		attr->type == STUN_ATTR_MESSAGE_INTEGRITY_SHA256) {
		found->sealed = true;
	} else if (attr->type < FIRST_OPTIONAL) {
		found->unknown = true;
	}
}

static inline bool walk(struct found *found, const uint8_t *buf, size_t n_bytes)
{
	size_t offset = STUN_HEADER_BYTES;
	struct stun_attr attr;

	if (!stun_is_whole(buf, n_bytes))
		return false;
	while (offset < n_bytes) {
		if (found->ended || !stun_step(&attr, buf, n_bytes, &offset))
			return false;
		note(found, &attr);
	}
	return true;
}

// The mask is the cookie and, for IPv6, the transaction id behind it (RFC 8489 §14.2). False where
// it is no address.
static inline bool read_peer(
	struct send_request *send, const struct stun_attr *peer, const uint8_t *message)
{
	const uint8_t *value = peer->value;
	const size_t n_bytes = peer->n_bytes;

	if (!value || (n_bytes != IPV4_PEER_BYTES && n_bytes != IPV6_PEER_BYTES) ||
		value[1] != (n_bytes == IPV4_PEER_BYTES ? FAMILY_IPV4 : FAMILY_IPV6))
		return false;
	send->peer_family = value[1];
	send->peer_port_be = load_u16(value + 2) ^ __builtin_bswap16(STUN_MAGIC_COOKIE >> 16);
	store_u32(send->peer_ip, load_u32(value + 4) ^ load_u32(message + 4));
	for (size_t at = 4; n_bytes == IPV6_PEER_BYTES && at < IPV6_BYTES; at += 4)
		store_u32(
			send->peer_ip + at, load_u32(value + 4 + at) ^ load_u32(message + 4 + at));
	return true;
}

void send_request_read(struct burst_item *item)
{
	const struct pkt *p = &item->pkt;
	struct found found = {0};

	if (!walk(&found, p->payload, p->payload_bytes))
		return item_drop(item, DROP_BAD_STUN);
	if (!read_peer(&item->send, &found.peer, p->payload) || !found.data.value || found.unknown)
		return item_drop(item, DROP_BAD_SEND);
	item->send.data = p->payload + (found.data.value - p->payload);
	item->send.data_bytes = found.data.n_bytes;
	item->send.dont_fragment = found.dont_fragment;
	item->lane = LANE_UP_SEND;
}
