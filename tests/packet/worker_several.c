// Several workers: each with memory of its own, and together the same answers as one.
//
// That they share no line is shown by pages: while one works, every page of the others is
// inaccessible.
#include "rig.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#define N_WORKERS 4
#define N_PACKETS 3600
#define ROUNDS 100
#define N_CLIENTS 16
#define PAYLOAD_BYTES 64

struct party {
	char client[32];
	char relayed[32];
	char peer[32];
	char other_port[32]; // of the peer, to which no channel is bound
};

static struct party party_of(unsigned i)
{
	struct party p;

	snprintf(p.client, sizeof(p.client), "198.18.1.%u:%u", i + 1, 5000 + i);
	snprintf(p.relayed, sizeof(p.relayed), "198.18.0.2:%u", 50000 + i);
	snprintf(p.peer, sizeof(p.peer), "198.18.2.%u:6000", i + 1);
	snprintf(p.other_port, sizeof(p.other_port), "198.18.2.%u:6001", i + 1);
	return p;
}

static void install(struct rig *rig)
{
	rig_hop(rig, 1, FLOW_HOP_WIRE);
	for (unsigned i = 0; i < N_CLIENTS; i++) {
		const struct party p = party_of(i);

		rig_allocation(rig, p.client, p.relayed, p.peer, (uint16_t)(0x4000 + i));
	}
}

// A Send indication to the peer, and its bytes.
static size_t write_send(uint8_t *out, const char *peer, unsigned number)
{
	const struct endpoint address = rig_endpoint(peer);
	const uint8_t head[] = {0x00, 0x16, 0x00, 0x14, 0x21, 0x12, 0xa4, 0x42};

	memset(out, 0, PAYLOAD_BYTES);
	memcpy(out, head, sizeof(head));
	store_be16(out + 20, 0x0012);
	store_be16(out + 22, 8);
	store_be16(out + 24, 1);
	store_be16(out + 26, address.port ^ 0x2112);
	store_be32(out + 28, load_be32(address.ip.bytes) ^ 0x2112a442);
	store_be16(out + 32, 0x0013);
	store_be16(out + 34, 4);
	store_be32(out + 36, number);
	return 40;
}

static size_t write_channel_data(uint8_t *out, uint16_t channel, unsigned number)
{
	store_be16(out, channel);
	store_be16(out + 2, 4);
	store_be32(out + 4, number);
	return 8;
}

// Packet `number` of the load: of every kind in turn, of one client after the other. Some may not
// pass.
static struct frame packet_make(unsigned number)
{
	const unsigned i = number / 6 % N_CLIENTS;
	const struct party p = party_of(i);
	uint8_t payload[PAYLOAD_BYTES];
	struct datagram d = {p.client, SERVICE, .payload = payload};

	store_be32(payload, number);
	d.n = 4;
	switch (number % 6) {
	case 0:
		d.n = write_channel_data(payload, (uint16_t)(0x4000 + i), number);
		break;
	case 1:
		d.from = p.peer;
		d.to = p.relayed;
		break;
	case 2:
		d.from = p.other_port;
		d.to = p.relayed;
		break;
	case 3:
		d.n = write_send(payload, p.peer, number);
		break;
	case 4:
		d.n = write_channel_data(payload, 0x4fff, number);
		break;
	case 5:
		d.from = PEER;
		d.to = p.relayed;
		break;
	}
	return frame_udp(&d);
}

// As a NIC does: by the addresses and ports, so that both legs of a call may be anywhere.
static unsigned queue_of(const struct frame *frame, unsigned n_workers)
{
	uint32_t hash = load_u32(frame->bytes + 26) ^ load_u32(frame->bytes + 30) ^
		load_u32(frame->bytes + 34);

	return hash * 0x9e3779b1u >> 16 & (n_workers - 1);
}

struct polling {
	pthread_t thread;
	struct worker *worker;
	pthread_barrier_t *start;
};

// Until its queue is empty.
static void *poll_all(void *argument)
{
	const struct polling *polling = argument;

	pthread_barrier_wait(polling->start);
	while (worker_poll(polling->worker))
		;
	return NULL;
}

// What waits on the queues, by a thread for each worker, all at once and on all CPUs.
static void run_threads(struct rig *rig)
{
	struct polling pollings[N_WORKERS];
	pthread_barrier_t start;
	pthread_attr_t attributes;
	cpu_set_t all_cpus;

	memset(&all_cpus, 0xff, sizeof(all_cpus));
	pthread_attr_init(&attributes);
	pthread_attr_setaffinity_np(&attributes, sizeof(all_cpus), &all_cpus);
	pthread_barrier_init(&start, NULL, rig->n_workers);
	for (unsigned i = 0; i < rig->n_workers; i++) {
		pollings[i] = (struct polling){.worker = rig->workers[i].worker, .start = &start};
		cr_assert_eq(
			pthread_create(&pollings[i].thread, &attributes, poll_all, &pollings[i]),
			0);
	}
	for (unsigned i = 0; i < rig->n_workers; i++)
		pthread_join(pollings[i].thread, NULL);
	pthread_barrier_destroy(&start);
	pthread_attr_destroy(&attributes);
}

// The whole load. What became of packet i is out[i], empty where nothing was sent: whatever they
// become, packets end with their number.
static unsigned run_load(struct rig *rig, const struct frame *packets, struct frame *out)
{
	struct frame frame;
	unsigned n = 0;

	for (unsigned i = 0; i < N_PACKETS; i++) {
		out[i].n = 0;
		rig_receive_on(rig, queue_of(&packets[i], rig->n_workers), &packets[i]);
	}
	run_threads(rig);
	for (unsigned q = 0; q < rig->n_workers; q++) {
		for (; rig_sent_on(rig, q, &frame); n++) {
			const uint32_t number = load_be32(frame.bytes + frame.n - 4);

			cr_assert_lt(number, N_PACKETS);
			frame_blank(&frame);
			out[number] = frame;
		}
	}
	return n;
}

static void expect_equal(const struct frame *a, const struct frame *b)
{
	for (unsigned i = 0; i < N_PACKETS; i++)
		cr_assert(a[i].n == b[i].n && !memcmp(a[i].bytes, b[i].bytes, a[i].n), "packet %u",
			i);
}

static struct worker_stats sum_of(const struct rig *rig)
{
	struct worker_stats sum = {0};

	for (unsigned i = 0; i < rig->n_workers; i++)
		worker_stats_add(&sum, rig_stats_of(rig, i));
	return sum;
}

Test(several, four_threads_give_the_answers_of_one)
{
	static struct frame packets[N_PACKETS];
	static struct frame by_one[N_PACKETS];
	static struct frame by_four[N_PACKETS];
	struct worker_stats sums[2];
	struct rig one;
	struct rig four;

	rig_open(&one, &(struct rig_options){.name = "one"});
	rig_open(&four, &(struct rig_options){.name = "four", .n_workers = N_WORKERS});
	install(&one);
	install(&four);
	for (unsigned i = 0; i < N_PACKETS; i++)
		packets[i] = packet_make(i);
	for (int round = 0; round < ROUNDS; round++) {
		cr_assert_eq(run_load(&one, packets, by_one), N_PACKETS / 6 * 4);
		cr_assert_eq(run_load(&four, packets, by_four), N_PACKETS / 6 * 4);
		expect_equal(by_one, by_four);
	}
	sums[0] = sum_of(&one);
	sums[1] = sum_of(&four);
	cr_expect_arr_eq(sums[0].n_relayed, sums[1].n_relayed, sizeof(sums[0].n_relayed));
	cr_expect_arr_eq(
		sums[0].n_relayed_bytes, sums[1].n_relayed_bytes, sizeof(sums[0].n_relayed_bytes));
	cr_expect_arr_eq(sums[0].n_drops, sums[1].n_drops, sizeof(sums[0].n_drops));
	rig_close(&one);
	rig_close(&four);
}

// All the memory of one worker, which begins with a page and ends with its counters.
struct memory {
	struct pages parts[6];
};

static struct memory memory_of(const struct rig_worker *own)
{
	const struct flow_table *flows = worker_flows(own->worker);
	const struct worker_pub *last = worker_public(own->worker);
	const struct pages worker = {
		.base = own->worker,
		.n_bytes = (size_t)((const uint8_t *)(last + 1) - (const uint8_t *)own->worker),
	};

	return (struct memory){{
		worker,
		flows->bucket_pages,
		flows->entry_pages,
		own->punts.pages,
		own->others.pages,
		own->inbox.pages,
	}};
}

static void protect(const struct memory *memory, int protection)
{
	for (size_t i = 0; i < N_ELEMENTS(memory->parts); i++)
		cr_assert_eq(
			mprotect(memory->parts[i].base, memory->parts[i].n_bytes, protection), 0);
}

static void protect_all_but(const struct memory *memories, unsigned idx, int protection)
{
	for (unsigned i = 0; i < N_WORKERS; i++)
		if (i != idx)
			protect(&memories[i], protection);
}

// Relayed both ways and in both framings, answered, dropped, for control, for the kernel.
static void receive_all_kinds(struct rig *rig, unsigned queue)
{
	const struct datagram others[] = {
		{CLIENT, SERVICE,
			.payload = "\x00\x01\x00\x00\x21\x12\xa4\x42"
				   "0123456789ab",
			.n = 20},
		{CLIENT, SERVICE,
			.payload = "\x00\x03\x00\x00\x21\x12\xa4\x42"
				   "0123456789ab",
			.n = 20},
		{CLIENT, "198.18.0.9:53", .payload = "?", .n = 1},
	};
	struct frame frame;

	for (unsigned i = 0; i < 6; i++) {
		frame = packet_make(i);
		rig_receive_on(rig, queue, &frame);
	}
	for (size_t i = 0; i < N_ELEMENTS(others); i++) {
		frame = frame_udp(&others[i]);
		rig_receive_on(rig, queue, &frame);
	}
}

Test(several, a_worker_touches_no_page_of_another)
{
	struct memory memories[N_WORKERS];
	struct rig rig;

	rig_open(&rig, &(struct rig_options){.n_workers = N_WORKERS});
	install(&rig);
	for (unsigned i = 0; i < N_WORKERS; i++)
		memories[i] = memory_of(&rig.workers[i]);
	for (unsigned i = 0; i < N_WORKERS; i++) {
		const struct worker_stats *stats = rig_stats_of(&rig, i);

		receive_all_kinds(&rig, i);
		protect_all_but(memories, i, PROT_NONE);
		worker_poll(rig.workers[i].worker);
		protect_all_but(memories, i, PROT_READ | PROT_WRITE);
		cr_expect_eq(stats->n_tx, 5);
		cr_expect_eq(stats->n_punted, 1);
		cr_expect_eq(stats->n_mirrored, 1);
		cr_expect_eq(worker_stats_drops(stats), 2);
	}
	rig_close(&rig);
}

// The control core reads the counters: the lines it pulls away hold nothing else.
Test(several, what_control_reads_lies_on_lines_of_its_own)
{
	struct rig rig;

	rig_open(&rig, &(struct rig_options){0});
	cr_expect_eq((uintptr_t)worker_public(rig.worker) % CACHE_LINE_BYTES, 0);
	cr_expect_eq(sizeof(struct worker_pub) % CACHE_LINE_BYTES, 0);
	rig_close(&rig);
}
