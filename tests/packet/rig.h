// Workers on a memory port, one unless asked, the rings of the control core, and frames made by
// hand. The checksums here are computed the long way, on purpose: nothing of lib/pkt takes part.
#ifndef PACKET_RIG_H
#define PACKET_RIG_H

#include "drivers/drivers.h"
#include "flow/flow.h"
#include "msg/msg.h"
#include "stats/stats.h"
#include "worker/worker.h"

#include <rte_mbuf.h>

#define RIG_FRAME_MAX 4096
#define RIG_VLAN 100
#define RIG_WORKERS_MAX 4

// The parties of every row.
#define CLIENT "198.18.0.10:5000"
#define SERVICE "198.18.0.2:3478"
#define ALTERNATE "198.18.0.4:3479"
#define RELAYED "198.18.0.2:50000"
#define PEER "198.18.0.20:6000"
#define CHANNEL 0x4001
// The same parties over IPv6.
#define CLIENT6 "[2001:db8:1::10]:5000"
#define SERVICE6 "[2001:db8::2]:3478"
#define RELAYED6 "[2001:db8::2]:50000"
#define PEER6 "[2001:db8:2::20]:6000"
// Clients of each pair of families with an IPv6 side.
#define CLIENT_46 "198.18.0.46:5000"
#define RELAYED_46 "[2001:db8::2]:50046"
#define CLIENT_64 "[2001:db8:1::64]:5000"
#define RELAYED_64 "198.18.0.2:50064"
#define CLIENT_66 "[2001:db8:1::66]:5000"
#define RELAYED_66 "[2001:db8::2]:50066"
// A second allocation on the same box, and its client.
#define CLIENT_B "198.18.0.11:5001"
#define RELAYED_B "198.18.0.2:50001"
#define CHANNEL_B 0x4002
// On an address that serves nobody, and may thus have any port.
#define RELAYED_AT_SERVICE_PORT "198.18.0.3:3478"

struct rig_worker {
	struct worker *worker;
	struct msg_channel punts;
	struct msg_channel others;
	struct msg_channel inbox;
};

struct rig {
	struct port port;
	struct rte_mempool *pool;
	struct rte_mempool *jumbo_pool; // NULL: none was asked for
	struct worker *worker; // the first
	unsigned n_workers;
	struct rig_worker workers[RIG_WORKERS_MAX];
	struct doorbell doorbell;
	uint64_t seq;
	uint32_t allocation_idx; // of the next rig_allocation()
	uint32_t user_idx;
};

struct frame {
	uint8_t bytes[RIG_FRAME_MAX];
	size_t n;
};

// A UDP datagram as a test describes it.
struct datagram {
	const char *from; // "IP:port"
	const char *to;
	const void *payload;
	size_t n;
	uint8_t ttl; // 0: 64; the hop limit of IPv6
	uint8_t tos; // the traffic class of IPv6
	bool dont_fragment;
	bool no_checksum; // UDP checksum 0
	bool bad_checksum; // one off
	bool unfinished; // only the pseudo header's sum, as a kernel leaves it to hardware
	uint16_t vlan; // a tag, if not 0
	// Bytes of IPv4 options (no-operation), or of an IPv6 destination options header (8 or 16).
	uint8_t n_options;
	bool has_flow_label; // only where a frame is read
};

extern const uint8_t rig_port_mac[6];
extern const uint8_t rig_gateway_mac[6];

struct rig_options {
	const uint64_t *virtual_ms; // NULL: the CPU's time
	const struct heartbeat *heartbeat; // of control; NULL: it never stands still
	bool with_reassembly;
	const char *name; // where there is more than one rig at a time
	uint16_t vlan;
	bool kernel_wire;
	uint16_t n_workers; // 0: one
	const char *software;
	const char *external; // of the relay at SERVICE: "IP:0"
	bool with_discovery; // RFC 5780, with ALTERNATE
	bool serves_classic; // RFC 3489
	uint16_t n_more_services; // at the ports behind that of SERVICE
	struct worker_answers answers;
	struct worker_rates rates;
};

// The EAL starts with the first rig of a process.
void rig_open(struct rig *rig, const struct rig_options *options);
// With an allocation of each of the four pairs of families, on CHANNEL.
void rig_open_families(struct rig *rig, const struct rig_options *options);
// Checks that every buffer came back, and every drop is traced.
void rig_close(struct rig *rig);

// Messages as the control core sends them: to every worker.
void rig_send(struct rig *rig, struct msg msg);
// Two hops, of IPv4 and, behind it, of IPv6.
void rig_hop(struct rig *rig, uint16_t hop_idx, enum flow_hop_kind kind);
void rig_flow(struct rig *rig, const struct flow_spec *spec);
struct endpoint rig_endpoint(const char *text);
// The entries of one allocation with one channel and one permission, of any families, by hop 1 or,
// with IPv6, 2.
void rig_allocation(struct rig *rig, const char *client, const char *relayed, const char *peer,
	uint16_t channel);

struct frame frame_udp(const struct datagram *datagram);
// Wipe what a worker chooses: the packet's id and with it the header's checksum; of a Data
// indication, its transaction id.
void frame_blank(struct frame *frame);
// Read a frame back, every length and checksum checked; false where one is wrong. `payload` points
// into `frame`.
bool frame_read(const struct frame *frame, struct datagram *out, char from[64], char to[64]);

// A datagram as it leaves.
struct passed {
	struct frame frame;
	struct datagram datagram; // what it says
	char from[64];
	char to[64];
};

// Comes in, and exactly one datagram leaves, with right checksums.
void rig_pass(struct rig *rig, const struct datagram *in, struct passed *out);

// Comes in with the next poll of the worker whose queue it is; the next frame that it sent.
void rig_receive_on(struct rig *rig, unsigned queue, const struct frame *frame);
bool rig_sent_on(struct rig *rig, unsigned queue, struct frame *out);
// The same for the first worker.
void rig_receive(struct rig *rig, const struct frame *frame);
bool rig_sent(struct rig *rig, struct frame *out);
bool rig_control(struct rig *rig, struct msg_channel *channel, struct msg *out);
const struct worker_stats *rig_stats_of(const struct rig *rig, unsigned worker_idx);
const struct worker_stats *rig_stats(const struct rig *rig); // of the first worker
// Its run of packets between these two ("IP:port"; "" where none is known) that were dropped for
// that reason; false where there is none.
bool rig_traced(const struct rig *rig, enum drop reason, const char *from, const char *to,
	struct trace_run *out);

#endif
