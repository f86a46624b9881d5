// Round trips of STUN through the relay.
#include "quality/quality.h"

#include <criterion/criterion.h>

#define REQUEST 0x0001
#define SUCCESS 0x0101
#define ERROR 0x0111
#define INDICATION 0x0011

static struct quality quality;

static void add(enum quality_way way, uint16_t type, uint8_t transaction, uint64_t us)
{
	struct quality_packet packet = {.us = us, .way = (uint8_t)way, .n_bytes = 20};

	store_be16(packet.head, type);
	store_be32(packet.head + 4, 0x2112a442);
	packet.head[19] = transaction;
	quality_add(&quality, &packet);
}

static struct quality_figures up(void)
{
	return quality_get(&quality, QUALITY_UP);
}

static struct quality_figures down(void)
{
	return quality_get(&quality, QUALITY_DOWN);
}

Test(quality_trips, are_of_the_side_that_answers)
{
	add(QUALITY_UP, REQUEST, 1, 1000);
	add(QUALITY_DOWN, SUCCESS, 1, 31000);
	add(QUALITY_DOWN, REQUEST, 2, 50000);
	add(QUALITY_UP, ERROR, 2, 55000);
	cr_expect_eq(up().n_trips, 1);
	cr_expect_eq(up().trip_mean_us, 30000);
	cr_expect_eq(down().n_trips, 1);
	cr_expect_eq(down().trip_mean_us, 5000);
}

Test(quality_trips, have_a_least_a_mean_and_a_most)
{
	for (uint8_t i = 1; i <= 3; i++) {
		add(QUALITY_UP, REQUEST, i, 100000ull * i);
		add(QUALITY_DOWN, SUCCESS, i, 100000ull * i + 1000ull * i * i);
	}
	cr_expect_eq(up().trip_min_us, 1000);
	cr_expect_eq(up().trip_mean_us, 14000 / 3);
	cr_expect_eq(up().trip_max_us, 9000);
}

Test(quality_trips, may_be_told_the_answer_first)
{
	add(QUALITY_DOWN, SUCCESS, 1, 31000);
	add(QUALITY_UP, REQUEST, 1, 1000);
	cr_expect_eq(up().n_trips, 1);
	cr_expect_eq(up().trip_mean_us, 30000);
}

Test(quality_trips, a_request_sent_again_counts_from_the_first)
{
	add(QUALITY_UP, REQUEST, 1, 1000);
	add(QUALITY_UP, REQUEST, 1, 51000);
	add(QUALITY_DOWN, SUCCESS, 1, 61000);
	add(QUALITY_DOWN, SUCCESS, 1, 62000);
	cr_expect_eq(up().n_trips, 1);
	cr_expect_eq(up().trip_mean_us, 60000);
}

Test(quality_trips, others_are_none)
{
	struct quality_packet packet = {.way = QUALITY_UP, .n_bytes = 20, .head = {0, 1}};

	add(QUALITY_UP, REQUEST, 1, 1000);
	add(QUALITY_UP, SUCCESS, 1, 2000); // the same way
	add(QUALITY_DOWN, INDICATION, 1, 3000);
	add(QUALITY_DOWN, REQUEST, 1, 500); // no answer to it
	add(QUALITY_DOWN, SUCCESS, 9, 3000);
	quality_add(&quality, &packet); // without the cookie
	packet.way = QUALITY_DOWN;
	packet.head[0] = 1;
	quality_add(&quality, &packet);
	cr_expect_eq(up().n_trips, 0);
	cr_expect_eq(down().n_trips, 0);
}

Test(quality_trips, of_many_without_an_answer_the_last_are_kept)
{
	for (uint8_t i = 0; i < QUALITY_CHECKS_MAX + 1; i++)
		add(QUALITY_UP, REQUEST, i, 1000);
	add(QUALITY_DOWN, SUCCESS, 0, 2000);
	cr_expect_eq(up().n_trips, 0);
	add(QUALITY_DOWN, SUCCESS, QUALITY_CHECKS_MAX, 2000);
	cr_expect_eq(up().n_trips, 1);
}
