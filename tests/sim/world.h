// A whole relay in one thread: the control core, two workers on the two queues of a memory port, a
// network that loses, doubles and reorders, and a clock that only the test moves. Everything
// follows from one seed.
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "control/control.h"
#include "drivers/drivers.h"
#include "worker/worker.h"

#include <rte_mbuf.h>

#define WORLD_WORKERS 2
#define WORLD_FLIGHTS_MAX 512
#define WORLD_DATAGRAM_MAX 600
#define WORLD_RELAY_IP "198.18.0.2"
#define WORLD_SECOND_IP "198.18.0.3" // for RFC 5780
#define WORLD_RELAY_IP6 "2001:db8::2"
#define WORLD_PORT_MIN 50000
#define WORLD_PORT_MAX 50039 // few, so that they are used again soon
#define WORLD_PORTS (2 * (WORLD_PORT_MAX - WORLD_PORT_MIN + 1)) // of both families
#define WORLD_REALM "sim"
#define WORLD_USER "alice"
#define WORLD_PASSWORD "secret"

struct datagram {
	struct endpoint from;
	struct endpoint to;
	uint8_t payload[WORLD_DATAGRAM_MAX];
	size_t n;
};

// On its way through the network.
struct flight {
	uint64_t due_ms;
	bool to_relay;
	struct datagram datagram;
};

struct world_worker {
	struct worker *worker;
	struct msg_channel punts;
	struct msg_channel others;
	struct msg_channel inbox;
	struct msg_channel counts;
	struct msg_channel seen;
};

struct world {
	struct random random;
	struct turn_time now;
	struct rte_mempool *pool;
	struct port port;
	struct route *route;
	struct turn *turn;
	struct control *control;
	struct doorbell doorbell;
	struct turn_source source; // of users, set before world_open(); `find` NULL: none
	struct control_answers answers; // set before world_open() too
	struct control_tally_taker ended; // and this
	uint32_t observe_percent; // and this
	const struct mirror *mirror; // and this
	struct endpoint service;
	struct endpoint service6;
	struct endpoint services[5]; // the first, its three other pairs, the second
	struct relay_range relays[2]; // of each family
	struct world_worker workers[WORLD_WORKERS];
	struct flight flights[WORLD_FLIGHTS_MAX];
	size_t n_flights;
	unsigned loss_percent;
	unsigned double_percent;
	unsigned delay_max_ms;
	bool one_queue; // everything comes to the first worker
	uint64_t n_lost;
	uint64_t n_delivered;
	struct datagram sent; // the last that left the relay
	uint64_t n_sent;
	// Every datagram as it leaves the relay, before the network can lose it; NULL is fine.
	void (*on_sent)(struct world *world, const struct datagram *datagram);
	// A datagram that reached its host; NULL is fine.
	void (*on_arrived)(struct world *world, const struct datagram *datagram);
	void *actors;
};

void world_open(struct world *world, uint64_t seed);
void world_close(struct world *world); // asserts that every buffer came back

struct endpoint world_endpoint(const char *ip, uint16_t port);
// A host's address becomes reachable for the relay.
void world_add_host(struct world *world, const char *ip);

// Into the network towards the relay.
void world_send(struct world *world, const struct datagram *datagram);
// One thing happens in the relay: a worker's round, or the control core's.
void world_poll(struct world *world, unsigned which);
void world_advance(struct world *world, uint64_t ms);
// Everybody does what there is to do; no time passes.
void world_run(struct world *world);
// No more losses, and everything runs until nothing is on its way.
void world_settle(struct world *world);

// In the tables of all workers.
uint32_t world_n_entries(const struct world *world);
// What must hold after each step; aborts the test with what is wrong.
void world_check(struct world *world);

#endif
