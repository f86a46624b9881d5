#include "echo.h"

#include "stamp.h"

static bool is_relay(const struct echo *echo, const struct ip_addr *ip)
{
	for (size_t i = 0; i < echo->n_relays; i++)
		if (prefix_contains(&echo->relays[i], ip))
			return true;
	return false;
}

// Make a packet up one that was given back; false where it is none.
static bool turn_round(struct datagram *datagram)
{
	struct stamp stamp;

	if (!stamp_is_sealed(datagram->bytes, datagram->n_bytes))
		return false;
	stamp = stamp_load(datagram->bytes);
	if (stamp.direction != UP)
		return false;
	stamp.direction = STAMP_ECHOED;
	stamp_store(datagram->bytes, &stamp);
	return true;
}

void echo_take(struct echo *echo, struct wire *wire, struct datagram *datagrams, size_t n)
{
	size_t n_kept = 0;
	size_t n_sent = 0;

	echo->n_received += n;
	for (size_t i = 0; i < n; i++) {
		if (!is_relay(echo, &datagrams[i].remote.ip))
			echo->n_strangers++;
		else if (!turn_round(&datagrams[i]))
			echo->n_foreign++;
		else
			datagrams[n_kept++] = datagrams[i];
	}
	if (n_kept)
		wire->send_burst(wire, datagrams, n_kept);
	for (size_t i = 0; i < n_kept; i++)
		n_sent += datagrams[i].sent;
	echo->n_returned += n_sent;
	echo->n_dropped += n_kept - n_sent;
}
