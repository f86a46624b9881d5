// Any bytes as a frame: the view stays inside, and all that rewrites a frame stays inside its
// buffer.
#include "pkt/pkt.h"

#include <stdlib.h>

#define FRAME_MAX 2048
#define TAILROOM 64

static void expect(bool truth)
{
	if (!truth)
		abort();
}

static void expect_inside(const struct pkt *p, const uint8_t *frame, size_t n)
{
	expect(p->l3 == frame + p->l2_bytes);
	expect(p->l3_bytes >= pkt_ip_bytes(p->family));
	expect(p->l4 == p->l3 + p->l3_bytes);
	expect(p->payload == p->l4 + PKT_UDP_BYTES);
	expect(p->payload + p->payload_bytes <= frame + n);
}

static void relay(struct pkt *p, uint8_t family)
{
	static const uint8_t header[PKT_L2_BYTES_MAX];
	static const uint8_t ip[IPV6_BYTES] = {1};
	const struct pkt_origin origin = pkt_origin_load(p);
	const uint16_t n_before = PKT_CHANNEL_BYTES;
	const struct pkt_rewrite rewrite = {
		.source_ip = ip,
		.target_ip = ip,
		.family = family,
		.payload = p->payload - n_before,
		.payload_bytes = (uint16_t)(p->payload_bytes + n_before),
		.l2 = header,
		.l2_bytes = sizeof(header),
		.udp_delta = csum_sum(p->payload, p->payload_bytes),
	};

	if (p->family == FAMILY_IPV4 && family == FAMILY_IPV4)
		pkt_relay(p, &origin, &rewrite);
	else
		pkt_relay_ipv6(p, &origin, &rewrite);
}

// What becomes of it lies inside its buffer.
static void answer(struct pkt *p, size_t n)
{
	static const uint8_t mac[6] = {0x02, 0, 0, 0, 0, 0x01};
	struct pkt_question question;
	struct pkt_answer told;

	if (pkt_answer_parse(&told, p, n))
		expect(told.mac + sizeof(mac) <= p->frame + n &&
			told.ip + family_bytes(told.family) <= p->frame + n);
	if (!pkt_question_parse(&question, p, n))
		return;
	pkt_question_answer(p, &question, mac);
	expect(pkt_frame_bytes(p) <= PKT_NEIGHBOUR_BYTES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint16_t vlan = n > 0 && (data[0] & 1) ? 100 : 0;
	uint8_t *buffer;
	uint8_t *frame;
	struct pkt p;

	if (n > FRAME_MAX)
		return 0;
	buffer = malloc(PKT_HEADROOM_BYTES + n + TAILROOM);
	expect(buffer != NULL);
	frame = buffer + PKT_HEADROOM_BYTES;
	memcpy(frame, data, n);
	switch (pkt_parse(&p, frame, n, vlan)) {
	case PKT_UDP:
		expect_inside(&p, frame, n);
		if (pkt_checksum_unfinished(&p))
			pkt_checksum_finish(&p);
		if (pkt_ttl(&p) > 1)
			relay(&p, data[n - 1] & 1 ? FAMILY_IPV4 : FAMILY_IPV6);
		pkt_reply(&p, p.payload_bytes, 1);
		break;
	case PKT_FOREIGN:
	case PKT_FRAGMENT:
		pkt_foreign_checksum_finish(&p, n);
		answer(&p, n);
		break;
	default:
		break;
	}
	free(buffer);
	return 0;
}
