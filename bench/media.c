// What media of some clients suffer while the control core works at its limit for others.
//
//     build/bench/media [-w] [-r ROUNDS] [-s SECONDS] [-p PACKETS_A_SECOND] [ALLOCATIONS]
//
// Two threads: the control core on CPU 0; on CPU 1 the worker, which also plays clients, peers and
// wire, so its every round carries the bench's own work. Media of MEDIA_CLIENTS clients are due
// both ways at a steady rate; their latency counts from when they were due until they are taken
// from the port. Where the scheduler ran something else on the worker's CPU meanwhile, it is left
// out and its share is told; loss counts all. In a busy turn LIVES other clients end and begin anew
// without pause, WINDOW requests always waiting; those were signed beforehand.
//
// A round is a quiet turn and a busy one: `NAME SENT LOST AWAY P50 P99 MAX`, where AWAY is the
// share left out and times are nanoseconds; then `requests PER_SECOND IDLE`, where IDLE is the
// share of time that the control core found nothing to do, and `round`.
//
//     -w  wait for a line on standard input before each round; its end ends the rounds
#include "server.h"

#include <getopt.h>
#include <pthread.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define MEDIA_CLIENTS 1000
#define LIVES 1024
#define WINDOW 64
#define STEPS 4
#define BURST 32
#define N_MBUFS 8191
#define SAMPLES_MAX (8 << 20)
#define DRAIN_S 0.2
#define LONG_ROUND_S 10e-6 // one that long may have been interrupted
#define MEDIA_BYTES (FLOWS_HEADER_BYTES + 4 + FLOWS_DATA_BYTES)

static const enum request life[STEPS] = {
	REQUEST_RELEASE, REQUEST_CHALLENGE, REQUEST_ALLOCATE, REQUEST_BIND};

struct frame {
	uint16_t n_bytes;
	uint8_t bytes[CLIENTS_FRAME_BYTES_MAX];
};

// The last bytes of media.
struct stamp {
	uint64_t magic;
	uint64_t due_tsc;
};
static const uint64_t magic = 0x61696465; // no answer ends so: those end with an HMAC or a nonce

struct options {
	bool wait;
	unsigned n_rounds;
	double seconds;
	double pps;
	uint32_t n_allocations;
};

struct bench {
	struct server server;
	struct clients clients;
	struct frame media[2 * MEDIA_CLIENTS]; // up and down by turns
	struct frame requests[STEPS * LIVES]; // in the order they are sent
	uint32_t next_media;
	uint32_t next_request;
	atomic_bool stop;
	atomic_uint_least64_t idle_tsc; // of the control core's rounds that found nothing
	uint32_t samples[SAMPLES_MAX]; // nanoseconds
};

// One quiet or busy turn.
struct turn_result {
	uint64_t n_sent;
	uint64_t n_taken;
	uint64_t n_samples; // of what was taken, those that count
	uint64_t n_requests;
	uint64_t n_answers;
	double seconds;
	double idle_s; // of the control core
	uint64_t round_tsc; // when the worker's last round ended
	uint64_t clean_tsc; // what was due earlier does not count
	long n_switches; // of our thread, against its will
	bool late; // we were away, and not all is sent that was due then
};

static struct bench bench;

static uint64_t milliseconds(void)
{
	return rte_rdtsc() / (rte_get_tsc_hz() / MS_IN_S);
}

static void *control_main(void *argument)
{
	const uint64_t begin_ms = milliseconds();
	struct turn_time time = bench.server.time;
	const uint64_t base_ms = time.now_ms;
	uint64_t now_tsc = rte_rdtsc();

	while (!atomic_load_explicit(&bench.stop, memory_order_relaxed)) {
		const uint64_t begin_tsc = now_tsc;
		bool idle;

		time.now_ms = base_ms + milliseconds() - begin_ms;
		idle = control_poll(bench.server.control, &time) == 0;
		now_tsc = rte_rdtsc();
		if (idle)
			atomic_fetch_add_explicit(
				&bench.idle_tsc, now_tsc - begin_tsc, memory_order_relaxed);
	}
	return argument;
}

static void make_media(void)
{
	const struct endpoint service = flows_service();

	for (uint32_t i = 0; i < MEDIA_CLIENTS; i++) {
		const struct endpoint client = flows_client(i);
		const struct endpoint peer = flows_peer(i);
		struct frame *up = &bench.media[2 * i];
		struct frame *down = up + 1;

		up->n_bytes = MEDIA_BYTES;
		flows_write_headers(up->bytes, &client, &service, 4 + FLOWS_DATA_BYTES);
		store_be16(up->bytes + FLOWS_HEADER_BYTES, FLOWS_CHANNEL);
		store_be16(up->bytes + FLOWS_HEADER_BYTES + 2, FLOWS_DATA_BYTES);
		down->n_bytes = MEDIA_BYTES - 4;
		flows_write_headers(
			down->bytes, &peer, &bench.clients.all[i].relayed, FLOWS_DATA_BYTES);
	}
}

// Some clients at a time go through their lives together.
static void make_requests(void)
{
	struct frame *frame = bench.requests;

	for (uint32_t first = 0; first < LIVES; first += BURST) {
		for (int step = 0; step < STEPS; step++) {
			for (uint32_t i = 0; i < BURST; i++, frame++)
				frame->n_bytes = clients_write(&bench.clients, frame->bytes,
					life[step], MEDIA_CLIENTS + first + i);
		}
	}
}

static void put(struct rte_mbuf *mbuf, const struct frame *frame)
{
	memcpy(rte_pktmbuf_mtod(mbuf, uint8_t *), frame->bytes, frame->n_bytes);
	mbuf->data_len = frame->n_bytes;
	mbuf->pkt_len = frame->n_bytes;
}

static void send_frames(struct rte_mbuf **mbufs, unsigned n)
{
	if (!rte_ring_enqueue_bulk(bench.server.rig.port.memory_rx[0], (void **)mbufs, n, NULL))
		rig_fail("the port is full");
}

// The worker takes a burst a round: more than one would only wait, in buffers that are not endless.
static bool worker_is_behind(void)
{
	return rte_ring_count(bench.server.rig.port.memory_rx[0]) >= BURST;
}

static struct stamp *stamp_of(const struct rte_mbuf *mbuf)
{
	return rte_pktmbuf_mtod_offset(mbuf, struct stamp *, mbuf->data_len - sizeof(struct stamp));
}

static long count_switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nivcsw;
}

// Were we interrupted in this round? What was due until all is made up for does not count.
static void notice_absence(struct turn_result *turn)
{
	const uint64_t now_tsc = rte_rdtsc();
	const double round_s = (double)(now_tsc - turn->round_tsc) / (double)rte_get_tsc_hz();

	turn->round_tsc = now_tsc;
	if (round_s > LONG_ROUND_S) {
		const long n_switches = count_switches();

		turn->late |= n_switches != turn->n_switches;
		turn->n_switches = n_switches;
	}
	if (turn->late)
		turn->clean_tsc = now_tsc;
}

// All media that are due, a burst at most.
static void send_media(struct turn_result *turn, uint64_t begin_tsc, double tsc_per_packet)
{
	struct rte_mbuf *mbufs[BURST];
	const uint64_t now_tsc = rte_rdtsc();
	unsigned n = 0;

	if (worker_is_behind())
		return;
	for (; n < BURST; n++, turn->n_sent++) {
		const struct stamp stamp = {
			magic, begin_tsc + (uint64_t)((double)turn->n_sent * tsc_per_packet)};

		if (stamp.due_tsc > now_tsc)
			break;
		mbufs[n] = rte_pktmbuf_alloc(bench.server.rig.pool);
		if (!mbufs[n])
			rig_fail("buffers are lost");
		put(mbufs[n], &bench.media[bench.next_media]);
		memcpy(stamp_of(mbufs[n]), &stamp, sizeof(stamp));
		bench.next_media = (bench.next_media + 1) % N_ELEMENTS(bench.media);
	}
	turn->late &= n == BURST;
	if (n)
		send_frames(mbufs, n);
}

static void send_requests(struct turn_result *turn)
{
	struct rte_mbuf *mbufs[BURST];
	unsigned n = 0;

	if (worker_is_behind())
		return;
	for (; n < BURST && turn->n_requests < turn->n_answers + WINDOW; n++, turn->n_requests++) {
		mbufs[n] = rte_pktmbuf_alloc(bench.server.rig.pool);
		if (!mbufs[n])
			rig_fail("buffers are lost");
		put(mbufs[n], &bench.requests[bench.next_request]);
		bench.next_request = (bench.next_request + 1) % N_ELEMENTS(bench.requests);
	}
	if (n)
		send_frames(mbufs, n);
}

static uint32_t nanoseconds(uint64_t tsc)
{
	return (uint32_t)((double)tsc * 1e9 / (double)rte_get_tsc_hz());
}

static void take_frame(struct turn_result *turn, const struct rte_mbuf *mbuf)
{
	struct stamp stamp;

	memcpy(&stamp, stamp_of(mbuf), sizeof(stamp));
	if (stamp.magic != magic) {
		// An answer that is not due ends the program.
		clients_read(&bench.clients, rte_pktmbuf_mtod(mbuf, uint8_t *), mbuf->data_len);
		turn->n_answers++;
		return;
	}
	turn->n_taken++;
	if (stamp.due_tsc >= turn->clean_tsc)
		bench.samples[turn->n_samples++] = nanoseconds(turn->round_tsc - stamp.due_tsc);
}

// All that was on the port when the round ended.
static void take(struct turn_result *turn)
{
	struct rte_mbuf *mbufs[BURST];
	unsigned n;

	do {
		n = rte_ring_dequeue_burst(
			bench.server.rig.port.memory_tx[0], (void **)mbufs, BURST, NULL);
		for (unsigned i = 0; i < n; i++)
			take_frame(turn, mbufs[i]);
		rte_pktmbuf_free_bulk(mbufs, n);
	} while (n == BURST);
}

static void drain(struct turn_result *turn)
{
	const uint64_t end_tsc = rte_rdtsc() + (uint64_t)(DRAIN_S * (double)rte_get_tsc_hz());

	while (rte_rdtsc() < end_tsc) {
		worker_poll(bench.server.subject.worker);
		notice_absence(turn);
		take(turn);
	}
	if (turn->n_answers != turn->n_requests)
		rig_fail("a request was not answered");
}

static void run_turn(struct turn_result *turn, const struct options *options, bool busy)
{
	const double hz = (double)rte_get_tsc_hz();
	const uint64_t begin_tsc = rte_rdtsc();
	const uint64_t end_tsc = begin_tsc + (uint64_t)(options->seconds * hz);
	const uint64_t idle_tsc = atomic_load(&bench.idle_tsc);

	*turn = (struct turn_result){.round_tsc = begin_tsc, .n_switches = count_switches()};
	while (rte_rdtsc() < end_tsc) {
		send_media(turn, begin_tsc, hz / options->pps);
		if (busy)
			send_requests(turn);
		worker_poll(bench.server.subject.worker);
		notice_absence(turn);
		take(turn);
	}
	turn->seconds = (double)(rte_rdtsc() - begin_tsc) / hz;
	turn->idle_s = (double)(atomic_load(&bench.idle_tsc) - idle_tsc) / hz;
	drain(turn);
}

static int compare(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a;
	const uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void print_turn(const char *name, const struct turn_result *turn)
{
	const uint64_t n = turn->n_samples;

	if (n == 0)
		rig_fail("the CPU was never ours");
	qsort(bench.samples, n, sizeof(bench.samples[0]), compare);
	printf("%s %lu %lu %.4f %u %u %u\n", name, turn->n_sent, turn->n_sent - turn->n_taken,
		1 - (double)n / (double)turn->n_sent, bench.samples[n / 2],
		bench.samples[n * 99 / 100], bench.samples[n - 1]);
}

static void run_round(const struct options *options)
{
	struct turn_result turn;

	run_turn(&turn, options, false);
	print_turn("quiet", &turn);
	run_turn(&turn, options, true);
	print_turn("busy", &turn);
	printf("requests %.0f %.3f\nround\n", (double)turn.n_answers / turn.seconds,
		turn.idle_s / turn.seconds);
	fflush(stdout);
}

static void run_on(pthread_t thread, unsigned cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (pthread_setaffinity_np(thread, sizeof(cpus), &cpus))
		rig_fail("two CPUs are needed");
}

static void run(const struct options *options)
{
	pthread_t thread;

	rig_open(&bench.server.rig, PORT_MEMORY, NULL, N_MBUFS);
	clients_open(&bench.clients, options->n_allocations);
	server_open(&bench.server, options->n_allocations);
	server_fill(&bench.server, &bench.clients);
	make_media();
	make_requests();
	if (pthread_create(&thread, NULL, control_main, NULL))
		rig_fail("no thread");
	run_on(thread, 0);
	run_on(pthread_self(), 1);
	printf("ready\n");
	fflush(stdout);
	for (unsigned i = 0; i < options->n_rounds && rig_may_begin(options->wait); i++)
		run_round(options);
	atomic_store(&bench.stop, true);
	pthread_join(thread, NULL);
	server_close(&bench.server);
	clients_close(&bench.clients);
	rig_close(&bench.server.rig);
}

static void read_options(struct options *options, int argc, char **argv)
{
	int letter;

	while ((letter = getopt(argc, argv, "wr:s:p:")) != -1) {
		switch (letter) {
		case 'w':
			options->wait = true;
			break;
		case 'r':
			options->n_rounds = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			options->seconds = strtod(optarg, NULL);
			break;
		case 'p':
			options->pps = strtod(optarg, NULL);
			break;
		default:
			exit(64);
		}
	}
	if (optind < argc)
		options->n_allocations = (uint32_t)strtoul(argv[optind], NULL, 10);
	if (options->n_allocations < MEDIA_CLIENTS + LIVES ||
		options->n_allocations > FLOWS_ALLOCATIONS_MAX / 2)
		rig_fail("between 2024 and 4000000 allocations");
	if (options->seconds * options->pps < 1 || options->seconds * options->pps > SAMPLES_MAX)
		rig_fail("at least one packet, and at most 8 million");
}

int main(int argc, char **argv)
{
	struct options options = {
		.n_rounds = 5, .seconds = 1, .pps = 500000, .n_allocations = 100000};

	read_options(&options, argc, argv);
	server_start_eal();
	run(&options);
	rte_eal_cleanup();
	return 0;
}
