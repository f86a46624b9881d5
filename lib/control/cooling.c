// Relayed ports between two lives: used again only after every worker has applied the removals.
#include "state.h"

// Without memory the port stays out of use, which is safe; it is logged because it should never be.
void cooling_add(struct control *c, const struct endpoint *relayed)
{
	const struct cooling cooling = {.seq = c->seq, .relayed = *relayed};

	if (!ring_add(&c->cooling, &cooling, sizeof(cooling)))
		log_event(LOG_ERROR, "port.lost", "reason=out_of_memory");
}

uint64_t applied_by_all(const struct control *c)
{
	uint64_t applied = UINT64_MAX;

	for (size_t i = 0; i < c->n_workers; i++) {
		const struct control_worker *worker = &c->workers[i];
		const uint64_t own = worker->inbox
			? atomic_load_explicit(worker->applied_seq, memory_order_acquire)
			: UINT64_MAX;

		applied = own < applied ? own : applied;
	}
	return applied;
}

void cooling_release(struct control *c)
{
	const uint64_t applied = c->cooling.n ? applied_by_all(c) : 0;
	const struct cooling *oldest;

	while ((oldest = ring_oldest(&c->cooling, sizeof(*oldest))) && oldest->seq <= applied) {
		turn_port_release(c->turn, &oldest->relayed);
		ring_remove(&c->cooling);
	}
}
