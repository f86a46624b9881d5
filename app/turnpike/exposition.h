// Prometheus's text format 0.0.4, written into one growing buffer.
//
// Order: exposition_begin(); for each family exposition_family() and its samples;
// exposition_text(). Labels are text like `worker="0"`, whose values exposition_label() escapes; ""
// is none.
#ifndef TURNPIKE_EXPOSITION_H
#define TURNPIKE_EXPOSITION_H

#include "quality/quality.h"
#include "stats/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define EXPOSITION_LABEL_BYTES 576 // a name and 127 bytes, escaped, fit twice

struct exposition {
	char *bytes;
	size_t n;
	size_t capacity;
	bool lacks_memory;
	const char *name; // of the family
};

void exposition_begin(struct exposition *exposition); // zeroed, or used before
void exposition_fini(struct exposition *exposition);

// `type`: "counter", "gauge" or "histogram". `name` must live until the next one.
void exposition_family(
	struct exposition *exposition, const char *name, const char *type, const char *help);
void exposition_count(struct exposition *exposition, const char *labels, uint64_t value);
void exposition_real(struct exposition *exposition, const char *labels, double value);
// A histogram in seconds, by the buckets up to one that ends at `most_ns`.
void exposition_latency(struct exposition *exposition, const char *labels,
	const struct latency *latency, uint64_t most_ns);
// A histogram by all its buckets, which end at `ends`.
void exposition_spread(struct exposition *exposition, const char *labels, const double *ends,
	const struct quality_spread *spread);

// `name="value"`, escaped; cut where it does not fit, at a whole character. Returns `out`.
const char *exposition_label(
	char out[static EXPOSITION_LABEL_BYTES], const char *name, const char *value);

// All of it, not terminated; NULL where memory was missing.
const char *exposition_text(const struct exposition *exposition, size_t *n_bytes);

#endif
