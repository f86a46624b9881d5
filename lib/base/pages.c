#include "pages.h"

#include "units.h"

#include <errno.h>
#include <linux/mman.h>
#include <numa.h>
#include <sys/mman.h>
#include <unistd.h>

// A node the machine doesn't have is no reason to fail: the memory is as good anywhere.
static void bind_to_node(void *base, size_t n_bytes, int numa_node)
{
	if (numa_node < 0 || numa_available() < 0 || numa_node > numa_max_node())
		return;
	numa_tonode_memory(base, n_bytes, numa_node);
}

static int map(struct pages *out, size_t n_bytes, size_t page_bytes, int flags)
{
	void *base;

	n_bytes = round_up(n_bytes == 0 ? 1 : n_bytes, page_bytes);
	// A size that has wrapped around to zero is refused too.
	base = mmap(
		NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	if (base == MAP_FAILED)
		return -ENOMEM;
	*out = (struct pages){.base = base, .n_bytes = n_bytes};
	return 0;
}

// Touch all of it now: a first touch later would cost a packet a page fault. The pool of 2 MiB
// pages counts all nodes together, so a node may have none left after mmap(), and that touch would
// be a SIGBUS; MADV_POPULATE_WRITE (Linux 5.14) gives an error instead.
static int populate(struct pages *pages)
{
	if (madvise(pages->base, pages->n_bytes, MADV_POPULATE_WRITE) == 0)
		return 0;
	pages_unmap(pages);
	return -ENOMEM;
}

static int map_huge(struct pages *out, size_t n_bytes, int numa_node)
{
	if (map(out, n_bytes, PAGES_HUGE_BYTES, MAP_HUGETLB | MAP_HUGE_2MB) < 0)
		return -ENOMEM;
	bind_to_node(out->base, out->n_bytes, numa_node);
	out->huge = true;
	return populate(out);
}

int pages_map(struct pages *out, size_t n_bytes, int numa_node, bool try_huge)
{
	*out = (struct pages){0};
	if (try_huge && map_huge(out, n_bytes, numa_node) == 0)
		return 0;
	if (map(out, n_bytes, (size_t)sysconf(_SC_PAGESIZE), 0) < 0)
		return -ENOMEM;
	bind_to_node(out->base, out->n_bytes, numa_node);
	if (try_huge)
		madvise(out->base, out->n_bytes, MADV_HUGEPAGE);
	return populate(out);
}

void pages_unmap(struct pages *pages)
{
	if (pages->base != NULL)
		munmap(pages->base, pages->n_bytes);
	*pages = (struct pages){0};
}
