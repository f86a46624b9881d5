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

// What all entries of an allocation have in common.
static uint64_t hash_allocation(const struct turn_effect *entry)
{
	uint64_t hash = mix(1, entry->allocation_idx);

	hash = mix_endpoint(hash, &entry->service);
	hash = mix_endpoint(hash, &entry->client);
	return mix_endpoint(hash, &entry->relayed);
}

static uint64_t hash_entry(
	uint64_t hash, unsigned kind, uint16_t channel, const struct endpoint *peer)
{
	return mix_endpoint(mix(hash, kind << 16 | channel), peer);
}

static uint64_t hash_effect(const struct turn_effect *effect, unsigned kind)
{
	return hash_entry(hash_allocation(effect), kind, effect->channel, &effect->peer);
}

unsigned entries_tuple(
	const struct model *model, const struct endpoint *service, const struct endpoint *client)
{
	const unsigned second = endpoint_equal(service, &model->rules.services[1]);
	const unsigned tuple = (client->port - CLIENT_PORT) * 2 + second;

	return tuple < MODEL_TUPLES_MAX ? tuple : MODEL_TUPLES_MAX;
}

static const char *apply(
	struct entries *entries, struct model *model, const struct turn_effect *effect)
{
	const unsigned tuple = entries_tuple(model, &effect->service, &effect->client);

	int64_t *count;

	if (tuple == MODEL_TUPLES_MAX || effect->relayed.ip.family == FAMILY_NONE)
		return "an effect for a client that is not";
	count = &entries->counts_of[tuple][effect->relayed.ip.family - 1];
	switch (effect->kind) {
	case TURN_PORT_COOLING:
		if (*count)
			return "a port cools before its entries are gone";
		if (entries->n_cooling == ENTRIES_COOLING_MAX)
			return "too many ports cool";
		entries->cooling[entries->n_cooling++] = effect->relayed;
		return model_cool(model, &effect->relayed);
	case TURN_ALLOCATION_ADD:
		if (*count ||
			(entries->counts[tuple] && entries->idx[tuple] != effect->allocation_idx))
			return "an allocation is added where one is";
		entries->idx[tuple] = effect->allocation_idx;
		// fall through
	case TURN_PERMISSION_ADD:
	case TURN_CHANNEL_UP_ADD:
	case TURN_CHANNEL_DOWN_ADD:
		entries->sums[tuple] += hash_effect(effect, effect->kind);
		entries->counts[tuple]++;
		(*count)++;
		return NULL;
	default:
		// Each removal follows its addition in the enumeration.
		entries->sums[tuple] -= hash_effect(effect, effect->kind - 1u);
		entries->counts[tuple]--;
		return --*count < 0 ? "more is removed than was added" : NULL;
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

static void want(struct sum *sum, uint64_t hash)
{
	sum->sum += hash;
	sum->n++;
}

static uint64_t hash_relayed(const struct model_allocation *a, uint32_t idx, uint8_t family)
{
	const struct turn_effect entry = {.allocation_idx = idx,
		.service = a->service,
		.client = a->client,
		.relayed = a->relayed[family - 1].address};

	return hash_allocation(&entry);
}

// An entry stands if and only if a matching packet may pass right now.
static struct sum sum_wanted(const struct model_allocation *a, uint32_t idx)
{
	const struct endpoint nobody = {0};
	uint64_t hashes[MODEL_FAMILIES] = {0};
	struct sum sum = {0};

	for (uint8_t family = FAMILY_IPV4; family <= FAMILY_IPV6; family++) {
		if (!model_relayed(a, family))
			continue;
		hashes[family - 1] = hash_relayed(a, idx, family);
		want(&sum, hash_entry(hashes[family - 1], TURN_ALLOCATION_ADD, 0, &nobody));
	}
	for (unsigned i = 0; i < a->n_permissions && model_lives(a); i++) {
		const struct endpoint peer = {.ip = a->permissions[i].ip};

		want(&sum, hash_entry(hashes[peer.ip.family - 1], TURN_PERMISSION_ADD, 0, &peer));
	}
	for (unsigned i = 0; i < a->n_channels && model_lives(a); i++) {
		const struct model_channel *c = &a->channels[i];
		const uint64_t hash = hashes[c->peer.ip.family - 1];

		want(&sum, hash_entry(hash, TURN_CHANNEL_UP_ADD, c->number, &c->peer));
		for (unsigned k = 0; k < a->n_permissions; k++)
			if (ip_equal(&a->permissions[k].ip, &c->peer.ip))
				want(&sum,
					hash_entry(
						hash, TURN_CHANNEL_DOWN_ADD, c->number, &c->peer));
	}
	return sum;
}

const char *entries_check(const struct entries *entries, const struct model *model, unsigned tuple)
{
	const struct sum wanted = sum_wanted(&model->allocations[tuple], entries->idx[tuple]);

	if (entries->counts[tuple] < wanted.n)
		return "an entry is missing";
	if (entries->counts[tuple] > wanted.n)
		return "an entry stands that must not";
	return entries->sums[tuple] == wanted.sum ? NULL : "an entry is not what it must be";
}

const char *entries_check_all(const struct entries *entries, const struct model *model)
{
	const char *wrong = NULL;

	for (unsigned i = 0; i < MODEL_TUPLES_MAX && !wrong; i++) {
		wrong = entries_check(entries, model, i);
		for (unsigned k = 0; k < i && !wrong; k++)
			if (entries->counts[i] && entries->counts[k] &&
				entries->idx[i] == entries->idx[k])
				wrong = "two allocations have one number";
	}
	return wrong;
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
