// From the configuration to what each module takes: one place where the words of the file become
// theirs.
#ifndef TURNPIKE_POLICY_H
#define TURNPIKE_POLICY_H

#include "conf/conf.h"
#include "control/control.h"
#include "drivers/drivers.h"
#include "own.h"
#include "redis/redis.h"
#include "turn/turn.h"
#include "worker/worker.h"

struct policy_realm {
	struct turn_user *users;
	size_t n_users;
	struct turn_rest_secret *rest_secrets;
};

// The configs point into it, into the conf and the addresses that it was made of.
struct policy {
	struct turn_config turn;
	struct worker_config worker;
	struct control_config control;
	struct control_port control_ports[CONF_PORTS_MAX];
	struct worker_port_config worker_ports[CONF_PORTS_MAX];
	struct policy_realm *realms; // as many as conf->n_realms
	struct turn_realm_config *turn_realms;
	const char **redis_realms;
	struct redis_config redis; // where the conf has one
	size_t n_realms;
	struct control_relay *relays;
	struct turn_token_key *token_keys;
	size_t n_token_keys;
	struct endpoint *services;
	size_t n_services;
};

// `ports` are open, as many as conf->n_ports; `own` is what this box is. Returns 0; -ENOMEM;
// -ENOTSUP without MD5. policy_free() is due in any case.
int policy_make(struct policy *out, const struct conf *conf, const struct own *own,
	const struct port *ports);
void policy_free(struct policy *policy);

// Which port has that address.
uint8_t policy_port_of(const struct conf *conf, const struct ip_addr *ip);
struct control_answers policy_answers(const struct conf *conf);

#endif
