// The result as one page of HTML: plots, tables, command line. It loads nothing.
#include "plot.h"
#include "report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

// What is drawn comes from here; one for all plots, one after the other.
struct page {
	FILE *file;
	const struct report *report;
	double x[SERIES_MAX];
	double y[PLOT_LINES_MAX][SERIES_MAX];
};

static const char style[] =
	":root{--ink:#1c2430;--soft:#5d6b7c;--line:#dfe5ec;--paper:#fff;--back:#f4f6f9;"
	"--up:#1f6feb;--down:#d9730d;--mid:#8250df;--good:#1a7f37;--bad:#c1121f;color-scheme:light}"
	"\n"
	"@media screen and (prefers-color-scheme:dark){:root{--ink:#e4e9f0;--soft:#94a1b2;"
	"--line:#2c3643;--paper:#171d26;--back:#0f141b;--up:#58a6ff;--down:#f0994a;"
	"--mid:#b392f0;--good:#4ac26b;--bad:#ff6b6b;color-scheme:dark}}\n"
	"*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--ink);"
	"font:15px/1.5 system-ui,'Segoe UI',Roboto,'Liberation Sans',sans-serif}\n"
	"main{max-width:1140px;margin:auto;padding:28px 20px 40px}h1{font-size:26px;margin:0}"
	"h2{font-size:17px;margin:28px 0 10px}.sub{color:var(--soft);margin:2px 0 18px}\n"
	".verdict{border-left:5px solid var(--good);background:var(--paper);padding:10px 16px;"
	"border-radius:6px}.verdict.bad{border-color:var(--bad)}.verdict b{color:var(--good)}"
	".verdict.bad b{color:var(--bad)}\n"
	".tiles,.plots{display:grid;gap:14px;margin-top:14px;"
	"grid-template-columns:repeat(auto-fit,minmax(150px,1fr))}"
	".plots{grid-template-columns:repeat(2,minmax(0,1fr))}\n"
	".tile,figure,.scroll{background:var(--paper);border:1px solid var(--line);"
	"border-radius:8px;margin:0;padding:12px 14px}.tile b{display:block;font-size:24px;"
	"line-height:1.25;font-variant-numeric:tabular-nums}.tile span,.unit{color:var(--soft);"
	"font-size:13px}\n"
	"figcaption{display:flex;flex-wrap:wrap;gap:2px 8px;align-items:baseline}"
	".legend{margin-left:auto;font-size:13px}.key{margin-left:12px;white-space:nowrap}"
	".key::before{content:'';display:inline-block;width:14px;margin-right:5px;"
	"vertical-align:middle;border-top:2.5px solid var(--c)}.key.dash::before"
	"{border-top-style:dashed}\n"
	"svg{display:block;width:100%;height:auto;margin-top:6px}svg text{font-size:12px;"
	"fill:var(--soft);text-anchor:middle}svg text.y{text-anchor:end}"
	".grid{stroke:var(--line);fill:none}.line{stroke:var(--c);fill:none;stroke-width:2;"
	"stroke-linejoin:round;stroke-linecap:round}.line.dash{stroke-dasharray:5 5}"
	".dot{fill:var(--c)}\n"
	".up{--c:var(--up)}.down{--c:var(--down)}.mid{--c:var(--mid)}.bound{--c:var(--bad)}\n"
	".scroll{overflow-x:auto;padding:4px 14px}table{border-collapse:collapse;width:100%;"
	"font-variant-numeric:tabular-nums}th,td{padding:6px 0 6px 18px;text-align:right;"
	"white-space:nowrap}th{color:var(--soft);font-weight:500;font-size:13px}"
	"th:first-child,td:first-child{text-align:left;padding-left:0}"
	"tr+tr td{border-top:1px solid var(--line)}\n"
	"code{display:block;background:var(--paper);border:1px solid var(--line);"
	"border-radius:8px;padding:10px 14px;font:13px/1.5 ui-monospace,'Liberation Mono',"
	"monospace;overflow-wrap:anywhere}footer{color:var(--soft);font-size:13px;"
	"margin-top:24px}\n"
	"@media screen and (max-width:700px){main{padding:18px 12px}.plots{grid-template-columns:"
	"minmax(0,1fr)}.tiles{grid-template-columns:repeat(2,1fr)}"
	"svg text{font-size:15px}.legend{margin-left:0;width:100%}"
	".key:first-child{margin-left:0}}\n"
	"@media "
	"print{@page{margin:12mm}body{background:#fff;font-size:11px;line-height:1.35}main{padding:"
	"0 1px;"
	"max-width:none}h1{font-size:19px}h2{font-size:13px;margin:9px 0 4px;break-after:avoid}"
	".sub{margin:0 0 10px}.plots,.tiles{gap:8px;margin-top:8px}"
	".plots{grid-template-columns:repeat(2,minmax(0,1fr))}"
	".tiles{grid-template-columns:repeat(6,1fr)}.tile,figure{padding:7px 10px}"
	"figure,.tile,.scroll,.verdict,tr{break-inside:avoid}.tile b{font-size:15px}"
	".tile span,.unit,.legend,footer{font-size:9.5px}.scroll{overflow:visible;padding:2px 10px}"
	"th,td{padding:3px 0 3px 7px;font-size:9.5px}code{font-size:9.5px;padding:7px 10px}"
	"svg text{font-size:15px}footer{margin-top:12px}*{print-color-adjust:exact}}\n";

static void put_text(FILE *file, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strchr("<>&'\"", text[i]) || (text[i] > 0 && text[i] < ' '))
			fprintf(file, "&#%d;", text[i] < ' ' ? ' ' : text[i]);
		else
			fputc(text[i], file);
}

// As it was given, so that it can be given again; the password is not anybody's business.
static void put_command(FILE *file, const struct options *options)
{
	fputs("<h2>Command</h2><code>turnpike-load", file);
	for (int i = 1; i < options->argc; i++) {
		const char *text = options->argv[i];
		const size_t n = strlen(text);
		const bool secret = options->password && options->password >= text &&
			options->password <= text + n;

		fputc(' ', file);
		put_text(file, text, secret ? (size_t)(options->password - text) : n);
		fputs(secret ? "***" : "", file);
	}
	fputs("</code>\n", file);
}

static void put_tile(FILE *file, const char *what, const char *value, const char *unit)
{
	fprintf(file, "<div class=tile><span>%s</span><b>%s%s</b></div>\n", what, value, unit);
}

static void put_media_tiles(const struct page *page)
{
	const struct outcome *outcome = page->report->outcome;
	const struct trial_result *trial = &outcome->trial;
	const double s = (double)(trial->end_ns - trial->start_ns) / (double)NS_IN_S;
	uint64_t n_sent = 0;
	uint64_t n_delivered = 0;
	uint64_t n_lost = 0;
	int64_t p99_ns = 0;
	char text[PLOT_TEXT_BYTES];

	for (int i = 0; i < N_DIRECTIONS; i++) {
		const struct direction_result *r = &trial->directions[i];
		const int64_t ns = histogram_quantile(&r->latency, 0.99);

		n_sent += r->n_sent;
		n_delivered += r->n_delivered;
		n_lost += verdict_lost(outcome, (enum direction)i);
		p99_ns = ns > p99_ns ? ns : p99_ns;
	}
	put_tile(page->file, "Delivered", plot_number((double)n_delivered / s, text), " /s");
	snprintf(text, sizeof(text), "%.4g", loss_percent(n_lost, n_sent));
	put_tile(page->file, "Lost", text, " %");
	snprintf(text, sizeof(text), "%.3g", (double)p99_ns / (double)NS_IN_MS);
	put_tile(page->file, "Latency p99", text, " ms");
}

static void put_tiles(const struct page *page)
{
	const struct report *report = page->report;
	const struct engine_totals *totals = engine_totals(report->engine);
	char text[PLOT_TEXT_BYTES];

	fputs("<div class=tiles>\n", page->file);
	if (report->search)
		put_tile(page->file, "Top rate, each way",
			plot_number((double)report->search->passed, text), " /s");
	if (report->options->mode == MODE_ALLOCATE && report->calls_s > 0)
		put_tile(page->file, "Calls released",
			plot_number((double)totals->n_released / report->calls_s, text), " /s");
	if (report->outcome->trial.lag.n)
		put_media_tiles(page);
	if (totals->n_begun) {
		put_tile(page->file, "Calls begun", plot_number((double)totals->n_begun, text), "");
		put_tile(page->file, "Calls failed", plot_number(totals->n_failed, text), "");
	}
	fputs("</div>\n", page->file);
}

static void put_lines(struct page *page, struct plot *plot)
{
	plot->x = page->x;
	for (size_t i = 0; i < plot->n_lines; i++)
		plot->lines[i].y = page->y[i];
	plot_draw(page->file, plot);
}

static const char *up_name(const struct page *page)
{
	return report_direction(page->report->options, UP);
}

static double rate(uint64_t n, const struct sample *sample)
{
	return (double)n * (double)NS_IN_S / (double)sample->width_ns;
}

// A direction that was not asked for is a gap all along.
static void plot_throughput(struct page *page)
{
	const struct series *series = page->report->series;
	struct plot plot = {"Throughput", "seconds", "packets/s, dashed: sent", false, series->n,
		.n_lines = 4,
		.lines = {{"", "up dash", NULL}, {up_name(page), "up", NULL},
			{"", "down dash", NULL}, {"down", "down", NULL}}};

	for (size_t k = 0; k < series->n; k++)
		for (int i = 0; i < N_DIRECTIONS; i++) {
			const struct sample *s = &series->samples[k];
			const bool any = page->report->outcome->trial.directions[i].n_offered > 0;

			page->y[2 * i][k] = any ? rate(s->n_sent[i], s) : NAN;
			page->y[2 * i + 1][k] = any ? rate(s->n_delivered[i], s) : NAN;
		}
	put_lines(page, &plot);
}

static void plot_loss(struct page *page)
{
	const struct series *series = page->report->series;
	struct plot plot = {"Loss", "seconds", "% of sent, when it was due", false, series->n,
		.n_lines = 2, .lines = {{up_name(page), "up", NULL}, {"down", "down", NULL}}};

	for (size_t k = 0; k < series->n; k++)
		for (int i = 0; i < N_DIRECTIONS; i++) {
			const struct sample *s = &series->samples[k];
			const uint64_t n_lost = s->n_sent[i] > s->n_delivered[i]
				? s->n_sent[i] - s->n_delivered[i]
				: 0;

			page->y[i][k] = s->n_sent[i] ? loss_percent(n_lost, s->n_sent[i]) : NAN;
		}
	put_lines(page, &plot);
}

static void plot_latency(struct page *page, enum track track, const char *title)
{
	const struct series *series = page->report->series;
	struct plot plot = {title, "seconds", "µs", true, series->n, .n_lines = N_QUANTILES,
		.lines = {{"p50", "up", NULL}, {"p99", "mid", NULL}, {"p99.9", "down", NULL}}};

	for (size_t k = 0; k < series->n; k++)
		for (int i = 0; i < N_QUANTILES; i++) {
			const struct sample *s = &series->samples[k];

			page->y[i][k] = s->n_latencies[track] && s->latency_ns[track][i] > 0
				? us_of(s->latency_ns[track][i])
				: NAN;
		}
	put_lines(page, &plot);
}

static void plot_calls(struct page *page)
{
	const struct series *series = page->report->series;
	struct plot calls = {"Calls up", "seconds", "", false, series->n, .n_lines = 1,
		.lines = {{"", "up", NULL}}};
	struct plot requests = {"Control", "seconds", "messages/s", false, series->n, .n_lines = 2,
		.lines = {{"requests", "up dash", NULL}, {"succeeded", "down", NULL}}};

	// Calls that are released at once are never up for long.
	for (size_t k = 0; k < series->n; k++)
		page->y[0][k] = series->samples[k].n_up;
	if (page->report->options->mode != MODE_ALLOCATE)
		put_lines(page, &calls);
	for (size_t k = 0; k < series->n; k++) {
		const struct sample *s = &series->samples[k];

		page->y[0][k] = rate(s->n_sent[TRACK_CONTROL], s);
		page->y[1][k] = rate(s->n_delivered[TRACK_CONTROL], s);
	}
	put_lines(page, &requests);
	plot_latency(page, TRACK_CONTROL, "Control latency");
}

static const char *latency_title(const struct options *options)
{
	if (options->n_echoes)
		return "Latency, round trip";
	return options->mode == MODE_BINDING ? "Latency" : "Latency up";
}

static void plot_series(struct page *page)
{
	const struct report *report = page->report;
	const enum mode mode = report->options->mode;

	for (size_t k = 0; k < report->series->n; k++)
		page->x[k] = (double)((int64_t)k * report->series->width_ns +
				     report->series->samples[k].width_ns) /
			(double)NS_IN_S;
	if (report->outcome->trial.lag.n) {
		plot_throughput(page);
		plot_loss(page);
		plot_latency(page, TRACK_UP, latency_title(report->options));
		plot_latency(page, TRACK_DOWN, "Latency down");
	}
	if (mode == MODE_HOLD || mode == MODE_SOAK || mode == MODE_ALLOCATE)
		plot_calls(page);
}

static int compare_attempts(const void *a, const void *b)
{
	const struct attempt *x = a;
	const struct attempt *y = b;

	return (x->rate > y->rate) - (x->rate < y->rate);
}

static void plot_load_latency(
	struct page *page, const struct attempt *attempts, size_t n, enum direction direction)
{
	struct plot plot = {direction == UP ? latency_title(page->report->options) : "Latency down",
		"offered packets/s, each direction", "µs", true, n, .n_lines = N_QUANTILES,
		.lines = {{"p50", "up", NULL}, {"p99", "mid", NULL}, {"p99.9", "down", NULL}}};

	for (size_t k = 0; k < n; k++)
		for (int i = 0; i < N_QUANTILES; i++)
			page->y[i][k] = attempts[k].latency_ns[direction][i] > 0
				? us_of(attempts[k].latency_ns[direction][i])
				: NAN;
	plot.x_logarithmic = true;
	put_lines(page, &plot);
}

static void plot_attempts(struct page *page)
{
	const struct report *report = page->report;
	const size_t n = report->n_attempts;
	struct attempt attempts[ATTEMPTS_MAX];
	struct plot throughput = {"Delivered", "offered packets/s, each direction", "packets/s",
		false, n, .n_lines = 2,
		.lines = {{up_name(page), "up", NULL}, {"down", "down", NULL}}};
	struct plot loss = {"Loss", "offered packets/s, each direction", "% of sent", false, n,
		.n_lines = 3,
		.lines = {{up_name(page), "up", NULL}, {"down", "down", NULL},
			{"bound", "bound dash", NULL}}};

	memcpy(attempts, report->attempts, n * sizeof(*attempts));
	qsort(attempts, n, sizeof(*attempts), compare_attempts);
	for (size_t k = 0; k < n; k++)
		page->x[k] = (double)attempts[k].rate;
	for (size_t k = 0; k < n; k++)
		for (int i = 0; i < N_DIRECTIONS; i++)
			page->y[i][k] = attempts[k].n_sent[i] ? (double)attempts[k].n_delivered[i] /
					(double)report->options->duration_s
							      : NAN;
	throughput.x_logarithmic = true;
	put_lines(page, &throughput);
	for (size_t k = 0; k < n; k++) {
		for (int i = 0; i < N_DIRECTIONS; i++)
			page->y[i][k] = attempts[k].n_sent[i]
				? loss_percent(attempts[k].n_lost[i], attempts[k].n_sent[i])
				: NAN;
		page->y[2][k] = report->options->loss_percent;
	}
	loss.x_logarithmic = true;
	put_lines(page, &loss);
	plot_load_latency(page, attempts, n, UP);
	plot_load_latency(page, attempts, n, DOWN);
}

static void put_media(const struct page *page)
{
	const struct outcome *outcome = page->report->outcome;

	fputs("<h2>Media</h2><div class=scroll><table><tr><th>direction<th>offered<th>sent"
	      "<th>delivered<th>lost<th>loss %<th>duplicated<th>reordered<th>misdelivered"
	      "<th>p50 µs<th>p99 µs<th>p99.9 µs<th>max µs</tr>\n",
		page->file);
	for (int i = 0; i < N_DIRECTIONS; i++) {
		const struct direction_result *r = &outcome->trial.directions[i];
		const uint64_t n_lost = verdict_lost(outcome, (enum direction)i);

		if (r->n_offered == 0)
			continue;
		fprintf(page->file,
			"<tr><td>%s<td>%lu<td>%lu<td>%lu<td>%lu<td>%.4f<td>%lu<td>%lu<td>%lu",
			report_direction(page->report->options, (enum direction)i), r->n_offered,
			r->n_sent, r->n_delivered, n_lost, loss_percent(n_lost, r->n_sent),
			r->n_duplicated, r->n_reordered, r->n_misdelivered);
		for (int k = 0; k < N_QUANTILES; k++)
			fprintf(page->file, "<td>%.0f",
				us_of(histogram_quantile(&r->latency, quantile_shares[k])));
		fprintf(page->file, "<td>%.0f</tr>\n", us_of(r->latency.max_ns));
	}
	fputs("</table></div>\n", page->file);
}

static void put_failures(FILE *file, const struct control_result *r)
{
	const char *between = "";

	for (int code = 0; code < ERROR_CODES; code++)
		if (r->n_by_code[code]) {
			fprintf(file, "%s%d: %lu", between, code + 300, r->n_by_code[code]);
			between = ", ";
		}
	if (r->n_refused)
		fprintf(file, "%sunusable: %lu", between, r->n_refused);
}

static void put_control(const struct page *page)
{
	fputs("<h2>Control</h2><div class=scroll><table><tr><th>request<th>sent<th>ok<th>repeated"
	      "<th>timeouts<th>p50 µs<th>p99 µs<th>max µs<th>refused, by code</tr>\n",
		page->file);
	for (int i = 0; i < N_REQUESTS; i++) {
		const struct control_result *r =
			engine_control(page->report->engine, (enum request)i);

		if (r->n_sent == 0)
			continue;
		fprintf(page->file,
			"<tr><td>%s<td>%lu<td>%lu<td>%lu<td>%lu<td>%.0f<td>%.0f<td>%.0f<td>",
			request_names[i], r->n_sent, r->n_ok, r->n_repeated, r->n_timeouts,
			us_of(histogram_quantile(&r->latency, 0.5)),
			us_of(histogram_quantile(&r->latency, 0.99)), us_of(r->latency.max_ns));
		put_failures(page->file, r);
		fputs("</tr>\n", page->file);
	}
	fputs("</table></div>\n", page->file);
}

static void put_generator(const struct page *page)
{
	const struct engine_totals *totals = engine_totals(page->report->engine);
	const struct outcome *outcome = page->report->outcome;
	const struct trial_result *trial = &outcome->trial;
	const struct histogram *lag = lag_of(trial, totals);

	fprintf(page->file,
		"<h2>The generator itself</h2><div class=scroll><table><tr><th>lag p99 µs"
		"<th>lag max µs<th>not sent up<th>down<th>not received up<th>down"
		"<th>control not sent<th>no free client<th>stray</tr>\n"
		"<tr><td>%.0f<td>%.0f<td>%lu<td>%lu<td>%lu<td>%lu<td>%lu<td>%lu<td>%lu</tr>"
		"</table></div>\n",
		us_of(histogram_quantile(lag, 0.99)), us_of(lag->max_ns),
		trial->directions[UP].n_dropped, trial->directions[DOWN].n_dropped,
		outcome->n_unreceived[UP], outcome->n_unreceived[DOWN], totals->n_control_dropped,
		totals->n_no_call, totals->n_stray);
}

static void put_verdict(const struct page *page)
{
	const struct verdict *verdict = &page->report->outcome->verdict;

	fprintf(page->file, "<div class='verdict%s'><b>%s</b> ", verdict->valid ? "" : " bad",
		verdict->valid ? "Valid." : "INVALID.");
	if (verdict->valid)
		fputs("The generator kept its schedule; what is lost was lost by the server or on "
		      "the way.",
			page->file);
	else
		put_text(page->file, verdict->reasons, strlen(verdict->reasons));
	fprintf(page->file, "%s</div>\n", page->report->stopped ? " Stopped by a signal." : "");
}

static void put_head(const struct page *page)
{
	const struct options *options = page->report->options;
	const time_t now = time(NULL);
	char date[32];
	char server[ADDR_TEXT_BYTES];
	struct tm utc;

	gmtime_r(&now, &utc);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", &utc);
	endpoint_format(&options->server, server);
	fprintf(page->file,
		"<!doctype html><html lang=en><meta charset=utf-8>"
		"<meta name=viewport content='width=device-width,initial-scale=1'>"
		"<title>turnpike-load %s, %s, %s</title>\n<style>\n%s</style>\n<main>"
		"<h1>turnpike-load %s</h1><p class=sub>%s · %lu %s · %s</p>\n",
		options->mode_name, server, date, style, options->mode_name, server,
		options->n_calls, options->mode == MODE_BINDING ? "clients" : "calls", date);
}

int report_html(const struct report *report, const char *path)
{
	struct page *page = calloc(1, sizeof(*page));
	int err;

	if (!page)
		return -ENOMEM;
	page->report = report;
	page->file = fopen(path, "w");
	if (!page->file) {
		err = -errno;
		free(page);
		return err;
	}
	put_head(page);
	put_verdict(page);
	put_tiles(page);
	fputs("<div class=plots>\n", page->file);
	if (report->search)
		plot_attempts(page);
	else
		plot_series(page);
	fputs("</div>\n", page->file);
	if (report->outcome->trial.lag.n)
		put_media(page);
	if (engine_totals(report->engine)->n_begun)
		put_control(page);
	put_generator(page);
	put_command(page->file, report->options);
	fputs("<footer>turnpike-load " TURNPIKE_VERSION
	      ". Latency counts from when a packet was due.</footer></main></html>\n",
		page->file);
	err = ferror(page->file) ? -EIO : 0;
	if (fclose(page->file) && !err)
		err = -errno;
	free(page);
	return err;
}
