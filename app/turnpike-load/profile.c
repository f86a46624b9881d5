#include "profile.h"

#define AUDIO_PPS 50
#define AUDIO_BYTES 160
#define VIDEO_FPS 30
#define VIDEO_BURST 5
#define VIDEO_BYTES 1200

static void add(struct trial_config *out, struct stream_config stream)
{
	if (stream.events_per_s)
		out->streams[out->n_streams++] = stream;
}

static void add_audio(
	struct trial_config *out, enum stream_kind kind, uint32_t step, uint32_t n_calls)
{
	add(out,
		(struct stream_config){
			.kind = kind,
			.first_call = 0,
			.step = step,
			.events_per_s = (uint64_t)n_calls * AUDIO_PPS,
			.burst = 1,
			.payload_bytes = AUDIO_BYTES,
		});
}

static void add_video(
	struct trial_config *out, enum stream_kind kind, uint32_t step, uint32_t n_calls)
{
	add(out,
		(struct stream_config){
			.kind = kind,
			.first_call = step - 1,
			.step = step,
			.events_per_s = (uint64_t)n_calls * VIDEO_FPS,
			.burst = VIDEO_BURST,
			.payload_bytes = VIDEO_BYTES,
		});
}

static void add_direction(
	struct trial_config *out, const struct profile_config *config, enum stream_kind kind)
{
	switch (config->profile) {
	case PROFILE_AUDIO:
		add_audio(out, kind, 1, config->n_calls);
		break;
	case PROFILE_VIDEO:
		add_video(out, kind, 1, config->n_calls);
		break;
	case PROFILE_MIX:
		add_audio(out, kind, 2, (config->n_calls + 1) / 2);
		add_video(out, kind, 2, config->n_calls / 2);
		break;
	case PROFILE_FLOOD:
		add(out,
			(struct stream_config){
				.kind = kind,
				.step = 1,
				.events_per_s = config->rate,
				.burst = 1,
				.payload_bytes = config->payload_bytes,
			});
		break;
	}
}

void profile_trial(struct trial_config *out, const struct profile_config *config)
{
	*out = (struct trial_config){.duration_ns = config->duration_ns};
	if (config->directions[UP])
		add_direction(out, config, STREAM_UP);
	if (config->directions[DOWN])
		add_direction(out, config, STREAM_DOWN);
}

void profile_binding(struct trial_config *out, uint64_t rate, int64_t duration_ns)
{
	*out = (struct trial_config){.duration_ns = duration_ns};
	add(out,
		(struct stream_config){
			.kind = STREAM_BINDING, .step = 1, .events_per_s = rate, .burst = 1});
}
