// show: all there is of something, as a table; of one allocation, line by line.
#include "ctl.h"
#include "view.h"

#include "base/base.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

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

static const struct column allocation_columns[] = {
	{"id", "ID"},
	{"realm", "REALM"},
	{"user", "USER"},
	{"client", "CLIENT"},
	{"service", "SERVICE"},
	{"relayed", "RELAYED"},
	{"age_s", "AGE-S"},
	{"expires_in_s", "EXPIRES-S"},
	{"permissions", "PERMISSIONS"},
	{"channels", "CHANNELS"},
};

static const struct column user_columns[] = {
	{"realm", "REALM"},
	{"user", "USER"},
	{"allocations", "ALLOCATIONS"},
	{"permissions", "PERMISSIONS"},
	{"channels", "CHANNELS"},
};

static const struct column config_columns[] = {
	{"key", "KEY"},
	{"value", "VALUE"},
};

static const struct subject subjects[] = {
	{"config", "no configuration", config_columns, N_ELEMENTS(config_columns)},
	{"allocations", "no allocations", allocation_columns, N_ELEMENTS(allocation_columns)},
	{"users", "no users with an allocation", user_columns, N_ELEMENTS(user_columns)},
	{"workers", "no workers", worker_columns, N_ELEMENTS(worker_columns)},
	{"ports", "no ports", port_columns, N_ELEMENTS(port_columns)},
	{"routes", "no next hops yet", route_columns, N_ELEMENTS(route_columns)},
	{"peers", "no rules about peers", peer_columns, N_ELEMENTS(peer_columns)},
	{"realms", "no realms", realm_columns, N_ELEMENTS(realm_columns)},
};

// Members of `from` are added to those of `to`, which begin as zero.
static void add_counts(json_t *to, const json_t *from, const char *const keys[], size_t n_keys)
{
	for (size_t i = 0; i < n_keys; i++)
		json_object_set_new(to, keys[i],
			json_integer(json_integer_value(json_object_get(to, keys[i])) +
				json_integer_value(json_object_get(from, keys[i]))));
}

// From a list of allocations, which it frees, the users who have them.
static json_t *users_of(json_t *allocations)
{
	static const char *const keys[] = {"allocations", "permissions", "channels"};
	json_t *by_name = json_object();
	json_t *users = json_array();
	json_t *value;
	size_t i;

	json_array_foreach(allocations, i, value)
	{
		json_t *name = json_pack(
			"[O,O]", json_object_get(value, "realm"), json_object_get(value, "user"));
		char *key = json_dumps(name, JSON_COMPACT);
		json_t *user = json_object_get(by_name, key);

		if (!user) {
			user = json_pack("{s:O,s:O}", "realm", json_object_get(value, "realm"),
				"user", json_object_get(value, "user"));
			json_object_set_new(by_name, key, user);
			json_array_append(users, user);
		}
		json_object_set_new(value, "allocations", json_integer(1));
		add_counts(user, value, keys, N_ELEMENTS(keys));
		free(key);
		json_decref(name);
	}
	json_decref(allocations);
	json_decref(by_name);
	return users;
}

static int show(struct ctl *ctl, const struct subject *subject, json_t *request)
{
	const bool are_users = subject->columns == user_columns;
	json_t *rows;
	int status;

	json_object_set_new(
		request, "verb", json_string(are_users ? "allocations" : subject->name));
	if (ctl->json && !are_users)
		return ctl_print(ctl, request, view_object);
	rows = ctl_ask(ctl, request, &status);
	if (!rows)
		return status;
	rows = are_users ? users_of(rows) : rows;
	if (ctl->json)
		view_lines(rows);
	else if (json_array_size(rows))
		view_table(stdout, rows, subject->columns, subject->n_columns);
	else
		puts(subject->none);
	json_decref(rows);
	return status;
}

enum { OPTION_USER = 256, OPTION_REALM, OPTION_CLIENT };

// Filters of allocations and users. False where there is another option, which getopt has named.
static bool take_filters(json_t *request, int argc, char **argv)
{
	static const struct option options[] = {
		{"user", required_argument, NULL, OPTION_USER},
		{"realm", required_argument, NULL, OPTION_REALM},
		{"client", required_argument, NULL, OPTION_CLIENT},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return false;
		json_object_set_new(
			request, options[option - OPTION_USER].name, json_string(optarg));
	}
	return true;
}

static const struct subject *find_subject(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(subjects); i++)
		if (strcmp(subjects[i].name, name) == 0)
			return &subjects[i];
	return NULL;
}

static bool takes_filters(const struct subject *subject)
{
	return subject->columns == allocation_columns || subject->columns == user_columns;
}

int verb_show(struct ctl *ctl, int argc, char **argv)
{
	json_t *request = json_object();
	const bool taken = take_filters(request, argc, argv);
	const bool is_filtered = json_object_size(request);
	const int n_words = argc - optind;
	const struct subject *subject = n_words == 1 ? find_subject(argv[optind]) : NULL;

	if (taken && subject && (!is_filtered || takes_filters(subject)))
		return show(ctl, subject, request);
	json_decref(request);
	if (!taken)
		return ctl_bad_option("show");
	if (subject)
		return ctl_usage("show", "%s has no filters", subject->name);
	if (!is_filtered && n_words == 2 && strcmp(argv[optind], "allocation") == 0)
		return ctl_print(ctl,
			json_pack("{s:s,s:s}", "verb", "allocation", "id", argv[optind + 1]),
			view_object);
	return ctl_usage("show",
		"allowed: workers, ports, routes, peers, realms, config, allocations, users, "
		"allocation ID");
}
