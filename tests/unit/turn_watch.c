// The watcher: told of each event while it happens, once.
#include "turn_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct rig rig;
static char told[1024]; // of what happened: "created 1@0 ended/expired 1@600 ..."
static size_t n_peers; // that the last one had at its end

static void note(void *context, const struct turn_event *event)
{
	static const char *const names[] = {"created", "refreshed", "moved", "ended"};
	struct turn_allocation_view found;
	const size_t at = strlen(told);
	const bool ended = event->kind == TURN_ENDED;

	cr_expect_eq(context, &rig);
	cr_expect(turn_allocation_find(rig.turn, event->allocation.id, &found));
	cr_expect_eq(found.client.port, event->allocation.client.port);
	snprintf(told + at, sizeof(told) - at, "%s%s%s%s %lu@%lu", at ? " " : "",
		names[event->kind], ended ? "/" : "", ended ? turn_reason_name(event->reason) : "",
		event->allocation.id, (unsigned long)(event->time.now_ms - RIG_START_MS) / 1000);
	if (ended)
		n_peers = turn_allocation_peers(rig.turn, event->allocation.id, NULL, 0);
}

static char judged[1024]; // of the verdicts: "alice 3:401? alice 3:0 ..."

static void judge(void *context, const struct turn_verdict *verdict)
{
	const size_t at = strlen(judged);

	cr_expect_eq(context, &rig);
	cr_expect_eq(verdict->request->client.port, rig.client.port);
	snprintf(judged + at, sizeof(judged) - at, "%s%.*s %s %d:%d%s", at ? ", " : "",
		(int)verdict->user_bytes, (const char *)verdict->user,
		verdict->realm ? verdict->realm : "-", verdict->request->view->method,
		verdict->code, verdict->known ? "" : "?");
}

static void open_rig(void)
{
	static const struct relay_range relays[] = {
		{{FAMILY_IPV4, {192, 0, 2, 15}}, 50000, 50015},
		{{FAMILY_IPV6, {0x26, 0x00, [15] = 0x15}}, 50000, 50015},
	};
	struct turn_config config = rig_config();

	config.relays = relays;
	config.n_relays = 2;
	config.allows_mobility = true;
	config.nonce_lifetime_s = 36000;
	config.watcher = (struct turn_watcher){note, judge, &rig};
	rig_open(&rig, &config);
	rig_challenge(&rig);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(turn_watch, .init = open_rig, .fini = close_rig);

Test(turn_watch, a_release)
{
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_expect_str_eq(told, "created 1@0");
	cr_expect_eq(rig_repeat(&rig), 0);
	cr_expect_str_eq(told, "created 1@0", "a retransmission is nothing new");
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	rig_pass(&rig, 10000);
	cr_assert_eq(rig_refresh(&rig, 0), 0);
	cr_expect_str_eq(told, "created 1@0 ended/released 1@10");
	cr_expect_eq(n_peers, 2, "they are still to be seen");
}

Test(turn_watch, an_expiry)
{
	cr_assert_eq(rig_allocate(&rig), 0);
	rig_pass(&rig, 1000);
	cr_assert_eq(rig_refresh(&rig, 700), 0);
	rig_pass(&rig, 700000);
	cr_expect_str_eq(told, "created 1@0 refreshed 1@1 ended/expired 1@701");
}

Test(turn_watch, a_kick)
{
	cr_assert_eq(rig_allocate(&rig), 0);
	rig.time.now_ms += 2000;
	cr_assert_eq(rig_kick(&rig, 1), 0);
	cr_expect_str_eq(told, "created 1@0 ended/kicked 1@2");
}

Test(turn_watch, everybody_ends_with_the_relay)
{
	struct turn_kick all = {.reason = TURN_STOPPED};

	cr_assert_eq(rig_allocate(&rig), 0);
	rig.client.port++;
	rig.user = &rig_other;
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
	while (rig_kick_user(&rig, &all))
		;
	cr_expect_str_eq(told, "created 1@0 created 2@0 ended/stopped 1@0 ended/stopped 2@0");
}

Test(turn_watch, what_is_refused_is_no_event)
{
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_expect_eq(rig_allocate(&rig), 437);
	rig.user = &rig_other;
	cr_expect_eq(rig_refresh(&rig, 0), 441);
	rig.client.port++;
	rig_challenge(&rig);
	rig.effects.capacity = 0;
	cr_expect_eq(rig_allocate(&rig), 508);
	cr_expect_str_eq(told, "created 1@0");
}

Test(turn_watch, each_answer_is_told_with_who_asked)
{
	judged[0] = '\0';
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_expect_eq(rig_allocate(&rig), 437);
	rig.user = &rig_other;
	cr_expect_eq(rig_refresh(&rig, 0), 441);
	rig.user = &rig_nobody;
	cr_expect_eq(rig_refresh(&rig, 0), 401);
	rig_begin(&rig, STUN_BINDING);
	cr_expect_eq(rig_deliver(&rig), 0);
	cr_expect_str_eq(judged,
		" realm 3:401?, user realm 3:0, user realm 3:437, other realm 4:441, "
		"nobody realm 4:401?,  - 1:0?");
}

static void allocate_both(void)
{
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_u32(&rig.w, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, 2u << 24);
	cr_assert_eq(rig_send(&rig), 0);
}

static int release(uint8_t family)
{
	rig_begin(&rig, STUN_REFRESH);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, (uint32_t)family << 24);
	stun_put_u32(&rig.w, STUN_ATTR_LIFETIME, 0);
	return rig_send(&rig);
}

Test(turn_watch, one_of_two_relayed_addresses_is_not_the_end)
{
	allocate_both();
	cr_assert_eq(release(FAMILY_IPV4), 0);
	cr_expect_str_eq(told, "created 1@0");
	cr_assert_eq(release(FAMILY_IPV6), 0);
	cr_expect_str_eq(told, "created 1@0 ended/released 1@0");
}

Test(turn_watch, both_relayed_addresses_end_in_one)
{
	allocate_both();
	rig_pass(&rig, 600000);
	cr_expect_str_eq(told, "created 1@0 ended/expired 1@600");
	told[0] = '\0';
	allocate_both();
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_assert_eq(rig_bind(&rig, 0x4001, "[2600::1:1]:9"), 0);
	cr_assert_eq(rig_refresh(&rig, 0), 0);
	cr_expect_str_eq(told, "created 2@600 ended/released 2@600");
	cr_expect_eq(n_peers, 4, "of both families");
}

Test(turn_watch, a_move_ends_nothing)
{
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_bytes(&rig.w, STUN_ATTR_MOBILITY_TICKET, NULL, 0);
	cr_assert_eq(rig_send(&rig), 0);
	rig_keep_ticket(&rig);
	rig.client.port++;
	rig_challenge(&rig);
	cr_assert_eq(rig_move(&rig), 0);
	cr_expect_str_eq(told, "created 1@0 refreshed 1@0");
	rig_moved(&rig, rig.items[0].allocation_idx);
	cr_expect_str_eq(told, "created 1@0 refreshed 1@0 moved 1@0");
	rig_moved(&rig, rig.items[0].allocation_idx);
	cr_expect_str_eq(told, "created 1@0 refreshed 1@0 moved 1@0");
}
