#include "worker.h"

#include "state.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>

// The first four different ports of the services; media to others take the long way.
static void set_service_ports(struct worker *w, const struct worker_config *config)
{
	uint16_t ports[4] = {0};
	unsigned n = 0;

	for (size_t i = 0; i < config->n_services && n < N_ELEMENTS(ports); i++) {
		unsigned k = 0;

		ports[n] = __builtin_bswap16(config->services[i].port);
		while (ports[k] != ports[n])
			k++;
		n += k == n;
	}
	while (n < N_ELEMENTS(ports))
		ports[n++] = ports[0];
	memcpy(&w->service_ports, ports, sizeof(ports));
}

static int add_locals(struct worker *w, const struct worker_config *config)
{
	int rc = 0;

	for (size_t i = 0; i < config->n_services && !rc; i++)
		rc = locals_add_service(&w->locals, &config->services[i]);
	for (size_t i = 0; i < config->n_relays && !rc; i++)
		rc = locals_add_relay(&w->locals, &config->relays[i]);
	for (size_t i = 0; i < config->n_relays && !rc; i++)
		rc = external_add(w, &config->relays[i]);
	return rc;
}

static int create_tables(struct worker *w, const struct worker_config *config)
{
	// One entry where none is asked for: a look-up need not ask whether there is a table.
	const uint32_t n_flows6 = config->n_flows6 ? config->n_flows6 : 1;
	int rc = flow4_table_create(
		&w->flows4, config->n_flows, config->numa_node, config->try_huge, config->seed);

	if (rc)
		return rc;
	return flow6_table_create(
		&w->flows6, n_flows6, config->numa_node, config->try_huge, config->seed);
}

// One worker's part of what all may do.
static uint32_t share_of(uint32_t all, const struct worker_config *config)
{
	const uint32_t n_workers = config->n_workers ? config->n_workers : 1;

	return all == 0 ? 0 : all < n_workers ? 1 : all / n_workers;
}

static int create_budgets(struct worker *w, const struct worker_config *config)
{
	const struct worker_answers *answers = &config->answers;
	struct budget_config budget = {
		.per_source = share_of(answers->bindings_per_source, config),
		.total = share_of(answers->bindings, config),
		.ticks_per_s = w->ticks_per_ms * MS_IN_S,
		.seed = {config->seed[0], config->seed[1]},
		.numa_node = config->numa_node,
	};
	int rc = budget_create(&w->bindings, &budget);

	if (rc)
		return rc;
	budget.per_source = share_of(answers->challenges_per_source, config);
	budget.total = share_of(answers->challenges, config);
	w->ratio_percent = answers->ratio_percent;
	return budget_create(&w->challenges, &budget);
}

int worker_create(struct worker **out, const struct worker_config *config)
{
	struct pages pages;
	struct worker *w;
	int rc;

	*out = NULL;
	if (config->n_ports == 0 || config->n_ports > WORKER_PORTS_MAX ||
		(config->software && strlen(config->software) > STUN_SOFTWARE_BYTES_MAX) ||
		config->n_burst > WORKER_BURST_MAX || !config->frame_pool)
		return -EINVAL;
	rc = pages_map(&pages, sizeof(*w), config->numa_node, false);
	if (rc)
		return rc;
	w = pages.base;
	w->own_pages = pages;
	w->idx = config->idx;
	w->n_ports = (uint16_t)config->n_ports;
	w->n_burst = config->n_burst ? config->n_burst : WORKER_BURST;
	w->punts = config->punts;
	w->n_punts_max = config->punts ? msg_room(config->punts) : 0;
	w->others = config->others;
	w->counts = config->counts;
	w->inbox = config->inbox;
	w->doorbell = config->doorbell;
	w->jumbo_pool = config->jumbo_pool;
	w->frame_pool = config->frame_pool;
	w->virtual_ms = config->virtual_ms;
	w->ticks_per_ms = config->virtual_ms ? 1 : rte_get_tsc_hz() / 1000;
	w->probe.n_left = PROBE_BURSTS;
	w->icmp_rate = bucket_rate_of(ICMP_ERRORS_PER_S, ICMP_BURST_MS, w->ticks_per_ms * 1000);
	w->random.state = config->seed[0] ^ ((uint64_t)config->idx << 32);
	w->next_ip_id = (uint16_t)random_next(&w->random);
	for (size_t i = 0; i < config->n_ports; i++) {
		w->ports[i].config = config->ports[i];
		memcpy(&w->ports[i].mac_word, config->ports[i].mac, sizeof(config->ports[i].mac));
	}
	w->discovery = config->discovery;
	w->serves_classic = config->serves_classic;
	if (config->software)
		memcpy(w->software, config->software, strlen(config->software) + 1);
	set_service_ports(w, config);
	rc = add_locals(w, config);
	if (!rc)
		rc = create_tables(w, config);
	if (!rc)
		rc = create_budgets(w, config);
	if (!rc)
		rc = rates_create(&w->rates, config, w->ticks_per_ms);
	if (rc) {
		worker_destroy(w);
		return rc;
	}
	*out = w;
	return 0;
}

void worker_destroy(struct worker *worker)
{
	struct pages pages;

	if (!worker)
		return;
	for (uint16_t i = 0; i < worker->n_ports; i++)
		rte_pktmbuf_free_bulk(worker->ports[i].tx, worker->ports[i].n_tx);
	rte_pktmbuf_free_bulk(worker->loop, worker->n_loop);
	reassembly_end(worker);
	flow4_table_destroy(&worker->flows4);
	flow6_table_destroy(&worker->flows6);
	budget_destroy(&worker->bindings);
	budget_destroy(&worker->challenges);
	rates_destroy(&worker->rates);
	pages = worker->own_pages;
	pages_unmap(&pages);
}

const struct worker_pub *worker_public(const struct worker *worker)
{
	return &worker->pub;
}

const struct flow_table *worker_flows(const struct worker *worker)
{
	return &worker->flows4;
}
