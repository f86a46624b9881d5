#include "rig.h"

#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdio.h>
#include <stdlib.h>

#define MBUF_ROOM_BYTES 2176
// As in turnpike.
#define PUNT_RING 2048
#define OTHERS_RING 1024
#define INBOX_RING 8192
#define MBUF_CACHE 256 // a memory port's pool has none, so that all is counted

void rig_fail(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

bool rig_may_begin(bool wait)
{
	char line[16];

	return !wait || fgets(line, sizeof(line), stdin);
}

void rig_open(struct rig *rig, enum port_kind kind, const char *target, unsigned n_mbufs)
{
	struct port_config port = {
		.name = "bench",
		.kind = kind,
		.target = target,
		.mtu_bytes = RIG_MTU_BYTES,
		.n_queues = 1,
	};
	char error[PORT_ERROR_BYTES];

	*rig = (struct rig){.n_mbufs = n_mbufs, .doorbell.fd = -1, .random.state = 7};
	rig->pool = rte_pktmbuf_pool_create("bench", n_mbufs, kind == PORT_MEMORY ? 0 : MBUF_CACHE,
		0, MBUF_ROOM_BYTES, SOCKET_ID_ANY);
	if (!rig->pool)
		rig_fail("no memory for packet buffers");
	port.pool = rig->pool;
	memcpy(port.mac, flows_mac, sizeof(flows_mac));
	if (port_open(&rig->port, &port, error))
		rig_fail(error);
	if (msg_channel_create(&rig->punts, PUNT_RING, NUMA_NODE_ANY) ||
		msg_channel_create(&rig->others, OTHERS_RING, NUMA_NODE_ANY))
		rig_fail("no memory for rings");
}

void rig_close(struct rig *rig)
{
	msg_channel_destroy(&rig->punts);
	msg_channel_destroy(&rig->others);
	port_close(&rig->port);
	rte_mempool_free(rig->pool);
}

static void send_message(struct subject *s, const struct msg *msg)
{
	while (!msg_send(&s->inbox, msg))
		worker_poll(s->worker);
}

static void install(struct subject *s)
{
	struct msg msg = {.kind = MSG_HOP_SET, .hop_idx = FLOWS_HOP_IDX};

	msg.hop = (struct flow_hop){
		.kind = FLOW_HOP_WIRE, .mtu_bytes = RIG_MTU_BYTES, .header_bytes = 14};
	send_message(s, &msg);
	for (uint32_t idx = 0; idx < s->n_allocations; idx++) {
		struct flow_spec specs[FLOWS_PER_ALLOCATION];

		flows_make(specs, idx);
		for (size_t i = 0; i < FLOWS_PER_ALLOCATION; i++) {
			msg = (struct msg){
				.kind = MSG_FLOW4_INSERT, .flow4 = flow4_entry_make(&specs[i])};
			send_message(s, &msg);
		}
	}
	while (msg_waiting(&s->inbox))
		worker_poll(s->worker);
	if (worker_flows(s->worker)->n_entries != s->n_allocations * FLOWS_PER_ALLOCATION)
		rig_fail("not all entries found room");
}

void subject_open(struct subject *subject, struct rig *rig, uint32_t n_allocations, bool try_huge)
{
	struct worker_port_config port = {.eth_id = rig->port.eth_id};
	const struct endpoint service = flows_service();
	struct relay_range relays[FLOWS_RELAYS_MAX];
	struct worker_config config = {
		.ports = &port,
		.n_ports = 1,
		.services = &service,
		.n_services = 1,
		.relays = relays,
		.n_burst = subject->n_burst,
		.frame_pool = rig->pool,
		.numa_node = NUMA_NODE_ANY,
		.try_huge = try_huge,
		.answers.bindings_per_source = 100000000, // counted, never reached
		.seed = {1, 2},
		.punts = &rig->punts,
		.others = &rig->others,
		.inbox = &subject->inbox,
		.doorbell = &rig->doorbell,
	};

	subject->n_allocations = n_allocations;
	if (n_allocations == 0 || n_allocations > FLOWS_ALLOCATIONS_MAX)
		rig_fail("that many allocations cannot be");
	memcpy(port.mac, flows_mac, sizeof(flows_mac));
	config.n_flows = subject->n_flows ? subject->n_flows : n_allocations * FLOWS_PER_ALLOCATION;
	config.n_relays = flows_relays(relays, n_allocations);
	if (msg_channel_create(&subject->inbox, INBOX_RING, NUMA_NODE_ANY) ||
		worker_create(&subject->worker, &config))
		rig_fail("no memory for a worker");
	if (subject->n_flows == 0)
		install(subject);
}

void subject_close(struct subject *subject)
{
	worker_destroy(subject->worker);
	msg_channel_destroy(&subject->inbox);
}

void rig_receive(struct rig *rig, enum frame_kind kind, uint32_t n_allocations)
{
	struct rte_mbuf *mbufs[RIG_FRAMES];

	if (kind == FRAME_NONE)
		return;
	if (rte_pktmbuf_alloc_bulk(rig->pool, mbufs, RIG_FRAMES))
		rig_fail("buffers are lost");
	for (unsigned i = 0; i < RIG_FRAMES; i++) {
		mbufs[i]->data_len = flows_write_frame(
			rte_pktmbuf_mtod(mbufs[i], uint8_t *), kind, &rig->random, n_allocations);
		mbufs[i]->pkt_len = mbufs[i]->data_len;
	}
	if (!rte_ring_enqueue_bulk(rig->port.memory_rx[0], (void **)mbufs, RIG_FRAMES, NULL))
		rig_fail("the port is full");
}

void rig_take(struct rig *rig, enum frame_kind kind)
{
	struct rte_mbuf *mbufs[RIG_FRAMES];
	const unsigned n =
		rte_ring_dequeue_burst(rig->port.memory_tx[0], (void **)mbufs, RIG_FRAMES, NULL);

	// Some of what has expired is answered by an ICMP error, as far as their budget goes.
	if (kind != FRAME_EXPIRED && n != (kind <= FRAME_BINDING ? RIG_FRAMES : 0))
		rig_fail("a packet was not relayed, or should not have been");
	rte_pktmbuf_free_bulk(mbufs, n);
	if (rte_mempool_avail_count(rig->pool) != rig->n_mbufs)
		rig_fail("a packet is lost");
}
