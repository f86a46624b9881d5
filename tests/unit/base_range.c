#include "base/base.h"

#include <criterion/criterion.h>
#include <errno.h>

struct range_row {
	const char *range;
	const char *ip;
	bool inside;
};

Test(base_range, both_ends_belong_to_it)
{
	static const struct range_row rows[] = {
		{"10.0.0.5-10.0.1.2", "10.0.0.4", false},
		{"10.0.0.5-10.0.1.2", "10.0.0.5", true},
		{"10.0.0.5-10.0.1.2", "10.0.0.255", true},
		{"10.0.0.5-10.0.1.2", "10.0.1.2", true},
		{"10.0.0.5-10.0.1.2", "10.0.1.3", false},
		{"10.0.0.5-10.0.1.2", "::10.0.0.6", false},
		{"10.0.0.7", "10.0.0.7", true},
		{"10.0.0.7", "10.0.0.8", false},
		{"198.18.0.0/15", "198.17.255.255", false},
		{"198.18.0.0/15", "198.19.255.255", true},
		{"198.18.0.0/15", "198.20.0.0", false},
		{"0.0.0.0/0", "255.255.255.255", true},
		{"::/0", "0.0.0.0", false},
		{"::/0", "ffff::", true},
		// As numbers, not byte by byte: single bytes lie outside those of the ends.
		{"2001:db8::ff00-2001:db8:1::1", "2001:db8:0:1::2", true},
		{"2001:db8::ff00-2001:db8:1::1", "2001:db8::feff", false},
		{"2001:db8::ff00-2001:db8:1::1", "2001:db8:1::2", false},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct ip_range range;
		struct ip_addr ip;

		cr_assert_eq(range_parse(&range, rows[i].range), 0, "%s", rows[i].range);
		cr_assert_eq(ip_parse(&ip, rows[i].ip), 0);
		cr_expect_eq(range_contains(&range, &ip), rows[i].inside, "%s in %s", rows[i].ip,
			rows[i].range);
	}
}

Test(base_range, texts_are_strict)
{
	static const char *const texts[] = {"", "-", "10.0.0.1-", "-10.0.0.1", "10.0.0.2-10.0.0.1",
		"10.0.0.1-::1", "10.0.0.1 - 10.0.0.2", "10.0.0.0/8-10.0.0.1", "10.0.0.1-10.0.0.2-3",
		"2001:db8::2-2001:db8::1", "10.0.0.0/33",
		"1111111111111111111111111111111111111111111111111111111111111111111-10.0.0.1"};

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		struct ip_range range = {.first.family = 77};

		cr_expect_eq(range_parse(&range, texts[i]), -EINVAL, "%s", texts[i]);
		cr_expect_eq(range.first.family, 77, "%s", texts[i]);
	}
}

Test(base_range, written_as_a_network_where_it_is_one)
{
	static const char *const rows[][2] = {
		{"10.0.0.0-10.255.255.255", "10.0.0.0/8"},
		{"10.0.0.1", "10.0.0.1/32"},
		{"10.0.0.9/8", "10.0.0.0/8"},
		{"10.0.0.1-10.0.0.2", "10.0.0.1-10.0.0.2"},
		{"::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"},
		{"2001:db8::1-2001:db8::2", "2001:db8::1-2001:db8::2"},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct ip_range range;
		char text[RANGE_TEXT_BYTES];

		cr_assert_eq(range_parse(&range, rows[i][0]), 0);
		cr_expect_str_eq(range_format(&range, text), rows[i][1]);
	}
}
