// The far echo gives back what it must, and nothing else.
#include "app/turnpike-load/echo.h"
#include "app/turnpike-load/stamp.h"

#include <criterion/criterion.h>

#define N_BYTES 160

static const struct prefix relays[] = {
	{{FAMILY_IPV4, {192, 0, 2, 0}}, 24}, {{FAMILY_IPV4, {203, 0, 113, 7}}, 32}};
static const struct endpoint relay = {{FAMILY_IPV4, {203, 0, 113, 7}}, 50000};

static struct datagram sent[4];
static size_t n_sent;
static bool refuses;

static void keep(struct wire *wire, struct datagram *datagrams, size_t n)
{
	(void)wire;
	for (size_t i = 0; i < n; i++) {
		datagrams[i].sent = !refuses;
		sent[n_sent++] = datagrams[i];
	}
}

static struct wire wire = {.send_burst = keep};

static struct datagram media(uint8_t bytes[static N_BYTES], uint8_t direction)
{
	const struct stamp stamp = {.magic = 1, .call = 2, .direction = direction, .due_ns = 5};

	stamp_store(bytes, &stamp);
	return (struct datagram){.slot = 3, .remote = relay, .bytes = bytes, .n_bytes = N_BYTES};
}

Test(load_echo, media_goes_back_where_it_came_from)
{
	struct echo echo = {.relays = relays, .n_relays = 2};
	uint8_t bytes[N_BYTES] = {0};
	struct datagram datagram = media(bytes, UP);
	struct stamp stamp;

	bytes[N_BYTES - 1] = 77;
	echo_take(&echo, &wire, &datagram, 1);
	cr_assert_eq(n_sent, 1);
	cr_assert_eq(sent[0].slot, 3);
	cr_assert(endpoint_equal(&sent[0].remote, &relay));
	cr_assert_eq(sent[0].n_bytes, N_BYTES);
	cr_assert_eq(sent[0].bytes[N_BYTES - 1], 77);
	cr_assert(stamp_is_sealed(sent[0].bytes, sent[0].n_bytes));
	stamp = stamp_load(sent[0].bytes);
	cr_assert_eq(stamp.direction, STAMP_ECHOED);
	cr_assert_eq(stamp.call, 2);
	cr_assert_eq(stamp.due_ns, 5);
	cr_assert_eq(echo.n_returned, 1);
}

Test(load_echo, what_is_not_ours_gets_no_answer)
{
	struct echo echo = {.relays = relays, .n_relays = 2};
	uint8_t bytes[N_BYTES] = {0};
	struct datagram datagram = media(bytes, UP);

	for (size_t i = 0; i < STAMP_BYTES; i++) {
		bytes[i] ^= 4;
		echo_take(&echo, &wire, &datagram, 1);
		cr_expect_eq(echo.n_foreign, i + 1, "byte %zu may be wrong", i);
		bytes[i] ^= 4;
	}
	datagram.n_bytes = STAMP_BYTES - 1;
	echo_take(&echo, &wire, &datagram, 1);
	// From a peer, or given back already: two echoes would play for ever.
	datagram = media(bytes, DOWN);
	echo_take(&echo, &wire, &datagram, 1);
	datagram = media(bytes, STAMP_ECHOED);
	echo_take(&echo, &wire, &datagram, 1);
	cr_assert_eq(echo.n_foreign, STAMP_BYTES + 3);
	cr_assert_eq(n_sent, 0);
}

Test(load_echo, strangers_get_no_answer)
{
	struct echo echo = {.relays = relays, .n_relays = 2};
	uint8_t bytes[3][N_BYTES] = {0};
	struct datagram datagrams[] = {
		media(bytes[0], UP), media(bytes[1], UP), media(bytes[2], UP)};

	datagrams[0].remote.ip.bytes[3] = 8; // 203.0.113.8
	datagrams[1].remote.ip = relays[0].ip;
	datagrams[1].remote.ip.bytes[3] = 200; // 192.0.2.200
	datagrams[2].remote.ip.bytes[0] = 204;
	echo_take(&echo, &wire, datagrams, 3);
	cr_assert_eq(n_sent, 1);
	cr_assert_eq(sent[0].remote.ip.bytes[3], 200);
	cr_assert_eq(echo.n_strangers, 2);
	cr_assert_eq(echo.n_received, 3);
}

Test(load_echo, what_the_wire_refuses_is_its_own_loss)
{
	struct echo echo = {.relays = relays, .n_relays = 2};
	uint8_t bytes[N_BYTES] = {0};
	struct datagram datagram = media(bytes, UP);

	refuses = true;
	echo_take(&echo, &wire, &datagram, 1);
	cr_assert_eq(echo.n_returned, 0);
	cr_assert_eq(echo.n_dropped, 1);
}
