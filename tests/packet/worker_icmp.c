// ICMP errors both ways: those about relayed packets become Data indications (RFC 8656 §11.5), and
// what may not leave the box is answered with one (§13).
#include "rows.h"
#include "stun/stun.h"

#include <criterion/criterion.h>

#define ROUTER "203.0.113.1:0"
#define ROUTER6 "[2001:db8:9::1]:0"

static struct rig rig;
static uint64_t now_ms;

static void open_rig(void)
{
	now_ms = 1000;
	rig_open_families(&rig, &(struct rig_options){.virtual_ms = &now_ms});
}

static void close_rig(void)
{
	rig_expect_balance(&rig);
	rig_close(&rig);
}

TestSuite(icmp, .init = open_rig, .fini = close_rig);

// An error from a router about the first bytes of a datagram that we sent.
struct error {
	struct datagram about;
	uint8_t type;
	uint8_t code;
	uint32_t rest; // the second word of the header
	size_t n_quoted; // bytes of the datagram, from its IP header; 0: all
};

static uint16_t checksum(const uint8_t *bytes, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

// A UDP datagram whose payload is the message, made into ICMP by hand.
static struct frame frame_of(const struct error *error)
{
	const bool ipv4 = rig_endpoint(error->about.from).ip.family == FAMILY_IPV4;
	const size_t ip_bytes = ipv4 ? 20 : 40;
	struct frame quoted = frame_udp(&error->about);
	const size_t n_quoted = error->n_quoted ? error->n_quoted : quoted.n - 14;
	const struct datagram outer = {ipv4 ? ROUTER : ROUTER6, error->about.from,
		.payload = quoted.bytes + 14, .n = n_quoted};
	struct frame frame = frame_udp(&outer);
	uint8_t *ip = frame.bytes + 14;
	uint8_t *message = ip + ip_bytes;
	const size_t n = frame.n - 14 - ip_bytes;

	message[0] = error->type;
	message[1] = error->code;
	store_be16(message + 2, 0);
	store_be32(message + 4, error->rest);
	if (ipv4) {
		ip[9] = 1;
		store_be16(ip + 10, 0);
		store_be16(ip + 10, checksum(ip, 20, 0));
		store_be16(message + 2, checksum(message, n, 0));
	} else {
		ip[6] = 58;
		store_be16(message + 2,
			checksum(message, n, (uint16_t)~checksum(ip + 8, 32, (uint32_t)(58 + n))));
	}
	return frame;
}

// Comes in; what is sent is a Data indication to `client` that names the peer and the error.
static void expect_indication(const struct error *error, const char *service, const char *client)
{
	const struct frame in = frame_of(error);
	const uint8_t value[8] = {0, 0, error->type, error->code, (uint8_t)(error->rest >> 24),
		(uint8_t)(error->rest >> 16), (uint8_t)(error->rest >> 8), (uint8_t)error->rest};
	const struct stun_attr *attr;
	struct endpoint peer;
	struct stun_view view;
	struct datagram got;
	struct frame out;
	char from[64];
	char to[64];

	rig_receive(&rig, &in);
	worker_poll(rig.worker);
	cr_assert(rig_sent(&rig, &out), "type %u: nothing was sent", error->type);
	cr_assert(frame_read(&out, &got, from, to));
	cr_expect_str_eq(from, service);
	cr_expect_str_eq(to, client);
	cr_expect_not(got.bad_checksum);
	cr_assert_eq(stun_parse(&view, got.payload, got.n), 0);
	cr_expect_eq(view.class, STUN_INDICATION);
	cr_expect_eq(view.method, STUN_DATA);
	cr_expect_null(stun_find(&view, STUN_ATTR_DATA));
	attr = stun_find(&view, STUN_ATTR_XOR_PEER_ADDRESS);
	cr_assert_not_null(attr);
	cr_assert_eq(stun_get_xor_address(attr, view.transaction_id, &peer), 0);
	cr_expect_str_eq(endpoint_format(&peer, to), error->about.to);
	attr = stun_find(&view, STUN_ATTR_ICMP);
	cr_assert_not_null(attr);
	cr_assert_eq(attr->n_bytes, sizeof(value));
	cr_expect_arr_eq(
		attr->value, value, sizeof(value), "type %u code %u", error->type, error->code);
}

Test(icmp, error_about_a_relayed_packet_reaches_the_client)
{
	static const struct error errors[] = {
		{{RELAYED, PEER, BYTES("hello")}, 3, 3, 0, 0},
		{{RELAYED, PEER, BYTES("hello")}, 3, 4, 1400, 0},
		{{RELAYED, PEER, BYTES("hello")}, 11, 0, 0, 28},
		{{RELAYED, PEER, BYTES("hello"), .n_options = 8}, 3, 1, 0, 36},
	};

	for (size_t i = 0; i < N_ELEMENTS(errors); i++)
		expect_indication(&errors[i], SERVICE, CLIENT);
	cr_expect_eq(rig_stats(&rig)->n_icmp_relayed, N_ELEMENTS(errors));
}

// The words in which other types and codes have something else must be zero in the attribute.
Test(icmp, error_data_is_the_mtu_or_zero)
{
	struct error error = {{RELAYED, PEER, BYTES("hello")}, 3, 3, 0, 0};
	struct frame in = frame_of(&error);

	store_be16(in.bytes + 14 + 20 + 6, 7);
	store_be16(in.bytes + 14 + 20 + 2, 0);
	store_be16(in.bytes + 14 + 20 + 2, checksum(in.bytes + 34, in.n - 34, 0));
	rig_receive(&rig, &in);
	worker_poll(rig.worker);
	cr_assert(rig_sent(&rig, &in));
	cr_expect_eq(load_be32(in.bytes + in.n - 4), 0);
}

Test(icmp, error_over_the_other_families)
{
	static const struct error to_ipv6_client = {
		{RELAYED_64, PEER, BYTES("hello")}, 3, 4, 1300, 0};
	static const struct error errors[] = {
		{{RELAYED_66, PEER6, BYTES("hello")}, 1, 4, 0, 0},
		{{RELAYED_66, PEER6, BYTES("hello")}, 2, 0, 1280, 0},
		{{RELAYED_66, PEER6, BYTES("hello")}, 3, 0, 0, 48},
	};

	expect_indication(&to_ipv6_client, SERVICE6, CLIENT_64);
	for (size_t i = 0; i < N_ELEMENTS(errors); i++)
		expect_indication(&errors[i], SERVICE6, CLIENT_66);
}

// §11.5: the router's address does not matter, the port of the peer does not matter, its address
// does.
Test(icmp, permission_goes_by_the_address_of_the_peer)
{
	static const struct error other_port = {
		{RELAYED, "198.18.0.20:6001", BYTES("hello")}, 3, 3, 0, 0};
	static const struct error other_peer = {
		{RELAYED, "198.18.0.21:6000", BYTES("hello")}, 3, 3, 0, 0};
	const struct frame in = frame_of(&other_peer);
	struct frame out;

	expect_indication(&other_port, SERVICE, CLIENT);
	rig_receive(&rig, &in);
	worker_poll(rig.worker);
	cr_expect_not(rig_sent(&rig, &out));
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_NO_PERMISSION], 1);
}

Test(icmp, what_is_no_error_about_a_relayed_packet_is_the_kernels)
{
	struct error error = {{RELAYED, PEER, BYTES("hello")}, 3, 3, 0, 0};
	struct frame frame;

	error.type = 8;
	frame = frame_of(&error);
	rig_expect_mirrored(&rig, &frame, "echo request");
	error.type = 5;
	frame = frame_of(&error);
	rig_expect_mirrored(&rig, &frame, "redirect");
	error.type = 3;
	error.n_quoted = 27;
	frame = frame_of(&error);
	rig_expect_mirrored(&rig, &frame, "a UDP header cut short");
	error.n_quoted = 0;
	frame = frame_of(&error);
	frame.bytes[36] ^= 1;
	rig_expect_mirrored(&rig, &frame, "a wrong checksum");
	frame = frame_of(&error);
	frame.bytes[33] ^= 1;
	store_be16(frame.bytes + 24, 0);
	store_be16(frame.bytes + 24, checksum(frame.bytes + 14, 20, 0));
	rig_expect_mirrored(&rig, &frame, "to another than who sent what it is about");
	error.about.from = "198.18.0.2:53";
	frame = frame_of(&error);
	rig_expect_mirrored(&rig, &frame, "about a packet of the host");
	error.about.from = SERVICE;
	error.about.to = CLIENT;
	frame = frame_of(&error);
	rig_expect_mirrored(&rig, &frame, "about a packet to a client");
	error = (struct error){{RELAYED_66, PEER6, BYTES("hello")}, 4, 0, 0, 0};
	frame = frame_of(&error);
	rig_expect_mirrored(&rig, &frame, "ICMPv6 parameter problem");
	error.type = 128;
	frame = frame_of(&error);
	rig_expect_mirrored(&rig, &frame, "ICMPv6 echo request");
}

// What a datagram of `n` bytes to the relay earns: the type and the MTU of the error.
struct earned {
	uint8_t type;
	uint8_t code;
	uint16_t mtu;
};

static void expect_error(const struct datagram *in, const struct earned *earned)
{
	const struct frame frame = frame_udp(in);
	const bool ipv4 = rig_endpoint(in->from).ip.family == FAMILY_IPV4;
	const size_t ip_bytes = ipv4 ? 20 : 40;
	const size_t bytes_max = ipv4 ? 576 : 1280;
	const uint8_t *ip;
	const uint8_t *message;
	struct frame out;
	size_t n_quoted;

	rig_receive(&rig, &frame);
	worker_poll(rig.worker);
	cr_assert(rig_sent(&rig, &out), "%s to %s: nothing was sent", in->from, in->to);
	ip = out.bytes + 14;
	message = ip + ip_bytes;
	n_quoted = out.n - 14 - ip_bytes - 8;
	cr_expect(!memcmp(out.bytes, rig_gateway_mac, 6), "back to where it came from");
	cr_expect_arr_eq(ip + (ipv4 ? 12 : 8), rig_endpoint(in->to).ip.bytes, ipv4 ? 4 : 16);
	cr_expect_arr_eq(ip + (ipv4 ? 16 : 24), rig_endpoint(in->from).ip.bytes, ipv4 ? 4 : 16);
	cr_expect_eq(message[0], earned->type);
	cr_expect_eq(message[1], earned->code);
	cr_expect_eq(load_be32(message + 4), earned->mtu, "MTU %u", load_be32(message + 4));
	cr_expect_leq(out.n - 14, bytes_max);
	cr_expect(out.n - 14 == bytes_max || n_quoted == frame.n - 14);
	cr_expect_arr_eq(message + 8, frame.bytes + 14, n_quoted);
	if (ipv4) {
		cr_expect_eq(load_be16(ip + 2), out.n - 14);
		cr_expect_eq(checksum(ip, 20, 0), 0);
		cr_expect_eq(checksum(message, 8 + n_quoted, 0), 0);
	} else {
		cr_expect_eq(load_be16(ip + 4), out.n - 54);
		cr_expect_eq(
			checksum(message, 8 + n_quoted,
				(uint16_t)~checksum(ip + 8, 32, (uint32_t)(58 + 8 + n_quoted))),
			0);
	}
}

static struct datagram channel_data(
	const char *client, const char *service, uint8_t *buffer, uint16_t data_bytes)
{
	store_be16(buffer, CHANNEL);
	store_be16(buffer + 2, data_bytes);
	return (struct datagram){
		client, service, .payload = buffer, .n = 4U + data_bytes, .dont_fragment = true};
}

// The MTU is 1,500 everywhere.
Test(icmp, too_big_for_the_way_out_is_answered)
{
	static uint8_t buffer[1600];
	struct datagram in = channel_data(CLIENT, SERVICE, buffer, 1473);

	// Up it shrinks by the channel's header: what the link carries is what the client may send.
	expect_error(&in, &(struct earned){3, 4, 1500});
	in = channel_data(CLIENT_66, SERVICE6, buffer, 1453);
	expect_error(&in, &(struct earned){2, 0, 1500});
	// Down it may have to be a Data indication (§13.2: 48 bytes), to an IPv6 client 20 more.
	in = (struct datagram){PEER6, RELAYED_66, .payload = buffer, .n = 1449};
	expect_error(&in, &(struct earned){2, 0, 1452});
	in = (struct datagram){
		PEER, RELAYED_64, .payload = buffer, .n = 1449, .dont_fragment = true};
	expect_error(&in, &(struct earned){3, 4, 1432});
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_TOO_BIG], 4);
	cr_expect_eq(rig_stats(&rig)->n_icmp_sent, 4);
}

Test(icmp, end_of_the_hop_limit_is_answered)
{
	const struct datagram in = {CLIENT, SERVICE, BYTES(HELLO), .ttl = 1, .n_options = 4};
	const struct datagram in6 = {PEER6, RELAYED_66, BYTES("hello"), .ttl = 1};

	expect_error(&in, &(struct earned){11, 0, 0});
	expect_error(&in6, &(struct earned){3, 0, 0});
}

// RFC 1122 §3.2.2, RFC 4443 §2.4: not to what is no single host. Whom nothing is relayed for gets
// nothing either.
Test(icmp, no_error_goes_astray)
{
	static const char *const sources[] = {
		"0.1.2.3:6000", "127.0.0.1:6000", "224.0.0.1:6000", "255.255.255.255:6000"};
	const struct datagram foreign = {"198.18.0.77:6000", RELAYED, BYTES("hello"), .ttl = 1};
	struct frame frame = frame_udp(&foreign);
	struct frame out;

	rig_receive(&rig, &frame);
	worker_poll(rig.worker);
	cr_expect_not(rig_sent(&rig, &out), "an error to a stranger");
	for (size_t i = 0; i < N_ELEMENTS(sources); i++) {
		const struct datagram in = {sources[i], RELAYED, BYTES("hello"), .ttl = 1};

		rig_allocation(&rig, CLIENT, RELAYED, sources[i], 0x4002);
		frame = frame_udp(&in);
		rig_receive(&rig, &frame);
		worker_poll(rig.worker);
		cr_expect_not(rig_sent(&rig, &out), "an error to %s", sources[i]);
	}
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_TTL_EXPIRED], N_ELEMENTS(sources));
}

// Two clients of one box: who sent it is known by no error on a wire.
Test(icmp, none_about_a_packet_of_the_loop)
{
	struct flow_spec up = {
		.kind = FLOW_UP,
		.local = rig_endpoint(SERVICE6),
		.remote = rig_endpoint(CLIENT_66),
		.channel = CHANNEL,
		.source = rig_endpoint(RELAYED_64),
		.target = rig_endpoint(RELAYED),
		.hop_idx = FLOW_HOP_LOOP_FIRST,
	};
	const struct datagram in = {CLIENT_66, SERVICE6, BYTES(HELLO), .ttl = 2};
	const struct frame frame = frame_udp(&in);
	struct frame out;

	rig_hop(&rig, FLOW_HOP_LOOP_FIRST, FLOW_HOP_LOOP);
	rig_allocation(&rig, CLIENT, RELAYED, RELAYED_64, CHANNEL_B);
	rig_flow(&rig, &up);
	rig_receive(&rig, &frame);
	worker_poll(rig.worker);
	worker_poll(rig.worker);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_TTL_EXPIRED], 1);
	cr_expect_not(rig_sent(&rig, &out));
}

// A flood of packets that cannot pass is no flood of errors: 100 at once, 1,000 a second.
Test(icmp, errors_have_a_budget)
{
	const struct datagram in = {CLIENT, SERVICE, BYTES(HELLO), .ttl = 1};
	const struct frame frame = frame_udp(&in);
	unsigned n_sent = 0;
	struct frame out;

	for (unsigned i = 0; i < 300; i++) {
		rig_receive(&rig, &frame);
		worker_poll(rig.worker);
		n_sent += rig_sent(&rig, &out);
	}
	cr_expect_eq(n_sent, 100);
	now_ms += 5;
	for (unsigned i = 0; i < 300; i++) {
		rig_receive(&rig, &frame);
		worker_poll(rig.worker);
		n_sent += rig_sent(&rig, &out);
	}
	cr_expect_eq(n_sent, 105);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_TTL_EXPIRED], 600);
}
