// Set-up for tests of another configuration while allocations live: an instance, and the
// configuration that a test changes.
#ifndef TURN_CHANGE_H
#define TURN_CHANGE_H

#include "turn_rig.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#define CLOSED 3479 // the listener that comes and goes

static const struct turn_rest_secret north = {.text = "north"};

static struct rig rig;
static struct turn_config config;
static struct turn_user users[4];
static struct relay_range relays[2];
static struct turn_realm_config blue;
static struct endpoint blue_service;

// Both users, two listeners, one relay of 16 ports; what a test changes is in its own storage.
static void open_rig(void)
{
	config = rig_config();
	rig_listen(&config, (const char *const[]){"192.0.2.15:3478", "192.0.2.15:3479", NULL});
	users[0] = rig_turn_user(&rig_user);
	users[1] = rig_turn_user(&rig_other);
	config.realm.users = users;
	relays[0] = config.relays[0];
	config.relays = relays;
	config.nonce_lifetime_s = 3600;
	blue_service = rig_endpoint("192.0.2.15:3479");
	blue = (struct turn_realm_config){
		.name = "blue",
		.services = &blue_service,
		.n_services = 1,
		.users = users,
		.n_users = 2,
	};
	rig_open(&rig, &config);
	rig_challenge(&rig);
}

static void close_rig(void)
{
	cr_expect_null(turn_check(rig.turn), "%s", turn_check(rig.turn));
	cr_expect(rig_walk_matches(&rig));
	rig_close(&rig);
}

// With another secret for nonces, as each time that a file is read.
static void reconfigure(void)
{
	config.nonce_secret[0]++;
	cr_assert_eq(rig_reconfigure(&rig, &config), 0);
}

// With nothing of before.
static inline void reopen(void)
{
	rig_close(&rig);
	rig_open(&rig, &config);
	rig_challenge(&rig);
}

static inline void next_client(void)
{
	rig.client.port++;
	rig_challenge(&rig);
}

static inline struct ip_range range(const char *text)
{
	struct ip_range out;

	cr_assert_eq(range_parse(&out, text), 0);
	return out;
}

static inline size_t n_services(void)
{
	struct endpoint service;
	size_t n = 0;

	while (turn_service_get(rig.turn, n, &service))
		n++;
	return n;
}

static inline void expect_range(uint16_t port_min, uint16_t port_max)
{
	struct relay_range range;

	cr_assert(turn_relay_get(rig.turn, 0, &range));
	cr_expect_eq(range.port_min, port_min, "%u", range.port_min);
	cr_expect_eq(range.port_max, port_max, "%u", range.port_max);
}

#endif
