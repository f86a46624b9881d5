// What the daemon answers turnpikectl: a function for each verb, in verb_*.c. `context` is the
// struct loop.
#ifndef TURNPIKE_VERBS_H
#define TURNPIKE_VERBS_H

#include "admin/admin.h"
#include "loop.h"

// Open the socket, where the configuration has one. Returns 0, or an exit status with the error
// logged.
int verbs_open(struct loop *loop);

void verb_status(struct admin_call *call, void *context);
void verb_workers(struct admin_call *call, void *context);
void verb_ports(struct admin_call *call, void *context);
void verb_routes(struct admin_call *call, void *context);
void verb_peers(struct admin_call *call, void *context);
void verb_realms(struct admin_call *call, void *context);
void verb_allocations(struct admin_call *call, void *context);
void verb_allocation(struct admin_call *call, void *context);
void verb_allocation_end(struct admin_call *call, void *context);
void verb_talkers(struct admin_call *call, void *context);
void verb_talkers_end(struct admin_call *call, void *context);
void verb_config(struct admin_call *call, void *context);
void verb_config_end(struct admin_call *call, void *context);
void verb_capture(struct admin_call *call, void *context);
void verb_capture_end(struct admin_call *call, void *context);
void verb_kick(struct admin_call *call, void *context);
void verb_kick_end(struct admin_call *call, void *context);
void verb_reload(struct admin_call *call, void *context);
void verb_drain(struct admin_call *call, void *context);
void verb_log(struct admin_call *call, void *context);
void verb_trace(struct admin_call *call, void *context);
void verb_trace_end(struct admin_call *call, void *context);

// An argument that is a text, or NULL.
const char *verb_text(const struct admin_call *call, const char *key);
// One that is an address, port 0 where it names none. False where it is not, and the answer has
// ended.
bool verb_take_address(struct admin_call *call, const char *key, struct endpoint *out);
// What a user is called, also a REST user without the time in front.
bool verb_is_user(const struct turn_allocation_view *view, const char *name);
json_t *verb_allocation_json(const struct turn_allocation_view *view);
json_t *verb_traffic_json(const struct control_traffic *traffic);
// For what counts: json_int_t has 63 bits, and no counter comes near.
void verb_set_count(json_t *object, const char *key, uint64_t value);
json_t *verb_ip(const struct ip_addr *ip);
json_t *verb_endpoint(const struct endpoint *endpoint);

#endif
