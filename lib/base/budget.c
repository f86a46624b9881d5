#include "budget.h"

#include "bytes.h"

#define BURST_MS 1000

int budget_create(struct budget *out, const struct budget_config *config)
{
	int rc;

	*out = (struct budget){
		.source_rate = bucket_rate_of(config->per_source, BURST_MS, config->ticks_per_s),
		.all_rate = bucket_rate_of(config->total, BURST_MS, config->ticks_per_s),
		.seed = {config->seed[0], config->seed[1]},
	};
	if (config->per_source == 0)
		return 0;
	rc = pages_map(
		&out->pages, BUDGET_SOURCES * sizeof(struct bucket), config->numa_node, false);
	if (!rc)
		out->sources = out->pages.base;
	return rc;
}

void budget_destroy(struct budget *budget)
{
	pages_unmap(&budget->pages);
	budget->sources = NULL;
}

// The seeds keep an attacker from knowing who meets whom; the mixing is that of splitmix64.
static struct bucket *bucket_of(
	const struct budget *budget, enum family family, const uint8_t *source_ip)
{
	// Of IPv6, the /64.
	uint64_t z = family == FAMILY_IPV4 ? load_u32(source_ip) : load_u64(source_ip);

	z ^= budget->seed[0] ^ (uint64_t)family << 32;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * (0x94d049bb133111ebULL ^ (budget->seed[1] & ~1ULL));
	return &budget->sources[(z ^ (z >> 31)) & (BUDGET_SOURCES - 1)];
}

bool budget_take(
	struct budget *budget, enum family family, const uint8_t *source_ip, uint64_t now_ticks)
{
	if (budget->sources &&
		!bucket_take(
			bucket_of(budget, family, source_ip), &budget->source_rate, now_ticks, 1))
		return false;
	return budget->all_rate.depth == 0 ||
		bucket_take(&budget->all, &budget->all_rate, now_ticks, 1);
}
