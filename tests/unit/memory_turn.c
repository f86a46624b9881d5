// An instance that is refused memory, once at each place where it asks for some: what was asked of
// it is refused with a word, nothing is half done, nothing is lost, and the next time it succeeds.
// A program of its own, for the linker puts what fails in the place of the C library's.
#include "turn_rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct rig rig;
static long n_left = -1; // allocations until one fails; negative: none does
static bool refused;

void *__real_calloc(size_t n, size_t n_bytes);
void *__real_reallocarray(void *old, size_t n, size_t n_bytes);
char *__real_strdup(const char *text);
void *__wrap_calloc(size_t n, size_t n_bytes);
void *__wrap_reallocarray(void *old, size_t n, size_t n_bytes);
char *__wrap_strdup(const char *text);

static bool is_refused(void)
{
	if (n_left < 0 || n_left-- > 0)
		return false;
	refused = true;
	return true;
}

void *__wrap_calloc(size_t n, size_t n_bytes)
{
	return is_refused() ? NULL : __real_calloc(n, n_bytes);
}

void *__wrap_reallocarray(void *old, size_t n, size_t n_bytes)
{
	return is_refused() ? NULL : __real_reallocarray(old, n, n_bytes);
}

char *__wrap_strdup(const char *text)
{
	return is_refused() ? NULL : __real_strdup(text);
}

static void expect(bool condition, const char *what, long place)
{
	if (condition)
		return;
	fprintf(stderr, "memory_turn: %s, refused allocation %ld\n", what, place);
	exit(1);
}

static const struct turn_rest_secret secrets[] = {{.text = "south"}, {.text = "north"}};
static const struct ip_range range = {{FAMILY_IPV4, {10}}, {FAMILY_IPV4, {10, 255, 255, 255}}};
static struct turn_config config;
static struct turn_realm_config blue;

// Something of everything.
static void configure(void)
{
	static const struct turn_token_key key = {.kid = "kid", .key_bytes = 16};

	config = rig_config();
	rig_listen(&config, (const char *const[]){"192.0.2.15:3478", "192.0.2.15:3479", NULL});
	blue = config.realm;
	blue.name = "blue";
	blue.services = &config.services[1];
	blue.n_services = 1;
	config.realm.uses_source = true;
	config.source.find = rig_find_nobody;
	config.realm.rest_secrets = secrets;
	config.realm.n_rest_secrets = 2;
	config.more_realms = &blue;
	config.n_more_realms = 1;
	config.allows_mobility = true;
	config.tokens = (struct turn_tokens){"server", &key, 1};
	config.nonce_lifetime_s = 3600;
}

static int create(void)
{
	struct turn *turn = NULL;
	const int rc = turn_create(&turn, &config);

	turn_destroy(turn);
	return rc;
}

// An allocation lives throughout.
static int reconfigure(void)
{
	static bool with_blue;
	const int rc = (config.n_more_realms = with_blue, rig_reconfigure(&rig, &config));

	with_blue ^= rc == 0;
	return rc;
}

static int update(void)
{
	const struct turn_realm_update update = {.rest_secrets = secrets,
		.n_rest_secrets = 2,
		.allow = &range,
		.n_allow = 1,
		.deny = &range,
		.n_deny = 1};

	return turn_realm_update(rig.turn, 0, &update);
}

static int set_never(void)
{
	return turn_set_never(rig.turn, &range, 1);
}

static int as_memory(int code)
{
	expect(code == 0 || code == STUN_INSUFFICIENT_CAPACITY, "another answer than 508", code);
	return code ? -ENOMEM : 0;
}

// Each of these needs room that is not there yet.
static int allocate(void)
{
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_bytes(&rig.w, STUN_ATTR_EVEN_PORT, "\x80", 1);
	stun_put_bytes(&rig.w, STUN_ATTR_MOBILITY_TICKET, "", 0);
	return as_memory(rig_send(&rig));
}

static int permit(void)
{
	return as_memory(rig_permit(&rig, "11.0.0.1"));
}

static int bind(void)
{
	return as_memory(rig_bind(&rig, 0x4000, "11.0.0.1:9"));
}

// Refuse the first of its allocations, then the second ... until it needs no more. Returns how many
// it needs.
static long refuse_each(const char *what, int (*act)(void), bool has_instance)
{
	for (long place = 0;; place++) {
		struct turn_stats before = {0}, after = {0};
		int rc;

		if (has_instance)
			turn_stats_get(rig.turn, &before);
		refused = false;
		n_left = place;
		rc = act();
		n_left = -1;
		if (has_instance)
			expect(turn_check(rig.turn) == NULL, turn_check(rig.turn), place);
		if (!refused) {
			expect(rc == 0, what, place);
			return place;
		}
		expect(rc == -ENOMEM, what, place);
		if (has_instance)
			turn_stats_get(rig.turn, &after);
		expect(before.n_allocations == after.n_allocations &&
				before.n_permissions == after.n_permissions &&
				before.n_channels == after.n_channels &&
				before.n_ports_used == after.n_ports_used &&
				before.n_ports_reserved == after.n_ports_reserved,
			"something was done", place);
	}
}

int main(void)
{
	configure();
	expect(refuse_each("create", create, false) > 20, "creating needs little", 0);
	rig_open(&rig, &config);
	rig.user = &rig_user;
	rig_challenge(&rig);
	expect(refuse_each("allocate", allocate, true) >= 4, "allocating needs little", 0);
	expect(refuse_each("permit", permit, true) >= 1, "permitting needs nothing", 0);
	expect(refuse_each("bind", bind, true) >= 1, "binding needs nothing", 0);
	expect(refuse_each("update", update, true) > 3, "updating needs little", 0);
	expect(refuse_each("set_never", set_never, true) >= 3, "that needs little", 0);
	for (int i = 0; i < 2; i++)
		expect(refuse_each("reconfigure", reconfigure, true) > 20, "it needs little", i);
	expect(rig_refresh(&rig, 600) == 0, "the allocation is lost", 0);
	rig_close(&rig);
	return 0;
}
