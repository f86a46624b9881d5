// The trail of what was done for clients: rings that do not push each other out.
#include "app/turnpike/trail.h"

#include <criterion/criterion.h>

static struct trail trail;
static struct turn_watcher watcher;
static unsigned n_told;

static void count(void *context, const struct turn_event *event)
{
	(void)context;
	(void)event;
	n_told++;
}

static void open_trail(void)
{
	cr_assert_eq(trail_open(&trail, (struct turn_watcher){.notify = count}), 0);
	watcher = trail_watcher(&trail);
}

static void close_trail(void)
{
	trail_close(&trail);
}

TestSuite(trail, .init = open_trail, .fini = close_trail);

static void tell(enum turn_event_kind kind, uint64_t id, const char *user)
{
	const struct turn_event event = {
		.kind = kind,
		.reason = TURN_EXPIRED,
		.time = {.now_ms = 61500},
		.allocation = {.id = id,
			.realm = "r",
			.user = (const uint8_t *)user,
			.user_bytes = strlen(user),
			.created_ms = 1500},
	};

	watcher.notify(watcher.context, &event);
}

Test(trail, a_full_ring_keeps_the_newest_and_says_where_it_begins)
{
	tell(TURN_ENDED, 7, "ann");
	for (uint64_t id = 0; id < TRAIL_EVENTS + 10; id++)
		tell(TURN_CREATED, id, "ann");
	cr_expect_eq(trail_oldest(&trail, TRAIL_CREATED), 10);
	cr_expect_null(trail_get(&trail, TRAIL_CREATED, 9));
	cr_expect_eq(trail_get(&trail, TRAIL_CREATED, 10)->allocation_id, 10);
	cr_expect_eq(trail_get(&trail, TRAIL_CREATED, TRAIL_EVENTS + 9)->allocation_id,
		TRAIL_EVENTS + 9);
	cr_expect_null(trail_get(&trail, TRAIL_CREATED, TRAIL_EVENTS + 10));
	cr_expect_eq(trail_oldest(&trail, TRAIL_ENDED), 0);
	cr_expect_eq(trail_get(&trail, TRAIL_ENDED, 0)->allocation_id, 7);
	cr_expect_eq(n_told, TRAIL_EVENTS + 11, "who watches behind it");
}

Test(trail, an_end_says_why_and_how_long_it_was)
{
	tell(TURN_ENDED, 7, "ann");
	cr_expect_eq(trail_get(&trail, TRAIL_ENDED, 0)->reason, TURN_EXPIRED);
	cr_expect_eq(trail_get(&trail, TRAIL_ENDED, 0)->lifetime_s, 60);
}

Test(trail, a_long_name_is_cut)
{
	tell(TURN_CREATED, 1, "a23456789b23456789c23456789d23456789e23");
	tell(TURN_CREATED, 2, "a23456789b23456789c23456789d23456789e234");
	cr_expect_str_eq(trail_get(&trail, TRAIL_CREATED, 0)->user,
		"a23456789b23456789c23456789d23456789e23");
	cr_expect_str_eq(trail_get(&trail, TRAIL_CREATED, 1)->user,
		"a23456789b23456789c23456789d23456789e..");
}
