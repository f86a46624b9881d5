// What a request costs the control core, and what an allocation costs in memory.
//
//     build/bench/control [-l LEVEL] [-w] [-r ROUNDS] [-n REQUESTS] ALLOCATIONS
//
// ALLOCATIONS clients with a channel each stay alive. A round is REQUESTS refreshes and as many
// whole lives (release, challenge, allocate, bind) of clients in scattered order. Requests come in
// as frames through the worker and its ring, and answers go out the same way; the time is that of
// the control core alone, by the clock of its thread: `ALLOCATIONS NAME MICROSECONDS`. `hmac` is
// the yardstick: one MESSAGE-INTEGRITY of a Refresh by OpenSSL. `round` ends a round. `bytes` comes
// once: all the memory that the process took for the server while it filled, for each allocation.
// So does `first`, the time of an allocation then, when the kernel is asked where each new address
// is.
//
//     -l  log what happens to clients as the daemon does, at level 2 (info) or 3 (debug)
//     -w  wait for a line on standard input before each round; its end ends the rounds
#include "app/turnpike/events.h"
#include "clients.h"
#include "server.h"

#include <getopt.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>

#define N_MBUFS (4 * CLIENTS_BATCH - 1)
#define HMACS 20000

struct options {
	bool wait;
	unsigned log_level; // 0: nobody watches
	unsigned n_rounds;
	unsigned n_requests;
	uint32_t n_allocations;
};

struct bench {
	struct events events;
	struct server server;
	struct clients clients;
};

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

	begin = server_cpu_us();
	for (unsigned i = 0; i < HMACS && good; i++)
		good = EVP_MAC_init(ctx, key->bytes, key->n_bytes, NULL) &&
			EVP_MAC_update(ctx, frame + FLOWS_HEADER_BYTES, n_bytes) &&
			EVP_MAC_final(ctx, out, NULL, sizeof(out));
	begin = server_cpu_us() - begin;
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
	uint32_t idxs[CLIENTS_BATCH];
	unsigned n;

	for (unsigned n_done = 0; n_done < options->n_requests; n_done += n) {
		n = clients_choose(&bench->clients, idxs, options->n_requests - n_done);
		for (size_t i = 0; i < N_ELEMENTS(life); i++)
			used_us[life[i]] +=
				server_ask(&bench->server, &bench->clients, life[i], idxs, n);
	}
	for (unsigned n_done = 0; n_done < options->n_requests; n_done += n) {
		n = clients_choose(&bench->clients, idxs, options->n_requests - n_done);
		used_us[REQUEST_REFRESH] +=
			server_ask(&bench->server, &bench->clients, REQUEST_REFRESH, idxs, n);
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
	double first_us;
	uint64_t before;

	rig_open(&bench->server.rig, PORT_MEMORY, NULL, N_MBUFS);
	clients_open(&bench->clients, options->n_allocations);
	before = memory_bytes();
	if (options->log_level) {
		log_set_level((enum log_level)options->log_level);
		bench->server.watcher = events_watcher(&bench->events);
	}
	server_open(&bench->server, options->n_allocations);
	first_us = server_fill(&bench->server, &bench->clients);
	printf("%u bytes %.1f\n", options->n_allocations,
		(double)(memory_bytes() - before) / options->n_allocations);
	printf("%u first %.3f\n", options->n_allocations, first_us);
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

static void read_options(struct options *options, int argc, char **argv)
{
	int letter;

	while ((letter = getopt(argc, argv, "l:wr:n:")) != -1) {
		switch (letter) {
		case 'l':
			options->log_level = (unsigned)strtoul(optarg, NULL, 10);
			break;
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

int main(int argc, char **argv)
{
	struct options options = {.n_rounds = 5, .n_requests = 16384};
	static struct bench bench;

	read_options(&options, argc, argv);
	server_start_eal();
	start(&bench, &options);
	for (unsigned i = 0; i < options.n_rounds && rig_may_begin(options.wait); i++)
		run_round(&bench, &options);
	finish(&bench);
	rte_eal_cleanup();
	return 0;
}
