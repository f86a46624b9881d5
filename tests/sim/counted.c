#include "counted.h"

#include <criterion/criterion.h>
#include <stdio.h>

struct world world;
struct caller caller;
static struct caller other;
struct control_tally tallies[TALLIES_MAX]; // told at ends
unsigned n_tallies;
struct control_tally answer; // of the last question
unsigned n_answers;

void on_ended(void *context, const struct control_tally *tally)
{
	cr_expect_eq(context, &world);
	cr_assert_lt(n_tallies, TALLIES_MAX);
	tallies[n_tallies++] = *tally;
}

void on_answer(void *context, const struct control_tally *tally)
{
	cr_expect_eq(context, &caller);
	answer = *tally;
	n_answers++;
}

void run(void)
{
	world_run(&world);
	world_check(&world);
}

int send_request(const struct datagram *d)
{
	return caller_ask(&caller, &world, d);
}

int allocate(void)
{
	struct datagram d;

	caller_allocate(&caller, &world, &d, false);
	return send_request(&d);
}

void change_callers(void)
{
	const struct caller before = caller;

	caller = other;
	other = before;
}

struct endpoint peer(unsigned i)
{
	char ip[32];

	snprintf(ip, sizeof(ip), "198.18.2.%u", i + 1);
	return world_endpoint(ip, PEER_PORT);
}

void bind_peer(unsigned i)
{
	const struct endpoint to = peer(i);
	struct stun_writer w;
	struct datagram d;

	caller_begin(&caller, &w, &d, STUN_CHANNEL_BIND);
	stun_put_channel(&w, (uint16_t)(CALLER_CHANNEL + i));
	stun_put_xor_address(&w, STUN_ATTR_XOR_PEER_ADDRESS, &to);
	caller_end(&caller, &world, &w, &d);
	cr_assert_eq(send_request(&d), 0);
}

void release(void)
{
	struct stun_writer w;
	struct datagram d;

	caller_begin(&caller, &w, &d, STUN_REFRESH);
	stun_put_u32(&w, STUN_ATTR_LIFETIME, 0);
	caller_end(&caller, &world, &w, &d);
	cr_assert_eq(send_request(&d), 0);
}
