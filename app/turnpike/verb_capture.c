// capture: frames as they come and go, as a pcapng file. What is asked for by user, allocation or
// peer becomes a filter of libpcap, as what is asked for by its words.
#include "exit.h"
#include "verbs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPRESSION_BYTES 16384
#define STEPS_MAX 256 // looks at the table of allocations in one step
#define RECORDS_PER_STEP 64
#define LOOK_MS 5 // between two looks at rings that were empty
#define SNAP_BYTES 128
#define SECONDS_MAX 86400
#define PACKETS_MAX 1000000000

struct job {
	char expression[EXPRESSION_BYTES];
	size_t n; // its bytes
	bool is_cut;
	bool is_made; // the expression, as a whole
	bool runs;
	uint32_t cursor; // of the search for a user's allocations
	uint32_t n_found;
	uint16_t snap_bytes;
	uint64_t n_packets;
	uint64_t n_packets_max; // 0: no limit
	uint64_t ends_ms; // 0: never
	uint8_t block[PCAPNG_BYTES(CAPTURE_SNAP_MAX)];
};

static void __attribute__((format(printf, 2, 3))) add(struct job *job, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(job->expression + job->n, EXPRESSION_BYTES - job->n, format, arguments);
	va_end(arguments);
	job->is_cut |= n < 0 || (size_t)n >= EXPRESSION_BYTES - job->n;
	if (!job->is_cut)
		job->n += (size_t)n;
}

// Both legs of it.
static void add_allocation(struct job *job, const struct turn_allocation_view *view)
{
	char client[ADDR_TEXT_BYTES];
	char service[ADDR_TEXT_BYTES];

	add(job, "%s(host %s and host %s and udp port %u and udp port %u)",
		job->n_found++ ? " or " : "", ip_format(&view->client.ip, client),
		ip_format(&view->service.ip, service), view->client.port, view->service.port);
	for (size_t i = 0; i < N_ELEMENTS(view->relayed); i++)
		if (view->relayed[i].ip.family != FAMILY_NONE)
			add(job, " or (host %s and udp port %u)",
				ip_format(&view->relayed[i].ip, client), view->relayed[i].port);
}

static bool take_number(
	struct admin_call *call, const char *key, json_int_t max, json_int_t *number)
{
	const json_t *value = json_object_get(admin_arguments(call), key);

	if (!value)
		return true;
	*number = json_integer_value(value);
	if (json_is_integer(value) && *number > 0 && *number <= max)
		return true;
	admin_fail(call, EXIT_USAGE, "%s; allowed: 1..%lld", key, (long long)max);
	return false;
}

// Where the words cannot be, the answer has ended. Returns the new job, or NULL.
static struct job *job_make(struct admin_call *call)
{
	json_int_t snap = SNAP_BYTES, packets = 0, seconds = 0;
	struct job *job;

	if (!take_number(call, "snap", CAPTURE_SNAP_MAX, &snap) ||
		!take_number(call, "packets", PACKETS_MAX, &packets) ||
		!take_number(call, "seconds", SECONDS_MAX, &seconds))
		return NULL;
	if (snap < CAPTURE_SNAP_MIN) {
		admin_fail(call, EXIT_USAGE, "snap; allowed: %d..%d", CAPTURE_SNAP_MIN,
			CAPTURE_SNAP_MAX);
		return NULL;
	}
	job = calloc(1, sizeof(*job));
	if (!job) {
		admin_fail(call, EXIT_RESOURCE, "no memory for a capture");
		return NULL;
	}
	job->snap_bytes = (uint16_t)snap;
	job->n_packets_max = (uint64_t)packets;
	job->ends_ms = seconds ? loop_now_ms() + (uint64_t)seconds * MS_IN_S : 0;
	return job;
}

// Returns true where the search is over; false with the answer ended, or to go on later.
static bool find_user(struct admin_call *call, struct loop *loop, struct job *job)
{
	const char *user = verb_text(call, "user");
	struct turn_allocation_view view;

	for (int i = 0; i < STEPS_MAX; i++) {
		const enum turn_step step =
			turn_allocation_next(loop->box->turn, &job->cursor, &view);

		if (step == TURN_STEP_FOUND && verb_is_user(&view, user))
			add_allocation(job, &view);
		if (step == TURN_STEP_END && job->n_found)
			return true;
		if (step == TURN_STEP_END) {
			admin_fail(call, EXIT_DEVICE, "that user has no allocation");
			return false;
		}
	}
	admin_wait(call, 0);
	return false;
}

static bool find_allocation(struct admin_call *call, struct loop *loop, struct job *job)
{
	struct turn_allocation_view view;
	uint64_t id;

	if (turn_id_parse(&id, verb_text(call, "id")) ||
		!turn_allocation_find(loop->box->turn, id, &view)) {
		admin_fail(call, EXIT_DEVICE, "there is no such allocation, or no longer");
		return false;
	}
	add_allocation(job, &view);
	return true;
}

static bool add_peer(struct admin_call *call, struct job *job)
{
	const char *text = verb_text(call, "peer");
	char host[ADDR_TEXT_BYTES];
	struct endpoint peer;
	struct ip_addr ip;

	if (ip_parse(&ip, text) == 0) {
		add(job, "host %s", ip_format(&ip, host));
	} else if (endpoint_parse(&peer, text) == 0) {
		add(job, "host %s and udp port %u", ip_format(&peer.ip, host), peer.port);
	} else {
		admin_fail(call, EXIT_USAGE, "peer; allowed: ADDRESS or ADDRESS:PORT");
		return false;
	}
	return true;
}

static bool has_tags(const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_ports; i++)
		if (conf->ports[i].vlan)
			return true;
	return false;
}

// Frames with a tag are others to libpcap. No words: all frames in any case.
static void allow_tags(struct job *job)
{
	char *plain = strdup(job->expression);

	job->is_cut |= !plain;
	job->n = 0;
	if (plain)
		add(job, "(%s) or (vlan and (%s))", plain, plain);
	free(plain);
}

// Those of the operator mean what they say. False as in find_user().
static bool make_expression(struct admin_call *call, struct loop *loop, struct job *job)
{
	const char *filter = verb_text(call, "filter");
	bool found = true;

	if (verb_text(call, "user"))
		found = find_user(call, loop, job);
	else if (verb_text(call, "id"))
		found = find_allocation(call, loop, job);
	else if (verb_text(call, "peer"))
		found = add_peer(call, job);
	else if (filter)
		add(job, "%s", filter);
	if (found && !filter && job->n && has_tags(loop->box->conf))
		allow_tags(job);
	return found;
}

static void begin(struct admin_call *call, struct loop *loop, struct job *job)
{
	char error[CAPTURE_ERROR_BYTES];
	int rc;

	if (job->is_cut) {
		admin_fail(
			call, EXIT_USAGE, "the filter is longer than %d bytes", EXPRESSION_BYTES);
		return;
	}
	if (loop->capturing.ends) { // the last one, which workers have not given back
		admin_wait(call, LOOK_MS);
		return;
	}
	rc = capturing_begin(&loop->capturing, loop->box, job->expression, job->snap_bytes, error);
	if (rc) {
		admin_fail(call, rc == -EINVAL ? EXIT_USAGE : EXIT_RESOURCE, "%s", error);
		return;
	}
	job->runs = true;
	log_event(LOG_INFO, "capture.begin", "snap=%u packets=%llu", job->snap_bytes,
		(unsigned long long)job->n_packets_max);
	admin_begin_stream(call, "pcapng");
	admin_stream(call, job->block, pcapng_put_head(job->block));
	for (size_t i = 0; i < loop->box->n_ports; i++)
		admin_stream(call, job->block,
			pcapng_put_port(
				job->block, loop->box->conf->ports[i].name, job->snap_bytes));
}

// Where the reader is slow the rings fill, and what finds no room there is lost and counted.
static void go_on(struct admin_call *call, struct loop *loop, struct job *job)
{
	const struct capture_record *record;
	uint64_t at_ns;
	int n = 0;

	while (n < RECORDS_PER_STEP && admin_stream_room(call) > sizeof(job->block) &&
		(!job->n_packets_max || job->n_packets < job->n_packets_max)) {
		record = capturing_take(&loop->capturing, &at_ns);
		if (!record)
			break;
		admin_stream(call, job->block, pcapng_put_packet(job->block, record, at_ns));
		job->n_packets++;
		n++;
	}
	if ((job->n_packets_max && job->n_packets == job->n_packets_max) ||
		(job->ends_ms && loop_now_ms() >= job->ends_ms)) {
		admin_stream(call, job->block,
			pcapng_put_lost(job->block, 0, capturing_now_ns(&loop->capturing),
				capturing_n_lost(&loop->capturing)));
		admin_done(call);
	} else {
		admin_wait(call, n == RECORDS_PER_STEP ? 0 : LOOK_MS);
	}
}

void verb_capture(struct admin_call *call, void *context)
{
	struct loop *loop = context;
	struct job *job = admin_state(call);

	if (!job) {
		job = job_make(call);
		admin_set_state(call, job);
	}
	if (!job)
		return;
	if (!job->is_made)
		job->is_made = make_expression(call, loop, job);
	if (job->runs)
		go_on(call, loop, job);
	else if (job->is_made)
		begin(call, loop, job);
}

void verb_capture_end(struct admin_call *call, void *context)
{
	struct loop *loop = context;
	struct job *job = admin_state(call);

	if (job && job->runs) {
		log_event(LOG_INFO, "capture.end", "packets=%llu lost=%llu",
			(unsigned long long)job->n_packets,
			(unsigned long long)capturing_n_lost(&loop->capturing));
		capturing_end(&loop->capturing, loop->box);
	}
	free(job);
}
