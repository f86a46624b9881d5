// status, reload, log: one question, one answer.
#include "ctl.h"
#include "view.h"

#include <string.h>

int verb_status(struct ctl *ctl, int argc, char **argv)
{
	if (argc > 1)
		return ctl_usage("status", "%s: one word too many", argv[1]);
	return ctl_print(ctl, json_pack("{s:s}", "verb", "status"), view_object);
}

static void print_change(const json_t *data)
{
	printf("%s: %s%s\n", json_string_value(json_object_get(data, "key")),
		json_string_value(json_object_get(data, "change")),
		json_is_true(json_object_get(data, "needs_restart")) ? " (needs a restart)" : "");
}

int verb_reload(struct ctl *ctl, int argc, char **argv)
{
	int status;

	if (argc > 1)
		return ctl_usage("reload", "%s: one word too many", argv[1]);
	status = ctl_print(ctl, json_pack("{s:s}", "verb", "reload"), print_change);
	if (status == EXIT_OK && !ctl->json)
		puts("reloaded");
	return status;
}

int verb_log(struct ctl *ctl, int argc, char **argv)
{
	if (argc < 2 || argc > 3 || strcmp(argv[1], "level") != 0)
		return ctl_usage("log", "level is needed, and one word more at most");
	return ctl_print(
		ctl, json_pack("{s:s,s:s*}", "verb", "log", "level", argv[2]), view_object);
}
