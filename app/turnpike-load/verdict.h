// Is what was measured the server's, or the generator's own?
#ifndef VERDICT_H
#define VERDICT_H

#include "echo.h"
#include "engine.h"

#define VERDICT_TEXT_BYTES 256

struct verdict {
	bool valid;
	char reasons[VERDICT_TEXT_BYTES]; // why not; "" where it is valid
};

// What came of a trial.
struct outcome {
	int64_t lag_max_ns; // given
	struct trial_result trial;
	uint64_t n_unreceived[N_DIRECTIONS]; // what this machine's own sockets threw away
	struct verdict verdict;
};

// Copy the engine's trial and judge it. It is INVALID where the 99th percentile of sending behind
// schedule is above `lag_max_ns`, or where the generator lost more than 0.1 % of a direction's
// packets, of the calls it was to begin, or of its control messages.
void verdict_take(struct outcome *out, const struct engine *engine,
	const uint64_t n_unreceived[static N_DIRECTIONS]);
// Of the mode echo: as of a direction.
void verdict_echo(struct verdict *out, const struct echo *echo, uint64_t n_unreceived);
void verdict_object(struct verdict *verdict, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

// Packets that the server, or the network to it, did not deliver.
uint64_t verdict_lost(const struct outcome *outcome, enum direction direction);
// A valid trial that lost no more than this in either direction.
bool verdict_passes(const struct outcome *outcome, double loss_percent);

#endif
