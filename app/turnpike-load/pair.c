#include "pair.h"

#include "wait.h"

// The datagrams of one side in a row go by one call. Returns how many of them.
static size_t send_run(const struct pair *pair, struct datagram *datagrams, size_t n)
{
	const bool peers = datagrams[0].slot >= pair->n_client_slots;
	const uint32_t first_slot = peers ? pair->n_client_slots : 0;
	struct wire *wire = peers ? pair->peers : pair->clients;
	size_t n_run = 0;

	while (n_run < n && (datagrams[n_run].slot >= pair->n_client_slots) == peers)
		datagrams[n_run++].slot -= first_slot;
	wire->send_burst(wire, datagrams, n_run);
	return n_run;
}

static void send_burst(struct wire *wire, struct datagram *datagrams, size_t n)
{
	const struct pair *pair = (const struct pair *)wire;

	for (size_t i = 0; i < n;)
		i += send_run(pair, datagrams + i, n - i);
}

// Half the room is for each side, so that a flood on one does not shut out the other.
static size_t receive_now(const struct pair *pair, struct datagram *datagrams, size_t n)
{
	size_t n_clients = pair->clients->receive_burst(pair->clients, datagrams, n / 2, 0);
	size_t n_all = n_clients;

	n_all += pair->peers->receive_burst(pair->peers, datagrams + n_clients, n - n_clients, 0);
	for (size_t i = n_clients; i < n_all; i++)
		datagrams[i].slot += pair->n_client_slots;
	return n_all;
}

static size_t receive_burst(
	struct wire *wire, struct datagram *datagrams, size_t n, int64_t wait_ns)
{
	const struct pair *pair = (const struct pair *)wire;
	const struct wait wait = wait_begin(wait_ns);
	size_t n_received;

	do
		n_received = receive_now(pair, datagrams, n);
	while (n_received == 0 && wait_more(&wait));
	return n_received;
}

static void count_drops(struct wire *wire, uint64_t n_drops[static N_DIRECTIONS])
{
	const struct pair *pair = (const struct pair *)wire;
	uint64_t n_clients[N_DIRECTIONS];
	uint64_t n_peers[N_DIRECTIONS];

	pair->clients->count_drops(pair->clients, n_clients);
	pair->peers->count_drops(pair->peers, n_peers);
	n_drops[DOWN] = n_clients[DOWN];
	n_drops[UP] = n_peers[UP];
}

void pair_init(struct pair *out, struct wire *clients, struct wire *peers, uint32_t n_client_slots)
{
	*out = (struct pair){
		.wire = {send_burst, receive_burst, count_drops},
		.clients = clients,
		.peers = peers,
		.n_client_slots = n_client_slots,
	};
}
