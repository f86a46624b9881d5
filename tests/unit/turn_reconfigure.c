// Another configuration while allocations live: what holds at once, what goes on, and what ends
// later.
#include "turn_change.h"

// SHA-256 and MD5 keys of no password; only that they differ counts.
static const struct rig_user user_new_key = {"user", {{7, 7, 7}, 16}, {{8, 8, 8}, 32}};
// See turn_rest.c.
static const struct rig_user alice_by_north = {"1700000600:alice",
	{{0x13, 0x0d, 0x5e, 0xd3, 0x9b, 0xa1, 0x9f, 0x9e, 0x06, 0x47, 0x37, 0x5c, 0x2a, 0x8f, 0x6b,
		 0x4c},
		16}};

TestSuite(turn_reconfigure, .init = open_rig, .fini = close_rig);

Test(turn_reconfigure, the_same_again_changes_nothing)
{
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	for (int i = 0; i < 20; i++)
		reconfigure();
	cr_expect_eq(rig_sweep(&rig), 1);
	cr_expect_eq(rig_bind(&rig, 0x4001, "11.0.0.2:9"), 0, "by the nonce of before");
	cr_expect_eq(rig_refresh(&rig, 600), 0);
	cr_expect_eq(rig_refresh(&rig, 0), 0);
	cr_expect_eq(rig.n_entries, 0);
	cr_expect_not(turn_trim(rig.turn));
	cr_expect_eq(rig_stats(&rig).n_allocations_created, 1);
}

Test(turn_reconfigure, what_is_above_a_lower_limit_is_refreshed_and_grows_no_more)
{
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_assert_eq(rig_bind(&rig, 0x4001, "11.0.0.2:9"), 0);
	cr_assert_eq(rig_permit(&rig, "11.0.0.3"), 0);
	config.n_permissions_max = 2;
	config.n_channels_max = 3;
	reconfigure();
	cr_expect_eq(rig_permit(&rig, "11.0.0.3"), 0);
	cr_expect_eq(rig_permit(&rig, "11.0.0.4"), 508);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_expect_eq(rig_bind(&rig, 0x4002, "11.0.0.4:9"), 508);
	cr_expect_eq(rig_bind(&rig, 0x4002, "11.0.0.3:9"), 0, "it needs no permission more");
	cr_expect_eq(rig_bind(&rig, 0x4003, "11.0.0.3:10"), 508);
}

Test(turn_reconfigure, who_is_gone_keeps_his_allocation_until_its_end)
{
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_assert_eq(rig_permit(&rig, "11.0.0.1"), 0);
	users[0] = rig_turn_user(&rig_other);
	config.realm.n_users = 1;
	reconfigure();
	cr_expect_eq(rig.n_entries, 2, "media go on");
	cr_expect_eq(rig_refresh(&rig, 600), 401);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 401);
	rig_pass(&rig, 601000);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
	next_client();
	cr_expect_eq(rig_allocate(&rig), 401);
	rig.user = &rig_other;
	cr_expect_eq(rig_allocate(&rig), 0);
}

Test(turn_reconfigure, who_comes_back_has_lost_nothing)
{
	cr_assert_eq(rig_allocate(&rig), 0);
	config.realm.n_users = 0;
	config.realm.rest_secrets = &north;
	config.realm.n_rest_secrets = 1;
	reconfigure();
	cr_expect_eq(rig_refresh(&rig, 600), 401);
	config.realm.n_users = 2;
	reconfigure();
	cr_expect_eq(rig_refresh(&rig, 600), 0);
}

Test(turn_reconfigure, another_password_is_the_only_one_and_keeps_the_allocation)
{
	cr_assert_eq(rig_allocate(&rig), 0);
	users[0] = rig_turn_user(&user_new_key);
	reconfigure();
	cr_expect_eq(rig_refresh(&rig, 600), 401);
	rig.user = &user_new_key;
	cr_expect_eq(rig_refresh(&rig, 600), 0);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_expect_eq(rig_refresh(&rig, 0), 0);
}

// Both identities are of one account.
Test(turn_reconfigure, another_password_is_no_second_quota)
{
	config.realm.n_allocations_per_user = 1;
	reconfigure();
	cr_assert_eq(rig_allocate(&rig), 0);
	users[0] = rig_turn_user(&user_new_key);
	reconfigure();
	next_client();
	rig.user = &user_new_key;
	cr_expect_eq(rig_allocate(&rig), 486);
}

Test(turn_reconfigure, new_users_and_secrets_are_good_at_once)
{
	config.realm.n_users = 1;
	reopen();
	rig.user = &rig_other;
	cr_assert_eq(rig_allocate(&rig), 401);
	config.realm.n_users = 2;
	config.realm.rest_secrets = &north;
	config.realm.n_rest_secrets = 1;
	reconfigure();
	cr_expect_eq(rig_allocate(&rig), 0);
	next_client();
	rig.user = &alice_by_north;
	cr_expect_eq(rig_allocate(&rig), 0);
}

Test(turn_reconfigure, a_secret_that_is_gone_makes_no_allocations_and_ends_none)
{
	config.realm.rest_secrets = &north;
	config.realm.n_rest_secrets = 1;
	reconfigure();
	rig.user = &alice_by_north;
	cr_assert_eq(rig_allocate(&rig), 0);
	config.realm.n_rest_secrets = 0;
	reconfigure();
	cr_expect_eq(rig_refresh(&rig, 600), 0);
	next_client();
	cr_expect_eq(rig_allocate(&rig), 401);
}

Test(turn_reconfigure, a_user_is_found_by_userhash_as_long_as_he_is_there)
{
	// SHA-256("user:realm"), by Python's hashlib.
	static const uint8_t hash[STUN_SHA256_BYTES] = {0x6a, 0x30, 0x29, 0x11, 0x6b, 0x47, 0xaa,
		0x98, 0xbc, 0xaa, 0x32, 0x53, 0x99, 0x73, 0x3d, 0xc1, 0xa2, 0x3c, 0xd5, 0x7e, 0x26,
		0xb8, 0x1b, 0xef, 0x3f, 0xf6, 0x53, 0x1c, 0xe6, 0x24, 0xe2, 0xda};
	static const int wanted[] = {0, 401, 0};

	for (int i = 0; i < 3; i++) {
		users[0] = rig_turn_user(i == 1 ? &rig_nobody : &rig_user);
		config.realm.asks_userhash = true;
		reconfigure();
		next_client();
		rig_begin(&rig, STUN_ALLOCATE);
		stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
		stun_put_bytes(&rig.w, STUN_ATTR_USERHASH, hash, sizeof(hash));
		stun_put_bytes(&rig.w, STUN_ATTR_REALM, "realm", 5);
		stun_put_bytes(&rig.w, STUN_ATTR_NONCE, rig.nonce, rig.nonce_bytes);
		stun_put_integrity(&rig.w, rig.mac, &rig_user.key);
		cr_expect_eq(rig_deliver(&rig), wanted[i], "%d", i);
	}
}

Test(turn_reconfigure, a_lower_limit_ends_nothing)
{
	cr_assert_eq(rig_allocate(&rig), 0);
	next_client();
	cr_assert_eq(rig_allocate(&rig), 0);
	config.n_allocations_max = 1;
	config.n_permissions_max = 1;
	config.lifetime_s = 700;
	reconfigure();
	cr_expect_eq(rig_refresh(&rig, 600), 0);
	cr_expect_eq(rig_u32(&rig, STUN_ATTR_LIFETIME), 700);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 0);
	cr_expect_eq(rig_permit(&rig, "11.0.0.2"), 508);
	next_client();
	cr_expect_eq(rig_allocate(&rig), 508);
	config.n_allocations_max = 3;
	reconfigure();
	cr_expect_eq(rig_allocate(&rig), 0);
}

// Tables of the start hold one; indices of users are of all that there may be.
Test(turn_reconfigure, a_higher_limit_has_room_for_all)
{
	config.n_allocations_max = 1;
	config.realm.n_users = 1;
	reopen();
	cr_assert_eq(rig_allocate(&rig), 0);
	config.n_allocations_max = 16;
	config.realm.rest_secrets = &north;
	config.realm.n_rest_secrets = 1;
	config.realm.n_users = 2;
	reconfigure();
	for (int i = 0; i < 15; i++) {
		next_client();
		rig.user = i % 3 == 0 ? &rig_user : i % 3 == 1 ? &rig_other : &alice_by_north;
		cr_assert_eq(rig_allocate(&rig), 0);
	}
	rig_pass(&rig, 601000);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
}

Test(turn_reconfigure, quotas_hold_for_what_is_there_already)
{
	cr_assert_eq(rig_allocate(&rig), 0);
	config.realm.n_allocations_per_user = 1;
	reconfigure();
	next_client();
	cr_expect_eq(rig_allocate(&rig), 486);
	rig.user = &rig_other;
	cr_expect_eq(rig_allocate(&rig), 0);
	config.realm.n_allocations_per_user = 0;
	config.realm.n_allocations_max = 2;
	reconfigure();
	next_client();
	cr_expect_eq(rig_allocate(&rig), 486);
}

Test(turn_reconfigure, a_denied_peer_loses_what_it_has_and_others_keep_it)
{
	const struct ip_range deny[] = {range("11.0.0.1"), range("11.0.0.3")};

	cr_assert_eq(rig_allocate(&rig), 0);
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_assert_eq(rig_bind(&rig, 0x4001, "11.0.0.2:9"), 0);
	cr_assert_eq(rig_permit(&rig, "11.0.0.3"), 0);
	config.realm.peers = (struct turn_peer_policy){.deny = deny, .n_deny = 2};
	reconfigure();
	cr_expect_eq(rig_permit(&rig, "11.0.0.3"), 403, "nothing new from now on");
	cr_expect_eq(rig.n_entries, 8, "what stands, stands until the sweep");
	rig_sweep(&rig);
	cr_expect_eq(rig.n_entries, 4, "the allocation, a permission and a channel");
	cr_expect_eq(rig_stats(&rig).n_permissions, 1);
	cr_expect_eq(rig_stats(&rig).n_channels, 1);
	cr_expect_eq(rig_bind(&rig, 0x4001, "11.0.0.2:9"), 0);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.2:10"), 0, "the number is free again");
}

// One rule that was hit, and one that only a sweep would hit.
Test(turn_reconfigure, rules_count_on_and_a_sweep_counts_nothing)
{
	const struct ip_range before[] = {range("11.0.0.1"), range("11.0.0.2")};
	const struct ip_range after[] = {range("11.0.0.2"), range("11.0.0.3")};
	struct turn_peer_rule rule;
	uint64_t n_hits[2] = {0};

	config.realm.peers = (struct turn_peer_policy){.deny = before, .n_deny = 2};
	reconfigure();
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_assert_eq(rig_permit(&rig, "11.0.0.3"), 0);
	for (int i = 0; i < 5; i++)
		cr_expect_eq(rig_permit(&rig, "11.0.0.2"), 403);
	config.realm.peers.deny = after;
	reconfigure();
	rig_sweep(&rig);
	for (size_t i = 0; turn_peer_rule_get(rig.turn, 0, i, &rule); i++)
		for (size_t k = 0; k < 2; k++)
			if (ip_equal(&rule.range.first, &after[k].first))
				n_hits[k] = rule.n_hits;
	cr_expect_eq(n_hits[0], 5);
	cr_expect_eq(n_hits[1], 0);
	cr_expect_eq(rig_stats(&rig).n_permissions, 0);
}

static uint64_t n_denied(void)
{
	struct turn_realm_stats stats;

	cr_assert(turn_realm_stats_get(rig.turn, 0, &stats));
	return stats.n_peer_hits[TURN_PEER_DENY];
}

// Whoever reads them takes a smaller number for a new beginning.
Test(turn_reconfigure, what_all_rules_of_a_kind_have_counted_never_sinks)
{
	const struct ip_range deny[] = {range("11.0.0.1"), range("11.0.0.2")};

	config.realm.peers = (struct turn_peer_policy){.deny = deny, .n_deny = 2};
	reconfigure();
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_assert_eq(rig_permit(&rig, "11.0.0.1"), 403);
	cr_assert_eq(rig_permit(&rig, "11.0.0.2"), 403);
	cr_expect_eq(n_denied(), 2);
	config.realm.peers.n_deny = 1;
	reconfigure();
	cr_expect_eq(n_denied(), 2);
	cr_assert_eq(rig_permit(&rig, "11.0.0.1"), 403);
	cr_expect_eq(n_denied(), 3);
}

Test(turn_reconfigure, a_sweep_of_many_comes_in_bounded_shares)
{
	const struct ip_range deny = range("11.0.0.0/8");
	unsigned n_shares;

	relays[0].port_max = 50999;
	reconfigure();
	for (int i = 0; i < 400; i++) {
		rig.client.port++;
		if (i % 50 == 0)
			rig_pass(&rig, 1);
		rig_challenge(&rig);
		cr_assert_eq(rig_allocate(&rig), 0);
		cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	}
	config.realm.peers = (struct turn_peer_policy){.deny = &deny, .n_deny = 1};
	reconfigure();
	n_shares = rig_sweep(&rig);
	cr_expect_geq(n_shares, 4, "%u", n_shares);
	cr_expect_leq(n_shares, 10, "%u", n_shares);
	cr_expect_eq(rig.n_entries, 400);
}

Test(turn_reconfigure, a_full_list_of_effects_only_delays_a_sweep)
{
	const struct ip_range deny = range("11.0.0.0/8");
	struct turn_effect items[2];
	struct turn_effects few = {items, 0, 2};
	uint32_t cursor = 0;

	cr_assert_eq(rig_allocate(&rig), 0);
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_assert_eq(rig_bind(&rig, 0x4001, "11.0.0.2:9"), 0);
	config.realm.peers = (struct turn_peer_policy){.deny = &deny, .n_deny = 1};
	reconfigure();
	cr_expect(turn_sweep(rig.turn, &cursor, &few));
	cr_expect_eq(few.n, 2);
	cr_expect_eq(cursor, 0);
	few.n = 0;
	cr_expect(turn_sweep(rig.turn, &cursor, &few));
	cr_expect_eq(few.n, 2);
	few.n = 0;
	cr_expect_not(turn_sweep(rig.turn, &cursor, &few));
	cr_expect_eq(few.n, 2, "both permissions");
	rig.n_entries = 1;
}

Test(turn_reconfigure, what_cannot_be_is_refused_without_a_trace)
{
	struct turn_config wrong = config;

	cr_assert_eq(rig_allocate(&rig), 0);
	wrong.lifetime_s = 0;
	cr_expect_eq(rig_reconfigure(&rig, &wrong), -EINVAL);
	wrong = config;
	wrong.n_relays = 0;
	cr_expect_eq(rig_reconfigure(&rig, &wrong), -EINVAL);
	wrong = config;
	wrong.realm.uses_source = true;
	cr_expect_eq(rig_reconfigure(&rig, &wrong), -EINVAL);
	users[1] = users[0];
	cr_expect_eq(rig_reconfigure(&rig, &config), -EINVAL, "a name twice");
	cr_expect_eq(rig_refresh(&rig, 600), 0);
	cr_expect_eq(n_services(), 2);
	expect_range(50000, 50015);
}

Test(turn_reconfigure, what_was_prepared_can_be_given_up)
{
	struct turn *next;

	cr_assert_eq(rig_allocate(&rig), 0);
	config.realm.n_users = 1;
	config.more_realms = &blue;
	config.n_more_realms = 1;
	cr_assert_eq(turn_prepare(&next, rig.turn, &config), 0);
	turn_destroy(next);
	cr_expect_eq(rig_refresh(&rig, 600), 0);
	rig.service.port = CLOSED;
	rig_challenge(&rig);
	rig.user = &rig_other;
	cr_expect_eq(rig_allocate(&rig), 0, "in the first realm");
}

// "other" has keys of "realm" alone: in blue they are what the configuration says they are.
Test(turn_reconfigure, a_realm_comes_with_its_listener_and_an_allocation_stays_where_it_was_made)
{
	rig.service.port = CLOSED;
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
	config.more_realms = &blue;
	config.n_more_realms = 1;
	reconfigure();
	cr_expect_eq(rig_refresh(&rig, 600), 0, "in the realm of before, by its nonce");
	rig.client.port++;
	rig_challenge(&rig);
	cr_expect_eq(stun_find(&rig.view, STUN_ATTR_REALM)->n_bytes, 4, "blue");
	rig.realm = "blue";
	cr_expect_eq(rig_allocate(&rig), 0);
}

// RFC 8016: his ticket is asked for by the realm that gave it, where it was given and nowhere else.
Test(turn_reconfigure, a_client_moves_in_the_realm_where_its_allocation_was_made)
{
	config.allows_mobility = true;
	reopen();
	rig.service.port = CLOSED;
	rig_challenge(&rig);
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_bytes(&rig.w, STUN_ATTR_MOBILITY_TICKET, "", 0);
	cr_assert_eq(rig_send(&rig), 0);
	rig_keep_ticket(&rig);
	config.more_realms = &blue;
	config.n_more_realms = 1;
	reconfigure();
	rig.client.port++;
	cr_assert_eq(rig_move(&rig), 438);
	cr_expect_eq(stun_find(&rig.view, STUN_ATTR_REALM)->n_bytes, 5, "realm");
	rig_learn(&rig);
	cr_expect_eq(rig_move(&rig), 0);
	rig_keep_ticket(&rig);
	rig.client.port++;
	config.n_more_realms = 0;
	config.realm.name = "green";
	config.more_realms = NULL;
	reconfigure();
	cr_assert_eq(rig_move(&rig), 438);
	rig_learn(&rig);
	cr_expect_eq(rig_move(&rig), 441, "its realm is gone");
}

Test(turn_reconfigure, a_realm_that_is_gone_ends_with_its_allocations)
{
	struct turn_realm_stats stats;

	config.more_realms = &blue;
	config.n_more_realms = 1;
	config.realm.rest_secrets = &north;
	config.realm.n_rest_secrets = 1;
	reconfigure();
	rig.service.port = CLOSED;
	rig.realm = "blue";
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_assert(turn_realm_stats_get(rig.turn, 1, &stats));
	cr_expect_eq(stats.n_allocations, 1);
	config.n_more_realms = 0;
	reconfigure();
	cr_expect_not(turn_realm_stats_get(rig.turn, 1, &stats));
	cr_expect_eq(rig_refresh(&rig, 600), 438, "its listener is another realm's now");
	rig_challenge(&rig);
	cr_expect_eq(rig_refresh(&rig, 600), 441);
	cr_expect_eq(rig.n_entries, 1);
	turn_trim(rig.turn);
	config.n_more_realms = 1;
	reconfigure();
	rig_challenge(&rig);
	cr_expect_eq(rig_refresh(&rig, 600), 0, "it has come back");
	config.n_more_realms = 0;
	reconfigure();
	rig_pass(&rig, 601000);
	turn_trim(rig.turn);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
}

Test(turn_reconfigure, another_name_of_the_realm_is_another_realm)
{
	cr_assert_eq(rig_allocate(&rig), 0);
	config.realm.name = "green";
	reconfigure();
	rig_challenge(&rig);
	cr_expect_neq(rig_refresh(&rig, 600), 0);
	rig.realm = "green";
	next_client();
	cr_expect_eq(rig_allocate(&rig), 0);
	rig_pass(&rig, 601000);
	turn_trim(rig.turn);
}

// A client that has the old offer is told the new one instead of being refused.
Test(turn_reconfigure, another_offer_of_algorithms_makes_nonces_stale)
{
	config.realm.offers_sha256 = true;
	reconfigure();
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
	config.realm.offers_sha256 = false;
	reconfigure();
	rig_begin(&rig, STUN_REFRESH);
	stun_put_bytes(&rig.w, STUN_ATTR_USERNAME, "user", 4);
	stun_put_bytes(&rig.w, STUN_ATTR_REALM, "realm", 5);
	stun_put_bytes(&rig.w, STUN_ATTR_NONCE, rig.nonce, rig.nonce_bytes);
	stun_put_bytes(&rig.w, STUN_ATTR_PASSWORD_ALGORITHMS, "\0\2\0\0\0\1\0\0", 8);
	stun_put_bytes(&rig.w, STUN_ATTR_PASSWORD_ALGORITHM, "\0\2\0\0", 4);
	stun_put_integrity_sha256(&rig.w, rig.mac, &rig_user.key_sha256);
	cr_expect_eq(rig_deliver(&rig), 438);
	rig_challenge(&rig);
	cr_expect_eq(rig_refresh(&rig, 600), 0);
}

Test(turn_reconfigure, mobility_and_software_can_be_turned_on_and_off)
{
	config.allows_mobility = true;
	config.n_allocations_max = 2; // tables of the start stay
	config.software = "relay";
	reconfigure();
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_bytes(&rig.w, STUN_ATTR_MOBILITY_TICKET, NULL, 0);
	cr_assert_eq(rig_send(&rig), 0);
	cr_expect(rig_has(&rig, STUN_ATTR_SOFTWARE));
	rig_keep_ticket(&rig);
	config.software = NULL;
	reconfigure();
	rig.client = rig_endpoint("198.51.100.77:1");
	rig_challenge(&rig);
	cr_assert_eq(rig_move(&rig), 0);
	cr_expect_not(rig_has(&rig, STUN_ATTR_SOFTWARE));
	rig_keep_ticket(&rig);
	config.allows_mobility = false;
	reconfigure();
	cr_expect_eq(rig_move(&rig), 405);
	cr_expect_eq(rig_refresh(&rig, 600), 0, "the pending 5-tuple goes on");
	cr_expect_null(turn_check(rig.turn));
}

static void act(struct random *random)
{
	rig.client.port = (uint16_t)(7000 + random_below(random, 6));
	rig.service.port = (uint16_t)(3478 + random_below(random, 2));
	rig.user = random_below(random, 2) ? &rig_user : &rig_other;
	rig.realm = random_below(random, 4) ? "realm" : "blue";
	rig_begin(&rig, STUN_ALLOCATE);
	rig.user = NULL;
	if (rig_deliver(&rig) == 401) {
		const struct stun_attr *nonce = stun_find(&rig.view, STUN_ATTR_NONCE);

		memcpy(rig.nonce, nonce->value, nonce->n_bytes);
		rig.nonce_bytes = nonce->n_bytes;
	}
	rig.user = random_below(random, 2) ? &rig_user : &rig_other;
	switch (random_below(random, 5)) {
	case 0:
	case 1:
		rig_allocate(&rig);
		break;
	case 2:
		rig_refresh(&rig, random_below(random, 2) ? 600 : 0);
		break;
	case 3:
		rig_permit(&rig, random_below(random, 2) ? "11.0.0.1" : "11.0.0.2");
		break;
	default:
		rig_bind(&rig, 0x4000, random_below(random, 2) ? "11.0.0.1:9" : "11.0.0.2:9");
		break;
	}
}

static void change(struct random *random, const struct ip_range *deny)
{
	const uint32_t first = random_below(random, 3);

	config.n_services = 1 + random_below(random, 2);
	config.n_more_realms = config.n_services == 2 ? random_below(random, 2) : 0;
	config.more_realms = &blue;
	users[0] = rig_turn_user(first == 0 ? &rig_user : first == 1 ? &user_new_key : &rig_nobody);
	config.realm.peers.n_deny = random_below(random, 2);
	config.realm.peers.deny = deny;
	config.realm.offers_sha256 = random_below(random, 2);
	config.n_relays = 1 + random_below(random, 2);
	relays[0].port_min = (uint16_t)(50000 + random_below(random, 8));
	relays[0].port_max = (uint16_t)(50008 + random_below(random, 8));
}

Test(turn_reconfigure, at_random_everything_adds_up)
{
	const struct ip_range deny = range("11.0.0.1");
	struct random random = {.state = 7};
	unsigned n_done = 0;

	relays[1] = relays[0];
	relays[1].ip.bytes[3] = 77;
	for (int i = 0; i < 4000; i++) {
		act(&random);
		if (random_below(&random, 3) == 0) {
			change(&random, &deny);
			n_done += rig_reconfigure(&rig, &config) == 0;
		}
		if (random_below(&random, 4) == 0) {
			rig_sweep(&rig);
			turn_trim(rig.turn);
		}
		if (random_below(&random, 20) == 0)
			rig_pass(&rig, 100000);
		if (random_below(&random, 5) == 0)
			rig_cool_down(&rig);
		cr_assert_null(turn_check(rig.turn), "%d: %s", i, turn_check(rig.turn));
	}
	cr_expect_gt(n_done, 1000);
	cr_expect_gt(rig_stats(&rig).n_allocations_created, 150);
}
