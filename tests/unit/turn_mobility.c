// Clients that move (RFC 8016): tickets, hand-overs, and what stands in the workers meanwhile.
#include "turn_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define HOME "198.51.100.2:7000" // where the rig's client begins
#define AWAY "198.51.100.77:7001"
#define FURTHER "198.51.100.78:7002"

static struct rig rig;

static void open_with(bool allows_mobility)
{
	static const struct relay_range relays[] = {
		{{FAMILY_IPV4, {192, 0, 2, 15}}, 50000, 50015},
		{{FAMILY_IPV6, {0x26, 0x00, [15] = 0x15}}, 50000, 50015},
	};
	struct turn_config config = rig_config();

	rig_listen(&config, (const char *const[]){"192.0.2.15:3478", "[2600::15]:3478", NULL});
	config.relays = relays;
	config.n_relays = 2;
	config.allows_mobility = allows_mobility;
	config.nonce_lifetime_s = 3600;
	rig_open(&rig, &config);
	rig_challenge(&rig);
}

static void open_rig(void)
{
	open_with(true);
}

static void close_rig(void)
{
	cr_expect_null(turn_check(rig.turn));
	cr_expect(rig_walk_matches(&rig));
	rig_close(&rig);
}

TestSuite(turn_mobility, .init = open_rig, .fini = close_rig);

static int allocate(void)
{
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_bytes(&rig.w, STUN_ATTR_MOBILITY_TICKET, NULL, 0);
	return rig_send(&rig);
}

// An allocation that may move, its ticket, and one channel.
static void begin(void)
{
	cr_assert_eq(allocate(), 0);
	rig_keep_ticket(&rig);
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
}

static void go(const char *client)
{
	rig.client = rig_endpoint(client);
	rig_challenge(&rig);
}

static int move_to(const char *client)
{
	int code;

	go(client);
	code = rig_move(&rig);
	if (code == 0)
		rig_keep_ticket(&rig);
	return code;
}

// How many entries lead to or from that 5-tuple.
static unsigned count(const char *client, bool moving)
{
	const struct endpoint endpoint = rig_endpoint(client);
	unsigned n = 0;

	for (size_t i = 0; i < rig.n_entries; i++)
		n += endpoint_equal(&rig.entries[i].client, &endpoint) &&
			rig.entries[i].moving == moving;
	return n;
}

Test(turn_mobility, who_asks_for_a_ticket_gets_one)
{
	cr_assert_eq(allocate(), 0);
	cr_assert(rig_has(&rig, STUN_ATTR_MOBILITY_TICKET));
	cr_expect_eq(stun_find(&rig.view, STUN_ATTR_MOBILITY_TICKET)->n_bytes, 32);
	cr_expect_eq(rig_repeat(&rig), 0);
	cr_expect(rig_has(&rig, STUN_ATTR_MOBILITY_TICKET), "a retransmission gets one too");
	cr_expect_eq(rig.effects.n, 0);
}

Test(turn_mobility, who_does_not_gets_none)
{
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_expect_not(rig_has(&rig, STUN_ATTR_MOBILITY_TICKET));
	cr_expect_eq(rig_refresh(&rig, 600), 0);
	cr_expect_not(rig_has(&rig, STUN_ATTR_MOBILITY_TICKET));
}

Test(turn_mobility, where_it_is_off_it_is_405)
{
	rig_close(&rig);
	open_with(false);
	cr_expect_eq(allocate(), 405);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
	cr_assert_eq(rig_allocate(&rig), 0);
	rig.ticket_bytes = 44;
	cr_expect_eq(rig_move(&rig), 405);
}

Test(turn_mobility, allocate_with_a_ticket_that_is_not_empty_is_400)
{
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_bytes(&rig.w, STUN_ATTR_MOBILITY_TICKET, "x", 1);
	cr_expect_eq(rig_send(&rig), 400);
}

// RFC 8016 §3.2.2: until the client has sent from there, peers reach it where it was.
Test(turn_mobility, a_ticket_opens_the_new_5_tuple_and_leaves_the_old_one)
{
	const size_t n_before = (begin(), rig.n_entries);

	cr_assert_eq(move_to(AWAY), 0);
	cr_expect_eq(rig_u32(&rig, STUN_ATTR_LIFETIME), 600);
	cr_expect_str_eq(rig_effects(&rig), "ALLOCATION_ADD CHANNEL_UP_ADD/4000/11.0.0.1:9");
	cr_expect_eq(count(HOME, false), n_before);
	cr_expect_eq(count(AWAY, true), 2);
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
}

Test(turn_mobility, the_first_data_from_there_ends_the_hand_over)
{
	size_t n_before;

	begin();
	n_before = rig.n_entries;
	cr_assert_eq(move_to(AWAY), 0);
	rig_moved(&rig, 0);
	cr_expect_eq(rig.n_entries, n_before);
	cr_expect_eq(count(AWAY, false), n_before);
	cr_expect_eq(count(HOME, false), 0);
	cr_expect_eq(rig_refresh(&rig, 600), 0, "the new 5-tuple has it");
	go(HOME);
	cr_expect_eq(rig_refresh(&rig, 600), 437, "the old one has not");
	rig_moved(&rig, 0);
	cr_expect_eq(rig.effects.n, 0, "once");
}

Test(turn_mobility, peers_entries_are_replaced_before_the_old_ones_go)
{
	begin();
	cr_assert_eq(move_to(AWAY), 0);
	rig_moved(&rig, 0);
	cr_expect_str_eq(rig_effects(&rig),
		"ALLOCATION_ADD PERMISSION_ADD/11.0.0.1 CHANNEL_UP_ADD/4000/11.0.0.1:9 "
		"CHANNEL_DOWN_ADD/4000/11.0.0.1:9 "
		"ALLOCATION_REMOVE CHANNEL_UP_REMOVE/4000/11.0.0.1:9");
}

Test(turn_mobility, without_a_hand_over_data_change_nothing)
{
	begin();
	rig_moved(&rig, 0);
	rig_moved(&rig, 1);
	rig_moved(&rig, UINT32_MAX);
	rig_moved(&rig, 1u << 28);
	cr_expect_eq(rig.effects.n, 0);
	cr_expect_eq(rig_refresh(&rig, 600), 0);
}

Test(turn_mobility, the_old_5_tuple_may_ask_meanwhile)
{
	begin();
	cr_assert_eq(move_to(AWAY), 0);
	go(HOME);
	cr_expect_eq(rig_bind(&rig, 0x4002, "11.0.0.3:9"), 0);
	cr_expect_eq(rig_refresh(&rig, 600), 0);
	cr_expect_eq(count(AWAY, true), 3);
	cr_expect(rig_walk_matches(&rig));
	rig_moved(&rig, 0);
	cr_expect_eq(count(AWAY, false), 7); // an owner; two of up, down and permission
}

// Beyond RFC 8016 §3.2.2: a client that only listens, or a client of coturn, is reached so.
Test(turn_mobility, a_request_from_the_new_5_tuple_ends_the_hand_over_too)
{
	begin();
	cr_assert_eq(move_to(AWAY), 0);
	cr_expect_eq(rig_bind(&rig, 0x3fff, "11.0.0.3:9"), 400);
	cr_expect_eq(count(HOME, false), 4, "not a refused one");
	cr_expect_eq(rig_bind(&rig, 0x4002, "11.0.0.3:9"), 0);
	cr_expect_eq(count(HOME, false), 0);
	cr_expect_eq(count(AWAY, false), 7);
}

Test(turn_mobility, a_channel_that_ends_meanwhile_ends_at_both)
{
	begin();
	cr_assert_eq(rig_refresh(&rig, 3600), 0);
	go(AWAY);
	rig_begin(&rig, STUN_REFRESH);
	stun_put_u32(&rig.w, STUN_ATTR_LIFETIME, 3600);
	stun_put_bytes(&rig.w, STUN_ATTR_MOBILITY_TICKET, rig.ticket, rig.ticket_bytes);
	cr_assert_eq(rig_send(&rig), 0);
	rig_pass(&rig, 600000);
	cr_expect_eq(count(AWAY, true), 1);
	cr_expect_eq(count(HOME, false), 1);
	cr_expect(rig_walk_matches(&rig));
}

Test(turn_mobility, the_end_takes_both)
{
	begin();
	cr_assert_eq(move_to(AWAY), 0);
	cr_assert_eq(rig_refresh(&rig, 0), 0);
	cr_expect_eq(rig.n_entries, 0);
	cr_expect_eq(rig_refresh(&rig, 600), 437);
	go(HOME);
	cr_expect_eq(rig_refresh(&rig, 600), 437);
	go(AWAY);
	cr_expect_eq(rig_allocate(&rig), 0, "the 5-tuple is free");
}

Test(turn_mobility, a_refresh_of_zero_with_a_ticket_ends_it_from_afar)
{
	begin();
	go(AWAY);
	rig_begin(&rig, STUN_REFRESH);
	stun_put_u32(&rig.w, STUN_ATTR_LIFETIME, 0);
	stun_put_bytes(&rig.w, STUN_ATTR_MOBILITY_TICKET, rig.ticket, rig.ticket_bytes);
	cr_expect_eq(rig_send(&rig), 0);
	cr_expect_not(rig_has(&rig, STUN_ATTR_MOBILITY_TICKET));
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
}

Test(turn_mobility, from_where_the_client_is_already_it_is_400)
{
	begin();
	cr_expect_eq(rig_move(&rig), 400);
	cr_assert_eq(move_to(AWAY), 0);
	cr_expect_eq(rig_move(&rig), 400, "its new ticket, from there");
	go(HOME);
	cr_expect_eq(rig_move(&rig), 400);
}

Test(turn_mobility, any_changed_bit_of_a_ticket_is_400)
{
	begin();
	go(AWAY);
	for (size_t i = 0; i < rig.ticket_bytes; i++) {
		rig.ticket[i] ^= 1;
		cr_expect_eq(rig_move(&rig), 400, "byte %zu", i);
		rig.ticket[i] ^= 1;
	}
	rig.ticket_bytes--;
	cr_expect_eq(rig_move(&rig), 400);
	rig.ticket_bytes = 0;
	cr_expect_eq(rig_move(&rig), 400);
	cr_expect_eq(rig.effects.n, 0);
}

Test(turn_mobility, without_the_owners_password_a_ticket_is_nothing)
{
	begin();
	go(AWAY);
	rig.user = NULL;
	cr_expect_eq(rig_move(&rig), 401);
	rig.user = &rig_other;
	cr_expect_eq(rig_move(&rig), 441);
	rig.user = &rig_nobody;
	cr_expect_eq(rig_move(&rig), 401);
	cr_expect_eq(count(AWAY, true), 0);
}

Test(turn_mobility, a_ticket_of_what_has_ended_is_437)
{
	begin();
	cr_assert_eq(rig_refresh(&rig, 0), 0);
	cr_expect_eq(move_to(AWAY), 437);
	// Another life of the same node.
	go(HOME);
	cr_assert_eq(allocate(), 0);
	cr_expect_eq(move_to(AWAY), 437);
}

Test(turn_mobility, a_5_tuple_with_an_allocation_of_its_own_is_437)
{
	begin();
	go(AWAY);
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_expect_eq(rig_move(&rig), 437);
	go(FURTHER);
	cr_assert_eq(allocate(), 0);
	cr_expect_eq(rig_refresh(&rig, 0), 0);
}

Test(turn_mobility, a_pending_5_tuple_gets_no_allocation)
{
	begin();
	cr_assert_eq(move_to(AWAY), 0);
	cr_expect_eq(rig_allocate(&rig), 437);
}

Test(turn_mobility, two_allocations_cannot_move_to_one_5_tuple)
{
	uint8_t first[sizeof(rig.ticket)];

	begin();
	memcpy(first, rig.ticket, sizeof(first));
	go(FURTHER);
	cr_assert_eq(allocate(), 0);
	rig_keep_ticket(&rig);
	cr_assert_eq(move_to(AWAY), 0);
	memcpy(rig.ticket, first, sizeof(first));
	cr_expect_eq(rig_move(&rig), 437);
}

Test(turn_mobility, each_move_gives_another_ticket_and_the_old_one_is_over)
{
	uint8_t old[sizeof(rig.ticket)];
	uint8_t newest[sizeof(rig.ticket)];

	begin();
	memcpy(old, rig.ticket, sizeof(old));
	cr_assert_eq(move_to(AWAY), 0);
	memcpy(newest, rig.ticket, sizeof(newest));
	cr_expect_neq(memcmp(old, newest, rig.ticket_bytes), 0);
	rig_moved(&rig, 0);
	memcpy(rig.ticket, old, sizeof(old));
	cr_expect_eq(move_to(FURTHER), 400);
	memcpy(rig.ticket, newest, sizeof(newest));
	cr_expect_eq(move_to(FURTHER), 0);
}

// RFC 8016 §3.2.2: a lost answer must not lose the client.
Test(turn_mobility, a_retransmission_is_answered_alike_for_thirty_seconds)
{
	begin();
	go(AWAY);
	cr_assert_eq(rig_move(&rig), 0);
	cr_expect_eq(rig_repeat(&rig), 0);
	cr_expect(rig_has(&rig, STUN_ATTR_MOBILITY_TICKET));
	cr_expect_eq(rig.effects.n, 0);
	rig_moved(&rig, 0);
	rig_pass(&rig, 29999);
	cr_expect_eq(rig_repeat(&rig), 0);
	cr_expect_eq(rig.effects.n, 0);
	rig_pass(&rig, 1);
	cr_expect_eq(rig_repeat(&rig), 400);
}

Test(turn_mobility, the_ticket_of_a_repeated_answer_is_as_good)
{
	begin();
	go(AWAY);
	cr_assert_eq(rig_move(&rig), 0);
	cr_assert_eq(rig_repeat(&rig), 0);
	rig_keep_ticket(&rig);
	rig_moved(&rig, 0);
	cr_expect_eq(move_to(FURTHER), 0);
}

// One hand-over at a time: the newest. The client may not have heard of the one before.
Test(turn_mobility, another_move_takes_the_place_of_a_pending_one)
{
	uint8_t old[sizeof(rig.ticket)];

	begin();
	memcpy(old, rig.ticket, sizeof(old));
	cr_assert_eq(move_to(AWAY), 0);
	cr_assert_eq(move_to(FURTHER), 0);
	cr_expect_eq(count(AWAY, true), 0);
	cr_expect_eq(count(FURTHER, true), 2);
	go(AWAY);
	cr_expect_eq(rig_refresh(&rig, 600), 437);
	memcpy(rig.ticket, old, sizeof(old));
	cr_assert_eq(move_to("198.51.100.79:1"), 0, "the established one's ticket");
	cr_expect_eq(count("198.51.100.79:1", true), 2);
	cr_expect_eq(count(HOME, false), 4);
}

Test(turn_mobility, one_of_our_own_addresses_or_a_tunnel_is_403)
{
	begin();
	cr_expect_eq(move_to("192.0.2.15:50007"), 403);
	cr_expect_eq(move_to("[2002::1]:7"), 403);
}

Test(turn_mobility, to_another_family_and_another_listener)
{
	begin();
	rig.service = rig_endpoint("[2600::15]:3478");
	cr_assert_eq(move_to("[2600::99]:7"), 0);
	rig_moved(&rig, 0);
	cr_expect_eq(count("[2600::99]:7", false), 4);
	cr_expect_eq(rig_refresh(&rig, 600), 0);
}

Test(turn_mobility, the_quota_is_held_by_the_owner)
{
	struct turn_config config = rig_config();

	rig_close(&rig);
	config.allows_mobility = true;
	config.realm.n_allocations_per_user = 1;
	rig_open(&rig, &config);
	rig_challenge(&rig);
	begin();
	cr_assert_eq(move_to(AWAY), 0);
	go(FURTHER);
	cr_expect_eq(allocate(), 486);
	rig_moved(&rig, 0);
	cr_expect_eq(allocate(), 486);
	go(AWAY);
	cr_expect_eq(rig_refresh(&rig, 0), 0);
	cr_expect_eq(allocate(), 0);
}

Test(turn_mobility, without_room_for_effects_nothing_moves)
{
	begin();
	go(AWAY);
	rig.effects.capacity = TURN_EFFECTS_MAX - 1;
	cr_expect_eq(rig_move(&rig), 508);
	rig.effects.capacity = TURN_EFFECTS_MAX;
	cr_assert_eq(rig_move(&rig), 0);
	rig.effects.capacity = 6;
	rig_moved(&rig, 0);
	cr_expect_eq(rig.effects.n, 0);
	rig.effects.capacity = TURN_EFFECTS_MAX;
	rig_moved(&rig, 0);
	cr_expect_eq(count(AWAY, false), 4);
}

Test(turn_mobility, a_full_one_that_moves_ends_in_as_many_effects_as_promised)
{
	char peer[64];

	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_u32(&rig.w, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, 2u << 24);
	stun_put_bytes(&rig.w, STUN_ATTR_MOBILITY_TICKET, NULL, 0);
	cr_assert_eq(rig_send(&rig), 0);
	rig_keep_ticket(&rig);
	for (int i = 0; i < TURN_CHANNELS_MAX; i++) {
		snprintf(peer, sizeof(peer), i % 2 ? "11.0.0.%d:9" : "[2600::%d]:9", i);
		cr_assert_eq(rig_bind(&rig, (uint16_t)(0x4000 + i), peer), 0);
	}
	cr_assert_eq(move_to(AWAY), 0);
	rig_moved(&rig, 0);
	cr_expect_leq(rig.effects.n, TURN_EFFECTS_MAX);
	cr_assert_eq(move_to(FURTHER), 0);
	cr_assert_eq(move_to(HOME), 0);
	cr_expect(rig_walk_matches(&rig));
	cr_expect_eq(rig_refresh(&rig, 0), 0);
	cr_expect_eq(rig.effects.n, TURN_EFFECTS_MAX);
	cr_expect_eq(rig.n_entries, 0);
}
