// top: two looks at all counters, and what lies between them, as rates.
#include "ctl.h"
#include "talkers.h"
#include "view.h"

#include "base/base.h"

#include <curses.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// After curses, whose macros are many.
#define BITS 8
#define NS_PER_S 1e9
#define TALKERS_SHOWN 10

struct look {
	double at_s;
	json_t *status;
	json_t *workers;
	json_t *ports;
	json_t *talkers;
	json_t *rates; // of those that were in the last look too
};

static void look_free(struct look *look)
{
	json_decref(look->status);
	json_decref(look->workers);
	json_decref(look->ports);
	json_decref(look->talkers);
	json_decref(look->rates);
	*look = (struct look){0};
}

// `before` is zero at first.
static int look_take(struct ctl *ctl, const struct look *before, struct look *out)
{
	struct timespec now;
	int status;

	*out = (struct look){0};
	out->status = ctl_ask(ctl, json_pack("{s:s}", "verb", "status"), &status);
	if (out->status)
		out->workers = ctl_ask(ctl, json_pack("{s:s}", "verb", "workers"), &status);
	if (out->workers)
		out->ports = ctl_ask(ctl, json_pack("{s:s}", "verb", "ports"), &status);
	clock_gettime(CLOCK_MONOTONIC, &now);
	out->at_s = (double)now.tv_sec + (double)now.tv_nsec / NS_PER_S;
	if (out->ports)
		out->talkers =
			ctl_ask(ctl, talkers_request(before->talkers, before->rates), &status);
	if (out->talkers)
		out->rates = talkers_rates(before->talkers, out->talkers);
	else
		look_free(out);
	return status;
}

static double count(const json_t *object, const char *path)
{
	return (double)json_integer_value(view_member(object, path));
}

// Of one counter, in a second.
static double rate(const json_t *before, const json_t *after, const char *path, double seconds)
{
	return (count(after, path) - count(before, path)) / seconds;
}

// Of both framings of a direction together.
static double rate_of(
	const json_t *before, const json_t *after, const char *const paths[2], double seconds)
{
	return rate(before, after, paths[0], seconds) + rate(before, after, paths[1], seconds);
}

static const char *const up[] = {"relayed.up_channel", "relayed.up_send"};
static const char *const down[] = {"relayed.down_channel", "relayed.down_data"};
static const char *const up_bytes[] = {"relayed_bytes.up_channel", "relayed_bytes.up_send"};
static const char *const down_bytes[] = {"relayed_bytes.down_channel", "relayed_bytes.down_data"};

static double busy_percent(const json_t *before, const json_t *after, double seconds)
{
	return 100 * rate(before, after, "busy_ticks", seconds) / count(after, "ticks_per_s");
}

static double drops_of(const json_t *worker)
{
	const char *name;
	json_t *value;
	double sum = 0;

	json_object_foreach(json_object_get(worker, "drops"), name, value)
	{
		sum += (double)json_integer_value(value);
	}
	return sum;
}

static json_t *worker_row(const json_t *before, const json_t *after, double seconds)
{
	return json_pack("{s:O,s:O,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f}", "worker",
		json_object_get(after, "worker"), "cpu", json_object_get(after, "cpu"), "busy",
		busy_percent(before, after, seconds), "up", rate_of(before, after, up, seconds),
		"up_bits", BITS * rate_of(before, after, up_bytes, seconds), "down",
		rate_of(before, after, down, seconds), "down_bits",
		BITS * rate_of(before, after, down_bytes, seconds), "bindings",
		rate(before, after, "bindings", seconds), "requests",
		rate(before, after, "punted", seconds), "drops",
		(drops_of(after) - drops_of(before)) / seconds);
}

static json_t *port_row(const json_t *before, const json_t *after, double seconds)
{
	return json_pack("{s:O,s:O,s:f,s:f,s:f,s:f,s:f}", "port", json_object_get(after, "port"),
		"link", json_object_get(after, "link"), "rx",
		rate(before, after, "rx_packets", seconds), "rx_bits",
		BITS * rate(before, after, "rx_bytes", seconds), "tx",
		rate(before, after, "tx_packets", seconds), "tx_bits",
		BITS * rate(before, after, "tx_bytes", seconds), "missed",
		rate(before, after, "rx_missed", seconds));
}

static json_t *rows_of(const json_t *before, const json_t *after, double seconds,
	json_t *(*row)(const json_t *before, const json_t *after, double seconds))
{
	json_t *rows = json_array();
	json_t *value;
	size_t i;

	json_array_foreach((json_t *)after, i, value)
		json_array_append_new(rows, row(json_array_get(before, i), value, seconds));
	return rows;
}

// {name: drops a second of all workers}, those that drop at all.
static json_t *drop_rates(const struct look *before, const struct look *after, double seconds)
{
	json_t *rates = json_object();
	json_t *worker;
	size_t i;

	json_array_foreach(after->workers, i, worker)
	{
		const json_t *was = json_object_get(json_array_get(before->workers, i), "drops");
		const char *name;
		json_t *value;

		json_object_foreach(json_object_get(worker, "drops"), name, value)
		{
			const double n = (double)json_integer_value(value) - count(was, name);

			if (n > 0)
				json_object_set_new(rates, name,
					json_real(n / seconds +
						json_real_value(json_object_get(rates, name))));
		}
	}
	return rates;
}

// In 80 columns.
static const struct column worker_columns[] = {
	{"worker", "WORKER"},
	{"cpu", "CPU"},
	{"busy", "BUSY%"},
	{"up", "UP pkt/s"},
	{"up_bits", "bit/s"},
	{"down", "DOWN pkt/s"},
	{"down_bits", "bit/s"},
	{"bindings", "BIND/s"},
	{"requests", "REQ/s"},
	{"drops", "DROPS/s"},
};

static const struct column port_columns[] = {
	{"port", "PORT"},
	{"link", "LINK"},
	{"rx", "RX pkt/s"},
	{"rx_bits", "bit/s"},
	{"tx", "TX pkt/s"},
	{"tx_bits", "bit/s"},
	{"missed", "MISSED/s"},
};

static const struct column talker_columns[] = {
	{"user", "USER"},
	{"relayed", "RELAYED"},
	{"up", "UP pkt/s"},
	{"up_bits", "bit/s"},
	{"down", "DOWN pkt/s"},
	{"down_bits", "bit/s"},
};

// Those who talk at all.
static json_t *busiest(const struct look *look)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < TALKERS_SHOWN; i++) {
		json_t *row = json_array_get(look->rates, i);

		if (talkers_packets(row) > 0)
			json_array_append(rows, row);
	}
	return rows;
}

static void render_head(
	FILE *out, const struct look *before, const struct look *after, double seconds)
{
	const json_t *status = json_array_get(after->status, 0);
	char text[16];
	char bad[256] = "";
	const char *name;
	json_t *sign;

	json_object_foreach(json_object_get(status, "health"), name, sign)
	{
		const size_t n = strlen(bad);

		if (strcmp(json_string_value(sign), "good") != 0)
			snprintf(bad + n, sizeof(bad) - n, "  %s: %s", name,
				json_string_value(sign));
	}
	fprintf(out, "turnpike %s  %s  up %.0f s  %s%s\n",
		json_string_value(json_object_get(status, "version")),
		json_string_value(json_object_get(status, "state")), count(status, "uptime_s"),
		bad[0] ? "UNHEALTHY" : "healthy", bad);
	fprintf(out,
		"allocations %.0f (%s/s)  channels %.0f  permissions %.0f  relay ports free "
		"%.0f\n\n",
		count(status, "turn.allocations"),
		view_scaled(rate(json_array_get(before->status, 0), status,
				    "turn.allocations_created", seconds),
			text),
		count(status, "turn.channels"), count(status, "turn.permissions"),
		count(status, "turn.relay_ports_free"));
}

static void render(FILE *out, const struct look *before, const struct look *after)
{
	const double seconds = after->at_s - before->at_s;
	json_t *workers = rows_of(before->workers, after->workers, seconds, worker_row);
	json_t *ports = rows_of(before->ports, after->ports, seconds, port_row);
	json_t *drops = drop_rates(before, after, seconds);
	json_t *talkers = busiest(after);
	char text[16];
	const char *name;
	json_t *value;

	render_head(out, before, after, seconds);
	view_table(out, workers, worker_columns, N_ELEMENTS(worker_columns));
	fputc('\n', out);
	view_table(out, ports, port_columns, N_ELEMENTS(port_columns));
	if (json_array_size(talkers)) {
		fputc('\n', out);
		view_table(out, talkers, talker_columns, N_ELEMENTS(talker_columns));
	}
	fputs("\ndrops/s:", out);
	json_object_foreach(drops, name, value)
		fprintf(out, "  %s %s", name, view_scaled(json_real_value(value), text));
	fputs(json_object_size(drops) ? "\n" : "  none\n", out);
	json_decref(workers);
	json_decref(ports);
	json_decref(drops);
	json_decref(talkers);
}

static void render_json(const struct look *before, const struct look *after)
{
	const double seconds = after->at_s - before->at_s;

	json_t *all = json_pack("{s:f,s:O,s:o,s:o,s:o,s:o}", "seconds", seconds, "status",
		json_array_get(after->status, 0), "workers",
		rows_of(before->workers, after->workers, seconds, worker_row), "ports",
		rows_of(before->ports, after->ports, seconds, port_row), "drops",
		drop_rates(before, after, seconds), "talkers", busiest(after));

	view_json(all);
	json_decref(all);
}

struct wish {
	long interval_s;
	long n_rounds; // 0: until somebody ends it
	bool on_screen;
};

static void show(const struct ctl *ctl, const struct wish *wish, const struct look *before,
	const struct look *after)
{
	char *text = NULL;
	size_t n_bytes;
	FILE *out;

	if (ctl->json) {
		render_json(before, after);
		return;
	}
	if (!wish->on_screen) {
		render(stdout, before, after);
		fflush(stdout);
		return;
	}
	out = open_memstream(&text, &n_bytes);
	if (!out)
		return;
	render(out, before, after);
	fclose(out);
	erase();
	mvaddstr(0, 0, text);
	addstr("\nq: quit");
	refresh();
	free(text);
}

// Until the next look is due. Returns false where the user has had enough.
static bool rest(const struct wish *wish)
{
	int key;

	if (!wish->on_screen) {
		sleep((unsigned)wish->interval_s);
		return true;
	}
	timeout((int)wish->interval_s * 1000);
	key = getch();
	return key != 'q' && key != 'Q' && key != '\x1b';
}

static int take_options(struct wish *wish, const struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{"interval", required_argument, NULL, 'i'},
		{"rounds", required_argument, NULL, 'n'},
		{0},
	};
	int option;

	*wish = (struct wish){.interval_s = 1};
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'i' && !ctl_take_number(&wish->interval_s, optarg, 60))
			return ctl_usage("top", "--interval %s; allowed: 1..60", optarg);
		if (option == 'n' && !ctl_take_number(&wish->n_rounds, optarg, 1000000))
			return ctl_usage("top", "--rounds %s; allowed: 1..1000000", optarg);
		if (option == '?')
			return ctl_bad_option("top");
	}
	if (optind != argc)
		return ctl_usage("top", "%s: one word too many", argv[optind]);
	wish->on_screen = !ctl->json && isatty(STDOUT_FILENO) && wish->n_rounds == 0;
	if (!wish->on_screen && wish->n_rounds == 0)
		wish->n_rounds = 1;
	return EXIT_OK;
}

static bool open_screen(void)
{
	if (!newterm(NULL, stdout, stdin)) {
		fputs("turnpikectl: what $TERM names is not known here: try TERM=xterm, or "
		      "--rounds 1\n",
			stderr);
		return false;
	}
	cbreak();
	noecho();
	curs_set(0);
	return true;
}

int verb_top(struct ctl *ctl, int argc, char **argv)
{
	struct look before;
	struct look after;
	struct wish wish;
	int status = take_options(&wish, ctl, argc, argv);

	if (status == EXIT_OK)
		status = look_take(ctl, &(struct look){0}, &before);
	if (status != EXIT_OK)
		return status;
	if (wish.on_screen && !open_screen()) {
		look_free(&before);
		return EXIT_USAGE;
	}
	for (long n = 0; (!wish.n_rounds || n < wish.n_rounds) && rest(&wish); n++) {
		status = look_take(ctl, &before, &after);
		if (status != EXIT_OK)
			break;
		show(ctl, &wish, &before, &after);
		look_free(&before);
		before = after;
	}
	if (wish.on_screen) {
		endwin();
		if (status != EXIT_OK) // what was said of it went with the screen
			fputs("turnpikectl: the daemon does not answer any more\n", stderr);
	}
	look_free(&before);
	return status;
}
