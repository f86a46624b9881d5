#include "values.h"

#include "opaque.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>

// RFC 8656 §7.2: the dynamic ports.
#define RELAY_PORT_MIN_PRESET 49152
#define RELAY_PORT_MAX_PRESET 65535
#define MBUFS_MIN 1024

uint32_t values_number(const uint32_t *number, const char *key)
{
	return number == NULL ? schema_number(key)->preset : *number;
}

void *values_make_array(size_t n, size_t item_bytes)
{
	return calloc(n == 0 ? 1 : n, item_bytes);
}

char *values_steal(char **text)
{
	char *stolen = *text;

	*text = NULL;
	return stolen;
}

static int take_ports(struct conf *conf, struct raw *raw, struct source *source)
{
	conf->ports = values_make_array(raw->n_ports, sizeof(*conf->ports));
	if (conf->ports == NULL)
		return -ENOMEM;
	conf->n_ports = raw->n_ports;
	for (size_t i = 0; i < raw->n_ports; i++) {
		const int rc = values_take_port(&conf->ports[i], &raw->ports[i], source, i + 1);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int take_endpoints(
	struct endpoint *out, char **texts, size_t n, struct source *source, const struct place *in)
{
	for (size_t i = 0; i < n; i++) {
		const struct place place = {in, "listen", i + 1};

		if (text_take_endpoint(&out[i], source, &place, texts[i]) < 0)
			return -EINVAL;
	}
	return 0;
}

// Those of all realms, one behind the other.
static int take_listen(struct conf *conf, struct raw *raw, struct source *source)
{
	size_t n = raw->n_listen;

	for (size_t i = 0; i < raw->n_realms; i++)
		n += raw->realms[i].n_listen;
	conf->listen = values_make_array(n, sizeof(*conf->listen));
	if (conf->listen == NULL)
		return -ENOMEM;
	conf->n_listen = raw->n_listen;
	return take_endpoints(conf->listen, raw->listen, raw->n_listen, source, NULL);
}

static int take_relay(struct conf *conf, struct raw *raw, struct source *source)
{
	conf->relay = values_make_array(raw->n_relay, sizeof(*conf->relay));
	if (conf->relay == NULL)
		return -ENOMEM;
	conf->n_relay = raw->n_relay;
	for (size_t i = 0; i < raw->n_relay; i++) {
		const struct place here = {NULL, "relay", i + 1};
		const struct place address = {&here, "address", 0};
		const struct place external = {&here, "external", 0};
		const struct place ports = {&here, "ports", 0};
		struct relay_range *relay = &conf->relay[i];

		relay->port_min = RELAY_PORT_MIN_PRESET;
		relay->port_max = RELAY_PORT_MAX_PRESET;
		if (text_take_global(&relay->ip, source, &address, raw->relay[i].address) < 0)
			return -EINVAL;
		if (raw->relay[i].external != NULL &&
			text_take_global(
				&relay->external, source, &external, raw->relay[i].external) < 0)
			return -EINVAL;
		if (raw->relay[i].ports != NULL &&
			text_take_port_range(relay, source, &ports, raw->relay[i].ports) < 0)
			return -EINVAL;
	}
	return 0;
}

// Stolen, and in the form that keys are made of; no longer than it may be.
static int take_opaque(
	char **out, char **raw, size_t n_max, struct source *source, const struct place *place)
{
	int rc;

	*out = values_steal(raw);
	if (*out == NULL)
		return 0;
	rc = opaque_string(out);
	if (rc == -EINVAL)
		return source_fail(source, place, NULL,
			"a character that RFC 8265 does not allow; allowed: letters, digits, "
			"punctuation, symbols and spaces");
	if (rc == 0 && strlen(*out) > n_max)
		return source_fail(source, place, NULL,
			"more than %zu bytes in normal form; allowed: 1..%zu bytes", n_max, n_max);
	return rc;
}

// A password, or the key, or both keys.
static int take_keys(struct conf_user *user, struct raw_user *raw, struct source *source,
	const struct place *here)
{
	const struct place key = {here, "key", 0};
	const struct place key_sha256 = {here, "key-sha256", 0};

	user->has_key = raw->key != NULL;
	user->has_key_sha256 = raw->key_sha256 != NULL;
	if (user->has_key == (raw->password != NULL))
		return source_fail(source, here, NULL,
			"%s; allowed: exactly one of password and key",
			user->has_key ? "both password and key" : "neither password nor key");
	if (user->has_key_sha256 && !user->has_key)
		return source_fail(source, &key_sha256, NULL,
			"a password needs no key; allowed: only beside key");
	if (user->has_key &&
		text_take_key(user->key, sizeof(user->key), source, &key, raw->key) < 0)
		return -EINVAL;
	if (user->has_key_sha256 &&
		text_take_key(user->key_sha256, sizeof(user->key_sha256), source, &key_sha256,
			raw->key_sha256) < 0)
		return -EINVAL;
	return 0;
}

static int take_users(struct conf_realm *realm, struct raw_realm *raw, struct source *source,
	const struct place *in)
{
	realm->users = values_make_array(raw->n_users, sizeof(*realm->users));
	if (realm->users == NULL)
		return -ENOMEM;
	realm->n_users = raw->n_users;
	for (size_t i = 0; i < raw->n_users; i++) {
		const struct place here = {in, "users", i + 1};
		const struct place name = {&here, "name", 0};
		const struct place password = {&here, "password", 0};
		struct conf_user *user = &realm->users[i];
		int rc;

		if (take_keys(user, &raw->users[i], source, &here) < 0)
			return -EINVAL;
		rc = take_opaque(&user->name, &raw->users[i].name, NAME_BYTES_MAX, source, &name);
		if (rc == 0)
			rc = take_opaque(&user->password, &raw->users[i].password,
				PASSWORD_BYTES_MAX, source, &password);
		if (rc < 0)
			return rc;
	}
	return 0;
}

// Nothing is offered that a user could not take.
static int take_offers(struct conf_realm *realm, const struct raw_realm *raw, struct source *source,
	const struct place *in)
{
	const struct place anonymity = {in, "username-anonymity", 0};

	realm->uses_redis = raw->redis == RAW_ON;
	realm->asks_userhash = raw->username_anonymity == RAW_ON;
	// Nobody knows which keys the users in Redis have, but who says sha256.
	realm->offers_sha256 = raw->password_algorithms == RAW_ALGORITHMS_SHA256 ||
		(raw->password_algorithms == RAW_ALGORITHMS_AUTO && !realm->uses_redis);
	for (size_t i = 0; i < realm->n_users && realm->offers_sha256; i++) {
		const struct place here = {in, "users", i + 1};
		const struct conf_user *user = &realm->users[i];

		if (user->password || user->has_key_sha256)
			continue;
		if (raw->password_algorithms == RAW_ALGORITHMS_SHA256)
			return source_fail(source, &here, NULL,
				"no key-sha256, which password-algorithms: sha256 needs; allowed: "
				"a password, or both key and key-sha256");
		realm->offers_sha256 = false;
	}
	if (realm->asks_userhash && realm->n_rest_secrets + realm->n_rest_secrets_sha256 > 0)
		return source_fail(source, &anonymity, NULL,
			"names of REST users cannot be hidden from us; allowed: off, or no "
			"rest-secrets");
	if (realm->asks_userhash && realm->uses_redis)
		return source_fail(source, &anonymity, NULL,
			"users in Redis are found by name only; allowed: off, or redis: off");
	return 0;
}

static void steal_secrets(char ***out, size_t *n_out, char ***raw, size_t *n_raw)
{
	*out = *raw;
	*n_out = *n_raw;
	*raw = NULL;
	*n_raw = 0;
}

// What stands in `auth` and in a realm alike.
static int take_credentials(struct conf_realm *realm, struct raw_realm *raw, struct source *source,
	const struct place *here, const char *name_key)
{
	const struct place name = {here, name_key, 0};
	int rc;

	rc = take_opaque(&realm->name, &raw->name, REALM_BYTES_MAX, source, &name);
	if (rc < 0)
		return rc;
	steal_secrets(&realm->rest_secrets, &realm->n_rest_secrets, &raw->rest_secrets,
		&raw->n_rest_secrets);
	steal_secrets(&realm->rest_secrets_sha256, &realm->n_rest_secrets_sha256,
		&raw->rest_secrets_sha256, &raw->n_rest_secrets_sha256);
	rc = take_users(realm, raw, source, here);
	return rc ? rc : take_offers(realm, raw, source, here);
}

static int take_auth(struct conf *conf, struct raw *raw, struct source *source)
{
	const struct place here = {NULL, "auth", 0};
	const struct place peers = {NULL, "peers", 0};
	struct conf_realm *realm;
	int rc;

	conf->realms = values_make_array(1 + raw->n_realms, sizeof(*conf->realms));
	if (conf->realms == NULL)
		return -ENOMEM;
	conf->n_realms = 1;
	realm = &conf->realms[0];
	realm->n_allocations_per_user =
		values_number(raw->limits.allocations_per_user, "allocations-per-user");
	conf->nonce_lifetime_s = values_number(raw->auth.nonce_lifetime_s, "nonce-lifetime-s");
	rc = take_credentials(realm, &raw->auth, source, &here, "realm");
	return rc ? rc : values_take_peers(&realm->peers, &raw->peers, source, &peers);
}

static int take_realm(
	struct conf *conf, const struct raw *all, struct raw_realm *raw, struct source *source)
{
	const struct place here = {NULL, "realms", conf->n_realms};
	const struct place own_peers = {&here, "peers", 0};
	const struct place peers = {NULL, "peers", 0};
	struct conf_realm *realm = &conf->realms[conf->n_realms++];
	int rc;

	realm->n_allocations_per_user = conf->realms[0].n_allocations_per_user;
	if (raw->limits && raw->limits->allocations_per_user)
		realm->n_allocations_per_user = *raw->limits->allocations_per_user;
	if (raw->limits && raw->limits->allocations)
		realm->n_allocations_max = *raw->limits->allocations;
	realm->listen = values_make_array(raw->n_listen, sizeof(*realm->listen));
	if (realm->listen == NULL)
		return -ENOMEM;
	realm->n_listen = raw->n_listen;
	rc = take_endpoints(realm->listen, raw->listen, raw->n_listen, source, &here);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < realm->n_listen; i++)
		conf->listen[conf->n_listen++] = realm->listen[i];
	rc = take_credentials(realm, raw, source, &here, "name");
	if (rc < 0)
		return rc;
	return raw->peers ? values_take_peers(&realm->peers, raw->peers, source, &own_peers)
			  : values_take_peers(&realm->peers, &all->peers, source, &peers);
}

static int take_realms(struct conf *conf, struct raw *raw, struct source *source)
{
	for (size_t i = 0; i < raw->n_realms; i++) {
		const int rc = take_realm(conf, raw, &raw->realms[i], source);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static void take_answers(struct conf_answers *answers, const struct raw_answers *raw)
{
	answers->bindings_per_source =
		values_number(raw->bindings_per_source, "bindings-per-source");
	answers->bindings = values_number(raw->bindings, "bindings");
	answers->challenges_per_source =
		values_number(raw->challenges_per_source, "challenges-per-source");
	answers->challenges = values_number(raw->challenges, "challenges");
	answers->ratio_percent = values_number(raw->ratio_percent, "ratio-percent");
}

static void take_rates(struct conf_rates *rates, const struct raw_rates *raw)
{
	rates->allocation.kbit_per_s = values_number(raw->allocation_kbit_s, "allocation-kbit-s");
	rates->allocation.packets_per_s =
		values_number(raw->allocation_packets_s, "allocation-packets-s");
	rates->user.kbit_per_s = values_number(raw->user_kbit_s, "user-kbit-s");
	rates->user.packets_per_s = values_number(raw->user_packets_s, "user-packets-s");
	rates->all.kbit_per_s = values_number(raw->all_kbit_s, "all-kbit-s");
	rates->all.packets_per_s = values_number(raw->all_packets_s, "all-packets-s");
	rates->burst_ms = values_number(raw->burst_ms, "burst-ms");
}

// As many allocations as there are relayed ports, where that is less than the usual default.
static int take_limits(struct conf *conf, struct raw *raw, struct source *source)
{
	const struct place limits = {NULL, "limits", 0};
	const uint32_t preset = schema_number("allocations")->preset;
	uint32_t n_ports = 0;

	for (size_t i = 0; i < conf->n_relay; i++)
		n_ports += conf->relay[i].port_max - conf->relay[i].port_min + 1U;
	conf->n_allocations_max = n_ports < preset ? n_ports : preset;
	if (raw->limits.allocations != NULL)
		conf->n_allocations_max = *raw->limits.allocations;
	conf->allocation_lifetime_s = values_number(raw->limits.lifetime_s, "lifetime-s");
	conf->allocation_lifetime_max_s =
		values_number(raw->limits.lifetime_max_s, "lifetime-max-s");
	conf->n_permissions_max =
		values_number(raw->limits.permissions_per_allocation, "permissions-per-allocation");
	conf->n_channels_max =
		values_number(raw->limits.channels_per_allocation, "channels-per-allocation");
	conf->new_peers_per_user_s =
		values_number(raw->limits.new_peers_per_user_s, "new-peers-per-user-s");
	conf->new_peers_s = values_number(raw->limits.new_peers_s, "new-peers-s");
	take_rates(&conf->rates, &raw->limits.rates);
	take_answers(&conf->answers, &raw->limits.answers);
	conf->rfc5766_channels = raw->limits.channels == RAW_CHANNELS_RFC5766;
	for (size_t i = 0; i < raw->limits.n_alternate_servers; i++) {
		const struct place alternate = {&limits, "alternate-servers", i + 1};

		if (text_take_endpoint(&conf->alternates[i], source, &alternate,
			    raw->limits.alternate_servers[i]) < 0)
			return -EINVAL;
	}
	return 0;
}

static int take_stun(struct conf *conf, struct raw *raw, struct source *source)
{
	const struct place here = {NULL, "stun", 0};
	const struct place alternate = {&here, "alternate-address", 0};

	conf->software = values_steal(&raw->stun.software);
	conf->serves_classic = raw->stun.rfc3489 == RAW_ON;
	conf->allows_mobility = raw->mobility == RAW_ON;
	if (raw->stun.alternate_address == NULL)
		return 0;
	return text_take_endpoint(
		&conf->discovery_alternate, source, &alternate, raw->stun.alternate_address);
}

static int take_token_key(struct conf_token_key *out, struct raw_token_key *raw,
	struct source *source, const struct place *here)
{
	const struct place key = {here, "key", 0};

	out->kid = values_steal(&raw->kid);
	out->key_bytes = strlen(raw->key) / 2;
	if (out->key_bytes != 16 && out->key_bytes != 32)
		out->key_bytes = 0;
	if (out->key_bytes == 0 || text_read_hex(out->key, out->key_bytes, raw->key) < 0)
		return source_fail(source, &key, NULL,
			"the value is no key; allowed: 64 hex digits for AES-256-GCM, or 32 for "
			"AES-128-GCM");
	return 0;
}

static int take_tokens(struct conf *conf, struct raw *raw, struct source *source)
{
	const struct place tokens = {NULL, "tokens", 0};

	conf->token_server_name = values_steal(&raw->tokens.server_name);
	conf->token_keys = values_make_array(raw->tokens.n_keys, sizeof(*conf->token_keys));
	if (conf->token_keys == NULL)
		return -ENOMEM;
	conf->n_token_keys = raw->tokens.n_keys;
	for (size_t i = 0; i < raw->tokens.n_keys; i++) {
		const struct place here = {&tokens, "keys", i + 1};

		if (take_token_key(&conf->token_keys[i], &raw->tokens.keys[i], source, &here) < 0)
			return -EINVAL;
	}
	return 0;
}

static int take_workers(struct conf *conf, struct raw *raw, struct source *source)
{
	const struct raw_workers *workers = &raw->workers;
	const struct place here = {NULL, "workers", 0};
	const struct place cpus = {&here, "cpus", 0};

	conf->n_workers = (uint16_t)values_number(workers->count, "count");
	if (workers->count == NULL && workers->cpus != NULL)
		conf->n_workers = (uint16_t)workers->n_cpus;
	if (workers->cpus != NULL && workers->n_cpus != conf->n_workers)
		return source_fail(source, &cpus, NULL,
			"%zu CPUs for a count of %u workers; allowed: as many CPUs as workers",
			workers->n_cpus, conf->n_workers);
	conf->control_cpu = workers->control_cpu == NULL ? -1 : (int)*workers->control_cpu;
	conf->poll = workers->poll;
	conf->worker_cpus = workers->cpus;
	raw->workers.cpus = NULL;
	return 0;
}

static int take_accounts(struct conf *conf, struct raw *raw, struct source *source)
{
	const struct place group = {NULL, "group", 0};

	conf->user = values_steal(&raw->user);
	conf->group = values_steal(&raw->group);
	if (conf->group && !conf->user)
		return source_fail(source, &group, NULL,
			"a group without a user; allowed: both, or user alone, or neither");
	return 0;
}

static int take_rest(struct conf *conf, struct raw *raw, struct source *source)
{
	const struct place memory = {NULL, "memory", 0};
	const struct place mbufs = {&memory, "mbufs", 0};

	conf->hugepages = raw->memory.hugepages;
	conf->n_mbufs = values_number(raw->memory.mbufs, "mbufs");
	conf->log.level = raw->log.level == NULL ? LOG_INFO : *raw->log.level;
	conf->log.format = raw->log.format;
	conf->log.users = raw->log.user_names;
	conf->stats_interval_s = values_number(raw->log.stats_interval_s, "stats-interval-s");
	if (conf->n_mbufs > 0 && conf->n_mbufs < MBUFS_MIN)
		return source_fail(source, &mbufs, NULL, "%u are too few; allowed: 0 or %u..%u",
			conf->n_mbufs, MBUFS_MIN, schema_number("mbufs")->max);
	return 0;
}

int values_take(struct conf *conf, struct raw *raw, struct source *source)
{
	static int (*const takes[])(struct conf *, struct raw *, struct source *) = {take_ports,
		take_listen, take_relay, take_auth, take_realms, values_take_redis, take_limits,
		take_stun, take_tokens, take_workers, take_accounts, values_take_http,
		values_take_records, values_take_admin, take_rest};

	for (size_t i = 0; i < N_ELEMENTS(takes); i++) {
		const int rc = takes[i](conf, raw, source);

		if (rc < 0)
			return rc;
	}
	return 0;
}
