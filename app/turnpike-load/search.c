#include "search.h"

#define RESOLUTION 100 // a hundredth of the rate

void search_begin(struct search *search, uint64_t rate_max)
{
	*search = (struct search){.rate_max = rate_max};
}

uint64_t search_next(const struct search *search)
{
	const uint64_t gap = search->failed - search->passed;

	if (search->passed == search->rate_max)
		return 0;
	if (search->failed == 0)
		return search->rate_max;
	if (gap <= 1 || gap <= search->failed / RESOLUTION)
		return 0;
	return search->passed + gap / 2;
}

void search_tell(struct search *search, uint64_t rate, bool passed)
{
	if (passed)
		search->passed = rate;
	else
		search->failed = rate;
}
