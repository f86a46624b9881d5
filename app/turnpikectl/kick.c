// kick: out with a user, or with one allocation.
#include "ctl.h"
#include "view.h"

#include <getopt.h>
#include <string.h>

int verb_kick(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{"realm", required_argument, NULL, 'r'},
		{0},
	};
	const char *realm = NULL;
	const char *what;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'r')
			return ctl_bad_option("kick");
		realm = optarg;
	}
	what = argc - optind == 2 ? argv[optind] : "";
	if (strcmp(what, "user") == 0)
		return ctl_print(ctl,
			json_pack("{s:s,s:s,s:s*}", "verb", "kick", "user", argv[optind + 1],
				"realm", realm),
			view_object);
	if (strcmp(what, "allocation") == 0 && !realm)
		return ctl_print(ctl,
			json_pack("{s:s,s:s}", "verb", "kick", "id", argv[optind + 1]),
			view_object);
	return ctl_usage("kick", "user NAME or allocation ID is needed");
}
