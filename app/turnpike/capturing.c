#include "capturing.h"

#include <errno.h>
#include <rte_cycles.h>
#include <stdlib.h>
#include <time.h>

#define RECORDS_MAX 2048 // of each worker, that wait

static int create(struct capturing *capturing, const struct box *box,
	const struct capture_filter *filter, uint16_t snap_bytes)
{
	int rc = 0;

	for (; rc == 0 && capturing->n < box->n_workers; capturing->n++)
		rc = capture_create(
			&capturing->captures[capturing->n], filter, snap_bytes, RECORDS_MAX);
	if (rc)
		return rc;
	capturing->record = calloc(1, capture_record_bytes(capturing->captures[0]));
	return capturing->record ? 0 : -ENOMEM;
}

int capturing_begin(struct capturing *capturing, const struct box *box,
	struct capture_filter *filter, uint16_t snap_bytes)
{
	struct timespec now;
	uint64_t seq;
	int rc;

	if (capturing->filter)
		return -EBUSY;
	rc = create(capturing, box, filter, snap_bytes);
	if (rc == 0)
		rc = control_capture(box->control, capturing->captures, &seq);
	if (rc) {
		capturing_close(capturing);
		return rc;
	}
	capturing->filter = filter;
	clock_gettime(CLOCK_REALTIME, &now);
	capturing->begun_ticks = rte_rdtsc();
	capturing->begun_unix_ns = (uint64_t)now.tv_sec * NS_IN_S + (uint64_t)now.tv_nsec;
	return 0;
}

// Records of a burst that a worker took just before it began to be told are not there: ticks are
// never before the beginning by more than a burst.
static uint64_t unix_ns(const struct capturing *capturing, uint64_t ticks)
{
	const double passed = (double)(int64_t)(ticks - capturing->begun_ticks);

	return capturing->begun_unix_ns +
		(uint64_t)(int64_t)(passed * NS_IN_S / (double)rte_get_tsc_hz());
}

uint64_t capturing_now_ns(const struct capturing *capturing)
{
	return unix_ns(capturing, rte_rdtsc());
}

const struct capture_record *capturing_take(struct capturing *capturing, uint64_t *at_ns)
{
	for (size_t i = 0; i < capturing->n; i++) {
		struct capture *capture = capturing->captures[capturing->next];

		capturing->next = (capturing->next + 1) % capturing->n;
		if (!capture_take(capture, capturing->record))
			continue;
		*at_ns = unix_ns(capturing, capturing->record->ticks);
		return capturing->record;
	}
	return NULL;
}

uint64_t capturing_n_lost(const struct capturing *capturing)
{
	uint64_t n = 0;

	for (size_t i = 0; i < capturing->n; i++)
		n += capture_n_lost(capturing->captures[i]);
	return n;
}

void capturing_end(struct capturing *capturing, const struct box *box)
{
	capturing->ends = capturing->filter;
	capturing_settle(capturing, box);
}

void capturing_settle(struct capturing *capturing, const struct box *box)
{
	if (!capturing->ends)
		return;
	if (!capturing->is_told)
		capturing->is_told = control_capture(box->control, NULL, &capturing->seq) == 0;
	if (capturing->is_told && control_has_applied(box->control, capturing->seq))
		capturing_close(capturing);
}

void capturing_close(struct capturing *capturing)
{
	for (size_t i = 0; i < N_ELEMENTS(capturing->captures); i++)
		capture_destroy(capturing->captures[i]);
	capture_filter_destroy(capturing->filter);
	free(capturing->record);
	*capturing = (struct capturing){0};
}
