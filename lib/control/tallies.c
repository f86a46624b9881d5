// What the flows of an allocation have carried. Each worker counts in its own entries, of which
// each has a part of the traffic; when an entry goes, or is asked for, its counters come in a
// message with the tally that the removal named. So what is counted for one allocation never
// stands with another, whatever indices are used again.
#include "state.h"

#include <errno.h>
#include <stdlib.h>

#define COUNTS_BURST 64

static uint32_t take_tally(struct tallies *t)
{
	uint32_t idx = t->free_tally;
	struct tally *tallies;

	if (idx) {
		t->free_tally = t->tallies[idx].next_free;
	} else {
		idx = t->n_tallies + 1;
		tallies = array_grow(t->tallies, &t->tallies_capacity, idx, sizeof(*tallies));
		if (!tallies)
			return 0;
		t->tallies = tallies;
		t->n_tallies = idx;
	}
	t->tallies[idx] = (struct tally){0};
	return idx;
}

static void give_tally(struct tallies *t, uint32_t idx)
{
	struct tally *tally = &t->tallies[idx];
	uint32_t next;

	if (idx == 0)
		return;
	for (uint32_t i = tally->first_peer; i; i = next) {
		next = t->peers[i].next;
		t->peers[i].next = t->free_peer;
		t->free_peer = i;
	}
	tally->next_free = t->free_tally;
	t->free_tally = idx;
}

static uint32_t take_peer(struct tallies *t)
{
	uint32_t idx = t->free_peer;
	struct tally_peer *peers;

	if (idx) {
		t->free_peer = t->peers[idx].next;
		return idx;
	}
	idx = t->n_peers + 1;
	peers = array_grow(t->peers, &t->peers_capacity, idx, sizeof(*peers));
	if (!peers)
		return 0;
	t->peers = peers;
	t->n_peers = idx;
	return idx;
}

static void add(struct control_traffic *traffic, const struct flow_count *count)
{
	const enum control_way way = count->up ? CONTROL_UP : CONTROL_DOWN;

	traffic->n_packets[way] += count->n_packets;
	traffic->n_bytes[way] += count->n_bytes;
}

// The tally's own place for it; 0 where it has none and can have none.
static uint32_t peer_of(struct tallies *t, uint32_t tally_idx, const struct endpoint *peer)
{
	struct tally *tally = &t->tallies[tally_idx];
	uint32_t last = 0, idx;

	for (idx = tally->first_peer; idx; last = idx, idx = t->peers[idx].next)
		if (endpoint_equal(&t->peers[idx].peer.peer, peer))
			return idx;
	idx = tally->n_peers < CONTROL_PEERS_MAX ? take_peer(t) : 0;
	if (idx == 0) {
		tally->more_peers = true;
		return 0;
	}
	t->peers[idx] = (struct tally_peer){.peer.peer = *peer};
	if (last)
		t->peers[last].next = idx;
	else
		tally->first_peer = idx;
	tally->n_peers++;
	return idx;
}

static void count(struct tallies *t, uint32_t tally_idx, const struct flow_count *count)
{
	uint32_t peer_idx;

	add(&t->tallies[tally_idx].sum, count);
	if (count->peer.ip.family == FAMILY_NONE)
		return;
	peer_idx = peer_of(t, tally_idx, &count->peer);
	if (peer_idx)
		add(&t->peers[peer_idx].peer.traffic, count);
}

uint32_t tally_of(struct control *c, uint32_t allocation_idx)
{
	struct tallies *t = &c->tallies;
	uint32_t *of_allocations = array_grow(
		t->of_allocations, &t->n_allocations, allocation_idx, sizeof(*of_allocations));
	uint32_t idx;

	if (of_allocations)
		t->of_allocations = of_allocations;
	idx = !of_allocations                    ? 0
		: of_allocations[allocation_idx] ? of_allocations[allocation_idx]
						 : take_tally(t);
	if (idx)
		of_allocations[allocation_idx] = idx;
	else
		c->stats.n_counts_lost++;
	return idx;
}

// The removals were broadcast before: c->seq is of the last of them, or later.
void tally_end(struct control *c, uint32_t allocation_idx, uint64_t id)
{
	struct tallies *t = &c->tallies;
	const struct tally_end end = {
		.seq = c->seq,
		.id = id,
		.tally_idx =
			allocation_idx < t->n_allocations ? t->of_allocations[allocation_idx] : 0,
		.observed_idx = observed_of(c, allocation_idx, id),
	};

	if (end.tally_idx)
		t->of_allocations[allocation_idx] = 0;
	if (!ring_add(&t->ends, &end, sizeof(end))) // its places are too: workers still name it
		log_event(LOG_ERROR, "tally.lost", "reason=out_of_memory");
}

// Whose tally is told, and what was seen of it.
struct subject {
	uint64_t id;
	uint32_t tally_idx;
	uint32_t observed_idx;
};

static struct control_tally sum_up(const struct control *c, const struct subject *subject)
{
	const struct tallies *t = &c->tallies;
	const struct tally *tally = subject->tally_idx ? &t->tallies[subject->tally_idx] : NULL;
	const struct quality *quality = observed_find(c, subject->observed_idx, subject->id);
	struct control_tally out = {.allocation_id = subject->id, .observed = quality != NULL};

	if (tally) {
		out.sum = tally->sum;
		out.more_peers = tally->more_peers;
	}
	for (unsigned way = 0; quality && way < QUALITY_WAYS; way++)
		out.quality[way] = quality_get(quality, (enum quality_way)way);
	for (uint32_t i = tally ? tally->first_peer : 0; i; i = t->peers[i].next)
		out.peers[out.n_peers++] = t->peers[i].peer;
	return out;
}

static void tell_end(struct control *c, const struct tally_end *end)
{
	const struct control_tally tally =
		sum_up(c, &(struct subject){end->id, end->tally_idx, end->observed_idx});

	if (tally.observed)
		quality_spread_add(&c->observers.spreads, tally.quality);
	if (c->tallies.ended.take)
		c->tallies.ended.take(c->tallies.ended.context, &tally);
}

static void take(struct tallies *t, const struct msg *msg)
{
	count(t, msg->tally_idx, &msg->count);
	for (unsigned i = 0; i < t->n_asks; i++)
		if (t->asks[i].own_idx == msg->tally_idx && msg->seq < t->asks[i].first_seq)
			count(t, t->asks[i].tally_idx, &msg->count);
}

static unsigned take_counts(struct control *c, struct msg_channel *channel)
{
	struct msg messages[COUNTS_BURST];
	unsigned n_taken = 0;
	unsigned n;

	do {
		n = msg_receive_burst(channel, messages, COUNTS_BURST);
		for (unsigned i = 0; i < n; i++)
			take(&c->tallies, &messages[i]);
		n_taken += n;
	} while (n == COUNTS_BURST);
	return n_taken;
}

static void finish_ends(struct control *c, uint64_t applied)
{
	struct tallies *t = &c->tallies;
	const struct tally_end *oldest;

	while ((oldest = ring_oldest(&t->ends, sizeof(*oldest))) && oldest->seq <= applied) {
		const struct tally_end end = *oldest;

		ring_remove(&t->ends);
		tell_end(c, &end);
		give_tally(t, end.tally_idx);
		observed_give(c, end.observed_idx);
	}
}

static void finish_asks(struct control *c, uint64_t applied)
{
	struct tallies *t = &c->tallies;
	unsigned n = 0;

	while (n < t->n_asks && t->asks[n].last_seq <= applied)
		n++;
	for (unsigned i = 0; i < n; i++) {
		const struct tally_ask ask = t->asks[i];
		const struct control_tally tally =
			sum_up(c, &(struct subject){ask.id, ask.tally_idx, ask.observed_idx});

		ask.taker.take(ask.taker.context, &tally);
		give_tally(t, ask.tally_idx);
	}
	t->n_asks -= n;
	memmove(t->asks, t->asks + n, t->n_asks * sizeof(t->asks[0]));
}

// What a worker has counted for a message is in its ring before it says that it has applied it.
unsigned tallies_poll(struct control *c)
{
	struct tallies *t = &c->tallies;
	const uint64_t applied = t->ends.n || t->n_asks ? applied_by_all(c) : 0;
	unsigned n = 0;

	for (size_t i = 0; i < c->n_workers; i++)
		if (c->workers[i].counts)
			n += take_counts(c, c->workers[i].counts);
	n += observed_poll(c);
	finish_asks(c, applied); // they were asked while it lived
	finish_ends(c, applied);
	return n;
}

// What has ended up to now, for a question.
static void copy_tally(struct tallies *t, uint32_t to_idx, uint32_t from_idx)
{
	t->tallies[to_idx].sum = t->tallies[from_idx].sum;
	t->tallies[to_idx].more_peers = t->tallies[from_idx].more_peers;
	for (uint32_t i = t->tallies[from_idx].first_peer; i; i = t->peers[i].next) {
		const uint32_t idx = peer_of(t, to_idx, &t->peers[i].peer.peer);

		if (idx)
			t->peers[idx].peer.traffic = t->peers[i].peer.traffic;
	}
}

int control_tally_ask(struct control *control, uint64_t id, const struct control_tally_taker *taker)
{
	struct tallies *t = &control->tallies;
	struct tally_ask ask = {.id = id, .taker = *taker, .first_seq = control->seq + 1};
	uint32_t allocation_idx;
	int rc;

	if (t->n_asks == CONTROL_ASKS_MAX)
		return -EAGAIN;
	effects_begin(control);
	rc = turn_allocation_entries(control->turn, id, &control->effects);
	if (rc)
		return rc;
	allocation_idx = control->effects.items[0].allocation_idx;
	ask.tally_idx = take_tally(t);
	if (ask.tally_idx == 0) {
		control->effects.n = 0;
		return -EAGAIN;
	}
	if (allocation_idx < t->n_allocations)
		ask.own_idx = t->of_allocations[allocation_idx];
	ask.observed_idx = observed_of(control, allocation_idx, id);
	if (ask.own_idx)
		copy_tally(t, ask.tally_idx, ask.own_idx);
	effects_ask(control, ask.tally_idx);
	ask.last_seq = control->seq;
	t->asks[t->n_asks++] = ask;
	return 0;
}

// Who has asked may wait for it to free what he keeps for the answer.
void tallies_fini(struct control *c)
{
	finish_asks(c, UINT64_MAX);
	free(c->tallies.tallies);
	free(c->tallies.peers);
	free(c->tallies.of_allocations);
	ring_fini(&c->tallies.ends);
}
