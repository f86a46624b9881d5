// trace: what happened to one address, a line each, as the log has them.
#include "ctl.h"
#include "view.h"

#include <getopt.h>
#include <string.h>

#define VALUE_BYTES 512

static const char *text_of(const json_t *data, const char *key)
{
	const char *text = json_string_value(json_object_get(data, key));

	return text ? text : "";
}

// What the line itself says is not said again.
static bool is_said(const char *key)
{
	return strcmp(key, "time") == 0 || strcmp(key, "event") == 0 || strcmp(key, "text") == 0;
}

static void print_event(const json_t *data)
{
	char value[VALUE_BYTES];
	const char *key;
	json_t *member;

	printf("%s %s", text_of(data, "time"), text_of(data, "event"));
	json_object_foreach((json_t *)data, key, member)
	{
		const char *text = view_text(member, value, sizeof(value));
		const bool quoted = strchr(text, ' ') || strcmp(key, "user") == 0;

		if (!is_said(key))
			printf(quoted ? " %s=\"%s\"" : " %s=%s", key, text);
	}
	if (*text_of(data, "text"))
		printf(": %s", text_of(data, "text"));
	putchar('\n');
}

static long number(const json_t *data, const char *key)
{
	return (long)json_integer_value(json_object_get(data, key));
}

static void print_reach(const json_t *data)
{
	const json_t *lost;
	size_t i;

	printf("%s kept since %s\n",
		number(data, "found") ? "all that is" : "nothing of this address is",
		text_of(data, "since"));
	json_array_foreach(json_object_get(data, "lost"), i, lost)
		printf("but of %s%s%s only since %s: %ld before are not kept\n",
			text_of(lost, "event"), *text_of(lost, "reason") ? " " : "",
			text_of(lost, "reason"), text_of(lost, "since"), number(lost, "n"));
	if (number(data, "left_out"))
		printf("%ld older ones are left out\n", number(data, "left_out"));
	if (json_object_get(data, "more_relayed"))
		puts("drops at relayed addresses are of 1,024 of them: ask with a port");
}

static void print(const json_t *data)
{
	if (strcmp(text_of(data, "event"), "reach") == 0)
		print_reach(data);
	else
		print_event(data);
}

int verb_trace(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {{"follow", no_argument, NULL, 'f'}, {0}};
	json_t *request;
	bool follows = false;
	int option;

	while ((option = getopt_long(argc, argv, "f", options, NULL)) != -1) {
		if (option != 'f')
			return ctl_bad_option("trace");
		follows = true;
	}
	if (optind != argc - 1)
		return ctl_usage("trace", "one address is needed");
	setlinebuf(stdout); // who follows wants to see it now
	request = json_pack(
		"{s:s, s:s, s:b}", "verb", "trace", "address", argv[optind], "follow", follows);
	return ctl_print(ctl, request, print);
}
