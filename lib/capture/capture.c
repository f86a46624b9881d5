#include "capture.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct capture {
	const struct capture_filter *filter;
	struct rte_ring *ring;
	struct pages pages;
	uint16_t snap_bytes;
	unsigned slot_bytes; // a multiple of four, as rings want
	atomic_uint_least64_t n_lost;
	struct capture_record *record; // the worker's, where one is put together
};

static int create_ring(struct capture *capture, unsigned n_records)
{
	const unsigned n_slots = (unsigned)next_power_of_two(n_records + 1UL);
	const ssize_t n_bytes = rte_ring_get_memsize_elem(capture->slot_bytes, n_slots);
	const int rc = n_bytes < 0
		? -ENOMEM
		: pages_map(&capture->pages, (size_t)n_bytes, NUMA_NODE_ANY, false);

	if (rc)
		return rc;
	capture->ring = capture->pages.base;
	return rte_ring_init(capture->ring, "capture", n_slots, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

int capture_create(struct capture **out, const struct capture_filter *filter, uint16_t snap_bytes,
	unsigned n_records)
{
	struct capture *capture;
	int rc;

	*out = NULL;
	if (snap_bytes < CAPTURE_SNAP_MIN || snap_bytes > CAPTURE_SNAP_MAX)
		return -EINVAL;
	capture = calloc(1, sizeof(*capture));
	if (!capture)
		return -ENOMEM;
	capture->filter = filter;
	capture->snap_bytes = snap_bytes;
	capture->slot_bytes = (unsigned)round_up(sizeof(struct capture_record) + snap_bytes, 8);
	capture->record = calloc(1, capture->slot_bytes);
	rc = capture->record ? create_ring(capture, n_records) : -ENOMEM;
	if (rc) {
		capture_destroy(capture);
		return rc;
	}
	*out = capture;
	return 0;
}

void capture_destroy(struct capture *capture)
{
	if (!capture)
		return;
	pages_unmap(&capture->pages);
	free(capture->record);
	free(capture);
}

// Of a frame in several segments the first is kept.
static void put(struct capture *capture, const struct rte_mbuf *frame)
{
	struct capture_record *record = capture->record;

	record->n_bytes = frame->pkt_len;
	record->n_kept = RTE_MIN(frame->data_len, capture->snap_bytes);
	memcpy(record->bytes, rte_pktmbuf_mtod(frame, const uint8_t *), record->n_kept);
	if (rte_ring_sp_enqueue_elem(capture->ring, record, capture->slot_bytes))
		atomic_fetch_add_explicit(&capture->n_lost, 1, memory_order_relaxed);
}

void capture_burst(struct capture *capture, enum capture_way way, uint8_t port_idx,
	struct rte_mbuf *const *frames, unsigned n)
{
	capture->record->ticks = rte_rdtsc();
	capture->record->port_idx = port_idx;
	capture->record->way = (uint8_t)way;
	for (unsigned i = 0; i < n; i++)
		if (capture_filter_passes(capture->filter,
			    rte_pktmbuf_mtod(frames[i], const uint8_t *), frames[i]->pkt_len,
			    frames[i]->data_len))
			put(capture, frames[i]);
}

size_t capture_record_bytes(const struct capture *capture)
{
	return capture->slot_bytes;
}

bool capture_take(struct capture *capture, struct capture_record *out)
{
	return rte_ring_sc_dequeue_elem(capture->ring, out, capture->slot_bytes) == 0;
}

uint64_t capture_n_lost(const struct capture *capture)
{
	return atomic_load_explicit(&capture->n_lost, memory_order_relaxed);
}
