#include "crowd.h"

#include <criterion/criterion.h>
#include <stdio.h>

struct world world;
struct caller callers[N_CALLERS];

int allocate(struct caller *caller)
{
	struct datagram d;

	caller_allocate(caller, &world, &d, false);
	return caller_ask(caller, &world, &d);
}

int bind_channel(struct caller *caller)
{
	const struct endpoint peer = world_endpoint(PEER_IP, 4000);
	struct datagram d;

	caller_bind(caller, &world, &d, &peer);
	return caller_ask(caller, &world, &d);
}

static void call(struct caller *caller, unsigned i)
{
	char ip[32];

	snprintf(ip, sizeof(ip), "198.18.1.%u", i + 1);
	world_add_host(&world, ip);
	caller_open(caller, ip, 1000);
	cr_assert_eq(allocate(caller), 401);
	cr_assert_eq(allocate(caller), 0);
	cr_assert_eq(bind_channel(caller), 0);
}

void open_crowd(void)
{
	world_open(&world, 1);
	world.delay_max_ms = 0;
	world_add_host(&world, PEER_IP);
	for (unsigned i = 0; i < N_CALLERS; i++)
		call(&callers[i], i);
}

void close_crowd(void)
{
	for (unsigned i = 0; i < N_CALLERS; i++)
		caller_close(&callers[i]);
	world_close(&world);
}
