// Reading a Send indication (RFC 8656 §11.2): anything wrong with it is silently discarded.
#include "state.h"
#include "stun/stun.h"

static const uint16_t known[] = {
	STUN_ATTR_XOR_PEER_ADDRESS,
	STUN_ATTR_DATA,
	STUN_ATTR_DONT_FRAGMENT,
};

void send_request_read(struct burst_item *item)
{
	const struct pkt *p = &item->pkt;
	uint16_t unknown[STUN_UNKNOWN_MAX];
	const struct stun_attr *data;
	const struct stun_attr *peer;
	struct stun_view view;
	struct endpoint address;

	if (stun_parse(&view, p->payload, p->payload_bytes))
		return item_drop(item, DROP_BAD_STUN);
	peer = stun_find(&view, STUN_ATTR_XOR_PEER_ADDRESS);
	data = stun_find(&view, STUN_ATTR_DATA);
	if (!peer || !data || stun_unknown(&view, known, N_ELEMENTS(known), unknown) ||
		stun_get_xor_address(peer, view.transaction_id, &address) ||
		address.ip.family != FAMILY_IPV4)
		return item_drop(item, DROP_BAD_SEND);
	item->send = (struct send_request){
		.peer_ip = ip_to_u32_raw(&address.ip),
		.peer_port_be = __builtin_bswap16(address.port),
		.data_bytes = data->n_bytes,
		.dont_fragment = stun_find(&view, STUN_ATTR_DONT_FRAGMENT) != NULL,
		.data = p->payload + (data->value - p->payload),
	};
}
