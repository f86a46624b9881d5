// Listeners, relay addresses and ports that come and go while allocations live on them.
#include "turn_change.h"

TestSuite(turn_reopen, .init = open_rig, .fini = close_rig);

Test(turn_reopen, a_closed_listener_serves_its_clients_and_nobody_else)
{
	rig.service.port = CLOSED;
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
	config.n_services = 1;
	reconfigure();
	cr_expect_eq(n_services(), 2, "workers must go on serving it");
	cr_expect_eq(rig_refresh(&rig, 600), 0);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	rig.client.port++;
	cr_expect_eq(rig_allocate(&rig), RIG_NO_ANSWER);
	rig.client.port--;
	cr_expect_not(turn_trim(rig.turn));
	cr_expect_eq(rig_refresh(&rig, 0), 0);
	cr_expect(turn_trim(rig.turn));
	cr_expect_eq(n_services(), 1);
	cr_expect_eq(rig_allocate(&rig), RIG_NO_ANSWER);
	config.n_services = 2;
	reconfigure();
	cr_expect_eq(rig_allocate(&rig), 0);
}

Test(turn_reopen, a_listener_that_opens_again_has_kept_its_clients)
{
	rig.service.port = CLOSED;
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
	for (int i = 0; i < 6; i++) {
		config.n_services = 1 + i % 2;
		reconfigure();
		turn_trim(rig.turn);
		cr_expect_eq(rig_refresh(&rig, 600), 0);
	}
	next_client();
	cr_expect_eq(rig_allocate(&rig), 0);
}

Test(turn_reopen, ports_that_are_closed_end_with_their_allocations)
{
	struct endpoint relayed[2];

	cr_assert_eq(rig_allocate(&rig), 0);
	relayed[0] = rig_address(&rig, STUN_ATTR_XOR_RELAYED_ADDRESS);
	relays[0].port_min = 51000;
	relays[0].port_max = 51003;
	reconfigure();
	cr_expect_eq(rig_stats(&rig).n_ports_used, 1);
	cr_expect_eq(rig_stats(&rig).n_ports_free, 4);
	expect_range(relayed[0].port, 51003);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	rig.user = &rig_other;
	for (int i = 0; i < 4; i++) {
		next_client();
		cr_assert_eq(rig_allocate(&rig), 0);
		relayed[1] = rig_address(&rig, STUN_ATTR_XOR_RELAYED_ADDRESS);
		cr_expect_geq(relayed[1].port, 51000);
	}
	next_client();
	cr_expect_eq(rig_allocate(&rig), 508);
	cr_expect_eq(rig_permit(&rig, "192.0.2.15"), 437);
	rig.client.port = 7000;
	rig.user = &rig_user;
	rig_challenge(&rig);
	cr_expect_eq(rig_refresh(&rig, 0), 0);
	cr_expect_not(turn_trim(rig.turn), "it cools");
	expect_range(relayed[0].port, 51003);
	rig_cool_down(&rig);
	cr_expect(turn_trim(rig.turn));
	expect_range(51000, 51003);
	cr_expect_eq(rig_stats(&rig).n_ports_free, 0);
}

// Two clients of this box: who is on a closed port is still a peer; a closed port that is free is
// none.
Test(turn_reopen, a_closed_port_is_a_peer_while_it_is_used)
{
	struct endpoint relayed;
	char text[ADDR_TEXT_BYTES];
	unsigned n_peers = 0;

	for (int i = 0; i < 4; i++) {
		next_client();
		cr_assert_eq(rig_allocate(&rig), 0);
	}
	relayed = rig_address(&rig, STUN_ATTR_XOR_RELAYED_ADDRESS);
	relays[0].port_min = 51000;
	relays[0].port_max = 51003;
	reconfigure();
	next_client();
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_expect_eq(rig_bind(&rig, 0x4000, endpoint_format(&relayed, text)), 0);
	for (relayed.port = 50000; relayed.port < 50016; relayed.port++) {
		n_peers += rig_bind(&rig, 0x4001 + relayed.port % 16,
				   endpoint_format(&relayed, text)) != 403;
	}
	cr_expect_eq(n_peers, 4);
}

Test(turn_reopen, a_relay_address_comes_and_goes)
{
	struct relay_range relay;
	unsigned n_second = 0;

	relays[1] = relays[0];
	relays[1].ip.bytes[3] = 77;
	config.n_relays = 2;
	reconfigure();
	cr_expect_eq(rig_stats(&rig).n_ports_free, 32);
	for (int i = 0; i < 20; i++) {
		next_client();
		cr_assert_eq(rig_allocate(&rig), 0);
		relay.ip = rig_address(&rig, STUN_ATTR_XOR_RELAYED_ADDRESS).ip;
		n_second += relay.ip.bytes[3] == 77;
	}
	cr_assert_gt(n_second, 3);
	config.n_relays = 1;
	reconfigure();
	cr_expect(turn_relay_get(rig.turn, 1, &relay));
	cr_expect_eq(rig_stats(&rig).n_ports_used, 20);
	cr_expect_eq(rig_stats(&rig).n_ports_free, 16 - (20 - n_second));
	rig_pass(&rig, 601000);
	rig_cool_down(&rig);
	cr_expect(turn_trim(rig.turn));
	cr_expect_not(turn_relay_get(rig.turn, 1, &relay));
	cr_expect_eq(rig_stats(&rig).n_ports_free, 16);
	config.n_relays = 2;
	reconfigure();
	cr_expect_eq(rig_stats(&rig).n_ports_free, 32);
}

Test(turn_reopen, a_closed_port_that_opens_again_is_the_same_allocations)
{
	cr_assert_eq(rig_allocate(&rig), 0);
	for (int i = 0; i < 6; i++) {
		relays[0].port_min = i % 2 ? 50000 : 51000;
		relays[0].port_max = i % 2 ? 50015 : 51015;
		reconfigure();
		turn_trim(rig.turn);
		cr_expect_eq(rig_stats(&rig).n_ports_used, 1);
		cr_expect_eq(rig_stats(&rig).n_ports_free, i % 2 ? 15 : 16);
		cr_expect_eq(rig_refresh(&rig, 600), 0);
	}
	cr_expect_eq(rig_refresh(&rig, 0), 0);
	rig_cool_down(&rig);
	cr_expect_eq(rig_stats(&rig).n_ports_free, 16);
}

// The second port of a pair is held over the change, and given to whom it was promised.
Test(turn_reopen, a_reserved_port_stays_reserved)
{
	uint8_t token[8];
	const struct stun_attr *attr;

	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_bytes(&rig.w, STUN_ATTR_EVEN_PORT, "\x80", 1);
	cr_assert_eq(rig_send(&rig), 0);
	attr = stun_find(&rig.view, STUN_ATTR_RESERVATION_TOKEN);
	cr_assert_not_null(attr);
	memcpy(token, attr->value, sizeof(token));
	relays[0].port_min = 51000;
	relays[0].port_max = 51015;
	reconfigure();
	next_client();
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_bytes(&rig.w, STUN_ATTR_RESERVATION_TOKEN, token, sizeof(token));
	cr_expect_eq(rig_send(&rig), 0);
	cr_expect_lt(rig_address(&rig, STUN_ATTR_XOR_RELAYED_ADDRESS).port, 51000);
}

Test(turn_reopen, a_listener_between_ports_in_use_is_refused_without_a_trace)
{
	const struct turn_config before = config;
	struct turn_stats stats;

	cr_assert_eq(rig_allocate(&rig), 0);
	stats = rig_stats(&rig);
	relays[0].port_min = 52000;
	relays[0].port_max = 52015;
	rig_listen(&config, (const char *const[]){"192.0.2.15:3478", "192.0.2.15:51000", NULL});
	config.realm.n_users = 0;
	config.realm.rest_secrets = &north;
	config.realm.n_rest_secrets = 1;
	cr_expect_eq(rig_reconfigure(&rig, &config), -EBUSY);
	cr_expect_eq(rig_refresh(&rig, 600), 0, "the user is still there");
	stats.n_requests[STUN_REFRESH]++;
	stats.n_errors[0]++;
	cr_expect_eq(memcmp(&stats, &(struct turn_stats){0}, sizeof(stats)) == 0, false);
	cr_expect_eq(rig_stats(&rig).n_ports_free, stats.n_ports_free);
	expect_range(50000, 50015);
	cr_expect_eq(rig_refresh(&rig, 0), 0);
	rig_cool_down(&rig);
	cr_expect_eq(rig_reconfigure(&rig, &config), 0, "nothing is in use any more");
	config = before;
}
