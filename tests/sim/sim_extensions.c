// What a request may ask of the whole relay beyond relaying: control, workers and wire together.
#include "world.h"

#include <criterion/criterion.h>

#define CLIENT_IP "198.18.0.10"

static struct world world;
static struct datagram sent; // the last that left the relay
static unsigned n_sent;

static void on_sent(struct world *from, const struct datagram *datagram)
{
	(void)from;
	sent = *datagram;
	n_sent++;
}

static void on_arrived(struct world *from, const struct datagram *datagram)
{
	(void)from;
	(void)datagram;
}

static void open_world(void)
{
	world_open(&world, 1);
	world_add_host(&world, CLIENT_IP);
	world.on_sent = on_sent;
	world.on_arrived = on_arrived;
	n_sent = 0;
}

static void close_world(void)
{
	world_close(&world);
}

TestSuite(extensions, .init = open_world, .fini = close_world);

static void expect_last(const char *from, const char *to)
{
	char text[ADDR_TEXT_BYTES];

	cr_expect_str_eq(endpoint_format(&sent.from, text), from);
	cr_expect_str_eq(endpoint_format(&sent.to, text), to);
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
	cr_assert_eq(n_sent, 1);
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
