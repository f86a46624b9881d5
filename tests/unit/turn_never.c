// Addresses of this box that come and go while allocations live.
#include "turn_change.h"

TestSuite(turn_never, .init = open_rig, .fini = close_rig);

static void set_never(const struct ip_range *list, size_t n)
{
	cr_assert_eq(turn_set_never(rig.turn, list, n), 0);
}

Test(turn_never, what_stands_for_a_new_one_ends_and_may_come_again_when_it_has_gone)
{
	const struct ip_range all = range("0.0.0.0/0");
	const struct ip_range own[] = {range("11.0.0.1"), range("11.0.0.3")};

	config.realm.peers = (struct turn_peer_policy){.allow = &all, .n_allow = 1};
	reconfigure();
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_assert_eq(rig_bind(&rig, 0x4001, "11.0.0.2:9"), 0);
	cr_assert_eq(rig_permit(&rig, "11.0.0.3"), 0);
	set_never(own, 2);
	cr_expect_eq(rig_permit(&rig, "11.0.0.3"), 403, "nothing new from now on");
	cr_expect_eq(rig.n_entries, 8, "what stands, stands until the sweep");
	rig_sweep(&rig);
	cr_expect_eq(rig.n_entries, 4, "the allocation, a permission and a channel");
	cr_expect_eq(rig_bind(&rig, 0x4001, "11.0.0.2:9"), 0);
	set_never(own + 1, 1);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_expect_eq(rig_permit(&rig, "11.0.0.3"), 403);
	set_never(NULL, 0);
	cr_expect_eq(rig_permit(&rig, "11.0.0.3"), 0);
}

// Of one list in the place of a longer and a shorter one.
Test(turn_never, what_else_is_ruled_stays_and_counts_on)
{
	const struct ip_range own[] = {range("11.0.0.1"), range("11.0.0.2"), range("11.0.0.3")};
	const struct ip_range allow = range("10.0.0.1"), deny = range("11.0.0.4");
	struct turn_realm_update update = {.deny = &deny, .n_deny = 1};
	struct turn_peer_rule before[64], after;
	size_t n = 0;

	config.realm.peers = (struct turn_peer_policy){
		.never = own, .n_never = 1, .allow = &allow, .n_allow = 1};
	config.realm.uses_source = true;
	config.source.find = rig_find_nobody;
	reopen();
	cr_assert_eq(turn_realm_update(rig.turn, 0, &update), 0);
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_assert_eq(rig_permit(&rig, "11.0.0.1"), 403);
	cr_assert_eq(rig_permit(&rig, "11.0.0.4"), 403);
	cr_assert_eq(rig_permit(&rig, "10.0.0.1"), 0);
	while (n < N_ELEMENTS(before) && turn_peer_rule_get(rig.turn, 0, n, &before[n]))
		n++;
	cr_assert_lt(n, N_ELEMENTS(before));
	set_never(own, 3);
	cr_expect_eq(rig_permit(&rig, "11.0.0.3"), 403);
	cr_expect_eq(rig_permit(&rig, "11.0.0.5"), 0);
	set_never(own, 1);
	for (size_t i = 0; i < n; i++) {
		cr_assert(turn_peer_rule_get(rig.turn, 0, i, &after), "%zu", i);
		cr_expect_str_eq(after.name, before[i].name, "%zu", i);
		cr_expect(ip_equal(&after.range.first, &before[i].range.first), "%zu", i);
		cr_expect_eq(after.n_hits, before[i].n_hits, "%zu", i);
	}
	cr_expect_not(turn_peer_rule_get(rig.turn, 0, n, &after));
	// What a source says next still comes behind what is configured.
	set_never(own, 3);
	update = (struct turn_realm_update){.deny = &allow, .n_deny = 1};
	cr_assert_eq(turn_realm_update(rig.turn, 0, &update), 0);
	cr_expect_eq(rig_permit(&rig, "10.0.0.1"), 0);
	cr_expect_eq(rig_permit(&rig, "11.0.0.4"), 0);
}

Test(turn_never, it_holds_for_every_realm_and_for_one_that_is_gone)
{
	const struct ip_range own[] = {range("11.0.0.1"), range("11.0.0.2")};

	config.more_realms = &blue;
	config.n_more_realms = 1;
	reconfigure();
	rig.service.port = CLOSED;
	rig.realm = "blue";
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_assert_eq(rig_permit(&rig, "11.0.0.1"), 0);
	cr_assert_eq(rig_permit(&rig, "11.0.0.2"), 0);
	set_never(own, 1);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 403);
	config.n_more_realms = 0;
	reconfigure();
	set_never(own, 2);
	rig_sweep(&rig);
	cr_expect_eq(rig_stats(&rig).n_permissions, 0);
	rig_pass(&rig, 601000);
	turn_trim(rig.turn);
}
