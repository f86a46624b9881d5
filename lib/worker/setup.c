// What may be another while a worker runs: made by the control core, handed over by a message, and
// changed for what the worker had, between two bursts.
#include "state.h"

#include "worker.h"

#include <errno.h>
#include <stdlib.h>

// The first four different ports of the services; media to others take the long way.
static void set_service_ports(struct worker_setup *setup, const struct worker_config *config)
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
	memcpy(&setup->service_ports, ports, sizeof(ports));
}

static int add_locals(struct worker_setup *setup, const struct worker_config *config)
{
	int rc = 0;

	for (size_t i = 0; i < config->n_services && !rc; i++)
		rc = locals_add_service(&setup->locals, &config->services[i]);
	for (size_t i = 0; i < config->n_relays && !rc; i++)
		rc = locals_add_relay(&setup->locals, &config->relays[i]);
	for (size_t i = 0; i < config->n_relays && !rc; i++)
		rc = external_add(&setup->externals, &config->relays[i]);
	return rc;
}

// One worker's part of what all may do.
static uint32_t share_of(uint32_t all, const struct worker_config *config)
{
	const uint32_t n_workers = config->n_workers ? config->n_workers : 1;

	return all == 0 ? 0 : all < n_workers ? 1 : all / n_workers;
}

static int create_budgets(struct worker_setup *setup, const struct worker_config *config)
{
	const struct worker_answers *answers = &config->answers;
	struct budget_config budget = {
		.per_source = share_of(answers->bindings_per_source, config),
		.total = share_of(answers->bindings, config),
		.ticks_per_s = worker_ticks_per_ms(config) * MS_IN_S,
		.seed = {config->seed[0], config->seed[1]},
		.numa_node = config->numa_node,
	};
	int rc = budget_create(&setup->bindings, &budget);

	if (rc)
		return rc;
	budget.per_source = share_of(answers->challenges_per_source, config);
	budget.total = share_of(answers->challenges, config);
	setup->ratio_percent = answers->ratio_percent;
	return budget_create(&setup->challenges, &budget);
}

static bool is_same_rate(const struct worker_rate *a, const struct worker_rate *b)
{
	return a->bytes_per_s == b->bytes_per_s && a->packets_per_s == b->packets_per_s;
}

static bool are_same_rates(const struct worker_rates *a, const struct worker_rates *b)
{
	return is_same_rate(&a->allocation, &b->allocation) && is_same_rate(&a->user, &b->user) &&
		is_same_rate(&a->all, &b->all) && a->burst_ms == b->burst_ms &&
		a->n_allocations == b->n_allocations;
}

static int fill(struct worker_setup *setup, const struct worker_config *config,
	const struct worker_config *before)
{
	int rc = add_locals(setup, config);

	set_service_ports(setup, config);
	setup->discovery = config->discovery;
	setup->serves_classic = config->serves_classic;
	if (config->software)
		memcpy(setup->software, config->software, strlen(config->software) + 1);
	setup->has_answers =
		!before || memcmp(&before->answers, &config->answers, sizeof(config->answers)) != 0;
	setup->has_rates = !before || !are_same_rates(&before->rates, &config->rates);
	if (!rc && setup->has_answers)
		rc = create_budgets(setup, config);
	if (!rc && setup->has_rates)
		rc = rates_create(&setup->rates, config, worker_ticks_per_ms(config));
	return rc;
}

int worker_setup_create(struct worker_setup **out, const struct worker_config *config,
	const struct worker_config *before)
{
	struct worker_setup *setup;
	int rc;

	*out = NULL;
	if (config->software && strlen(config->software) > STUN_SOFTWARE_BYTES_MAX)
		return -EINVAL;
	setup = calloc(1, sizeof(*setup));
	if (!setup)
		return -ENOMEM;
	rc = fill(setup, config, before);
	if (rc) {
		worker_setup_destroy(setup);
		return rc;
	}
	*out = setup;
	return 0;
}

void worker_setup_destroy(struct worker_setup *setup)
{
	if (!setup)
		return;
	budget_destroy(&setup->bindings);
	budget_destroy(&setup->challenges);
	rates_destroy(&setup->rates);
	free(setup);
}

static void swap_answers(struct worker *w, struct worker_setup *setup)
{
	const struct budget bindings = w->bindings;
	const struct budget challenges = w->challenges;

	w->bindings = setup->bindings;
	w->challenges = setup->challenges;
	w->ratio_percent = setup->ratio_percent;
	setup->bindings = bindings;
	setup->challenges = challenges;
}

static void swap_rates(struct worker *w, struct worker_setup *setup)
{
	const struct rates rates = w->rates;

	w->rates = setup->rates;
	setup->rates = rates;
}

void setup_apply(struct worker *w, struct worker_setup *setup)
{
	w->locals = setup->locals;
	w->service_ports = setup->service_ports;
	w->externals = setup->externals;
	w->discovery = setup->discovery;
	w->serves_classic = setup->serves_classic;
	memcpy(w->software, setup->software, sizeof(w->software));
	if (setup->has_answers)
		swap_answers(w, setup);
	if (setup->has_rates)
		swap_rates(w, setup);
}
