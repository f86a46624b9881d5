// Another configuration, through the whole relay: what it takes from whom reaches every worker, and
// what cannot be handed over changes nothing.
#include "crowd.h"

#include <criterion/criterion.h>
#include <errno.h>

static struct turn_user user;
static struct relay_range relays[2];
static struct ip_range lab;
static struct ip_range deny;
static struct turn_config turn;
static struct control_relay control_relays[2];
static struct control_change change;
static struct worker_setup *setups[WORLD_WORKERS];
static uint64_t seq;

// What the world runs by, to be changed by a test.
static void write_config(void)
{
	struct stun_mac *mac;

	cr_assert_eq(range_parse(&lab, "198.18.0.0/15"), 0);
	cr_assert_eq(range_parse(&deny, PEER_IP), 0);
	cr_assert_eq(stun_mac_create(&mac), 0);
	user.name = WORLD_USER;
	turn_keys_make(&user.keys, mac, WORLD_USER, strlen(WORLD_USER), WORLD_REALM, WORLD_PASSWORD,
		strlen(WORLD_PASSWORD));
	stun_mac_destroy(mac);
	for (size_t i = 0; i < N_ELEMENTS(relays); i++) {
		relays[i] = world.relays[i];
		control_relays[i] = (struct control_relay){relays[i].ip, 0};
	}
	turn = (struct turn_config){
		.realm = {.name = WORLD_REALM, .users = &user, .n_users = 1},
		.nonce_lifetime_s = 600,
		.lifetime_s = 600,
		.lifetime_max_s = 3600,
		.n_allocations_max = 64,
		.relays = relays,
		.n_relays = N_ELEMENTS(relays),
		.services = world.services,
		.n_services = N_ELEMENTS(world.services),
		.discovery = {world.services[0], world.services[3]},
		.allows_mobility = true,
	};
	turn.realm.peers =
		(struct turn_peer_policy){.allow = &lab, .n_allow = 1, .allow_private = true};
	change = (struct control_change){
		.relays = control_relays, .n_relays = N_ELEMENTS(control_relays), .setups = setups};
}

static void open_world(void)
{
	open_crowd();
	write_config();
}

TestSuite(reload, .init = open_world, .fini = close_crowd);

static int hand_over(void)
{
	const struct worker_config worker = {
		.services = world.services,
		.n_services = N_ELEMENTS(world.services),
		.discovery = {world.services[0], world.services[3]},
		.relays = relays,
		.n_relays = N_ELEMENTS(relays),
		.numa_node = NUMA_NODE_ANY,
	};
	int rc;

	for (size_t i = 0; i < WORLD_WORKERS; i++)
		cr_assert_eq(worker_setup_create(&setups[i], &worker, &worker), 0);
	cr_assert_eq(turn_prepare(&change.turn, world.turn, &turn), 0);
	rc = control_reconfigure(world.control, &change, &seq);
	if (rc)
		turn_destroy(change.turn);
	else
		control_judge_peers(world.control);
	return rc;
}

static void give_back(void)
{
	for (size_t i = 0; i < WORLD_WORKERS; i++)
		worker_setup_destroy(setups[i]);
}

Test(reload, setups_are_back_when_every_worker_has_applied_them)
{
	cr_assert_eq(hand_over(), 0);
	cr_expect_not(control_has_applied(world.control, seq));
	world_poll(&world, 0);
	cr_expect_not(control_has_applied(world.control, seq), "the second worker has it");
	world_poll(&world, 1);
	cr_expect(control_has_applied(world.control, seq));
	give_back();
	world_run(&world);
	world_check(&world);
	cr_expect_eq(world_n_entries(&world), WORLD_WORKERS * 4 * N_CALLERS);
}

Test(reload, what_stands_for_denied_peers_goes_from_every_worker)
{
	turn.realm.peers.deny = &deny;
	turn.realm.peers.n_deny = 1;
	turn.realm.peers.n_allow = 0;
	cr_assert_eq(hand_over(), 0);
	for (int i = 0; i < 10; i++)
		world_run(&world);
	give_back();
	world_check(&world);
	cr_expect_eq(world_n_entries(&world), WORLD_WORKERS * N_CALLERS, "the owners are left");
	cr_expect_eq(bind_channel(&callers[0]), 403);
}

Test(reload, without_room_in_a_ring_nothing_changes)
{
	const struct msg filler = {.kind = MSG_HOP_SET, .hop_idx = FLOW_HOPS_MAX - 1};

	turn.realm.peers.deny = &deny;
	turn.realm.peers.n_deny = 1;
	turn.realm.peers.n_allow = 0;
	while (msg_send(&world.workers[1].inbox, &filler))
		;
	cr_expect_eq(hand_over(), -EAGAIN);
	give_back();
	world_run(&world);
	world_check(&world);
	cr_expect_eq(bind_channel(&callers[0]), 0);
	cr_expect_eq(world_n_entries(&world), WORLD_WORKERS * 4 * N_CALLERS);
}

Test(reload, answers_to_strangers_have_the_new_limit)
{
	struct caller stranger;
	unsigned n_answers = 0;

	world_add_host(&world, "198.18.2.1");
	caller_open(&stranger, "198.18.2.1", 1000);
	change.answers.per_source = 5;
	cr_assert_eq(hand_over(), 0);
	world_run(&world);
	give_back();
	for (int i = 0; i < 20; i++) {
		stranger.nonce_bytes = 0;
		n_answers += allocate(&stranger) == 401;
	}
	cr_expect_eq(n_answers, 5);
	caller_close(&stranger);
}

Test(reload, many_of_them_end_nothing)
{
	for (unsigned i = 0; i < 300; i++) {
		turn.nonce_secret[0] = (uint8_t)i;
		relays[0].port_max = (uint16_t)(WORLD_PORT_MAX - i % 2 * 30);
		cr_assert_eq(hand_over(), 0);
		world_run(&world);
		cr_assert(control_has_applied(world.control, seq));
		give_back();
		cr_assert_null(turn_check(world.turn));
		if (i % 10 == 0)
			cr_assert_eq(bind_channel(&callers[i / 10 % N_CALLERS]), 0);
	}
	cr_expect_eq(world_n_entries(&world), WORLD_WORKERS * 4 * N_CALLERS);
}
