// A worker that is set up anew while media flow: the rest of its configuration comes by a message.
#include "rows.h"
#include "stun/stun.h"

#include <criterion/criterion.h>
#include <errno.h>

#define BINDING "\x00\x01\x00\x00" STUN_COOKIE TRANSACTION
#define CLASSIC_BINDING    \
	"\x00\x01\x00\x00" \
	"0123" TRANSACTION
#define SECOND_SERVICE "198.18.0.2:3479"

static struct rig rig;
static uint64_t now_ms;
static struct endpoint services[2];
static struct relay_range relays[2];
static struct worker_config config; // what it is to run by next
static struct worker_config before; // what it runs by

static void open_rig(void)
{
	const struct rig_options options = {.virtual_ms = &now_ms};

	now_ms = 1000000;
	rig_open(&rig, &options);
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	services[0] = rig_endpoint(SERVICE);
	services[1] = rig_endpoint(SECOND_SERVICE);
	relays[0] = (struct relay_range){services[0].ip, 50000, 50999};
	relays[1] = (struct relay_range){rig_endpoint("198.18.0.9:0").ip, 60000, 60009};
	config = (struct worker_config){
		.services = services,
		.n_services = 1,
		.relays = relays,
		.n_relays = 1,
		.virtual_ms = &now_ms,
		.numa_node = NUMA_NODE_ANY,
		.rates = {.burst_ms = 1000, .n_allocations = 8},
	};
	before = config;
}

static void close_rig(void)
{
	rig_expect_balance(&rig);
	rig_close(&rig);
}

TestSuite(worker_setup, .init = open_rig, .fini = close_rig);

static void set_up(void)
{
	struct msg msg = {.kind = MSG_SETUP};

	cr_assert_eq(worker_setup_create(&msg.setup, &config, &before), 0);
	rig_send(&rig, msg);
	worker_poll(rig.worker);
	cr_expect_eq(worker_public(rig.worker)->applied_seq, rig.seq);
	worker_setup_destroy(msg.setup);
	before = config;
}

static unsigned ask(const char *service, const char *bytes, size_t n_bytes, unsigned n)
{
	const struct datagram datagram = {"198.18.0.77:5000", service, bytes, n_bytes};
	const struct frame frame = frame_udp(&datagram);
	struct frame out;
	unsigned n_answers = 0;

	for (unsigned i = 0; i < n; i++) {
		rig_receive(&rig, &frame);
		worker_poll(rig.worker);
		n_answers += rig_sent(&rig, &out);
	}
	return n_answers;
}

static unsigned bind_at(const char *service, unsigned n)
{
	return ask(service, BINDING, sizeof(BINDING) - 1, n);
}

static unsigned media(unsigned n)
{
	const struct datagram datagram = {CLIENT, SERVICE, HELLO, sizeof(HELLO) - 1};
	const struct frame frame = frame_udp(&datagram);
	struct frame out;
	unsigned n_sent = 0;

	for (unsigned i = 0; i < n; i++) {
		rig_receive(&rig, &frame);
		worker_poll(rig.worker);
		n_sent += rig_sent(&rig, &out);
	}
	return n_sent;
}

Test(worker_setup, a_listener_comes_and_goes)
{
	cr_expect_eq(bind_at(SECOND_SERVICE, 1), 0);
	cr_expect_eq(rig_stats(&rig)->n_mirrored, 1);
	config.n_services = 2;
	set_up();
	cr_expect_eq(bind_at(SECOND_SERVICE, 3), 3);
	cr_expect_eq(bind_at(SERVICE, 3), 3);
	cr_expect_eq(media(5), 5);
	config.n_services = 1;
	set_up();
	cr_expect_eq(bind_at(SECOND_SERVICE, 1), 0);
	cr_expect_eq(rig_stats(&rig)->n_mirrored, 2);
	cr_expect_eq(bind_at(SERVICE, 1), 1);
	cr_expect_eq(media(5), 5);
}

// The express lane knows services by their ports.
Test(worker_setup, channels_of_a_new_listener_take_the_express_lane)
{
	const struct datagram datagram = {CLIENT, SECOND_SERVICE, HELLO, sizeof(HELLO) - 1};
	const struct flow_spec spec = {
		.kind = FLOW_UP,
		.local = services[1],
		.remote = rig_endpoint(CLIENT),
		.channel = CHANNEL,
		.source = rig_endpoint(RELAYED),
		.target = rig_endpoint(PEER),
		.hop_idx = 1,
	};
	struct passed out;

	config.n_services = 2;
	set_up();
	rig_flow(&rig, &spec);
	worker_poll(rig.worker);
	rig_pass(&rig, &datagram, &out);
	cr_expect_str_eq(out.to, PEER);
	cr_expect_eq(rig_stats(&rig)->n_express, 1);
}

Test(worker_setup, a_relay_address_comes_and_goes)
{
	const struct datagram datagram = {PEER, "198.18.0.9:60001", "x", 1};
	const struct frame frame = frame_udp(&datagram);

	for (unsigned i = 0; i < 4; i++) {
		config.n_relays = 1 + i % 2;
		set_up();
		rig_receive(&rig, &frame);
		worker_poll(rig.worker);
		cr_expect_eq(rig_stats(&rig)->n_drops[DROP_NO_PERMISSION], (i + 1) / 2);
	}
	cr_expect_eq(media(5), 5);
}

Test(worker_setup, a_range_may_be_another)
{
	relays[0].port_min = 50001;
	set_up();
	cr_expect_eq(media(5), 5, "what comes from there still leaves");
	relays[0].port_min = 50000;
	relays[0].external = rig_endpoint("203.0.113.2:0").ip;
	set_up();
	cr_expect_eq(media(5), 5);
}

Test(worker_setup, a_rate_is_set_changed_and_lifted)
{
	cr_expect_eq(media(20), 20);
	config.rates.allocation.packets_per_s = 5;
	set_up();
	cr_expect_eq(media(20), 5);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_RATE_ALLOCATION], 15);
	config.rates.allocation.packets_per_s = 10;
	set_up();
	cr_expect_eq(media(20), 10, "it begins anew");
	config.rates.allocation.packets_per_s = 0;
	set_up();
	cr_expect_eq(media(20), 20);
}

Test(worker_setup, what_has_been_taken_stays_taken_where_limits_are_the_same)
{
	config.rates.allocation.packets_per_s = 5;
	config.answers.bindings_per_source = 5;
	set_up();
	cr_expect_eq(media(20), 5);
	cr_expect_eq(bind_at(SERVICE, 20), 5);
	config.n_services = 2;
	set_up();
	cr_expect_eq(media(20), 0);
	cr_expect_eq(bind_at(SERVICE, 20), 0);
	now_ms += 1000;
	cr_expect_eq(media(20), 5);
	cr_expect_eq(bind_at(SERVICE, 20), 5);
}

Test(worker_setup, budgets_are_set_changed_and_lifted)
{
	config.answers.bindings_per_source = 5;
	set_up();
	cr_expect_eq(bind_at(SERVICE, 20), 5);
	config.answers = (struct worker_answers){.ratio_percent = 10};
	set_up();
	cr_expect_eq(bind_at(SERVICE, 20), 0);
	config.answers.ratio_percent = 0;
	set_up();
	cr_expect_eq(bind_at(SERVICE, 20), 20);
}

Test(worker_setup, what_stun_says_may_be_another)
{
	struct msg msg;

	cr_expect_eq(ask(SERVICE, CLASSIC_BINDING, sizeof(CLASSIC_BINDING) - 1, 1), 0);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_NOT_STUN], 1);
	config.serves_classic = true;
	config.software = "relay";
	set_up();
	ask(SERVICE, CLASSIC_BINDING, sizeof(CLASSIC_BINDING) - 1, 1);
	cr_assert(rig_control(&rig, &rig.workers[0].punts, &msg));
	rte_pktmbuf_free(msg.mbuf);
	config.software = NULL;
	set_up();
	cr_expect_eq(bind_at(SERVICE, 1), 1);
}

Test(worker_setup, what_cannot_be_is_refused)
{
	struct worker_setup *setup;
	char software[STUN_SOFTWARE_BYTES_MAX + 2];

	memset(software, 'a', sizeof(software) - 1);
	software[sizeof(software) - 1] = '\0';
	config.software = software;
	cr_expect_eq(worker_setup_create(&setup, &config, &before), -EINVAL);
	config.software = NULL;
	relays[0].port_min = 0;
	cr_expect_eq(worker_setup_create(&setup, &config, &before), -EINVAL);
	cr_expect_null(setup);
}
