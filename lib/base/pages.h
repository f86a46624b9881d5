// Large, zeroed memory for tables: 2 MiB pages where the machine has some free, ordinary pages
// where not, on a given NUMA node. All of it is there at once, none is faulted in later.
#ifndef BASE_PAGES_H
#define BASE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#define NUMA_NODE_ANY (-1)
#define PAGES_HUGE_BYTES ((size_t)2 << 20) // of a page that `try_huge` is about

struct pages {
	void *base;
	size_t n_bytes; // mapped; at least what was asked for
	bool huge;
};

// Map at least `n_bytes` of zeroed memory on `numa_node` (or NUMA_NODE_ANY). With `try_huge`, 2 MiB
// pages come first and ordinary (transparent-huge advised) pages second.
//
// Returns 0; -ENOMEM where neither can be had.
int pages_map(struct pages *out, size_t n_bytes, int numa_node, bool try_huge);
// Harmless on a zeroed or already unmapped struct.
void pages_unmap(struct pages *pages);

#endif
