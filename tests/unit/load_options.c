// The command line of the load tester: what it means and what it may not say.
#include "app/turnpike-load/wires.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <getopt.h>

#define WORDS_MAX 32
#define SERVER "--server 192.0.2.1:3478 -u u -w p "
#define CLIENT "--client 198.51.100.1 "
#define SERVER6 "--server [2001:db8::1]:3478 -u u -w p "
#define CLIENT6 "--client 2001:db8::9 "

static struct options options;

// Parse words with one space between them.
static int parse(const char *text)
{
	static char line[512];
	char *argv[WORDS_MAX] = {"turnpike-load"};
	int argc = 1;

	snprintf(line, sizeof(line), "%s", text);
	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	optind = 0;
	return options_parse(&options, argc, argv);
}

static void expect_ip(const struct ip_addr *ip, const char *want)
{
	char text[ADDR_TEXT_BYTES];

	cr_expect_str_eq(ip_format(ip, text), want);
}

TestSuite(load_options, .init = cr_redirect_stderr);

Test(load_options, what_does_not_fit_together_is_refused)
{
	static const char *const rows[] = {
		"",
		"fly " SERVER,
		"run hold " SERVER,
		"run",
		"run --server 192.0.2.1:3478",
		"run --server 192.0.2.1:0 -u u -w p",
		"run --server [2001:db8::1]:0 -u u -w p",
		"run --server [::ffff:192.0.2.1]:3478 -u u -w p",
		"run --server [fe80::1]:3478 -u u -w p",
		"run --server [ff02::1]:3478 -u u -w p",
		"run --client 2001:db8::9 --relay 2001:db8::1 " SERVER,
		"run --client 198.51.100.1 --relay 192.0.2.1 " SERVER6,
		"run --client 2001:db8::9 --client 198.51.100.1 " SERVER6,
		"run --peer 2001:db8::9 " SERVER CLIENT,
		"run --peer 2001:db8::9 --relay 192.0.2.0/24 " SERVER CLIENT,
		"run --peer 198.51.100.2 --peer 2001:db8::9 " SERVER CLIENT,
		"run --echo 203.0.113.1 --echo 2001:db8::9 " SERVER CLIENT,
		"echo --echo 2001:db8::9 --relay 192.0.2.1",
		"run --gateway 2001:db8::2 " SERVER CLIENT,
		"run --gateway 192.0.2.1 " SERVER6 CLIENT6,
		"run --gateway ff02::2 " SERVER6 CLIENT6,
		"run --gateway 2001:db8::2 --echo 2001:db8::9 --relay 2001:db8::1 " SERVER CLIENT,
		"run --gateway 2001:db8::2 --peer 2001:db8::9 --relay 2001:db8::1 --peer-wire "
		"memif:/b " SERVER CLIENT,
		"run --peer-wire memif:/b --peer 2001:db8::9 --relay 2001:db8::1 --peer-gateway "
		"192.0.2.1 " SERVER CLIENT,
		"echo --echo 2001:db8::9 --relay 2001:db8::1 --gateway 192.0.2.1",
		"run --peer-gateway 192.0.2.1 " SERVER CLIENT,
		"run --rate 5 " SERVER CLIENT,
		"hold --rate 5 " SERVER CLIENT,
		"binding -d 3601 " SERVER CLIENT,
		"run --wire af_packet:eth0 " SERVER,
		"run --wire sockets:eth0 " SERVER CLIENT,
		"run --wire af_packet " SERVER CLIENT,
		"run --peer-wire af_packet:eth0 " SERVER CLIENT,
		"run --ports 20-10 " SERVER CLIENT,
		"run --peer 224.0.0.1 " SERVER CLIENT,
		"run --echo 203.0.113.1 --peer 198.51.100.2 " SERVER CLIENT,
		"run --echo 203.0.113.1 --peer 198.51.100.2 --peer-wire af_packet:e " SERVER CLIENT,
		"run --echo 203.0.113.1 --direction down " SERVER CLIENT,
		"run --echo 203.0.113.1 --echo 203.0.113.2 --echo-ports 1-40000 " SERVER CLIENT,
		"echo --echo 203.0.113.1",
		"echo --relay 192.0.2.0/24",
		"echo --echo 203.0.113.1 --relay 192.0.2.1 --server 192.0.2.1:3478",
		"echo --echo 203.0.113.1 --relay 192.0.2.1 --client 192.0.2.1",
		"echo --echo 203.0.113.1 --relay 192.0.2.1 --rate 5",
		"echo --echo 203.0.113.1 --relay 192.0.2.1 --report page.html",
		"echo --echo 203.0.113.1 --relay 192.0.2.1 --count 0",
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		cr_expect_eq(parse(rows[i]), 64, "%s", rows[i]);
}

Test(load_options, defaults_follow_the_mode)
{
	cr_assert_eq(parse("run " SERVER CLIENT), -1);
	cr_expect_eq(options.n_calls, 100);
	cr_expect_eq(options.n_peers, 16);
	cr_expect_eq(options.duration_s, 10);
	expect_ip(&options.relays[0].ip, "192.0.2.1");
	expect_ip(&options.peer_ips[0], "198.51.100.1");
	expect_ip(&options.wire.gateway, "192.0.2.1");
	cr_assert_eq(parse("run -n 3 " SERVER CLIENT), -1);
	cr_expect_eq(options.n_peers, 3);
	cr_assert_eq(parse("soak " SERVER CLIENT), -1);
	cr_expect_eq(options.duration_s, 3600);
	cr_assert_eq(parse("search " SERVER CLIENT), -1);
	cr_expect_eq(options.profile, PROFILE_FLOOD);
	cr_expect_eq(options.rate, 10000);
}

Test(load_options, defaults_are_of_the_family_of_the_server)
{
	cr_assert_eq(parse("run " SERVER6 CLIENT6), -1);
	expect_ip(&options.relays[0].ip, "2001:db8::1");
	cr_expect_eq(options.relays[0].n_bits, 128);
	expect_ip(&options.peer_ips[0], "2001:db8::9");
}

// The relay has addresses of both.
Test(load_options, peers_may_be_of_the_other_family)
{
	cr_assert_eq(parse("run --peer 2001:db8::9 --relay 192.0.2.1 --relay 2001:db8::1 " SERVER
				     CLIENT),
		-1);
	cr_assert_eq(parse("run --echo 203.0.113.1 --relay 192.0.2.1 " SERVER6 CLIENT6), -1);
	cr_assert_eq(options.n_peers, 16);
}

Test(load_options, next_hop_is_of_a_family_that_its_wire_has)
{
	cr_assert_eq(parse("run --gateway fe80::1 " SERVER6 CLIENT6), -1);
	expect_ip(&options.wire.gateway, "fe80::1");
	cr_assert_eq(
		parse("run --peer 2001:db8::9 --relay 2001:db8::1 --gateway 2001:db8::2 " SERVER
				CLIENT),
		-1);
	cr_assert_eq(parse("run --wire memif:/a --peer-wire memif:/b --peer 2001:db8::9 --relay "
			   "192.0.2.1 --relay 2001:db8::1 " SERVER CLIENT),
		-1);
	expect_ip(&options.wire.gateway, "192.0.2.1");
	expect_ip(&options.peer_wire.gateway, "2001:db8::1");
	cr_assert_eq(parse("echo --echo 2001:db8::9 --relay 192.0.2.1 --relay 2001:db8::1"), -1);
	expect_ip(&options.wire.gateway, "2001:db8::1");
}

// Four seconds of clients, so that each may rest.
Test(load_options, allocate_has_clients_for_its_rate)
{
	cr_assert_eq(parse("allocate " SERVER CLIENT), -1);
	cr_expect_eq(options.n_calls, 4000);
	cr_assert_eq(parse("allocate --rate 5 " SERVER CLIENT), -1);
	cr_expect_eq(options.n_calls, 100);
	cr_assert_eq(parse("allocate --rate 50000 " SERVER CLIENT), -1);
	cr_expect_eq(options.n_calls, 10000);
	cr_assert_eq(parse("allocate -n 7 " SERVER CLIENT), -1);
	cr_expect_eq(options.n_calls, 7);
}

Test(load_options, far_echo_stands_for_peers_that_media_goes_up_to)
{
	static const char *const wanted[] = {
		"203.0.113.1:40000", "203.0.113.1:40001", "203.0.113.2:40000", "203.0.113.2:40001"};

	cr_assert_eq(
		parse("run --echo 203.0.113.1 --echo 203.0.113.2 --echo-ports 40000-40001 " SERVER
				CLIENT),
		-1);
	cr_expect(options.directions[UP] && !options.directions[DOWN]);
	cr_assert_eq(options.n_peers, N_ELEMENTS(wanted));
	for (uint32_t i = 0; i < N_ELEMENTS(wanted); i++) {
		const struct endpoint far = wires_far(&options, i);
		char text[ADDR_TEXT_BYTES];

		cr_expect_str_eq(endpoint_format(&far, text), wanted[i]);
	}
}

Test(load_options, echo_has_every_port_and_the_relay_as_its_way)
{
	cr_assert_eq(parse("echo --echo 203.0.113.1 --relay 192.0.2.9"), -1);
	cr_expect_eq(options.n_peers, 16);
	cr_expect_eq(options.duration_s, 3600);
	expect_ip(&options.wire.gateway, "192.0.2.9");
}

Test(load_options, peers_have_a_wire_and_a_way_of_their_own)
{
	cr_assert_eq(parse("run --wire af_packet:a --peer-wire memif:/b --peer 203.0.113.5 --relay "
			   "192.0.2.9 " SERVER CLIENT),
		-1);
	cr_expect_eq(options.wire.kind, WIRE_AF_PACKET);
	cr_expect_str_eq(options.wire.target, "a");
	expect_ip(&options.wire.gateway, "192.0.2.1");
	cr_expect_eq(options.peer_wire.kind, WIRE_MEMIF);
	cr_expect_str_eq(options.peer_wire.target, "/b");
	expect_ip(&options.peer_wire.gateway, "192.0.2.9");
}
