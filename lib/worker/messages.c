// What the control core decided, applied in the order it was sent.
#include "state.h"

#define MESSAGES_BURST 32
#define MESSAGES_MAX 2048 // in one go: packets must not starve

static void count_full(struct worker *w, int rc)
{
	w->pub.stats.n_table_full += rc != 0;
}

// What an entry has counted goes to control, if it wants to know.
static void send_count(struct worker *w, const struct msg *asked, const struct flow_count *count)
{
	const struct msg msg = {
		.seq = asked->seq,
		.kind = MSG_COUNTED,
		.tally_idx = asked->tally_idx,
		.count = *count,
	};

	if (count->n_packets == 0 || asked->tally_idx == 0 || !w->counts)
		return;
	if (msg_send(w->counts, &msg))
		w->bell = true;
	else
		w->pub.stats.n_counts_lost++;
}

static void count4(struct worker *w, const struct msg *asked, const struct flow4_entry *entry)
{
	const struct flow_count count = entry ? flow4_count(entry) : (struct flow_count){0};

	send_count(w, asked, &count);
}

static void count6(struct worker *w, const struct msg *asked, const struct flow6_entry *entry)
{
	const struct flow_count count = entry ? flow6_count(entry) : (struct flow_count){0};

	send_count(w, asked, &count);
}

static void apply(struct worker *w, const struct msg *msg)
{
	switch ((enum msg_kind)msg->kind) {
	case MSG_FLOW4_INSERT:
		count_full(w, flow4_insert(&w->flows4, &msg->flow4));
		break;
	case MSG_FLOW4_REMOVE:
		count4(w, msg, flow4_remove(&w->flows4, &msg->flow4_key));
		break;
	case MSG_FLOW4_COUNT:
		count4(w, msg, flow4_find(&w->flows4, &msg->flow4_key));
		break;
	case MSG_FLOW6_INSERT:
		count_full(w, flow6_insert(&w->flows6, &msg->flow6));
		break;
	case MSG_FLOW6_REMOVE:
		count6(w, msg, flow6_remove(&w->flows6, &msg->flow6_key));
		break;
	case MSG_FLOW6_COUNT:
		count6(w, msg, flow6_find(&w->flows6, &msg->flow6_key));
		break;
	case MSG_SETUP:
		setup_apply(w, msg->setup);
		break;
	case MSG_CAPTURE:
		capture_apply(w, msg->capture);
		break;
	case MSG_HOP_SET:
		w->hops[msg->hop_idx] = msg->hop;
		break;
	case MSG_ADDRESS_SET:
		neighbour_set_address(w, msg);
		break;
	case MSG_SEND:
		w->pub.stats.n_from_control++;
		transmit_queue(w, msg->port_idx, msg->mbuf);
		break;
	default:
		assert(!"a message that is not for a worker");
	}
}

unsigned apply_messages(struct worker *w)
{
	struct msg messages[MESSAGES_BURST];
	unsigned n_done = 0;
	unsigned n;

	do {
		n = msg_receive_burst(w->inbox, messages, MESSAGES_BURST);
		for (unsigned i = 0; i < n; i++)
			apply(w, &messages[i]);
		if (n)
			atomic_store_explicit(
				&w->pub.applied_seq, messages[n - 1].seq, memory_order_release);
		n_done += n;
	} while (n == MESSAGES_BURST && n_done < MESSAGES_MAX);
	return n_done;
}
