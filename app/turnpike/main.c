// turnpike, the daemon: options, configuration, and the order in which everything starts and ends.
#include "box.h"
#include "conf/conf.h"
#include "eal.h"
#include "exit.h"
#include "run.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/turnpike/turnpike.yaml"

static const char help[] =
	"turnpike: a TURN relay whose media never enters the kernel\n"
	"\n"
	"usage: turnpike [-c FILE] [--check-config] [-- EAL-OPTIONS]\n"
	"\n"
	"  -c, --config FILE   configuration; default " DEFAULT_CONFIG "\n"
	"      --check-config  judge the configuration and end: 0 if it can be used, 78 if not\n"
	"      --version       print the version and end\n"
	"      --help          print this and end\n"
	"\n"
	"What follows -- goes to DPDK's EAL as it is, after turnpike's own choices.\n"
	"SIGTERM and SIGINT end it and leave nothing behind; SIGHUP reads the configuration "
	"again.\n"
	"\n"
	"exit status: 0 ended as asked, 64 usage, 69 a device cannot be used, 70 a fault of ours,\n"
	"71 memory or another resource of the system is missing, 77 no permission, 78 "
	"configuration\n";

struct options {
	const char *config_path;
	bool check_only;
	char **eal_arguments;
	int n_eal_arguments;
};

enum { OPTION_CHECK = 256, OPTION_VERSION, OPTION_HELP };

// Returns -1 to go on, or the exit status.
static int parse_options(struct options *out, int argc, char **argv)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check-config", no_argument, NULL, OPTION_CHECK},
		{"version", no_argument, NULL, OPTION_VERSION},
		{"help", no_argument, NULL, OPTION_HELP},
		{0},
	};
	int option;

	*out = (struct options){.config_path = DEFAULT_CONFIG};
	while ((option = getopt_long(argc, argv, "+c:", long_options, NULL)) != -1) {
		switch (option) {
		case 'c':
			out->config_path = optarg;
			break;
		case OPTION_CHECK:
			out->check_only = true;
			break;
		case OPTION_VERSION:
			puts("turnpike " TURNPIKE_VERSION);
			return EXIT_OK;
		case OPTION_HELP:
			fputs(help, stdout);
			return EXIT_OK;
		default:
			fputs("turnpike: see --help\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc && strcmp(argv[optind - 1], "--")) {
		fprintf(stderr, "turnpike: unexpected argument: %s; see --help\n", argv[optind]);
		return EXIT_USAGE;
	}
	out->eal_arguments = argv + optind;
	out->n_eal_arguments = argc - optind;
	return -1;
}

// Why it does not start, in the form of the log: as an error for the journal, as an object of JSON.
static void complain(char *error)
{
	for (char *at = error; (at = strchr(at, '"')) != NULL;)
		*at = '\'';
	log_event(LOG_ERROR, "start.failed", "reason=\"%s\"", error);
}

static int relay(struct conf *conf, const struct options *options)
{
	struct box box = {.conf = conf, .conf_path = options->config_path};
	char error[BOX_ERROR_BYTES];
	int status;

	log_open(&conf->log);
	status = privileges_find(&box.privileges, conf->user, conf->group, error);
	status = status ? status : privileges_seal(error);
	if (status) {
		complain(error);
		conf_destroy(conf);
		return exit_status_of(status);
	}
	status = box_open(&box, options->eal_arguments, options->n_eal_arguments, error);
	if (status)
		complain(error);
	else
		status = run(&box);
	box_close(&box);
	return status;
}

// What is opened must not take the place of a standard stream that is closed, nor what reads one,
// or any socket of ours, end us when it goes: what write() says is enough.
static void hold_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	char error[CONF_ERROR_BYTES];
	struct options options;
	struct conf *conf;
	int status = parse_options(&options, argc, argv);

	if (status >= 0)
		return status;
	hold_streams();
	signal(SIGHUP, SIG_IGN); // but while there is a loop, which takes it for a reload
	if (conf_load(&conf, options.config_path, error)) {
		if (options.check_only)
			fprintf(stderr, "turnpike: %s\n", error);
		else
			complain(error);
		return EXIT_CONFIG;
	}
	if (!options.check_only)
		return relay(conf, &options);
	printf("%s: can be used\n", options.config_path);
	conf_destroy(conf);
	return EXIT_OK;
}
