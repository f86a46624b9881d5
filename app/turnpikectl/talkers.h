// The busiest allocations, by two answers of the daemon. It tells those that may be; each time it
// is asked for the best of the last time too, so that the list is the better the longer one looks.
#ifndef TURNPIKECTL_TALKERS_H
#define TURNPIKECTL_TALKERS_H

#include <jansson.h>

// `answer` and `rates` of the last time, or NULL.
json_t *talkers_request(const json_t *answer, const json_t *rates);
// A row for each allocation that is in both answers, the busiest first: packets and bits a second
// each way. `before` may be NULL.
json_t *talkers_rates(const json_t *before, const json_t *after);
// Of a row, both ways; 0 of NULL.
double talkers_packets(const json_t *row);

#endif
