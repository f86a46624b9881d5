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

static bool take_number(json_t *request, const char *key, const char *text)
{
	long number;

	return ctl_take_number(&number, text, LONG_MAX) &&
		json_object_set_new(request, key, json_integer(number)) == 0;
}

static bool take_options(struct wish *wish, int argc, char **argv)
{
	int option;
	int i;

	while ((option = getopt_long(argc, argv, "w:", options, &i)) != -1) {
		if (option == '?')
			return false;
		if (option == 'w') {
			wish->path = optarg;
		} else if (option < OPTION_SNAP) {
			if (wish->filter.by != FILTER_NONE)
				return false;
			wish->filter = (struct filter){(enum filter_kind)option, optarg};
		} else if (!take_number(wish->request, options[i].name, optarg)) {
			return false;
		}
	}
	return optind == argc && wish->path;
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
	status = copy(ctl, out, path);
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
	int status;

	if (!take_options(&wish, argc, argv))
		status = ctl_usage(
			"capture", "-w FILE is needed, one filter at most, and numbers from 1");
	else if (strcmp(wish.path, "-") == 0 && isatty(STDOUT_FILENO))
		status = ctl_usage("capture", "-w - needs a pipe or a file behind it");
	else
		status = filter_compile(ctl, &wish.filter, &program);
	if (status != EXIT_OK) {
		json_decref(wish.request);
		return status;
	}
	json_object_set_new(wish.request, "program", program);
	status = ctl_ask_stream(ctl, wish.request);
	return status == EXIT_OK ? write_file(ctl, wish.path) : status;
}
