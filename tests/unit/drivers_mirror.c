// The mirror in a network namespace of its own: what Linux then has, seen through /proc, and
// frames.
#include "drivers/drivers.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAC                                        \
	{                                          \
		0x02, 0x00, 0x5e, 0x10, 0x20, 0x30 \
	}
#define PEER_MAC                                   \
	{                                          \
		0x02, 0x00, 0x5e, 0x10, 0x20, 0x99 \
	}

static void enter_namespace(void)
{
	if (geteuid() != 0)
		cr_skip_test("needs root");
	cr_assert_eq(unshare(CLONE_NEWNET), 0);
}

TestSuite(drivers_mirror, .init = enter_namespace, .timeout = 30);

static struct prefix prefix(const char *text)
{
	struct prefix out;

	cr_assert_eq(prefix_parse(&out, text), 0);
	return out;
}

static struct ip_addr ip(const char *text)
{
	struct ip_addr out;

	cr_assert_eq(ip_parse(&out, text), 0);
	return out;
}

static struct mirror_config config_with(const struct prefix *addresses, size_t n_addresses)
{
	return (struct mirror_config){
		.name = "tp0",
		.mac = MAC,
		.mtu_bytes = 1400,
		.addresses = addresses,
		.n_addresses = n_addresses,
	};
}

static struct mirror open_mirror(const struct mirror_config *config)
{
	char error[MIRROR_ERROR_BYTES];
	struct mirror mirror;

	cr_assert_eq(mirror_open(&mirror, config, error), 0, "%s", error);
	return mirror;
}

static bool file_has(const char *path, const char *text)
{
	FILE *file = fopen(path, "r");
	char line[256];
	bool found = false;

	cr_assert_not_null(file);
	while (fgets(line, sizeof(line), file))
		found |= strstr(line, text) != NULL;
	fclose(file);
	return found;
}

// What the kernel does by itself after a request: far sooner than duplicate detection, which takes
// a second.
static bool soon_has(const char *path, const char *text)
{
	for (int i = 0; i < 900 && !file_has(path, text); i++)
		usleep(1000);
	return file_has(path, text);
}

// Skips what Linux says by itself (router solicitations and the like).
static int read_ethertype(const struct mirror *mirror, uint16_t ethertype, uint8_t *frame, size_t n)
{
	struct pollfd wait = {.fd = mirror->fd, .events = POLLIN};

	while (poll(&wait, 1, 3000) > 0) {
		const int n_bytes = mirror_read(mirror, frame, n);

		if (n_bytes >= 14 && load_be16(frame + 12) == ethertype)
			return n_bytes;
	}
	return 0;
}

Test(drivers_mirror, linux_answers_arp_for_its_address)
{
	const struct prefix address = prefix("192.0.2.1/24");
	const struct mirror_config config = config_with(&address, 1);
	struct mirror mirror = open_mirror(&config);
	const uint8_t mac[6] = MAC;
	const uint8_t request[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x00, 0x5e, 0x10,
		0x20, 0x99, 0x08, 0x06, //
		0, 1, 8, 0, 6, 4, 0, 1, // who has
		0x02, 0x00, 0x5e, 0x10, 0x20, 0x99, 192, 0, 2, 9, // tell
		0, 0, 0, 0, 0, 0, 192, 0, 2, 1};
	uint8_t frame[1500];

	cr_assert_eq(mirror_write(&mirror, request, sizeof(request)), 0);
	cr_assert_geq(read_ethertype(&mirror, 0x0806, frame, sizeof(frame)), 42);
	cr_expect_eq(load_be16(frame + 20), 2); // is at
	cr_expect_arr_eq(frame + 6, mac, sizeof(mac));
	cr_expect_arr_eq(frame + 22, mac, sizeof(mac));
	cr_expect_arr_eq(frame + 28, request + 38, 4);
	mirror_close(&mirror);
}

Test(drivers_mirror, has_mac_mtu_addresses_routes_and_neighbours)
{
	const struct prefix addresses[] = {prefix("192.0.2.1/24"), prefix("2001:db8::1/64")};
	const struct static_route routes[] = {
		{.to = prefix("0.0.0.0/0"), .via = ip("192.0.2.254")},
		{.to = prefix("198.51.100.0/24")},
		{.to = prefix("2001:db8:1::/48"), .via = ip("2001:db8::fe")},
	};
	const struct static_neighbour neighbour = {ip("192.0.2.254"), PEER_MAC};
	struct mirror_config config = config_with(addresses, 2);
	struct mirror mirror;

	config.routes = routes;
	config.n_routes = 3;
	config.neighbours = &neighbour;
	config.n_neighbours = 1;
	mirror = open_mirror(&config);
	cr_expect_eq(mirror.ifindex, (int)if_nametoindex("tp0"));
	cr_expect_str_eq(mirror.name, "tp0");
	// Destination, gateway, flags (up, gateway), ..., mask; little-endian words in hex.
	cr_expect(file_has("/proc/net/route", "tp0\t00000000\tFE0200C0\t0003\t"));
	cr_expect(file_has("/proc/net/route", "tp0\t006433C6\t00000000\t0001\t"));
	cr_expect(file_has("/proc/net/ipv6_route",
		"20010db8000100000000000000000000 30 00000000000000000000000000000000 00 "
		"20010db80000000000000000000000fe"));
	// Prefix length 64, scope global, flags: no duplicate detection, permanent.
	cr_expect(file_has("/proc/net/if_inet6", " 40 00 82      tp0"));
	cr_expect(file_has(
		"/proc/net/arp", "192.0.2.254      0x1         0x6         02:00:5e:10:20:99"));
	mirror_close(&mirror);
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file, "%s", path);
	cr_assert(fputs(text, file) >= 0);
	cr_assert_eq(fclose(file), 0, "%s", path);
}

// An ICMPv6 message of `n_bytes` behind Ethernet and IPv6 headers, from fe80::99 to `target`.
static void make_icmp6(
	uint8_t *frame, const uint8_t target[static 16], const uint8_t *message, uint8_t n_bytes)
{
	static const uint8_t source_mac[6] = PEER_MAC;
	uint8_t *ip = frame + 14;
	uint32_t sum = 58u + n_bytes;

	memcpy(frame, "\x33\x33", 2);
	memcpy(frame + 2, target + 12, 4);
	memcpy(frame + 6, source_mac, 6);
	store_be16(frame + 12, 0x86dd);
	store_be32(ip, 6u << 28);
	store_be16(ip + 4, n_bytes);
	ip[6] = 58;
	ip[7] = 255;
	memset(ip + 8, 0, 16);
	ip[8] = 0xfe, ip[9] = 0x80, ip[23] = 0x99;
	memcpy(ip + 24, target, 16);
	memcpy(ip + 40, message, n_bytes);
	store_be16(ip + 42, 0);
	for (int i = 8; i < 40 + n_bytes; i += 2)
		sum += load_be16(ip + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	store_be16(ip + 42, (uint16_t)~sum);
}

// The next ICMPv6 message of that type; its offset, or 0.
static int read_icmp6(const struct mirror *mirror, uint8_t type, uint8_t *frame, size_t n)
{
	while (read_ethertype(mirror, 0x86dd, frame, n) > 54)
		if (frame[14 + 6] == 58 && frame[54] == type)
			return 54;
	return 0;
}

Test(drivers_mirror, linux_answers_a_neighbour_solicitation_even_where_new_interfaces_have_no_ipv6)
{
	const struct prefix address = prefix("2001:db8::1/64");
	const struct mirror_config config = config_with(&address, 1);
	const uint8_t target[16] = {0xff, 0x02, [11] = 1, 0xff, 0, 0, 1}; // solicited node
	const uint8_t message[32] = {135, 0, 0, 0, 0, 0, 0, 0, // neighbour solicitation
		0x20, 0x01, 0x0d, 0xb8, [23] = 1, //
		1, 1, 0x02, 0x00, 0x5e, 0x10, 0x20, 0x99}; // source link-layer address
	const uint8_t mac[6] = MAC;
	struct mirror mirror;
	uint8_t frame[1500];
	int offset;

	write_text("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	mirror = open_mirror(&config);
	cr_assert(soon_has("/proc/net/igmp6", "ff0200000000000000000001ff000001"));
	make_icmp6(frame, target, message, sizeof(message));
	cr_assert_eq(mirror_write(&mirror, frame, 54 + sizeof(message)), 0);
	offset = read_icmp6(&mirror, 136, frame, sizeof(frame));
	cr_assert_neq(offset, 0, "no neighbour advertisement");
	cr_expect_arr_eq(frame + offset + 8, message + 8, 16);
	cr_expect_arr_eq(frame + offset + 24 + 2, mac, sizeof(mac));
	mirror_close(&mirror);
}

Test(drivers_mirror, its_own_link_local_address_waits_for_no_duplicate)
{
	const struct prefix address = prefix("2001:db8::1/64");
	const struct mirror_config config = config_with(&address, 1);
	struct mirror mirror = open_mirror(&config);

	// Scope link, flags: permanent, but not tentative.
	cr_expect(soon_has("/proc/net/if_inet6", " 40 20 80      tp0"));
	mirror_close(&mirror);
}

Test(drivers_mirror, a_router_advertisement_changes_nothing)
{
	const struct prefix address = prefix("2001:db8::1/64");
	const struct mirror_config config = config_with(&address, 1);
	const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};
	const uint8_t message[56] = {134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0, //
		3, 4, 64, 0xc0, 0, 0, 0x07, 0x08, 0, 0, 0x07, 0x08, 0, 0, 0, 0, // a prefix
		0x20, 0x01, 0x0d, 0xb8, 0, 0x77, [48] = 1, 1, 2, 0, 0x5e, 0x10, 0x20, 0x99};
	struct mirror mirror = open_mirror(&config);
	const uint8_t echo[8] = {128};
	uint8_t frame[1500];

	make_icmp6(frame, all_nodes, message, sizeof(message));
	cr_assert_eq(mirror_write(&mirror, frame, 54 + sizeof(message)), 0);
	// What comes behind it is answered, so it has been judged.
	make_icmp6(frame, all_nodes, echo, sizeof(echo));
	cr_assert_eq(mirror_write(&mirror, frame, 54 + sizeof(echo)), 0);
	cr_assert_neq(read_icmp6(&mirror, 129, frame, sizeof(frame)), 0, "no echo");
	cr_expect_not(file_has("/proc/net/if_inet6", "20010db800770000"));
	cr_expect_not(file_has("/proc/net/ipv6_route",
		"00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
		"fe80000000000000"));
	mirror_close(&mirror);
}

Test(drivers_mirror, frames_of_linux_start_with_the_mac_and_fit_the_mtu)
{
	const struct prefix address = prefix("192.0.2.1/24");
	const struct static_neighbour neighbour = {ip("192.0.2.9"), PEER_MAC};
	const uint8_t macs[12] = {
		0x02, 0x00, 0x5e, 0x10, 0x20, 0x99, 0x02, 0x00, 0x5e, 0x10, 0x20, 0x30};
	const struct sockaddr_in peer = {
		.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0xc0000209)};
	const int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct mirror_config config = config_with(&address, 1);
	struct mirror mirror;
	uint8_t frame[2000] = {0};

	config.neighbours = &neighbour;
	config.n_neighbours = 1;
	mirror = open_mirror(&config);
	cr_assert_eq(
		sendto(fd, frame, 2000, 0, (const struct sockaddr *)&peer, sizeof(peer)), 2000);
	// Two fragments: 1400 bytes of IP hold a multiple of eight, 1376, after the header.
	cr_expect_eq(read_ethertype(&mirror, 0x0800, frame, sizeof(frame)), 14 + 20 + 1376);
	cr_expect_arr_eq(frame, macs, sizeof(macs));
	cr_expect_eq(read_ethertype(&mirror, 0x0800, frame, sizeof(frame)), 14 + 20 + 632);
	close(fd);
	mirror_close(&mirror);
}

Test(drivers_mirror, read_of_nothing_is_zero)
{
	const struct mirror_config config = config_with(NULL, 0);
	struct mirror mirror = open_mirror(&config);
	uint8_t frame[2000];
	int n;

	while ((n = mirror_read(&mirror, frame, sizeof(frame))) > 0)
		;
	cr_expect_eq(n, 0);
	mirror_close(&mirror);
}

Test(drivers_mirror, close_takes_the_interface_away_and_is_harmless_twice)
{
	const struct prefix address = prefix("192.0.2.1/24");
	const struct mirror_config config = config_with(&address, 1);
	struct mirror mirror = open_mirror(&config);

	cr_assert_neq(if_nametoindex("tp0"), 0);
	mirror_close(&mirror);
	cr_expect_eq(if_nametoindex("tp0"), 0);
	cr_expect_eq(mirror.fd, -1);
	mirror_close(&mirror);
}

Test(drivers_mirror, refusals_name_the_cause_and_leave_nothing)
{
	const struct prefix twice[] = {prefix("192.0.2.1/24"), prefix("192.0.2.1/24")};
	const struct static_route far = {.to = prefix("0.0.0.0/0"), .via = ip("203.0.113.1")};
	const struct static_route mixed = {.to = prefix("0.0.0.0/0"), .via = ip("2001:db8::1")};
	const struct {
		const char *name;
		size_t n_addresses;
		const struct static_route *route;
		int rc;
		const char *error;
	} rows[] = {
		{"tp0", 2, NULL, -EEXIST, "the kernel refuses address 192.0.2.1/24: File exists"},
		{"tp0", 1, &far, -ENETUNREACH,
			"the kernel refuses the route to 0.0.0.0/0: Network is unreachable"},
		{"tp0", 1, &mixed, -EINVAL,
			"the kernel refuses the route to 0.0.0.0/0: Invalid argument"},
		{"lo", 0, NULL, -EBUSY, "an interface of this name is there"},
		{"", 0, NULL, -EINVAL, "a name of 1 to 15 bytes is needed"},
		{"a-name-too-long0", 0, NULL, -EINVAL, "a name of 1 to 15 bytes is needed"},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct mirror_config config = config_with(twice, rows[i].n_addresses);
		char error[MIRROR_ERROR_BYTES];
		struct mirror mirror;

		config.name = rows[i].name;
		config.routes = rows[i].route;
		config.n_routes = rows[i].route ? 1 : 0;
		cr_expect_eq(mirror_open(&mirror, &config, error), rows[i].rc, "row %zu", i);
		cr_expect_str_eq(strstr(error, ": ") + 2, rows[i].error);
		cr_expect_eq(mirror.fd, -1);
		cr_expect_eq(if_nametoindex("tp0"), 0);
	}
}

Test(drivers_mirror, a_taken_name_is_busy)
{
	const struct mirror_config config = config_with(NULL, 0);
	struct mirror first = open_mirror(&config);
	char error[MIRROR_ERROR_BYTES];
	struct mirror second;

	cr_expect_eq(mirror_open(&second, &config, error), -EBUSY);
	cr_expect_str_eq(error, "mirror tp0: an interface of this name is there");
	cr_expect_neq(if_nametoindex("tp0"), 0);
	mirror_close(&first);
}
