// Allocations whose media is looked at: a share of all, by their ids. Workers show the first bytes
// of RTP and STUN on their channels; what came of it is part of their tallies.
#include "state.h"

#include <stdlib.h>

#define SEEN_BURST 64

static bool is_chosen(const struct observers *o, uint64_t id)
{
	return (uint32_t)(id * 0x9e3779b97f4a7c15ULL >> 32) % 100 < o->percent;
}

// What is shown of this index counts for that one, which may have ended.
static struct observed *place_of(const struct observers *o, uint32_t allocation_idx)
{
	const uint32_t idx =
		allocation_idx < o->n_allocations ? o->of_allocations[allocation_idx] : 0;
	struct observed *place = idx ? &o->places[idx] : NULL;

	return place && place->id && place->allocation_idx == allocation_idx ? place : NULL;
}

uint32_t observed_of(const struct control *c, uint32_t allocation_idx, uint64_t id)
{
	const struct observed *place = place_of(&c->observers, allocation_idx);

	return place && place->id == id ? (uint32_t)(place - c->observers.places) : 0;
}

static uint32_t take_place(struct control *c)
{
	struct observers *o = &c->observers;
	uint32_t idx = o->free_place;
	struct observed *places;

	if (c->stats.n_observed == CONTROL_OBSERVED_MAX)
		return 0;
	if (idx) {
		o->free_place = o->places[idx].next_free;
	} else {
		idx = o->n_places + 1;
		places = array_grow(o->places, &o->capacity, idx, sizeof(*places));
		if (!places)
			return 0;
		o->places = places;
		o->n_places = idx;
	}
	c->stats.n_observed++;
	return idx;
}

uint32_t observed_begin(struct control *c, uint32_t allocation_idx, uint64_t id)
{
	struct observers *o = &c->observers;
	uint32_t *of_allocations;
	uint32_t idx = observed_of(c, allocation_idx, id);

	if (idx || !is_chosen(o, id))
		return idx;
	of_allocations = array_grow(
		o->of_allocations, &o->n_allocations, allocation_idx, sizeof(*of_allocations));
	if (!of_allocations)
		return 0;
	o->of_allocations = of_allocations;
	idx = take_place(c);
	if (idx)
		o->places[idx] = (struct observed){
			.id = id,
			.allocation_idx = allocation_idx,
			.begun_seq = c->seq,
			.n_gaps = o->n_gaps,
		};
	of_allocations[allocation_idx] = idx;
	return idx;
}

void observed_give(struct control *c, uint32_t observed_idx)
{
	struct observers *o = &c->observers;

	if (observed_idx == 0)
		return;
	o->places[observed_idx].id = 0;
	o->places[observed_idx].next_free = o->free_place;
	o->free_place = observed_idx;
	c->stats.n_observed--;
}

const struct quality *observed_find(const struct control *c, uint32_t observed_idx, uint64_t id)
{
	const struct observed *places = c->observers.places;

	return observed_idx && places[observed_idx].id == id ? &places[observed_idx].quality : NULL;
}

// What was shown before the flows of this life stood is of another.
static void take(struct control *c, const struct msg *msg)
{
	struct observed *place = place_of(&c->observers, msg->allocation_idx);

	if (!place || msg->seq <= place->begun_seq)
		return;
	if (place->n_gaps != c->observers.n_gaps)
		quality_break(&place->quality);
	place->n_gaps = c->observers.n_gaps;
	quality_add(&place->quality, &msg->seen);
}

// All that waits: whoever has ended is told when this was taken.
static unsigned take_seen(struct control *c, size_t worker_idx)
{
	struct msg messages[SEEN_BURST];
	unsigned n_taken = 0;
	unsigned n;

	do {
		n = msg_receive_burst(c->workers[worker_idx].seen, messages, SEEN_BURST);
		for (unsigned i = 0; i < n; i++) {
			if (messages[i].number != c->observers.numbers[worker_idx])
				c->observers.n_gaps++;
			c->observers.numbers[worker_idx] = messages[i].number + 1;
			take(c, &messages[i]);
		}
		n_taken += n;
	} while (n == SEEN_BURST && n_taken < CONTROL_SEEN_MAX);
	return n_taken;
}

unsigned observed_poll(struct control *c)
{
	unsigned n = 0;

	for (size_t i = 0; c->stats.n_observed && i < c->n_workers; i++)
		if (c->workers[i].seen)
			n += take_seen(c, i);
	return n;
}

void observed_fini(struct control *c)
{
	free(c->observers.places);
	free(c->observers.of_allocations);
}
