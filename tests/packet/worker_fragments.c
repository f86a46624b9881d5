// Fragments in and out (RFC 8656 §13, §14): what comes in pieces is relayed as a whole, what is too
// large for the way out leaves in pieces where it may; and what an attacker cannot do with them.
#include "rows.h"

#include <criterion/criterion.h>

#define MTU 1500
#define PIECES_MAX 8
#define N_BUFFERS (WORKER_REASSEMBLY_SLOTS + 31) // that pieces are put together in

static struct rig rig;
static uint64_t now_ms;
static uint8_t data[3000];

static void open_rig(void)
{
	now_ms = 1000;
	rig_open(&rig, &(struct rig_options){.virtual_ms = &now_ms, .with_reassembly = true});
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	rig_allocation(&rig, CLIENT_46, RELAYED_46, PEER6, CHANNEL);
	rig_allocation(&rig, CLIENT6, RELAYED6, PEER6, CHANNEL);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	store_be16(data, CHANNEL);
}

static void close_rig(void)
{
	rig_expect_balance(&rig);
	rig_close(&rig);
}

TestSuite(fragments, .init = open_rig, .fini = close_rig);

// ChannelData of `n` bytes in all.
static struct datagram channel_data(const char *client, const char *service, size_t n)
{
	store_be16(data + 2, (uint16_t)(n - 4));
	return (struct datagram){client, service, .payload = data, .n = n};
}

static uint16_t ip_checksum(const uint8_t *ip)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < 20; i += 2)
		sum += load_be16(ip + i);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

static bool is_ipv4(const struct frame *frame)
{
	return load_be16(frame->bytes + 12) == 0x0800;
}

// By hand: `n` bytes from `offset` of what follows the IP header of a whole packet.
static struct frame piece_of(const struct frame *whole, size_t offset, size_t n, uint16_t id)
{
	const size_t ip_bytes = is_ipv4(whole) ? 20 : 40;
	const size_t header_bytes = is_ipv4(whole) ? 20 : 48;
	const bool more = 14 + ip_bytes + offset + n < whole->n;
	struct frame piece = {.n = 14 + header_bytes + n};
	uint8_t *ip = piece.bytes + 14;

	memcpy(piece.bytes, whole->bytes, 14 + ip_bytes);
	memcpy(ip + header_bytes, whole->bytes + 14 + ip_bytes + offset, n);
	if (is_ipv4(whole)) {
		store_be16(ip + 2, (uint16_t)(20 + n));
		store_be16(ip + 4, id);
		store_be16(ip + 6, (uint16_t)(offset / 8 | (more ? 0x2000 : 0)));
		store_be16(ip + 10, 0);
		store_be16(ip + 10, ip_checksum(ip));
		return piece;
	}
	store_be16(ip + 4, (uint16_t)(8 + n));
	ip[6] = 44;
	ip[40] = 17;
	store_be16(ip + 42, (uint16_t)(offset | more));
	store_be32(ip + 44, id);
	return piece;
}

static void receive(const struct frame *frame)
{
	rig_receive(&rig, frame);
	worker_poll(rig.worker);
}

static void expect_nothing_sent(const char *what)
{
	struct frame frame;

	cr_expect_not(rig_sent(&rig, &frame), "%s", what);
}

// One whole datagram with these bytes.
static void expect_sent(const char *from, const char *to, const uint8_t *bytes, size_t n)
{
	struct datagram got;
	struct frame frame;
	char from_text[64];
	char to_text[64];

	cr_assert(rig_sent(&rig, &frame), "nothing was sent");
	cr_assert(frame_read(&frame, &got, from_text, to_text), "not a datagram");
	cr_expect_str_eq(from_text, from);
	cr_expect_str_eq(to_text, to);
	cr_expect_not(got.bad_checksum);
	cr_assert_eq(got.n, n);
	cr_expect_arr_eq(got.payload, bytes, n);
}

// The fragments that were sent, put together by hand in the order they came.
static struct frame join_sent(unsigned *n_pieces, size_t ip_bytes_max)
{
	struct frame whole = {0};
	size_t n = 0; // bytes behind the IP header
	struct frame piece;
	uint32_t id = 0;
	bool more = true;

	for (*n_pieces = 0; rig_sent(&rig, &piece); ++*n_pieces) {
		const bool ipv4 = is_ipv4(&piece);
		const uint8_t *ip = piece.bytes + 14;
		const size_t header_bytes = ipv4 ? 20 : 48;
		const uint16_t field = load_be16(ip + (ipv4 ? 6 : 42));
		const size_t offset = ipv4 ? (field & 0x1fff) * 8U : field & 0xfff8U;
		const size_t n_bytes = piece.n - 14 - header_bytes;

		cr_assert(more, "a fragment behind the last");
		cr_expect_leq(piece.n - 14, ip_bytes_max);
		cr_assert_eq(offset, n);
		cr_expect_eq(load_be16(ip + (ipv4 ? 2 : 4)), piece.n - 14 - (ipv4 ? 0 : 40));
		cr_expect(!ipv4 || ip_checksum(ip) == 0);
		cr_expect(ipv4 || (ip[6] == 44 && ip[40] == 17 && ip[41] == 0));
		if (n == 0) {
			memcpy(whole.bytes, piece.bytes, 14 + (ipv4 ? 20U : 40U));
			id = load_be32(ip + (ipv4 ? 4 : 44)) >> (ipv4 ? 16 : 0);
		}
		cr_expect_eq(load_be32(ip + (ipv4 ? 4 : 44)) >> (ipv4 ? 16 : 0), id, "another id");
		memcpy(whole.bytes + 14 + (ipv4 ? 20 : 40) + n, ip + header_bytes, n_bytes);
		n += n_bytes;
		more = field & (ipv4 ? 0x2000 : 1);
	}
	cr_assert_not(more, "no last fragment");
	whole.n = 14 + (is_ipv4(&whole) ? 20 : 40) + n;
	if (is_ipv4(&whole)) {
		store_be16(whole.bytes + 16, (uint16_t)(20 + n));
		store_be16(whole.bytes + 20, 0);
		store_be16(whole.bytes + 24, 0);
		store_be16(whole.bytes + 24, ip_checksum(whole.bytes + 14));
	} else {
		store_be16(whole.bytes + 18, (uint16_t)n);
		whole.bytes[20] = 17;
	}
	return whole;
}

static void expect_sent_in_pieces(
	unsigned n_expected, size_t ip_bytes_max, const char *from, const char *to, size_t n)
{
	unsigned n_pieces;
	const struct frame whole = join_sent(&n_pieces, ip_bytes_max);
	struct datagram got;
	char from_text[64];
	char to_text[64];

	cr_expect_eq(n_pieces, n_expected, "%u fragments", n_pieces);
	cr_assert(frame_read(&whole, &got, from_text, to_text));
	cr_expect_str_eq(from_text, from);
	cr_expect_str_eq(to_text, to);
	cr_expect_not(got.bad_checksum);
	cr_assert_eq(got.n, n);
	cr_expect_arr_eq(got.payload, data + 4, n);
}

Test(fragments, come_in_any_order)
{
	static const unsigned orders[][3] = {
		{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	const struct datagram in[] = {
		channel_data(CLIENT, SERVICE, 100), channel_data(CLIENT6, SERVICE6, 100)};

	for (size_t i = 0; i < 2 * N_ELEMENTS(orders); i++) {
		const struct frame whole = frame_udp(&in[i % 2]);
		const struct frame pieces[] = {piece_of(&whole, 0, 32, (uint16_t)i),
			piece_of(&whole, 32, 40, (uint16_t)i),
			piece_of(&whole, 72, 36, (uint16_t)i)};

		for (unsigned k = 0; k < 3; k++) {
			expect_nothing_sent("before all were there");
			receive(&pieces[orders[i / 2][k]]);
		}
		expect_sent(i % 2 ? RELAYED6 : RELAYED, i % 2 ? PEER6 : PEER, data + 4, 96);
	}
	cr_expect_eq(rig_stats(&rig)->n_reassembled, 2 * N_ELEMENTS(orders));
	cr_expect_eq(rig_stats(&rig)->n_absorbed, 3 * 2 * N_ELEMENTS(orders));
}

Test(fragments, with_options_and_behind_a_tag_of_zero)
{
	struct datagram in = channel_data(CLIENT, SERVICE, 100);
	struct frame whole;
	struct frame piece;

	in.n_options = 8;
	whole = frame_udp(&in);
	// 28 bytes of header: cut it by hand behind the first 16 bytes of payload.
	piece = whole;
	piece.n = 14 + 28 + 16;
	store_be16(piece.bytes + 16, 28 + 16);
	store_be16(piece.bytes + 20, 0x2000);
	receive(&piece);
	piece = piece_of(&(struct frame){.n = 0}, 0, 0, 0);
	piece.n = 14 + 28 + 92;
	memcpy(piece.bytes, whole.bytes, 14 + 28);
	memcpy(piece.bytes + 14 + 28, whole.bytes + 14 + 28 + 16, 92);
	store_be16(piece.bytes + 16, 28 + 92);
	store_be16(piece.bytes + 20, 16 / 8);
	receive(&piece);
	expect_sent(RELAYED, PEER, data + 4, 96);
}

Test(fragments, the_same_once_more_changes_nothing)
{
	const struct datagram in = channel_data(CLIENT, SERVICE, 100);
	const struct frame whole = frame_udp(&in);
	const struct frame pieces[] = {piece_of(&whole, 0, 48, 1), piece_of(&whole, 48, 60, 1)};

	receive(&pieces[0]);
	receive(&pieces[0]);
	receive(&pieces[1]);
	expect_sent(RELAYED, PEER, data + 4, 96);
}

// RFC 5722: pieces that disagree about a byte end the datagram, whichever came first.
Test(fragments, overlap_ends_the_datagram)
{
	const struct datagram in = channel_data(CLIENT, SERVICE, 100);
	const struct frame whole = frame_udp(&in);
	struct frame pieces[] = {piece_of(&whole, 0, 48, 1), piece_of(&whole, 40, 68, 1),
		piece_of(&whole, 48, 60, 1)};

	receive(&pieces[0]);
	receive(&pieces[1]);
	receive(&pieces[2]);
	expect_nothing_sent("an overlap");
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_FRAGMENT], 1);
	cr_expect_eq(rig_stats(&rig)->n_reassembly_failed, 1);
	pieces[0] = piece_of(&whole, 0, 48, 2);
	pieces[1] = pieces[0];
	pieces[1].bytes[40] ^= 1;
	receive(&pieces[0]);
	receive(&pieces[1]);
	cr_expect_eq(rig_stats(&rig)->n_reassembly_failed, 2, "other bytes in the same place");
}

// The last piece ends within a unit of eight bytes: behind it lies what the buffer held before, and
// that is nobody's.
Test(fragments, a_longer_last_piece_is_never_the_same_once_more)
{
	const struct datagram before = channel_data(CLIENT, SERVICE, 104);
	const struct frame longer = frame_udp(&before);
	const struct datagram in = channel_data(CLIENT, SERVICE, 100);
	const struct frame whole = frame_udp(&in);
	struct frame piece;

	for (uint16_t id = 0; id < N_BUFFERS; id++) { // each holds the longer one once
		piece = piece_of(&longer, 48, 64, id);
		receive(&piece);
		piece.bytes[40] ^= 1;
		receive(&piece);
	}
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_FRAGMENT], N_BUFFERS);
	piece = piece_of(&whole, 48, 60, N_BUFFERS);
	receive(&piece);
	piece = piece_of(&longer, 48, 64, N_BUFFERS);
	receive(&piece);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_FRAGMENT], N_BUFFERS + 1);
	expect_nothing_sent("a lie");
}

Test(fragments, lengths_that_lie)
{
	const struct datagram in = channel_data(CLIENT, SERVICE, 100);
	const struct frame whole = frame_udp(&in);
	struct frame piece = piece_of(&whole, 0, 44, 1);

	receive(&piece);
	cr_expect_eq(
		rig_stats(&rig)->n_drops[DROP_FRAGMENT], 1, "not the last, and no multiple of 8");
	piece = piece_of(&whole, 48, 60, 2);
	receive(&piece);
	store_be16(piece.bytes + 20, 112 / 8);
	receive(&piece);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_FRAGMENT], 2, "two ends");
	piece = piece_of(&whole, 0, 60, 3);
	store_be16(piece.bytes + 20, 0x1fff);
	receive(&piece);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_FRAGMENT], 3, "beyond 64 KiB");
	piece = piece_of(&whole, 48, 60, 4);
	receive(&piece);
	piece = piece_of(&whole, 0, 48, 4);
	store_be16(piece.bytes + 14 + 20 + 4, 300);
	receive(&piece);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_MALFORMED], 1, "UDP's length lies");
	expect_nothing_sent("a lie");
}

Test(fragments, are_not_waited_for_longer_than_two_seconds)
{
	const struct datagram in = channel_data(CLIENT, SERVICE, 100);
	const struct frame whole = frame_udp(&in);
	const struct frame first = piece_of(&whole, 0, 48, 1);
	const struct frame last = piece_of(&whole, 48, 60, 1);

	receive(&first);
	now_ms += 2000;
	receive(&last);
	expect_sent(RELAYED, PEER, data + 4, 96);
	receive(&first);
	now_ms += 2001;
	receive(&last);
	expect_nothing_sent("what is too late");
	cr_expect_eq(rig_stats(&rig)->n_reassembly_failed, 1);
}

// First fragments that nobody completes hold 64 buffers at most, one source 8 of them; the oldest
// gives way, and honest datagrams still pass.
Test(fragments, a_flood_holds_what_is_meant_for_it)
{
	const struct datagram honest = channel_data(CLIENT, SERVICE, 100);
	const struct frame whole = frame_udp(&honest);
	const struct frame first = piece_of(&whole, 0, 48, 1);
	const struct frame last = piece_of(&whole, 48, 60, 1);
	struct frame forged;
	char from[64];

	receive(&first);
	for (unsigned i = 0; i < 500; i++) {
		const struct datagram in = channel_data("198.18.0.99:5000", SERVICE, 100);
		const struct frame other = frame_udp(&in);

		forged = piece_of(&other, 0, 48, (uint16_t)(i + 1));
		receive(&forged);
		cr_assert_leq(rte_mempool_in_use_count(rig.jumbo_pool), 1 + 8);
	}
	receive(&last);
	expect_sent(RELAYED, PEER, data + 4, 96);
	for (unsigned i = 0; i < 500; i++) {
		struct datagram in = channel_data(from, SERVICE, 100);
		struct frame other;

		now_ms++;
		snprintf(from, sizeof(from), "198.19.%u.%u:5000", i / 250, i % 250 + 1);
		other = frame_udp(&in);
		forged = piece_of(&other, 0, 48, 1);
		receive(&forged);
		cr_assert_leq(rte_mempool_in_use_count(rig.jumbo_pool), WORKER_REASSEMBLY_SLOTS);
	}
	now_ms++;
	receive(&first);
	for (unsigned i = 0; i < WORKER_REASSEMBLY_SLOTS - 1; i++) {
		now_ms++;
		store_be16(forged.bytes + 18, (uint16_t)(1000 + i));
		forged.bytes[14 + 15] = (uint8_t)(i + 1);
		receive(&forged);
	}
	receive(&last);
	expect_sent(RELAYED, PEER, data + 4, 96);
}

Test(fragments, without_df_leave_in_pieces)
{
	struct datagram in = channel_data(CLIENT, SERVICE, 1477);
	struct frame frame = frame_udp(&in);

	receive(&frame);
	expect_sent_in_pieces(2, MTU, RELAYED, PEER, 1473);
	// What comes in pieces may leave in pieces, over either family.
	in = channel_data(CLIENT, SERVICE, 2900);
	frame = frame_udp(&in);
	for (unsigned i = 0; i < 2; i++) {
		const struct frame piece =
			piece_of(&frame, i * 1480U, i ? frame.n - 34 - 1480 : 1480, 7);

		receive(&piece);
	}
	expect_sent_in_pieces(2, MTU, RELAYED, PEER, 2896);
	cr_expect_eq(rig_stats(&rig)->n_split, 2);
}

// RFC 8656 §13.2: no fragment of IPv6 above 1,280 bytes.
Test(fragments, of_ipv6_are_of_its_least_mtu)
{
	struct datagram in = channel_data(CLIENT6, SERVICE6, 2900);
	struct frame frame = frame_udp(&in);

	for (unsigned i = 0; i < 2; i++) {
		const struct frame piece =
			piece_of(&frame, i * 1448U, i ? frame.n - 54 - 1448 : 1448, 7);

		receive(&piece);
	}
	expect_sent_in_pieces(3, 1280, RELAYED6, PEER6, 2896);
	in = channel_data(CLIENT_46, SERVICE, 1470);
	frame = frame_udp(&in);
	receive(&frame);
	expect_sent_in_pieces(2, 1280, RELAYED_46, PEER6, 1466);
}

// A datagram in pieces to a port of ours that is the kernel's goes there whole.
Test(fragments, for_the_kernel_are_put_together)
{
	const struct datagram in = {CLIENT, "198.18.0.2:53", .payload = data, .n = 100};
	const struct frame whole = frame_udp(&in);
	const struct frame pieces[] = {piece_of(&whole, 0, 48, 1), piece_of(&whole, 48, 60, 1)};
	struct msg msg;

	receive(&pieces[0]);
	receive(&pieces[1]);
	cr_assert(rig_control(&rig, &rig.workers[0].others, &msg));
	cr_expect_eq(msg.mbuf->data_len, whole.n);
	rte_pktmbuf_free(msg.mbuf);
}

// Requests and what is the kernel's, while control stands still: of the buffers that datagrams are
// put together in, media still has half.
Test(fragments, what_waits_for_control_leaves_buffers_for_media)
{
	static const char allocate[] = "\x00\x03\x00\x18" STUN_COOKIE TRANSACTION "\x00\x08\x00\x14"
				       "12345678901234567890";
	const struct datagram floods[] = {
		{"198.18.0.99:5000", SERVICE, BYTES(allocate)},
		{"198.18.0.99:5000", "198.18.0.2:53", .payload = data, .n = 100},
	};
	const struct datagram honest = channel_data(CLIENT, SERVICE, 100);
	const struct frame whole = frame_udp(&honest);
	const struct frame pieces[] = {piece_of(&whole, 0, 48, 1), piece_of(&whole, 48, 60, 1)};

	for (unsigned i = 0; i < 200; i++) {
		const struct frame other = frame_udp(&floods[i % 2]);
		const size_t n_bytes = other.n - 14 - 20;
		const struct frame first = piece_of(&other, 0, 32, (uint16_t)i);
		const struct frame last = piece_of(&other, 32, n_bytes - 32, (uint16_t)i);

		receive(&first);
		receive(&last);
	}
	cr_expect_gt(rig_stats(&rig)->n_punted, 0);
	cr_expect_gt(rig_stats(&rig)->n_mirrored, 0);
	receive(&pieces[0]);
	receive(&pieces[1]);
	expect_sent(RELAYED, PEER, data + 4, 96);
}
