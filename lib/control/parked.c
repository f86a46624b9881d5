// Requests whose user is being asked for: a bounded number, for a bounded time. What finds no place
// is dropped; its client repeats it.
#include "state.h"

#define PARKED_MS_MAX 2000 // by then the client has repeated itself twice

// It has waited in vain.
static void lose(struct control *c, struct rte_mbuf *mbuf)
{
	const struct pkt_ends ends =
		pkt_ends_peek(rte_pktmbuf_mtod(mbuf, const uint8_t *), mbuf->data_len);
	struct endpoint client = {.port = __builtin_bswap16(ends.from_port_be)};

	if (ends.family != FAMILY_NONE)
		client.ip = ip_from_bytes((enum family)ends.family, ends.from_ip);
	tell_unanswered(c, &client, CONTROL_PARKED_LOST);
	c->stats.n_parked_lost++;
	rte_pktmbuf_free(mbuf);
}

void parked_add(struct control *c, const struct parked *request)
{
	if (c->n_parked == CONTROL_PARKED_MAX) {
		lose(c, request->mbuf);
		return;
	}
	c->parked[c->n_parked++] = *request;
	c->stats.n_parked++;
}

// Oldest first. Those that still wait keep their places.
static unsigned retry(struct control *c, const struct turn_time *time)
{
	const unsigned n = c->n_parked;

	c->n_parked = 0;
	for (unsigned i = 0; i < n; i++)
		if (!transact_request(c, time, &c->parked[i]))
			c->parked[c->n_parked++] = c->parked[i];
	return n - c->n_parked;
}

static void drop_old(struct control *c, const struct turn_time *time)
{
	unsigned n = 0;

	while (n < c->n_parked && time->now_ms - c->parked[n].since_ms > PARKED_MS_MAX)
		lose(c, c->parked[n++].mbuf);
	if (n == 0)
		return;
	c->n_parked -= n;
	memmove(c->parked, c->parked + n, c->n_parked * sizeof(c->parked[0]));
}

unsigned parked_poll(struct control *c, const struct turn_time *time)
{
	unsigned n = 0;

	if (c->users_answered) {
		c->users_answered = false;
		n = retry(c, time);
	}
	drop_old(c, time);
	return n;
}

void parked_fini(struct control *c)
{
	for (unsigned i = 0; i < c->n_parked; i++)
		rte_pktmbuf_free(c->parked[i].mbuf);
	c->n_parked = 0;
}
