// turnpikectl: sees and steers a running turnpike.
#include "ctl.h"

#include "base/base.h"
#include "conf/conf.h"

#include <getopt.h>
#include <string.h>
#include <unistr.h>

#define DEFAULT_CONFIG "/etc/turnpike/turnpike.yaml"

static const struct verb verbs[] = {
	{"status", "", "what the relay is and does, in one look", NULL, verb_status},
	{"show",
		"workers|ports|routes|peers|realms|config|allocations|users [filters] | allocation "
		"ID",
		"all there is of each",
		"  --user NAME       allocations and users: of that user; of a REST user also "
		"what\n"
		"                    stands behind the expiry\n"
		"  --realm R         the same: of that realm\n"
		"  --client ADDRESS  the same: of that client, with or without its port\n",
		verb_show},
	{"capture", "-w FILE [--user NAME | --allocation ID | --peer ADDRESS | --filter WORDS]",
		"frames as they come and go, as a pcapng file; a signal ends it in order",
		"  -w, --write FILE  the file, or - for a pipe to Wireshark\n"
		"  --user NAME       both legs of the allocations that user has now\n"
		"  --allocation ID   both legs of that one\n"
		"  --peer ADDRESS    what comes from and goes to it, with or without a port\n"
		"  --filter WORDS    a filter as tcpdump takes it\n"
		"  --snap N          bytes of each frame: 14..9216, default 128\n"
		"  --packets N       end after so many\n"
		"  --seconds N       end after so long: 1..86400\n",
		verb_capture},
	{"trace", "ADDRESS [--follow]",
		"what was dropped, refused and granted of late for that address, newest last",
		"  ADDRESS       of a client or a peer, with or without a port: 203.0.113.7,\n"
		"                203.0.113.7:4000, 2001:db8::7, [2001:db8::7]:4000\n"
		"  -f, --follow  go on with what comes, until a signal\n",
		verb_trace},
	{"kick", "user NAME [--realm R] | allocation ID",
		"end allocations now; their user may come again",
		"  --realm R  of that realm only\n", verb_kick},
	{"top", "[--interval S] [--rounds N]", "the same, live, as rates, and who is busiest",
		"  --interval S  seconds between two looks: 1..60, default 1\n"
		"  --rounds N    end after so many; without a terminal default 1\n",
		verb_top},
	{"drain", "on|off|status [--answer CODE] [--deadline S] [--exit] [--wait]",
		"let no new allocations in, so that the relay empties",
		"  --answer CODE  to new allocations: 300 (try an alternate server), 486 (quota) "
		"or\n"
		"                 508 (no capacity); default 300 where limits.alternate-servers "
		"are\n"
		"                 configured, else 508\n"
		"  --deadline S   seconds until it is over, whatever is left: 1..604800\n"
		"  --exit         then the daemon ends; also as soon as it is empty\n"
		"  --wait         show the progress until it is empty or over; with --exit,\n"
		"                 until the daemon has ended\n",
		verb_drain},
	{"reload", "", "read the configuration again: all of it comes into force, or nothing", NULL,
		verb_reload},
	{"log", "level [error|warning|info|debug]",
		"how much the daemon writes, until it ends or the file has another on a reload",
		NULL, verb_log},
	{"doctor", "[--root DIR]",
		"is the machine fit for the configuration, and the daemon well? Exit status 1 for\n"
		"      warnings, 2 for errors",
		"  --root DIR  look at the /proc and /sys below it\n", verb_doctor},
	{"credential", "[--realm R] [--user NAME] [--lifetime S]",
		"a short-lived user by a REST secret of the configuration, with its turn: URIs",
		"  --realm R     of which realm; default: the first\n"
		"  --user NAME   what stands behind the expiry; default: none\n"
		"  --lifetime S  seconds: 1..31536000, default 86400\n",
		verb_credential},
	{"key", "USER REALM", "the keys of a password, which is read from standard input", NULL,
		verb_key},
};

static void print_help(void)
{
	puts("turnpikectl: see and steer a running turnpike\n"
	     "\n"
	     "usage: turnpikectl [-s SOCKET] [-c FILE] [--json] VERB [ARGUMENTS]\n"
	     "\n"
	     "  -s, --socket PATH   of the daemon; default: " CONF_ADMIN_SOCKET "\n"
	     "  -c, --config FILE   what is read from the configuration; default\n"
	     "                      " DEFAULT_CONFIG "\n"
	     "      --json          lines of JSON instead of text; also behind a verb\n"
	     "      --version       print the version and end\n"
	     "      --help          print this and end; behind a verb, its options\n"
	     "\n"
	     "verbs:");
	for (size_t i = 0; i < N_ELEMENTS(verbs); i++)
		printf("  %s%s%s\n      %s\n", verbs[i].name, *verbs[i].arguments ? " " : "",
			verbs[i].arguments, verbs[i].text);
	puts("\n"
	     "exit status: 0 done, 64 usage, 69 no daemon answers or there is no such allocation "
	     "or\n"
	     "user, 71 the daemon lacks memory or is busy with the same, 74 what is written to is\n"
	     "full or gone, 77 no permission, 78 the configuration does not allow it");
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

// What is sent, compared and shown is text.
static bool is_utf8(const char *argument)
{
	const uint8_t *bytes = (const uint8_t *)argument;
	const size_t n = strlen(argument);
	char escaped[256];

	if (!u8_check(bytes, n))
		return true;
	fprintf(stderr, "turnpikectl: %s is not text in UTF-8; see turnpikectl --help\n",
		log_escape(escaped, sizeof(escaped), bytes, n));
	return false;
}

// What each verb takes. Returns how many arguments are left for it, or -1 where the end is told in
// `status`.
static int take_common(struct ctl *ctl, const struct verb *verb, int argc, char **argv, int *status)
{
	int n = 1;

	*status = EXIT_OK;
	for (int i = 1; i < argc; i++) {
		if (!is_utf8(argv[i])) {
			*status = EXIT_USAGE;
			return -1;
		}
		if (strcmp(argv[i], "--help") == 0) {
			printf("turnpikectl %s%s%s\n\n%s\n", verb->name,
				*verb->arguments ? " " : "", verb->arguments, verb->text);
			if (verb->help)
				printf("\n%s", verb->help);
			return -1;
		}
		if (strcmp(argv[i], "--json") == 0)
			ctl->json = true;
		else
			argv[n++] = argv[i];
	}
	argv[n] = NULL;
	return n;
}

static int run_verb(struct ctl *ctl, int argc, char **argv)
{
	static char program[] = "turnpikectl";
	const struct verb *verb = find_verb(argv[0]);
	int status;

	if (!verb) {
		fprintf(stderr, "turnpikectl: %s: no such verb; see turnpikectl --help\n", argv[0]);
		return EXIT_USAGE;
	}
	argc = take_common(ctl, verb, argc, argv, &status);
	if (argc < 0)
		return status;
	argv[0] = program; // for what getopt says
	optind = 0; // glibc: begin anew, options behind words too
	status = verb->run(ctl, argc, argv);
	ctl_close(ctl);
	if (status == EXIT_OK && (fflush(stdout) || ferror(stdout))) {
		fputs("turnpikectl: standard output is full or gone\n", stderr);
		return EXIT_OUTPUT;
	}
	return status;
}

enum { OPTION_JSON = 256, OPTION_VERSION, OPTION_HELP };

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'},
		{"config", required_argument, NULL, 'c'},
		{"json", no_argument, NULL, OPTION_JSON},
		{"version", no_argument, NULL, OPTION_VERSION},
		{"help", no_argument, NULL, OPTION_HELP},
		{0},
	};
	struct ctl ctl = {
		.socket_path = CONF_ADMIN_SOCKET,
		.config_path = DEFAULT_CONFIG,
		.fd = -1,
	};
	int option;

	while ((option = getopt_long(argc, argv, "+s:c:", options, NULL)) != -1) {
		switch (option) {
		case 's':
			ctl.socket_path = optarg;
			break;
		case 'c':
			ctl.config_path = optarg;
			break;
		case OPTION_JSON:
			ctl.json = true;
			break;
		case OPTION_VERSION:
			puts("turnpikectl " TURNPIKE_VERSION);
			return EXIT_OK;
		case OPTION_HELP:
			print_help();
			return EXIT_OK;
		default:
			fputs("turnpikectl: see --help\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc) {
		fputs("turnpikectl: a verb is needed; see --help\n", stderr);
		return EXIT_USAGE;
	}
	return run_verb(&ctl, argc - optind, argv + optind);
}
