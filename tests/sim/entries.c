#include "entries.h"

#include <string.h>

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 31;
}

static uint64_t mix_endpoint(uint64_t hash, const struct endpoint *endpoint)
{
	hash = mix(hash, load_u64(endpoint->ip.bytes));
	hash = mix(hash, load_u64(endpoint->ip.bytes + 8));
	return mix(hash, (uint64_t)endpoint->ip.family << 16 | endpoint->port);
}

// All that an entry says.
static uint64_t hash_value(const struct turn_effect *entry, unsigned kind)
{
	uint64_t hash = mix(1, (uint64_t)entry->allocation_idx << 32 | entry->user_idx);

	hash = mix_endpoint(hash, &entry->service);
	hash = mix_endpoint(hash, &entry->client);
	hash = mix_endpoint(hash, &entry->relayed);
	return mix_endpoint(mix(hash, kind << 16 | entry->channel), &entry->peer);
}

// What the packet shows that it is for: never 0.
static uint64_t hash_key(const struct turn_effect *entry, unsigned kind)
{
	const bool down = kind == TURN_PERMISSION_ADD || kind == TURN_CHANNEL_DOWN_ADD;
	uint64_t hash = mix(2, kind);

	if (down) {
		hash = mix_endpoint(hash, &entry->relayed);
		return mix_endpoint(hash, &entry->peer) | 1;
	}
	hash = mix_endpoint(hash, &entry->service);
	hash = mix_endpoint(hash, &entry->client);
	return mix(hash, kind == TURN_CHANNEL_UP_ADD ? entry->channel : entry->relayed.ip.family) |
		1;
}

// Where it stands, or would.
static struct entry *find(struct entries *entries, uint64_t key)
{
	size_t i = key >> 32;

	while (entries->table[i % ENTRIES_MAX].key && entries->table[i % ENTRIES_MAX].key != key)
		i++;
	return &entries->table[i % ENTRIES_MAX];
}

static void count(struct entries *entries, const struct entry *entry, int sign)
{
	const uint64_t hash = mix(entry->value, entry->moving);

	entries->sums[entry->tuple] += sign < 0 ? -hash : hash;
	entries->counts[entry->tuple] += sign;
}

static const char *add(struct entries *entries, const struct turn_effect *effect, uint16_t tuple)
{
	const uint64_t key = hash_key(effect, effect->kind);
	struct entry *entry = find(entries, key);

	if (!entry->key == effect->replaces)
		return effect->replaces ? "nothing stands where an entry replaces one"
					: "an entry is added where one stands";
	if (entry->key)
		count(entries, entry, -1);
	else if (++entries->n > ENTRIES_MAX / 2)
		return "too many entries";
	*entry = (struct entry){key, hash_value(effect, effect->kind), tuple, effect->moving};
	count(entries, entry, 1);
	return NULL;
}

// Those behind it move up, that they are found without it.
static void close_gap(struct entries *entries, struct entry *gap)
{
	size_t i = (size_t)(gap - entries->table);
	struct entry moved;

	gap->key = 0;
	for (i = (i + 1) % ENTRIES_MAX; entries->table[i].key; i = (i + 1) % ENTRIES_MAX) {
		moved = entries->table[i];
		entries->table[i].key = 0;
		*find(entries, moved.key) = moved;
	}
}

static const char *remove_one(
	struct entries *entries, const struct turn_effect *effect, unsigned kind, uint16_t tuple)
{
	struct entry *entry = find(entries, hash_key(effect, kind));

	if (!entry->key)
		return "what is removed does not stand";
	if (entry->value != hash_value(effect, kind) || entry->tuple != tuple)
		return "what is removed is not what stands";
	count(entries, entry, -1);
	close_gap(entries, entry);
	entries->n--;
	return NULL;
}

static const char *cool(struct entries *entries, struct model *model, const struct endpoint *port)
{
	if (entries->n_cooling == ENTRIES_COOLING_MAX)
		return "too many ports cool";
	entries->cooling[entries->n_cooling++] = *port;
	return model_cool(model, port);
}

static unsigned tuple_of(const struct model *model, const struct turn_effect *effect)
{
	const unsigned second = endpoint_equal(&effect->service, &model->rules.services[1]);
	const unsigned tuple = (effect->client.port - CLIENT_PORT) * 2 + second;

	return tuple < MODEL_TUPLES_MAX ? tuple : MODEL_TUPLES_MAX;
}

static const char *apply(
	struct entries *entries, struct model *model, const struct turn_effect *effect)
{
	const unsigned tuple = tuple_of(model, effect);
	const uint8_t *port = model_port_of(model, &effect->relayed);
	int64_t *n_of_port;

	if (tuple == MODEL_TUPLES_MAX || !port)
		return "an effect for a client or port that is not";
	n_of_port = &entries->counts_of[port - model->ports[0]];
	switch (effect->kind) {
	case TURN_PORT_COOLING:
		return *n_of_port ? "a port cools before its entries are gone"
				  : cool(entries, model, &effect->relayed);
	case TURN_ALLOCATION_ADD:
		entries->idx[tuple] = effect->allocation_idx;
		entries->user_idx[tuple] = effect->user_idx;
		entries->ids[tuple] = effect->allocation_id;
		// fall through
	case TURN_PERMISSION_ADD:
	case TURN_CHANNEL_UP_ADD:
	case TURN_CHANNEL_DOWN_ADD:
		*n_of_port += !effect->replaces;
		return add(entries, effect, (uint16_t)tuple);
	default:
		--*n_of_port;
		// Each removal follows its addition in the enumeration.
		return remove_one(entries, effect, effect->kind - 1u, (uint16_t)tuple);
	}
}

// The allocation ends first in the model, so that it knows that its port may cool.
const char *entries_apply(
	struct entries *entries, struct model *model, const struct turn_effects *effects)
{
	const char *wrong = NULL;

	for (size_t i = 0; i < effects->n && !wrong; i++)
		wrong = apply(entries, model, &effects->items[i]);
	return wrong;
}

struct sum {
	uint64_t sum;
	int64_t n;
};

static void want(struct sum *sum, const struct turn_effect *entry)
{
	sum->sum += mix(hash_value(entry, entry->kind), entry->moving);
	sum->n++;
}

// What the allocation's client may send from one of its 5-tuples, which is all for the pending one.
static void want_up(
	struct sum *sum, const struct model_allocation *a, const struct turn_effect *prototype)
{
	struct turn_effect entry = *prototype;

	for (uint8_t family = FAMILY_IPV4; family <= FAMILY_IPV6; family++) {
		if (!model_relayed(a, family))
			continue;
		entry.kind = TURN_ALLOCATION_ADD;
		entry.relayed = model_relayed(a, family)->address;
		want(sum, &entry);
	}
	for (unsigned i = 0; i < a->n_channels; i++) {
		const struct model_channel *c = &a->channels[i];

		entry.kind = TURN_CHANNEL_UP_ADD;
		entry.relayed = model_relayed(a, c->peer.ip.family)->address;
		entry.channel = c->number;
		entry.peer = c->peer;
		want(sum, &entry);
	}
}

static void want_down(
	struct sum *sum, const struct model_allocation *a, const struct turn_effect *prototype)
{
	struct turn_effect entry = *prototype;

	for (unsigned i = 0; i < a->n_permissions; i++) {
		const struct ip_addr *ip = &a->permissions[i].ip;

		entry.relayed = model_relayed(a, ip->family)->address;
		entry.kind = TURN_PERMISSION_ADD;
		entry.channel = 0;
		entry.peer = (struct endpoint){.ip = *ip};
		want(sum, &entry);
		entry.kind = TURN_CHANNEL_DOWN_ADD;
		for (unsigned k = 0; k < a->n_channels; k++) {
			if (!ip_equal(&a->channels[k].peer.ip, ip))
				continue;
			entry.channel = a->channels[k].number;
			entry.peer = a->channels[k].peer;
			want(sum, &entry);
		}
	}
}

// An entry stands if and only if a matching packet may pass right now.
static struct sum sum_wanted(
	const struct entries *entries, const struct model *model, unsigned tuple)
{
	const struct model_allocation *a = model_at(model, tuple);
	const unsigned own = (unsigned)(a - model->allocations);
	struct turn_effect prototype = {.allocation_idx = entries->idx[own],
		.user_idx = entries->user_idx[own],
		.service = a->service,
		.client = a->client};
	struct sum sum = {0};

	if (!model_lives(a))
		return sum;
	if (own != tuple) {
		prototype.service = a->mobility.service;
		prototype.client = a->mobility.client;
		prototype.moving = true;
	}
	want_up(&sum, a, &prototype);
	if (own == tuple)
		want_down(&sum, a, &prototype);
	return sum;
}

const char *entries_check(const struct entries *entries, const struct model *model, unsigned tuple)
{
	const struct sum wanted = sum_wanted(entries, model, tuple);

	if (entries->counts[tuple] < wanted.n)
		return "an entry is missing";
	if (entries->counts[tuple] > wanted.n)
		return "an entry stands that must not";
	return entries->sums[tuple] == wanted.sum ? NULL : "an entry is not what it must be";
}

const char *entries_check_all(const struct entries *entries, const struct model *model)
{
	const char *wrong = NULL;

	for (unsigned i = 0; i < MODEL_TUPLES_MAX && !wrong; i++)
		wrong = entries_check(entries, model, i);
	return wrong;
}

const char *entries_check_users(const struct entries *entries, const struct model *model)
{
	for (unsigned i = 0; i < MODEL_TUPLES_MAX; i++) {
		const struct model_allocation *a = &model->allocations[i];

		for (unsigned k = 0; k < i && model_lives(a); k++) {
			const struct model_allocation *b = &model->allocations[k];

			if (!model_lives(b))
				continue;
			if (entries->idx[i] == entries->idx[k])
				return "two allocations have one number";
			if ((a->account == b->account) !=
				(entries->user_idx[i] == entries->user_idx[k]))
				return "a user index is not one user's";
		}
	}
	return NULL;
}

const char *entries_check_walk(
	const struct entries *entries, const struct model *model, struct turn *turn)
{
	static struct turn_effect items[TURN_EFFECTS_MAX];
	static struct entries walked;
	struct turn_effects effects = {items, 0, TURN_EFFECTS_MAX};
	const char *wrong = NULL;
	uint32_t cursor = 0;
	bool more;

	memset(&walked, 0, sizeof(walked));
	do {
		effects.n = 0;
		more = turn_walk(turn, &cursor, &effects);
		wrong = entries_apply(&walked, (struct model *)model, &effects);
	} while (more && !wrong);
	if (!wrong && memcmp(walked.sums, entries->sums, sizeof(walked.sums)) != 0)
		wrong = "turn_walk() tells something else";
	return wrong;
}
