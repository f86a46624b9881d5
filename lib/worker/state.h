// The state of one worker and of the burst in its hands. Private to lib/worker.
#ifndef WORKER_STATE_H
#define WORKER_STATE_H

#include "capture/capture.h"
#include "pkt/pkt.h"
#include "rates.h"
#include "stun/stun.h"
#include "worker.h"

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#define TX_QUEUE_MAX 512
#define LOOP_QUEUE_MAX 256
// That a worker sends at most (RFC 1812 §4.3.2.8, RFC 4443 §2.4 f).
#define ICMP_ERRORS_PER_S 1000
#define ICMP_BURST_MS 100
// Who asks for our MACs is answered so often, at most, in Linux's place.
#define NEIGHBOUR_ANSWERS_PER_S 1000
#define NEIGHBOUR_BURST_MS 100
// Requests of the clients at one source, a second and at once, that are urgent.
#define URGENT_PER_SOURCE 1000

// Where a packet stands. Stages move it on; flush ends it.
enum lane {
	LANE_PARSE,
	LANE_CLASSIFY,
	LANE_UP_CHANNEL,
	LANE_UP_SEND,
	LANE_DOWN,
	LANE_ICMP, // an error about a packet that left from a relayed address
	LANE_BINDING,
	LANE_SEND, // finished: to port `out_port`
	LANE_LOOP, // finished: comes in again
	LANE_KERNEL, // finished: by the kernel, which resolves the neighbour
	LANE_ABSORBED, // a fragment whose bytes wait for the rest
	LANE_PUNT,
	LANE_MIRROR,
	LANE_DROP,
};

#define LANES_RELAYED (1u << LANE_UP_CHANNEL | 1u << LANE_UP_SEND | 1u << LANE_DOWN)

// What a Send indication says.
struct send_request {
	uint8_t peer_ip[IPV6_BYTES]; // of IPv4 the first four
	uint8_t peer_family; // enum family
	bool dont_fragment;
	uint16_t peer_port_be;
	uint16_t data_bytes;
	uint8_t *data;
};

// An entry of either table; `to` is NULL where none was found.
struct flow {
	struct flow_rewrite *to;
	const uint8_t *source_ip; // 4 or 16 bytes, by the family of `to`
	const uint8_t *target_ip;
	uint32_t flow_label_be;
};

struct burst_item {
	struct rte_mbuf *mbuf;
	struct pkt pkt;
	struct flow flow; // of the look-up; for a Send indication its owner
	const struct flow_rewrite *permission; // for a Send indication
	union {
		struct send_request send; // LANE_UP_SEND
		struct pkt_icmp icmp; // LANE_ICMP
	};
	uint16_t mtu_bytes; // DROP_TOO_BIG: the largest IP packet that would have passed
	uint8_t lane;
	uint8_t drop; // enum drop, with LANE_DROP
	uint8_t dropped_from; // enum lane, the same
	uint8_t out_port;
	uint8_t urgency; // enum urgency, with LANE_PUNT
	bool reassembled; // of fragments: may leave as such
	uint16_t split_bytes; // LANE_SEND: leaves in IP packets of up to so many; 0: whole
	bool missed; // the express lane found no flow between these two addresses
};

struct burst {
	unsigned n_rx;
	unsigned n; // of the items: what the express lane left
	uint8_t port_idx; // where it came in
	bool looped; // from another allocation of this box, not from a wire
	uint32_t lanes; // that items came to, a bit each, from classify on
	struct rte_mbuf *rx[WORKER_BURST_MAX];
	struct burst_item items[WORKER_BURST_MAX];
};

// One of our addresses, as it lies in a packet, and its relayed UDP ports in host order.
struct local {
	uint8_t ip[IPV6_BYTES]; // of IPv4 the first four, the rest zero
	uint8_t family; // none: the slot is free
	uint16_t relay_min; // above relay_max where nothing is relayed
	uint16_t relay_max;
	uint32_t key; // its slot << 16
};

// A relay address behind a 1:1 NAT, as both lie in packets.
enum external_side {
	EXTERNAL_INSIDE,
	EXTERNAL_OUTSIDE,
};

struct external {
	uint8_t ip[2][IPV6_BYTES]; // by enum external_side
	uint8_t family;
};

struct externals {
	unsigned n;
	struct external items[64];
};

#define LOCALS_SLOTS 1024
#define SERVICES_SLOTS 8192

// Both tables by open addressing.
struct locals {
	struct local slots[LOCALS_SLOTS];
	uint32_t services[SERVICES_SLOTS]; // key | UDP port in host order; 0 is free
	unsigned n;
	unsigned n_services;
};

struct reassembly_key {
	uint8_t source_ip[IPV6_BYTES]; // of IPv4 the first four, the rest zero
	uint8_t target_ip[IPV6_BYTES];
	uint32_t id; // as in the packet
	uint32_t family;
};

// A datagram whose fragments come in.
struct reassembly_slot {
	struct rte_mbuf *mbuf; // NULL: the slot is free
	uint64_t begun_ticks;
	struct reassembly_key key;
	struct pkt whole; // in the buffer, once the first fragment is there
	uint32_t n_received; // bytes of IP payload
	uint32_t n_end; // the end of the farthest
	uint32_t n_total; // 0: not known yet
	uint64_t units[(UINT16_MAX + 1) / 8 / 64]; // a bit for 8 bytes that are there
};

// That Linux has on a port.
struct port_address {
	struct ip_addr ip; // FAMILY_NONE: none
	uint8_t port_idx;
};

struct worker_port {
	struct worker_port_config config;
	uint64_t mac_word; // config.mac as the first bytes of a frame
	uint64_t n_sent;
	unsigned n_tx; // waiting
	unsigned n_shown; // of them, to a capture
	struct rte_mbuf *tx[TX_QUEUE_MAX];
};

// A burst whose way through the box is timed, one of PROBE_BURSTS.
#define PROBE_BURSTS 32

struct probe {
	unsigned n_left; // bursts up to the next
	bool waits; // its frames are not all sent
	uint64_t begun_ticks;
	uint64_t due[WORKER_PORTS_MAX]; // it is over when each port has sent so many
};

struct worker {
	struct flow_table flows4;
	struct flow_table flows6;
	struct locals locals;
	uint64_t service_ports; // four of them, as they lie in a packet
	struct msg_channel *punts;
	struct msg_channel *others;
	struct msg_channel *inbox;
	struct msg_channel *counts;
	struct msg_channel *seen;
	uint32_t n_seen;
	struct doorbell *doorbell;
	const struct heartbeat *heartbeat;
	uint16_t idx;
	uint16_t n_ports;
	uint16_t n_burst;
	uint16_t next_ip_id;
	const uint64_t *virtual_ms; // of the configuration
	uint64_t now_ticks; // when this round began; only differences mean something
	uint64_t ticks_per_ms;
	bool was_busy; // the round before this one
	struct capture *capture; // NULL: nobody looks
	struct probe probe;
	struct bucket icmp_errors; // that we send
	struct bucket_rate icmp_rate;
	struct bucket neighbour_answers;
	struct bucket_rate neighbour_rate;
	struct rates rates;
	struct budget bindings;
	struct budget challenges;
	struct budget urgent;
	uint32_t ratio_percent; // 0: no limit
	uint32_t n_punts_max; // that control's rings hold
	uint32_t n_others_max;
	struct rte_mempool *jumbo_pool;
	struct rte_mempool *frame_pool;
	struct reassembly_slot reassembly[WORKER_REASSEMBLY_SLOTS];
	bool bell; // something was sent to control in this round
	struct random random;
	unsigned n_loop;
	struct rte_mbuf *loop[LOOP_QUEUE_MAX];
	uint8_t loop_port[LOOP_QUEUE_MAX];
	struct burst burst;
	struct worker_port ports[WORKER_PORTS_MAX];
	struct stun_discovery discovery;
	bool serves_classic;
	struct externals externals;
	uint16_t n_addresses; // up to the last that was set
	struct port_address addresses[MSG_ADDRESSES_MAX];
	char software[STUN_SOFTWARE_BYTES_MAX + 1]; // empty: no SOFTWARE
	alignas(CACHE_LINE_BYTES) struct flow_hop hops[FLOW_HOPS_MAX];
	struct pages own_pages; // this struct lies in
	struct worker_pub pub;
	struct trace trace;
};

// What may be another while the worker runs.
struct worker_setup {
	struct locals locals;
	uint64_t service_ports;
	struct externals externals;
	struct stun_discovery discovery;
	bool serves_classic;
	char software[STUN_SOFTWARE_BYTES_MAX + 1];
	bool has_answers; // else they stay, with what has been taken of them
	struct budget bindings;
	struct budget challenges;
	uint32_t ratio_percent;
	bool has_rates; // the same
	struct rates rates;
};

static inline uint64_t worker_ticks_per_ms(const struct worker_config *config)
{
	return config->virtual_ms ? 1 : rte_get_tsc_hz() / 1000;
}

static inline uint64_t worker_ticks(const struct worker *w)
{
	return w->virtual_ms ? *w->virtual_ms : rte_rdtsc();
}

// The express lane leaves it to the stages, which begin with nothing known.
static inline struct burst_item *burst_leave(struct burst *b, struct rte_mbuf *mbuf)
{
	struct burst_item *item = &b->items[b->n++];

	item->mbuf = mbuf;
	item->flow.to = NULL;
	item->lane = LANE_PARSE;
	item->reassembled = false;
	item->split_bytes = 0;
	item->missed = false;
	return item;
}

// Most bursts have no use for some of the stages.
static inline bool burst_has(const struct burst *b, uint32_t lanes)
{
	return b->lanes & lanes;
}

static inline void item_drop(struct burst_item *item, enum drop drop)
{
	item->dropped_from = item->lane;
	item->lane = LANE_DROP;
	item->drop = (uint8_t)drop;
}

// It is finished and goes that way; not FLOW_HOP_NONE.
static inline void item_leave(struct burst_item *item, const struct flow_hop *hop)
{
	static const uint8_t lane_of_hop[] = {
		[FLOW_HOP_WIRE] = LANE_SEND,
		[FLOW_HOP_KERNEL] = LANE_KERNEL,
		[FLOW_HOP_LOOP] = LANE_LOOP,
	};

	item->lane = lane_of_hop[hop->kind];
	item->out_port = hop->port_idx;
}

// A burst that is timed is sampled too.
static inline bool is_sampled(const struct worker *w)
{
	return unlikely(w->probe.n_left == 0);
}

static inline void sample(struct worker *w, const struct flow_rewrite *to)
{
	struct worker_samples *samples = &w->pub.samples;
	const uint64_t n = atomic_load_explicit(&samples->n, memory_order_relaxed);

	atomic_store_explicit(&samples->allocation_idx[n % WORKER_SAMPLES], to->allocation_idx,
		memory_order_relaxed);
	atomic_store_explicit(&samples->n, n + 1, memory_order_release);
}

// What control looks at of a packet of an observed flow; `data` as it came.
void observe(
	struct worker *w, const struct flow_rewrite *to, const uint8_t *data, uint32_t n_bytes);

int locals_add_service(struct locals *locals, const struct endpoint *service);
// Nothing where it has none. Returns 0; -EINVAL for one of another family, or too many.
int external_add(struct externals *externals, const struct relay_range *relay);
// What is no such address stays as it is.
void external_to_inside(const struct worker *w, uint8_t family, uint8_t *ip);
void external_to_outside(const struct worker *w, uint8_t family, uint8_t *ip);

int locals_add_relay(struct locals *locals, const struct relay_range *relay);

// An address as it lies in a packet; NULL where it is none of ours.
const struct local *locals_find(const struct locals *locals, const uint8_t *ip, uint8_t family);
// The slot of a service, or a free one where it would be.
static inline unsigned locals_service_slot(const struct locals *locals, uint32_t key)
{
	unsigned slot = key * 0x9e3779b1u >> 19;

	static_assert(SERVICES_SLOTS == 1 << 13, "thirteen bits of the product");
	while (locals->services[slot] && locals->services[slot] != key)
		slot = (slot + 1) % SERVICES_SLOTS;
	return slot;
}

// Whether that one of them is a service at this port. Port 0, which is none, may have the key of a
// free slot.
static inline bool locals_serve(
	const struct locals *locals, const struct local *local, uint16_t port)
{
	const uint32_t key = local->key | port;

	return locals->services[locals_service_slot(locals, key)] == key && port != 0;
}

// Which of our addresses the packet is for.
static inline const struct local *locals_find_target(
	const struct locals *locals, const struct pkt *p)
{
	return locals_find(locals, pkt_target_ip(p), p->family);
}

static inline bool local_relays(const struct local *local, uint16_t port)
{
	return local && port >= local->relay_min && port <= local->relay_max;
}

void express_burst(struct worker *w, struct burst *b);
void parse_burst(struct worker *w, struct burst *b);
void classify_burst(struct worker *w, struct burst *b);
void lookup_burst(struct worker *w, struct burst *b);
// Its two halves: find the flows of what is not dropped and has none yet.
void lookup4_burst(struct worker *w, struct burst *b);
void lookup6_burst(struct worker *w, struct burst *b);
void relay_burst(struct worker *w, struct burst *b);
void icmp_burst(struct worker *w, struct burst *b);
void binding_burst(struct worker *w, struct burst *b);
void neighbour_burst(struct worker *w, struct burst *b);
void punt_burst(struct worker *w, struct burst *b);
void flush_burst(struct worker *w, struct burst *b);

// Read the Send indication of an item, which is of LANE_UP_SEND then; drops it where it cannot be
// served.
void send_request_read(struct burst_item *item);

// A fragment to one of our addresses. True where it made its datagram whole, which the item then
// is; else its lane is LANE_ABSORBED or LANE_DROP.
bool reassemble(struct worker *w, struct burst_item *item);
void reassembly_end(struct worker *w);

// True where the frame is an ICMP error about a packet from a relayed address.
bool icmp_read(struct worker *w, struct burst_item *item);
// Tell the sender of a packet why it was dropped, where RFC 8656 §13 wants that and the budget of
// errors allows.
void icmp_answer_drop(struct worker *w, const struct burst *b, const struct burst_item *item);

void neighbour_set_address(struct worker *w, const struct msg *msg);

// Around the burst that is timed.
void probe_begin(struct worker *w);
void probe_end(struct worker *w);
// It is over where its frames are sent by now.
void probe_look(struct worker *w);

// Take over what is set up anew; what was is left in its place.
// Frames are copied to `capture` from now on; NULL: to nobody.
void capture_apply(struct worker *w, struct capture *capture);
void setup_apply(struct worker *w, struct worker_setup *setup);

// The ends of packets: counted by their reason, and noted. Of one that was on its way out the frame
// is as it would have left; else as it came.
void note_item(struct worker *w, const struct burst *b, const struct burst_item *item);
void note_in(struct worker *w, enum drop reason, uint8_t port_idx, const struct rte_mbuf *mbuf);
void note_out(struct worker *w, enum drop reason, uint8_t port_idx, const struct rte_mbuf *mbuf);

// Apply what control sent up to now. Returns how many.
unsigned apply_messages(struct worker *w);
// Hand the waiting frames to the ports.
void transmit_ports(struct worker *w);
// Queue one finished frame; drops it where the queue is full.
void transmit_queue(struct worker *w, uint8_t port_idx, struct rte_mbuf *mbuf);

#endif
