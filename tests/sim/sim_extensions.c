// What a request may ask of the whole relay beyond relaying: control, workers and wire together.
#include "caller.h"

#include <criterion/criterion.h>

#define CLIENT_IP "198.18.0.10"

static struct world world;
static struct endpoint at(const char *text)
{
	struct endpoint endpoint;

	cr_assert_eq(endpoint_parse(&endpoint, text), 0);
	return endpoint;
}

static void open_world(void)
{
	world_open(&world, 1);
	world_add_host(&world, CLIENT_IP);
}

static void close_world(void)
{
	world_close(&world);
}

TestSuite(extensions, .init = open_world, .fini = close_world);

static void expect_last(const char *from, const char *to)
{
	char text[ADDR_TEXT_BYTES];

	cr_expect_str_eq(endpoint_format(&world.sent.from, text), from);
	cr_expect_str_eq(endpoint_format(&world.sent.to, text), to);
}

// A Binding request with one attribute of RFC 5780.
static void ask_binding(uint16_t type, uint32_t value)
{
	struct datagram d = {
		.from = world_endpoint(CLIENT_IP, 5000),
		.to = world_endpoint(WORLD_SECOND_IP, 3479),
	};
	struct stun_writer w;

	stun_writer_init(&w, d.payload, sizeof(d.payload), STUN_REQUEST, STUN_BINDING,
		(const uint8_t *)"0123456789ab");
	stun_put_u32(&w, type, value);
	d.n = stun_writer_end(&w);
	world_send(&world, &d);
	world_settle(&world);
	cr_assert_eq(world.n_sent, 1);
}

Test(extensions, a_binding_answer_leaves_from_the_address_that_was_asked_for)
{
	ask_binding(STUN_ATTR_CHANGE_REQUEST, 6);
	expect_last(WORLD_RELAY_IP ":3478", CLIENT_IP ":5000");
}

Test(extensions, a_binding_answer_goes_to_the_port_that_was_asked_for)
{
	ask_binding(STUN_ATTR_RESPONSE_PORT, 6000u << 16);
	expect_last(WORLD_SECOND_IP ":3479", CLIENT_IP ":6000");
}

#define AWAY_IP "198.18.0.11"
#define PEER_IP "198.18.0.20"

static struct caller mover; // a client that may move

// Send it; the answer is in `world.sent`. Returns its code.
static int mover_ask(const struct datagram *d)
{
	world.n_sent = 0;
	world_send(&world, d);
	world_settle(&world);
	cr_assert_eq(world.n_sent, 1);
	return caller_read(&mover, &world.sent);
}

static int mover_allocate(void)
{
	struct datagram d;

	caller_allocate(&mover, &world, &d, true);
	return mover_ask(&d);
}

static int mover_refresh(void)
{
	struct datagram d;

	caller_refresh(&mover, &world, &d);
	return mover_ask(&d);
}

static int mover_bind(void)
{
	const struct endpoint peer = world_endpoint(PEER_IP, 6000);
	struct datagram d;

	caller_bind(&mover, &world, &d, &peer);
	return mover_ask(&d);
}

// Media through the relay, and where it came out.
static void media(struct endpoint from, struct endpoint to, const char *payload, size_t n)
{
	struct datagram d = {.from = from, .to = to, .n = n};

	memcpy(d.payload, payload, n);
	world.n_sent = 0;
	world_send(&world, &d);
	world_settle(&world);
	cr_assert_eq(world.n_sent, 1, "media is lost");
}

static void expect_up(const char *client)
{
	char relayed[ADDR_TEXT_BYTES];

	media(at(client), world.service, "\x40\x01\x00\x02up\0\0", 8);
	expect_last(endpoint_format(&mover.relayed, relayed), PEER_IP ":6000");
}

static void expect_down(const char *client)
{
	media(world_endpoint(PEER_IP, 6000), mover.relayed, "down", 4);
	expect_last(WORLD_RELAY_IP ":3478", client);
	cr_expect_eq(load_be16(world.sent.payload), 0x4001);
}

static void open_mover(void)
{
	caller_open(&mover, CLIENT_IP, 5000);
	world_add_host(&world, AWAY_IP);
	world_add_host(&world, PEER_IP);
	cr_assert_eq(mover_allocate(), 401);
	cr_assert_eq(mover_allocate(), 0);
	cr_assert_eq(mover_bind(), 0);
}

static void move_to(const char *client)
{
	mover.address = at(client);
	cr_assert_eq(mover_refresh(), 438, "a nonce is for one address");
	cr_assert_eq(mover_refresh(), 0);
}

// RFC 8016 §3.2.2, make before break: not one packet is lost, and what comes down changes its way
// with the first that comes up from there.
Test(extensions, media_goes_on_over_a_hand_over)
{
	open_mover();
	expect_up(CLIENT_IP ":5000");
	expect_down(CLIENT_IP ":5000");
	move_to(AWAY_IP ":5001");
	expect_up(CLIENT_IP ":5000");
	expect_down(CLIENT_IP ":5000");
	expect_up(AWAY_IP ":5001");
	expect_down(AWAY_IP ":5001");
	expect_up(AWAY_IP ":5001");
	world_check(&world);
	move_to(CLIENT_IP ":5000");
	expect_down(AWAY_IP ":5001");
	expect_up(CLIENT_IP ":5000");
	expect_down(CLIENT_IP ":5000");
	world_check(&world);
	caller_close(&mover);
}

// Into the first worker at once; the control core does nothing meanwhile.
static void to_worker(const struct datagram *d)
{
	world_send(&world, d);
	world_advance(&world, 0);
	world_poll(&world, 0);
}

// What the mover sends by its channel from there.
static struct datagram media_up_from(const char *client)
{
	struct datagram d = {.from = at(client), .to = world.service, .n = 8};

	memcpy(d.payload, "\x40\x01\x00\x02up\0\0", 8);
	return d;
}

// A Refresh from the mover's next place, not sent yet, on a wire that keeps its order.
static struct datagram refresh_from(const char *client)
{
	struct datagram refresh;

	mover.address = at(client);
	cr_assert_eq(mover_refresh(), 438, "a nonce is for one address");
	caller_refresh(&mover, &world, &refresh);
	world.delay_max_ms = 0;
	world.one_queue = true;
	return refresh;
}

// RFC 8016 §3.2.2: two bursts of media from one place, and between them a Refresh from the next,
// where nothing was sent from yet.
Test(extensions, what_was_said_before_a_hand_over_does_not_end_it)
{
	struct datagram media_up, refresh;
	struct turn_allocation_view view;
	uint32_t cursor = 0;

	open_mover();
	move_to(AWAY_IP ":5001");
	media_up = media_up_from(AWAY_IP ":5001");
	refresh = refresh_from(AWAY_IP ":5002");
	to_worker(&media_up);
	to_worker(&refresh);
	to_worker(&media_up);
	world_settle(&world);
	while (turn_allocation_next(world.turn, &cursor, &view) == TURN_STEP_MORE)
		;
	cr_expect_eq(view.n_moves, 1);
	cr_expect(endpoint_equal(&view.client, &media_up.from));
	cr_expect(endpoint_equal(&view.pending_client, &mover.address));
	expect_down(AWAY_IP ":5001");
	expect_up(AWAY_IP ":5002");
	expect_down(AWAY_IP ":5002");
	world_check(&world);
	caller_close(&mover);
}

// Two hand-overs at once: the Refresh that begins the second is heard before what ends the first.
Test(extensions, a_hand_over_ends_though_another_one_begins)
{
	struct datagram media_up, refresh;
	struct caller first;

	open_mover();
	move_to(AWAY_IP ":5001");
	first = mover;
	caller_open(&mover, CLIENT_IP, 5100);
	cr_assert_eq(mover_allocate(), 401);
	cr_assert_eq(mover_allocate(), 0);
	media_up = media_up_from(AWAY_IP ":5001");
	refresh = refresh_from(AWAY_IP ":5101");
	to_worker(&refresh);
	to_worker(&media_up);
	world_settle(&world);
	caller_close(&mover);
	mover = first;
	expect_down(AWAY_IP ":5001");
	world_check(&world);
	caller_close(&mover);
}

// Of all workers' tables nothing is left of where the client was.
Test(extensions, the_old_5_tuple_is_forgotten_after_a_hand_over)
{
	const uint8_t channel_data[] = {0x40, 0x01, 0x00, 0x02, 'u', 'p', 0, 0};
	struct datagram d = {.from = at(CLIENT_IP ":5000"), .n = sizeof(channel_data)};

	open_mover();
	move_to(AWAY_IP ":5001");
	expect_up(AWAY_IP ":5001");
	memcpy(d.payload, channel_data, sizeof(channel_data));
	d.to = world.service;
	world.n_sent = 0;
	for (int i = 0; i < 20; i++)
		world_send(&world, &d);
	world_settle(&world);
	cr_expect_eq(world.n_sent, 0);
	caller_close(&mover);
}

Test(extensions, a_send_indication_from_the_new_5_tuple_ends_the_hand_over_too)
{
	const struct endpoint peer = world_endpoint(PEER_IP, 6000);
	uint8_t indication[128];
	struct stun_writer w;

	open_mover();
	move_to(AWAY_IP ":5001");
	stun_writer_init(&w, indication, sizeof(indication), STUN_INDICATION, STUN_SEND,
		(const uint8_t *)"0123456789ab");
	stun_put_xor_address(&w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	stun_put_bytes(&w, STUN_ATTR_DATA, "up", 2);
	media(at(AWAY_IP ":5001"), world.service, (const char *)indication, stun_writer_end(&w));
	expect_down(AWAY_IP ":5001");
	caller_close(&mover);
}
