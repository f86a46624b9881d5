// Users and settings of a source, and a configuration that changes: what the one says is never
// taken for the other's word.
#include "turn_change.h"

TestSuite(turn_source_change, .init = open_rig, .fini = close_rig);

// See turn_realm.c.
static const struct rig_user alice_in_blue_by_north = {"1700000600:alice",
	{{0x0e, 0xa5, 0xc8, 0x2f, 0x6d, 0x94, 0x04, 0x95, 0x24, 0x7b, 0x90, 0x65, 0x82, 0x67, 0x1c,
		 0x61},
		16}};

static enum turn_lookup find_nobody(void *context, size_t realm_idx, const void *name,
	size_t n_bytes, bool may_ask, struct turn_keys *out)
{
	(void)name;
	(void)n_bytes;
	(void)may_ask;
	(void)out;
	*(size_t *)context = realm_idx;
	return TURN_UNKNOWN;
}

// The source knows realms by their places at the start.
Test(turn_source_change, what_a_source_has_said_stays)
{
	const struct ip_range deny = range("11.0.0.1");
	struct turn_realm_update update = {
		.rest_secrets = &north,
		.n_rest_secrets = 1,
		.n_allocations_per_user = 1,
		.deny = &deny,
		.n_deny = 1,
	};
	size_t asked_idx = 99;
	struct turn_realm_config more[2] = {blue, blue};

	more[0].name = "green";
	more[0].services = &config.services[0];
	more[1].uses_source = true;
	config.source = (struct turn_source){find_nobody, &asked_idx};
	config.more_realms = more;
	config.n_more_realms = 2;
	reopen();
	cr_assert_eq(turn_realm_update(rig.turn, 2, &update), 0);
	config.more_realms = &more[1];
	config.n_more_realms = 1;
	more[1].users = users + 1;
	more[1].n_users = 1;
	reconfigure();
	rig.service.port = CLOSED;
	rig.realm = "blue";
	rig_challenge(&rig);
	cr_expect_eq(rig_allocate(&rig), 401);
	cr_expect_eq(asked_idx, 2);
	rig.user = &rig_other;
	cr_expect_eq(rig_allocate(&rig), 0);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 403);
	next_client();
	cr_expect_eq(rig_allocate(&rig), 486);
	rig.user = &alice_in_blue_by_north;
	cr_expect_eq(rig_allocate(&rig), 0);
	next_client();
	rig.user = &rig_other;
	update = (struct turn_realm_update){.n_allocations_per_user = 2};
	cr_assert_eq(turn_realm_update(rig.turn, 2, &update), 0);
	cr_expect_eq(rig_allocate(&rig), 0);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 0);
	cr_expect_eq(turn_realm_update(rig.turn, 1, &update), -ENOENT, "of green, which is gone");
	cr_expect_null(turn_source_realm(rig.turn, 1));
	cr_expect_str_eq(turn_source_realm(rig.turn, 2), "blue");
	config.realm.uses_source = true;
	cr_expect_eq(rig_reconfigure(&rig, &config), -EINVAL, "it does not know that one");
	config.n_more_realms = 0;
}

// What a source said is told from what is configured by who said it, not by its number.
Test(turn_source_change, what_a_source_has_said_stays_where_the_configuration_said_the_same)
{
	struct turn_realm_update update = {.n_allocations_max = 2, .n_allocations_per_user = 1};
	size_t asked_idx;

	config.realm.uses_source = true;
	config.source = (struct turn_source){find_nobody, &asked_idx};
	config.realm.n_allocations_max = 2;
	config.realm.n_allocations_per_user = 1;
	reopen();
	cr_assert_eq(turn_realm_update(rig.turn, 0, &update), 0);
	config.realm.n_allocations_max = 9;
	config.realm.n_allocations_per_user = 9;
	reconfigure();
	cr_expect_eq(rig_allocate(&rig), 0);
	next_client();
	cr_expect_eq(rig_allocate(&rig), 486, "one of a user");
	rig.user = &rig_other;
	cr_expect_eq(rig_allocate(&rig), 0);
	next_client();
	update.n_allocations_per_user = 0;
	cr_assert_eq(turn_realm_update(rig.turn, 0, &update), 0);
	cr_expect_eq(rig_allocate(&rig), 486, "two in all");
	update.n_allocations_max = 0;
	cr_assert_eq(turn_realm_update(rig.turn, 0, &update), 0);
	cr_expect_eq(rig_allocate(&rig), 0, "as the file has it now");
}

Test(turn_source_change, a_realm_that_leaves_the_source_forgets_all_that_it_said)
{
	const struct ip_range deny = range("11.0.0.1");
	const struct turn_realm_update update = {
		.rest_secrets = &north,
		.n_rest_secrets = 1,
		.n_allocations_max = 1,
		.n_allocations_per_user = 1,
		.deny = &deny,
		.n_deny = 1,
	};
	const struct turn_realm_config file = blue;
	size_t asked_idx = 99;

	blue.uses_source = true;
	config.source = (struct turn_source){find_nobody, &asked_idx};
	config.more_realms = &blue;
	config.n_more_realms = 1;
	reopen();
	rig.service.port = CLOSED;
	rig.realm = "blue";
	cr_assert_eq(turn_realm_update(rig.turn, 1, &update), 0);
	next_client();
	rig.user = &alice_in_blue_by_north;
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 403);
	blue = file;
	reconfigure();
	cr_expect_eq(rig_refresh(&rig, 600), 0, "what lives goes on");
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 0);
	cr_expect_eq(turn_realm_update(rig.turn, 1, &update), -ENOENT, "it has no say any more");
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 0);
	next_client();
	cr_expect_eq(rig_allocate(&rig), 401);
	cr_expect_eq(asked_idx, 99);
	rig.user = &rig_other;
	for (int i = 0; i < 2; i++) {
		next_client();
		cr_expect_eq(rig_allocate(&rig), 0);
	}
	blue.uses_source = true;
	cr_expect_eq(rig_reconfigure(&rig, &config), -EINVAL, "it does not know that one any more");
	config.n_more_realms = 0;
}

static uint64_t hits_of(const struct ip_range *range)
{
	struct turn_peer_rule rule;
	uint64_t n = 0;

	for (size_t i = 0; turn_peer_rule_get(rig.turn, 0, i, &rule); i++)
		if (ip_equal(&rule.range.first, &range->first) &&
			ip_equal(&rule.range.last, &range->last))
			n += rule.n_hits;
	return n;
}

// A set of Redis comes in any order.
Test(turn_source_change, rules_that_the_source_repeats_count_on)
{
	const struct ip_range lists[2][4] = {
		{range("11.0.0.1"), range("11.0.0.2"), range("11.0.0.2"), range("11.0.0.3")},
		{range("11.0.0.9"), range("11.0.0.3"), range("11.0.0.2"), range("11.0.0.2")}};
	struct turn_realm_update update = {.deny = lists[0], .n_deny = 4};
	size_t asked_idx;

	config.realm.uses_source = true;
	config.source = (struct turn_source){find_nobody, &asked_idx};
	reopen();
	cr_assert_eq(turn_realm_update(rig.turn, 0, &update), 0);
	cr_assert_eq(rig_allocate(&rig), 0);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(rig_permit(&rig, "11.0.0.2"), 403);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 403);
	cr_expect_eq(rig_permit(&rig, "11.0.0.3"), 403);
	update.deny = lists[1];
	cr_assert_eq(turn_realm_update(rig.turn, 0, &update), 0);
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(hits_of(&lists[1][0]), 0);
		cr_expect_eq(hits_of(&lists[1][1]), 1);
		cr_expect_eq(hits_of(&lists[1][2]), 3);
		reconfigure();
	}
	update.n_deny = 0;
	cr_assert_eq(turn_realm_update(rig.turn, 0, &update), 0);
	update.n_deny = 4;
	cr_assert_eq(turn_realm_update(rig.turn, 0, &update), 0);
	cr_expect_eq(hits_of(&lists[1][2]), 0, "it was gone");
}

// What is at hand of a source: one user, or nobody.
struct source {
	const struct turn_user *known;
	enum turn_lookup else_says;
};

static enum turn_lookup find(void *context, size_t realm_idx, const void *name, size_t n_bytes,
	bool may_ask, struct turn_keys *out)
{
	const struct source *source = context;
	const struct turn_user *known = source->known;

	(void)realm_idx;
	(void)may_ask;
	if (!known || strlen(known->name) != n_bytes || memcmp(known->name, name, n_bytes) != 0)
		return source->else_says;
	*out = known->keys;
	return TURN_FOUND;
}

// His old allocation and his new one hang on the same name and key.
Test(turn_source_change, a_configured_user_that_the_source_takes_over_needs_it_no_more_to_go_on)
{
	struct source source = {.else_says = TURN_UNKNOWN};

	config.realm.uses_source = true;
	config.source = (struct turn_source){find, &source};
	reopen();
	cr_assert_eq(rig_allocate(&rig), 0);
	config.realm.users = users + 1;
	config.realm.n_users = 1;
	reconfigure();
	cr_expect_eq(rig_refresh(&rig, 600), 401, "he is nobody's any more");
	source.known = &users[0];
	next_client();
	cr_expect_eq(rig_allocate(&rig), 0);
	source = (struct source){.else_says = TURN_OUT_OF_REACH};
	cr_expect_eq(rig_refresh(&rig, 600), 0);
	next_client();
	cr_expect_eq(rig_allocate(&rig), RIG_NO_ANSWER);
}

// The same name in both: the configured key is the one that counts, and both count as one user.
Test(turn_source_change, a_name_of_the_source_that_is_configured_too_is_one_user)
{
	struct turn_user theirs = rig_turn_user(&rig_other);
	struct source source = {&theirs, TURN_UNKNOWN};
	struct rig_user by_source = rig_other;

	theirs.keys.md5[0] ^= 1;
	by_source.key.bytes[0] ^= 1;
	config.realm.n_users = 1;
	config.realm.n_allocations_per_user = 2;
	config.realm.uses_source = true;
	config.source = (struct turn_source){find, &source};
	reopen();
	rig.user = &by_source;
	cr_assert_eq(rig_allocate(&rig), 0);
	config.realm.n_users = 2;
	reconfigure();
	cr_expect_eq(rig_refresh(&rig, 600), 0, "it goes on by the key it was made with");
	next_client();
	cr_expect_eq(rig_allocate(&rig), 401);
	rig.user = &rig_other;
	cr_expect_eq(rig_allocate(&rig), 0);
	next_client();
	cr_expect_eq(rig_allocate(&rig), 486);
	config.realm.n_users = 1;
	reconfigure();
	cr_expect_eq(rig_allocate(&rig), 401);
	rig.user = &by_source;
	cr_expect_eq(rig_allocate(&rig), 486);
}
