// Making and ending an instance: everything of the configuration is copied.
#include "turn/mobility.h"
#include "turn/state.h"

#include <errno.h>
#include <stdlib.h>

static const struct turn_realm_config *realm_config(const struct turn_config *config, size_t i)
{
	return i == 0 ? &config->realm : &config->more_realms[i - 1];
}

static bool has_service(const struct turn_config *config, const struct endpoint *service)
{
	for (size_t i = 0; i < config->n_services; i++)
		if (endpoint_equal(&config->services[i], service))
			return true;
	return false;
}

// Every listener asks for one realm.
static bool is_service_once(const struct turn_config *config, const struct endpoint *service)
{
	size_t n = 0;

	for (size_t i = 0; i < config->n_more_realms; i++)
		for (size_t k = 0; k < config->more_realms[i].n_services; k++)
			n += endpoint_equal(&config->more_realms[i].services[k], service);
	return n == 1;
}

static bool are_realms_possible(const struct turn_config *config)
{
	if (config->n_more_realms >= TURN_REALMS_MAX)
		return false;
	for (size_t i = 0; i <= config->n_more_realms; i++) {
		const struct turn_realm_config *realm = realm_config(config, i);

		if (!realm_is_possible(realm) || (realm->uses_source && !config->source.find))
			return false;
		for (size_t k = 0; k < i; k++)
			if (strcmp(realm_config(config, k)->name, realm->name) == 0)
				return false;
		for (size_t k = 0; i > 0 && k < realm->n_services; k++)
			if (!has_service(config, &realm->services[k]) ||
				!is_service_once(config, &realm->services[k]))
				return false;
	}
	return true;
}

static bool is_possible(const struct turn_config *config)
{
	const size_t software_bytes = config->software ? strlen(config->software) : 0;

	return software_bytes <= STUN_SOFTWARE_BYTES_MAX && config->nonce_lifetime_s > 0 &&
		config->lifetime_s > 0 && config->lifetime_s <= config->lifetime_max_s &&
		config->n_allocations_max > 0 &&
		config->n_permissions_max <= TURN_PERMISSIONS_MAX &&
		config->n_channels_max <= TURN_CHANNELS_MAX && are_realms_possible(config);
}

// Our listeners are never handed out as relayed addresses.
static bool services_clash(const struct turn *turn)
{
	for (size_t i = 0; i < turn->services.n; i++) {
		if (ports_contain(&turn->ports, &turn->services.items[i].at))
			return true;
	}
	return false;
}

// Which realm a listener asks for.
static struct realm *realm_at(
	const struct turn *turn, const struct turn_config *config, const struct endpoint *service)
{
	for (size_t i = 0; i < config->n_more_realms; i++)
		for (size_t k = 0; k < config->more_realms[i].n_services; k++)
			if (endpoint_equal(&config->more_realms[i].services[k], service))
				return turn->realms[i + 1];
	return turn->realms[0];
}

static int init_services(struct turn *turn, const struct turn_config *config)
{
	int rc = 0;

	for (size_t i = 0; i < config->n_services && !rc; i++) {
		const struct service service = {
			.at = config->services[i],
			.realm = realm_at(turn, config, &config->services[i]),
		};

		rc = services_add(&turn->services, &service);
	}
	return rc;
}

static int add_users(struct turn *turn, struct realm *realm, const struct turn_realm_config *config)
{
	int rc = 0;

	for (size_t i = 0; i < config->n_users && !rc; i++)
		rc = users_add(&turn->users, turn->mac, realm, &config->users[i]);
	return rc;
}

static int init_realm(struct turn *turn, const struct turn_config *config, size_t i)
{
	const struct turn_realm_config *from = realm_config(config, i);
	struct realm *realm = calloc(1, sizeof(*realm));
	int rc;

	if (!realm)
		return -ENOMEM;
	turn->realms[turn->n_realms++] = realm;
	realm->source_idx = from->uses_source ? i : SIZE_MAX;
	rc = realm_init(realm, from, turn->mac, config->nonce_secret);
	rc = rc ? rc : peers_init(&realm->peers, &from->peers, config);
	return rc ? rc : add_users(turn, realm, from);
}

static int init_realms(struct turn *turn, const struct turn_config *config)
{
	size_t n_users = 0;
	int rc;

	turn->realms = calloc(config->n_more_realms + 1, sizeof(*turn->realms));
	if (!turn->realms)
		return -ENOMEM;
	for (size_t i = 0; i <= config->n_more_realms; i++)
		n_users += realm_config(config, i)->n_users;
	rc = users_init(&turn->users, n_users, config->n_allocations_max);
	for (size_t i = 0; i <= config->n_more_realms && !rc; i++)
		rc = init_realm(turn, config, i);
	return rc;
}

static struct options options_of(const struct turn_config *config)
{
	struct options options = {
		.nonce_lifetime_ms = config->nonce_lifetime_s * MS_IN_S,
		.lifetime_s = config->lifetime_s,
		.lifetime_max_s = config->lifetime_max_s,
		.n_allocations_max = config->n_allocations_max,
		.n_permissions_max = config->n_permissions_max ? config->n_permissions_max
							       : TURN_PERMISSIONS_MAX,
		.n_channels_max =
			config->n_channels_max ? config->n_channels_max : TURN_CHANNELS_MAX,
		.fresh_rates = fresh_rates_of(config->new_peers_per_user_s, config->new_peers_s),
		.channel_max =
			config->rfc5766_channels ? STUN_CHANNEL_MAX_RFC5766 : STUN_CHANNEL_MAX,
		.allows_mobility = config->allows_mobility,
		.serves_classic = config->serves_classic,
		.alternates = {config->alternates[0], config->alternates[1]},
		.discovery = config->discovery,
	};

	if (config->software)
		memcpy(options.software, config->software, strlen(config->software) + 1);
	return options;
}

static void init_secrets(struct turn *turn, uint64_t seed)
{
	entropy_init(&turn->entropy, seed);
	entropy_fill(&turn->entropy, &turn->hash_key, sizeof(turn->hash_key));
	entropy_fill(&turn->entropy, &turn->users.hash_key, sizeof(turn->users.hash_key));
	entropy_fill(&turn->entropy, &turn->dummy_keys, sizeof(turn->dummy_keys));
	turn->dummy_keys.has_sha256 = false;
	turn->dummy_keys.mac_key_bytes = 0;
}

// Tables are sized for the worst but only touched as they fill.
static int init_tables(struct turn *turn)
{
	pool_init(&turn->allocations, sizeof(struct allocation));
	pool_init(&turn->seconds, sizeof(struct second));
	pool_init(&turn->permissions, sizeof(struct permission));
	pool_init(&turn->channels, sizeof(struct channel));
	pool_init(&turn->reservations, sizeof(struct reservation));
	turn->wheel.pools[TIMER_ALLOCATION] = &turn->allocations;
	turn->wheel.pools[TIMER_SECOND] = &turn->seconds;
	turn->wheel.pools[TIMER_PERMISSION] = &turn->permissions;
	turn->wheel.pools[TIMER_CHANNEL] = &turn->channels;
	turn->wheel.pools[TIMER_RESERVATION] = &turn->reservations;
	turn->n_buckets = next_power_of_two(turn->options.n_allocations_max);
	turn->buckets = calloc(turn->n_buckets, sizeof(*turn->buckets));
	turn->ids = calloc(turn->n_buckets, sizeof(*turn->ids));
	return turn->buckets && turn->ids ? mobility_init(turn) : -ENOMEM;
}

static int init(struct turn *turn, const struct turn_config *config)
{
	int rc;

	turn->options = options_of(config);
	turn->source = config->source;
	turn->watcher = config->watcher;
	turn->next_id = config->first_id ? config->first_id : 1;
	init_secrets(turn, config->random_seed);
	rc = stun_mac_create(&turn->mac);
	if (!rc)
		rc = init_tables(turn);
	if (!rc)
		rc = ports_init(&turn->ports, config->relays, config->n_relays);
	if (!rc)
		rc = tokens_init(&turn->tokens, &config->tokens);
	if (!rc)
		rc = init_realms(turn, config);
	if (!rc)
		rc = init_services(turn, config);
	if (!rc && services_clash(turn))
		rc = -EINVAL;
	return rc;
}

int turn_create(struct turn **out, const struct turn_config *config)
{
	struct turn *turn;
	int rc;

	if (!is_possible(config))
		return -EINVAL;
	turn = calloc(1, sizeof(*turn));
	if (!turn)
		return -ENOMEM;
	rc = init(turn, config);
	if (rc) {
		turn_destroy(turn);
		return rc;
	}
	*out = turn;
	return 0;
}

void turn_destroy(struct turn *turn)
{
	if (!turn)
		return;
	users_fini(&turn->users);
	ports_fini(&turn->ports);
	pool_fini(&turn->allocations);
	pool_fini(&turn->seconds);
	pool_fini(&turn->permissions);
	pool_fini(&turn->channels);
	pool_fini(&turn->reservations);
	mobility_fini(turn);
	tokens_fini(&turn->tokens);
	free(turn->buckets);
	free(turn->ids);
	for (size_t i = 0; i < turn->n_realms; i++)
		realm_destroy(turn->realms[i]);
	for (size_t i = 0; i < turn->n_gone_realms; i++)
		realm_destroy(turn->gone_realms[i]);
	free(turn->realms);
	free(turn->gone_realms);
	services_fini(&turn->services);
	stun_mac_destroy(turn->mac);
	explicit_bzero(turn, sizeof(*turn));
	free(turn);
}
