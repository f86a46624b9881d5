#include "stun/stun.h"

#include <criterion/criterion.h>

static struct endpoint at(const char *text)
{
	struct endpoint endpoint;

	cr_assert_eq(endpoint_parse(&endpoint, text), 0);
	return endpoint;
}

struct row {
	const char *service;
	const char *other; // NULL: none
};

// RFC 5780 §6.1, table 1: the other address and the other port, from each of the four.
static const struct row rows[] = {
	{"192.0.2.1:3478", "192.0.2.2:3479"},
	{"192.0.2.2:3479", "192.0.2.1:3478"},
	{"192.0.2.1:3479", "192.0.2.2:3478"},
	{"192.0.2.2:3478", "192.0.2.1:3479"},
	{"192.0.2.1:3480", NULL},
	{"192.0.2.3:3478", NULL},
	{"192.0.2.3:3479", NULL},
	{"[2001:db8::1]:3478", NULL},
};

Test(stun_discovery, each_pair_has_the_one_that_differs_in_both)
{
	const struct stun_discovery discovery = {at("192.0.2.1:3478"), at("192.0.2.2:3479")};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const struct endpoint service = at(rows[i].service);
		struct endpoint other;
		char text[ADDR_TEXT_BYTES];

		cr_assert_eq(stun_discovery_other(&discovery, &service, &other),
			rows[i].other != NULL, "%s", rows[i].service);
		if (rows[i].other)
			cr_expect_str_eq(endpoint_format(&other, text), rows[i].other);
	}
}

Test(stun_discovery, without_an_alternate_there_is_none)
{
	const struct stun_discovery discovery = {.primary = at("192.0.2.1:3478")};
	const struct endpoint service = at("192.0.2.1:3478");
	struct endpoint other;

	cr_expect_not(stun_discovery_other(&discovery, &service, &other));
}
