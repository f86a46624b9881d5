// The control path on one screen: a request becomes an answer and effects; the answer follows its
// effects to the worker that brought the request, so the client's next packet finds its entry.
#include "state.h"

#include <rte_cycles.h>

#define ANSWER_BYTES_MAX 1500

// Answers are never fragmented.
static size_t answer_bytes_max(const struct control_port *port)
{
	const size_t room = port->mtu_bytes - PKT_IPV6_BYTES - PKT_UDP_BYTES;

	return room < ANSWER_BYTES_MAX ? room : ANSWER_BYTES_MAX;
}

static struct turn_request request_of(const struct pkt *p, const struct stun_view *view)
{
	return (struct turn_request){
		.service = pkt_target(p),
		.client = pkt_source(p),
		.view = view,
	};
}

// With full tables only what adds no entry goes on: lib/turn answers the rest with 508.
static bool tables_full(const struct control *c, const struct stun_view *view)
{
	return c->n_entries + TURN_EFFECTS_MAX > c->n_flows &&
		(view->method != STUN_REFRESH || stun_find(view, STUN_ATTR_MOBILITY_TICKET));
}

// As if the request had come to where the answer leaves from, and from where it goes. Both of our
// addresses are on the port that it came by.
static void turn_towards(const struct pkt *p, const struct turn_answer *answer)
{
	uint8_t *target_ip = p->l3 + (pkt_target_ip(p) - p->l3);

	memcpy(target_ip, answer->from.ip.bytes, family_bytes(p->family));
	store_be16(p->l4 + 2, answer->from.port);
	store_be16(p->l4, answer->to.port);
}

// The answer takes the request's place in its buffer. False where it does not fit.
static bool write_answer(struct control *c, struct rte_mbuf *mbuf, struct pkt *p,
	const struct turn_answer *answer, size_t n_bytes)
{
	if (p->payload + n_bytes > (uint8_t *)mbuf->buf_addr + mbuf->buf_len)
		return false;
	memcpy(p->payload, answer->bytes, n_bytes);
	turn_towards(p, answer);
	pkt_reply(p, (uint16_t)n_bytes, c->next_ip_id++);
	mbuf->data_off = (uint16_t)(p->frame - (uint8_t *)mbuf->buf_addr);
	mbuf->data_len = pkt_frame_bytes(p);
	mbuf->pkt_len = mbuf->data_len;
	mbuf->ol_flags = 0;
	return true;
}

// Whoever has not shown who he is may be somebody else's address.
static bool is_withheld(struct control *c, const struct turn_time *time, const struct pkt *p,
	const struct turn_answer *answer, size_t n_bytes)
{
	if (answer->known)
		return false;
	if (c->answers.ratio_percent &&
		n_bytes * 100 > (uint64_t)p->payload_bytes * c->answers.ratio_percent)
		return true;
	return !budget_take(&c->challenges, (enum family)p->family, pkt_source_ip(p), time->now_ms);
}

// With what the worker's round took before, and the wait for its user.
static void count_answer(struct control *c, const struct parked *request)
{
	const uint64_t ticks = rte_rdtsc() - request->punted_ticks;

	c->stats.n_answers++;
	latency_record(&c->stats.answers, ticks * NS_IN_MS / (rte_get_tsc_hz() / MS_IN_S));
}

void tell_unanswered(
	const struct control *c, const struct endpoint *client, enum control_silence why)
{
	if (c->witness.unanswered)
		c->witness.unanswered(c->witness.context, client, why);
}

bool transact_request(struct control *c, const struct turn_time *time, const struct parked *parked)
{
	const struct control_port *port = &c->ports[parked->port_idx];
	struct rte_mbuf *mbuf = parked->mbuf;
	struct turn_request request = {.view = NULL};
	struct stun_view view;
	uint8_t reply[ANSWER_BYTES_MAX];
	struct turn_answer answer = {reply, answer_bytes_max(port)};
	struct pkt p;
	size_t n_bytes = 0;

	if (pkt_parse(&p, rte_pktmbuf_mtod(mbuf, uint8_t *), mbuf->data_len, port->vlan) ==
			PKT_UDP &&
		stun_parse_any(&view, p.payload, p.payload_bytes) == 0) {
		request = request_of(&p, &view);
		effects_begin(c);
		if (tables_full(c, &view))
			c->effects.capacity = 0;
		n_bytes = turn_handle(c->turn, time, &request, &answer, &c->effects);
		effects_apply(c);
	}
	if (n_bytes == TURN_LATER)
		return false;
	if (n_bytes == 0) {
		c->stats.n_silent++;
		tell_unanswered(c, &request.client, CONTROL_SILENT);
		rte_pktmbuf_free(mbuf);
	} else if (is_withheld(c, time, &p, &answer, n_bytes)) {
		c->stats.n_answers_withheld++;
		tell_unanswered(c, &request.client, CONTROL_WITHHELD);
		rte_pktmbuf_free(mbuf);
	} else if (!write_answer(c, mbuf, &p, &answer, n_bytes)) {
		c->stats.n_answers_lost++;
		tell_unanswered(c, &request.client, CONTROL_LOST);
		rte_pktmbuf_free(mbuf);
	} else if (send_mbuf(c, parked->worker_idx, parked->port_idx, mbuf)) {
		count_answer(c, parked);
	} else {
		c->stats.n_answers_lost++;
		tell_unanswered(c, &request.client, CONTROL_LOST);
	}
	return true;
}

void transact(
	struct control *c, const struct turn_time *time, size_t worker_idx, const struct msg *msg)
{
	const struct parked request = {
		.mbuf = msg->mbuf,
		.punted_ticks = msg->punted_ticks,
		.since_ms = time->now_ms,
		.worker_idx = (uint16_t)worker_idx,
		.port_idx = msg->port_idx,
	};

	c->stats.n_punts++;
	if (!transact_request(c, time, &request))
		parked_add(c, &request);
}
