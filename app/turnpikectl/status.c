// status, show, log: one question, one answer.
#include "ctl.h"
#include "view.h"

#include "base/base.h"

#include <string.h>

static void print_one(const json_t *data, void *context)
{
	const struct ctl *ctl = context;

	if (ctl->json)
		view_json(data);
	else
		view_object(stdout, data);
}

int verb_status(struct ctl *ctl, int argc, char **argv)
{
	if (argc > 1)
		return ctl_usage("status", "%s: one word too many", argv[1]);
	return ctl_ask(ctl, json_pack("{s:s}", "verb", "status"), print_one, ctl);
}

struct subject {
	const char *name;
	const char *none; // said where there are none
	const struct column *columns;
	size_t n_columns;
};

static const struct column worker_columns[] = {
	{"worker", "WORKER"},
	{"cpu", "CPU"},
	{"rx", "RX"},
	{"tx", "TX"},
	{"relayed.up_channel", "UP-CHANNEL"},
	{"relayed.up_send", "UP-SEND"},
	{"relayed.down_channel", "DOWN-CHANNEL"},
	{"relayed.down_data", "DOWN-DATA"},
	{"bindings", "BINDINGS"},
	{"punted", "REQUESTS"},
	{"drops", "DROPS"},
};

static const struct column port_columns[] = {
	{"port", "PORT"},
	{"device", "DEVICE"},
	{"link", "LINK"},
	{"mbit_per_s", "MBIT/S"},
	{"mtu", "MTU"},
	{"mac", "MAC"},
	{"mirror", "MIRROR"},
	{"rx_packets", "RX"},
	{"tx_packets", "TX"},
	{"rx_missed", "MISSED"},
	{"rx_errors", "RX-ERRORS"},
	{"tx_errors", "TX-ERRORS"},
	{"rx_no_mbuf", "NO-MBUF"},
	{"addresses", "ADDRESSES"},
};

static const struct column route_columns[] = {
	{"hop", "HOP"},
	{"state", "STATE"},
	{"port", "PORT"},
	{"family", "FAMILY"},
	{"mac", "MAC"},
};

static const struct column peer_columns[] = {
	{"realm", "REALM"},
	{"rule", "RULE"},
	{"range", "RANGE"},
	{"action", "ACTION"},
	{"hits", "HITS"},
};

static const struct column realm_columns[] = {
	{"realm", "REALM"},
	{"allocations", "ALLOCATIONS"},
	{"allocations_created", "CREATED"},
	{"unauthenticated", "UNAUTHENTICATED"},
	{"quota_reached", "QUOTA-REACHED"},
};

static const struct subject subjects[] = {
	{"workers", "no workers", worker_columns, N_ELEMENTS(worker_columns)},
	{"ports", "no ports", port_columns, N_ELEMENTS(port_columns)},
	{"routes", "no next hops yet", route_columns, N_ELEMENTS(route_columns)},
	{"peers", "no rules about peers", peer_columns, N_ELEMENTS(peer_columns)},
	{"realms", "no realms", realm_columns, N_ELEMENTS(realm_columns)},
};

static void print_json(const json_t *data, void *context)
{
	(void)context;
	view_json(data);
}

static int show(struct ctl *ctl, const struct subject *subject)
{
	json_t *request = json_pack("{s:s}", "verb", subject->name);
	json_t *rows;
	int status;

	if (ctl->json)
		return ctl_ask(ctl, request, print_json, NULL);
	rows = ctl_ask_all(ctl, request, &status);
	if (json_array_size(rows))
		view_table(stdout, rows, subject->columns, subject->n_columns);
	else if (rows)
		puts(subject->none);
	json_decref(rows);
	return status;
}

int verb_show(struct ctl *ctl, int argc, char **argv)
{
	if (argc != 2)
		return ctl_usage("show", "one subject is needed");
	for (size_t i = 0; i < N_ELEMENTS(subjects); i++)
		if (strcmp(subjects[i].name, argv[1]) == 0)
			return show(ctl, &subjects[i]);
	return ctl_usage("show", "%s: no such subject", argv[1]);
}

int verb_log(struct ctl *ctl, int argc, char **argv)
{
	json_t *request;

	if (argc < 2 || argc > 3 || strcmp(argv[1], "level") != 0)
		return ctl_usage("log", "level is needed, and one word more at most");
	request = json_pack("{s:s}", "verb", "log");
	if (argc == 3)
		json_object_set_new(request, "level", json_string(argv[2]));
	return ctl_ask(ctl, request, print_one, ctl);
}
