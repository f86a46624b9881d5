// Whole lives of instances for LeakSanitizer: built with -fsanitize=address, it fails at exit where
// anything is lost. Not a Criterion test, whose processes never end the ordinary way.
#include "turn_rig.h"

#include <stdio.h>
#include <stdlib.h>

static struct rig rig;

static void expect(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "leak_turn: %s\n", what);
	exit(1);
}

static void live(uint16_t n_clients)
{
	for (uint16_t i = 0; i < n_clients; i++) {
		rig.client.port = 1 + i;
		rig.user = i % 2 ? &rig_user : &rig_other;
		rig_challenge(&rig);
		expect(rig_allocate(&rig) == 0, "allocate");
		expect(rig_bind(&rig, 0x4000, "11.0.0.1:9") == 0, "bind");
		if (i % 3 == 0)
			expect(rig_refresh(&rig, 0) == 0, "refresh");
	}
}

static void refuse(void)
{
	struct turn_config config = rig_config();
	struct turn *turn = NULL;

	config.n_relays = 0;
	expect(turn_create(&turn, &config) != 0 && !turn, "a configuration without relays");
	config = rig_config();
	config.realm.n_users = 1;
	config.lifetime_s = 0;
	expect(turn_create(&turn, &config) != 0 && !turn, "a configuration without lifetime");
}

static void rest(void)
{
	// MD5("1700000600:realm:" base64(HMAC-SHA1("north", "1700000600")))
	static const struct rig_user user = {"1700000600",
		{{0x52, 0x34, 0x87, 0x3a, 0xec, 0x71, 0xdd, 0x1a, 0x92, 0xc3, 0xe2, 0xcf, 0xa1,
			 0xc8, 0x70, 0xc0},
			16}};
	static const struct turn_rest_secret secrets[] = {{.text = "south"}, {.text = "north"}};
	const struct ip_range range = {{FAMILY_IPV4, {10}}, {FAMILY_IPV4, {10, 255, 255, 255}}};
	const struct prefix nat64 = {{FAMILY_IPV6, {0x26}}, 32};
	struct turn_config config = rig_config();

	config.realm.rest_secrets = secrets;
	config.realm.n_rest_secrets = 2;
	config.realm.peers = (struct turn_peer_policy){
		.never = &range,
		.n_never = 1,
		.allow = &range,
		.n_allow = 1,
		.deny = &range,
		.n_deny = 1,
		.dry_run = &range,
		.n_dry_run = 1,
		.nat64 = &nat64,
		.n_nat64 = 1,
	};
	rig_open(&rig, &config);
	rig.user = &user;
	rig_challenge(&rig);
	expect(rig_allocate(&rig) == 0, "allocate by REST");
	rig_close(&rig);
}

static enum turn_lookup find(void *context, size_t realm_idx, const void *name, size_t n_bytes,
	bool may_ask, struct turn_keys *out)
{
	(void)context;
	(void)realm_idx;
	(void)may_ask;
	*out = (struct turn_keys){0};
	memcpy(out->md5, rig_nobody.key.bytes, sizeof(out->md5));
	return n_bytes == strlen(rig_nobody.name) && memcmp(name, rig_nobody.name, n_bytes) == 0
		? TURN_FOUND
		: TURN_UNKNOWN;
}

// Two realms, one of them with users and settings from a source that changes its mind.
static void source(void)
{
	static const struct turn_rest_secret secrets[] = {{.text = "south"}, {.text = "north"}};
	const struct ip_range range = {{FAMILY_IPV4, {10}}, {FAMILY_IPV4, {10, 255, 255, 255}}};
	struct turn_config config = rig_config();
	struct turn_realm_config blue = config.realm;
	struct turn_realm_update update = {.rest_secrets = secrets, .allow = &range};

	blue.name = "blue";
	blue.services = config.services;
	blue.n_services = 1;
	blue.uses_source = true;
	config.more_realms = &blue;
	config.n_more_realms = 1;
	config.source.find = find;
	rig_open(&rig, &config);
	for (size_t i = 0; i < 3; i++) {
		update.n_rest_secrets = i;
		update.n_allow = i % 2;
		expect(turn_realm_update(rig.turn, 1, &update) == 0, "update");
	}
	rig.user = &rig_nobody;
	rig_challenge(&rig);
	expect(rig_allocate(&rig) == 0, "allocate by a source");
	rig_close(&rig);
	blue.name = NULL;
	expect(turn_create(&rig.turn, &config) != 0, "a realm without a name");
}

// Users, realms, listeners, relays and what a source says come and go, with allocations on them.
static void reconfigure(void)
{
	static const struct turn_rest_secret secrets[] = {{.text = "south"}, {.text = "north"}};
	const struct ip_range range = {{FAMILY_IPV4, {10}}, {FAMILY_IPV4, {10, 255, 255, 255}}};
	const struct turn_realm_update update = {
		.rest_secrets = secrets, .n_rest_secrets = 2, .allow = &range, .n_allow = 1};
	const struct turn_token_key key = {.kid = "kid", .key_bytes = 16};
	struct turn_config config = rig_config();
	struct turn_realm_config blue = config.realm;
	struct relay_range relay = *config.relays;
	struct turn *next;

	rig_listen(&config, (const char *const[]){"192.0.2.15:3478", "192.0.2.15:3479", NULL});
	blue.name = "blue";
	blue.services = &config.services[1];
	blue.n_services = 1;
	config.realm.uses_source = true;
	config.source.find = find;
	config.relays = &relay;
	rig_open(&rig, &config);
	rig.user = &rig_user;
	expect(turn_realm_update(rig.turn, 0, &update) == 0, "update");
	for (uint16_t i = 0; i < 12; i++) {
		rig.client.port = 1 + i;
		rig_challenge(&rig);
		expect(rig_allocate(&rig) == 0, "allocate");
		config.more_realms = &blue;
		config.n_more_realms = i % 2;
		config.n_services = 1 + i % 2;
		config.realm.n_users = 1 + i / 2 % 2;
		config.allows_mobility = i % 3;
		config.tokens = (struct turn_tokens){"server", &key, i % 2};
		relay.port_min = 50000 + i % 3;
		expect(rig_reconfigure(&rig, &config) == 0, "reconfigure");
		turn_trim(rig.turn);
	}
	expect(turn_prepare(&next, rig.turn, &config) == 0, "prepare");
	turn_destroy(next);
	config.realm.name = "";
	expect(turn_prepare(&next, rig.turn, &config) != 0, "prepare a realm without a name");
	rig_close(&rig);
}

int main(void)
{
	for (int i = 0; i < 3; i++) {
		rig_open_default(&rig);
		live(12);
		if (i == 1)
			rig_pass(&rig, 700000);
		rig_close(&rig);
	}
	refuse();
	rest();
	source();
	reconfigure();
	return 0;
}
