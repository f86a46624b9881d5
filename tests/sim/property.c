// PROPERTY_SEED=n takes another seed, PROPERTY_OPERATIONS=n another number of operations, and
// PROPERTY_TRACE=n prints each operation from the n-th on. What fails says its seed.
#include "property.h"

#include "entries.h"
#include "instance.h"
#include "wire.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __SANITIZE_ADDRESS__
#define N_OPERATIONS 60000ULL // of each scenario
#else
#define N_OPERATIONS 1250000ULL
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
	unsigned n_permissions_most; // of one allocation
	unsigned n_channels_most;
	uint64_t n_moved;
	uint64_t n_kicked;
	uint64_t n_reloads;
};

static struct run run;

static unsigned max(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

static void describe(const struct request *r, char *out, size_t n)
{
	const struct login *login = &r->login;
	char client[ADDR_TEXT_BYTES], peer[ADDR_TEXT_BYTES];

	snprintf(out, n,
		"method %#x class %u tuple %u of %s, user %s%s%s, sha1 %u sha256 %u key %u "
		"offer %u/%u choice %u/%u nonce %zu/%u, has %#x malformed %#x lifetime %u protocol "
		"%u family %u additional %u pair %u channel %#x peers %u (%s), ticket %lu/%u/%u "
		"pass %u/%u",
		r->method, r->class, r->tuple, endpoint_format(&r->client, client),
		login->user.name, login->has_name ? "" : " (no name)",
		login->has_userhash ? " (hidden)" : "", login->sha1, login->sha256, login->key,
		login->has_offer, login->offer_is_true, login->has_choice, login->choice,
		login->nonce.n, login->nonce.genuine, r->has, r->malformed, r->lifetime_s,
		r->protocol, r->family, r->additional, r->pair, r->channel, r->n_peers,
		r->n_peers ? endpoint_format(&r->peers[0], peer) : "-", r->ticket.life,
		r->ticket.generation, r->ticket.genuine, login->has_pass, login->user.pass.genuine);
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

// By the names that operators see.
static void check_hits(uint8_t realm)
{
	uint64_t n_hits[MODEL_RULES] = {0};
	struct turn_peer_rule rule;

	for (size_t i = 0; turn_peer_rule_get(run.turn, realm, i, &rule); i++)
		for (unsigned k = MODEL_NO_RULE + 1; k < MODEL_RULES; k++)
			if (strcmp(rule.name, model_rule_name(k)) == 0)
				n_hits[k] += rule.n_hits;
	for (unsigned k = MODEL_NO_RULE + 1; k < MODEL_RULES; k++)
		if (n_hits[k] != run.model.n_hits[realm][k])
			must(model_rule_name(k));
}

static void check_all(void)
{
	must(turn_check(run.turn));
	for (uint8_t i = 0; i < max((unsigned)run.model.rules.n_realms, 1); i++)
		check_hits(i);
	must(entries_check_all(&run.entries, &run.model));
	must(entries_check_users(&run.entries, &run.model));
	must(entries_check_walk(&run.entries, &run.model, run.turn));
	check_stats();
}

// RFC 8016: who is heard at the pending 5-tuple has moved there, unless workers lack room for it.
// `n_before`: effects that came first.
static void follow(unsigned tuple, size_t n_before)
{
	const struct model_allocation *a = model_at(&run.model, tuple);
	const size_t n_needed = 4U + a->n_permissions + 3U * a->n_channels;
	bool moved = false;

	for (size_t i = 0; i < run.effects.n; i++)
		moved = moved || run.effects.items[i].replaces;
	if (moved && !run.model.movers[tuple])
		must("an allocation moved that must not");
	if (moved)
		model_establish(&run.model, tuple);
	else if (run.model.movers[tuple] && n_before + n_needed <= run.effects.capacity)
		must("a hand-over was not ended");
	run.n_moved += moved;
}

// How many effects a request had before a hand-over ended.
static size_t count_own_effects(void)
{
	size_t n = 0;

	while (n < run.effects.n && !run.effects.items[n].replaces)
		n++;
	return n;
}

static void take(const struct answer *answer, bool from_pending)
{
	const struct model_allocation *a;

	must(model_take(&run.model, &run.time, &run.request, answer));
	draw_learn(&run.draw, &run.request, answer);
	if (answer->code)
		return; // nothing has changed, on neither side
	if (from_pending)
		follow(run.request.tuple, count_own_effects());
	must(entries_apply(&run.entries, &run.model, &run.effects));
	must(entries_check(&run.entries, &run.model, run.request.tuple));
	a = model_at(&run.model, run.request.tuple);
	run.n_permissions_most = max(run.n_permissions_most, a->n_permissions);
	run.n_channels_most = max(run.n_channels_most, a->n_channels);
}

static void ask(void)
{
	struct request *request = &run.request;
	const bool starved = draw_chance(&run.draw, run.scenario->starved_percent);
	bool from_pending;
	struct model_asked asked;
	struct answer answer;
	char text[160];
	int wanted;

	draw_request(&run.draw, request);
	run.effects.n = 0;
	run.effects.capacity =
		starved ? random_below(&run.draw.random, TURN_EFFECTS_MAX) : TURN_EFFECTS_MAX;
	run.wire.poison ^= 0xff;
	run.wire.checks_signature = run.n % 8 == 0;
	wanted = model_judge(&run.model, &run.time, request, !starved, &asked);
	model_count_asked(&run.model, request, &asked);
	from_pending = request->method != STUN_BINDING &&
		!(request->method == STUN_REFRESH && request_has(request, HAS_TICKET)) &&
		run.model.movers[request->tuple];
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
	take(&answer, from_pending);
}

// A client's data come in by some 5-tuple: the pending one, or one of which nothing is to be moved.
static void move(void)
{
	const unsigned tuple = draw_below(&run.draw, 2 * run.scenario->n_clients);
	const struct model_allocation *a = model_at(&run.model, tuple);
	const unsigned own = (unsigned)(a - run.model.allocations);
	const bool starved = draw_chance(&run.draw, 20);

	if (own == tuple && model_lives(a) && a->mobility.pending >= 0)
		return; // workers know which entries are moving
	run.effects.n = 0;
	run.effects.capacity = starved ? draw_below(&run.draw, 20) : TURN_EFFECTS_MAX;
	turn_moved(run.turn, model_lives(a) ? run.entries.idx[own] : UINT32_MAX, &run.effects);
	follow(tuple, 0);
	must(entries_apply(&run.entries, &run.model, &run.effects));
	must(entries_check(&run.entries, &run.model, tuple));
	must(entries_check(&run.entries, &run.model, own));
}

// A source says something else about a realm.
static void update(void)
{
	const size_t i = draw_below(&run.draw, run.model.rules.n_realms > 1 ? 2 : 1);
	const struct ip_range allow = draw_range(&run.draw), deny = draw_range(&run.draw);
	const struct turn_realm_update update = {
		.n_allocations_max = draw_below(&run.draw, 20),
		.n_allocations_per_user = draw_below(&run.draw, 6),
		.allow = &allow,
		.n_allow = allow.first.family != FAMILY_NONE,
		.deny = &deny,
		.n_deny = deny.first.family != FAMILY_NONE,
	};

	must(turn_realm_update(run.turn, i, &update) == -ENOMEM ? "no memory" : NULL);
	if (model_uses_source(&run.model.rules.realms[i]))
		model_update(&run.model, (uint8_t)i, &update);
}

// Where the allocation of that number lives, or -1.
static int tuple_of_id(uint64_t id)
{
	for (int i = 0; i < MODEL_TUPLES_MAX; i++)
		if (model_lives(&run.model.allocations[i]) && run.entries.ids[i] == id)
			return i;
	return -1;
}

static void kick_one(void)
{
	const uint64_t id = run.entries.ids[draw_below(&run.draw, 2 * run.scenario->n_clients)];
	const int tuple = tuple_of_id(id);
	const bool lives = tuple >= 0;
	const size_t n_needed = lives ? model_count_effects(&run.model, (unsigned)tuple) : 0;
	int rc;

	run.effects.n = 0;
	// Just enough, or just too little.
	run.effects.capacity = n_needed + draw_below(&run.draw, 4);
	run.effects.capacity -= run.effects.capacity > 2 ? 2 : run.effects.capacity;
	rc = turn_allocation_end(run.turn, &run.time, id, &run.effects);
	if (rc != (!lives ? -ENOENT : n_needed > run.effects.capacity ? -EAGAIN : 0))
		must("an allocation was kicked that must not, or not at all");
	if (rc == 0)
		model_kick(&run.model, (unsigned)tuple);
	run.n_kicked += rc == 0;
	must(entries_apply(&run.entries, &run.model, &run.effects));
}

// All of them, in as many goes as their rings take.
static void kick_user(void)
{
	const unsigned tuple = draw_below(&run.draw, 2 * run.scenario->n_clients);
	const struct user *user = &run.model.allocations[tuple].owner;
	const int realm = draw_chance(&run.draw, 50) ? -1 : (int)draw_below(&run.draw, REALMS_MAX);
	const char *name = draw_chance(&run.draw, 50) ? user->name : user->account;
	char copy[sizeof(user->name)];
	struct turn_kick kick = {.realm = realm < 0 ? NULL : realm_name((uint8_t)realm)};
	unsigned n_wanted;
	bool more = true;

	strcpy(copy, name);
	kick.name = copy;
	kick.n_bytes = strlen(copy);
	n_wanted = model_kick_user(&run.model, realm, copy);
	for (unsigned n = 0; more; n++) {
		const uint32_t n_before = kick.n_ended;

		run.effects.n = 0;
		run.effects.capacity =
			n % 2 ? TURN_EFFECTS_MAX : draw_below(&run.draw, TURN_EFFECTS_MAX);
		more = turn_user_end(run.turn, &run.time, &kick, &run.effects);
		must(entries_apply(&run.entries, &run.model, &run.effects));
		if (more && n % 2 && kick.n_ended == n_before)
			must("turn_user_end() cannot go on though there is room");
	}
	must(kick.n_ended == n_wanted ? NULL : "another number was kicked");
	run.n_kicked += kick.n_ended;
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
	if (draw_chance(&run.draw, 50)) // on the second, where most limits lie
		run.time.now_ms += 999 - (run.time.now_ms + 999) % 1000;
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
	turn_trim(run.turn);
	model_trim(&run.model);
}

// Peers that are denied now may stay for a while.
static void sweep(void)
{
	uint32_t cursor = 0;
	bool more = true;

	model_sweep(&run.model);
	for (unsigned n = 0; more; n++) {
		run.effects.n = 0;
		run.effects.capacity = n % 2 ? TURN_EFFECTS_MAX : draw_below(&run.draw, 20);
		more = turn_sweep(run.turn, &cursor, &run.effects);
		must(entries_apply(&run.entries, &run.model, &run.effects));
	}
	must(entries_check_all(&run.entries, &run.model));
}

static void reload(void)
{
	const struct model_rules rules = draw_rules(&run.draw);

	model_reload(&run.model, &rules);
	instance_reload(run.turn, &rules, ++run.n_reloads);
	check_all();
	if (draw_chance(&run.draw, 50))
		sweep();
	check_all();
}

static void open_run(const struct scenario *scenario, uint64_t seed)
{
	const char *trace = getenv("PROPERTY_TRACE");

	memset(&run, 0, sizeof(run));
	run.scenario = scenario;
	run.seed = seed;
	run.trace_from = trace ? strtoull(trace, NULL, 10) : UINT64_MAX;
	run.time = (struct turn_time){1000000, 1700001000};
	model_open(&run.model, &scenario->rules);
	run.draw = (struct draw){
		.random.state = seed, .scenario = scenario, .model = &run.model, .time = &run.time};
	run.effects.items = run.items;
	cr_assert_eq(stun_mac_create(&run.wire.mac), 0);
	draw_open(&run.draw);
	run.turn = instance_create(&run.model.rules, seed);
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

static bool is_rare(unsigned permille)
{
	return permille && random_below(&run.draw.random, 1000) < permille;
}

static void step(void)
{
	const uint32_t what = random_below(&run.draw.random, 1000);

	if (what < run.scenario->advance_permille) {
		advance();
	} else if (what < run.scenario->advance_permille + 20) {
		cool_down();
	} else if (is_rare(run.scenario->updates_permille)) {
		update();
	} else if (is_rare(run.scenario->reloads_permille)) {
		reload();
	} else if (is_rare(run.scenario->kicks_permille)) {
		draw_chance(&run.draw, 50) ? kick_one() : kick_user();
	} else if (run.scenario->moves_percent && draw_chance(&run.draw, 10)) {
		move();
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

// So with what takes many operations to come about.
static void expect_extremes(void)
{
	const struct scenario *scenario = run.scenario;

	cr_expect_geq(run.n_moved, scenario->moves_least, "only %lu moved", run.n_moved);
	cr_expect_geq(
		run.n_kicked, 300 * scenario->kicks_permille, "only %lu kicked", run.n_kicked);
	cr_expect_geq(
		run.n_reloads, 500 * scenario->reloads_permille, "only %lu reloads", run.n_reloads);
	cr_expect_geq(run.n_permissions_most, scenario->fills_permissions, "at most %u permissions",
		run.n_permissions_most);
	cr_expect_geq(run.n_channels_most, scenario->fills_channels, "at most %u channels",
		run.n_channels_most);
}

void property_run(const struct scenario *scenario, const int *codes)
{
	const char *seed = getenv("PROPERTY_SEED");
	const char *operations = getenv("PROPERTY_OPERATIONS");
	const uint64_t n = operations ? strtoull(operations, NULL, 10) : N_OPERATIONS;

	open_run(scenario, seed ? strtoull(seed, NULL, 10) : 1);
	while (run.n < n)
		step();
	if (!operations)
		expect_codes(codes);
	if (run.n >= 1000000)
		expect_extremes();
	for (int i = 0; i < 700; i++)
		if (run.n_codes[i])
			cr_log_info("%s: %3d %lu", scenario->name, i, run.n_codes[i]);
	close_run();
}
