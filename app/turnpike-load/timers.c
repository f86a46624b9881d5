#include "timers.h"

#include <errno.h>
#include <stdlib.h>

int timers_init(struct timers *timers, uint32_t n_owners)
{
	*timers = (struct timers){
		.heap = calloc(n_owners, sizeof(*timers->heap)),
		.places = calloc(n_owners, sizeof(*timers->places)),
	};
	if (timers->heap && timers->places)
		return 0;
	timers_fini(timers);
	return -ENOMEM;
}

void timers_fini(struct timers *timers)
{
	free(timers->heap);
	free(timers->places);
	*timers = (struct timers){0};
}

static void put(struct timers *timers, uint32_t place, struct timer timer)
{
	timers->heap[place] = timer;
	timers->places[timer.owner] = place + 1;
}

static uint32_t sift_up(struct timers *timers, uint32_t place, int64_t due_ns)
{
	while (place > 0 && timers->heap[(place - 1) / 2].due_ns > due_ns) {
		put(timers, place, timers->heap[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	return place;
}

static uint32_t sift_down(struct timers *timers, uint32_t place, int64_t due_ns)
{
	for (;;) {
		uint32_t child = 2 * place + 1;

		if (child >= timers->n)
			return place;
		if (child + 1 < timers->n &&
			timers->heap[child + 1].due_ns < timers->heap[child].due_ns)
			child++;
		if (timers->heap[child].due_ns >= due_ns)
			return place;
		put(timers, place, timers->heap[child]);
		place = child;
	}
}

static void settle(struct timers *timers, uint32_t place, struct timer timer)
{
	place = sift_up(timers, place, timer.due_ns);
	put(timers, sift_down(timers, place, timer.due_ns), timer);
}

static void take_out(struct timers *timers, uint32_t place)
{
	timers->places[timers->heap[place].owner] = 0;
	timers->n--;
	if (place < timers->n)
		settle(timers, place, timers->heap[timers->n]);
}

void timers_set(struct timers *timers, uint32_t owner, int64_t due_ns)
{
	const uint32_t place = timers->places[owner];

	if (due_ns != TIMERS_NEVER)
		settle(timers, place ? place - 1 : timers->n++, (struct timer){due_ns, owner});
	else if (place)
		take_out(timers, place - 1);
}

int64_t timers_next(const struct timers *timers)
{
	return timers->n ? timers->heap[0].due_ns : TIMERS_NEVER;
}

uint32_t timers_pop(struct timers *timers)
{
	const uint32_t owner = timers->heap[0].owner;

	take_out(timers, 0);
	return owner;
}
