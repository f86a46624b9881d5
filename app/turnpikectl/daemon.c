// doctor's look at the running daemon.
#include "finding.h"
#include "view.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BUFFERS_USED_PERCENT 80
#define RX_MIN 10000 // frames, before their spread says anything
#define SPREAD_MAX 4 // times as many frames on the fullest worker as on the emptiest

static void check_health(struct doctor *doctor, const json_t *status)
{
	const json_int_t n_used = json_integer_value(json_object_get(status, "mbufs_in_use"));
	const json_int_t n_all = json_integer_value(json_object_get(status, "mbufs"));
	const char *name;
	json_t *sign;

	json_object_foreach(json_object_get(status, "health"), name, sign)
	{
		if (strcmp(json_string_value(sign), "good") != 0)
			finding_add(doctor, SEVERITY_ERROR, "health", NULL, "%s: %s", name,
				json_string_value(sign));
	}
	if (n_all && n_used * 100 / n_all >= BUFFERS_USED_PERCENT)
		finding_add(doctor, SEVERITY_WARNING, "buffers", "raise memory.mbufs",
			"%lld of %lld packet buffers are in use", (long long)n_used,
			(long long)n_all);
}

static void check_counters(struct doctor *doctor, const json_t *ports)
{
	static const char *const keys[] = {"rx_missed", "rx_errors", "tx_errors", "rx_no_mbuf"};
	json_t *port;
	size_t i;

	json_array_foreach((json_t *)ports, i, port)
	{
		const char *name = json_string_value(json_object_get(port, "port"));

		for (size_t k = 0; k < N_ELEMENTS(keys); k++) {
			const json_int_t n = json_integer_value(json_object_get(port, keys[k]));

			if (n)
				finding_add(doctor, SEVERITY_WARNING, "port", NULL,
					"%s: %s is %lld", name, keys[k], (long long)n);
		}
	}
}

// Does the NIC give all workers their share?
static void check_spread(struct doctor *doctor, const json_t *workers)
{
	json_int_t sum = 0, most = 0, least = INT64_MAX;
	json_t *worker;
	size_t i;

	json_array_foreach((json_t *)workers, i, worker)
	{
		const json_int_t n = json_integer_value(json_object_get(worker, "rx"));

		sum += n;
		most = n > most ? n : most;
		least = n < least ? n : least;
	}
	if (json_array_size(workers) > 1 && sum > RX_MIN && most > SPREAD_MAX * (least + 1))
		finding_add(doctor, SEVERITY_WARNING, "rss",
			"check the NIC's RSS: turnpikectl show workers",
			"the fullest worker got %lld frames, the emptiest %lld", (long long)most,
			(long long)least);
}

// What a veth pair or a virtual switch left to hardware costs a pass over each packet.
static void check_checksums(struct doctor *doctor, const json_t *workers)
{
	json_int_t n = 0;
	json_t *worker;
	size_t i;

	json_array_foreach((json_t *)workers, i, worker) n +=
		json_integer_value(json_object_get(worker, "checksums_finished"));
	if (n)
		finding_add(doctor, SEVERITY_WARNING, "offload",
			"ethtool -K INTERFACE tx off, where they come from",
			"%lld frames came with checksums left to hardware, and were finished here",
			(long long)n);
}

void check_daemon(struct doctor *doctor, struct ctl *ctl)
{
	json_t *status, *ports, *workers;
	int rc;

	if (access(ctl->socket_path, F_OK) != 0 && errno == ENOENT) {
		finding_add(doctor, SEVERITY_OK, "daemon", NULL, "it does not run: no %s",
			ctl->socket_path);
		return;
	}
	if (access(ctl->socket_path, R_OK | W_OK) != 0) {
		finding_add(doctor, SEVERITY_WARNING, "daemon",
			"sudo turnpikectl doctor, or be of admin.group", "%s: %s", ctl->socket_path,
			strerror(errno));
		return;
	}
	status = ctl_ask(ctl, json_pack("{s:s}", "verb", "status"), &rc);
	if (!status) {
		finding_add(doctor, SEVERITY_ERROR, "daemon", NULL,
			"%s is there, and nobody answers", ctl->socket_path);
		return;
	}
	ports = ctl_ask(ctl, json_pack("{s:s}", "verb", "ports"), &rc);
	workers = ctl_ask(ctl, json_pack("{s:s}", "verb", "workers"), &rc);
	doctor->daemon_pid = json_integer_value(json_object_get(json_array_get(status, 0), "pid"));
	finding_add(doctor, SEVERITY_OK, "daemon", NULL, "it runs, pid %lld", doctor->daemon_pid);
	check_health(doctor, json_array_get(status, 0));
	check_daemon_nics(doctor, ports);
	check_counters(doctor, ports);
	check_spread(doctor, workers);
	check_checksums(doctor, workers);
	json_decref(status);
	json_decref(ports);
	json_decref(workers);
}
