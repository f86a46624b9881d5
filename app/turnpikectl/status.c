// status, show, kick, log: one question, one answer.
#include "ctl.h"
#include "view.h"

#include "base/base.h"

#include <getopt.h>
#include <stdlib.h>
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

static int print_rows(const struct ctl *ctl, const struct subject *subject, const json_t *rows)
{
	json_t *row;
	size_t i;

	if (!ctl->json && json_array_size(rows))
		view_table(stdout, rows, subject->columns, subject->n_columns);
	else if (!ctl->json)
		puts(subject->none);
	json_array_foreach((json_t *)rows, i, row) if (ctl->json) view_json(row);
	return EXIT_OK;
}

static int show(struct ctl *ctl, const struct subject *subject, json_t *request)
{
	const bool are_users = strcmp(subject->name, "users") == 0;
	json_t *rows;
	int status;

	json_object_set_new(
		request, "verb", json_string(are_users ? "allocations" : subject->name));
	rows = ctl_ask_all(ctl, request, &status);
	if (!rows)
		return status;
	rows = are_users ? users_of(rows) : rows;
	status = print_rows(ctl, subject, rows);
	json_decref(rows);
	return status;
}

enum { OPTION_USER = 256, OPTION_REALM, OPTION_CLIENT };

// The filters of allocations and users. Returns NULL where the usage is wrong.
static json_t *take_filters(int argc, char **argv)
{
	static const struct option options[] = {
		{"user", required_argument, NULL, OPTION_USER},
		{"realm", required_argument, NULL, OPTION_REALM},
		{"client", required_argument, NULL, OPTION_CLIENT},
		{0},
	};
	json_t *request = json_object();
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?') {
			json_decref(request);
			return NULL;
		}
		json_object_set_new(
			request, options[option - OPTION_USER].name, json_string(optarg));
	}
	return request;
}

static int show_allocation(struct ctl *ctl, const char *id)
{
	return ctl_ask(ctl, json_pack("{s:s,s:s}", "verb", "allocation", "id", id), print_one, ctl);
}

int verb_show(struct ctl *ctl, int argc, char **argv)
{
	json_t *request = take_filters(argc, argv);
	const int n_words = argc - optind;
	const char *name = n_words > 0 ? argv[optind] : "";
	const bool is_filtered = json_object_size(request);
	int status = -1;

	if (!request)
		return ctl_usage("show", "no such option");
	if (n_words == 2 && !is_filtered && strcmp(name, "allocation") == 0)
		status = show_allocation(ctl, argv[optind + 1]);
	for (size_t i = 0; i < N_ELEMENTS(subjects) && n_words == 1 && status < 0; i++) {
		if (strcmp(subjects[i].name, name) != 0)
			continue;
		if (is_filtered && subjects[i].columns != allocation_columns &&
			subjects[i].columns != user_columns)
			break;
		return show(ctl, &subjects[i], request);
	}
	json_decref(request);
	return status >= 0 ? status : ctl_usage("show", "one subject is needed, with its filters");
}

int verb_kick(struct ctl *ctl, int argc, char **argv)
{
	json_t *request = take_filters(argc, argv);
	const char *key = argc - optind == 2 ? argv[optind] : "";
	const bool is_user = strcmp(key, "user") == 0;

	if (!request || (!is_user && strcmp(key, "allocation") != 0) ||
		json_object_size(request) > (json_object_get(request, "realm") ? 1 : 0) ||
		(!is_user && json_object_size(request))) {
		json_decref(request);
		return ctl_usage("kick", "user NAME or allocation ID is needed");
	}
	json_object_set_new(request, "verb", json_string("kick"));
	json_object_set_new(request, is_user ? "user" : "id", json_string(argv[optind + 1]));
	return ctl_ask(ctl, request, print_one, ctl);
}

static void print_change(const json_t *data, void *context)
{
	const struct ctl *ctl = context;

	if (ctl->json)
		view_json(data);
	else
		printf("%s: %s%s\n", json_string_value(json_object_get(data, "key")),
			json_string_value(json_object_get(data, "change")),
			json_is_true(json_object_get(data, "needs_restart")) ? " (needs a restart)"
									     : "");
}

int verb_reload(struct ctl *ctl, int argc, char **argv)
{
	int status;

	if (argc > 1)
		return ctl_usage("reload", "%s: one word too many", argv[1]);
	status = ctl_ask(ctl, json_pack("{s:s}", "verb", "reload"), print_change, ctl);
	if (status == EXIT_OK && !ctl->json)
		puts("reloaded");
	return status;
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
