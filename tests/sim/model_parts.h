// What the parts of the model look things up with.
#ifndef SIM_MODEL_PARTS_H
#define SIM_MODEL_PARTS_H

#include "model.h"

// The allocation that a request is about: by its ticket, else by its 5-tuple. It may not live.
const struct model_allocation *model_subject(
	const struct model *model, const struct request *request);
static inline const struct model_realm *model_realm(
	const struct model *model, const struct request *request)
{
	return &model->rules.realms[model_realm_of(model, &request->service)];
}
// Whether a user of that realm has the name; and whether he is of the same kind.
bool model_has_name(const struct user *owner, uint8_t realm, const struct user *user);
bool model_owns(const struct user *owner, uint8_t realm, const struct user *user);
// How long the token of a request still allows something; 0 where it allows nothing.
uint32_t model_pass_left(const struct request *request, int64_t wall_s);

// What clients know a relayed address as, behind a 1:1 NAT; and back.
struct endpoint model_outside(const struct model *model, const struct endpoint *relayed);
struct endpoint model_inside(const struct model *model, const struct endpoint *endpoint);
// Peer `i` of a request.
static inline struct endpoint model_peer(
	const struct model *model, const struct request *request, unsigned i)
{
	return model_inside(model, &request->peers[i]);
}

// A configured user that no longer is.
bool model_has_gone(const struct model *model, const struct user *user);
// A port that relays hand out, or that is taken on one that is closed.
bool model_is_relayed(const struct model *model, const struct endpoint *endpoint);
// Nobody of ours, no tunnel.
bool model_refuses_client(const struct model *model, const struct request *request);
bool model_has_relay(const struct model *model, uint8_t family);
// The family of the relayed address that the request asks for.
uint8_t model_family_for(const struct request *request);
// The reservation that a request's token names, or -1.
int model_find_token(const struct model *model, const struct request *request);
uint32_t model_lifetime_for(
	const struct model *model, const struct turn_time *time, const struct request *request);
// Whether the request asks for a relayed address of that family, and one is free.
bool model_can_take(const struct model *model, const struct request *request, uint8_t family);
struct model_permission *model_find_permission(
	const struct model_allocation *a, const struct ip_addr *ip);
// Peers of the request that there is no permission for, each address once.
unsigned model_count_new(const struct model *model, const struct request *request);
// -1: number and peer are both free. `clash`: one of them is bound to another.
int model_find_channel(const struct model *model, const struct request *request, bool *clash);

// An Allocate succeeded. NULL, or what is wrong with the answer.
const char *model_take_allocate(struct model *model, const struct turn_time *time,
	const struct request *request, const struct answer *answer);
// The allocation belongs to who sent this request, with the token that he showed.
void model_set_owner(struct model *model, const struct turn_time *time,
	const struct request *request, struct model_allocation *a);
void model_end_reservation(struct model *model, int i, enum model_port state);

// May its client take an allocation to where a Refresh came from (RFC 8016 §3.2.2)?
int model_judge_ticket(
	const struct model *model, const struct turn_time *time, const struct request *request);
// It is the Refresh that began the last hand-over, again.
bool model_is_repeated(
	const struct model *model, const struct turn_time *time, const struct request *request);
// A Refresh with a ticket was answered. NULL, or what is wrong with the answer.
const char *model_take_move(struct model *model, const struct turn_time *time,
	const struct request *request, const struct answer *answer);
// Nobody moves to its pending 5-tuple any more.
void model_forget_pending(struct model *model, struct model_allocation *a);

// The allocation and all of it is gone.
void model_end(struct model *model, struct model_allocation *a);
// A user's account, made where it is not there; he lets it go as often as he took it.
int model_hold_account(
	struct model *model, uint8_t realm, const struct user *user, uint64_t now_ms);
// RFC 8656 §7.2: of the user, and of all users of the realm.
bool model_quota_is_reached(const struct model *model, const struct request *request);
// The configuration has him no longer, or again.
void model_drop_account(struct model *model, uint8_t realm, const struct user *user);
void model_keep_account(struct model *model, uint8_t realm, const struct user *user);
// Whether an allocation may turn to so many new peers now.
bool model_may_turn(const struct model *model, const struct model_allocation *a, unsigned n_new,
	uint64_t now_ms);
// It does.
void model_turn(
	struct model *model, const struct model_allocation *a, unsigned n_new, uint64_t now_ms);

#endif
