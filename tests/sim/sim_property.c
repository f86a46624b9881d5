// Ten million random operations against the reference model, in worlds of different kind.
#include "property.h"

#include <criterion/criterion.h>

// Two relays of different size and two services.
#define RULES                                                                 \
	.relays = {{{FAMILY_IPV4, {192, 0, 2, 15}}, 50000, 50099},            \
		{{FAMILY_IPV4, {192, 0, 2, 17}}, 50001, 50020}},              \
	.n_relays = 2,                                                        \
	.services = {{{FAMILY_IPV4, {192, 0, 2, 15}}, 3478},                  \
		{{FAMILY_IPV4, {192, 0, 2, 16}}, 3478}},                      \
	.n_allocations_max = 1000, .lifetime_s = 600, .lifetime_max_s = 3600, \
	.nonce_lifetime_s = 600

Test(property, many_clients_of_a_roomy_server)
{
	static const struct scenario scenario = {
		.name = "roomy",
		.rules = {RULES, .realms = {{.offers_sha256 = true, .asks_userhash = true}}},
		.n_clients = 50,
		.n_hosts = 12,
		.ipv6_percent = 30,
		.n_channels = 10,
		.n_peers_max = 3,
		.second_percent = 15,
		.fault_percent = 15,
		.advance_permille = 60,
		.long_permille = 20,
		.kicks_permille = 2,
		.reloads_permille = 2,
	};

	property_run(&scenario, (const int[]){0, 400, 401, 403, 420, 437, 438, 440, 442, 443, -1});
}

// Ports, the number of allocations and the quota all end soon.
Test(property, too_many_clients_of_a_small_server)
{
	static const struct scenario scenario = {
		.name = "small",
		.rules = {.relays = {{{FAMILY_IPV4, {192, 0, 2, 15}}, 50000, 50010},
				  {{FAMILY_IPV4, {192, 0, 2, 17}}, 50001, 50004},
				  {{FAMILY_IPV6, {0x20, 0x01, 0x0d, 0xb8, [15] = 0x17}}, 50000,
					  50005}},
			.n_relays = 3,
			.services = {{{FAMILY_IPV4, {192, 0, 2, 15}}, 3478},
				{{FAMILY_IPV4, {192, 0, 2, 16}}, 3478}},
			.realms = {{.n_allocations_per_user = 4, .allow_private = true}},
			.n_allocations_max = 13,
			.lifetime_s = 60,
			.lifetime_max_s = 600,
			.nonce_lifetime_s = 120,
			.alternate = {{FAMILY_IPV4, {192, 0, 2, 77}}, 3478}},
		.n_clients = 40,
		.n_hosts = 4,
		.ipv6_percent = 30,
		.n_channels = 4,
		.n_peers_max = 3,
		.second_percent = 15,
		.fault_percent = 8,
		.advance_permille = 100,
		.long_permille = 10,
		.kicks_permille = 3,
		.reloads_permille = 2,
	};

	property_run(&scenario,
		(const int[]){0, 300, 400, 401, 403, 420, 437, 438, 440, 443, 486, 508, -1});
}

Test(property, names_that_end)
{
	static const struct scenario scenario = {
		.name = "rest",
		.rules = {RULES,
			.realms = {{.has_secrets = true,
				.offers_sha256 = true,
				.n_allocations_per_user = 6}},
			.rfc5766_channels = true},
		.n_clients = 40,
		.n_hosts = 8,
		.ipv6_percent = 30,
		.n_channels = 0x3000,
		.n_peers_max = 4,
		.second_percent = 15,
		.fault_percent = 10,
		.advance_permille = 80,
		.long_permille = 20,
		.kicks_permille = 2,
		.reloads_permille = 1,
	};

	property_run(&scenario, (const int[]){0, 400, 401, 403, 420, 437, 438, 441, 443, 486, -1});
}

// All that one allocation can have: permissions, and then channels to many ports of few hosts.
Test(property, few_clients_with_very_many_peers)
{
	static const struct scenario scenario = {
		.name = "hosts",
		.rules = {RULES},
		.n_clients = 5,
		.n_hosts = 140,
		.ipv6_percent = 30,
		.n_channels = 1000,
		.n_peers_max = PEERS_MAX,
		.second_percent = 15,
		.fault_percent = 5,
		.advance_permille = 10,
		.long_permille = 10,
		.fills_permissions = 128,
	};

	property_run(&scenario, (const int[]){0, 400, 401, 403, 437, 438, 443, 508, -1});
}

Test(property, few_clients_with_very_many_channels)
{
	static const struct scenario scenario = {
		.name = "channels",
		.rules = {RULES, .allows_mobility = true},
		.n_clients = 5,
		.n_hosts = 3,
		.n_ports = 300,
		.n_channels = 1000,
		.n_peers_max = 1,
		.second_percent = 15,
		.moves_percent = 1,
		.fault_percent = 3,
		.advance_permille = 10,
		.long_permille = 10,
		.fills_channels = 128,
		.kicks_permille = 1,
	};

	property_run(&scenario, (const int[]){0, 400, 401, 403, 437, 508, -1});
}

// The rings to the workers are full now and then.
Test(property, workers_that_fall_behind)
{
	static const struct scenario scenario = {
		.name = "starved",
		.rules = {RULES},
		.n_clients = 30,
		.n_hosts = 8,
		.ipv6_percent = 30,
		.n_channels = 8,
		.n_peers_max = 4,
		.second_percent = 15,
		.fault_percent = 5,
		.advance_permille = 80,
		.long_permille = 20,
		.starved_percent = 30,
	};

	property_run(&scenario, (const int[]){0, 400, 401, 403, 437, 438, 443, 508, -1});
}

// From one network to another (RFC 8016), some with tokens (RFC 7635), to a relay behind a 1:1 NAT.
Test(property, clients_that_move)
{
	static const struct scenario scenario = {
		.name = "moving",
		.rules =
			{.relays = {{{FAMILY_IPV4, {192, 0, 2, 15}}, 50000, 50059,
					    .external = {FAMILY_IPV4, {203, 0, 113, 15}}},
				 {{FAMILY_IPV4, {192, 0, 2, 17}}, 50001, 50020},
				 {{FAMILY_IPV6, {0x20, 0x01, 0x0d, 0xb8, [15] = 0x17}}, 50000,
					 50039,
					 .external = {FAMILY_IPV6,
						 {0x20, 0x01, 0x0d, 0xb8, 0, 0x0e, [15] = 0x17}}}},
				.n_relays = 3,
				.services =
					{{{FAMILY_IPV4, {192, 0, 2, 15}}, 3478},
						{{FAMILY_IPV4, {192, 0, 2, 16}}, 3478}},
				.realms = {{.offers_sha256 = true, .n_allocations_per_user = 5}},
				.n_allocations_max = 1000,
				.lifetime_s = 60,
				.lifetime_max_s = 600,
				.nonce_lifetime_s = 600,
				.allows_mobility = true,
				.takes_tokens = true},
		.n_clients = 40,
		.n_hosts = 6,
		.ipv6_percent = 40,
		.n_channels = 8,
		.n_peers_max = 3,
		.second_percent = 15,
		.moves_percent = 20,
		.fault_percent = 6,
		.advance_permille = 60,
		.long_permille = 10,
		.starved_percent = 3,
		.moves_least = 4000,
		.kicks_permille = 5,
		.reloads_permille = 1,
	};

	property_run(&scenario, (const int[]){0, 400, 401, 403, 437, 438, 441, 443, 486, 508, -1});
}

// Two realms with the same names, quotas and lists of peers that change, and users that hurry.
Test(property, two_realms_of_one_server)
{
	static const struct scenario scenario = {
		.name = "realms",
		.rules = {RULES,
			.realms = {{.has_secrets = true,
					   .offers_sha256 = true,
					   .n_allocations_max = 12,
					   .deny = {{{FAMILY_IPV4, {11, 0, 0, 2}},
						   {FAMILY_IPV4, {11, 0, 0, 4}}}},
					   .dry_run = {{FAMILY_IPV4, {11, 0, 0, 5}},
						   {FAMILY_IPV4, {11, 0, 0, 6}}}},
				{.offers_sha256 = true,
					.n_allocations_per_user = 3,
					.allow_private = true,
					.allow = {{{FAMILY_IPV4, {198, 18}},
						{FAMILY_IPV4, {198, 18, 255, 255}}}}}},
			.n_realms = 2, .n_permissions_max = 6, .n_channels_max = 5,
			.new_peers_per_user_s = 2, .new_peers_s = 5, .allows_mobility = true,
			.takes_tokens = true},
		.n_clients = 30,
		.n_hosts = 10,
		.n_channels = 12,
		.n_peers_max = 3,
		.second_percent = 50,
		.moves_percent = 5,
		.fault_percent = 6,
		.advance_permille = 150,
		.long_permille = 10,
		.updates_permille = 2,
		.fills_permissions = 6,
		.fills_channels = 5,
		.moves_least = 800,
		.kicks_permille = 2,
		.reloads_permille = 2,
	};

	property_run(&scenario, (const int[]){0, 400, 401, 403, 437, 438, 441, 443, 486, 508, -1});
}
