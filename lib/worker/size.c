#include "size.h"

#include "rates.h"

size_t worker_huge_bytes(const struct worker_config *config)
{
	return flow4_table_huge_bytes(config->n_flows) +
		flow6_table_huge_bytes(size_flows6(config)) +
		round_up(rates_bytes(&config->rates), PAGES_HUGE_BYTES);
}
