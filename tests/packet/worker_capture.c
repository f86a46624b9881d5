// Frames copied for an operator while they are relayed, and the file that they become.
#include "capture/capture.h"
#include "rows.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <rte_cycles.h>
#include <rte_ring.h>

#define SNAP 60
#define N_RECORDS 15

static struct rig rig;
static uint64_t now_ms;
static struct capture_filter *filter;
static struct capture *capture;
static union {
	struct capture_record record;
	uint8_t room[sizeof(struct capture_record) + CAPTURE_SNAP_MAX];
} taken;

static void open_rig(void)
{
	const struct rig_options options = {.virtual_ms = &now_ms};

	now_ms = 1000000;
	rig_open(&rig, &options);
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
}

static void let_go(void)
{
	rig_send(&rig, (struct msg){.kind = MSG_CAPTURE});
	worker_poll(rig.worker);
	capture_destroy(capture);
	capture_filter_destroy(filter);
	capture = NULL;
	filter = NULL;
}

static void close_rig(void)
{
	let_go();
	rig_expect_balance(&rig);
	rig_close(&rig);
}

TestSuite(worker_capture, .init = open_rig, .fini = close_rig);

static void make_filter(const char *expression)
{
	pcap_t *dead = pcap_open_dead(DLT_EN10MB, UINT16_MAX);
	char error[CAPTURE_ERROR_BYTES];
	struct bpf_program program;

	cr_assert_eq(pcap_compile(dead, &program, expression, 1, PCAP_NETMASK_UNKNOWN), 0);
	cr_assert_eq(capture_filter_create(&filter, program.bf_insns, program.bf_len, error), 0,
		"%s", error);
	pcap_freecode(&program);
	pcap_close(dead);
}

static void begin(const char *expression)
{
	make_filter(expression);
	cr_assert_eq(capture_create(&capture, filter, SNAP, N_RECORDS), 0);
	rig_send(&rig, (struct msg){.kind = MSG_CAPTURE, .capture = capture});
	worker_poll(rig.worker);
}

// `n` messages of the client, each in and out again.
static void relay(unsigned n)
{
	static const char message[] = "\x40\x01\x00\x04"
				      "data";
	const struct datagram up = {CLIENT, SERVICE, message, 8};
	struct passed passed;

	for (unsigned i = 0; i < n; i++)
		rig_pass(&rig, &up, &passed);
}

static void expect_record(enum capture_way way, uint32_t n_bytes, const char *payload)
{
	const struct capture_record *record = &taken.record;

	cr_assert(capture_take(capture, &taken.record));
	cr_expect_eq(record->way, way);
	cr_expect_eq(record->port_idx, 0);
	cr_expect_eq(record->n_bytes, n_bytes);
	cr_expect_eq(record->n_kept, n_bytes < SNAP ? n_bytes : SNAP);
	cr_expect_leq(record->ticks, rte_rdtsc());
	cr_expect_eq(memcmp(record->bytes + 42, payload, 4), 0);
}

Test(worker_capture, a_frame_is_kept_as_it_came_and_as_it_left)
{
	begin("");
	relay(1);
	expect_record(CAPTURE_IN, 50, "\x40\x01\x00\x04");
	expect_record(CAPTURE_OUT, 46, "data");
	cr_expect_not(capture_take(capture, &taken.record));
	cr_expect_eq(capture_n_lost(capture), 0);
}

Test(worker_capture, only_what_the_filter_lets_through)
{
	begin("udp and src port 50000");
	relay(1);
	expect_record(CAPTURE_OUT, 46, "data");
	cr_expect_not(capture_take(capture, &taken.record));
}

Test(worker_capture, a_long_frame_is_cut)
{
	uint8_t bytes[400] = {0x40, 0x01, 0x01, 0x8c};
	const struct datagram up = {CLIENT, SERVICE, bytes, sizeof(bytes)};
	struct passed passed;

	begin("");
	rig_pass(&rig, &up, &passed);
	expect_record(CAPTURE_IN, 442, "\x40\x01\x01\x8c");
	expect_record(CAPTURE_OUT, 438, "\0\0\0\0");
}

Test(worker_capture, what_finds_no_room_is_lost_and_counted)
{
	begin("");
	relay(10);
	cr_expect_eq(capture_n_lost(capture), 20 - N_RECORDS);
	for (unsigned i = 0; i < N_RECORDS; i++)
		cr_expect(capture_take(capture, &taken.record));
	cr_expect_not(capture_take(capture, &taken.record));
}

// The port takes nothing at first: what waits is the same frame in the next round.
Test(worker_capture, a_frame_that_waits_for_its_port_is_kept_once)
{
	static const char message[] = "\x40\x01\x00\x04"
				      "data";
	const struct datagram up = {CLIENT, SERVICE, message, 8};
	const struct frame frame = frame_udp(&up);
	struct rte_ring *wire = rig.port.memory_tx[0];
	struct frame out;

	while (rte_ring_enqueue(wire, NULL) == 0)
		;
	begin("");
	rig_receive(&rig, &frame);
	for (int i = 0; i < 3; i++)
		worker_poll(rig.worker);
	rte_ring_reset(wire);
	worker_poll(rig.worker);
	cr_expect(rig_sent(&rig, &out));
	expect_record(CAPTURE_IN, 50, "\x40\x01\x00\x04");
	expect_record(CAPTURE_OUT, 46, "data");
	cr_expect_not(capture_take(capture, &taken.record));
}

Test(worker_capture, a_worker_that_let_go_keeps_nothing)
{
	struct capture *mine;

	begin("");
	mine = capture;
	rig_send(&rig, (struct msg){.kind = MSG_CAPTURE});
	worker_poll(rig.worker);
	cr_expect_eq(worker_public(rig.worker)->applied_seq, rig.seq);
	relay(1);
	cr_expect_not(capture_take(mine, &taken.record));
}

Test(worker_capture, a_snap_length_out_of_range_is_refused)
{
	make_filter("udp");
	cr_expect_eq(capture_create(&capture, filter, CAPTURE_SNAP_MIN - 1, 1), -EINVAL);
	cr_expect_eq(capture_create(&capture, filter, CAPTURE_SNAP_MAX + 1, 1), -EINVAL);
	cr_expect_null(capture);
}

static void expect_block(const uint8_t *out, size_t n, const uint8_t *want, size_t n_want)
{
	cr_expect_eq(n, n_want);
	cr_expect_arr_eq(out, want, n_want);
}

// The blocks of draft-ietf-opsawg-pcapng, by hand.
Test(worker_capture, a_files_blocks_are_those_of_pcapng)
{
	static const uint8_t head[] = {0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a,
		1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 28, 0, 0, 0};
	static const uint8_t port[] = {1, 0, 0, 0, 44, 0, 0, 0, 1, 0, 0, 0, 60, 0, 0, 0, 2, 0, 5, 0,
		'w', 'i', 'r', 'e', '0', 0, 0, 0, 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 44, 0, 0, 0};
	static const uint8_t packet[] = {6, 0, 0, 0, 52, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0,
		0, 5, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4, 5, 0, 0, 0, 2, 0, 4, 0, 2, 0, 0, 0, 0, 0, 0,
		0, 52, 0, 0, 0};
	static const uint8_t lost[] = {5, 0, 0, 0, 40, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0,
		5, 0, 8, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0};
	uint8_t out[PCAPNG_BYTES(64)];

	taken.record = (struct capture_record){
		.n_bytes = 256, .n_kept = 5, .port_idx = 3, .way = CAPTURE_OUT};
	memcpy(taken.record.bytes, "\1\2\3\4\5", 5);
	expect_block(out, pcapng_put_head(out), head, sizeof(head));
	expect_block(out, pcapng_put_port(out, "wire0", 60), port, sizeof(port));
	expect_block(out, pcapng_put_packet(out, &taken.record, (2ULL << 32) + 1), packet,
		sizeof(packet));
	expect_block(out, pcapng_put_lost(out, 3, (2ULL << 32) + 1, 7), lost, sizeof(lost));
}
