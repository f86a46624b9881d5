// The first bytes of RTP and STUN of observed flows, and when they came, to the control core.
#include "state.h"

#define US_IN_MS 1000
#define SEEN_PER_BELL 1024 // a quarter of control's ring

static uint64_t now_us(const struct worker *w)
{
	return w->ticks_per_ms >= US_IN_MS ? w->now_ticks / (w->ticks_per_ms / US_IN_MS)
					   : w->now_ticks * US_IN_MS / w->ticks_per_ms;
}

__attribute__((noinline)) void observe(
	struct worker *w, const struct flow_rewrite *to, const uint8_t *data, uint32_t n_bytes)
{
	struct msg msg = {
		.seq = atomic_load_explicit(&w->pub.applied_seq, memory_order_relaxed),
		.kind = MSG_SEEN,
		.allocation_idx = to->allocation_idx,
	};

	if (!w->seen || n_bytes < 2 || !quality_wants(data, n_bytes))
		return;
	n_bytes = n_bytes < QUALITY_HEAD_BYTES ? n_bytes : QUALITY_HEAD_BYTES;
	msg.seen = (struct quality_packet){
		.us = now_us(w),
		.way = to->kind == FLOW_UP_OBSERVED ? QUALITY_UP : QUALITY_DOWN,
		.n_bytes = (uint8_t)n_bytes,
	};
	memcpy(msg.seen.head, data, n_bytes);
	msg.number = w->n_seen++;
	w->bell |= w->n_seen % SEEN_PER_BELL == 0; // control may sleep for as long as it has room
	if (!msg_send(w->seen, &msg))
		w->pub.stats.n_seen_lost++;
}
