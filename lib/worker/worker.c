#include "worker.h"

#include "size.h"
#include "state.h"

#include <errno.h>
#include <rte_mbuf.h>

static int create_tables(struct worker *w, const struct worker_config *config)
{
	int rc = flow4_table_create(
		&w->flows4, config->n_flows, config->numa_node, config->try_huge, config->seed);

	if (rc)
		return rc;
	return flow6_table_create(
		&w->flows6, size_flows6(config), config->numa_node, config->try_huge, config->seed);
}

static int create_urgent(struct worker *w, const struct worker_config *config)
{
	const struct budget_config budget = {
		.per_source = URGENT_PER_SOURCE,
		.ticks_per_s = w->ticks_per_ms * MS_IN_S,
		.seed = {config->seed[0], config->seed[1]},
		.numa_node = config->numa_node,
	};

	return budget_create(&w->urgent, &budget);
}

int worker_create(struct worker **out, const struct worker_config *config)
{
	struct worker_setup *setup;
	struct pages pages;
	struct worker *w;
	int rc;

	*out = NULL;
	if (config->n_ports == 0 || config->n_ports > WORKER_PORTS_MAX ||
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
	w->n_others_max = config->others ? msg_room(config->others) : 0;
	w->counts = config->counts;
	w->seen = config->seen;
	w->inbox = config->inbox;
	w->doorbell = config->doorbell;
	w->heartbeat = config->heartbeat;
	w->jumbo_pool = config->jumbo_pool;
	w->frame_pool = config->frame_pool;
	w->virtual_ms = config->virtual_ms;
	w->ticks_per_ms = worker_ticks_per_ms(config);
	w->probe.n_left = PROBE_BURSTS;
	w->icmp_rate = bucket_rate_of(ICMP_ERRORS_PER_S, ICMP_BURST_MS, w->ticks_per_ms * 1000);
	w->neighbour_rate =
		bucket_rate_of(NEIGHBOUR_ANSWERS_PER_S, NEIGHBOUR_BURST_MS, w->ticks_per_ms * 1000);
	w->random.state = config->seed[0] ^ ((uint64_t)config->idx << 32);
	trace_init(&w->trace, w->ticks_per_ms, random_next(&w->random));
	w->next_ip_id = (uint16_t)random_next(&w->random);
	for (size_t i = 0; i < config->n_ports; i++) {
		w->ports[i].config = config->ports[i];
		memcpy(&w->ports[i].mac_word, config->ports[i].mac, sizeof(config->ports[i].mac));
	}
	rc = create_tables(w, config);
	rc = rc ? rc : create_urgent(w, config);
	if (!rc)
		rc = worker_setup_create(&setup, config, NULL);
	if (!rc) {
		setup_apply(w, setup);
		worker_setup_destroy(setup);
	}
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
	budget_destroy(&worker->urgent);
	rates_destroy(&worker->rates);
	pages = worker->own_pages;
	pages_unmap(&pages);
}

const struct worker_pub *worker_public(const struct worker *worker)
{
	return &worker->pub;
}

const struct trace *worker_trace(const struct worker *worker)
{
	return &worker->trace;
}

const struct flow_table *worker_flows(const struct worker *worker)
{
	return &worker->flows4;
}

uint32_t worker_n_entries(const struct worker *worker)
{
	return worker->flows4.n_entries + worker->flows6.n_entries;
}
