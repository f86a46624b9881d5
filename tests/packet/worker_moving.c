// A client on its way to another 5-tuple (RFC 8016): what it sends from there is relayed, and the
// control core is told.
#include "rows.h"

#include <criterion/criterion.h>

#define ALLOCATION 7u

static struct rig rig;

static void install(enum flow_kind owner, enum flow_kind up)
{
	struct flow_spec spec = {
		.kind = owner,
		.local = rig_endpoint(SERVICE),
		.remote = rig_endpoint(CLIENT),
		.source = rig_endpoint(RELAYED),
		.target.ip.family = FAMILY_IPV4,
		.allocation_idx = ALLOCATION,
	};

	rig_flow(&rig, &spec);
	spec.kind = up;
	spec.channel = CHANNEL;
	spec.target = rig_endpoint(PEER);
	spec.hop_idx = 1;
	rig_flow(&rig, &spec);
}

static void open_rig(void)
{
	rig_open(&rig, &(struct rig_options){0});
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	install(FLOW_OWNER_MOVING, FLOW_UP_MOVING);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(moving, .init = open_rig, .fini = close_rig);

static void relay(const void *payload, size_t n)
{
	const struct datagram in = {CLIENT, SERVICE, .payload = payload, .n = n};
	struct passed out;

	rig_pass(&rig, &in, &out);
	cr_expect_str_eq(out.from, RELAYED);
	cr_expect_str_eq(out.to, PEER);
	cr_assert_eq(out.datagram.n, 5);
	cr_expect_arr_eq(out.datagram.payload, "hello", 5);
}

static bool is_told(void)
{
	struct msg msg;

	if (!rig_control(&rig, &rig.workers[0].punts, &msg))
		return false;
	cr_assert_eq(msg.kind, MSG_MOVED);
	cr_assert_eq(msg.allocation_idx, ALLOCATION);
	return true;
}

Test(moving, each_packet_is_relayed_and_told_until_the_entry_is_an_ordinary_one)
{
	for (int i = 0; i < 2; i++) {
		relay(HELLO, sizeof(HELLO) - 1);
		cr_expect(is_told());
		relay(SEND_HELLO, sizeof(SEND_HELLO) - 1);
		cr_expect(is_told());
	}
	install(FLOW_OWNER, FLOW_UP);
	relay(HELLO, sizeof(HELLO) - 1);
	relay(SEND_HELLO, sizeof(SEND_HELLO) - 1);
	cr_expect_not(is_told());
}

Test(moving, a_burst_is_told_of_once)
{
	const struct datagram in = {CLIENT, SERVICE, .payload = HELLO, .n = sizeof(HELLO) - 1};
	const struct frame frame = frame_udp(&in);
	struct frame out;

	for (int i = 0; i < 20; i++)
		rig_receive(&rig, &frame);
	worker_poll(rig.worker);
	for (int i = 0; i < 20; i++)
		cr_expect(rig_sent(&rig, &out));
	cr_expect(is_told());
	cr_expect_not(is_told());
}

Test(moving, a_full_ring_stops_no_media)
{
	for (int i = 0; i < 200; i++)
		relay(HELLO, sizeof(HELLO) - 1);
	cr_expect_eq(rig_stats(&rig)->n_relayed[RELAY_UP_CHANNEL], 200);
	while (is_told())
		;
	relay(HELLO, sizeof(HELLO) - 1);
	cr_expect(is_told(), "the next packet says it again");
}

Test(moving, what_is_dropped_tells_nothing)
{
	const struct datagram in = {
		CLIENT, SERVICE, .payload = HELLO, .n = sizeof(HELLO) - 1, .ttl = 1};
	const struct frame frame = frame_udp(&in);

	rig_receive(&rig, &frame);
	worker_poll(rig.worker);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_TTL_EXPIRED], 1);
	cr_expect_not(is_told());
}
