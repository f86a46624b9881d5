// capture: frames as they come and go, as a pcapng file. The one who asks brings the filter, as a
// program: compiling one may take longer than the control core has.
#include "exit.h"
#include "verbs.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>

#define RECORDS_PER_STEP 64
#define LOOK_MS 5 // between two looks at rings that were empty
#define BUSY_WAIT_MS 5000
#define SNAP_BYTES 128
#define SECONDS_MAX 86400
#define PACKETS_MAX 1000000000

struct job {
	struct capture_filter *filter; // NULL once it runs
	bool runs;
	uint16_t snap_bytes;
	uint64_t n_packets;
	uint64_t n_packets_max; // 0: no limit
	uint64_t seconds_max; // 0: no limit
	uint64_t ends_ms; // 0: never
	uint8_t block[PCAPNG_BYTES(CAPTURE_SNAP_MAX)];
};

static bool take_number(struct admin_call *call, const char *key, json_int_t min, json_int_t max,
	json_int_t *number)
{
	const json_t *value = json_object_get(admin_arguments(call), key);

	if (!value)
		return true;
	*number = json_integer_value(value);
	if (*number >= min && *number <= max)
		return true;
	admin_fail(
		call, EXIT_USAGE, "%s; allowed: %lld..%lld", key, (long long)min, (long long)max);
	return false;
}

static bool take_instruction(struct bpf_insn *out, const json_t *value)
{
	json_int_t code, jt, jf, k;

	if (json_unpack((json_t *)value, "[I,I,I,I!]", &code, &jt, &jf, &k) || code < 0 ||
		code > UINT16_MAX || jt < 0 || jt > UINT8_MAX || jf < 0 || jf > UINT8_MAX ||
		k < 0 || k > UINT32_MAX)
		return false;
	*out = (struct bpf_insn){(u_short)code, (u_char)jt, (u_char)jf, (bpf_u_int32)k};
	return true;
}

// False where there is no sound program, and the answer has ended.
static bool take_program(struct admin_call *call, struct capture_filter **filter)
{
	static struct bpf_insn program[CAPTURE_PROGRAM_MAX];
	const json_t *value = json_object_get(admin_arguments(call), "program");
	const size_t n = json_array_size(value);
	char error[CAPTURE_ERROR_BYTES];
	int rc;

	for (size_t i = 0; i < n && i < CAPTURE_PROGRAM_MAX; i++) {
		if (take_instruction(&program[i], json_array_get(value, i)))
			continue;
		admin_fail(call, EXIT_USAGE, "program: instruction %zu; allowed: [code, jt, jf, k]",
			i);
		return false;
	}
	rc = capture_filter_create(filter, program, n, error);
	if (rc)
		admin_fail(call, rc == -EINVAL ? EXIT_USAGE : EXIT_RESOURCE, "program: %s", error);
	return rc == 0;
}

// What cannot be ends the answer. Returns the new job, or NULL.
static struct job *job_make(struct admin_call *call)
{
	json_int_t snap = SNAP_BYTES, packets = 0, seconds = 0;
	struct capture_filter *filter;
	struct job *job;

	if (!take_number(call, "snap", CAPTURE_SNAP_MIN, CAPTURE_SNAP_MAX, &snap) ||
		!take_number(call, "packets", 1, PACKETS_MAX, &packets) ||
		!take_number(call, "seconds", 1, SECONDS_MAX, &seconds) ||
		!take_program(call, &filter))
		return NULL;
	job = calloc(1, sizeof(*job));
	if (!job) {
		capture_filter_destroy(filter);
		admin_fail(call, EXIT_RESOURCE, "no memory for a capture");
		return NULL;
	}
	job->filter = filter;
	job->snap_bytes = (uint16_t)snap;
	job->n_packets_max = (uint64_t)packets;
	job->seconds_max = (uint64_t)seconds;
	return job;
}

// Have the workers given back what the last one had? One that stands still is given up on.
static bool is_settled(struct admin_call *call, struct loop *loop)
{
	uint64_t *since_ms = admin_cursor(call);

	capturing_settle(&loop->capturing, loop->box);
	if (!loop->capturing.ends)
		return true;
	if (*since_ms == 0)
		*since_ms = loop_now_ms();
	if (loop_now_ms() < *since_ms + BUSY_WAIT_MS)
		admin_wait(call, LOOK_MS);
	else
		admin_fail(call, EXIT_RESOURCE, "a worker still has the last capture");
	return false;
}

static void begin(struct admin_call *call, struct loop *loop, struct job *job)
{
	int rc;

	if (!is_settled(call, loop))
		return;
	rc = capturing_begin(&loop->capturing, loop->box, job->filter, job->snap_bytes);
	if (rc) {
		admin_fail(call, EXIT_RESOURCE, "%s",
			rc == -EBUSY            ? "another capture runs"
				: rc == -EAGAIN ? "the workers cannot be told now"
						: "no memory for a capture");
		return;
	}
	job->filter = NULL;
	job->runs = true;
	job->ends_ms = job->seconds_max ? loop_now_ms() + job->seconds_max * MS_IN_S : 0;
	log_event(LOG_INFO, "capture.begin", "snap=%u packets=%llu", job->snap_bytes,
		(unsigned long long)job->n_packets_max);
	admin_begin_stream(call, "pcapng");
	admin_stream(call, job->block, pcapng_put_head(job->block));
	for (size_t i = 0; i < loop->box->n_ports; i++)
		admin_stream(call, job->block,
			pcapng_put_port(
				job->block, loop->box->conf->ports[i].name, job->snap_bytes));
	admin_wait(call, 0); // it ends in time, whether or not anybody reads
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
	if (job->runs)
		go_on(call, loop, job);
	else
		begin(call, loop, job);
}

void verb_capture_end(struct admin_call *call, void *context)
{
	struct loop *loop = context;
	struct job *job = admin_state(call);

	if (!job)
		return;
	if (job->runs) {
		log_event(LOG_INFO, "capture.end", "packets=%llu lost=%llu",
			(unsigned long long)job->n_packets,
			(unsigned long long)capturing_n_lost(&loop->capturing));
		capturing_end(&loop->capturing, loop->box);
	}
	capture_filter_destroy(job->filter);
	free(job);
}
