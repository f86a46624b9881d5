// Two wires as one.
#include "app/turnpike-load/pair.h"

#include <criterion/criterion.h>

#define N_CLIENTS 10

// A wire that keeps the slots it was given and hands out `n_waiting` datagrams.
struct fake {
	struct wire wire; // first: it is handed back
	uint32_t slots[64];
	size_t n_sent;
	size_t n_bursts;
	size_t n_waiting;
	uint64_t n_drops[N_DIRECTIONS];
	bool refuses;
};

static void send_burst(struct wire *wire, struct datagram *datagrams, size_t n)
{
	struct fake *fake = (struct fake *)wire;

	fake->n_bursts++;
	for (size_t i = 0; i < n; i++) {
		fake->slots[fake->n_sent++] = datagrams[i].slot;
		datagrams[i].sent = !fake->refuses;
	}
}

static size_t receive_burst(
	struct wire *wire, struct datagram *datagrams, size_t n, int64_t wait_ns)
{
	struct fake *fake = (struct fake *)wire;
	size_t n_taken = 0;

	cr_assert_eq(wait_ns, 0, "one side waits while the other may have something");
	for (; fake->n_waiting && n_taken < n; fake->n_waiting--)
		datagrams[n_taken++].slot = 3;
	return n_taken;
}

static void count_drops(struct wire *wire, uint64_t n_drops[static N_DIRECTIONS])
{
	const struct fake *fake = (const struct fake *)wire;

	n_drops[UP] = fake->n_drops[UP];
	n_drops[DOWN] = fake->n_drops[DOWN];
}

static struct fake clients;
static struct fake peers;
static struct pair pair;
static struct datagram datagrams[64];

static void setup(void)
{
	clients.wire = (struct wire){send_burst, receive_burst, count_drops};
	peers.wire = clients.wire;
	pair_init(&pair, &clients.wire, &peers.wire, N_CLIENTS);
}

TestSuite(load_pair, .init = setup);

Test(load_pair, each_side_sends_what_is_of_its_slots)
{
	static const uint32_t slots[] = {0, 9, 10, 13, 4, 11};

	for (size_t i = 0; i < N_ELEMENTS(slots); i++)
		datagrams[i].slot = slots[i];
	peers.refuses = true;
	pair.wire.send_burst(&pair.wire, datagrams, N_ELEMENTS(slots));
	cr_assert_eq(clients.n_sent, 3);
	cr_assert_eq(clients.slots[1], 9);
	cr_assert_eq(clients.slots[2], 4);
	cr_assert_eq(peers.n_sent, 3);
	cr_assert_eq(peers.slots[0], 0);
	cr_assert_eq(peers.slots[1], 3);
	cr_assert_eq(peers.slots[2], 1);
	// In a row, in one call.
	cr_assert_eq(clients.n_bursts, 2);
	for (size_t i = 0; i < N_ELEMENTS(slots); i++)
		cr_expect_eq(datagrams[i].sent, slots[i] < N_CLIENTS, "%zu", i);
}

Test(load_pair, both_sides_are_received_with_their_own_slots)
{
	clients.n_waiting = 2;
	peers.n_waiting = 1;
	cr_assert_eq(pair.wire.receive_burst(&pair.wire, datagrams, 64, 1000000), 3);
	cr_assert_eq(datagrams[0].slot, 3);
	cr_assert_eq(datagrams[1].slot, 3);
	cr_assert_eq(datagrams[2].slot, N_CLIENTS + 3);
}

Test(load_pair, flood_on_one_side_leaves_room_for_the_other)
{
	clients.n_waiting = 1000;
	peers.n_waiting = 1000;
	cr_assert_eq(pair.wire.receive_burst(&pair.wire, datagrams, 64, 0), 64);
	cr_assert_eq(datagrams[31].slot, 3);
	cr_assert_eq(datagrams[32].slot, N_CLIENTS + 3);
}

Test(load_pair, silence_ends_with_the_time)
{
	cr_assert_eq(pair.wire.receive_burst(&pair.wire, datagrams, 64, 1000), 0);
}

Test(load_pair, drops_are_of_whom_they_befell)
{
	uint64_t n_drops[N_DIRECTIONS];

	// A port of frames cannot tell directions apart and says the same for both.
	clients.n_drops[UP] = clients.n_drops[DOWN] = 5;
	peers.n_drops[UP] = peers.n_drops[DOWN] = 7;
	pair.wire.count_drops(&pair.wire, n_drops);
	cr_assert_eq(n_drops[DOWN], 5);
	cr_assert_eq(n_drops[UP], 7);
}
