// Ten million random operations against the reference model: every answer, every relayed address,
// every entry in the tables of workers and every expiry is what the model says.
//
// PROPERTY_SEED=n takes another seed, PROPERTY_OPERATIONS=n another number of operations, and
// PROPERTY_TRACE=n prints each operation from the n-th on. What fails says its seed.
#include "draw.h"
#include "entries.h"
#include "model.h"
#include "wire.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __SANITIZE_ADDRESS__
#define N_OPERATIONS 100000ULL // of each scenario
#else
#define N_OPERATIONS 2000000ULL
#endif
#define CHECK_ALL_EVERY 4096

struct run {
	const struct scenario *scenario;
	uint64_t seed;
	uint64_t n; // operations so far
	uint64_t trace_from;
	struct turn_time time;
	struct turn *turn;
	struct model model;
	struct draw draw;
	struct wire wire;
	struct entries entries;
	struct request request;
	struct turn_effect items[TURN_EFFECTS_MAX];
	struct turn_effects effects;
	uint64_t n_codes[700];
	uint64_t n_silent;
	uint64_t n_expired;
};

static struct run run;

static void describe(const struct request *r, char *out, size_t n)
{
	const struct login *login = &r->login;
	char client[ADDR_TEXT_BYTES], peer[ADDR_TEXT_BYTES];

	snprintf(out, n,
		"method %#x class %u tuple %u of %s, user %s%s%s, sha1 %u sha256 %u key %u "
		"offer %u/%u choice %u/%u nonce %zu/%u, has %#x malformed %#x lifetime %u protocol "
		"%u family %u additional %u pair %u channel %#x peers %u (%s)",
		r->method, r->class, r->tuple, endpoint_format(&r->client, client),
		login->user.name, login->has_name ? "" : " (no name)",
		login->has_userhash ? " (hidden)" : "", login->sha1, login->sha256, login->key,
		login->has_offer, login->offer_is_true, login->has_choice, login->choice,
		login->nonce.n, login->nonce.genuine, r->has, r->malformed, r->lifetime_s,
		r->protocol, r->family, r->additional, r->pair, r->channel, r->n_peers,
		r->n_peers ? endpoint_format(&r->peers[0], peer) : "-");
}

static void must(const char *wrong)
{
	char text[1024];

	if (!wrong)
		return;
	describe(&run.request, text, sizeof(text));
	cr_assert_fail("%s: PROPERTY_SEED=%lu, operation %lu, at %lu ms: %s\n  last request: %s",
		run.scenario->name, run.seed, run.n, run.time.now_ms, wrong, text);
}

static void check_stats(void)
{
	const struct turn_stats wanted = model_count(&run.model);
	struct turn_stats stats;

	turn_stats_get(run.turn, &stats);
	if (stats.n_allocations != wanted.n_allocations || stats.n_dual != wanted.n_dual ||
		stats.n_permissions != wanted.n_permissions ||
		stats.n_channels != wanted.n_channels ||
		stats.n_ports_free != wanted.n_ports_free ||
		stats.n_ports_used != wanted.n_ports_used ||
		stats.n_ports_reserved != wanted.n_ports_reserved ||
		stats.n_ports_cooling != wanted.n_ports_cooling)
		must("the counters");
}

static void check_all(void)
{
	must(turn_check(run.turn));
	must(entries_check_all(&run.entries, &run.model));
	must(entries_check_walk(&run.entries, &run.model, run.turn));
	check_stats();
}

static void ask(void)
{
	struct request *request = &run.request;
	const bool starved = draw_chance(&run.draw, run.scenario->starved_percent);
	struct answer answer;
	char text[160];
	int wanted;

	draw_request(&run.draw, request);
	run.effects.n = 0;
	run.effects.capacity =
		starved ? random_below(&run.draw.random, TURN_EFFECTS_MAX) : TURN_EFFECTS_MAX;
	run.wire.poison ^= 0xff;
	run.wire.checks_signature = run.n % 8 == 0;
	wanted = model_judge(&run.model, &run.time, request, !starved);
	wire_write(&run.wire, request);
	answer = wire_send(&run.wire, run.turn, &run.time, request, &run.effects);
	must(run.wire.wrong);
	if (answer.code != wanted) {
		snprintf(text, sizeof(text), "answer %d, wanted %d", answer.code, wanted);
		must(text);
	}
	if (wanted == ANSWER_NONE) {
		run.n_silent++;
		must(run.effects.n ? "effects without an answer" : NULL);
		return;
	}
	run.n_codes[wanted]++;
	must(wanted && run.effects.n ? "effects of a refused request" : NULL);
	must(model_take(&run.model, &run.time, request, &answer));
	draw_learn(&run.draw, request, &answer);
	if (wanted)
		return; // nothing has changed, on neither side
	must(entries_apply(&run.entries, &run.model, &run.effects));
	must(entries_check(&run.entries, &run.model, request->tuple));
}

// Now and then with little room, so that it takes several goes.
static void expire(void)
{
	bool more = true;

	model_expire(&run.model, run.time.now_ms);
	run.effects.capacity = draw_chance(&run.draw, 50) ? TURN_EFFECTS_MAX : 8;
	while (more) {
		run.effects.n = 0;
		more = turn_expire(run.turn, &run.time, &run.effects);
		run.n_expired += run.effects.n;
		must(entries_apply(&run.entries, &run.model, &run.effects));
		if (more && run.effects.n == 0 && run.effects.capacity == TURN_EFFECTS_MAX)
			must("turn_expire() cannot go on though there is room");
		if (run.effects.n == 0)
			run.effects.capacity = TURN_EFFECTS_MAX;
	}
	must(entries_check_all(&run.entries, &run.model));
}

static void advance(void)
{
	const bool is_long = random_below(&run.draw.random, 1000) < run.scenario->long_permille;
	const uint32_t ms_max = is_long ? 400000 : draw_chance(&run.draw, 30) ? 10000 : 1200;

	run.time.now_ms += random_below(&run.draw.random, ms_max);
	run.time.wall_s = 1700000000 + (int64_t)(run.time.now_ms / 1000);
	if (!draw_chance(&run.draw, 10)) // else what has ended is there a little longer
		expire();
}

static void cool_down(void)
{
	struct entries *entries = &run.entries;

	for (size_t i = entries->n_cooling; i-- > 0;) {
		if (draw_chance(&run.draw, 50))
			continue;
		turn_port_release(run.turn, &entries->cooling[i]);
		must(model_release(&run.model, &entries->cooling[i]));
		entries->cooling[i] = entries->cooling[--entries->n_cooling];
	}
}

static void open_turn(void)
{
	const struct model_rules *rules = &run.scenario->rules;
	static const struct turn_rest_secret secrets[2] = {
		{.text = "north"}, {.text = "south", .sha256 = true}};
	struct turn_user users[DRAW_CONFIGURED_USERS];
	struct user names[DRAW_CONFIGURED_USERS];
	struct turn_config config = {
		.realm =
			{
				.name = REALM,
				.users = users,
				.n_users = DRAW_CONFIGURED_USERS,
				.rest_secrets = secrets,
				.n_rest_secrets = rules->has_secrets ? 2 : 0,
				.offers_sha256 = rules->offers_sha256,
				.asks_userhash = rules->asks_userhash,
				.n_allocations_per_user = rules->n_allocations_per_user,
				.peers.allow_private = rules->allow_private,
			},
		.nonce_lifetime_s = rules->nonce_lifetime_s,
		.lifetime_s = rules->lifetime_s,
		.lifetime_max_s = rules->lifetime_max_s,
		.n_allocations_max = rules->n_allocations_max,
		.relays = rules->relays,
		.n_relays = rules->n_relays,
		.services = rules->services,
		.n_services = N_ELEMENTS(rules->services),
		.alternates = {rules->alternate},
		.rfc5766_channels = rules->rfc5766_channels,
		.random_seed = run.seed | 1,
	};

	for (unsigned i = 0; i < DRAW_CONFIGURED_USERS; i++) {
		names[i] = draw_configured_user(i);
		users[i] = (struct turn_user){.name = names[i].name, .keys.has_sha256 = true};
		memcpy(users[i].keys.md5, names[i].md5.bytes, STUN_MD5_BYTES);
		memcpy(users[i].keys.sha256, names[i].sha256.bytes, STUN_SHA256_BYTES);
	}
	cr_assert_eq(turn_create(&run.turn, &config), 0);
}

static void open_run(const struct scenario *scenario, uint64_t seed)
{
	const char *trace = getenv("PROPERTY_TRACE");

	memset(&run, 0, sizeof(run));
	run.scenario = scenario;
	run.seed = seed;
	run.trace_from = trace ? strtoull(trace, NULL, 10) : UINT64_MAX;
	run.time = (struct turn_time){1000000, 1700001000};
	run.model.rules = scenario->rules;
	run.draw = (struct draw){
		.random.state = seed, .scenario = scenario, .model = &run.model, .time = &run.time};
	run.effects.items = run.items;
	cr_assert_eq(stun_mac_create(&run.wire.mac), 0);
	draw_open(&run.draw);
	open_turn();
}

// A day later nothing is left.
static void close_run(void)
{
	struct turn_stats stats;

	run.time.now_ms += 86400000;
	expire();
	while (run.entries.n_cooling)
		cool_down();
	check_all();
	turn_stats_get(run.turn, &stats);
	cr_expect_eq(stats.n_allocations + stats.n_permissions + stats.n_channels, 0);
	cr_expect_eq(stats.n_ports_used + stats.n_ports_reserved + stats.n_ports_cooling, 0);
	turn_destroy(run.turn);
	stun_mac_destroy(run.wire.mac);
}

static void trace(void)
{
	char text[1024];

	describe(&run.request, text, sizeof(text));
	fprintf(stderr, "%lu at %lu ms: %s\n", run.n, run.time.now_ms, text);
}

static void step(void)
{
	const uint32_t what = random_below(&run.draw.random, 1000);

	if (what < run.scenario->advance_permille) {
		advance();
	} else if (what < run.scenario->advance_permille + 20) {
		cool_down();
	} else {
		ask();
		if (run.n >= run.trace_from)
			trace();
	}
	if (++run.n % CHECK_ALL_EVERY == 0)
		check_all();
}

// Each of `codes`, ended by -1, was seen at least once in ten thousand operations: what never comes
// is not proven.
static void expect_codes(const int *codes)
{
	for (int i = 0; codes[i] >= 0; i++)
		cr_expect_geq(run.n_codes[codes[i]], run.n / 10000, "%s: only %lu answers %d",
			run.scenario->name, run.n_codes[codes[i]], codes[i]);
	cr_expect_gt(run.n_expired, run.n / 1000, "too little expired");
}

static void run_scenario(const struct scenario *scenario, const int *codes)
{
	const char *seed = getenv("PROPERTY_SEED");
	const char *operations = getenv("PROPERTY_OPERATIONS");
	const uint64_t n = operations ? strtoull(operations, NULL, 10) : N_OPERATIONS;

	open_run(scenario, seed ? strtoull(seed, NULL, 10) : 1);
	while (run.n < n)
		step();
	if (!operations)
		expect_codes(codes);
	for (int i = 0; i < 700; i++)
		if (run.n_codes[i])
			cr_log_info("%s: %3d %lu", scenario->name, i, run.n_codes[i]);
	close_run();
}

// Two relays of different size and two services.
#define RULES                                                                 \
	.relays = {{{FAMILY_IPV4, {192, 0, 2, 15}}, 50000, 50099},            \
		{{FAMILY_IPV4, {192, 0, 2, 17}}, 50001, 50020}},              \
	.n_relays = 2,                                                        \
	.services = {{{FAMILY_IPV4, {192, 0, 2, 15}}, 3478},                  \
		{{FAMILY_IPV4, {192, 0, 2, 16}}, 3478}},                      \
	.n_allocations_max = 1000, .lifetime_s = 600, .lifetime_max_s = 3600, \
	.nonce_lifetime_s = 600

Test(property, many_clients_of_a_roomy_server)
{
	static const struct scenario scenario = {
		.name = "roomy",
		.rules = {RULES, .offers_sha256 = true, .asks_userhash = true},
		.n_clients = 50,
		.n_hosts = 12,
		.ipv6_percent = 30,
		.n_channels = 10,
		.n_peers_max = 3,
		.fault_percent = 15,
		.advance_permille = 60,
		.long_permille = 20,
	};

	run_scenario(&scenario, (const int[]){0, 400, 401, 403, 420, 437, 438, 440, 442, 443, -1});
}

// Ports, the number of allocations and the quota all end soon.
Test(property, too_many_clients_of_a_small_server)
{
	static const struct scenario scenario = {
		.name = "small",
		.rules = {.relays = {{{FAMILY_IPV4, {192, 0, 2, 15}}, 50000, 50010},
				  {{FAMILY_IPV4, {192, 0, 2, 17}}, 50001, 50004},
				  {{FAMILY_IPV6, {0x20, 0x01, 0x0d, 0xb8, [15] = 0x17}}, 50000,
					  50005}},
			.n_relays = 3,
			.services = {{{FAMILY_IPV4, {192, 0, 2, 15}}, 3478},
				{{FAMILY_IPV4, {192, 0, 2, 16}}, 3478}},
			.n_allocations_max = 13,
			.n_allocations_per_user = 4,
			.lifetime_s = 60,
			.lifetime_max_s = 600,
			.nonce_lifetime_s = 120,
			.allow_private = true,
			.alternate = {{FAMILY_IPV4, {192, 0, 2, 77}}, 3478}},
		.n_clients = 40,
		.n_hosts = 4,
		.ipv6_percent = 30,
		.n_channels = 4,
		.n_peers_max = 3,
		.fault_percent = 8,
		.advance_permille = 100,
		.long_permille = 10,
	};

	run_scenario(&scenario,
		(const int[]){0, 300, 400, 401, 403, 420, 437, 438, 440, 443, 486, 508, -1});
}

Test(property, names_that_end)
{
	static const struct scenario scenario = {
		.name = "rest",
		.rules = {RULES, .has_secrets = true, .offers_sha256 = true,
			.n_allocations_per_user = 6, .rfc5766_channels = true},
		.n_clients = 40,
		.n_hosts = 8,
		.ipv6_percent = 30,
		.n_channels = 0x3000,
		.n_peers_max = 4,
		.fault_percent = 10,
		.advance_permille = 80,
		.long_permille = 20,
	};

	run_scenario(&scenario, (const int[]){0, 400, 401, 403, 420, 437, 438, 441, 443, 486, -1});
}

// All that one allocation can have.
Test(property, few_clients_with_very_many_peers)
{
	static const struct scenario scenario = {
		.name = "full",
		.rules = {RULES},
		.n_clients = 6,
		.n_hosts = 132,
		.ipv6_percent = 30,
		.n_channels = 1000,
		.n_peers_max = PEERS_MAX,
		.fault_percent = 5,
		.advance_permille = 10,
		.long_permille = 10,
	};

	run_scenario(&scenario, (const int[]){0, 400, 401, 403, 437, 438, 443, 508, -1});
}

// The rings to the workers are full now and then.
Test(property, workers_that_fall_behind)
{
	static const struct scenario scenario = {
		.name = "starved",
		.rules = {RULES},
		.n_clients = 30,
		.n_hosts = 8,
		.ipv6_percent = 30,
		.n_channels = 8,
		.n_peers_max = 4,
		.fault_percent = 5,
		.advance_permille = 80,
		.long_permille = 20,
		.starved_percent = 30,
	};

	run_scenario(&scenario, (const int[]){0, 400, 401, 403, 437, 438, 443, 508, -1});
}
