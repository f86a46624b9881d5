// Relayed ports between two lives: used again only after every worker has applied the removals.
#include "state.h"

#include <stdlib.h>

static bool grow(struct control *c)
{
	const size_t capacity = c->cooling_capacity ? c->cooling_capacity * 2 : 1024;
	struct cooling *grown = malloc(capacity * sizeof(*grown));

	if (!grown)
		return false;
	for (size_t i = 0; i < c->cooling_n; i++)
		grown[i] = c->cooling[(c->cooling_first + i) % c->cooling_capacity];
	free(c->cooling);
	c->cooling = grown;
	c->cooling_first = 0;
	c->cooling_capacity = capacity;
	return true;
}

// Without memory the port stays out of use, which is safe; it is logged because it should never be.
void cooling_add(struct control *c, const struct endpoint *relayed)
{
	if (c->cooling_n == c->cooling_capacity && !grow(c)) {
		log_event(LOG_ERROR, "port.lost", "reason=out_of_memory");
		return;
	}
	c->cooling[(c->cooling_first + c->cooling_n) % c->cooling_capacity] =
		(struct cooling){.seq = c->seq, .relayed = *relayed};
	c->cooling_n++;
}

uint64_t applied_by_all(const struct control *c)
{
	uint64_t applied = UINT64_MAX;

	for (size_t i = 0; i < c->n_workers; i++) {
		const uint64_t own =
			atomic_load_explicit(c->workers[i].applied_seq, memory_order_acquire);

		applied = own < applied ? own : applied;
	}
	return applied;
}

void cooling_release(struct control *c)
{
	const uint64_t applied = c->cooling_n ? applied_by_all(c) : 0;

	while (c->cooling_n && c->cooling[c->cooling_first].seq <= applied) {
		turn_port_release(c->turn, &c->cooling[c->cooling_first].relayed);
		c->cooling_first = (c->cooling_first + 1) % c->cooling_capacity;
		c->cooling_n--;
	}
}
