#include "rig.h"

#include <criterion/criterion.h>
#include <rte_eal.h>
#include <rte_ring.h>
#include <stdio.h>
#include <stdlib.h>

const uint8_t rig_port_mac[6] = {0x02, 0, 0, 0, 0, 0x01};
const uint8_t rig_gateway_mac[6] = {0x02, 0, 0, 0, 0, 0xfe};

#define RIG_SERVICES_MAX 1100

static void start_eal(void)
{
	static bool started;
	char *arguments[] = {"test", "--no-huge", "--no-shconf", "-m", "128", "--no-pci",
		"--no-telemetry", "--log-level=*:error", "--lcores", "0@0"};

	if (!started)
		cr_assert(rte_eal_init(N_ELEMENTS(arguments), arguments) >= 0);
	started = true;
}

struct endpoint rig_endpoint(const char *text)
{
	struct endpoint endpoint;

	cr_assert_eq(endpoint_parse(&endpoint, text), 0, "%s", text);
	return endpoint;
}

static void open_worker(struct rig *rig, const struct rig_options *options, uint16_t idx)
{
	struct rig_worker *own = &rig->workers[idx];
	const struct endpoint service = rig_endpoint(SERVICE);
	const struct endpoint alternate = rig_endpoint(ALTERNATE);
	struct endpoint services[RIG_SERVICES_MAX] = {service, rig_endpoint(SERVICE6),
		{service.ip, alternate.port}, {alternate.ip, service.port}, alternate};
	const size_t n_services = options->with_discovery ? 5 : 2;
	struct relay_range relays[] = {
		{services[0].ip, 49152, 65535},
		{services[1].ip, 49152, 65535},
		{rig_endpoint(RELAYED_AT_SERVICE_PORT).ip, 1024, 65535},
	};
	struct worker_port_config port = {
		.eth_id = rig->port.eth_id,
		.vlan = options->vlan,
		.kernel_wire = options->kernel_wire,
	};
	struct worker_config config = {
		.idx = idx,
		.ports = &port,
		.n_ports = 1,
		.services = services,
		.n_services = n_services + options->n_more_services,
		.relays = relays,
		.n_relays = N_ELEMENTS(relays),
		.software = options->software,
		.virtual_ms = options->virtual_ms,
		.heartbeat = options->heartbeat,
		.answers = options->answers,
		.rates = options->rates,
		.n_workers = options->n_workers,
		.jumbo_pool = rig->jumbo_pool,
		.frame_pool = rig->pool,
		.n_flows = 1024,
		.n_flows6 = 1024,
		.numa_node = NUMA_NODE_ANY,
		.seed = {1, 2},
		.punts = &own->punts,
		.others = &own->others,
		.inbox = &own->inbox,
		.doorbell = &rig->doorbell,
	};

	cr_assert_leq(config.n_services, N_ELEMENTS(services));
	for (uint16_t i = 0; i < options->n_more_services; i++)
		services[n_services + i] =
			(struct endpoint){service.ip, (uint16_t)(service.port + 1 + i)};
	if (options->external)
		relays[0].external = rig_endpoint(options->external).ip;
	config.serves_classic = options->serves_classic;
	if (options->with_discovery)
		config.discovery = (struct stun_discovery){service, alternate};
	memcpy(port.mac, rig_port_mac, sizeof(port.mac));
	cr_assert_eq(msg_channel_create(&own->punts, 64, NUMA_NODE_ANY), 0);
	cr_assert_eq(msg_channel_create(&own->others, 64, NUMA_NODE_ANY), 0);
	cr_assert_eq(msg_channel_create(&own->inbox, 1024, NUMA_NODE_ANY), 0);
	cr_assert_eq(worker_create(&own->worker, &config), 0);
}

void rig_open(struct rig *rig, const struct rig_options *options)
{
	struct port_config config = {
		.name = options->name ? options->name : "test",
		.kind = PORT_MEMORY,
		.mtu_bytes = 1500,
		.n_queues = options->n_workers ? options->n_workers : 1,
	};
	char error[PORT_ERROR_BYTES] = "";

	*rig = (struct rig){.doorbell.fd = -1, .n_workers = config.n_queues};
	start_eal();
	rig->pool = rte_pktmbuf_pool_create(config.name, 4095, 0, 0, 2176, SOCKET_ID_ANY);
	cr_assert_not_null(rig->pool);
	if (options->with_reassembly)
		rig->jumbo_pool = rte_pktmbuf_pool_create("jumbos", WORKER_REASSEMBLY_SLOTS + 31, 0,
			0, WORKER_JUMBO_ROOM, SOCKET_ID_ANY);
	cr_assert_eq(rig->jumbo_pool != NULL, options->with_reassembly);
	config.pool = rig->pool;
	memcpy(config.mac, rig_port_mac, sizeof(config.mac));
	cr_assert_eq(port_open(&rig->port, &config, error), 0, "%s", error);
	for (uint16_t i = 0; i < rig->n_workers; i++)
		open_worker(rig, options, i);
	rig->worker = rig->workers[0].worker;
}

static void close_worker(struct rig *rig, unsigned idx)
{
	struct rig_worker *own = &rig->workers[idx];
	struct frame frame;
	struct msg msg;

	while (rig_sent_on(rig, idx, &frame))
		;
	while (rig_control(rig, &own->punts, &msg) || rig_control(rig, &own->others, &msg))
		rte_pktmbuf_free(msg.mbuf);
	worker_destroy(own->worker);
	msg_channel_destroy(&own->punts);
	msg_channel_destroy(&own->others);
	msg_channel_destroy(&own->inbox);
}

static bool is_end(uint8_t family, const uint8_t *ip, uint16_t port_be, const char *text)
{
	const struct endpoint end = *text ? rig_endpoint(text) : (struct endpoint){.port = 0};

	return family == end.ip.family && !memcmp(ip, end.ip.bytes, IPV6_BYTES) &&
		port_be == __builtin_bswap16(end.port);
}

bool rig_traced(const struct rig *rig, enum drop reason, const char *from, const char *to,
	struct trace_run *out)
{
	const struct trace *trace = worker_trace(rig->worker);
	const struct trace_key *key = &out->key;

	for (uint32_t i = 0; i < TRACE_RUNS_OF_REASON; i++)
		if (trace_read(trace, reason * TRACE_RUNS_OF_REASON + i, out) &&
			is_end(key->family, key->from_ip, key->from_port_be, from) &&
			is_end(key->family, key->to_ip, key->to_port_be, to))
			return true;
	return false;
}

// Every packet that was dropped is in a run, or counted among those that are not kept.
static void expect_traced(const struct rig *rig, unsigned worker_idx)
{
	const struct trace *trace = worker_trace(rig->workers[worker_idx].worker);

	for (enum drop reason = DROP_NONE; reason < N_DROPS; reason++) {
		struct trace_loss loss;
		struct trace_run run;

		trace_loss_get(trace, reason, &loss);
		for (uint32_t i = 0; i < TRACE_RUNS_OF_REASON; i++)
			if (trace_read(trace, reason * TRACE_RUNS_OF_REASON + i, &run))
				loss.n += run.n;
		if (loss.n != rig_stats_of(rig, worker_idx)->n_drops[reason]) {
			fprintf(stderr, "%s: %lu packets are traced\n", drop_name(reason),
				(unsigned long)loss.n);
			abort();
		}
	}
}

void rig_close(struct rig *rig)
{
	for (unsigned i = 0; i < rig->n_workers; i++) {
		expect_traced(rig, i);
		close_worker(rig, i);
	}
	// Criterion does not count what fails after a test's body.
	if (rte_mempool_in_use_count(rig->pool) ||
		(rig->jumbo_pool && rte_mempool_in_use_count(rig->jumbo_pool))) {
		fprintf(stderr, "%u buffers are lost\n", rte_mempool_in_use_count(rig->pool));
		abort();
	}
	port_close(&rig->port);
	rte_mempool_free(rig->pool);
	rte_mempool_free(rig->jumbo_pool);
}

void rig_send(struct rig *rig, struct msg msg)
{
	msg.seq = ++rig->seq;
	for (unsigned i = 0; i < rig->n_workers; i++)
		cr_assert(msg_send(&rig->workers[i].inbox, &msg));
}

void rig_hop(struct rig *rig, uint16_t hop_idx, enum flow_hop_kind kind)
{
	struct msg msg = {.kind = MSG_HOP_SET, .hop_idx = hop_idx};
	const bool loop = kind == FLOW_HOP_LOOP;

	msg.hop = (struct flow_hop){.kind = (uint8_t)kind, .mtu_bytes = 1500, .header_bytes = 14};
	memcpy(msg.hop.header, loop ? rig_port_mac : rig_gateway_mac, 6);
	memcpy(msg.hop.header + 6, rig_port_mac, 6);
	store_be16(msg.hop.header + 12, 0x0800);
	rig_send(rig, msg);
	msg.hop_idx++;
	store_be16(msg.hop.header + 12, 0x86dd);
	rig_send(rig, msg);
}

// That of rig_hop(rig, 1, ...).
static uint16_t hop_of(const char *address)
{
	return rig_endpoint(address).ip.family == FAMILY_IPV4 ? 1 : 2;
}

void rig_flow(struct rig *rig, const struct flow_spec *spec)
{
	rig_send(rig, msg_flow_insert(spec));
}

void rig_allocation(struct rig *rig, const char *client, const char *relayed, const char *peer,
	uint16_t channel)
{
	const bool ipv4 = rig_endpoint(client).ip.family == FAMILY_IPV4;
	const struct endpoint service = rig_endpoint(ipv4 ? SERVICE : SERVICE6);
	struct endpoint peer_ip = rig_endpoint(peer);
	struct flow_spec spec = {
		.kind = FLOW_OWNER,
		.local = service,
		.remote = rig_endpoint(client),
		.source = rig_endpoint(relayed),
		.target.ip.family = rig_endpoint(relayed).ip.family,
		.hop_idx = hop_of(peer),
		.peer_hop_idx = hop_of(peer),
		.allocation_idx = rig->allocation_idx,
		.user_idx = rig->user_idx,
	};

	rig_flow(rig, &spec);
	spec.kind = FLOW_UP;
	spec.channel = channel;
	spec.target = rig_endpoint(peer);
	rig_flow(rig, &spec);
	spec.kind = FLOW_DOWN;
	spec.hop_idx = hop_of(client);
	spec.local = rig_endpoint(relayed);
	spec.remote = rig_endpoint(peer);
	spec.source = service;
	spec.target = rig_endpoint(client);
	rig_flow(rig, &spec);
	spec.kind = FLOW_PERMISSION;
	peer_ip.port = 0;
	spec.remote = peer_ip;
	rig_flow(rig, &spec);
}

void rig_open_families(struct rig *rig, const struct rig_options *options)
{
	rig_open(rig, options);
	rig_hop(rig, 1, FLOW_HOP_WIRE);
	rig_allocation(rig, CLIENT, RELAYED, PEER, CHANNEL);
	rig_allocation(rig, CLIENT_46, RELAYED_46, PEER6, CHANNEL);
	rig_allocation(rig, CLIENT_64, RELAYED_64, PEER, CHANNEL);
	rig_allocation(rig, CLIENT_66, RELAYED_66, PEER6, CHANNEL);
}

// RFC 1071, byte by byte.
static uint16_t sum_bytes(const uint8_t *bytes, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

// Behind IPv4's or IPv6's header, whichever stands there.
static uint16_t pseudo_sum(const uint8_t *ip, size_t udp_bytes)
{
	if (ip[0] >> 4 == 4)
		return sum_bytes(ip + 12, 8, (uint32_t)(17 + udp_bytes));
	return sum_bytes(ip + 8, 32, (uint32_t)(17 + udp_bytes));
}

static void write_udp_checksum(const struct datagram *d, const uint8_t *ip, uint8_t *udp)
{
	const size_t n = 8 + d->n;
	uint16_t csum;

	if (d->no_checksum)
		return;
	if (d->unfinished) {
		store_be16(udp + 6, pseudo_sum(ip, n));
		return;
	}
	csum = (uint16_t)~sum_bytes(udp, n, pseudo_sum(ip, n));
	csum = csum ? csum : 0xffff;
	store_be16(udp + 6, d->bad_checksum ? (uint16_t)(csum ^ 0x0101) : csum);
}

// Both return the bytes of the header with its options.
static size_t write_ipv4(const struct datagram *d, uint8_t *ip)
{
	const size_t n = 20U + d->n_options;

	ip[0] = (uint8_t)(0x40 | n / 4);
	ip[1] = d->tos;
	store_be16(ip + 2, (uint16_t)(n + 8 + d->n));
	store_be16(ip + 4, 0x1234);
	store_be16(ip + 6, d->dont_fragment ? 0x4000 : 0);
	ip[8] = d->ttl ? d->ttl : 64;
	ip[9] = 17;
	memcpy(ip + 12, rig_endpoint(d->from).ip.bytes, 4);
	memcpy(ip + 16, rig_endpoint(d->to).ip.bytes, 4);
	memset(ip + 20, 1, d->n_options);
	store_be16(ip + 10, (uint16_t)~sum_bytes(ip, n, 0));
	return n;
}

static size_t write_ipv6(const struct datagram *d, uint8_t *ip)
{
	const size_t n = 40U + d->n_options;

	store_be32(ip, 6u << 28 | (uint32_t)d->tos << 20 | 0xabcde);
	store_be16(ip + 4, (uint16_t)(d->n_options + 8 + d->n));
	ip[6] = d->n_options ? 60 : 17;
	ip[7] = d->ttl ? d->ttl : 64;
	memcpy(ip + 8, rig_endpoint(d->from).ip.bytes, 16);
	memcpy(ip + 24, rig_endpoint(d->to).ip.bytes, 16);
	if (d->n_options) {
		ip[40] = 17;
		ip[41] = (uint8_t)(d->n_options / 8 - 1);
		ip[42] = 1; // PadN
		ip[43] = (uint8_t)(d->n_options - 4);
	}
	return n;
}

struct frame frame_udp(const struct datagram *d)
{
	const struct endpoint from = rig_endpoint(d->from);
	const bool ipv4 = from.ip.family == FAMILY_IPV4;
	const uint16_t type = ipv4 ? 0x0800 : 0x86dd;
	const size_t l2 = d->vlan ? 18 : 14;
	struct frame frame = {0};
	uint8_t *ip = frame.bytes + l2;
	uint8_t *udp = ip + (ipv4 ? write_ipv4(d, ip) : write_ipv6(d, ip));

	frame.n = (size_t)(udp + 8 + d->n - frame.bytes);
	memcpy(frame.bytes, rig_port_mac, 6);
	memcpy(frame.bytes + 6, rig_gateway_mac, 6);
	store_be16(frame.bytes + 12, d->vlan ? 0x8100 : type);
	if (d->vlan) {
		store_be16(frame.bytes + 14, d->vlan);
		store_be16(frame.bytes + 16, type);
	}
	store_be16(udp, from.port);
	store_be16(udp + 2, rig_endpoint(d->to).port);
	store_be16(udp + 4, (uint16_t)(8 + d->n));
	memcpy(udp + 8, d->payload, d->n);
	write_udp_checksum(d, ip, udp);
	return frame;
}

// The parts of frame_read(); `n` bytes stand from the IP header to the end of the frame.
static bool read_ipv4(const uint8_t *ip, size_t n, struct datagram *out)
{
	if (ip[0] != 0x45 || ip[9] != 17 || sum_bytes(ip, 20, 0) != 0xffff ||
		load_be16(ip + 2) != n)
		return false;
	out->ttl = ip[8];
	out->tos = ip[1];
	out->dont_fragment = load_be16(ip + 6) == 0x4000;
	return true;
}

static bool read_ipv6(const uint8_t *ip, size_t n, struct datagram *out)
{
	if (ip[0] >> 4 != 6 || ip[6] != 17 || 40U + load_be16(ip + 4) != n)
		return false;
	out->ttl = ip[7];
	out->tos = (uint8_t)(load_be16(ip) >> 4);
	out->has_flow_label = (load_be32(ip) & 0xfffff) != 0;
	return true;
}

static void format(char text[64], enum family family, const uint8_t *ip, const uint8_t *port)
{
	const struct endpoint endpoint = {ip_from_bytes(family, ip), load_be16(port)};

	endpoint_format(&endpoint, text);
}

bool frame_read(const struct frame *frame, struct datagram *out, char from[64], char to[64])
{
	const size_t l2 = load_be16(frame->bytes + 12) == 0x8100 ? 18 : 14;
	const uint8_t *ip = frame->bytes + l2;
	const bool ipv4 = load_be16(ip - 2) == 0x0800;
	const enum family family = ipv4 ? FAMILY_IPV4 : FAMILY_IPV6;
	const uint8_t *source = ip + (ipv4 ? 12 : 8);
	const uint8_t *udp = ip + (ipv4 ? 20 : 40);
	const size_t udp_bytes = load_be16(udp + 4);

	*out = (struct datagram){
		.from = from,
		.to = to,
		.payload = udp + 8,
		.n = udp_bytes - 8,
		.no_checksum = load_be16(udp + 6) == 0,
		.vlan = l2 == 18 ? load_be16(frame->bytes + 14) : 0,
	};
	if ((!ipv4 && load_be16(ip - 2) != 0x86dd) || udp + udp_bytes != frame->bytes + frame->n ||
		!(ipv4 ? read_ipv4(ip, frame->n - l2, out) : read_ipv6(ip, frame->n - l2, out)))
		return false;
	format(from, family, source, udp);
	format(to, family, source + family_bytes(family), udp + 2);
	out->bad_checksum =
		!out->no_checksum && sum_bytes(udp, udp_bytes, pseudo_sum(ip, udp_bytes)) != 0xffff;
	return true;
}

void frame_blank(struct frame *frame)
{
	memset(frame->bytes + 18, 0, 2);
	memset(frame->bytes + 24, 0, 2);
	if (frame->n > 62 && load_be16(frame->bytes + 42) == 0x0017) {
		memset(frame->bytes + 50, 0, 12);
		memset(frame->bytes + 40, 0, 2);
	}
}

void rig_receive_on(struct rig *rig, unsigned queue, const struct frame *frame)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(rig->pool);

	cr_assert_not_null(mbuf);
	memcpy(rte_pktmbuf_append(mbuf, (uint16_t)frame->n), frame->bytes, frame->n);
	cr_assert_eq(rte_ring_enqueue(rig->port.memory_rx[queue], mbuf), 0);
}

bool rig_sent_on(struct rig *rig, unsigned queue, struct frame *out)
{
	struct rte_mbuf *mbuf;

	if (rte_ring_dequeue(rig->port.memory_tx[queue], (void **)&mbuf))
		return false;
	out->n = mbuf->data_len;
	memcpy(out->bytes, rte_pktmbuf_mtod(mbuf, void *), out->n);
	rte_pktmbuf_free(mbuf);
	return true;
}

void rig_pass(struct rig *rig, const struct datagram *in, struct passed *out)
{
	const struct frame frame = frame_udp(in);
	struct frame extra;

	rig_receive(rig, &frame);
	worker_poll(rig->worker);
	cr_assert(rig_sent(rig, &out->frame), "%s to %s: nothing leaves", in->from, in->to);
	cr_assert(frame_read(&out->frame, &out->datagram, out->from, out->to), "%s to %s", in->from,
		in->to);
	cr_expect_not(out->datagram.bad_checksum, "%s to %s", in->from, in->to);
	cr_expect_not(rig_sent(rig, &extra), "%s to %s: a frame too many", in->from, in->to);
}

void rig_receive(struct rig *rig, const struct frame *frame)
{
	rig_receive_on(rig, 0, frame);
}

bool rig_sent(struct rig *rig, struct frame *out)
{
	return rig_sent_on(rig, 0, out);
}

bool rig_control(struct rig *rig, struct msg_channel *channel, struct msg *out)
{
	(void)rig;
	return msg_receive_burst(channel, out, 1) == 1;
}

const struct worker_stats *rig_stats_of(const struct rig *rig, unsigned worker_idx)
{
	return &worker_public(rig->workers[worker_idx].worker)->stats;
}

const struct worker_stats *rig_stats(const struct rig *rig)
{
	return rig_stats_of(rig, 0);
}
