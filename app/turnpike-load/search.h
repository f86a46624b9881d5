// The binary search for the highest rate that passes, in the manner of RFC 2544: the most first,
// then halves, until the rate is known to one percent.
#ifndef SEARCH_H
#define SEARCH_H

#include <stdbool.h>
#include <stdint.h>

struct search {
	uint64_t passed; // the highest rate that did; 0: none yet
	uint64_t failed; // the lowest that did not; 0: none yet
	uint64_t rate_max;
};

void search_begin(struct search *search, uint64_t rate_max);
// The rate to try; 0: the search is over and `passed` is the answer.
uint64_t search_next(const struct search *search);
void search_tell(struct search *search, uint64_t rate, bool passed);

#endif
