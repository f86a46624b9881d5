#include "base/base.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <sys/mman.h>

static void assert_zeroed_and_writable(const struct pages *pages)
{
	uint8_t *bytes = pages->base;

	for (size_t i = 0; i < pages->n_bytes; i += 512)
		cr_assert_eq(bytes[i], 0);
	memset(bytes, 0xa5, pages->n_bytes);
	cr_assert_eq(bytes[pages->n_bytes - 1], 0xa5);
}

Test(base_pages, ordinary_pages_hold_what_was_asked_for)
{
	struct pages pages;

	cr_assert_eq(pages_map(&pages, 100001, NUMA_NODE_ANY, false), 0);
	cr_assert_geq(pages.n_bytes, 100001);
	cr_assert_eq(pages.n_bytes % 4096, 0);
	cr_assert_not(pages.huge);
	assert_zeroed_and_writable(&pages);
	pages_unmap(&pages);
	cr_assert_null(pages.base);
}

Test(base_pages, asking_for_huge_pages_works_with_and_without_them)
{
	struct pages pages;

	cr_assert_eq(pages_map(&pages, ((size_t)3 << 20) + 1, 0, true), 0);
	cr_assert_geq(pages.n_bytes, ((size_t)3 << 20) + 1);
	if (pages.huge) {
		cr_assert_eq(pages.n_bytes, (size_t)4 << 20);
		cr_assert_eq((uintptr_t)pages.base % ((size_t)2 << 20), 0);
	}
	assert_zeroed_and_writable(&pages);
	pages_unmap(&pages);
}

Test(base_pages, a_node_the_machine_lacks_is_any_node_without_noise)
{
	struct pages pages;

	cr_redirect_stderr();
	cr_assert_eq(pages_map(&pages, 4096, 1000, false), 0);
	assert_zeroed_and_writable(&pages);
	fputs("end", stderr);
	fflush(stderr);
	cr_assert_stderr_eq_str("end");
	pages_unmap(&pages);
}

Test(base_pages, what_no_machine_has_is_enomem)
{
	struct pages pages;

	cr_assert_eq(pages_map(&pages, SIZE_MAX, NUMA_NODE_ANY, true), -ENOMEM);
	cr_assert_null(pages.base);
	cr_assert_eq(pages_map(&pages, (size_t)1 << 60, NUMA_NODE_ANY, true), -ENOMEM);
	cr_assert_null(pages.base);
}

Test(base_pages, unmapping_twice_or_nothing_is_harmless)
{
	struct pages pages = {0};

	pages_unmap(&pages);
	cr_assert_eq(pages_map(&pages, 1, NUMA_NODE_ANY, false), 0);
	pages_unmap(&pages);
	pages_unmap(&pages);
	cr_assert_null(pages.base);
	cr_assert_eq(pages.n_bytes, 0);
}

// No packet pays for a first touch.
Test(base_pages, all_of_it_is_there_at_once)
{
	enum { N_PAGES = 64, PAGE_BYTES = 4096 };
	unsigned char resident[N_PAGES];
	struct pages pages;

	cr_assert_eq(pages_map(&pages, (size_t)N_PAGES * PAGE_BYTES, NUMA_NODE_ANY, false), 0);
	cr_assert_eq(mincore(pages.base, pages.n_bytes, resident), 0);
	for (int i = 0; i < N_PAGES; i++)
		cr_expect(resident[i] & 1, "page %d", i);
	pages_unmap(&pages);
}
