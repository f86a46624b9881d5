#include "rows.h"

#include <criterion/criterion.h>

static void check_sent(struct rig *rig, const struct row *row)
{
	char from[64];
	char to[64];
	struct frame frame;
	struct datagram got;

	cr_assert(rig_sent(rig, &frame), "%s: nothing was sent", row->name);
	cr_assert(frame_read(&frame, &got, from, to), "%s: not a datagram", row->name);
	cr_expect_str_eq(got.from, row->out.from, "%s: from %s", row->name, got.from);
	cr_expect_str_eq(got.to, row->out.to, "%s: to %s", row->name, got.to);
	cr_expect_eq(got.n, row->out.n, "%s: %zu bytes", row->name, got.n);
	cr_expect(got.n != row->out.n || !memcmp(got.payload, row->out.payload, got.n),
		"%s: payload", row->name);
	cr_expect_eq(got.ttl, row->out.ttl, "%s: hop limit %u", row->name, got.ttl);
	cr_expect_eq(got.tos, row->out.tos, "%s: DSCP and ECN", row->name);
	cr_expect_eq(got.dont_fragment, row->out.dont_fragment, "%s: DF", row->name);
	cr_expect_eq(got.no_checksum, row->out.no_checksum, "%s: checksum 0", row->name);
	cr_expect_eq(got.bad_checksum, row->out.bad_checksum, "%s: checksum", row->name);
	cr_expect_eq(got.has_flow_label, row->out.has_flow_label, "%s: flow label", row->name);
	cr_expect_eq(got.vlan, row->out.vlan, "%s: tag %u", row->name, got.vlan);
	cr_expect(!memcmp(frame.bytes, rig_gateway_mac, 6), "%s: to the wrong station", row->name);
	cr_expect(
		!memcmp(frame.bytes + 6, rig_port_mac, 6), "%s: from the wrong station", row->name);
}

static void check_message(struct rig *rig, const struct row *row)
{
	struct msg_channel *channel =
		row->verdict == PUNTED ? &rig->workers[0].punts : &rig->workers[0].others;
	const enum msg_kind kind = row->verdict == PUNTED ? MSG_PUNT
		: row->verdict == MIRRORED                ? MSG_MIRROR
							  : MSG_KERNEL;
	struct msg msg;

	cr_assert(rig_control(rig, channel, &msg), "%s: nothing came to control", row->name);
	cr_expect_eq(msg.kind, kind, "%s: kind %u", row->name, msg.kind);
	rte_pktmbuf_free(msg.mbuf);
}

// By an ICMP error: worker_icmp.c looks at them.
static bool is_answered(enum drop drop)
{
	return drop == DROP_TTL_EXPIRED || drop == DROP_TOO_BIG;
}

// What came around has other addresses than it came with.
static void check_dropped(struct rig *rig, const struct row *row, uint64_t n_before)
{
	struct trace_run run;

	cr_expect_eq(rig_stats(rig)->n_drops[row->drop], n_before + 1, "%s: not dropped as %s",
		row->name, drop_name(row->drop));
	if (row->drop == DROP_LOOP_NOT_RELAYED)
		return;
	cr_assert(rig_traced(rig, row->drop, row->in.from, row->in.to, &run), "%s: not traced",
		row->name);
	cr_expect_not(run.key.out, "%s: traced on its way out", row->name);
}

void run_row(struct rig *rig, const struct row *row)
{
	const struct frame in = frame_udp(&row->in);
	const uint64_t n_dropped = rig_stats(rig)->n_drops[row->drop];
	struct frame extra;
	struct msg msg;

	rig_receive(rig, &in);
	worker_poll(rig->worker);
	if (row->verdict == SENT)
		check_sent(rig, row);
	else if (row->verdict != DROPPED)
		check_message(rig, row);
	else
		check_dropped(rig, row, n_dropped);
	if (row->verdict == DROPPED && is_answered(row->drop))
		cr_expect(rig_sent(rig, &extra), "%s: no ICMP error", row->name);
	cr_expect(!rig_sent(rig, &extra), "%s: a frame too many", row->name);
	cr_expect(
		!rig_control(rig, &rig->workers[0].punts, &msg), "%s: a punt too many", row->name);
	cr_expect(!rig_control(rig, &rig->workers[0].others, &msg), "%s: a mirrored frame too many",
		row->name);
}

void rig_expect_balance(const struct rig *rig)
{
	const struct worker_stats *s = rig_stats(rig);

	cr_expect_eq(s->n_rx + s->n_looped_in + s->n_from_control + s->n_made,
		s->n_tx + s->n_looped + s->n_punted + s->n_mirrored + s->n_kernel + s->n_absorbed +
			worker_stats_drops(s),
		"packets are unaccounted for");
}

void rig_expect_mirrored(struct rig *rig, const struct frame *frame, const char *what)
{
	struct msg msg;

	rig_receive(rig, frame);
	worker_poll(rig->worker);
	cr_assert(rig_control(rig, &rig->workers[0].others, &msg), "%s: not mirrored", what);
	cr_expect_eq(msg.kind, MSG_MIRROR);
	cr_expect_eq(msg.mbuf->data_len, frame->n, "%s: not as it came", what);
	cr_expect_arr_eq(rte_pktmbuf_mtod(msg.mbuf, uint8_t *), frame->bytes, frame->n);
	rte_pktmbuf_free(msg.mbuf);
}
