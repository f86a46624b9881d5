// What a worker keeps of what it drops: between whom, on which way, and about what.
#include "rows.h"

#include <criterion/criterion.h>
#include <rte_ring.h>

#define STRANGER "198.18.0.99:5000"

static struct rig rig;
static uint64_t now_ms;

static void open_rig(void)
{
	static const struct rig_options options = {
		.virtual_ms = &now_ms, .with_reassembly = true, .answers = {.ratio_percent = 100}};

	now_ms = 1000000;
	rig_open(&rig, &options);
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	rig_allocation(&rig, CLIENT6, RELAYED6, PEER6, CHANNEL);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(worker_trace, .init = open_rig, .fini = close_rig);

static struct trace_run expect_run(enum drop reason, const char *from, const char *to)
{
	struct trace_run run;

	cr_assert(rig_traced(&rig, reason, from, to, &run), "%s from %s to %s: not traced",
		drop_name(reason), from, to);
	cr_expect_eq(run.last_ticks, now_ms);
	cr_expect_eq(run.key.port_idx, 0);
	return run;
}

static void expect_about(const struct trace_run *run, const char *about)
{
	const struct endpoint endpoint = trace_key_about(&run->key);
	char text[ADDR_TEXT_BYTES] = "";

	if (run->key.about_family)
		endpoint_format(&endpoint, text);
	cr_expect_str_eq(text, about);
}

static void receive_frame(const struct frame *frame)
{
	rig_receive(&rig, frame);
	worker_poll(rig.worker);
}

static void receive(const char *from, const char *to, const void *payload, size_t n)
{
	const struct datagram datagram = {from, to, payload, n};
	const struct frame frame = frame_udp(&datagram);

	receive_frame(&frame);
}

#define RECEIVE(from, to, payload) receive(from, to, payload, sizeof(payload) - 1)

Test(worker_trace, a_send_indication_says_for_which_peer)
{
	struct trace_run run;

	RECEIVE(CLIENT, SERVICE,
		SEND("\x00\x12\x00\x08\x00\x01\x36\x62\xe7\x00\xa4\x57" DATA_5, "\x00\x18"));
	run = expect_run(DROP_NO_PERMISSION, CLIENT, SERVICE);
	expect_about(&run, "198.18.0.21:6000");
	cr_expect_eq(run.n, 1);
	RECEIVE(CLIENT6, SERVICE6,
		SEND("\x00\x12\x00\x14\x00\x02\x36\x62"
		     "\x01\x13\xa9\xfa\x30\x33\x32\x33\x34\x35\x36\x37\x38\x39\x61\x43" DATA_5,
			"\x00\x24"));
	run = expect_run(DROP_NO_PERMISSION, CLIENT6, SERVICE6);
	expect_about(&run, "[2001:db8:2::21]:6000");
	RECEIVE(STRANGER, SERVICE, SEND_HELLO);
	run = expect_run(DROP_NO_ALLOCATION, STRANGER, SERVICE);
	expect_about(&run, PEER);
	// What cannot be read is about nobody.
	RECEIVE(STRANGER, SERVICE, SEND(DATA_5, "\x00\x0c"));
	run = expect_run(DROP_BAD_SEND, STRANGER, SERVICE);
	expect_about(&run, "");
}

Test(worker_trace, channel_data_says_on_which_channel)
{
	struct trace_run run;

	RECEIVE(CLIENT, SERVICE, "\x40\x02\x00\x05hello");
	run = expect_run(DROP_NO_CHANNEL, CLIENT, SERVICE);
	cr_expect_eq(run.key.channel_be, __builtin_bswap16(0x4002));
}

Test(worker_trace, a_peer_without_permission_is_seen_at_the_relayed_address)
{
	struct trace_run run;

	RECEIVE("198.18.0.66:6000", RELAYED, "hello");
	run = expect_run(DROP_NO_PERMISSION, "198.18.0.66:6000", RELAYED);
	expect_about(&run, "");
	cr_expect_not(run.key.out);
	now_ms += 20;
	RECEIVE("198.18.0.66:6000", RELAYED, "hello");
	cr_expect_eq(expect_run(DROP_NO_PERMISSION, "198.18.0.66:6000", RELAYED).n, 2);
}

// Of whatever is wrong with a frame, its addresses are told if they are there.
Test(worker_trace, broken_frames_tell_what_they_have)
{
	static const struct datagram hello = {CLIENT, SERVICE, .payload = HELLO, .n = 9};
	static const struct datagram hello6 = {CLIENT6, SERVICE6, .payload = HELLO, .n = 9};
	struct frame frame = frame_udp(&hello);

	store_be16(frame.bytes + 38, 7);
	receive_frame(&frame);
	expect_run(DROP_MALFORMED, CLIENT, SERVICE);
	frame = frame_udp(&hello);
	frame.n -= 2;
	receive_frame(&frame);
	expect_run(DROP_TRUNCATED, CLIENT, SERVICE);
	frame = frame_udp(&hello6);
	frame.n = 14 + 40 + 3; // half of the ports
	receive_frame(&frame);
	expect_run(DROP_TRUNCATED, "[2001:db8:1::10]:0", "[2001:db8::2]:0");
	frame.n = 14 + 39;
	receive_frame(&frame);
	expect_run(DROP_TRUNCATED, "", "");
	frame = frame_udp(&hello);
	frame.bytes[5] ^= 1;
	receive_frame(&frame);
	expect_run(DROP_NOT_OUR_MAC, CLIENT, SERVICE);
	frame = frame_udp(&(struct datagram){CLIENT, SERVICE, HELLO, 9, .vlan = 7});
	receive_frame(&frame);
	expect_run(DROP_WRONG_VLAN, CLIENT, SERVICE);
	// Behind the first fragment there are no ports, whatever the bytes.
	frame = frame_udp(&hello);
	store_be16(frame.bytes + 20, 0x1fff);
	receive_frame(&frame);
	expect_run(DROP_FRAGMENT, "198.18.0.10:0", "198.18.0.2:0");
}

Test(worker_trace, what_comes_by_options_has_its_ports)
{
	const struct datagram stranger = {STRANGER, SERVICE, HELLO, 9, .n_options = 8};
	const struct frame frame = frame_udp(&stranger);

	receive_frame(&frame);
	expect_run(DROP_NO_CHANNEL, STRANGER, SERVICE);
}

Test(worker_trace, an_answer_that_is_too_large_names_who_asked)
{
	RECEIVE(STRANGER, SERVICE, "\x00\x01\x00\x00" STUN_COOKIE TRANSACTION);
	expect_run(DROP_ANSWER_RATIO, STRANGER, SERVICE);
}

// Nobody reads the rings of the control core.
Test(worker_trace, what_finds_a_ring_full_is_as_it_came)
{
	struct msg msg;

	while (rig_stats(&rig)->n_drops[DROP_PUNT_SHED] == 0)
		RECEIVE(STRANGER, SERVICE, "\x00\x03\x00\x00" STUN_COOKIE TRANSACTION);
	cr_expect_not(expect_run(DROP_PUNT_SHED, STRANGER, SERVICE).key.out);
	while (rig_stats(&rig)->n_drops[DROP_MIRROR_FULL] == 0)
		RECEIVE(STRANGER, "198.18.0.2:22", "hello");
	cr_expect_not(expect_run(DROP_MIRROR_FULL, STRANGER, "198.18.0.2:22").key.out);
	while (rig_control(&rig, &rig.workers[0].punts, &msg))
		rte_pktmbuf_free(msg.mbuf);
	while (rig_control(&rig, &rig.workers[0].others, &msg))
		rte_pktmbuf_free(msg.mbuf);
}

Test(worker_trace, what_was_on_its_way_out_has_its_new_addresses)
{
	struct rte_ring *wire = rig.port.memory_tx[0];
	struct rte_mbuf *stopper = rte_pktmbuf_alloc(rig.pool);
	struct frame out;
	struct msg msg;
	void *taken;

	rig_hop(&rig, 1, FLOW_HOP_KERNEL);
	while (rig_stats(&rig)->n_drops[DROP_KERNEL_FULL] == 0)
		RECEIVE(CLIENT, SERVICE, HELLO);
	cr_expect(expect_run(DROP_KERNEL_FULL, RELAYED, PEER).key.out);
	while (rig_control(&rig, &rig.workers[0].others, &msg))
		rte_pktmbuf_free(msg.mbuf);
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	while (rte_ring_enqueue(wire, stopper) == 0)
		;
	while (rig_stats(&rig)->n_drops[DROP_TX_FULL] == 0)
		RECEIVE(PEER, RELAYED, "hello");
	cr_expect(expect_run(DROP_TX_FULL, SERVICE, CLIENT).key.out);
	while (rte_ring_dequeue(wire, &taken) == 0)
		;
	worker_poll(rig.worker);
	while (rig_sent(&rig, &out))
		worker_poll(rig.worker);
	rte_pktmbuf_free(stopper);
}

Test(worker_trace, what_came_around_is_from_the_relayed_address)
{
	const struct flow_spec spec = {
		.kind = FLOW_UP,
		.local = rig_endpoint(SERVICE),
		.remote = rig_endpoint(CLIENT),
		.channel = 0x4005,
		.source = rig_endpoint(RELAYED),
		.target = rig_endpoint(RELAYED_B),
		.hop_idx = 5,
	};
	const struct datagram datagram = {CLIENT, SERVICE, "\x40\x05\x00\x05hello", 9};
	const struct frame frame = frame_udp(&datagram);

	rig_hop(&rig, 5, FLOW_HOP_LOOP);
	rig_flow(&rig, &spec);
	receive_frame(&frame);
	cr_expect_eq(rig_stats(&rig)->n_looped_in, 1);
	expect_run(DROP_NO_PERMISSION, RELAYED, RELAYED_B);
}
