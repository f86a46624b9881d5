// What a request costs the control core, and what an allocation costs in memory.
//
//     build/bench/control [-w] [-r ROUNDS] [-n REQUESTS] ALLOCATIONS
//
// ALLOCATIONS clients with a channel each stay alive. A round is REQUESTS refreshes and as many
// whole lives (release, challenge, allocate, bind) of clients in scattered order. Requests come in
// as frames through the worker and its ring, and answers go out the same way; the time is that of
// the control core alone, by the clock of its thread: `ALLOCATIONS NAME MICROSECONDS`. `hmac` is
// the yardstick: one MESSAGE-INTEGRITY of a Refresh by OpenSSL. `round` ends a round. `bytes` comes
// once: all the memory that the process took for the server while it filled, for each allocation.
//
//     -w  wait for a line on standard input before each round; its end ends the rounds
#include "clients.h"
#include "server.h"

#include <getopt.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BATCH 256
#define BATCH_MS 1 // of the bench's time
#define N_MBUFS (4 * BATCH - 1)
#define HMACS 20000

struct options {
	bool wait;
	unsigned n_rounds;
	unsigned n_requests;
	uint32_t n_allocations;
};

struct bench {
	struct server server;
	struct clients clients;
	uint32_t next; // client
	uint32_t stride; // to the one after it: without common factor with their number
};

static double cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void put_requests(
	struct bench *bench, enum request request, const uint32_t *idxs, unsigned n)
{
	struct rig *rig = &bench->server.rig;
	struct rte_mbuf *mbufs[BATCH];

	if (rte_pktmbuf_alloc_bulk(rig->pool, mbufs, n))
		rig_fail("buffers are lost");
	for (unsigned i = 0; i < n; i++) {
		mbufs[i]->data_len = clients_write(
			&bench->clients, rte_pktmbuf_mtod(mbufs[i], uint8_t *), request, idxs[i]);
		mbufs[i]->pkt_len = mbufs[i]->data_len;
	}
	if (!rte_ring_enqueue_bulk(rig->port.memory_rx[0], (void **)mbufs, n, NULL))
		rig_fail("the port is full");
}

static void take_answers(struct bench *bench, unsigned n)
{
	struct rte_mbuf *mbufs[BATCH];

	if (rte_ring_dequeue_burst(
		    bench->server.rig.port.memory_tx[0], (void **)mbufs, BATCH, NULL) != n)
		rig_fail("a request was not answered");
	for (unsigned i = 0; i < n; i++)
		clients_read(
			&bench->clients, rte_pktmbuf_mtod(mbufs[i], uint8_t *), mbufs[i]->data_len);
	rte_pktmbuf_free_bulk(mbufs, n);
}

static void drain_worker(struct bench *bench)
{
	while (worker_poll(bench->server.subject.worker))
		;
}

// Returns the microseconds of the control core.
static double ask(struct bench *bench, enum request request, const uint32_t *idxs, unsigned n)
{
	struct server *server = &bench->server;
	double begin;
	double used;

	put_requests(bench, request, idxs, n);
	drain_worker(bench);
	server->time.now_ms += BATCH_MS;
	begin = cpu_us();
	while (control_poll(server->control, &server->time))
		;
	used = cpu_us() - begin;
	drain_worker(bench);
	take_answers(bench, n);
	return used;
}

static uint32_t common_factor(uint32_t a, uint32_t b)
{
	return b ? common_factor(b, a % b) : a;
}

// The golden section scatters.
static uint32_t choose_stride(uint32_t n)
{
	uint32_t stride = (uint32_t)(0.618 * n) + 1;

	while (common_factor(stride, n) != 1)
		stride++;
	return stride;
}

static unsigned choose_batch(struct bench *bench, uint32_t *idxs, unsigned n_wanted)
{
	const uint32_t n_all = bench->clients.n;
	const unsigned n_most = n_wanted < BATCH ? n_wanted : BATCH;
	const unsigned n = n_most < n_all ? n_most : n_all;

	for (unsigned i = 0; i < n; i++) {
		idxs[i] = bench->next;
		bench->next = (bench->next + bench->stride) % n_all;
	}
	return n;
}

static void fill(struct bench *bench)
{
	uint32_t idxs[BATCH];
	unsigned n;

	for (uint32_t n_done = 0; n_done < bench->clients.n; n_done += n) {
		n = choose_batch(bench, idxs, bench->clients.n - n_done);
		ask(bench, REQUEST_CHALLENGE, idxs, n);
		ask(bench, REQUEST_ALLOCATE, idxs, n);
		ask(bench, REQUEST_BIND, idxs, n);
	}
}

// One MESSAGE-INTEGRITY as lib/stun began: a context fetched once, its key set for each message.
static double measure_hmac(struct bench *bench)
{
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA1", 0),
		OSSL_PARAM_construct_end(),
	};
	const struct stun_key *key = &bench->clients.all[0].key;
	uint8_t frame[CLIENTS_FRAME_BYTES_MAX];
	const size_t n_bytes = clients_write(&bench->clients, frame, REQUEST_REFRESH, 0) -
		FLOWS_HEADER_BYTES - STUN_ATTR_HEADER_BYTES - STUN_SHA1_BYTES;
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);
	uint8_t out[STUN_SHA1_BYTES];
	double begin;
	bool good = ctx && EVP_MAC_CTX_set_params(ctx, params);

	begin = cpu_us();
	for (unsigned i = 0; i < HMACS && good; i++)
		good = EVP_MAC_init(ctx, key->bytes, key->n_bytes, NULL) &&
			EVP_MAC_update(ctx, frame + FLOWS_HEADER_BYTES, n_bytes) &&
			EVP_MAC_final(ctx, out, NULL, sizeof(out));
	begin = cpu_us() - begin;
	if (!good)
		rig_fail("OpenSSL has no HMAC");
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(hmac);
	return begin / HMACS;
}

static void run_round(struct bench *bench, const struct options *options)
{
	static const enum request life[] = {
		REQUEST_RELEASE, REQUEST_CHALLENGE, REQUEST_ALLOCATE, REQUEST_BIND};
	double used_us[REQUESTS] = {0};
	uint32_t idxs[BATCH];
	unsigned n;

	for (unsigned n_done = 0; n_done < options->n_requests; n_done += n) {
		n = choose_batch(bench, idxs, options->n_requests - n_done);
		for (size_t i = 0; i < N_ELEMENTS(life); i++)
			used_us[life[i]] += ask(bench, life[i], idxs, n);
	}
	for (unsigned n_done = 0; n_done < options->n_requests; n_done += n) {
		n = choose_batch(bench, idxs, options->n_requests - n_done);
		used_us[REQUEST_REFRESH] += ask(bench, REQUEST_REFRESH, idxs, n);
	}
	for (int request = 0; request < REQUESTS; request++)
		printf("%u %s %.3f\n", options->n_allocations, request_names[request],
			used_us[request] / options->n_requests);
	printf("%u hmac %.3f\nround\n", options->n_allocations, measure_hmac(bench));
	fflush(stdout);
}

// What the process holds: ordinary pages in memory, and 2 MiB pages, which those do not count.
static uint64_t memory_bytes(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	unsigned long n_kib = 0;
	unsigned long part;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmRSS: %lu kB", &part) == 1 ||
			sscanf(line, "HugetlbPages: %lu kB", &part) == 1)
			n_kib += part;
	if (file)
		fclose(file);
	return n_kib * 1024;
}

static void start(struct bench *bench, const struct options *options)
{
	uint64_t before;

	rig_open(&bench->server.rig, PORT_MEMORY, NULL, N_MBUFS);
	clients_open(&bench->clients, options->n_allocations);
	bench->stride = choose_stride(options->n_allocations);
	before = memory_bytes();
	server_open(&bench->server, options->n_allocations);
	fill(bench);
	printf("%u bytes %.1f\n", options->n_allocations,
		(double)(memory_bytes() - before) / options->n_allocations);
	printf("%u huge %d\n", options->n_allocations,
		worker_flows(bench->server.subject.worker)->entry_pages.huge);
	printf("ready\n");
	fflush(stdout);
}

static void finish(struct bench *bench)
{
	const char *wrong = turn_check(bench->server.turn);

	if (wrong)
		rig_fail(wrong);
	server_close(&bench->server);
	clients_close(&bench->clients);
	if (rte_mempool_avail_count(bench->server.rig.pool) != N_MBUFS)
		rig_fail("a packet is lost");
	rig_close(&bench->server.rig);
}

static bool may_begin(const struct options *options)
{
	char line[16];

	return !options->wait || fgets(line, sizeof(line), stdin);
}

static void read_options(struct options *options, int argc, char **argv)
{
	int letter;

	while ((letter = getopt(argc, argv, "wr:n:")) != -1) {
		switch (letter) {
		case 'w':
			options->wait = true;
			break;
		case 'r':
			options->n_rounds = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'n':
			options->n_requests = (unsigned)strtoul(optarg, NULL, 10);
			break;
		default:
			exit(64);
		}
	}
	options->n_allocations = optind < argc ? (uint32_t)strtoul(argv[optind], NULL, 10) : 0;
	if (options->n_allocations == 0 || options->n_allocations > FLOWS_ALLOCATIONS_MAX / 2)
		rig_fail("between 1 and 4000000 allocations");
}

static void start_eal(void)
{
	char *arguments[] = {"control", "--no-huge", "--no-shconf", "-m", "64", "--no-pci",
		"--no-telemetry", "--log-level=*:error", "--lcores", "0@1"};

	if (unshare(CLONE_NEWNET))
		rig_fail("a network namespace of its own needs root");
	if (rte_eal_init(N_ELEMENTS(arguments), arguments) < 0)
		rig_fail("DPDK does not start");
}

int main(int argc, char **argv)
{
	struct options options = {.n_rounds = 5, .n_requests = 16384};
	static struct bench bench;

	read_options(&options, argc, argv);
	start_eal();
	start(&bench, &options);
	for (unsigned i = 0; i < options.n_rounds && may_begin(&options); i++)
		run_round(&bench, &options);
	finish(&bench);
	rte_eal_cleanup();
	return 0;
}
