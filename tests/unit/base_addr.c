#include "base/base.h"

#include <criterion/criterion.h>
#include <errno.h>

Test(base_addr, ipv4_text_becomes_network_order_bytes)
{
	struct ip_addr ip;

	cr_assert_eq(ip_parse(&ip, "192.0.2.1"), 0);
	cr_assert_eq(ip.family, 1);
	cr_assert_arr_eq(ip.bytes, "\xc0\x00\x02\x01\0\0\0\0\0\0\0\0\0\0\0\0", 16);
}

Test(base_addr, ipv6_text_becomes_network_order_bytes)
{
	struct ip_addr ip;

	cr_assert_eq(ip_parse(&ip, "2001:db8::1"), 0);
	cr_assert_eq(ip.family, 2);
	cr_assert_arr_eq(ip.bytes, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
}

Test(base_addr, what_is_no_address_is_refused_and_out_untouched)
{
	static const char *const texts[] = {"", " ", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.4 ",
		" 1.2.3.4", "0x1.2.3.4", "1.2.3.04", "::1%lo", ":::", "localhost", "[::1]",
		"1.2.3.4/8"};

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		struct ip_addr ip = {.family = 77};

		cr_expect_eq(ip_parse(&ip, texts[i]), -EINVAL, "%s", texts[i]);
		cr_expect_eq(ip.family, 77, "%s", texts[i]);
	}
}

struct endpoint_row {
	const char *text;
	uint8_t family;
	uint8_t last_byte; // of the address
	uint16_t port;
};

Test(base_addr, endpoints_parse_and_format_back)
{
	static const struct endpoint_row rows[] = {
		{"192.0.2.9:3478", 1, 9, 3478},
		{"0.0.0.0:0", 1, 0, 0},
		{"192.0.2.9:65535", 1, 9, 65535},
		{"[2001:db8::5]:443", 2, 5, 443},
		{"[::]:1", 2, 0, 1},
		{"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535", 2, 0xfe, 65535},
	};
	char text[ADDR_TEXT_BYTES];

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct endpoint endpoint;

		cr_assert_eq(endpoint_parse(&endpoint, rows[i].text), 0, "%s", rows[i].text);
		cr_expect_eq(endpoint.ip.family, rows[i].family);
		cr_expect_eq(endpoint.ip.bytes[rows[i].family == 1 ? 3 : 15], rows[i].last_byte);
		cr_expect_eq(endpoint.port, rows[i].port);
		cr_expect_str_eq(endpoint_format(&endpoint, text), rows[i].text);
	}
}

Test(base_addr, endpoints_are_strict)
{
	static const char *const texts[] = {"", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536",
		"192.0.2.1:99999", "192.0.2.1:100000", "192.0.2.1:4294967297", "192.0.2.1:+1",
		"192.0.2.1:-1", "192.0.2.1: 1", "192.0.2.1:1 ", "192.0.2.1:0x10", ":3478",
		"2001:db8::1:3478", "[2001:db8::1]", "[2001:db8::1]3478", "[2001:db8::1:3478",
		"[192.0.2.1]:3478", "[]:1", "[", "]:1", "[::1]]:1",
		"[1111111111111111111111111111111111111111111111111111111111111111111]:1"};

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		struct endpoint endpoint = {.port = 77};

		cr_expect_eq(endpoint_parse(&endpoint, texts[i]), -EINVAL, "%s", texts[i]);
		cr_expect_eq(endpoint.port, 77, "%s", texts[i]);
	}
}

Test(base_addr, prefixes_parse_and_format_back)
{
	static const char *const rows[][2] = {
		{"198.18.0.2/24", "198.18.0.2/24"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"10.1.2.3", "10.1.2.3/32"},
		{"2001:db8::/32", "2001:db8::/32"},
		{"::1", "::1/128"},
	};
	char text[ADDR_TEXT_BYTES];

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct prefix prefix;

		cr_assert_eq(prefix_parse(&prefix, rows[i][0]), 0, "%s", rows[i][0]);
		cr_expect_str_eq(prefix_format(&prefix, text), rows[i][1]);
	}
}

Test(base_addr, prefixes_are_strict)
{
	static const char *const texts[] = {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33",
		"10.0.0.0/-1", "10.0.0.0/ 8", "10.0.0.0/8/8", "::/129", "::/1x", "10.0.0/8"};

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		struct prefix prefix = {.n_bits = 77};

		cr_expect_eq(prefix_parse(&prefix, texts[i]), -EINVAL, "%s", texts[i]);
		cr_expect_eq(prefix.n_bits, 77, "%s", texts[i]);
	}
}

struct contains_row {
	const char *prefix;
	const char *ip;
	bool inside;
};

Test(base_addr, a_prefix_contains_what_shares_its_bits)
{
	static const struct contains_row rows[] = {
		{"198.18.0.0/15", "198.19.255.255", true},
		{"198.18.0.0/15", "198.20.0.0", false},
		{"198.18.0.0/15", "198.17.255.255", false},
		{"198.18.0.2/24", "198.18.0.99", true}, // host bits of the prefix don't count
		{"198.18.0.2/24", "198.18.1.2", false},
		{"10.0.0.1/32", "10.0.0.1", true},
		{"10.0.0.1/32", "10.0.0.0", false},
		{"0.0.0.0/0", "255.255.255.255", true},
		{"0.0.0.0/0", "::", false},
		{"::/0", "0.0.0.0", false},
		{"fe80::/10", "febf::1", true},
		{"fe80::/10", "fec0::1", false},
		{"::1/128", "::1", true},
		{"::1/128", "::2", false},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct prefix prefix;
		struct ip_addr ip;

		cr_assert_eq(prefix_parse(&prefix, rows[i].prefix), 0);
		cr_assert_eq(ip_parse(&ip, rows[i].ip), 0);
		cr_expect_eq(prefix_contains(&prefix, &ip), rows[i].inside, "%s in %s", rows[i].ip,
			rows[i].prefix);
	}
}

Test(base_addr, raw_ipv4_is_the_packets_own_bytes)
{
	const uint8_t wire[4] = {198, 18, 0, 2};
	uint32_t raw;
	struct ip_addr ip;

	memcpy(&raw, wire, sizeof(raw));
	ip = ip_from_u32_raw(raw);
	cr_assert_eq(ip.family, FAMILY_IPV4);
	cr_assert_arr_eq(ip.bytes, wire, 4);
	cr_assert_eq(ip_to_u32_raw(&ip), raw);
}

Test(base_addr, equality_looks_at_family_address_and_port)
{
	const uint8_t zeros[16] = {0};
	const struct ip_addr v4 = ip_from_bytes(FAMILY_IPV4, zeros);
	const struct ip_addr v6 = ip_from_bytes(FAMILY_IPV6, zeros);
	const struct ip_addr other = ip_from_bytes(FAMILY_IPV4, (const uint8_t[]){0, 0, 0, 1});

	cr_assert(ip_equal(&v4, &v4));
	cr_assert_not(ip_equal(&v4, &v6));
	cr_assert_not(ip_equal(&v4, &other));
	cr_assert(endpoint_equal(&(struct endpoint){v4, 7}, &(struct endpoint){v4, 7}));
	cr_assert_not(endpoint_equal(&(struct endpoint){v4, 7}, &(struct endpoint){v4, 8}));
	cr_assert_not(endpoint_equal(&(struct endpoint){v4, 7}, &(struct endpoint){other, 7}));
}

Test(base_addr, an_empty_ip_has_a_text)
{
	char text[ADDR_TEXT_BYTES];

	cr_assert_str_eq(ip_format(&(struct ip_addr){0}, text), "none");
}
