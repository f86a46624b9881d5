#include "exposition.h"

#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES (64 << 10)
#define NUMBER_BYTES 32

void exposition_begin(struct exposition *exposition)
{
	exposition->n = 0;
	exposition->lacks_memory = false;
	exposition->name = "";
}

void exposition_fini(struct exposition *exposition)
{
	free(exposition->bytes);
	*exposition = (struct exposition){0};
}

static bool make_room(struct exposition *exposition, size_t n_bytes)
{
	size_t capacity = exposition->capacity ? exposition->capacity : FIRST_BYTES;
	char *bytes;

	while (capacity < exposition->n + n_bytes)
		capacity *= 2;
	if (capacity == exposition->capacity)
		return true;
	bytes = realloc(exposition->bytes, capacity);
	if (!bytes) {
		exposition->lacks_memory = true;
		return false;
	}
	exposition->bytes = bytes;
	exposition->capacity = capacity;
	return true;
}

static void put_bytes(struct exposition *exposition, const char *bytes, size_t n)
{
	if (!make_room(exposition, n))
		return;
	memcpy(exposition->bytes + exposition->n, bytes, n);
	exposition->n += n;
}

static void put(struct exposition *exposition, const char *text)
{
	put_bytes(exposition, text, strlen(text));
}

// There are thousands of them in a box of many workers: printf takes five times as long.
static void put_count(struct exposition *exposition, uint64_t value)
{
	char digits[NUMBER_BYTES];
	char *at = digits + sizeof(digits);

	do {
		*--at = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	put_bytes(exposition, at, (size_t)(digits + sizeof(digits) - at));
}

static void put_real(struct exposition *exposition, double value)
{
	char text[NUMBER_BYTES];

	snprintf(text, sizeof(text), "%.10g", value);
	put(exposition, text);
}

static void put_name(
	struct exposition *exposition, const char *suffix, const char *labels, const char *more)
{
	put(exposition, exposition->name);
	put(exposition, suffix);
	if (labels[0] || more[0]) {
		put(exposition, "{");
		put(exposition, labels);
		put(exposition, labels[0] && more[0] ? "," : "");
		put(exposition, more);
		put(exposition, "}");
	}
	put(exposition, " ");
}

void exposition_family(
	struct exposition *exposition, const char *name, const char *type, const char *help)
{
	exposition->name = name;
	put(exposition, "# HELP ");
	put(exposition, name);
	put(exposition, " ");
	put(exposition, help);
	put(exposition, "\n# TYPE ");
	put(exposition, name);
	put(exposition, " ");
	put(exposition, type);
	put(exposition, "\n");
}

void exposition_count(struct exposition *exposition, const char *labels, uint64_t value)
{
	put_name(exposition, "", labels, "");
	put_count(exposition, value);
	put(exposition, "\n");
}

void exposition_real(struct exposition *exposition, const char *labels, double value)
{
	put_name(exposition, "", labels, "");
	put_real(exposition, value);
	put(exposition, "\n");
}

// The ends of all buckets as text, made once.
static const char *bucket_label(unsigned bucket)
{
	static char labels[LATENCY_BUCKETS][NUMBER_BYTES];

	if (labels[bucket][0] == '\0')
		snprintf(labels[bucket], sizeof(labels[bucket]), "le=\"%.9g\"",
			(double)latency_bucket_end_ns(bucket) / (double)NS_IN_S);
	return labels[bucket];
}

static void put_bucket(
	struct exposition *exposition, const char *labels, const char *end, uint64_t n)
{
	put_name(exposition, "_bucket", labels, end);
	put_count(exposition, n);
	put(exposition, "\n");
}

// What ends a histogram.
static void put_total(struct exposition *exposition, const char *labels, uint64_t n, double sum)
{
	put_bucket(exposition, labels, "le=\"+Inf\"", n);
	put_name(exposition, "_sum", labels, "");
	put_real(exposition, sum);
	put(exposition, "\n");
	put_name(exposition, "_count", labels, "");
	put_count(exposition, n);
	put(exposition, "\n");
}

void exposition_latency(struct exposition *exposition, const char *labels,
	const struct latency *latency, uint64_t most_ns)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		n += latency->n[i];
		if (latency_bucket_end_ns(i) <= most_ns)
			put_bucket(exposition, labels, bucket_label(i), n);
	}
	put_total(exposition, labels, n, (double)latency->sum_ns / (double)NS_IN_S);
}

void exposition_spread(struct exposition *exposition, const char *labels, const double *ends,
	const struct quality_spread *spread)
{
	char end[NUMBER_BYTES];
	uint64_t n = 0;

	for (unsigned i = 0; i < QUALITY_ENDS; i++) {
		n += spread->n[i];
		snprintf(end, sizeof(end), "le=\"%g\"", ends[i]);
		put_bucket(exposition, labels, end, n);
	}
	put_total(exposition, labels, n + spread->n[QUALITY_ENDS], spread->sum);
}

const char *exposition_label(
	char out[static EXPOSITION_LABEL_BYTES], const char *name, const char *value)
{
	size_t n = (size_t)snprintf(out, EXPOSITION_LABEL_BYTES, "%s=\"", name);

	for (; *value && n + 4 < EXPOSITION_LABEL_BYTES; value++) {
		if (*value == '\\' || *value == '"' || *value == '\n')
			out[n++] = '\\';
		out[n++] = (char)(*value == '\n' ? 'n' : *value);
	}
	// A character of UTF-8 that was cut is no text for Prometheus.
	while (*value && ((unsigned char)*value & 0xc0) == 0x80) {
		value--;
		n--;
	}
	out[n++] = '"';
	out[n] = '\0';
	return out;
}

const char *exposition_text(const struct exposition *exposition, size_t *n_bytes)
{
	*n_bytes = exposition->lacks_memory ? 0 : exposition->n;
	return exposition->lacks_memory ? NULL : exposition->bytes;
}
