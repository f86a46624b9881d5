// Frames that are not one tidy UDP datagram: lies in headers, fragments, other stations, other
// protocols; Binding answers; and what happens when something is full.
#include "rows.h"
#include "stun/stun.h"

#include <criterion/criterion.h>

static const struct datagram hello = {CLIENT, SERVICE, .payload = "\x40\x01\x00\x05hello", .n = 9};

static const struct datagram hello6 = {
	CLIENT6, SERVICE6, .payload = "\x40\x01\x00\x05hello", .n = 9};
static const struct datagram extended6 = {
	CLIENT6, SERVICE6, .payload = "\x40\x01\x00\x05hello", .n = 9, .n_options = 8};

static struct rig rig;

static void open_rig(void)
{
	rig_open(&rig, &(struct rig_options){0});
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	rig_allocation(&rig, CLIENT6, RELAYED6, PEER6, CHANNEL);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(frames, .init = open_rig, .fini = close_rig);

static void expect_drop(const struct frame *frame, enum drop drop, const char *what)
{
	const uint64_t before = rig_stats(&rig)->n_drops[drop];

	rig_receive(&rig, frame);
	worker_poll(rig.worker);
	cr_expect_eq(rig_stats(&rig)->n_drops[drop], before + 1, "%s: not dropped as %s", what,
		drop_name(drop));
}

Test(frames, every_truncation_is_dropped)
{
	static const struct datagram *const datagrams[] = {&hello, &hello6, &extended6};

	for (size_t i = 0; i < N_ELEMENTS(datagrams); i++) {
		const struct frame whole = frame_udp(datagrams[i]);

		for (size_t n = 0; n < whole.n; n++) {
			struct frame cut = whole;
			const uint64_t before = worker_stats_drops(rig_stats(&rig));

			cut.n = n;
			rig_receive(&rig, &cut);
			worker_poll(rig.worker);
			cr_expect_eq(worker_stats_drops(rig_stats(&rig)), before + 1,
				"%zu: %zu bytes", i, n);
		}
	}
}

Test(frames, lengths_that_lie)
{
	struct frame frame = frame_udp(&hello);

	frame.bytes[14] = 0x44;
	expect_drop(&frame, DROP_MALFORMED, "an IP header of 16 bytes");
	frame = frame_udp(&hello);
	frame.bytes[14] = 0x65;
	expect_drop(&frame, DROP_MALFORMED, "IP version 6 under the type of IPv4");
	frame = frame_udp(&hello);
	store_be16(frame.bytes + 16, 19);
	expect_drop(&frame, DROP_MALFORMED, "an IP length below its header");
	frame = frame_udp(&hello);
	store_be16(frame.bytes + 16, 27);
	expect_drop(&frame, DROP_MALFORMED, "no room for a UDP header");
	frame = frame_udp(&hello);
	store_be16(frame.bytes + 16, (uint16_t)(frame.n - 13));
	expect_drop(&frame, DROP_TRUNCATED, "an IP length beyond the frame");
	frame = frame_udp(&hello);
	store_be16(frame.bytes + 38, 7);
	expect_drop(&frame, DROP_MALFORMED, "a UDP length below its header");
	frame = frame_udp(&hello);
	store_be16(frame.bytes + 38, 18);
	expect_drop(&frame, DROP_MALFORMED, "a UDP length beyond the IP length");
}

// IPv6's header ends at byte 54; `extended6` has 8 bytes of destination options there.
Test(frames, lengths_of_ipv6_that_lie)
{
	struct frame frame = frame_udp(&hello6);

	frame.bytes[14] = 0x45;
	expect_drop(&frame, DROP_MALFORMED, "IP version 4 under the type of IPv6");
	frame = frame_udp(&hello6);
	store_be16(frame.bytes + 18, 7);
	expect_drop(&frame, DROP_MALFORMED, "no room for a UDP header");
	frame = frame_udp(&hello6);
	store_be16(frame.bytes + 18, 18);
	expect_drop(&frame, DROP_TRUNCATED, "a payload length beyond the frame");
	frame = frame_udp(&hello6);
	store_be16(frame.bytes + 58, 7);
	expect_drop(&frame, DROP_MALFORMED, "a UDP length below its header");
	frame = frame_udp(&hello6);
	store_be16(frame.bytes + 58, 18);
	expect_drop(&frame, DROP_MALFORMED, "a UDP length beyond the payload length");
	frame = frame_udp(&extended6);
	frame.bytes[55] = 200;
	expect_drop(&frame, DROP_MALFORMED, "options longer than the packet");
	frame = frame_udp(&extended6);
	frame.bytes[55] = 2;
	expect_drop(&frame, DROP_MALFORMED, "options that leave no room for UDP");
}

// RFC 8200 §4.4: a routing header with nothing left to visit is passed over. What is on its way
// through, or has no UDP behind, is for Linux to judge.
Test(frames, extension_headers_of_ipv6)
{
	struct frame frame = frame_udp(&extended6);
	struct frame out;

	frame.bytes[20] = 43;
	frame.bytes[57] = 0;
	rig_receive(&rig, &frame);
	worker_poll(rig.worker);
	cr_expect(rig_sent(&rig, &out), "a routing header without segments left");
	frame.bytes[57] = 1;
	rig_expect_mirrored(&rig, &frame, "a routing header with a segment left");
	frame = frame_udp(&extended6);
	frame.bytes[54] = 6;
	rig_expect_mirrored(&rig, &frame, "TCP behind options");
	frame.bytes[54] = 50;
	rig_expect_mirrored(&rig, &frame, "ESP behind options");
}

Test(frames, padding_of_short_frames_is_cut)
{
	struct frame frame = frame_udp(&hello);
	struct frame out;

	frame.n = 60;
	rig_receive(&rig, &frame);
	worker_poll(rig.worker);
	cr_assert(rig_sent(&rig, &out));
	cr_expect_eq(out.n, 14 + 20 + 8 + 5);
}

Test(frames, fragments_to_us_are_dropped_and_others_mirrored)
{
	const struct datagram foreign = {CLIENT, "198.18.0.9:53", .payload = "?", .n = 1};
	struct frame frame = frame_udp(&hello);

	store_be16(frame.bytes + 20, 0x2000);
	expect_drop(&frame, DROP_FRAGMENT, "a first fragment");
	store_be16(frame.bytes + 20, 0x0010);
	expect_drop(&frame, DROP_FRAGMENT, "a later fragment");
	frame = frame_udp(&foreign);
	store_be16(frame.bytes + 20, 0x2000);
	rig_expect_mirrored(&rig, &frame, "a fragment to another address");
}

// A fragment header in the place of the options: offset and more-fragments in bytes 56 and 57.
Test(frames, fragments_of_ipv6)
{
	struct frame frame = frame_udp(&extended6);
	struct frame out;

	frame.bytes[20] = 44;
	store_be16(frame.bytes + 56, 1);
	expect_drop(&frame, DROP_FRAGMENT, "a first fragment");
	store_be16(frame.bytes + 56, 8);
	expect_drop(&frame, DROP_FRAGMENT, "a last fragment");
	store_be16(frame.bytes + 56, 0);
	rig_receive(&rig, &frame);
	worker_poll(rig.worker);
	cr_expect(rig_sent(&rig, &out), "a fragment that is the whole (RFC 6946)");
	frame.bytes[54] = 6;
	store_be16(frame.bytes + 56, 1);
	rig_expect_mirrored(&rig, &frame, "a fragment of TCP");
}

Test(frames, other_stations_and_protocols)
{
	struct frame frame = frame_udp(&hello);

	frame.bytes[5] ^= 1;
	expect_drop(&frame, DROP_NOT_OUR_MAC, "unicast to another station");
	frame = frame_udp(&hello);
	memset(frame.bytes, 0xff, 6);
	rig_expect_mirrored(&rig, &frame, "a broadcast frame");
	frame = frame_udp(&hello);
	store_be16(frame.bytes + 12, 0x0806);
	rig_expect_mirrored(&rig, &frame, "ARP");
	frame = frame_udp(&hello6);
	frame.bytes[20] = 58;
	rig_expect_mirrored(&rig, &frame, "ICMPv6");
	frame = frame_udp(&hello);
	frame.bytes[23] = 6;
	rig_expect_mirrored(&rig, &frame, "TCP");
}

Test(frames, binding_is_answered_in_place)
{
	static const uint8_t request[] = "\x00\x01\x00\x00\x21\x12\xa4\x42"
					 "0123456789ab";
	// RFC 8489 §14.2: 5000 = 0x1388 ^ 0x2112; 198.18.0.10 ^ 21.12.a4.42.
	static const uint8_t answer[] = "\x01\x01\x00\x0c\x21\x12\xa4\x42"
					"0123456789ab"
					"\x00\x20\x00\x08\x00\x01\x32\x9a\xe7\x00\xa4\x48";
	const struct datagram in = {CLIENT, SERVICE, .payload = request, .n = sizeof(request) - 1};
	const struct frame frame = frame_udp(&in);
	struct frame out;
	struct datagram got;
	char from[64];
	char to[64];

	rig_receive(&rig, &frame);
	worker_poll(rig.worker);
	cr_assert(rig_sent(&rig, &out));
	cr_assert(frame_read(&out, &got, from, to));
	cr_expect_str_eq(from, SERVICE);
	cr_expect_str_eq(to, CLIENT);
	cr_expect_not(got.bad_checksum);
	cr_expect_not(got.no_checksum);
	cr_assert_eq(got.n, sizeof(answer) - 1);
	cr_expect_arr_eq(got.payload, answer, got.n);
	cr_expect_arr_eq(out.bytes, rig_gateway_mac, 6);
	cr_expect_eq(rig_stats(&rig)->n_bindings, 1);
}

Test(frames, binding_with_fingerprint_gets_one_and_a_wrong_one_no_answer)
{
	uint8_t request[64];
	struct stun_writer w;
	struct datagram in = {CLIENT, SERVICE, .payload = request};
	struct datagram got;
	struct stun_view view;
	struct frame frame;
	struct frame out;
	char from[64];
	char to[64];

	stun_writer_init(&w, request, sizeof(request), STUN_REQUEST, STUN_BINDING,
		(const uint8_t *)"0123456789ab");
	stun_put_fingerprint(&w);
	in.n = stun_writer_end(&w);
	frame = frame_udp(&in);
	rig_receive(&rig, &frame);
	worker_poll(rig.worker);
	cr_assert(rig_sent(&rig, &out));
	cr_assert(frame_read(&out, &got, from, to));
	cr_assert_eq(stun_parse(&view, got.payload, got.n), 0);
	cr_expect(stun_fingerprint_check(&view));
	request[in.n - 1] ^= 1;
	frame = frame_udp(&in);
	expect_drop(&frame, DROP_BAD_STUN, "a wrong FINGERPRINT");
}

Test(frames, full_punt_ring_drops_and_counts)
{
	static const uint8_t allocate[] = "\x00\x03\x00\x00\x21\x12\xa4\x42"
					  "0123456789ab";
	const struct datagram in = {
		CLIENT, SERVICE, .payload = allocate, .n = sizeof(allocate) - 1};
	const struct frame frame = frame_udp(&in);

	for (int i = 0; i < 200; i++) {
		rig_receive(&rig, &frame);
		worker_poll(rig.worker);
	}
	cr_expect_eq(rig_stats(&rig)->n_punted + rig_stats(&rig)->n_drops[DROP_PUNT_SHED], 200);
	cr_expect_gt(rig_stats(&rig)->n_drops[DROP_PUNT_SHED], 0);
}

// Media goes on while the control core is not there at all.
Test(frames, frozen_control_core_does_not_stop_media)
{
	const struct frame media = frame_udp(&hello);
	struct frame other = media;
	struct frame out;
	unsigned n_sent = 0;

	store_be16(other.bytes + 12, 0x0806);
	for (int i = 0; i < 300; i++) {
		rig_receive(&rig, &other);
		rig_receive(&rig, &media);
		worker_poll(rig.worker);
		n_sent += rig_sent(&rig, &out);
	}
	cr_expect_eq(n_sent, 300);
	cr_expect_gt(rig_stats(&rig)->n_drops[DROP_MIRROR_FULL], 0);
}

Test(frames, whole_bursts_keep_order)
{
	uint8_t data[9];
	struct datagram in = {CLIENT, SERVICE, .payload = data, .n = sizeof(data)};
	struct frame frame;
	struct frame out;
	struct datagram got;
	char from[64];
	char to[64];

	memcpy(data, "\x40\x01\x00\x05hello", sizeof(data));
	for (uint8_t i = 0; i < 100; i++) {
		data[4] = i;
		frame = frame_udp(&in);
		rig_receive(&rig, &frame);
	}
	for (int i = 0; i < 4; i++)
		worker_poll(rig.worker);
	for (uint8_t i = 0; i < 100; i++) {
		cr_assert(rig_sent(&rig, &out));
		cr_assert(frame_read(&out, &got, from, to));
		cr_assert_eq(*(const uint8_t *)got.payload, i);
		cr_assert_not(got.bad_checksum);
	}
}

Test(frames, control_sends_frames_of_its_own)
{
	const struct frame frame = frame_udp(&hello);
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(rig.pool);
	struct frame out;

	memcpy(rte_pktmbuf_append(mbuf, (uint16_t)frame.n), frame.bytes, frame.n);
	rig_send(&rig, (struct msg){.kind = MSG_SEND, .port_idx = 0, .mbuf = mbuf});
	worker_poll(rig.worker);
	cr_assert(rig_sent(&rig, &out));
	cr_expect_eq(out.n, frame.n);
	cr_expect_arr_eq(out.bytes, frame.bytes, frame.n);
}
