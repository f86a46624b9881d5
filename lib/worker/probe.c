// How long bursts stay in the box, of one in PROBE_BURSTS: from when it was taken from its port
// until a port has taken the last of its frames, and of what was to be sent before them.
#include "state.h"

static void record(struct worker *w)
{
	const uint64_t ticks = worker_ticks(w) - w->probe.begun_ticks;

	latency_record(&w->pub.stats.relay, ticks * NS_IN_MS / w->ticks_per_ms);
	w->probe.waits = false;
}

static uint64_t queued(const struct worker_port *port)
{
	return port->n_sent + port->n_tx;
}

// Where a port has not taken the last one's frames by now, that one took at least so long.
void probe_begin(struct worker *w)
{
	struct probe *probe = &w->probe;

	if (probe->waits)
		record(w);
	for (unsigned i = 0; i < w->n_ports; i++)
		probe->due[i] = queued(&w->ports[i]);
	probe->begun_ticks = worker_ticks(w);
}

void probe_look(struct worker *w)
{
	for (unsigned i = 0; i < w->n_ports; i++)
		if (w->ports[i].n_sent < w->probe.due[i])
			return;
	record(w);
}

// A burst of which nothing is sent has no latency, and ports to which it sent nothing have no part.
void probe_end(struct worker *w)
{
	struct probe *probe = &w->probe;

	for (unsigned i = 0; i < w->n_ports; i++) {
		const uint64_t n = queued(&w->ports[i]);

		probe->waits |= n != probe->due[i];
		probe->due[i] = n == probe->due[i] ? 0 : n;
	}
	probe->n_left = PROBE_BURSTS;
	if (probe->waits)
		probe_look(w);
}
