// turnpike-import-coturn: coturn's configuration in, turnpike's out, and what is not alike named.
#include "conf/conf.h"
#include "must.h"
#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_INPUT "/etc/turnserver.conf"
#define OUTPUT_MODE 0600 // it has secrets

static const char help[] =
	"turnpike-import-coturn: turn coturn's configuration into turnpike's\n"
	"\n"
	"usage: turnpike-import-coturn [options] [FILE] [-- TURNSERVER-OPTIONS]\n"
	"\n"
	"FILE is a turnserver.conf; default " DEFAULT_INPUT ". What follows -- is read as\n"
	"turnserver reads its command line, after the file; its -n is: no file.\n"
	"\n"
	"  -o, --output FILE        write there, a new file; default standard output\n"
	"  -d, --device KIND:TARGET turnpike's port; default af_packet on the interface that has\n"
	"                           the address\n"
	"  -a, --address ADDRESS/N  an address of the port with the length of its network; "
	"repeat;\n"
	"                           default the addresses of this machine\n"
	"  -g, --gateway ADDRESS    the default route, once of IPv4 and once of IPv6\n"
	"      --version            print the version and end\n"
	"      --help               print this and end\n"
	"\n"
	"What is not the same as before is named on standard error, and with what is needless "
	"here\n"
	"in comments of the result: lost (turnpike cannot do it), differs, check (it was "
	"assumed).\n"
	"\n"
	"exit status: 0 all is there, 1 written and something is named, 64 usage, 65 no\n"
	"configuration can be made of it, 66 no input, 71 memory, 73 no output\n";

struct options {
	const char *output; // NULL: standard output
	const char *input; // NULL: as turnserver's options say, or the default
	char **turnserver; // turnserver[0] stands for the program
	int n_turnserver;
};

enum { OPTION_VERSION = 256, OPTION_HELP };

static int refuse(const char *what, const char *text)
{
	fprintf(stderr, "turnpike-import-coturn: %s: %s; see --help\n", what, text);
	return EXIT_USAGE;
}

static int take_address(struct plan *plan, const char *text)
{
	if (plan->n_own == ADDRESSES_MAX)
		return refuse("more addresses than can be", text);
	if (!strchr(text, '/') || prefix_parse(&plan->own[plan->n_own], text) < 0)
		return refuse("not an ADDRESS/N", text);
	plan->n_own++;
	return -1;
}

static int take_gateway(struct plan *plan, const char *text)
{
	if (plan->n_gateways == GATEWAYS_MAX)
		return refuse("more gateways than can be", text);
	if (ip_parse(&plan->gateways[plan->n_gateways], text) < 0)
		return refuse("not an address", text);
	plan->n_gateways++;
	return -1;
}

// Returns -1 to go on, or the exit status.
static int take_option(struct options *options, struct plan *plan, int option)
{
	switch (option) {
	case 'o':
		options->output = optarg;
		return -1;
	case 'd':
		if (strlen(optarg) >= DEVICE_BYTES || !strchr(optarg, ':'))
			return refuse("not a KIND:TARGET", optarg);
		plan->device = optarg;
		return -1;
	case 'a':
		return take_address(plan, optarg);
	case 'g':
		return take_gateway(plan, optarg);
	case OPTION_VERSION:
		puts("turnpike-import-coturn " TURNPIKE_VERSION);
		return EXIT_ALL;
	case OPTION_HELP:
		fputs(help, stdout);
		return EXIT_ALL;
	default:
		fputs("turnpike-import-coturn: see --help\n", stderr);
		return EXIT_USAGE;
	}
}

static int parse_options(struct options *options, struct plan *plan, int argc, char **argv)
{
	static const struct option long_options[] = {
		{"output", required_argument, NULL, 'o'},
		{"device", required_argument, NULL, 'd'},
		{"address", required_argument, NULL, 'a'},
		{"gateway", required_argument, NULL, 'g'},
		{"version", no_argument, NULL, OPTION_VERSION},
		{"help", no_argument, NULL, OPTION_HELP},
		{0},
	};
	int n = 1;
	int option;

	while (n < argc && strcmp(argv[n], "--") != 0)
		n++;
	options->turnserver = argv + n;
	options->n_turnserver = argc - n;
	while ((option = getopt_long(n, argv, "o:d:a:g:", long_options, NULL)) != -1) {
		const int status = take_option(options, plan, option);

		if (status >= 0)
			return status;
	}
	if (optind < n)
		options->input = argv[optind++];
	return optind < n ? refuse("more than one file", argv[optind]) : -1;
}

static int read_settings(struct settings *settings, struct plan *plan,
	const struct options *options, const char **from)
{
	struct settings arguments = {0};
	const char *path = DEFAULT_INPUT;
	int rc;

	if (options->n_turnserver > 0 &&
		settings_read_arguments(
			&arguments, options->n_turnserver, options->turnserver, &path) < 0) {
		settings_free(&arguments);
		return EXIT_USAGE;
	}
	if (options->input)
		path = options->input;
	*from = path ? path : "turnserver's command line";
	rc = path ? settings_read_file(settings, &plan->notes, path) : 0;
	if (rc < 0)
		fprintf(stderr, "turnpike-import-coturn: %s: %s\n", path, strerror(-rc));
	settings_join(settings, &arguments);
	return rc < 0 ? EXIT_INPUT : -1;
}

static int write_output(const char *path, const char *text, size_t n_bytes)
{
	int fd = STDOUT_FILENO;
	bool is_written;
	FILE *out;

	if (path)
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, OUTPUT_MODE);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	is_written = out && fwrite(text, 1, n_bytes, out) == n_bytes;
	if (out && fclose(out) != 0)
		is_written = false;
	if (is_written)
		return -1;
	fprintf(stderr, "turnpike-import-coturn: %s: %s\n", path ? path : "standard output",
		strerror(errno));
	if (path && fd >= 0)
		unlink(path); // ours, and half of a configuration is none
	return EXIT_OUTPUT;
}

// What turnpike would refuse is not given to anybody.
static int deliver(const struct plan *plan, const struct options *options, const char *from)
{
	char error[CONF_ERROR_BYTES];
	struct conf *conf;
	char *text;
	size_t n_bytes;
	FILE *memory = must(open_memstream(&text, &n_bytes));
	int status;

	plan_write(plan, from, memory);
	if (fclose(memory) != 0)
		must(NULL);
	notes_print(&plan->notes, stderr);
	if (conf_load_bytes(&conf, "result", (const uint8_t *)text, n_bytes, error) < 0) {
		fprintf(stderr,
			"turnpike-import-coturn: turnpike would not take the result, so nothing is "
			"written: %s\n",
			error);
		free(text);
		return EXIT_DATA;
	}
	conf_destroy(conf);
	status = write_output(options->output, text, n_bytes);
	free(text);
	if (status >= 0)
		return status;
	return notes_count_serious(&plan->notes) ? EXIT_SOME : EXIT_ALL;
}

int main(int argc, char **argv)
{
	struct plan *plan = must(calloc(1, sizeof(*plan)));
	struct settings settings = {0};
	struct options options = {0};
	const char *from = NULL;
	int status = parse_options(&options, plan, argc, argv);

	if (status < 0)
		status = read_settings(&settings, plan, &options, &from);
	if (status < 0) {
		plan_take(plan, &settings);
		status = plan_complete(plan) < 0 ? EXIT_DATA : deliver(plan, &options, from);
	}
	plan_free(plan);
	settings_free(&settings);
	free(plan);
	return status;
}
