// What a worker keeps of its drops: runs, places, and an honest count of what is not there.
#include "trace/trace.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>

static struct trace *trace;
static uint64_t now_ms;

static void open_trace(void)
{
	trace = calloc(1, sizeof(*trace));
	trace_init(trace, 1, 42);
	now_ms = 1000000;
}

static void close_trace(void)
{
	free(trace);
}

TestSuite(trace, .init = open_trace, .fini = close_trace);

// Its addresses are all of the one number.
static struct trace_key key_of(uint32_t number)
{
	struct trace_key key = {.family = FAMILY_IPV4, .from_port_be = 1, .to_port_be = 2};

	memcpy(key.from_ip, &number, sizeof(number));
	memcpy(key.to_ip, &number, sizeof(number));
	return key;
}

static void note(enum drop reason, uint32_t number)
{
	const struct trace_key key = key_of(number);

	trace_note(trace, reason, &key, now_ms);
}

// How many runs there are, with the last one of that number.
static unsigned find(enum drop reason, uint32_t number, struct trace_run *out)
{
	const struct trace_key key = key_of(number);
	struct trace_run run;
	unsigned n = 0;

	*out = (struct trace_run){.n = 0};
	for (uint32_t i = 0; i < TRACE_RUNS; i++)
		if (trace_read(trace, i, &run) && run.reason == reason &&
			!memcmp(&run.key, &key, sizeof(key))) {
			n++;
			if (run.last_ticks >= out->last_ticks)
				*out = run;
		}
	return n;
}

static uint64_t count(enum drop reason)
{
	struct trace_run run;
	uint64_t n = 0;

	for (uint32_t i = 0; i < TRACE_RUNS; i++)
		if (trace_read(trace, i, &run) && run.reason == reason)
			n += run.n;
	return n;
}

Test(trace, what_goes_on_without_a_pause_is_one_run)
{
	struct trace_run run;

	for (int i = 0; i < 50; i++) {
		note(DROP_NO_PERMISSION, 7);
		now_ms += 20;
	}
	cr_expect_eq(find(DROP_NO_PERMISSION, 7, &run), 1);
	cr_expect_eq(run.n, 50);
	cr_expect_eq(run.first_ticks, 1000000);
	cr_expect_eq(run.last_ticks, 1000980);
	cr_expect_eq(count(DROP_NO_CHANNEL), 0);
}

Test(trace, after_a_pause_another_begins_and_the_first_stays)
{
	struct trace_run run;

	note(DROP_NO_PERMISSION, 7);
	now_ms += TRACE_PAUSE_MS;
	note(DROP_NO_PERMISSION, 7);
	cr_expect_eq(find(DROP_NO_PERMISSION, 7, &run), 1);
	now_ms += TRACE_PAUSE_MS + 1;
	note(DROP_NO_PERMISSION, 7);
	cr_expect_eq(find(DROP_NO_PERMISSION, 7, &run), 2);
	cr_expect_eq(run.n, 1);
	cr_expect_eq(run.first_ticks, now_ms);
}

Test(trace, another_word_of_the_key_is_another_run)
{
	struct trace_key key = key_of(7);

	trace_note(trace, DROP_NO_PERMISSION, &key, now_ms);
	for (size_t i = 0; i < sizeof(key); i++) {
		uint8_t *byte = (uint8_t *)&key + i;

		if (byte == (uint8_t *)&key.out)
			continue; // a bool has two values
		now_ms += MS_IN_S / TRACE_SOURCE_NEW_PER_S; // nearly all are of one source
		*byte ^= 1;
		trace_note(trace, DROP_NO_PERMISSION, &key, now_ms);
		*byte ^= 1;
	}
	key.out = true;
	trace_note(trace, DROP_NO_PERMISSION, &key, now_ms);
	cr_expect_eq(count(DROP_NO_PERMISSION), 1 + sizeof(key));
	for (uint32_t i = 0; i < TRACE_RUNS; i++) {
		struct trace_run run;

		if (trace_read(trace, i, &run))
			cr_expect_eq(run.n, 1);
	}
}

// A hundred thousand made-up addresses in a second.
Test(trace, a_flood_pushes_out_neither_other_reasons_nor_what_was_there)
{
	struct trace_loss loss;
	struct trace_run run;

	note(DROP_NO_PERMISSION, 7);
	note(DROP_NO_CHANNEL, 7);
	for (uint32_t i = 0; i < 100000; i++) {
		now_ms += i % 100 == 0;
		note(DROP_NO_PERMISSION, 1000 + i);
	}
	cr_expect_eq(find(DROP_NO_CHANNEL, 7, &run), 1);
	cr_expect_eq(find(DROP_NO_PERMISSION, 7, &run), 1);
	note(DROP_NO_PERMISSION, 7);
	cr_expect_eq(find(DROP_NO_PERMISSION, 7, &run), 1);
	cr_expect_eq(run.n, 2);
	trace_loss_get(trace, DROP_NO_PERMISSION, &loss);
	cr_expect_eq(count(DROP_NO_PERMISSION) + loss.n, 100002);
	cr_expect_leq(count(DROP_NO_PERMISSION), 2 + TRACE_NEW_AT_ONCE + TRACE_NEW_PER_S);
	cr_expect_eq(loss.last_ticks, now_ms);
	trace_loss_get(trace, DROP_NO_CHANNEL, &loss);
	cr_expect_eq(loss.n, 0);
}

static void change_ports(struct trace_key *key, uint32_t i)
{
	key->from_port_be = (uint16_t)i;
	key->about_port_be = (uint16_t)(i >> 16);
}

static void change_hosts(struct trace_key *key, uint32_t i)
{
	key->family = FAMILY_IPV6;
	memcpy(key->from_ip + 8, &i, sizeof(i));
}

// On its way out a packet is from us, whoever it is for.
static void change_ports_out(struct trace_key *key, uint32_t i)
{
	memcpy(key->from_ip, &i, sizeof(i));
	key->to_port_be = (uint16_t)i;
	key->out = true;
}

// One that begins a thousand runs a second, for a minute, beside some that begin one each. They are
// let in, but for the few that have one hash with him.
static void flood_beside_others(void (*change)(struct trace_key *key, uint32_t i))
{
	struct trace_key key = key_of(1);
	struct trace_run run;
	unsigned n_kept = 0;

	for (uint32_t i = 0; i < 60 * MS_IN_S; i++) {
		now_ms++;
		change(&key, i);
		trace_note(trace, DROP_NO_PERMISSION, &key, now_ms);
		if (i % MS_IN_S)
			continue;
		note(DROP_NO_PERMISSION, 1000 + i);
		n_kept += find(DROP_NO_PERMISSION, 1000 + i, &run);
	}
	cr_expect_geq(n_kept, 58);
}

Test(trace, one_source_that_changes_its_ports_leaves_the_others_theirs)
{
	flood_beside_others(change_ports);
}

Test(trace, a_network_of_ipv6_is_one_source)
{
	flood_beside_others(change_hosts);
}

Test(trace, on_the_way_out_the_receiver_is_the_source)
{
	flood_beside_others(change_ports_out);
}

// As fast as new ones are let in: each takes a place, and what is gone is counted to its last.
Test(trace, what_is_pushed_out_is_counted_and_dated)
{
	const uint32_t n = 4 * TRACE_RUNS_OF_REASON;
	struct trace_loss loss;
	struct trace_run run;

	for (uint32_t i = 0; i < n; i++) {
		now_ms += MS_IN_S / TRACE_NEW_PER_S + 1;
		note(DROP_NO_PERMISSION, i);
	}
	trace_loss_get(trace, DROP_NO_PERMISSION, &loss);
	cr_expect_gt(loss.n, 0);
	cr_expect_eq(count(DROP_NO_PERMISSION) + loss.n, n);
	// Every run that ended later is there.
	for (uint32_t i = 0; i < n; i++) {
		const uint64_t at_ms = 1000000 + (i + 1) * (MS_IN_S / TRACE_NEW_PER_S + 1);

		if (at_ms > loss.last_ticks)
			cr_expect_eq(find(DROP_NO_PERMISSION, i, &run), 1);
	}
	// In a set of four the one that was quiet longest goes: none of the last few ever does.
	cr_expect_lt(loss.last_ticks, now_ms - 10 * MS_IN_S / TRACE_NEW_PER_S);
}

// The set in which a number's runs are.
static uint32_t set_of(uint32_t number)
{
	const struct trace_key key = key_of(number);
	struct trace_run run;

	now_ms += MS_IN_S;
	note(DROP_NO_CHANNEL, number);
	for (uint32_t i = 0; i < TRACE_RUNS; i++)
		if (trace_read(trace, i, &run) && !memcmp(&run.key, &key, sizeof(key)))
			return i / TRACE_WAYS;
	return UINT32_MAX;
}

static atomic_bool is_over;
static uint32_t numbers[2]; // of one set

static void *write_on(void *context)
{
	(void)context;
	for (unsigned i = 0; !atomic_load(&is_over); i++) {
		now_ms += TRACE_PAUSE_MS + 1;
		note(DROP_NO_CHANNEL, numbers[i / 3 % 2]);
	}
	return NULL;
}

// A reader beside the writer sees whole runs only: both addresses are of the one number.
Test(trace, a_reader_sees_no_half_of_a_run)
{
	const uint32_t set = set_of(0);
	unsigned n_torn = 0;
	struct trace_run run;
	pthread_t writer;

	do
		numbers[1]++;
	while (set_of(numbers[1]) != set);
	cr_assert_eq(pthread_create(&writer, NULL, write_on, NULL), 0);
	for (unsigned i = 0; i < 1000000; i++) {
		if (trace_read(trace, set * TRACE_WAYS + i % TRACE_WAYS, &run))
			n_torn += run.n != 1 || run.first_ticks != run.last_ticks ||
				memcmp(run.key.from_ip, run.key.to_ip, IPV6_BYTES) != 0;
	}
	atomic_store(&is_over, true);
	pthread_join(writer, NULL);
	cr_expect_eq(n_torn, 0);
}
