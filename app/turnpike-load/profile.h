// Traffic profiles: what a mode's media looks like, as streams of a trial.
#ifndef PROFILE_H
#define PROFILE_H

#include "engine.h"

enum profile {
	PROFILE_AUDIO, // 50 packets of 160 B a second and call
	PROFILE_VIDEO, // 30 frames a second and call, each a burst of 5 packets of 1,200 B
	PROFILE_MIX, // audio for every other call, video for those between
	PROFILE_FLOOD, // `rate` packets a second of all calls together
};

struct profile_config {
	enum profile profile;
	uint32_t n_calls;
	bool directions[N_DIRECTIONS];
	uint64_t rate; // flood only: packets a second, each direction
	uint16_t payload_bytes; // flood only
	int64_t duration_ns;
};

void profile_trial(struct trial_config *out, const struct profile_config *config);
// Binding requests of all clients in turn.
void profile_binding(struct trial_config *out, uint64_t rate, int64_t duration_ns);

#endif
