// Effects of lib/turn to messages for the workers.
#include "state.h"

unsigned broadcast_room(const struct control *c)
{
	unsigned room = UINT32_MAX;

	for (size_t i = 0; i < c->n_workers; i++) {
		const struct msg_channel *inbox = c->workers[i].inbox;
		const unsigned own = inbox ? msg_room(inbox) : UINT32_MAX;

		room = own < room ? own : room;
	}
	return room > c->n_outbox ? room - c->n_outbox : 0;
}

void outbox_send(struct control *c)
{
	for (size_t i = 0; i < c->n_workers && c->n_outbox; i++) {
		struct msg_channel *inbox = c->workers[i].inbox;
		const unsigned n_taken =
			inbox ? msg_send_burst(inbox, c->outbox, c->n_outbox) : c->n_outbox;

		assert(n_taken == c->n_outbox);
		(void)n_taken;
	}
	c->n_outbox = 0;
}

// install_targets(): every worker, for any queue may see either leg.
void broadcast(struct control *c, struct msg *msg)
{
	if (c->n_outbox == OUTBOX_MESSAGES)
		outbox_send(c);
	msg->seq = ++c->seq;
	c->outbox[c->n_outbox++] = *msg;
}

bool send_mbuf(struct control *c, size_t worker_idx, uint8_t port_idx, struct rte_mbuf *mbuf)
{
	const struct msg msg = {
		.seq = ++c->seq,
		.kind = MSG_SEND,
		.port_idx = port_idx,
		.mbuf = mbuf,
	};

	outbox_send(c);
	if (c->workers[worker_idx].inbox && msg_send(c->workers[worker_idx].inbox, &msg))
		return true;
	rte_pktmbuf_free(mbuf);
	return false;
}

// The answer needs one message more than the effects.
void effects_begin(struct control *c)
{
	const unsigned room = broadcast_room(c);
	const size_t capacity = room ? (room - 1) / MESSAGES_PER_EFFECT : 0;

	c->effects.items = c->effect_items;
	c->effects.n = 0;
	c->effects.capacity = capacity < TURN_EFFECTS_MAX ? capacity : TURN_EFFECTS_MAX;
}

static bool is_observed(struct control *c, const struct turn_effect *e)
{
	return c->observers.percent && observed_begin(c, e->allocation_idx, e->allocation_id);
}

// Which packets match, and what they become. The hops are found only for entries that come, not
// those that go.
static struct flow_spec spec_of(struct control *c, const struct turn_effect *e)
{
	struct flow_spec spec = {.allocation_idx = e->allocation_idx, .user_idx = e->user_idx};

	switch ((enum turn_effect_kind)e->kind) {
	case TURN_ALLOCATION_ADD:
	case TURN_ALLOCATION_REMOVE:
		spec.kind = e->moving ? FLOW_OWNER_MOVING : FLOW_OWNER;
		spec.local = e->service;
		spec.remote = e->client;
		spec.source = e->relayed;
		spec.target.ip.family = e->relayed.ip.family;
		break;
	case TURN_CHANNEL_UP_ADD:
		spec.hop_idx = hop_towards(c, &e->peer.ip, &e->relayed.ip);
		// fall through
	case TURN_CHANNEL_UP_REMOVE:
		spec.kind = e->moving ? FLOW_UP_MOVING : FLOW_UP;
		if (e->kind == TURN_CHANNEL_UP_ADD && !e->moving && is_observed(c, e))
			spec.kind = FLOW_UP_OBSERVED;
		spec.local = e->service;
		spec.remote = e->client;
		spec.channel = e->channel;
		spec.source = e->relayed;
		spec.target = e->peer;
		break;
	case TURN_PERMISSION_ADD:
		spec.peer_hop_idx = hop_towards(c, &e->peer.ip, &e->relayed.ip);
		// fall through
	case TURN_CHANNEL_DOWN_ADD:
		spec.hop_idx = hop_towards(c, &e->client.ip, &e->service.ip);
		// fall through
	default:
		spec.kind = e->kind == TURN_PERMISSION_ADD || e->kind == TURN_PERMISSION_REMOVE
			? FLOW_PERMISSION
			: FLOW_DOWN;
		if (e->kind == TURN_CHANNEL_DOWN_ADD && is_observed(c, e))
			spec.kind = FLOW_DOWN_OBSERVED;
		spec.local = e->relayed;
		spec.remote = e->peer;
		spec.channel = e->channel;
		spec.source = e->service;
		spec.target = e->client;
		break;
	}
	return spec;
}

static bool is_removal(enum turn_effect_kind kind)
{
	return kind == TURN_ALLOCATION_REMOVE || kind == TURN_PERMISSION_REMOVE ||
		kind == TURN_CHANNEL_UP_REMOVE || kind == TURN_CHANNEL_DOWN_REMOVE;
}

// What comes down to a client that has moved to the other family stood in the other table. (What it
// sends has a key of its own for each of its addresses.)
static void forget_other_table(
	struct control *c, const struct turn_effect *e, struct flow_spec spec)
{
	const bool is_ipv4 = flow_spec_is_ipv4(&spec);
	struct msg msg;

	if (e->kind != TURN_PERMISSION_ADD && e->kind != TURN_CHANNEL_DOWN_ADD)
		return;
	spec.source.ip.family = e->old_family;
	if (flow_spec_is_ipv4(&spec) == is_ipv4)
		return;
	msg = msg_flow_remove(&spec, tally_of(c, e->allocation_idx));
	broadcast(c, &msg);
}

// Without memory what was said of the hand-over before may end this one.
static void note_moving(struct control *c, uint32_t allocation_idx, uint64_t seq)
{
	uint64_t *seqs =
		array_grow(c->moving_seqs, &c->n_moving_seqs, allocation_idx, sizeof(*seqs));

	if (!seqs)
		return;
	c->moving_seqs = seqs;
	seqs[allocation_idx] = seq;
}

static void apply(struct control *c, const struct turn_effect *e)
{
	struct flow_spec spec;
	struct msg msg;

	if (e->kind == TURN_PORT_COOLING) {
		cooling_add(c, &e->relayed);
		if (e->last)
			tally_end(c, e->allocation_idx, e->allocation_id);
		return;
	}
	spec = spec_of(c, e);
	if (is_removal(e->kind)) {
		c->n_entries--;
		msg = msg_flow_remove(&spec, tally_of(c, e->allocation_idx));
	} else {
		c->n_entries += !e->replaces;
		msg = msg_flow_insert(&spec);
	}
	broadcast(c, &msg);
	if (e->moving && !is_removal(e->kind))
		note_moving(c, e->allocation_idx, msg.seq);
	if (e->replaces)
		forget_other_table(c, e, spec);
}

void effects_ask(struct control *c, uint32_t tally_idx)
{
	for (size_t i = 0; i < c->effects.n; i++) {
		struct turn_effect *e = &c->effects.items[i];
		struct flow_spec spec;
		struct msg msg;

		e->kind++; // a removal names the same entry, and needs no hop
		spec = spec_of(c, e);
		msg = msg_flow_count(&spec, tally_idx);
		broadcast(c, &msg);
	}
	c->effects.n = 0;
}

void effects_apply(struct control *c)
{
	for (size_t i = 0; i < c->effects.n; i++)
		apply(c, &c->effects.items[i]);
	c->effects.n = 0;
}
