// Loss, reordering and jitter of RTP, as RFC 3550 has them.
#include "quality/quality.h"

#include <criterion/criterion.h>

#define PCMU 0
#define DYNAMIC 111
#define MS 1000u

static struct quality quality;

static void add(uint8_t type, uint16_t sequence, uint32_t timestamp, uint64_t us)
{
	struct quality_packet packet = {.us = us, .way = QUALITY_UP, .n_bytes = 20};

	packet.head[0] = 0x80;
	packet.head[1] = type;
	store_be16(packet.head + 2, sequence);
	store_be32(packet.head + 4, timestamp);
	store_be32(packet.head + 8, 0xabcd);
	quality_add(&quality, &packet);
}

// 20 ms of PCMU each, on time.
static void add_numbered(uint16_t sequence)
{
	add(PCMU, sequence, 160u * sequence, 1000000 + 20ull * MS * sequence);
}

static struct quality_figures get(void)
{
	return quality_get(&quality, QUALITY_UP);
}

Test(quality_rtp, nothing_is_lost_of_what_comes)
{
	for (uint16_t i = 0; i < 100; i++)
		add_numbered(i);
	cr_expect_eq(get().n_packets, 100);
	cr_expect_eq(get().n_lost, 0);
	cr_expect_eq(get().n_reordered, 0);
	cr_expect_eq(get().jitter_us, 0);
	cr_expect_eq(quality_get(&quality, QUALITY_DOWN).n_packets, 0);
}

Test(quality_rtp, what_is_missing_is_lost)
{
	for (uint16_t i = 0; i < 100; i++)
		if (i % 10 != 5)
			add_numbered(i);
	cr_expect_eq(get().n_packets, 90);
	cr_expect_eq(get().n_lost, 10);
	cr_expect_eq(get().n_reordered, 0);
}

Test(quality_rtp, numbers_come_round)
{
	for (uint32_t i = 65500; i < 65600; i++)
		if (i != 65536)
			add(PCMU, (uint16_t)i, 160 * i, 20ull * MS * i);
	cr_expect_eq(get().n_packets, 99);
	cr_expect_eq(get().n_lost, 1);
}

Test(quality_rtp, late_ones_are_reordered_and_not_lost)
{
	static const uint16_t order[] = {10, 11, 13, 12, 14, 16, 17, 15, 18};

	for (size_t i = 0; i < N_ELEMENTS(order); i++)
		add_numbered(order[i]);
	cr_expect_eq(get().n_packets, 9);
	cr_expect_eq(get().n_reordered, 2);
	cr_expect_eq(get().n_lost, 0);
}

Test(quality_rtp, a_jump_begins_anew)
{
	for (uint16_t i = 0; i < 10; i++)
		add_numbered(i);
	for (uint16_t i = 40000; i < 40010; i++)
		add_numbered(i);
	cr_expect_eq(get().n_packets, 20);
	cr_expect_eq(get().n_lost, 0);
}

Test(quality_rtp, what_was_not_told_is_not_lost)
{
	for (uint16_t i = 0; i < 10; i++)
		add_numbered(i);
	quality_break(&quality);
	for (uint16_t i = 50; i < 60; i++)
		add_numbered(i);
	add_numbered(61);
	cr_expect_eq(get().n_packets, 21);
	cr_expect_eq(get().n_lost, 1);
}

// Every other packet is 8 ms late: D is 8 ms each time, and J goes to 8 ms.
Test(quality_rtp, jitter_is_the_mean_of_differences)
{
	for (uint16_t i = 0; i < 400; i++)
		add(PCMU, i, 160u * i, 20ull * MS * i + (i % 2 ? 8 * MS : 0));
	cr_expect(get().jitter_us >= 7990 && get().jitter_us <= 8000, "%u", get().jitter_us);
	for (uint16_t i = 400; i < 1000; i++)
		add_numbered(i);
	cr_expect_leq(get().jitter_us, 10);
	cr_expect_geq(get().jitter_max_us, 7990);
}

// By hand: D = 16 ms once, and J = 16 / 16 = 1 ms.
Test(quality_rtp, one_late_packet_is_a_sixteenth)
{
	add(PCMU, 1, 0, 0);
	add(PCMU, 2, 160, 36 * MS);
	cr_expect_eq(get().jitter_us, 1000);
}

// Who sends whatever timestamps he likes shows in no histogram as days of jitter.
Test(quality_rtp, a_timestamp_that_is_set_anew_is_no_jitter)
{
	add_numbered(0);
	add_numbered(1);
	for (uint16_t i = 2; i < 20; i++)
		add(PCMU, i, 160u * i + (i % 2 ? 0x7fffffff : 0), 1000000 + 20ull * MS * i);
	cr_expect_eq(get().jitter_max_us, 0);
	add(PCMU, 20, 160u * 20 + 0x7fffffff, 1000000 + 20ull * MS * 20);
	add(PCMU, 21, 160u * 21 + 0x7fffffff, 1000000 + 20ull * MS * 21 + 16 * MS);
	cr_expect_eq(get().jitter_us, MS);
}

Test(quality_rtp, the_clock_of_a_dynamic_type_is_learned)
{
	static const uint32_t clocks[] = {8000, 16000, 48000, 90000};

	for (size_t k = 0; k < N_ELEMENTS(clocks); k++) {
		quality = (struct quality){0};
		for (uint16_t i = 0; i < 400; i++)
			add(DYNAMIC, i, clocks[k] / 50 * i, 20ull * MS * i + (i % 2 ? 8 * MS : 0));
		cr_expect(get().jitter_us >= 7900 && get().jitter_us <= 8000, "%u Hz: %u",
			clocks[k], get().jitter_us);
	}
}

Test(quality_rtp, the_clock_of_a_fixed_type_is_known)
{
	// RFC 3551 §6; a packet that is on time has no jitter.
	static const struct {
		uint8_t type;
		uint32_t clock_hz;
	} types[] = {{PCMU, 8000}, {6, 16000}, {9, 8000}, {10, 44100}, {14, 90000}, {16, 11025},
		{17, 22050}, {18, 8000}, {34, 90000}};

	for (size_t k = 0; k < N_ELEMENTS(types); k++) {
		quality = (struct quality){0};
		add(types[k].type, 1, 0, 0);
		add(types[k].type, 2, types[k].clock_hz, 1000 * MS);
		cr_expect_eq(get().jitter_max_us, 0, "%u", types[k].type);
		add(types[k].type, 3, types[k].clock_hz * 2, 2016 * MS);
		cr_expect_eq(get().jitter_us, 1000, "%u", types[k].type);
	}
}

Test(quality_rtp, without_a_clock_there_is_no_jitter)
{
	for (uint16_t i = 0; i < 400; i++)
		add(DYNAMIC, i, 7u * i, 20ull * MS * i + (i % 2 ? 8 * MS : 0));
	cr_expect_eq(get().jitter_us, 0);
	cr_expect_eq(get().n_packets, 400);
}

Test(quality_rtp, streams_are_told_apart_up_to_a_bound)
{
	for (uint32_t ssrc = 1; ssrc <= QUALITY_STREAMS_MAX + 1; ssrc++) {
		for (uint16_t i = 0; i < 10; i++) {
			struct quality_packet packet = {.n_bytes = 12, .head = {0x80}};

			store_be16(packet.head + 2, (uint16_t)(1000 * ssrc + 2 * i));
			store_be32(packet.head + 8, ssrc);
			quality_add(&quality, &packet);
		}
	}
	cr_expect_eq(get().n_packets, 10 * (QUALITY_STREAMS_MAX + 1));
	cr_expect_eq(get().n_lost, 9 * QUALITY_STREAMS_MAX);
}

Test(quality_rtp, rtcp_dtls_and_short_ones_are_none)
{
	static const uint8_t others[][2] = {{0x80, 200}, {0x81, 201}, {20, 0xfe}, {0x40, 0}};

	for (size_t i = 0; i < N_ELEMENTS(others); i++) {
		struct quality_packet packet = {.n_bytes = 20};

		memcpy(packet.head, others[i], 2);
		quality_add(&quality, &packet);
	}
	quality_add(&quality, &(struct quality_packet){.n_bytes = 11, .head = {0x80}});
	quality_add(&quality, &(struct quality_packet){.n_bytes = 0});
	cr_expect_eq(get().n_packets, 0);
}
