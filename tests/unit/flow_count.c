// What entries have counted, and of which peer.
#include "flow/flow.h"

#include <criterion/criterion.h>

struct row {
	const char *name;
	enum flow_kind kind;
	const char *local; // of the packets that match
	const char *remote;
	const char *source; // of what they become
	const char *target;
	const char *peer;
	bool up;
};

#define CLIENT "198.51.100.2:7000"
#define SERVICE "192.0.2.1:3478"
#define RELAYED "192.0.2.9:50000"
#define CLIENT6 "[2001:db8::2]:7000"
#define SERVICE6 "[2001:db8::1]:3478"
#define RELAYED6 "[2001:db8::9]:50000"
#define ANY "0.0.0.0:0"

static const struct row rows[] = {
	{"channel up", FLOW_UP, SERVICE, CLIENT, RELAYED, "203.0.113.7:4000", "203.0.113.7:4000",
		true},
	{"channel up, moving", FLOW_UP_MOVING, SERVICE, CLIENT, RELAYED, "203.0.113.7:4000",
		"203.0.113.7:4000", true},
	{"channel down", FLOW_DOWN, RELAYED, "203.0.113.7:4000", SERVICE, CLIENT,
		"203.0.113.7:4000", false},
	{"permission", FLOW_PERMISSION, RELAYED, "203.0.113.7:0", SERVICE, CLIENT, "203.0.113.7:0",
		false},
	{"owner", FLOW_OWNER, SERVICE, CLIENT, RELAYED, ANY, NULL, true},
	{"owner, moving", FLOW_OWNER_MOVING, SERVICE, CLIENT, RELAYED, ANY, NULL, true},
	{"up, 6 to 6", FLOW_UP, SERVICE6, CLIENT6, RELAYED6, "[2001:db8::7]:4000",
		"[2001:db8::7]:4000", true},
	{"up, 6 to 4", FLOW_UP, SERVICE6, CLIENT6, RELAYED, "203.0.113.7:4000", "203.0.113.7:4000",
		true},
	{"down, 6 to 6", FLOW_DOWN, RELAYED6, "[2001:db8::7]:4000", SERVICE6, CLIENT6,
		"[2001:db8::7]:4000", false},
	{"down, 4 to 6", FLOW_DOWN, RELAYED, "203.0.113.7:4000", SERVICE6, CLIENT6,
		"203.0.113.7:4000", false},
	{"permission, 6 to 4", FLOW_PERMISSION, RELAYED6, "[2001:db8::7]:0", SERVICE, CLIENT,
		"[2001:db8::7]:0", false},
	{"owner, 6", FLOW_OWNER, SERVICE6, CLIENT6, RELAYED6, ANY, NULL, true},
};

static struct endpoint endpoint(const char *text)
{
	struct endpoint out;

	cr_assert_eq(endpoint_parse(&out, text), 0, "%s", text);
	return out;
}

static struct flow_count count_of(const struct flow_spec *spec)
{
	struct flow4_entry entry4;
	struct flow6_entry entry6;

	if (flow_spec_is_ipv4(spec)) {
		entry4 = flow4_entry_make(spec);
		entry4.to.n_packets = 3;
		entry4.to.n_bytes = 300;
		return flow4_count(&entry4);
	}
	entry6 = flow6_entry_make(spec);
	entry6.to.n_packets = 3;
	entry6.to.n_bytes = 300;
	return flow6_count(&entry6);
}

Test(flow_count, is_of_the_peer_and_the_way)
{
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const struct row *row = &rows[i];
		const struct flow_spec spec = {
			.kind = row->kind,
			.local = endpoint(row->local),
			.remote = endpoint(row->remote),
			.channel = row->peer ? 0x4000 : 0,
			.source = endpoint(row->source),
			.target = endpoint(row->target),
		};
		const struct flow_count count = count_of(&spec);
		char text[ADDR_TEXT_BYTES];

		cr_expect_eq(count.n_packets, 3, "%s", row->name);
		cr_expect_eq(count.n_bytes, 300, "%s", row->name);
		cr_expect_eq(count.up, row->up, "%s", row->name);
		if (row->peer)
			cr_expect_str_eq(
				endpoint_format(&count.peer, text), row->peer, "%s", row->name);
		else
			cr_expect_eq(count.peer.ip.family, FAMILY_NONE, "%s", row->name);
	}
}

Test(flow_count, what_is_removed_tells_for_the_last_time)
{
	const uint64_t seed[2] = {1, 2};
	struct flow4_entry entry4 = {.key.remote_ip = 1, .to.n_packets = 5};
	struct flow6_entry entry6 = {.key.local_ip = {7}, .to.n_packets = 6};
	struct flow4_entry *removed4;
	struct flow6_entry *removed6;
	struct flow_table table;

	cr_assert_eq(flow4_table_create(&table, 16, NUMA_NODE_ANY, false, seed), 0);
	cr_assert_eq(flow4_insert(&table, &entry4), 0);
	removed4 = flow4_remove(&table, &entry4.key);
	cr_assert_not_null(removed4);
	cr_expect_eq(removed4->to.n_packets, 5);
	cr_expect_null(flow4_find(&table, &entry4.key));
	flow4_table_destroy(&table);
	cr_assert_eq(flow6_table_create(&table, 16, NUMA_NODE_ANY, false, seed), 0);
	cr_assert_eq(flow6_insert(&table, &entry6), 0);
	cr_expect_eq(flow6_find(&table, &entry6.key)->to.n_packets, 6);
	removed6 = flow6_remove(&table, &entry6.key);
	cr_assert_not_null(removed6);
	cr_expect_eq(removed6->to.n_packets, 6);
	cr_expect_null(flow6_find(&table, &entry6.key));
	flow6_table_destroy(&table);
}
