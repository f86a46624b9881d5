// What comes and goes leaves nothing: memory and buffers are where they were after a million rounds
// of an allocation's life and after every flood, and no answer carries a byte that was not meant.
#include "caller.h"
#include "users.h"
#include "wire.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <rte_mempool.h>
#include <stdio.h>

#ifdef __SANITIZE_ADDRESS__
#define SHRINK 50 // quarantine and shadow make memory grow of themselves: only buffers are judged
#else
#define SHRINK 1
#endif
#define N_ROUNDS (1000000 / SHRINK) // of lib/turn alone
#define N_PACKET_ROUNDS (100000 / SHRINK) // through workers and control core
#define N_FLOOD (200000 / SHRINK) // datagrams
#define N_ANSWERS (100000 / SHRINK)
#define RSS_SLACK_BYTES (1 << 20) // of libc and the test itself

#define CLIENT_IP "198.18.0.10"
#define PEER_IP "198.18.0.20"
#define CHANNEL 0x4001

// Old bytes of buffers: none of them may be sent.
static const uint8_t secret[8] = {0xd3, 0x91, 0xe7, 0xb5, 0x9f, 0xc1, 0xa3, 0x8d};

static struct world world;
static struct caller caller; // at any port

struct memory {
	size_t heap_bytes;
	size_t resident_bytes;
};

static struct memory memory_now(void)
{
	struct memory memory = {.heap_bytes = mallinfo2().uordblks};
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages;

	cr_assert(file && fscanf(file, "%*u %lu", &pages) == 1);
	fclose(file);
	memory.resident_bytes = pages * 4096;
	return memory;
}

static void expect_flat(const struct memory *before, const char *what)
{
	const struct memory now = memory_now();

	cr_expect_eq(now.heap_bytes, before->heap_bytes, "%s: %zd bytes of heap more", what,
		(ssize_t)(now.heap_bytes - before->heap_bytes));
#ifndef __SANITIZE_ADDRESS__
	cr_expect_lt(now.resident_bytes, before->resident_bytes + RSS_SLACK_BYTES,
		"%s: %zd bytes resident more", what,
		(ssize_t)(now.resident_bytes - before->resident_bytes));
#endif
}

static void check_stun(const struct datagram *d)
{
	size_t at = STUN_HEADER_BYTES;

	cr_assert(stun_is_whole(d->payload, d->n), "an answer's length");
	cr_assert_leq(d->n, 576 - 28, "an answer that may not pass an unknown path");
	while (at < d->n) {
		at += STUN_ATTR_HEADER_BYTES + load_be16(d->payload + at + 2);
		for (; at % 4 != 0; at++)
			cr_assert_eq(d->payload[at], 0, "padding that is not zero");
	}
	cr_assert_eq(at, d->n, "an attribute's length");
}

static void on_sent(struct world *from, const struct datagram *d)
{
	(void)from;
	if (stun_classify(d->payload, d->n) == STUN_KIND_MESSAGE)
		check_stun(d);
	for (size_t i = 0; i + 4 <= sizeof(secret); i += 4)
		cr_assert_null(memmem(d->payload, d->n, secret + i, 4), "old bytes are sent");
}

static void open_world(void)
{
	world_open(&world, 1);
	world_add_host(&world, CLIENT_IP);
	world_add_host(&world, PEER_IP);
	world.on_sent = on_sent;
	world.delay_max_ms = 0;
	caller_open(&caller, CLIENT_IP, 0);
}

static void close_world(void)
{
	world_close(&world);
	caller_close(&caller);
}

TestSuite(flat, .init = open_world, .fini = close_world);

static void poll_all(void)
{
	world_advance(&world, 0);
	world_poll(&world, 0);
	world_poll(&world, 1);
	world_poll(&world, WORLD_WORKERS);
	world_poll(&world, 0);
	world_poll(&world, 1);
	world_advance(&world, 0);
}

static struct datagram datagram_from(const char *ip, uint16_t port)
{
	return (struct datagram){.from = world_endpoint(ip, port), .to = world.service};
}

static void begin(struct stun_writer *w, struct datagram *d, uint16_t method)
{
	caller_begin(&caller, w, d, method);
}

static void sign(struct stun_writer *w)
{
	caller_sign(&caller, w);
}

// The code of the answer; -1 where none came.
static int exchange(struct stun_writer *w, struct datagram *d)
{
	const uint64_t n_before = world.n_sent;

	d->n = stun_writer_end(w);
	cr_assert_gt(d->n, 0);
	world_send(&world, d);
	poll_all();
	return world.n_sent == n_before ? -1 : caller_read(&caller, &world.sent);
}

static int challenge(uint16_t port)
{
	struct datagram d = datagram_from(CLIENT_IP, port);
	struct stun_writer w;

	begin(&w, &d, STUN_ALLOCATE);
	return exchange(&w, &d);
}

static int allocate(uint16_t port)
{
	struct datagram d = datagram_from(CLIENT_IP, port);
	struct stun_writer w;

	begin(&w, &d, STUN_ALLOCATE);
	stun_put_u32(&w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	sign(&w);
	return exchange(&w, &d);
}

static int with_peer(uint16_t port, uint16_t method, uint16_t peer_port)
{
	const struct endpoint peer = world_endpoint(PEER_IP, peer_port);
	struct datagram d = datagram_from(CLIENT_IP, port);
	struct stun_writer w;

	begin(&w, &d, method);
	if (method == STUN_CHANNEL_BIND)
		stun_put_channel(&w, CHANNEL);
	stun_put_xor_address(&w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	sign(&w);
	return exchange(&w, &d);
}

static int release(uint16_t port)
{
	struct datagram d = datagram_from(CLIENT_IP, port);
	struct stun_writer w;

	begin(&w, &d, STUN_REFRESH);
	stun_put_u32(&w, STUN_ATTR_LIFETIME, 0);
	sign(&w);
	return exchange(&w, &d);
}

static void round_trip(uint16_t port)
{
	struct datagram media = datagram_from(CLIENT_IP, port);

	cr_assert_eq(challenge(port), 401);
	cr_assert_eq(allocate(port), 0);
	cr_assert_eq(with_peer(port, STUN_CHANNEL_BIND, 6000), 0);
	store_be16(media.payload, CHANNEL);
	media.payload[4] = 'm';
	store_be16(media.payload + 2, 1);
	media.n = 5;
	world_send(&world, &media);
	poll_all();
	cr_assert_eq(world.sent.n, 1);
	cr_assert_eq(release(port), 0);
	world_advance(&world, 1);
}

Test(flat, lives_of_allocations_leave_workers_and_control_core_as_they_were, .timeout = 300)
{
	struct memory before;

	for (int i = 0; i < N_PACKET_ROUNDS + 5000; i++) {
		if (i == 5000)
			before = memory_now();
		round_trip((uint16_t)(1024 + i % 60000));
	}
	expect_flat(&before, "100,000 lives through workers");
	world_check(&world);
	cr_expect_eq(rte_mempool_in_use_count(world.pool), 0);
	cr_expect_eq(world_n_entries(&world), 0);
}

struct flood {
	const char *name;
	// Fill in what one stranger sends.
	void (*make)(struct datagram *d, struct stun_writer *w);
	int answers_percent_max;
};

static void make_binding(struct datagram *d, struct stun_writer *w)
{
	begin(w, d, STUN_BINDING);
	if (caller.n_transactions % 2)
		stun_put_fingerprint(w);
}

static void make_unauthenticated(struct datagram *d, struct stun_writer *w)
{
	begin(w, d, STUN_ALLOCATE);
	stun_put_u32(w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
}

// A login that somebody made up, or saw elsewhere.
static void make_spoofed(struct datagram *d, struct stun_writer *w)
{
	make_unauthenticated(d, w);
	sign(w);
	if (caller.n_transactions % 2)
		d->payload[w->n_bytes - 1] ^= 1;
}

static void make_bad_stun(struct datagram *d, struct stun_writer *w)
{
	make_spoofed(d, w);
	switch (caller.n_transactions % 3) {
	case 0:
		store_be16(d->payload + 2, (uint16_t)(load_be16(d->payload + 2) + 4));
		break;
	case 1:
		store_be16(d->payload + STUN_HEADER_BYTES + 2, 0xfff0);
		break;
	default:
		d->payload[4] ^= 1; // no cookie
	}
}

static void make_unknown_peer(struct datagram *d, struct stun_writer *w)
{
	begin(w, d, STUN_BINDING);
	d->to.port = (uint16_t)(WORLD_PORT_MIN + caller.n_transactions % 40);
}

static void make_unbound_channel(struct datagram *d, struct stun_writer *w)
{
	begin(w, d, STUN_BINDING);
	store_be16(d->payload, (uint16_t)(0x4000 + caller.n_transactions % 0x1000));
	store_be16(d->payload + 2, 16);
}

static void make_send(struct datagram *d, struct stun_writer *w)
{
	const struct endpoint peer = world_endpoint(PEER_IP, 6000);

	begin(w, d, STUN_SEND);
	d->payload[1] |= 0x10; // an indication
	stun_put_xor_address(w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	stun_put_bytes(w, STUN_ATTR_DATA, "spam", 4);
}

static void pour(const struct flood *flood, int n)
{
	struct datagram d;
	struct stun_writer w;

	for (int i = 0; i < n; i++) {
		d = datagram_from(
			"11.0.0.0", (uint16_t)(1024 + random_below(&world.random, 64000)));
		store_be16(d.from.ip.bytes + 2, (uint16_t)random_next(&world.random));
		flood->make(&d, &w);
		d.n = stun_writer_end(&w);
		world_send(&world, &d);
		if (i % 16 == 15) {
			world_advance(&world, 1);
			poll_all();
		}
	}
	world_settle(&world);
}

static void withstand(const struct flood *flood)
{
	struct turn_stats stats;
	struct memory before;
	uint64_t n_before;

	pour(flood, 2000);
	before = memory_now();
	n_before = world.n_sent;
	pour(flood, N_FLOOD);
	expect_flat(&before, flood->name);
	cr_expect_leq(world.n_sent - n_before, (uint64_t)N_FLOOD * flood->answers_percent_max / 100,
		"%s: %lu answers", flood->name, world.n_sent - n_before);
	cr_expect_eq(rte_mempool_in_use_count(world.pool), 0, "%s: buffers are held", flood->name);
	turn_stats_get(world.turn, &stats);
	cr_expect_eq(stats.n_allocations, 1, "%s made state", flood->name);
	cr_expect_eq(stats.n_permissions, 1);
	cr_expect_eq(stats.n_ports_used, 1);
	world_check(&world);
}

// One call lives meanwhile, and lives on.
Test(flat, no_flood_of_strangers_leaves_anything, .timeout = 300)
{
	static const struct flood floods[] = {
		{"Binding", make_binding, 100},
		{"Allocates without a login", make_unauthenticated, 100},
		{"Allocates with another's login", make_spoofed, 100},
		{"bytes that lie", make_bad_stun, 0},
		{"peers that nobody knows", make_unknown_peer, 0},
		{"channels that nobody bound", make_unbound_channel, 0},
		{"Send indications of strangers", make_send, 0},
	};

	cr_assert_eq(challenge(7000), 401);
	cr_assert_eq(allocate(7000), 0);
	cr_assert_eq(with_peer(7000, STUN_CREATE_PERMISSION, 6000), 0);
	for (size_t i = 0; i < N_ELEMENTS(floods); i++) {
		withstand(&floods[i]);
		cr_assert_eq(challenge(7000), 401);
		cr_assert_eq(with_peer(7000, STUN_CREATE_PERMISSION, 6000), 0);
	}
	cr_expect_eq(release(7000), 0);
}

static void poison(struct rte_mempool *pool, void *context, void *object, unsigned idx)
{
	struct rte_mbuf *mbuf = object;
	uint8_t *room = mbuf->buf_addr;

	(void)pool;
	(void)context;
	(void)idx;
	for (size_t i = 0; i < mbuf->buf_len; i += sizeof(secret))
		memcpy(room + i, secret, sizeof(secret));
}

// Attributes of all kinds, of any length, signed or not.
static int ask_anything(uint16_t port)
{
	static const uint16_t methods[] = {STUN_BINDING, STUN_ALLOCATE, STUN_REFRESH,
		STUN_CREATE_PERMISSION, STUN_CHANNEL_BIND};
	static const uint16_t types[] = {0x0003, 0x000c, 0x000d, 0x0012, 0x0017, 0x0018, 0x0019,
		0x001a, 0x001e, 0x0022, 0x7ff1, 0x7ff2, 0x7ff3, 0x8000, 0x8002, 0x8022, 0xc001};
	struct datagram d = datagram_from(CLIENT_IP, port);
	const uint32_t what = random_below(&world.random, 64);
	struct stun_writer w;
	uint8_t value[16];

	begin(&w, &d, methods[random_below(&world.random, N_ELEMENTS(methods))]);
	for (uint32_t n = random_below(&world.random, 6); n > 0; n--) {
		for (size_t i = 0; i < sizeof(value); i++)
			value[i] = (uint8_t)random_below(&world.random, 128); // not the secret
		stun_put_bytes(&w, types[random_below(&world.random, N_ELEMENTS(types))], value,
			random_below(&world.random, sizeof(value)));
	}
	if ((what & 0x18) == 0x18)
		d.from.port += 100; // the nonce is another's
	if (what & 3)
		sign(&w);
	if (what & 4)
		stun_put_fingerprint(&w);
	return exchange(&w, &d);
}

static void send_odd_data(const struct endpoint *relayed)
{
	struct datagram d = {.from = world_endpoint(PEER_IP, 7001), .to = *relayed};

	d.n = random_below(&world.random, 64);
	memset(d.payload, 'x', d.n);
	world_send(&world, &d);
	poll_all();
}

Test(flat, answers_hold_no_byte_that_was_not_meant, .timeout = 300)
{
	struct endpoint relayed = {0};
	unsigned n_codes[700] = {0};
	int code;

	for (unsigned n = 0; world.n_sent < N_ANSWERS; n++) {
		const uint16_t port = (uint16_t)(7000 + random_below(&world.random, 8));

		cr_assert_eq(rte_mempool_in_use_count(world.pool), 0);
		// Before each buffer has been used again: they go round.
		if (n % 16 == 0)
			rte_mempool_obj_iter(world.pool, poison, NULL);
		n_codes[challenge(port)]++;
		if (allocate(port) == 0)
			relayed = caller.relayed;
		n_codes[with_peer(port, STUN_CREATE_PERMISSION, 6000) % 700]++;
		for (int i = 0; i < 40; i++) {
			code = ask_anything(port);
			cr_assert_lt(code, 700);
			n_codes[code < 0 ? 699 : code]++;
			send_odd_data(&relayed);
		}
		if (random_below(&world.random, 2))
			n_codes[release(port)]++;
		world_advance(&world, random_below(&world.random, 3000));
		poll_all();
	}
	for (const int *p = (const int[]){0, 400, 401, 420, 437, 438, -1}; *p >= 0; p++)
		cr_expect_gt(n_codes[*p], N_ANSWERS / 2000, "hardly an answer %d", *p);
}

static struct request request_of(uint16_t method, uint16_t port, const struct user *user)
{
	struct request request = {
		.method = method,
		.service = world_endpoint(WORLD_RELAY_IP, 3478),
		.client = world_endpoint(CLIENT_IP, port),
		.login = {.user = *user,
			.has_name = true,
			.has_realm = true,
			.has_nonce = true,
			.key = STUN_PASSWORD_MD5,
			.sha1 = SIGNATURE_RIGHT},
		.protocol = 17,
		.peers = {world_endpoint("11.0.0.1", 6000)},
		.channel = CHANNEL,
	};

	store_be32(request.transaction, ++caller.n_transactions);
	return request;
}

static int ask_turn(struct wire *wire, struct turn *turn, struct request *request)
{
	static struct turn_effect items[TURN_EFFECTS_MAX];
	static struct nonce learned;
	struct turn_effects effects = {items, 0, TURN_EFFECTS_MAX};
	const struct turn_time time = {world.now.now_ms, world.now.wall_s};
	struct answer got;

	request->login.nonce = learned;
	wire_write(wire, request);
	got = wire_send(wire, turn, &time, request, &effects);
	cr_assert_null(wire->wrong, "%s", wire->wrong);
	if (got.nonce.n)
		learned = got.nonce;
	for (size_t i = 0; i < effects.n; i++)
		if (items[i].kind == TURN_PORT_COOLING)
			turn_port_release(turn, &items[i].relayed);
	return got.code;
}

static void live(struct wire *wire, struct turn *turn, const struct user *user, uint16_t port)
{
	struct request request = request_of(STUN_ALLOCATE, port, user);

	request.has = HAS_TRANSPORT;
	if (ask_turn(wire, turn, &request) != 0) // a new address: the nonce is of another
		cr_assert_eq(ask_turn(wire, turn, &request), 0);
	request = request_of(STUN_CHANNEL_BIND, port, user);
	request.has = HAS_CHANNEL | HAS_PEER;
	request.n_peers = 1;
	cr_assert_eq(ask_turn(wire, turn, &request), 0);
	request = request_of(STUN_REFRESH, port, user);
	request.has = HAS_LIFETIME;
	cr_assert_eq(ask_turn(wire, turn, &request), 0);
}

static struct turn *open_rest_turn(void)
{
	static const struct turn_rest_secret secrets = {.text = "north"};
	const struct relay_range relay = {world.service.ip, WORLD_PORT_MIN, WORLD_PORT_MAX};
	const struct turn_config config = {
		.realm = {.name = REALM, .rest_secrets = &secrets, .n_rest_secrets = 1},
		.nonce_lifetime_s = 600,
		.lifetime_s = 600,
		.lifetime_max_s = 3600,
		.n_allocations_max = 64,
		.relays = &relay,
		.n_relays = 1,
		.services = &world.service,
		.n_services = 1,
		.random_seed = 1,
	};
	struct turn *turn;

	cr_assert_eq(turn_create(&turn, &config), 0);
	return turn;
}

// Each of another user, whose name and key the instance holds as long as the allocation lives.
Test(flat, a_million_lives_leave_an_instance_as_it_was, .timeout = 300)
{
	static struct wire wire;
	struct turn *turn = open_rest_turn();
	struct turn_stats stats;
	struct memory before;
	struct user user;
	char account[16];

	wire.mac = caller.mac;
	for (int i = 0; i < N_ROUNDS + 70000; i++) {
		if (i == 70000)
			before = memory_now();
		snprintf(account, sizeof(account), "user%07d", i);
		user = user_rest(0, account, world.now.wall_s + 600, users_secrets[0]);
		live(&wire, turn, &user, (uint16_t)(1024 + i % 60000));
		world_advance(&world, i % 2);
	}
	expect_flat(&before, "a million lives");
	turn_stats_get(turn, &stats);
	cr_expect_geq(stats.n_allocations_created, N_ROUNDS);
	cr_expect_eq(stats.n_allocations + stats.n_permissions + stats.n_channels, 0);
	turn_destroy(turn);
}
