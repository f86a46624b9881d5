// The ring that grows: nothing is lost, nothing changes places.
#include "control/state.h"

#include <criterion/criterion.h>

static struct ring ring;
static uint64_t n_added, n_removed;

static void add(size_t n)
{
	for (size_t i = 0; i < n; i++, n_added++)
		cr_assert(ring_add(&ring, &n_added, sizeof(n_added)));
}

static void take(size_t n)
{
	for (size_t i = 0; i < n; i++, n_removed++) {
		const uint64_t *oldest = ring_oldest(&ring, sizeof(*oldest));

		cr_assert(oldest && *oldest == n_removed);
		ring_remove(&ring);
	}
}

// Full at each place where its first member can be.
Test(control_ring, grows_from_wherever_it_begins)
{
	for (size_t first = 0; first < 256; first += 51) {
		n_added = n_removed = 0;
		add(256);
		take(first);
		add(first);
		cr_assert_eq(ring.capacity, 256);
		add(300);
		take(400);
		add(900);
		take(1056);
		cr_expect_null(ring_oldest(&ring, sizeof(uint64_t)));
		cr_expect_eq(ring.n, 0);
		ring_fini(&ring);
	}
}
