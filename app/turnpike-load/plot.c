#include "plot.h"

#include "base/base.h"

#include <math.h>

#define WIDTH 520
#define HEIGHT 240
#define LEFT 62
#define RIGHT 24
#define TOP 12
#define BOTTOM 42
#define TICKS 5
#define MARKED_MAX 40 // points that still get a dot each

struct scale {
	double min;
	double max;
	double step; // of ticks; logarithmic: none
	bool logarithmic;
	double from; // in the drawing
	double to;
};

char *plot_number(double value, char text[static PLOT_TEXT_BYTES])
{
	static const struct {
		double unit;
		const char *name;
	} units[] = {{1e9, " G"}, {1e6, " M"}, {1e3, " k"}};

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (fabs(value) >= units[i].unit * 0.9999999) {
			snprintf(text, PLOT_TEXT_BYTES, "%.3g%s", value / units[i].unit,
				units[i].name);
			return text;
		}
	snprintf(text, PLOT_TEXT_BYTES, "%.3g", value);
	return text;
}

// 1, 2 or 5 times a power of ten.
static double round_step(double step)
{
	const double power = pow(10, floor(log10(step)));
	const double share = step / power;

	return power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
}

static double place(const struct scale *scale, double value)
{
	const double share = scale->logarithmic
		? log(value / scale->min) / log(scale->max / scale->min)
		: (value - scale->min) / (scale->max - scale->min);

	return scale->from + share * (scale->to - scale->from);
}

static bool find_range(const struct plot *plot, double *min, double *max)
{
	*min = INFINITY;
	*max = -INFINITY;
	for (size_t i = 0; i < plot->n_lines; i++)
		for (size_t k = 0; k < plot->n; k++) {
			*min = fmin(*min, plot->lines[i].y[k]);
			*max = fmax(*max, plot->lines[i].y[k]);
		}
	return *min <= *max;
}

static bool scale_y(const struct plot *plot, struct scale *out)
{
	double min;
	double max;

	if (!find_range(plot, &min, &max))
		return false;
	*out = (struct scale){.from = HEIGHT - BOTTOM, .to = TOP, .logarithmic = plot->logarithmic};
	if (plot->logarithmic) {
		out->min = pow(10, floor(log10(min)));
		out->max = pow(10, ceil(log10(max * 1.001)));
		return true;
	}
	out->step = round_step((max > 0 ? max : 1) * 1.02 / TICKS);
	out->max = ceil((max > 0 ? max : 1) * 1.02 / out->step) * out->step;
	return true;
}

static struct scale scale_x(const struct plot *plot)
{
	const double last = plot->x[plot->n - 1];
	const double first = plot->x[0] < last ? plot->x[0] : last / 2;
	struct scale scale = {.max = last, .from = LEFT, .to = WIDTH - RIGHT};

	if (plot->x_logarithmic) {
		scale.min = first;
		scale.logarithmic = true;
		return scale;
	}
	scale.max = scale.max > 0 ? scale.max : 1;
	scale.step = round_step(scale.max / TICKS);
	return scale;
}

static void draw_y_tick(FILE *file, const struct scale *scale, double value)
{
	const double y = place(scale, value);
	char text[PLOT_TEXT_BYTES];

	fprintf(file, "<path class=grid d='M%d %.1fH%d'/><text x=%d y=%.1f class=y>%s</text>\n",
		LEFT, y, WIDTH - RIGHT, LEFT - 7, y + 4, plot_number(value, text));
}

static void draw_x_tick(FILE *file, const struct scale *scale, double value)
{
	char text[PLOT_TEXT_BYTES];

	fprintf(file, "<text x=%.1f y=%d class=x>%s</text>\n", place(scale, value),
		HEIGHT - BOTTOM + 17, plot_number(value, text));
}

// 1, 2 and 5 of each power of ten; only 1 where there are many.
static void draw_powers(FILE *file, const struct scale *scale)
{
	static const double steps[] = {1, 2, 5};
	const size_t n_steps = scale->max / scale->min > 200 ? 1 : N_ELEMENTS(steps);

	for (double power = pow(10, floor(log10(scale->min))); power <= scale->max; power *= 10)
		for (size_t i = 0; i < n_steps; i++) {
			const double value = power * steps[i];

			if (value >= scale->min * 0.999 && value <= scale->max * 1.001)
				draw_x_tick(file, scale, value);
		}
}

static void draw_axes(
	FILE *file, const struct plot *plot, const struct scale *x, const struct scale *y)
{
	if (y->logarithmic)
		for (double value = y->min; value <= y->max * 1.001; value *= 10)
			draw_y_tick(file, y, value);
	else
		for (int i = 0; i * y->step <= y->max * 1.001; i++)
			draw_y_tick(file, y, i * y->step);
	if (x->logarithmic)
		draw_powers(file, x);
	for (int i = 0; !x->logarithmic && i * x->step <= x->max * 1.001; i++)
		draw_x_tick(file, x, i * x->step);
	fprintf(file, "<text x=%d y=%d class=x>%s</text>\n", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6,
		plot->x_name);
}

static void draw_line(FILE *file, const struct plot *plot, const struct plot_line *line,
	const struct scale *x, const struct scale *y)
{
	bool down = false; // the pen

	fprintf(file, "<path class='line %s' d='", line->style);
	for (size_t i = 0; i < plot->n; i++) {
		if (isnan(line->y[i])) {
			down = false;
			continue;
		}
		fprintf(file, "%c%.1f %.1f", down ? 'L' : 'M', place(x, plot->x[i]),
			place(y, line->y[i]));
		down = true;
	}
	fputs("'/>\n", file);
	for (size_t i = 0; i < plot->n && plot->n <= MARKED_MAX; i++)
		if (!isnan(line->y[i]))
			fprintf(file,
				"<circle class='dot %s' cx=%.1f cy=%.1f r=2.5>"
				"<title>%s: %.6g at %.6g</title></circle>\n",
				line->style, place(x, plot->x[i]), place(y, line->y[i]), line->name,
				line->y[i], plot->x[i]);
}

static bool has_value(const struct plot_line *line, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isnan(line->y[i]))
			return true;
	return false;
}

void plot_draw(FILE *file, const struct plot *plot)
{
	struct scale x;
	struct scale y;

	if (plot->n == 0 || !scale_y(plot, &y))
		return;
	x = scale_x(plot);
	fprintf(file, "<figure><figcaption><b>%s</b><span class=unit>%s</span><span class=legend>",
		plot->title, plot->y_name);
	for (size_t i = 0; i < plot->n_lines; i++)
		if (plot->lines[i].name[0] && has_value(&plot->lines[i], plot->n))
			fprintf(file, "<span class='key %s'>%s</span>", plot->lines[i].style,
				plot->lines[i].name);
	fprintf(file, "</span></figcaption>\n<svg viewBox='0 0 %d %d' role=img aria-label='%s'>\n",
		WIDTH, HEIGHT, plot->title);
	draw_axes(file, plot, &x, &y);
	for (size_t i = 0; i < plot->n_lines; i++)
		draw_line(file, plot, &plot->lines[i], &x, &y);
	fputs("</svg></figure>\n", file);
}
