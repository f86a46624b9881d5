// What both halves of the model look things up with.
#ifndef SIM_MODEL_PARTS_H
#define SIM_MODEL_PARTS_H

#include "model.h"

// The state of a relayed port; NULL where it is of no relay.
uint8_t *model_port_of(struct model *model, const struct endpoint *relayed);
bool model_has_relay(const struct model *model, uint8_t family);
// The family of the relayed address that the request asks for.
uint8_t model_family_for(const struct request *request);
// The reservation that a request's token names, or -1.
int model_find_token(const struct model *model, const struct request *request);
uint32_t model_lifetime_for(const struct model *model, const struct request *request);
// Whether the request asks for a relayed address of that family, and one is free.
bool model_can_take(const struct model *model, const struct request *request, uint8_t family);
struct model_permission *model_find_permission(
	const struct model_allocation *a, const struct ip_addr *ip);
// -1: number and peer are both free. `clash`: one of them is bound to another.
int model_find_channel(
	const struct model_allocation *a, const struct request *request, bool *clash);

#endif
