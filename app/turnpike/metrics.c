#include "metrics.h"

#include "base/base.h"

#include <stdio.h>
#include <string.h>

#define RELAY_MOST_NS (16ULL * NS_IN_MS)

static const char worker_label[] = "worker";

// One counter of a struct, by where it lies there.
struct counter {
	const char *name;
	const char *help;
	size_t offset;
};

static uint64_t counter_in(const struct counter *counter, const void *of)
{
	uint64_t value;

	memcpy(&value, (const char *)of + counter->offset, sizeof(value));
	return value;
}

static void one(
	struct exposition *out, const char *name, const char *type, const char *help, double value)
{
	exposition_family(out, name, type, help);
	exposition_real(out, "", value);
}

static void gauge(struct exposition *out, const char *name, const char *help, uint64_t value)
{
	exposition_family(out, name, "gauge", help);
	exposition_count(out, "", value);
}

static void counter(struct exposition *out, const char *name, const char *help, uint64_t value)
{
	exposition_family(out, name, "counter", help);
	exposition_count(out, "", value);
}

static const char *number_label(
	char out[static EXPOSITION_LABEL_BYTES], const char *name, size_t number)
{
	snprintf(out, EXPOSITION_LABEL_BYTES, "%s=\"%zu\"", name, number);
	return out;
}

static void write_process(struct exposition *out, const struct readings *r)
{
	char labels[2 * EXPOSITION_LABEL_BYTES];
	char version[EXPOSITION_LABEL_BYTES];
	char dpdk[EXPOSITION_LABEL_BYTES];

	snprintf(labels, sizeof(labels), "%s,%s", exposition_label(version, "version", r->version),
		exposition_label(dpdk, "dpdk", r->dpdk_version));
	exposition_family(out, "turnpike_build_info", "gauge", "Always 1; what runs");
	exposition_count(out, labels, 1);
	one(out, "process_start_time_seconds", "gauge", "When it started, Unix time", r->started_s);
	one(out, "process_cpu_seconds_total", "counter",
		"Time on CPUs; workers that poll busily use all of theirs", r->cpu_s);
	gauge(out, "process_resident_memory_bytes", "Memory in use, hugepages aside",
		r->resident_bytes);
	one(out, "turnpike_metrics_duration_seconds", "gauge",
		"How long the metrics before these kept the control core", r->last_took_s);
}

static void write_health(struct exposition *out, const struct health *health)
{
	char label[EXPOSITION_LABEL_BYTES];

	exposition_family(out, "turnpike_health", "gauge", "1 where a sign of health is good");
	for (int sign = 0; sign < HEALTH_SIGNS; sign++)
		exposition_count(out,
			exposition_label(label, "sign", health_sign_name((enum health_sign)sign)),
			health_is_good(health, (enum health_sign)sign));
}

static void write_troubles(struct exposition *out, const struct readings *r)
{
	counter(out, "turnpike_clock_steps_total",
		"How often the wall clock was set, by 2 s or more", r->clock->n_steps);
	counter(out, "turnpike_control_stalls_total",
		"How often the control core stood still, for 3 s or longer", r->clock->n_stalls);
	counter(out, "turnpike_log_lines_total", "Lines of the log", r->log.n_lines);
	counter(out, "turnpike_log_held_back_lines_total",
		"Lines above what one place may write in a second", r->log.n_held_back);
	counter(out, "turnpike_log_lost_lines_total", "Lines that standard error did not take",
		r->log.n_lost);
}

#define OF_WORKER(suffix, member, text)                                                \
	{                                                                              \
		"turnpike_worker_" suffix, text, offsetof(struct worker_stats, member) \
	}

static const struct counter of_each_worker[] = {
	OF_WORKER("polls_total", n_polls, "Rounds"),
	OF_WORKER("busy_polls_total", n_busy_polls, "Rounds that found something"),
	OF_WORKER("rx_packets_total", n_rx, "Frames taken from ports"),
	OF_WORKER("tx_packets_total", n_tx, "Frames given to ports"),
	OF_WORKER("punted_packets_total", n_punted, "Requests handed to the control core"),
};

#define OF_ALL(suffix, member, text)                                            \
	{                                                                       \
		"turnpike_" suffix, text, offsetof(struct worker_stats, member) \
	}

static const struct counter of_all_workers[] = {
	OF_ALL("bindings_total", n_bindings, "Binding requests answered on workers"),
	OF_ALL("looped_packets_total", n_looped, "Packets between two clients of this box"),
	OF_ALL("express_packets_total", n_express, "Relayed packets that took the express lane"),
	OF_ALL("mirrored_packets_total", n_mirrored, "Frames handed to the kernel"),
	OF_ALL("kernel_packets_total", n_kernel, "Packets whose next hop the kernel had to find"),
	OF_ALL("reassembled_packets_total", n_reassembled, "Datagrams put together of fragments"),
	OF_ALL("reassembly_failures_total", n_reassembly_failed, "Datagrams that were not"),
	OF_ALL("split_packets_total", n_split, "Datagrams sent as fragments"),
	OF_ALL("icmp_relayed_total", n_icmp_relayed, "ICMP errors that became Data indications"),
	OF_ALL("icmp_sent_total", n_icmp_sent, "ICMP errors sent to clients and peers"),
	OF_ALL("neighbours_answered_total", n_neighbours_answered,
		"ARP and neighbour solicitations answered in Linux's place"),
	OF_ALL("checksums_finished_total", n_checksums_finished, "Checksums finished for a kernel"),
	OF_ALL("table_full_total", n_table_full, "Entries that found no room in a table"),
};

static const char *relay_labels(
	char out[static EXPOSITION_LABEL_BYTES], size_t worker, enum relay_path path)
{
	static const char *const paths[] = {
		[RELAY_UP_CHANNEL] = "direction=\"up\",framing=\"channel\"",
		[RELAY_UP_SEND] = "direction=\"up\",framing=\"indication\"",
		[RELAY_DOWN_CHANNEL] = "direction=\"down\",framing=\"channel\"",
		[RELAY_DOWN_DATA] = "direction=\"down\",framing=\"indication\"",
	};

	snprintf(out, EXPOSITION_LABEL_BYTES, "worker=\"%zu\",%s", worker, paths[path]);
	return out;
}

static void write_relay(struct exposition *out, const struct readings *r)
{
	char labels[EXPOSITION_LABEL_BYTES];

	exposition_family(out, "turnpike_relay_packets_total", "counter", "Packets relayed");
	for (size_t i = 0; i < r->n_workers; i++)
		for (int path = 0; path < N_RELAY_PATHS; path++)
			exposition_count(out, relay_labels(labels, i, (enum relay_path)path),
				r->workers[i].n_relayed[path]);
	exposition_family(out, "turnpike_relay_bytes_total", "counter", "Application data relayed");
	for (size_t i = 0; i < r->n_workers; i++)
		for (int path = 0; path < N_RELAY_PATHS; path++)
			exposition_count(out, relay_labels(labels, i, (enum relay_path)path),
				r->workers[i].n_relayed_bytes[path]);
	exposition_family(out, "turnpike_relay_latency_seconds", "histogram",
		"From a port until the last frame of a burst is given to a port; one burst of 32");
	for (size_t i = 0; i < r->n_workers; i++)
		exposition_latency(out, number_label(labels, worker_label, i), &r->workers[i].relay,
			RELAY_MOST_NS);
}

static void write_drops(struct exposition *out, const struct readings *r)
{
	char label[EXPOSITION_LABEL_BYTES];

	exposition_family(out, "turnpike_drops_total", "counter",
		"Packets that ended in the box, by why; the README's table of names says more");
	for (int drop = 1; drop < N_DROPS; drop++)
		exposition_count(out, exposition_label(label, "reason", drop_name((enum drop)drop)),
			r->sum.n_drops[drop]);
	exposition_family(out, "turnpike_worker_drops_total", "counter",
		"The same by worker, whatever the reason");
	for (size_t i = 0; i < r->n_workers; i++)
		exposition_count(out, number_label(label, worker_label, i),
			worker_stats_drops(&r->workers[i]));
	exposition_family(out, "turnpike_shed_requests_total", "counter",
		"Requests dropped because the control core was behind, by how urgent they were");
	for (int urgency = 0; urgency < URGENCIES; urgency++)
		exposition_count(out,
			exposition_label(label, "urgency",
				urgency_name((enum urgency)urgency) + strlen("shed_")),
			r->sum.n_shed[urgency]);
}

static void write_workers(struct exposition *out, const struct readings *r)
{
	char label[EXPOSITION_LABEL_BYTES];

	for (size_t k = 0; k < N_ELEMENTS(of_each_worker); k++) {
		exposition_family(out, of_each_worker[k].name, "counter", of_each_worker[k].help);
		for (size_t i = 0; i < r->n_workers; i++)
			exposition_count(out, number_label(label, worker_label, i),
				counter_in(&of_each_worker[k], &r->workers[i]));
	}
	exposition_family(out, "turnpike_worker_busy_seconds_total", "counter",
		"Time of rounds that found something");
	for (size_t i = 0; i < r->n_workers; i++)
		exposition_real(out, number_label(label, worker_label, i),
			(double)r->workers[i].n_busy_ticks / (double)r->ticks_per_s);
	for (size_t k = 0; k < N_ELEMENTS(of_all_workers); k++)
		counter(out, of_all_workers[k].name, of_all_workers[k].help,
			counter_in(&of_all_workers[k], &r->sum));
}

#define OF_PORT(suffix, member, text)                                                \
	{                                                                            \
		"turnpike_port_" suffix, text, offsetof(struct reading_port, member) \
	}

static const struct counter of_each_port[] = {
	OF_PORT("rx_packets_total", n_rx, "Frames that came in"),
	OF_PORT("tx_packets_total", n_tx, "Frames that went out"),
	OF_PORT("rx_bytes_total", n_rx_bytes, "Their bytes"),
	OF_PORT("tx_bytes_total", n_tx_bytes, "Their bytes"),
	OF_PORT("rx_missed_total", n_rx_missed, "Frames that no worker took in time"),
	OF_PORT("rx_errors_total", n_rx_errors, "Frames that came in damaged"),
	OF_PORT("rx_no_buffer_total", n_rx_no_buffer, "Frames for which no buffer was free"),
	OF_PORT("tx_errors_total", n_tx_errors, "Frames that the device did not send"),
};

static void write_ports(struct exposition *out, const struct readings *r)
{
	char labels[2 * EXPOSITION_LABEL_BYTES];
	char port[EXPOSITION_LABEL_BYTES];
	char device[EXPOSITION_LABEL_BYTES];

	exposition_family(out, "turnpike_port_info", "gauge", "Always 1; the device of a port");
	for (size_t i = 0; i < r->n_ports; i++) {
		snprintf(labels, sizeof(labels), "%s,%s",
			exposition_label(port, "port", r->ports[i].name),
			exposition_label(device, "device", r->ports[i].device));
		exposition_count(out, labels, 1);
	}
	exposition_family(out, "turnpike_port_up", "gauge", "1 where the link is up");
	for (size_t i = 0; i < r->n_ports; i++)
		exposition_count(
			out, exposition_label(port, "port", r->ports[i].name), r->ports[i].up);
	for (size_t k = 0; k < N_ELEMENTS(of_each_port); k++) {
		exposition_family(out, of_each_port[k].name, "counter", of_each_port[k].help);
		for (size_t i = 0; i < r->n_ports; i++)
			exposition_count(out, exposition_label(port, "port", r->ports[i].name),
				counter_in(&of_each_port[k], &r->ports[i]));
	}
}

static void write_pools(struct exposition *out, const struct readings *r)
{
	char label[EXPOSITION_LABEL_BYTES];

	exposition_family(out, "turnpike_mbufs", "gauge", "Packet buffers");
	for (size_t i = 0; i < READING_POOLS; i++)
		exposition_count(out, exposition_label(label, "pool", r->pools[i].name),
			r->pools[i].n_buffers);
	exposition_family(out, "turnpike_mbufs_free", "gauge", "Packet buffers not in use");
	for (size_t i = 0; i < READING_POOLS; i++)
		exposition_count(
			out, exposition_label(label, "pool", r->pools[i].name), r->pools[i].n_free);
}

void metrics_write(struct exposition *out, const struct readings *readings)
{
	write_process(out, readings);
	write_health(out, readings->health);
	gauge(out, "turnpike_draining", "1 while it is being emptied", readings->draining);
	write_troubles(out, readings);
	write_workers(out, readings);
	write_relay(out, readings);
	write_drops(out, readings);
	write_ports(out, readings);
	write_pools(out, readings);
	metrics_write_control(out, readings);
}
