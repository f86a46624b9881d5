// Line plots as inline SVG, small enough to be read as text.
#ifndef PLOT_H
#define PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define PLOT_LINES_MAX 6

struct plot_line {
	const char *name;
	const char *style; // a class of the page's style sheet
	const double *y; // as many as the plot's x; NAN: a gap
};

struct plot {
	const char *title;
	const char *x_name;
	const char *y_name;
	bool logarithmic; // y, which is above zero then
	size_t n;
	const double *x; // ascending
	bool x_logarithmic; // x is above zero then
	size_t n_lines;
	struct plot_line lines[PLOT_LINES_MAX];
};

// Nothing is drawn where no line has a value.
void plot_draw(FILE *file, const struct plot *plot);

// A number as people write it: 12 k, 3.5 M. `text` is returned.
#define PLOT_TEXT_BYTES 32
char *plot_number(double value, char text[static PLOT_TEXT_BYTES]);

#endif
