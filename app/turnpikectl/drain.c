// drain: on, off, and how far it is.
#include "ctl.h"
#include "view.h"

#include <getopt.h>
#include <limits.h>
#include <string.h>

#define DEADLINE_S_MAX 604800 // a week, as the daemon has it

struct wish {
	const char *set; // NULL: only look
	long answer;
	long deadline_s;
	bool exits;
	bool waits;
};

enum { OPTION_ANSWER = 256, OPTION_DEADLINE, OPTION_EXIT, OPTION_WAIT };

static int take_options(struct wish *wish, int argc, char **argv)
{
	static const struct option options[] = {
		{"answer", required_argument, NULL, OPTION_ANSWER},
		{"deadline", required_argument, NULL, OPTION_DEADLINE},
		{"exit", no_argument, NULL, OPTION_EXIT},
		{"wait", no_argument, NULL, OPTION_WAIT},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == OPTION_ANSWER && !ctl_take_number(&wish->answer, optarg, LONG_MAX))
			return ctl_usage("drain", "--answer %s; allowed: 300, 486, 508", optarg);
		if (option == OPTION_DEADLINE &&
			!ctl_take_number(&wish->deadline_s, optarg, DEADLINE_S_MAX))
			return ctl_usage(
				"drain", "--deadline %s; allowed: 1..%d", optarg, DEADLINE_S_MAX);
		wish->exits |= option == OPTION_EXIT;
		wish->waits |= option == OPTION_WAIT;
		if (option == '?')
			return ctl_bad_option("drain");
	}
	if (optind != argc - 1)
		return ctl_usage("drain", "one of on, off and status is needed");
	if (strcmp(argv[optind], "on") == 0 || strcmp(argv[optind], "off") == 0)
		wish->set = argv[optind];
	else if (strcmp(argv[optind], "status") != 0)
		return ctl_usage("drain", "%s; allowed: on, off, status", argv[optind]);
	if ((wish->answer || wish->deadline_s || wish->exits) &&
		(!wish->set || strcmp(wish->set, "on") != 0))
		return ctl_usage("drain", "--answer, --deadline and --exit go with on");
	return EXIT_OK;
}

static long number(const json_t *data, const char *key)
{
	return (long)json_integer_value(json_object_get(data, key));
}

static void print(const struct ctl *ctl, const json_t *data)
{
	if (ctl->json) {
		view_json(data);
		return;
	}
	printf("drain %s, %ld allocations", json_string_value(json_object_get(data, "drain")),
		number(data, "allocations"));
	if (json_object_get(data, "allocations_at_start"))
		printf(" of %ld, new ones get %ld, for %ld s", number(data, "allocations_at_start"),
			number(data, "answer"), number(data, "since_s"));
	if (json_object_get(data, "left_s"))
		printf(", %ld s left", number(data, "left_s"));
	if (json_is_true(json_object_get(data, "exits")))
		fputs(", then the daemon ends", stdout);
	putchar('\n');
	fflush(stdout);
}

// Is there more to wait for? Where it exits: until it has.
static bool is_under_way(const json_t *data)
{
	if (json_is_true(json_object_get(data, "exits")))
		return true;
	return json_object_get(data, "allocations_at_start") && number(data, "allocations") > 0 &&
		!(json_object_get(data, "left_s") && number(data, "left_s") == 0);
}

static json_t *request(const struct wish *wish)
{
	json_t *object = json_pack("{s:s}", "verb", "drain");

	if (!wish->set)
		return object;
	json_object_set_new(object, "set", json_string(wish->set));
	if (wish->answer)
		json_object_set_new(object, "answer", json_integer(wish->answer));
	if (wish->deadline_s)
		json_object_set_new(object, "deadline_s", json_integer(wish->deadline_s));
	if (wish->exits)
		json_object_set_new(object, "exit", json_true());
	return object;
}

int verb_drain(struct ctl *ctl, int argc, char **argv)
{
	const struct wish look = {0};
	struct wish wish = {0};
	int status = take_options(&wish, argc, argv);
	bool goes_on = status == EXIT_OK;
	bool ends;

	for (const struct wish *ask = &wish; goes_on; ask = &look) {
		json_t *rows = ctl_ask(ctl, request(ask), &status);

		if (!rows)
			return status;
		print(ctl, json_array_get(rows, 0));
		goes_on = wish.waits && is_under_way(json_array_get(rows, 0));
		ends = json_is_true(json_object_get(json_array_get(rows, 0), "exits"));
		json_decref(rows);
		if (!goes_on || ctl_rest(ctl) || !ends)
			continue;
		if (!ctl->json)
			puts("the daemon has ended");
		return EXIT_OK;
	}
	return status;
}
