// Requests that wait for their user, through the whole relay: what goes on when the source has an
// answer, and what is dropped and counted.
#include "world.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define CLIENT_IP "198.18.0.10"

static struct world world;
static bool ann_is_known;
static bool bob_is_known;
static uint16_t last_port; // of the client that was answered last
static int last_code;

// Nobody has a right key: an answer is 401.
static enum turn_lookup find(void *context, size_t realm_idx, const void *name, size_t n_bytes,
	bool may_ask, struct turn_keys *out)
{
	const bool is_ann = n_bytes == 3 && memcmp(name, "ann", 3) == 0;

	(void)context;
	(void)realm_idx;
	(void)may_ask;
	*out = (struct turn_keys){.md5 = {1}};
	return (is_ann ? ann_is_known : bob_is_known) ? TURN_FOUND : TURN_ASKED;
}

static void on_sent(struct world *from, const struct datagram *datagram)
{
	struct stun_view view;

	(void)from;
	cr_assert_eq(stun_parse(&view, datagram->payload, datagram->n), 0);
	cr_assert_not_null(stun_find(&view, STUN_ATTR_ERROR_CODE));
	last_code = stun_find(&view, STUN_ATTR_ERROR_CODE)->value[2] * 100 +
		stun_find(&view, STUN_ATTR_ERROR_CODE)->value[3];
	last_port = datagram->to.port;
}

static void open_world(void)
{
	world.source = (struct turn_source){find, NULL};
	world_open(&world, 1);
	world_add_host(&world, CLIENT_IP);
	world.on_sent = on_sent;
	world.delay_max_ms = 0;
}

static void close_world(void)
{
	world_close(&world);
}

TestSuite(parked, .init = open_world, .fini = close_world);

static void run(void)
{
	world_run(&world);
	world_check(&world);
}

static void ask(const char *name, uint16_t port)
{
	static const struct stun_key key = {{0}, 16};
	struct datagram d = {.from = world_endpoint(CLIENT_IP, port), .to = world.service};
	struct stun_mac *mac;
	struct stun_writer w;

	cr_assert_eq(stun_mac_create(&mac), 0);
	stun_writer_init(&w, d.payload, sizeof(d.payload), STUN_REQUEST, STUN_ALLOCATE,
		(const uint8_t *)"0123456789ab");
	stun_put_bytes(&w, STUN_ATTR_USERNAME, name, strlen(name));
	stun_put_bytes(&w, STUN_ATTR_REALM, WORLD_REALM, strlen(WORLD_REALM));
	stun_put_bytes(&w, STUN_ATTR_NONCE, "nonce", 5);
	stun_put_integrity(&w, mac, &key);
	stun_mac_destroy(mac);
	d.n = stun_writer_end(&w);
	world_send(&world, &d);
	run();
}

static void answer(void)
{
	control_users_answered(world.control);
	run();
}

Test(parked, it_goes_on_when_its_user_is_known)
{
	ask("ann", 1000);
	run();
	cr_expect_eq(world.n_sent, 0);
	cr_expect_eq(control_stats_get(world.control)->n_parked, 1);
	ann_is_known = true;
	run();
	cr_expect_eq(world.n_sent, 0, "nobody has said so yet");
	answer();
	cr_expect_eq(world.n_sent, 1);
	cr_expect_eq(last_code, 401);
	cr_expect_eq(last_port, 1000);
	cr_expect_eq(control_stats_get(world.control)->n_punts, 1);
	cr_expect_eq(control_stats_get(world.control)->n_parked_lost, 0);
}

Test(parked, who_is_still_asked_for_waits_on)
{
	uint64_t n_timed = 0;

	ask("ann", 1000);
	ask("bob", 2000);
	ask("ann", 3000);
	bob_is_known = true;
	answer();
	cr_expect_eq(world.n_sent, 1);
	cr_expect_eq(last_port, 2000);
	ann_is_known = true;
	answer();
	cr_expect_eq(world.n_sent, 3);
	cr_expect_eq(last_port, 3000, "in the order in which they came");
	cr_expect_eq(control_stats_get(world.control)->n_parked, 3);
	cr_expect_eq(control_stats_get(world.control)->n_answers, 3);
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
		n_timed += control_stats_get(world.control)->answers.n[i];
	cr_expect_eq(n_timed, 3);
}

Test(parked, of_too_many_the_last_are_dropped)
{
	for (uint16_t i = 0; i < CONTROL_PARKED_MAX + 3; i++)
		ask("ann", (uint16_t)(1000 + i));
	cr_expect_eq(control_stats_get(world.control)->n_parked, CONTROL_PARKED_MAX);
	cr_expect_eq(control_stats_get(world.control)->n_parked_lost, 3);
	ann_is_known = true;
	for (int i = 0; i < 20; i++)
		answer();
	cr_expect_eq(world.n_sent, CONTROL_PARKED_MAX);
	cr_expect_eq(last_port, 1000 + CONTROL_PARKED_MAX - 1);
}

Test(parked, what_waits_too_long_is_dropped)
{
	ask("ann", 1000);
	world_advance(&world, 1500);
	ask("bob", 2000);
	world_advance(&world, 500);
	run();
	cr_expect_eq(control_stats_get(world.control)->n_parked_lost, 0);
	world_advance(&world, 1);
	run();
	cr_expect_eq(control_stats_get(world.control)->n_parked_lost, 1);
	ann_is_known = true;
	bob_is_known = true;
	answer();
	cr_expect_eq(world.n_sent, 1);
	cr_expect_eq(last_port, 2000);
}

Test(parked, what_waits_at_the_end_is_freed)
{
	ask("ann", 1000);
	ask("bob", 2000);
	cr_expect_eq(rte_mempool_in_use_count(world.pool), 2);
	control_destroy(world.control);
	world.control = NULL;
	cr_expect_eq(rte_mempool_in_use_count(world.pool), 0);
}
