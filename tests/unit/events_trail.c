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
	struct trail_loss loss;

	tell(TURN_ENDED, 7, "ann");
	for (uint64_t id = 0; id < TRAIL_EVENTS + 10; id++)
		tell(TURN_CREATED, id, "ann");
	cr_expect_eq(trail_oldest(&trail, TRAIL_CREATED), 10);
	cr_expect_null(trail_get(&trail, TRAIL_CREATED, 9));
	cr_expect_eq(trail_get(&trail, TRAIL_CREATED, 10)->allocation_id, 10);
	cr_expect_eq(trail_get(&trail, TRAIL_CREATED, TRAIL_EVENTS + 9)->allocation_id,
		TRAIL_EVENTS + 9);
	cr_expect_null(trail_get(&trail, TRAIL_CREATED, TRAIL_EVENTS + 10));
	trail_loss_get(&trail, TRAIL_CREATED, &loss);
	cr_expect_eq(loss.n, 10);
	cr_expect_eq(loss.last_ns, trail_get(&trail, TRAIL_CREATED, 10)->at_ns);
	trail_loss_get(&trail, TRAIL_ENDED, &loss);
	cr_expect_eq(loss.n, 0);
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

static struct endpoint endpoint_of(const char *text)
{
	struct endpoint endpoint;

	cr_assert_eq(endpoint_parse(&endpoint, text), 0);
	return endpoint;
}

static void refuse(struct endpoint client)
{
	static const struct stun_view view = {.method = STUN_ALLOCATE};
	const struct turn_request request = {.client = client, .view = &view};
	const struct turn_verdict verdict = {.request = &request, .code = STUN_WRONG_CREDENTIALS};

	watcher.judged(watcher.context, &verdict);
}

Test(trail, one_source_that_fails_all_the_time_leaves_the_others_their_places)
{
	struct endpoint flooder = endpoint_of("[2001:db8::1]:1");
	struct trail_loss loss;

	refuse(endpoint_of("192.0.2.7:1"));
	for (flooder.port = 1; flooder.port <= 2 * TRAIL_EVENTS; flooder.port++) {
		store_be16(flooder.ip.bytes + 14, flooder.port); // within its network
		refuse(flooder);
	}
	refuse(endpoint_of("192.0.2.7:2"));
	cr_assert_eq(trail_oldest(&trail, TRAIL_FAILED), 0);
	cr_expect_eq(trail_get(&trail, TRAIL_FAILED, 0)->client.port, 1);
	cr_expect_eq(trail_get(&trail, TRAIL_FAILED, trail.n[TRAIL_FAILED] - 1)->client.port, 2);
	trail_loss_get(&trail, TRAIL_FAILED, &loss);
	cr_expect_eq(trail.n[TRAIL_FAILED] + loss.n, 2 * TRAIL_EVENTS + 2);
	cr_expect_gt(loss.n, TRAIL_EVENTS);
	cr_expect_gt(loss.last_ns, trail.begun_ns);
	cr_expect_leq(loss.last_ns, trail_now_ns());
}

Test(trail, what_gets_no_answer_is_a_request_too)
{
	const struct control_witness witness = trail_witness(&trail);
	const struct endpoint client = endpoint_of("192.0.2.7:1");
	struct trail_loss loss;

	for (int i = 0; i < 10 * TRAIL_REQUESTS_PER_S; i++)
		witness.unanswered(witness.context, &client, CONTROL_SILENT);
	trail_loss_get(&trail, TRAIL_UNANSWERED, &loss);
	cr_expect_eq(trail.n[TRAIL_UNANSWERED] + loss.n, 10 * TRAIL_REQUESTS_PER_S);
	cr_expect_gt(loss.n, TRAIL_REQUESTS_PER_S);
}
