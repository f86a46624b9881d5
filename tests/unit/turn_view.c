// Allocations as operators see them.
#include "turn_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define FIRST_ID 0x6926f0e100000001ULL
#define MANY 600 // more than one step of a walk looks at

static struct rig rig;

static const struct relay_range relays[] = {
	{{FAMILY_IPV4, {192, 0, 2, 15}}, 50000, 50000 + 2 * MANY, {FAMILY_IPV4, {11, 9, 9, 9}}},
	{{FAMILY_IPV6, {0x26, 0x00, [15] = 0x15}}, 50000, 50015},
};

static void open_rig(void)
{
	struct turn_config config = rig_config();

	config.relays = relays;
	config.n_relays = N_ELEMENTS(relays);
	config.allows_mobility = true;
	config.nonce_lifetime_s = 36000;
	config.first_id = FIRST_ID;
	rig_open(&rig, &config);
	rig_challenge(&rig);
}

static void close_rig(void)
{
	cr_expect_null(turn_check(rig.turn));
	rig_close(&rig);
}

TestSuite(turn_view, .init = open_rig, .fini = close_rig);

static const char *text_of(const struct endpoint *endpoint)
{
	static char texts[4][ADDR_TEXT_BYTES];
	static unsigned i;

	return endpoint_format(endpoint, texts[i++ % 4]);
}

static struct turn_allocation_view find(uint64_t id)
{
	struct turn_allocation_view view;

	cr_assert(turn_allocation_find(rig.turn, id, &view), "there is none of %lx", id);
	return view;
}

// How many a walk sees; each has an id of its own and is found by it.
static unsigned walk(void)
{
	struct turn_allocation_view view, found;
	static bool seen[MANY + 1];
	enum turn_step step;
	uint32_t cursor = 0;
	unsigned n = 0;

	memset(seen, 0, sizeof(seen));
	while ((step = turn_allocation_next(rig.turn, &cursor, &view)) != TURN_STEP_END) {
		if (step == TURN_STEP_MORE)
			continue;
		cr_assert_lt(view.id - FIRST_ID, N_ELEMENTS(seen));
		cr_expect(!seen[view.id - FIRST_ID], "seen twice");
		seen[view.id - FIRST_ID] = true;
		cr_expect(turn_allocation_find(rig.turn, view.id, &found));
		cr_expect_eq(found.allocation_idx, view.allocation_idx);
		n++;
	}
	return n;
}

Test(turn_view, tells_who_where_and_until_when)
{
	struct turn_allocation_view view;

	rig_pass(&rig, 5000);
	cr_assert_eq(rig_allocate(&rig), 0);
	view = find(FIRST_ID);
	cr_expect_eq(view.id, FIRST_ID);
	cr_expect_str_eq(view.realm, "realm");
	cr_expect_eq(view.user_bytes, 4);
	cr_expect_eq(memcmp(view.user, "user", 4), 0);
	cr_expect_str_eq(text_of(&view.service), "192.0.2.15:3478");
	cr_expect_str_eq(text_of(&view.client), "198.51.100.2:7000");
	cr_expect_eq(view.relayed[0].ip.bytes[0], 192);
	cr_expect_eq(view.relayed[0].port, rig_relayed(&rig, FAMILY_IPV4).port);
	cr_expect_eq(view.outside[0].ip.bytes[0], 11);
	cr_expect_eq(view.outside[0].port, view.relayed[0].port);
	cr_expect_eq(view.relayed[1].ip.family, FAMILY_NONE);
	cr_expect_eq(view.created_ms, RIG_START_MS + 5000);
	cr_expect_eq(view.expires_ms[0], RIG_START_MS + 605000);
	cr_expect_eq(view.lifetime_s, 600);
	cr_expect(!view.may_move);
	cr_expect_eq(view.allocation_idx, rig.items[0].allocation_idx);
}

Test(turn_view, a_refresh_shows)
{
	struct turn_allocation_view view;

	cr_assert_eq(rig_allocate(&rig), 0);
	rig_pass(&rig, 1000);
	cr_assert_eq(rig_refresh(&rig, 900), 0);
	view = find(FIRST_ID);
	cr_expect_eq(view.created_ms, RIG_START_MS);
	cr_expect_eq(view.expires_ms[0], RIG_START_MS + 901000);
	cr_expect_eq(view.lifetime_s, 900);
}

Test(turn_view, both_families_show)
{
	struct turn_allocation_view view;

	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_u32(&rig.w, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, 2u << 24);
	cr_assert_eq(rig_send(&rig), 0);
	view = find(FIRST_ID);
	cr_expect_eq(view.relayed[0].ip.family, FAMILY_IPV4);
	cr_expect_eq(view.relayed[1].ip.family, FAMILY_IPV6);
	cr_expect_eq(view.expires_ms[1], RIG_START_MS + 600000);
	cr_expect_str_eq(text_of(&view.outside[1]), text_of(&view.relayed[1]));
}

Test(turn_view, a_hand_over_shows_while_it_is_under_way)
{
	struct turn_allocation_view view;

	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_bytes(&rig.w, STUN_ATTR_MOBILITY_TICKET, NULL, 0);
	cr_assert_eq(rig_send(&rig), 0);
	rig_keep_ticket(&rig);
	view = find(FIRST_ID);
	cr_expect(view.may_move);
	cr_expect_eq(view.pending_client.ip.family, FAMILY_NONE);
	rig.client = rig_endpoint("198.51.100.77:7001");
	rig_challenge(&rig);
	cr_assert_eq(rig_move(&rig), 0);
	view = find(FIRST_ID);
	cr_expect_str_eq(text_of(&view.client), "198.51.100.2:7000");
	cr_expect_str_eq(text_of(&view.pending_client), "198.51.100.77:7001");
	cr_expect_str_eq(text_of(&view.pending_service), "192.0.2.15:3478");
	cr_expect_eq(view.n_moves, 0);
	rig_moved(&rig, view.allocation_idx);
	view = find(FIRST_ID);
	cr_expect_str_eq(text_of(&view.client), "198.51.100.77:7001");
	cr_expect_eq(view.pending_client.ip.family, FAMILY_NONE);
	cr_expect_eq(view.n_moves, 1);
}

Test(turn_view, peers_are_permissions_and_channels)
{
	struct turn_peer_view peers[4];

	cr_assert_eq(rig_allocate(&rig), 0);
	cr_expect_eq(turn_allocation_peers(rig.turn, FIRST_ID, peers, 4), 0);
	cr_assert_eq(rig_permit(&rig, "11.0.0.2"), 0);
	rig_pass(&rig, 1000);
	cr_assert_eq(rig_bind(&rig, 0x4001, "11.0.0.1:9"), 0);
	cr_assert_eq(turn_allocation_peers(rig.turn, FIRST_ID, peers, 4), 3);
	cr_expect_str_eq(text_of(&peers[0].peer), "11.0.0.1:0");
	cr_expect_eq(peers[0].channel, 0);
	cr_expect_eq(peers[0].expires_ms, RIG_START_MS + 301000);
	cr_expect_str_eq(text_of(&peers[1].peer), "11.0.0.2:0");
	cr_expect_eq(peers[1].expires_ms, RIG_START_MS + 300000);
	cr_expect_str_eq(text_of(&peers[2].peer), "11.0.0.1:9");
	cr_expect_eq(peers[2].channel, 0x4001);
	cr_expect_eq(peers[2].expires_ms, RIG_START_MS + 601000);
	cr_expect_eq(find(FIRST_ID).n_permissions, 2);
	cr_expect_eq(find(FIRST_ID).n_channels, 1);
}

Test(turn_view, peers_past_the_room_are_counted_and_not_written)
{
	struct turn_peer_view peers[3] = {[2].channel = 0x1234};

	cr_assert_eq(rig_allocate(&rig), 0);
	cr_assert_eq(rig_bind(&rig, 0x4001, "11.0.0.1:9"), 0);
	cr_assert_eq(rig_bind(&rig, 0x4002, "11.0.0.2:9"), 0);
	cr_expect_eq(turn_allocation_peers(rig.turn, FIRST_ID, peers, 2), 4);
	cr_expect_eq(peers[2].channel, 0x1234);
	cr_expect_eq(turn_allocation_peers(rig.turn, FIRST_ID + 1, peers, 2), 0);
}

Test(turn_view, an_id_is_of_one_allocation_alone)
{
	struct turn_allocation_view view;

	cr_assert_eq(rig_allocate(&rig), 0);
	cr_assert_eq(rig_refresh(&rig, 0), 0);
	cr_expect(!turn_allocation_find(rig.turn, FIRST_ID, &view));
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_expect(!turn_allocation_find(rig.turn, FIRST_ID, &view), "its node is used again");
	cr_expect_eq(find(FIRST_ID + 1).id, FIRST_ID + 1);
}

Test(turn_view, a_walk_sees_all_once_and_passes_what_has_ended)
{
	cr_expect_eq(walk(), 0);
	for (unsigned i = 0; i < MANY; i++) {
		rig.client.port++;
		rig_challenge(&rig);
		cr_assert_eq(rig_allocate(&rig), 0);
	}
	cr_expect_eq(walk(), MANY);
	for (unsigned i = 0; i < MANY; i++) {
		if (i % 3 == 0)
			continue;
		rig.client.port = (uint16_t)(7001 + i);
		rig_challenge(&rig);
		cr_assert_eq(rig_refresh(&rig, 0), 0);
	}
	cr_expect_eq(walk(), MANY / 3);
	cr_expect_null(turn_check(rig.turn));
}

Test(turn_view, a_step_looks_at_a_bounded_number_of_nodes)
{
	struct turn_allocation_view view;
	uint32_t cursor = 0;
	unsigned n_steps = 0;

	for (unsigned i = 0; i < MANY; i++) {
		rig.client.port++;
		rig_challenge(&rig);
		cr_assert_eq(rig_allocate(&rig), 0);
	}
	for (unsigned i = 0; i < MANY; i++) {
		rig_challenge(&rig);
		cr_assert_eq(rig_refresh(&rig, 0), 0);
		rig.client.port--;
	}
	while (turn_allocation_next(rig.turn, &cursor, &view) == TURN_STEP_MORE)
		n_steps++;
	cr_expect_eq(n_steps, 2);
}

Test(turn_view, ids_are_text_and_back)
{
	static const char *const refused[] = {
		"", "g", "0x1", " 1", "1 ", "-1", "12345678901234567"};
	char text[TURN_ID_TEXT_BYTES];
	uint64_t id = 0;

	cr_expect_str_eq(turn_id_format(FIRST_ID, text), "6926f0e100000001");
	cr_expect_eq(turn_id_parse(&id, text), 0);
	cr_expect_eq(id, FIRST_ID);
	cr_expect_str_eq(turn_id_format(10, text), "000000000000000a");
	cr_expect_eq(turn_id_parse(&id, "A"), 0);
	cr_expect_eq(id, 10);
	for (size_t i = 0; i < N_ELEMENTS(refused); i++)
		cr_expect_lt(turn_id_parse(&id, refused[i]), 0, "%s", refused[i]);
}
