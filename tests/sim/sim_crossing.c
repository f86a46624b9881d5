// IPv4 and IPv6 through the whole relay: media goes both ways all the time, in each pair of
// families, and while a client moves from one family to the other. The network delays and reorders;
// it loses nothing, so neither may the relay.
#include "caller.h"

#include <criterion/criterion.h>

#define MEDIA_BYTES 20
#define TICK_MS 20
#define TICKS_MAX 500
#define CALLERS_MAX 4

// A caller, and the peer that it has a channel to. Of each number that was sent, how often it came.
struct call {
	struct caller caller;
	struct endpoint first; // its address, and the one that it moves to
	struct endpoint second;
	struct endpoint peer;
	uint32_t n_sent;
	uint8_t up[TICKS_MAX];
	uint8_t down[TICKS_MAX];
	struct endpoint heard_at; // where the last media came down
	int code; // of the last answer; -1: none yet
};

static struct world world;
static struct call calls[CALLERS_MAX];
static size_t n_calls;

static const char *const host_ip[] = {
	[FAMILY_IPV4] = "198.18.0.10", [FAMILY_IPV6] = "2001:db8::10"};
static const char *const peer_ip[] = {
	[FAMILY_IPV4] = "198.18.0.20", [FAMILY_IPV6] = "2001:db8::20"};

static bool is_channel_data(const struct datagram *d)
{
	return d->n == 4 + MEDIA_BYTES && load_be16(d->payload) == CALLER_CHANNEL;
}

static void count(uint8_t *seen, const uint8_t *media)
{
	const uint32_t number = load_be32(media);

	cr_assert_lt(number, TICKS_MAX);
	seen[number]++;
}

static void arrive_at_client(struct call *call, const struct datagram *d)
{
	if (!is_channel_data(d)) {
		call->code = caller_read(&call->caller, d);
		return;
	}
	cr_assert_eq(load_be16(d->payload + 2), MEDIA_BYTES);
	count(call->down, d->payload + 4);
	call->heard_at = d->to;
}

static void on_arrived(struct world *from, const struct datagram *d)
{
	(void)from;
	for (size_t i = 0; i < n_calls; i++) {
		struct call *call = &calls[i];

		if (endpoint_equal(&d->to, &call->first) || endpoint_equal(&d->to, &call->second))
			return arrive_at_client(call, d);
		if (endpoint_equal(&d->to, &call->peer)) {
			cr_assert(endpoint_equal(&d->from, &call->caller.relayed));
			cr_assert_eq(d->n, MEDIA_BYTES);
			return count(call->up, d->payload);
		}
	}
	cr_assert_fail("a datagram to nobody");
}

// Everybody sends one up and one down.
static void send_media(struct call *call)
{
	struct datagram up = {.from = call->caller.address, .n = 4 + MEDIA_BYTES};
	struct datagram down = {.from = call->peer, .to = call->caller.relayed, .n = MEDIA_BYTES};

	cr_assert_lt(call->n_sent, TICKS_MAX);
	up.to = up.from.ip.family == FAMILY_IPV6 ? world.service6 : world.service;
	store_be16(up.payload, CALLER_CHANNEL);
	store_be16(up.payload + 2, MEDIA_BYTES);
	store_be32(up.payload + 4, call->n_sent);
	store_be32(down.payload, call->n_sent++);
	world_send(&world, &up);
	world_send(&world, &down);
}

static void tick(void)
{
	world_advance(&world, TICK_MS);
	for (unsigned which = 0; which <= WORLD_WORKERS; which++)
		world_poll(&world, which);
	world_check(&world);
}

static void talk(unsigned n_ticks)
{
	while (n_ticks-- > 0) {
		for (size_t i = 0; i < n_calls; i++)
			send_media(&calls[i]);
		tick();
	}
}

// Send it and wait for the answer; where `talking`, media goes on.
static int ask(struct call *call, const struct datagram *d, bool talking)
{
	call->code = -1;
	world_send(&world, d);
	for (int i = 0; i < 100 && call->code < 0; i++)
		talk(talking), tick();
	return call->code;
}

static struct call *begin_call(enum family client, enum family relayed)
{
	struct call *call = &calls[n_calls];
	const uint16_t port = (uint16_t)(5000 + n_calls++);
	struct datagram d;

	*call = (struct call){.first = world_endpoint(host_ip[client], port)};
	call->second = call->first;
	call->peer = world_endpoint(peer_ip[relayed], port);
	caller_open(&call->caller, host_ip[client], port);
	call->caller.relayed_family = (uint8_t)relayed;
	for (int i = 0; i < 2; i++) { // the first is for a nonce
		caller_allocate(&call->caller, &world, &d, true);
		cr_assert_eq(ask(call, &d, false), i ? 0 : 401);
	}
	cr_assert_eq(call->caller.relayed.ip.family, relayed);
	caller_bind(&call->caller, &world, &d, &call->peer);
	cr_assert_eq(ask(call, &d, false), 0);
	return call;
}

static void end_calls(void)
{
	world_settle(&world);
	world_check(&world);
	for (size_t i = 0; i < n_calls; i++) {
		for (uint32_t k = 0; k < calls[i].n_sent; k++)
			cr_expect(calls[i].up[k] == 1 && calls[i].down[k] == 1,
				"call %zu: packet %u came %u times up, %u down", i, k,
				calls[i].up[k], calls[i].down[k]);
		caller_close(&calls[i].caller);
	}
}

static void open_world(void)
{
	world_open(&world, 1);
	world.on_arrived = on_arrived;
	world.delay_max_ms = 50;
	for (int family = FAMILY_IPV4; family <= FAMILY_IPV6; family++) {
		world_add_host(&world, host_ip[family]);
		world_add_host(&world, peer_ip[family]);
	}
	n_calls = 0;
}

static void close_world(void)
{
	world_close(&world);
}

TestSuite(crossing, .init = open_world, .fini = close_world);

Test(crossing, all_four_pairs_relay_beside_each_other_without_a_loss)
{
	for (int client = FAMILY_IPV4; client <= FAMILY_IPV6; client++)
		for (int relayed = FAMILY_IPV4; relayed <= FAMILY_IPV6; relayed++)
			begin_call((enum family)client, (enum family)relayed);
	talk(200);
	end_calls();
	cr_expect_eq(calls[0].n_sent, 200);
}

// RFC 8016 §3.2.2: the old 5-tuple carries media until the client speaks from the new one, which is
// of another family here.
static void move(struct call *call, enum family to)
{
	struct caller *caller = &call->caller;
	const struct endpoint old = caller->address;
	struct datagram d;

	call->second = world_endpoint(host_ip[to], (uint16_t)(old.port + 100));
	for (int i = 0; i < 2; i++) { // a nonce is for one address
		caller->address = call->second;
		caller_refresh(caller, &world, &d);
		caller->address = old;
		cr_assert_eq(ask(call, &d, true), i ? 0 : 438);
	}
	talk(10);
	cr_expect(endpoint_equal(&call->heard_at, &old), "nothing yet was said from the new one");
	caller->address = call->second;
	talk(20);
	cr_expect(endpoint_equal(&call->heard_at, &call->second));
	call->first = call->second;
}

static void move_there_and_back(enum family client, enum family relayed)
{
	struct call *call = begin_call(client, relayed);

	talk(10);
	move(call, client == FAMILY_IPV4 ? FAMILY_IPV6 : FAMILY_IPV4);
	move(call, client);
	end_calls();
}

Test(crossing, a_client_of_ipv4_moves_to_ipv6_and_back)
{
	move_there_and_back(FAMILY_IPV4, FAMILY_IPV4);
}

Test(crossing, a_client_of_ipv6_moves_to_ipv4_and_back)
{
	move_there_and_back(FAMILY_IPV6, FAMILY_IPV4);
}

Test(crossing, a_client_of_ipv4_with_a_relayed_address_of_ipv6_moves)
{
	move_there_and_back(FAMILY_IPV4, FAMILY_IPV6);
}

Test(crossing, a_client_of_ipv6_with_a_relayed_address_of_ipv6_moves)
{
	move_there_and_back(FAMILY_IPV6, FAMILY_IPV6);
}
