#include "pkt/pkt.h"

#include <criterion/criterion.h>

// RFC 1071 §3: the example's bytes sum to ddf2.
Test(pkt_csum, example_of_rfc_1071)
{
	static const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	cr_expect_eq(csum_fold(csum_sum(bytes, sizeof(bytes))), __builtin_bswap16(0xddf2));
}

// RFC 1624 §4: HC 0xdd2f, m 0x5555 -> m' 0x3285 gives 0x0000.
Test(pkt_csum, example_of_rfc_1624)
{
	const uint16_t delta = csum_fold((uint64_t)0x3285 + csum_negate(0x5555));

	cr_expect_eq(csum_update(0xdd2f, delta), 0x0000);
}

Test(pkt_csum, udp_zero_stays_and_never_appears)
{
	const uint16_t delta = csum_fold((uint64_t)0x3285 + csum_negate(0x5555));

	cr_expect_eq(csum_update_udp(0, delta), 0);
	cr_expect_eq(csum_update_udp(0xdd2f, delta), 0xffff);
}

Test(pkt_csum, sums_of_parts_make_the_whole)
{
	uint8_t bytes[61];
	uint16_t whole;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 37 + 11);
	whole = csum_fold(csum_sum(bytes, sizeof(bytes)));
	for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
		const uint64_t front = csum_sum_at(bytes, cut, 0);
		const uint64_t back = csum_sum_at(bytes + cut, sizeof(bytes) - cut, cut);

		cr_expect_eq(csum_fold(front + back), whole, "cut at %zu", cut);
	}
}

// As RFC 1071 §4.1 does it, a word at a time.
static uint16_t sum_slowly(const uint8_t *bytes, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i += 2) {
		sum += bytes[i] | (i + 1 < n ? (uint32_t)bytes[i + 1] << 8 : 0);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

// Words of ones carry at every addition; only zeroes sum to zero.
Test(pkt_csum, carries_come_in_again)
{
	static const uint8_t fills[] = {0x00, 0x01, 0x80, 0xfe, 0xff};
	uint8_t bytes[70];

	for (size_t i = 0; i < N_ELEMENTS(fills); i++) {
		memset(bytes, fills[i], sizeof(bytes));
		for (size_t n = 0; n <= sizeof(bytes); n++) {
			bytes[n / 2] ^= 0x5a;
			cr_expect_eq(csum_fold(csum_sum(bytes, n)), sum_slowly(bytes, n),
				"%zu bytes of %02x", n, fills[i]);
		}
	}
	cr_expect_eq(csum_fold(UINT64_MAX), 0xffff);
	cr_expect_eq(csum_fold(0xffffffff00000001), 1);
	cr_expect_eq(csum_fold(0), 0);
}

Test(pkt_vlan, insert_and_strip_are_inverse)
{
	uint8_t room[64] = {0};
	uint8_t *frame = room + 16;
	uint8_t *tagged;

	for (uint8_t i = 0; i < 32; i++)
		frame[i] = i;
	tagged = pkt_vlan_insert(frame, 100);
	cr_expect_eq(tagged, frame - 4);
	cr_expect_arr_eq(tagged + 12, ((const uint8_t[]){0x81, 0x00, 0x00, 0x64, 12, 13}), 6);
	cr_expect_eq(pkt_vlan_strip(tagged), frame);
	for (uint8_t i = 0; i < 32; i++)
		cr_expect_eq(frame[i], i);
}

// A TCP segment with only the pseudo header's sum, as a kernel leaves it on veth.
Test(pkt_foreign, unfinished_tcp_checksum_is_finished_once)
{
	uint8_t frame[14 + 20 + 24] = {[12] = 0x08,
		[14] = 0x45,
		[17] = 44,
		[22] = 64,
		[23] = 6,
		[26] = 10,
		[29] = 1,
		[30] = 10,
		[33] = 2,
		[34] = 0x12,
		[35] = 0x34,
		[46] = 0x50,
		[54] = 1,
		[55] = 2,
		[56] = 3,
		[57] = 4};
	// 0a00+0001+0a00+0002 + 0006 + 0018
	const uint16_t pseudo = 0x1421;
	// pseudo + 1234+5000+0102+0304, complemented
	const uint16_t finished = (uint16_t) ~(0x1421 + 0x1234 + 0x5000 + 0x0102 + 0x0304);
	struct pkt p;

	store_be16(frame + 50, pseudo);
	cr_assert_eq(pkt_parse(&p, frame, sizeof(frame), 0), PKT_FOREIGN);
	pkt_foreign_checksum_finish(&p, sizeof(frame));
	cr_expect_eq(load_be16(frame + 50), finished);
	pkt_foreign_checksum_finish(&p, sizeof(frame));
	cr_expect_eq(load_be16(frame + 50), finished);
}
