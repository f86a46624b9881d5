// One RTP stream: its sequence numbers and its jitter. Private to lib/quality.
#ifndef QUALITY_RTP_H
#define QUALITY_RTP_H

#include "quality.h"

// Of this stream, or the first of it: then it is zero.
void rtp_add(struct quality_stream *stream, const struct quality_packet *packet);
uint64_t rtp_lost(const struct quality_stream *stream);

#endif
