// capture: a pcapng file of what the relay takes and gives.
#include "ctl.h"
#include "filter.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES 65536

enum { OPTION_SNAP = 256, OPTION_PACKETS, OPTION_SECONDS };

static const struct option options[] = {
	{"user", required_argument, NULL, FILTER_USER},
	{"allocation", required_argument, NULL, FILTER_ALLOCATION},
	{"peer", required_argument, NULL, FILTER_PEER},
	{"filter", required_argument, NULL, FILTER_WORDS},
	{"snap", required_argument, NULL, OPTION_SNAP},
	{"packets", required_argument, NULL, OPTION_PACKETS},
	{"seconds", required_argument, NULL, OPTION_SECONDS},
	{"write", required_argument, NULL, 'w'},
	{0},
};

struct wish {
	const char *path;
	struct filter filter;
	json_t *request;
};

// The daemon knows how large it may be.
static int take_number(json_t *request, const char *key, const char *text)
{
	long number;

	if (!ctl_take_number(&number, text, LONG_MAX))
		return ctl_usage("capture", "--%s %s; allowed: a number from 1", key, text);
	json_object_set_new(request, key, json_integer(number));
	return EXIT_OK;
}

static int take_options(struct wish *wish, int argc, char **argv)
{
	int status = EXIT_OK;
	int option;
	int i;

	while (status == EXIT_OK && (option = getopt_long(argc, argv, "w:", options, &i)) != -1) {
		if (option == '?')
			return ctl_bad_option("capture");
		if (option == 'w')
			wish->path = optarg;
		else if (option >= OPTION_SNAP)
			status = take_number(wish->request, options[i].name, optarg);
		else if (wish->filter.by != FILTER_NONE)
			return ctl_usage("capture",
				"one of --user, --allocation, --peer and --filter at most");
		else
			wish->filter = (struct filter){(enum filter_kind)option, optarg};
	}
	if (status != EXIT_OK)
		return status;
	if (optind != argc)
		return ctl_usage("capture", "%s: one word too many", argv[optind]);
	if (!wish->path)
		return ctl_usage("capture", "-w FILE is needed");
	if (strcmp(wish->path, "-") == 0 && isatty(STDOUT_FILENO))
		return ctl_usage("capture", "-w - needs a pipe or a file behind it");
	return EXIT_OK;
}

static volatile sig_atomic_t is_over;

static void on_interrupt(int signal_number)
{
	(void)signal_number;
	is_over = 1;
}

// A signal ends it in order: what has come is written.
static int copy(struct ctl *ctl, FILE *out, const char *path)
{
	const struct sigaction action = {.sa_handler = on_interrupt}; // without SA_RESTART
	static char bytes[CHUNK_BYTES];

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	while (!is_over) {
		// What is there, not a whole chunk: Wireshark wants to see it now.
		const ssize_t n = ctl_read(ctl, bytes, sizeof(bytes));

		if (n <= 0)
			break;
		if (fwrite(bytes, 1, (size_t)n, out) != (size_t)n || fflush(out)) {
			fprintf(stderr, "turnpikectl: %s: %s\n", path, strerror(errno));
			return EXIT_OUTPUT;
		}
	}
	return EXIT_OK;
}

// What the daemon sends, into the file.
static int write_file(struct ctl *ctl, const char *path)
{
	FILE *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
	int status;

	if (!out) {
		fprintf(stderr, "turnpikectl: %s: %s\n", path, strerror(errno));
		return EXIT_OUTPUT;
	}
	status = copy(ctl, out, out == stdout ? "standard output" : path);
	if (out != stdout && fclose(out) && status == EXIT_OK) {
		fprintf(stderr, "turnpikectl: %s: %s\n", path, strerror(errno));
		status = EXIT_OUTPUT;
	}
	return status;
}

int verb_capture(struct ctl *ctl, int argc, char **argv)
{
	struct wish wish = {.request = json_pack("{s:s}", "verb", "capture")};
	json_t *program = NULL;
	int status = take_options(&wish, argc, argv);

	if (status == EXIT_OK)
		status = filter_compile(ctl, &wish.filter, &program);
	if (status != EXIT_OK) {
		json_decref(wish.request);
		return status;
	}
	json_object_set_new(wish.request, "program", program);
	status = ctl_ask_stream(ctl, wish.request);
	return status == EXIT_OK ? write_file(ctl, wish.path) : status;
}
