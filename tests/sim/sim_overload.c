// Ten times as many requests as the control core can judge, and a flood with false sources besides:
// running calls do not notice. The core is the real one; it is slow because it is seldom polled.
#include "caller.h"

#include <criterion/criterion.h>

#define STEP_MS 20 // between two rounds of the control core
#define N_STEPS 1000
#define PER_ROUND (32 * WORLD_WORKERS) // requests that the core takes in a round, at most
#define N_ALLOCATES (10 * PER_ROUND) // in a step, valid
#define N_SPOOFED (10 * PER_ROUND) // in a step, unsigned
#define SLICE 40 // datagrams between two rounds of the workers
#define N_CALLS 4
#define N_RUSHING 64 // clients that all want to begin a call
#define RTO_MS 500 // RFC 8489 §6.2.1
#define REFRESH_STEPS 20
#define PEER_IP "198.18.0.20"
#define CALL_PORT 5000
#define RUSH_PORT 7000

struct call {
	struct caller caller;
	struct endpoint peer;
	struct datagram request; // that waits for its answer
	bool waiting;
	uint64_t sent_ms;
	unsigned n_up, n_down; // media that left the relay
};

static struct world world;
static struct call calls[N_CALLS];
static struct caller rushing[N_RUSHING];
static struct datagram rushes[N_RUSHING]; // signed once: a client repeats the same bytes
static unsigned n_answered;
static unsigned n_repeated; // requests of running calls
static unsigned n_granted; // calls of those who rush

static void judge(struct call *call, const struct datagram *d)
{
	if (d->payload[0] >> 6 == 1) {
		call->n_down++;
		return;
	}
	cr_assert(call->waiting);
	call->waiting = false;
	if (caller_read(&call->caller, d) == 0)
		n_answered++;
}

static void on_sent(struct world *from, const struct datagram *d)
{
	(void)from;
	for (unsigned i = 0; i < N_CALLS; i++) {
		if (endpoint_equal(&d->to, &calls[i].caller.address))
			return judge(&calls[i], d);
		if (endpoint_equal(&d->to, &calls[i].peer))
			calls[i].n_up++;
	}
	for (unsigned i = 0; i < N_RUSHING; i++) {
		if (!endpoint_equal(&d->to, &rushing[i].address))
			continue;
		if (caller_read(&rushing[i], d) == 0)
			n_granted++;
		return;
	}
}

static void poll_workers(void)
{
	world_advance(&world, 0);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned which = 0; which < WORLD_WORKERS; which++)
			world_poll(&world, which);
}

// With nobody else there.
static void ask(struct call *call, const struct datagram *d)
{
	call->waiting = true;
	world_send(&world, d);
	world_settle(&world);
	cr_assert_not(call->waiting);
}

static void begin_call(struct call *call, unsigned i)
{
	struct datagram d;

	*call = (struct call){.peer = world_endpoint(PEER_IP, (uint16_t)(6000 + i))};
	caller_open(&call->caller, "198.18.0.10", (uint16_t)(CALL_PORT + i));
	for (unsigned attempt = 0; attempt < 2; attempt++) { // the first is told a nonce
		caller_allocate(&call->caller, &world, &d, false);
		ask(call, &d);
	}
	caller_bind(&call->caller, &world, &d, &call->peer);
	ask(call, &d);
}

static void begin_rush(unsigned i)
{
	struct datagram d;

	caller_open(&rushing[i], "198.18.0.11", (uint16_t)(RUSH_PORT + i));
	caller_allocate(&rushing[i], &world, &d, false);
	world_send(&world, &d);
	world_settle(&world);
	cr_assert_gt(rushing[i].nonce_bytes, 0);
	caller_allocate(&rushing[i], &world, &rushes[i], false);
}

static void open_world(void)
{
	world_open(&world, 1);
	world_add_host(&world, "198.18.0.10");
	world_add_host(&world, "198.18.0.11");
	world_add_host(&world, PEER_IP);
	world.on_sent = on_sent;
	world.delay_max_ms = 0;
	for (unsigned i = 0; i < N_CALLS; i++)
		begin_call(&calls[i], i);
	for (unsigned i = 0; i < N_RUSHING; i++)
		begin_rush(i);
	n_answered = n_repeated = n_granted = 0;
}

static void close_world(void)
{
	for (unsigned i = 0; i < N_CALLS; i++)
		caller_close(&calls[i].caller);
	for (unsigned i = 0; i < N_RUSHING; i++)
		caller_close(&rushing[i]);
	world_close(&world);
}

TestSuite(overload, .init = open_world, .fini = close_world);

static void send_spoofed(void)
{
	struct datagram d = {.to = world.service};
	struct stun_writer w;

	d.from = world_endpoint("203.0.113.1", (uint16_t)random_below(&world.random, 65536));
	store_be32(d.from.ip.bytes, 0xcb000000 | random_below(&world.random, 1 << 24));
	stun_writer_init(&w, d.payload, sizeof(d.payload), STUN_REQUEST, STUN_ALLOCATE,
		(const uint8_t *)"0123456789ab");
	stun_put_u32(&w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	d.n = stun_writer_end(&w);
	world_send(&world, &d);
}

static void send_media(const struct call *call)
{
	struct datagram up = {.from = call->caller.address, .to = world.service, .n = 8};
	struct datagram down = {.from = call->peer, .to = call->caller.relayed, .n = 4};

	memcpy(up.payload, "\x40\x01\x00\x02up\0\0", up.n);
	memcpy(down.payload, "down", down.n);
	world_send(&world, &up);
	world_send(&world, &down);
}

// In turn a Refresh and a ChannelBind, repeated where no answer came in time.
static void keep_alive(struct call *call, unsigned step)
{
	if (call->waiting && world.now.now_ms - call->sent_ms >= RTO_MS) {
		n_repeated++;
		call->sent_ms = world.now.now_ms;
		world_send(&world, &call->request);
	}
	if (call->waiting || step % REFRESH_STEPS)
		return;
	if (step / REFRESH_STEPS % 2)
		caller_refresh(&call->caller, &world, &call->request);
	else
		caller_bind(&call->caller, &world, &call->request, &call->peer);
	call->waiting = true;
	call->sent_ms = world.now.now_ms;
	world_send(&world, &call->request);
}

// Calls in the middle of the crowd.
static void step_once(unsigned step)
{
	const unsigned n = N_ALLOCATES + N_SPOOFED;
	const unsigned turn_of_calls = random_below(&world.random, n / SLICE);

	for (unsigned i = 0; i < n; i++) {
		if (i % SLICE == 0 && i / SLICE == turn_of_calls) {
			for (unsigned k = 0; k < N_CALLS; k++) {
				send_media(&calls[k]);
				keep_alive(&calls[k], step);
			}
		}
		if (i % 2)
			world_send(&world, &rushes[random_below(&world.random, N_RUSHING)]);
		else
			send_spoofed();
		if (i % SLICE == SLICE - 1)
			poll_workers();
	}
	world_poll(&world, WORLD_WORKERS);
	world_advance(&world, STEP_MS);
}

static struct worker_stats sum_of_workers(void)
{
	struct worker_stats sum = {0};

	for (unsigned i = 0; i < WORLD_WORKERS; i++)
		worker_stats_add(&sum, &worker_public(world.workers[i].worker)->stats);
	return sum;
}

static void run_overloaded(void)
{
	const uint64_t n_punts = control_stats_get(world.control)->n_punts;

	for (unsigned step = 0; step < N_STEPS; step++)
		step_once(step);
	cr_assert_leq(control_stats_get(world.control)->n_punts - n_punts, N_STEPS * PER_ROUND);
	world_check(&world);
	world_settle(&world);
	world_check(&world);
}

Test(overload, calls_lose_no_media_and_every_request_of_theirs_succeeds_at_once)
{
	run_overloaded();
	for (unsigned i = 0; i < N_CALLS; i++) {
		cr_expect_eq(calls[i].n_up, N_STEPS);
		cr_expect_eq(calls[i].n_down, N_STEPS);
		cr_expect_not(calls[i].waiting);
	}
	cr_expect_eq(n_answered, N_CALLS * N_STEPS / REFRESH_STEPS);
	cr_expect_eq(n_repeated, 0);
}

Test(overload, what_is_shed_are_strangers_and_new_calls)
{
	struct worker_stats sum;
	uint64_t n_shed = 0;

	run_overloaded();
	sum = sum_of_workers();
	for (unsigned i = 0; i < URGENCIES; i++)
		n_shed += sum.n_shed[i];
	cr_expect_eq(n_shed, sum.n_drops[DROP_PUNT_SHED]);
	cr_expect_eq(sum.n_drops[DROP_PUNT_FULL], 0);
	cr_expect_eq(sum.n_shed[URGENCY_REFRESH], 0);
	cr_expect_eq(sum.n_shed[URGENCY_PERMISSION], 0);
	cr_expect_gt(sum.n_shed[URGENCY_ALLOCATE], N_STEPS * N_ALLOCATES / 2);
	cr_expect_gt(sum.n_shed[URGENCY_OTHER], N_STEPS * N_SPOOFED * 9 / 10);
	cr_expect_gt(n_granted, 0, "who rushes gets through in the end");
}

Test(overload, when_it_is_over_everybody_is_served_as_before)
{
	struct turn_stats stats;
	struct datagram d;

	run_overloaded();
	turn_stats_get(world.turn, &stats);
	cr_expect_eq(stats.n_ports_free, WORLD_PORTS / 2, "all of IPv4 went to those who rushed");
	world_advance(&world, 601000);
	for (unsigned i = 0; i < 50; i++)
		world_settle(&world);
	turn_stats_get(world.turn, &stats);
	cr_expect_eq(stats.n_allocations, 0);
	n_granted = 0;
	for (unsigned i = 0; i < 8; i++) {
		rushing[i].nonce_bytes = 0;
		for (unsigned k = 0; k < 2; k++) {
			caller_allocate(&rushing[i], &world, &d, false);
			world_send(&world, &d);
			world_settle(&world);
		}
	}
	cr_expect_eq(n_granted, 8);
	world_check(&world);
}
