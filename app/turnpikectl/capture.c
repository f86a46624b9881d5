// capture: a pcapng file of what the relay takes and gives.
#include "ctl.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES 65536
#define EXIT_OUTPUT 74 // EX_IOERR

enum {
	OPTION_USER = 256,
	OPTION_ALLOCATION,
	OPTION_PEER,
	OPTION_FILTER,
	OPTION_SNAP,
	OPTION_PACKETS,
	OPTION_SECONDS
};

static const struct option options[] = {
	{"user", required_argument, NULL, OPTION_USER},
	{"allocation", required_argument, NULL, OPTION_ALLOCATION},
	{"peer", required_argument, NULL, OPTION_PEER},
	{"filter", required_argument, NULL, OPTION_FILTER},
	{"snap", required_argument, NULL, OPTION_SNAP},
	{"packets", required_argument, NULL, OPTION_PACKETS},
	{"seconds", required_argument, NULL, OPTION_SECONDS},
	{"write", required_argument, NULL, 'w'},
	{0},
};

static const char *key_of(int option)
{
	return option == OPTION_ALLOCATION ? "id" : options[option - OPTION_USER].name;
}

// Returns the request, or NULL where the usage is wrong.
static json_t *take_options(const char **path, int argc, char **argv)
{
	json_t *request = json_pack("{s:s}", "verb", "capture");
	int n_whom = 0;
	int option;

	while ((option = getopt_long(argc, argv, "w:", options, NULL)) != -1) {
		char *end = NULL;
		long number = 0;

		if (option == 'w') {
			*path = optarg;
			continue;
		}
		if (option >= OPTION_SNAP)
			number = strtol(optarg, &end, 10);
		if (option == '?' || (end && (end == optarg || *end || number < 1))) {
			json_decref(request);
			return NULL;
		}
		n_whom += option <= OPTION_FILTER;
		json_object_set_new(
			request, key_of(option), end ? json_integer(number) : json_string(optarg));
	}
	if (optind == argc && n_whom <= 1 && *path)
		return request;
	json_decref(request);
	return NULL;
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

int verb_capture(struct ctl *ctl, int argc, char **argv)
{
	const char *path = NULL;
	json_t *request = take_options(&path, argc, argv);
	FILE *out;
	int status;

	if (!request)
		return ctl_usage("capture", "-w FILE and one of the filters at most are needed");
	if (strcmp(path, "-") == 0 && isatty(STDOUT_FILENO)) {
		json_decref(request);
		return ctl_usage("capture", "-w - needs a pipe or a file behind it");
	}
	status = ctl_ask_stream(ctl, request);
	if (status != EXIT_OK)
		return status;
	out = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
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
