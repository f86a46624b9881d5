#include "echo_mode.h"

#include "clock.h"
#include "exit.h"
#include "report.h"

#include <stdio.h>

#define BURST 64
#define WAIT_NS (10 * (int64_t)NS_IN_MS)

static void print_ready(const struct options *options)
{
	char text[ADDR_TEXT_BYTES];

	printf("echo     ready at");
	for (size_t i = 0; i < options->n_echoes; i++) {
		const struct endpoint first = {options->echoes[i], options->echo_ports.min};

		printf(" %s-%u", endpoint_format(&first, text), options->echo_ports.max);
	}
	printf("\n");
	fflush(stdout);
}

static void print_progress(const struct echo *echo, uint64_t n_before, int64_t passed_ns)
{
	printf("echo     returned %.0f/s, %lu in all\n",
		(double)(echo->n_returned - n_before) * (double)NS_IN_S / (double)passed_ns,
		echo->n_returned);
	fflush(stdout);
}

static void serve(struct echo *echo, const struct options *options, struct wire *wire,
	const volatile sig_atomic_t *stop)
{
	const int64_t end_ns = clock_ns() + (int64_t)(options->duration_s * NS_IN_S);
	int64_t told_ns = clock_ns();
	int64_t now_ns = told_ns;
	uint64_t n_told = 0;

	while (!*stop && now_ns < end_ns && echo->n_returned < options->count) {
		struct datagram datagrams[BURST];
		const uint64_t n_left = options->count - echo->n_returned;
		const size_t n = wire->receive_burst(
			wire, datagrams, n_left < BURST ? n_left : BURST, WAIT_NS);

		echo_take(echo, wire, datagrams, n);
		now_ns = clock_ns();
		if (now_ns - told_ns < (int64_t)NS_IN_S)
			continue;
		print_progress(echo, n_told, now_ns - told_ns);
		told_ns = now_ns;
		n_told = echo->n_returned;
	}
}

int echo_mode_run(
	const struct options *options, struct wire *wire, const volatile sig_atomic_t *stop)
{
	struct echo echo = {.relays = options->relays, .n_relays = options->n_relays};
	uint64_t n_before[N_DIRECTIONS];
	uint64_t n_unreceived[N_DIRECTIONS];
	struct verdict verdict;
	int err = 0;

	wire->count_drops(wire, n_before);
	print_ready(options);
	serve(&echo, options, wire, stop);
	wire->count_drops(wire, n_unreceived);
	n_unreceived[UP] -= n_before[UP];
	verdict_echo(&verdict, &echo, n_unreceived[UP]);
	report_echo(&echo, n_unreceived[UP], &verdict);
	if (options->json_path)
		err = report_echo_json(&echo, n_unreceived[UP], &verdict, options->json_path);
	if (err)
		fprintf(stderr, "turnpike-load: %s: %s\n", options->json_path, strerror(-err));
	if (err)
		return EXIT_RESOURCE;
	return verdict.valid ? EXIT_MEASURED : EXIT_INVALID;
}
