// Configurations that must be refused: one text, a change to it, and the whole error line.
#ifndef CONF_ROWS_H
#define CONF_ROWS_H

#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>

static const char rows_base[] = "ports:\n" // line 1
				"  - name: wan\n"
				"    device: af_packet:eth0\n"
				"    addresses: [198.18.0.2/24]\n"
				"  - name: lan\n" // line 5
				"    device: pci:0000:3b:00.0\n"
				"    addresses: [10.1.0.2/16, 10.2.0.2/16]\n"
				"listen: [198.18.0.2:3478, 10.1.0.2:3478]\n"
				"relay:\n"
				"  - address: 198.18.0.2\n" // line 10
				"    ports: 50000-50999\n"
				"auth:\n"
				"  realm: example.org\n"
				"  users:\n"
				"    - {name: ann, password: secret}\n" // line 15
				"    - {name: bob, key: 00112233445566778899AABBCCDDEEFF}\n"
				"log: {level: error}\n";

struct row {
	const char *find; // in rows_base; "" is its end
	const char *put;
	const char *error;
};

#define DEVICE "af_packet:eth0"
#define A16 "aaaaaaaaaaaaaaaa"
#define A128 A16 A16 A16 A16 A16 A16 A16 A16
#define ROOT_KEYS                                                                            \
	"ports, listen, relay, auth, realms, redis, limits, stun, mobility, tokens, peers, " \
	"workers, "                                                                          \
	"memory, http, records, log, user, group, admin"
#define PORT_KEYS "name, device, role, mirror, mac, mtu, vlan, addresses, routes, neighbours"
#define INTERFACE "is not an interface name; allowed: 1..15 letters, digits, _ . and -"
#define SOCKET                                                                                   \
	"is not a socket's path; allowed: an absolute path of up to 107 letters, digits, / _ . " \
	"and -"
#define PCI "is not a PCI address; allowed: one like 0000:3b:00.0, in lower case"
#define ENDPOINT                                                                         \
	"is not ADDRESS:PORT; allowed: one like 198.18.0.2:3478 or [2001:db8::2]:3478, " \
	"port 1..65535"
#define NO_HOST "can be no host's address here; allowed: a unicast address"
#define LINK_LOCAL "is an address of one link only; allowed: one that is not in fe80::/10"
#define BOTH_OTHERS "has the address or the port of listen[0]; allowed: both others"
#define HEX_32 "00112233445566778899aabbccddeeff"
#define MAC "is not a MAC address; allowed: one like 02:00:5e:10:00:01"
#define ONE_MAC "is multicast or zero; allowed: one station's MAC address"
#define RANGE "is not FIRST-LAST; allowed: two addresses of one family, the lower first"
#define TRANSLATOR "is no translator's prefix; allowed: IPv6 of 32, 40, 48, 56, 64 or 96 bits"
#define GATEWAY "allowed: a neighbour's address in this port's networks"

// Kinds, keys, numbers and words.
static const struct row rows_shape[] = {
	{"", "color: red\n", "t:18: color: no such key; allowed: " ROOT_KEYS},
	{"", "\"a\\nb\": 1\n", "t:18: a\\x0ab: no plain word; allowed: " ROOT_KEYS},
	{"", "[a]: 1\n", "t:1: yaml: a key is no plain word; allowed: " ROOT_KEYS},
	{"", "stun: {software: " A128 "}\n",
		"t:18: stun.software: the value is 128 bytes long; allowed: 1..127 bytes"},
	{"", "\"x y\": 1\n", "t:18: x\\x20y: no such key; allowed: " ROOT_KEYS},
	{"", "<<: {a: b}\n", "t:18: <<: no such key; allowed: " ROOT_KEYS},
	{"    device", "    speed: 1\n    device",
		"t:3: ports[0].speed: no such key; allowed: " PORT_KEYS},
	{"  realm", "  Realm",
		"t:13: auth.Realm: no such key; allowed: realm, users, rest-secrets, "
		"rest-secrets-sha256, password-algorithms, username-anonymity, redis, "
		"nonce-lifetime-s"},
	{"", "listen: [10.1.0.2:1]\n", "t:18: listen: the key is here twice; allowed: once"},
	{"    device", "    name: lan\n    device",
		"t:3: ports[0].name: the key is here twice; allowed: once"},
	{"listen:", "log:", "t:17: log: the key is here twice; allowed: once"},
	{"listen: [198.18.0.2:3478, 10.1.0.2:3478]\n", "",
		"t:1: listen: the key is missing; allowed: exactly one"},
	{"    device: af_packet:eth0\n", "",
		"t:2: ports[0].device: the key is missing; allowed: exactly one"},
	{"  realm: example.org\n", "",
		"t:12: auth.realm: the key is missing; allowed: exactly one"},
	{"[198.18.0.2:3478, 10.1.0.2:3478]", "[]",
		"t:8: listen: a list of 0 items; allowed: 1..64"},
	{"[198.18.0.2:3478, 10.1.0.2:3478]", "198.18.0.2:3478",
		"t:8: listen: not a list; allowed: a list of 1..64 items"},
	{"[198.18.0.2:3478, 10.1.0.2:3478]", "[[198.18.0.2:3478]]",
		"t:8: listen[0]: a list or mapping; allowed: a single value"},
	{"{level: error}", "debug",
		"t:17: log: not a mapping of keys; allowed: level, format, user-names, "
		"stats-interval-s"},
	{"{level: error}", "",
		"t:17: log: not a mapping of keys; allowed: level, format, user-names, "
		"stats-interval-s"},
	{"{level: error}", "{level: loud}",
		"t:17: log.level: loud is not known here; allowed: error, warning, info, debug"},
	{"{level: error}", "{level: error}\ngroup: calls",
		"t:18: group: a group without a user; allowed: both, or user alone, or neither"},
	{"{level: error}", "{format: xml}",
		"t:17: log.format: xml is not known here; allowed: auto, text, json, journal"},
	{"{level: error}", "{user-names: on}",
		"t:17: log.user-names: on is not known here; allowed: plain, hashed, off"},
	{"{level: error}", "{level: 1}",
		"t:17: log.level: 1 is not known here; allowed: error, warning, info, debug"},
	{"{level: error}", "{level: }",
		"t:17: log.level: \"\" is not known here; allowed: error, warning, info, debug"},
	{"", "peers: {profile: Public}\n",
		"t:18: peers.profile: Public is not known here; allowed: public, lan"},
	{"", "workers: {poll: idle}\n",
		"t:18: workers.poll: idle is not known here; allowed: adaptive, busy"},
	{"", "memory: {hugepages: yes}\n",
		"t:18: memory.hugepages: yes is not known here; allowed: auto, require, off"},
	{"    device", "    mtu: 99999\n    device",
		"t:3: ports[0].mtu: 99999 is out of range; allowed: 576..9000"},
	{"    device", "    mtu: 575\n    device",
		"t:3: ports[0].mtu: 575 is out of range; allowed: 576..9000"},
	{"    device", "    mtu: 9001\n    device",
		"t:3: ports[0].mtu: 9001 is out of range; allowed: 576..9000"},
	{"    device", "    mtu: 18446744073709553116\n    device",
		"t:3: ports[0].mtu: 18446744073709553116 is out of range; allowed: 576..9000"},
	{"    device", "    mtu: 0x600\n    device",
		"t:3: ports[0].mtu: 0x600 is not a decimal number; allowed: 576..9000"},
	{"    device", "    mtu: 01500\n    device",
		"t:3: ports[0].mtu: 01500 is not a decimal number; allowed: 576..9000"},
	{"    device", "    mtu: +1500\n    device",
		"t:3: ports[0].mtu: +1500 is not a decimal number; allowed: 576..9000"},
	{"    device", "    mtu: 1.5e3\n    device",
		"t:3: ports[0].mtu: 1.5e3 is not a decimal number; allowed: 576..9000"},
	{"    device", "    mtu:\n    device",
		"t:3: ports[0].mtu: \"\" is not a decimal number; allowed: 576..9000"},
	{"    device", "    vlan: 4095\n    device",
		"t:3: ports[0].vlan: 4095 is out of range; allowed: 0..4094"},
	{"  users", "  nonce-lifetime-s: 9\n  users",
		"t:14: auth.nonce-lifetime-s: 9 is out of range; allowed: 10..3600"},
	{"", "limits: {allocations: 0}\n",
		"t:18: limits.allocations: 0 is out of range; allowed: 1..4194304"},
	{"", "limits: {lifetime-s: 599}\n",
		"t:18: limits.lifetime-s: 599 is out of range; allowed: 600..3600"},
	{"", "limits: {lifetime-s: 3601}\n",
		"t:18: limits.lifetime-s: 3601 is out of range; allowed: 600..3600"},
	{"", "limits: {lifetime-max-s: 86401}\n",
		"t:18: limits.lifetime-max-s: 86401 is out of range; allowed: 600..86400"},
	{"", "workers: {count: 65}\n", "t:18: workers.count: 65 is out of range; allowed: 1..64"},
	{"", "workers: {count: -1}\n",
		"t:18: workers.count: -1 is not a decimal number; allowed: 1..64"},
	{"", "workers:\n  cpus:\n    - 1\n    - 1024\n",
		"t:21: workers.cpus[1]: 1024 is out of range; allowed: 0..1023"},
	{"", "workers: {control-cpu: 1024}\n",
		"t:18: workers.control-cpu: 1024 is out of range; allowed: 0..1023"},
	{"", "memory: {mbufs: 1023}\n",
		"t:18: memory.mbufs: 1023 are too few; allowed: 0 or 1024..16777216"},
	{"", "memory: {mbufs: 16777217}\n",
		"t:18: memory.mbufs: 16777217 is out of range; allowed: 0..16777216"},
	{"error}", "error, stats-interval-s: 86401}",
		"t:17: log.stats-interval-s: 86401 is out of range; allowed: 0..86400"},
	{"name: wan", "name: a234567890123456",
		"t:2: ports[0].name: the value is 16 bytes long; allowed: 1..15 bytes"},
	{"name: wan", "name: \"\"", "t:2: ports[0].name: the value is empty; allowed: 1..15 bytes"},
	{"example.org", "\"\"", "t:13: auth.realm: the value is empty; allowed: 1..127 bytes"},
	{"example.org", A128,
		"t:13: auth.realm: the value is 128 bytes long; allowed: 1..127 bytes"},
	{"example.org", "\"a\\0b\"",
		"t:13: auth.realm: control characters; allowed: text on one line"},
	{"example.org", "\"a\\r\\nb\"",
		"t:13: auth.realm: control characters; allowed: text on one line"},
	{"password: secret", "password: " A128 A128 "a",
		"t:15: auth.users[0].password: the value is 257 bytes long; allowed: 1..256 bytes"},
	{"", "limits: {allocations: 4194305}\n",
		"t:18: limits.allocations: 4194305 is out of range; allowed: 1..4194304"},
	{"name: ann", "name: " A128 A128 A128 A16 A16 A16 A16 A16 A16 A16 "1234567890123",
		"t:15: auth.users[0].name: the value is 509 bytes long; allowed: 1..508 bytes"},
	{"password: secret", "password: [secret]",
		"t:15: auth.users[0].password: a list or mapping; allowed: a single value"},
};

// Texts that are no value of their kind.
static const struct row rows_values[] = {
	{"name: wan", "name: wan/0",
		"t:2: ports[0].name: wan/0 is not a name; allowed: 1..15 letters, digits, _ and -"},
	{"name: wan", "name: a.b",
		"t:2: ports[0].name: a.b is not a name; allowed: 1..15 letters, digits, _ and -"},
	{DEVICE, "eth0",
		"t:3: ports[0].device: eth0 is not a device; allowed: af_packet:INTERFACE, "
		"af_xdp:INTERFACE, virtio_user:PATH, vhost:PATH, memif:PATH, pci:ADDRESS"},
	{DEVICE, "\"af_packet:\"", "t:3: ports[0].device: \"\" " INTERFACE},
	{DEVICE, "af_packet:a234567890123456", "t:3: ports[0].device: a234567890123456 " INTERFACE},
	{DEVICE, "af_packet:eth0,queues=9", "t:3: ports[0].device: eth0,queues=9 " INTERFACE},
	{DEVICE, "af_xdp:a/b", "t:3: ports[0].device: a/b " INTERFACE},
	{DEVICE, "af_xdp:..", "t:3: ports[0].device: .. " INTERFACE},
	{DEVICE, "vhost:run/s", "t:3: ports[0].device: run/s " SOCKET},
	{DEVICE, "vhost:/run/s,client=1", "t:3: ports[0].device: /run/s,client=1 " SOCKET},
	{DEVICE, "virtio_user:/" A16 A16 A16 A16 A16 A16 "12345678901",
		"t:3: ports[0].device: /" A16 A16 A16 A16 "aaaaaaaaaaaaaa " SOCKET},
	{DEVICE, "pci:3b:00.0", "t:3: ports[0].device: 3b:00.0 " PCI},
	{DEVICE, "pci:0000:3B:00.0", "t:3: ports[0].device: 0000:3B:00.0 " PCI},
	{DEVICE, "pci:0000:3b:20.0", "t:3: ports[0].device: 0000:3b:20.0 " PCI},
	{DEVICE, "pci:0000:3b:00.8", "t:3: ports[0].device: 0000:3b:00.8 " PCI},
	{DEVICE, "pci:0000:3b:00.0.", "t:3: ports[0].device: 0000:3b:00.0. " PCI},
	{DEVICE, "memif:/run/m",
		"t:2: ports[0].role: the key is missing, memif needs it; allowed: "
		"server, client"},
	{DEVICE, DEVICE "\n    role: server",
		"t:4: ports[0].role: only memif has roles; allowed: no role here"},
	{DEVICE, "memif:/run/m\n    role: both",
		"t:4: ports[0].role: both is not known here; allowed: server, client"},
	{DEVICE, DEVICE "\n    mirror: tp%d", "t:4: ports[0].mirror: tp%d " INTERFACE},
	{DEVICE, DEVICE "\n    mac: 02:00:00:00:00", "t:4: ports[0].mac: 02:00:00:00:00 " MAC},
	{DEVICE, DEVICE "\n    mac: 02-00-00-00-00-01",
		"t:4: ports[0].mac: 02-00-00-00-00-01 " MAC},
	{DEVICE, DEVICE "\n    mac: 02:00:00:00:00:0g",
		"t:4: ports[0].mac: 02:00:00:00:00:0g " MAC},
	{DEVICE, DEVICE "\n    mac: 01:00:5e:00:00:01",
		"t:4: ports[0].mac: 01:00:5e:00:00:01 " ONE_MAC},
	{DEVICE, DEVICE "\n    mac: 00:00:00:00:00:00",
		"t:4: ports[0].mac: 00:00:00:00:00:00 " ONE_MAC},
	{"[198.18.0.2/24]", "[198.18.0.2]",
		"t:4: ports[0].addresses[0]: 198.18.0.2 is not ADDRESS/LENGTH; allowed: one like "
		"198.18.0.2/24"},
	{"[198.18.0.2/24]", "[198.18.0.2/33]",
		"t:4: ports[0].addresses[0]: 198.18.0.2/33 is not ADDRESS/LENGTH; allowed: one "
		"like "
		"198.18.0.2/24"},
	{"[198.18.0.2/24]", "[198.18.0.2/0]",
		"t:4: ports[0].addresses[0]: 198.18.0.2/0 has no network; allowed: a length of "
		"1..32"},
	{"[198.18.0.2/24]", "\n    - 198.18.0.2/24\n    - \"ff02::1/64\"",
		"t:6: ports[0].addresses[1]: ff02::1 " NO_HOST},
	{"[198.18.0.2/24]", "[\"::/64\"]", "t:4: ports[0].addresses[0]: :: " NO_HOST},
	{"[198.18.0.2/24]", "[\"::1/128\"]", "t:4: ports[0].addresses[0]: ::1 " NO_HOST},
	{"[198.18.0.2/24]", "[\"::ffff:198.18.0.2/112\"]",
		"t:4: ports[0].addresses[0]: ::ffff:198.18.0.2 " NO_HOST},
	{"[198.18.0.2/24]", "[\"2001:db8::2/0\"]",
		"t:4: ports[0].addresses[0]: 2001:db8::2/0 has no network; allowed: a length of "
		"1..128"},
	{"[198.18.0.2/24]", "[\"2001:db8::2/129\"]",
		"t:4: ports[0].addresses[0]: 2001:db8::2/129 is not ADDRESS/LENGTH; allowed: one "
		"like 198.18.0.2/24"},
	{"[198.18.0.2/24]", "[198.18.0.2/24, \"2001:db8::2/64\"]\n    mtu: 1279",
		"t:5: ports[0].mtu: 1279 is too little for the IPv6 address of this port; allowed: "
		"1280..9000"},
	{"[198.18.0.2/24]", "[127.0.0.1/8]", "t:4: ports[0].addresses[0]: 127.0.0.1 " NO_HOST},
	{"[198.18.0.2/24]", "[224.0.0.1/4]", "t:4: ports[0].addresses[0]: 224.0.0.1 " NO_HOST},
	{"[198.18.0.2/24]", "[0.0.0.0/8]", "t:4: ports[0].addresses[0]: 0.0.0.0 " NO_HOST},
	{DEVICE, DEVICE "\n    routes: [{to: 10.9.0.1/16, via: 198.18.0.1}]",
		"t:4: ports[0].routes[0].to: 10.9.0.1/16 has bits set behind its length; allowed: "
		"10.9.0.0/16"},
	{DEVICE, DEVICE "\n    routes: [{to: default, via: 198.18.0.1}]",
		"t:4: ports[0].routes[0].to: default is not a network; allowed: one like "
		"198.18.0.0/15"},
	{DEVICE, DEVICE "\n    routes: [{to: \"::/0\", via: 198.18.0.1}]",
		"t:4: ports[0].routes[0].via: 198.18.0.1 is of another family than its network; "
		"allowed: IPv4 for IPv4, IPv6 for IPv6"},
	{DEVICE, DEVICE "\n    routes: [{to: 0.0.0.0/0, via: \"fe80::1\"}]",
		"t:4: ports[0].routes[0].via: fe80::1 is of another family than its network; "
		"allowed: IPv4 for IPv4, IPv6 for IPv6"},
	{DEVICE, DEVICE "\n    routes: [{to: \"::/0\", via: \"2001:db8::1\"}]",
		"t:4: ports[0].routes[0].via: 2001:db8::1 is in no network of this port; " GATEWAY},
	{DEVICE, DEVICE "\n    routes: [{to: 10.9.0.0/16, via: gw}]",
		"t:4: ports[0].routes[0].via: gw is not an address; allowed: one like 198.18.0.2"},
	{DEVICE, DEVICE "\n    routes: [{to: 10.9.0.0/16}]",
		"t:4: ports[0].routes[0].via: the key is missing; allowed: exactly one"},
	{DEVICE, DEVICE "\n    neighbours: [{address: \"::1\", mac: 02:00:00:00:00:01}]",
		"t:4: ports[0].neighbours[0].address: ::1 " NO_HOST},
	{DEVICE, DEVICE "\n    neighbours: [{address: 198.18.0.9, mac: ff:ff:ff:ff:ff:ff}]",
		"t:4: ports[0].neighbours[0].mac: ff:ff:ff:ff:ff:ff " ONE_MAC},
	{"[198.18.0.2:3478,", "[198.18.0.2,", "t:8: listen[0]: 198.18.0.2 " ENDPOINT},
	{"[198.18.0.2:3478,", "[198.18.0.2:0,", "t:8: listen[0]: 198.18.0.2:0 " ENDPOINT},
	{"[198.18.0.2:3478,", "[198.18.0.2:65536,", "t:8: listen[0]: 198.18.0.2:65536 " ENDPOINT},
	{"[198.18.0.2:3478,", "[\"%s%n%d:1\",", "t:8: listen[0]: %s%n%d:1 " ENDPOINT},
	{"[198.18.0.2:3478,", "[\"2001:db8::2:3478\",",
		"t:8: listen[0]: 2001:db8::2:3478 " ENDPOINT},
	{"[198.18.0.2:3478,", "[\"[2001:db8::2]:3478\",",
		"t:8: listen[0]: 2001:db8::2 is no port's address; allowed: one of the addresses "
		"under ports"},
	{"[198.18.0.2:3478,", "[\"[fe80::2]:3478\",", "t:8: listen[0]: fe80::2 " LINK_LOCAL},
	{"10.1.0.2:3478]", "0.0.0.0:3478]", "t:8: listen[1]: 0.0.0.0 " NO_HOST},
	{"address: 198.18.0.2\n", "address: \"febf::2\"\n",
		"t:10: relay[0].address: febf::2 " LINK_LOCAL},
	{"address: 198.18.0.2\n", "address: 198.18.0.2/24\n",
		"t:10: relay[0].address: 198.18.0.2/24 is not an address; allowed: one like "
		"198.18.0.2"},
	{"50000-50999", "1023-50999",
		"t:11: relay[0].ports: 1023-50999 begins below 1024; allowed: 1024-65535"},
	{"50000-50999", "50000-49999",
		"t:11: relay[0].ports: 50000-49999 ends before it begins; allowed: the lower port "
		"first"},
	{"50000-50999", "50000-65536",
		"t:11: relay[0].ports: 50000-65536 is not FIRST-LAST; "
		"allowed: a range within 1024-65535"},
	{"50000-50999", "50000",
		"t:11: relay[0].ports: 50000 is not FIRST-LAST; allowed: a range "
		"within 1024-65535"},
	{"50000-50999", "50000-",
		"t:11: relay[0].ports: 50000- is not FIRST-LAST; allowed: a range "
		"within 1024-65535"},
	{"50000-50999", "50000-18446744073709602615",
		"t:11: relay[0].ports: 50000-18446744073709602615 is not FIRST-LAST; allowed: a "
		"range "
		"within 1024-65535"},
	{"50000-50999", "50000-50999-",
		"t:11: relay[0].ports: 50000-50999- is not FIRST-LAST; "
		"allowed: a range within 1024-65535"},
	{"50000-50999", "50000--50999",
		"t:11: relay[0].ports: 50000--50999 is not FIRST-LAST; "
		"allowed: a range within 1024-65535"},
	{"AABBCCDDEEFF", "AABBCCDDEEF",
		"t:16: auth.users[1].key: the value is no key; allowed: 32 hex digits, the MD5 of "
		"name:realm:password"},
	{"AABBCCDDEEFF", "AABBCCDDEEFFF",
		"t:16: auth.users[1].key: the value is no key; allowed: 32 hex digits, the MD5 of "
		"name:realm:password"},
	{"AABBCCDDEEFF", "AABBCCDDEEFF, key-sha256: 00112233",
		"t:16: auth.users[1].key-sha256: the value is no key; allowed: 64 hex digits, the "
		"SHA-256 of name:realm:password"},
	{"", "peers: {allow: [10.0.0.1/8]}\n",
		"t:18: peers.allow[0]: 10.0.0.1/8 has bits set behind its length; allowed: "
		"10.0.0.0/8"},
	{"", "peers: {deny: [2001:db8::1/32]}\n",
		"t:18: peers.deny[0]: 2001:db8::1/32 has bits set behind its length; allowed: "
		"2001:db8::/32"},
	{"", "peers: {deny: [10.0.0.0/8, all]}\n",
		"t:18: peers.deny[1]: all is not a network; allowed: one like 198.18.0.0/15"},
	{"", "peers: {allow: [10.0.0.9-10.0.0.8]}\n",
		"t:18: peers.allow[0]: 10.0.0.9-10.0.0.8 " RANGE},
	{"", "peers: {deny: [10.0.0.9-10.0.0]}\n", "t:18: peers.deny[0]: 10.0.0.9-10.0.0 " RANGE},
	{"", "peers: {dry-run: [10.0.0.9-2001:db8::1]}\n",
		"t:18: peers.dry-run[0]: 10.0.0.9-2001:db8::1 " RANGE},
	{"", "peers: {nat64-prefixes: [2001:db8::/33]}\n",
		"t:18: peers.nat64-prefixes[0]: 2001:db8::/33 " TRANSLATOR},
	{"", "peers: {nat64-prefixes: [2001:db8::/95]}\n",
		"t:18: peers.nat64-prefixes[0]: 2001:db8::/95 " TRANSLATOR},
	{"", "peers: {nat64-prefixes: [10.0.0.0/32]}\n",
		"t:18: peers.nat64-prefixes[0]: 10.0.0.0/32 " TRANSLATOR},
};

#define REALM "realms:\n  - name: blue\n    listen: [10.1.0.2:3479]\n"
#define BLUE REALM "    users: [{name: ann, password: azure}]\n"

// Realms beside that of `auth`.
static const struct row rows_realms[] = {
	{"", "realms: [{}]\n", "t:18: realms[0].name: the key is missing; allowed: exactly one"},
	{"", "realms: [{name: blue, listen: []}]\n",
		"t:18: realms[0].listen: a list of 0 items; allowed: 1..64"},
	{"", BLUE "    realm: blue\n",
		"t:22: realms[0].realm: no such key; allowed: name, listen, users, rest-secrets, "
		"rest-secrets-sha256, password-algorithms, username-anonymity, redis, limits, "
		"peers"},
	{"", BLUE "    limits: {lifetime-s: 600}\n",
		"t:22: realms[0].limits.lifetime-s: no such key; allowed: allocations, "
		"allocations-per-user"},
	{"", BLUE "    limits: {allocations: 0}\n",
		"t:22: realms[0].limits.allocations: 0 is out of range; allowed: 1..4194304"},
	{"", REALM,
		"t:19: realms[0]: nobody could log in; allowed: at least one of users, "
		"rest-secrets and redis: on"},
	{"", REALM "    users: [{name: ann, password: a}, {name: ann, password: b}]\n",
		"t:21: realms[0].users[1].name: ann is taken by realms[0].users[0].name; allowed: "
		"a different one"},
	{"", REALM "    users: [{name: ann}]\n",
		"t:21: realms[0].users[0]: neither password nor key; allowed: exactly one of "
		"password and key"},
	{"", REALM "    rest-secrets: [s]\n    username-anonymity: on\n",
		"t:22: realms[0].username-anonymity: names of REST users cannot be hidden from us; "
		"allowed: off, or no rest-secrets"},
	{"", BLUE "  - {name: blue, listen: [10.1.0.2:3480], rest-secrets: [s]}\n",
		"t:22: realms[1].name: blue is taken by realms[0].name; allowed: a different one"},
	{"", "realms: [{name: example.org, listen: [10.1.0.2:3479], rest-secrets: [s]}]\n",
		"t:18: realms[0].name: example.org is taken by auth.realm; allowed: a different "
		"one"},
	{"", "realms: [{name: blue, listen: [10.1.0.2:3478], rest-secrets: [s]}]\n",
		"t:18: realms[0].listen[0]: 10.1.0.2:3478 is taken by listen[1]; allowed: a "
		"different one"},
	{"", BLUE "  - {name: red, listen: [10.1.0.2:3480, 10.1.0.2:3479], rest-secrets: [s]}\n",
		"t:22: realms[1].listen[1]: 10.1.0.2:3479 is taken by realms[0].listen[0]; "
		"allowed: a different one"},
	{"", "realms: [{name: blue, listen: [10.1.0.3:3478], rest-secrets: [s]}]\n",
		"t:18: realms[0].listen[0]: 10.1.0.3 is no port's address; allowed: one of the "
		"addresses under ports"},
	{"", "realms: [{name: blue, listen: [198.18.0.2:50000], rest-secrets: [s]}]\n",
		"t:18: realms[0].listen[0]: 198.18.0.2:50000 is within the ports of relay[0]; "
		"allowed: a port outside 50000-50999"},
	{"", REALM "    redis: on\n",
		"t:21: realms[0].redis: no redis at the top level says where it is; allowed: off, "
		"or redis: {server: ...}"},
	{"  users", "  redis: on\n  users",
		"t:14: auth.redis: no redis at the top level says where it is; allowed: off, or "
		"redis: {server: ...}"},
	{"", "http: {listen: [\"127.0.0.1\"]}\n",
		"t:18: http.listen[0]: 127.0.0.1 is no address with a port; allowed: one of "
		"this "
		"host, like 127.0.0.1:9641 or [::1]:9641"},
	{"", "http: {listen: [\"127.0.0.1:0\"]}\n",
		"t:18: http.listen[0]: 127.0.0.1:0 is no address with a port; allowed: one of "
		"this host, like 127.0.0.1:9641 or [::1]:9641"},
	{"", "http: {listen: [\"127.0.0.1:1\", \"[::1]:1\", \"127.0.0.1:1\"]}\n",
		"t:18: http.listen[2]: 127.0.0.1:1 is taken by http.listen[0]; allowed: a "
		"different one"},
	{"", "http: {page: on}\n",
		"t:18: http.page: nothing is served without a listener; allowed: off, or "
		"http.listen"},
	{"", "redis: {server: 127.0.0.1:6379}\n",
		"t:18: redis: nothing uses it; allowed: redis: on in auth or in one of realms, "
		"or records"},
	{"", "records: {file: records.jsonl}\n",
		"t:18: records.file: records.jsonl is no absolute path of a file; allowed: one "
		"like /var/log/turnpike/records.jsonl"},
	{"", "records: {file: /var/log/}\n",
		"t:18: records.file: /var/log/ is no absolute path of a file; allowed: one "
		"like /var/log/turnpike/records.jsonl"},
	{"", "records: {redis: calls}\n",
		"t:18: records.redis: no redis at the top level says where it is; allowed: no "
		"such key, or redis: {server: ...}"},
	{"", "records: {coturn-status: on}\n",
		"t:18: records.coturn-status: no redis at the top level says where it is; "
		"allowed: off, or redis: {server: ...}"},
	{"  users", "  redis: on\n  username-anonymity: on\n  users",
		"t:15: auth.username-anonymity: users in Redis are found by name only; allowed: "
		"off, or redis: off"},
	{"", BLUE "    redis: on\nredis: {server: localhost:6379}\n",
		"t:23: redis.server: localhost:6379 is neither ADDRESS:PORT nor unix:PATH; "
		"allowed: one like 127.0.0.1:6379"},
	{"", BLUE "    redis: on\nredis: {server: \"unix:redis.sock\"}\n",
		"t:23: redis.server: redis.sock " SOCKET},
	{"", BLUE "    redis: on\nredis: {database: 1}\n",
		"t:23: redis.server: the key is missing; allowed: exactly one"},
	{"", BLUE "    redis: on\nredis: {server: 127.0.0.1:6379, username: u}\n",
		"t:23: redis.username: a user without a password; allowed: both, or password "
		"alone, or neither"},
	{"", BLUE "    redis: on\nredis: {server: 127.0.0.1:6379, waiting-users: 0}\n",
		"t:23: redis.waiting-users: 0 is out of range; allowed: 1..4096"},
	{"", BLUE "    peers: {allow: [all]}\n",
		"t:22: realms[0].peers.allow[0]: all is not a network; allowed: one like "
		"198.18.0.0/15"},
};

// Values that cannot be beside each other.
static const struct row rows_rules[] = {
	{"name: lan", "name: wan",
		"t:5: ports[1].name: wan is taken by ports[0].name; allowed: a different one"},
	{"pci:0000:3b:00.0", "af_xdp:eth0",
		"t:6: ports[1].device: eth0 is taken by ports[0].device; allowed: a different one"},
	{DEVICE, DEVICE "\n    mirror: tp1",
		"t:6: ports[1].mirror: tp1 is taken by ports[0].mirror; allowed: a different one"},
	{DEVICE, DEVICE "\n    mirror: eth0",
		"t:4: ports[0].mirror: eth0 is taken by ports[0].device; allowed: a different one"},
	{"10.2.0.2/16", "198.18.0.2/16",
		"t:7: ports[1].addresses[1]: 198.18.0.2 is taken by ports[0].addresses[0]; "
		"allowed: a "
		"different one"},
	{"10.2.0.2/16", "10.1.0.2/24",
		"t:7: ports[1].addresses[1]: 10.1.0.2 is taken by ports[1].addresses[0]; allowed: "
		"a "
		"different one"},
	{DEVICE, DEVICE "\n    routes: [{to: 0.0.0.0/0, via: 198.18.1.1}]",
		"t:4: ports[0].routes[0].via: 198.18.1.1 is in no network of this port; " GATEWAY},
	{DEVICE, DEVICE "\n    routes: [{to: 0.0.0.0/0, via: 198.18.0.2}]",
		"t:4: ports[0].routes[0].via: 198.18.0.2 is this port itself; " GATEWAY},
	{"10.1.0.2:3478]", "10.1.0.3:3478]",
		"t:8: listen[1]: 10.1.0.3 is no port's address; allowed: one of the addresses "
		"under "
		"ports"},
	{"10.1.0.2:3478]", "198.18.0.2:3478]",
		"t:8: listen[1]: 198.18.0.2:3478 is taken by listen[0]; allowed: a different one"},
	{"10.1.0.2:3478]", "198.18.0.2:50000]",
		"t:8: listen[1]: 198.18.0.2:50000 is within the ports of relay[0]; allowed: a port "
		"outside 50000-50999"},
	{"10.1.0.2:3478]", "198.18.0.2:50999]",
		"t:8: listen[1]: 198.18.0.2:50999 is within the ports of relay[0]; allowed: a port "
		"outside 50000-50999"},
	{"address: 198.18.0.2\n", "address: 198.18.0.3\n",
		"t:10: relay[0].address: 198.18.0.3 is no port's address; allowed: one of the "
		"addresses "
		"under ports"},
	{"auth:", "  - address: 198.18.0.2\nauth:",
		"t:12: relay[1].address: 198.18.0.2 is taken by relay[0].address; allowed: a "
		"different "
		"one"},
	{"name: bob", "name: ann",
		"t:16: auth.users[1].name: ann is taken by auth.users[0].name; allowed: a "
		"different one"},
	{"password: secret", "password: secret, key: 00112233445566778899aabbccddeeff",
		"t:15: auth.users[0]: both password and key; allowed: exactly one of password and "
		"key"},
	{", password: secret", "",
		"t:15: auth.users[0]: neither password nor key; allowed: exactly one of password "
		"and "
		"key"},
	{"password: secret", "password: secret, key-sha256: 0011",
		"t:15: auth.users[0].key-sha256: a password needs no key; allowed: only beside "
		"key"},
	{"  users", "  password-algorithms: sha256\n  users",
		"t:17: auth.users[1]: no key-sha256, which password-algorithms: sha256 needs; "
		"allowed: a password, or both key and key-sha256"},
	{"  users", "  username-anonymity: on\n  rest-secrets: [s]\n  users",
		"t:14: auth.username-anonymity: names of REST users cannot be hidden from us; "
		"allowed: off, or no rest-secrets"},
	{"  users", "  username-anonymity: on\n  rest-secrets-sha256: [s]\n  users",
		"t:14: auth.username-anonymity: names of REST users cannot be hidden from us; "
		"allowed: off, or no rest-secrets"},
	{"  users:\n    - {name: ann, password: secret}\n"
	 "    - {name: bob, key: 00112233445566778899AABBCCDDEEFF}\n",
		"  users: []\n",
		"t:12: auth: nobody could log in; allowed: at least one of users, rest-secrets and "
		"redis: on"},
	{"", "limits: {alternate-servers: [192.0.2.9]}\n",
		"t:18: limits.alternate-servers[0]: 192.0.2.9 " ENDPOINT},
	{"", "limits: {alternate-servers: [\"[2001:db8::9]:1\", \"198.18.0.2:3478\"]}\n",
		"t:18: limits.alternate-servers[1]: 198.18.0.2:3478 is taken by listen[0]; "
		"allowed: a different one"},
	{"", "limits: {alternate-servers: [\"192.0.2.9:1\", \"192.0.2.8:1\"]}\n",
		"t:18: limits.alternate-servers[1]: 192.0.2.8:1 is the second of its family; "
		"allowed: one of IPv4 and one of IPv6"},
	{"", "limits: {alternate-servers: [\"[2001:db8::9]:1\", \"[2001:db8::8]:1\"]}\n",
		"t:18: limits.alternate-servers[1]: [2001:db8::8]:1 is the second of its family; "
		"allowed: one of IPv4 and one of IPv6"},
	{"", "stun: {alternate-address: \"[2001:db8::3]:3479\"}\n",
		"t:18: stun.alternate-address: 2001:db8::3 is no port's address; allowed: one of "
		"the addresses under ports"},
	{"10.2.0.2/16]\n",
		"\"2001:db8::2/64\"]\nstun: {alternate-address: \"[2001:db8::2]:3479\"}\n",
		"t:8: stun.alternate-address: [2001:db8::2]:3479 is of another family than "
		"listen[0]; allowed: an address of the same one"},
	{"", "tokens: {server-name: s, keys: [{kid: n, key: 00112233}]}\n",
		"t:18: tokens.keys[0].key: the value is no key; allowed: 64 hex digits for "
		"AES-256-GCM, or 32 for AES-128-GCM"},
	{"", "tokens: {server-name: s, keys: [{kid: bob, key: " HEX_32 "}]}\n",
		"t:18: tokens.keys[0].kid: bob is taken by auth.users[1].name; allowed: a "
		"different one"},
	{"",
		"tokens: {server-name: s, keys: [{kid: n, key: " HEX_32 "}, {kid: n, key: " HEX_32
		"}]}\n",
		"t:18: tokens.keys[1].kid: n is taken by tokens.keys[0].kid; allowed: a different "
		"one"},
	{"    ports: 50000-50999", "    external: \"2600::1\"",
		"t:11: relay[0].external: 2600::1 is of another family than the address; allowed: "
		"one of the same"},
	{"    ports: 50000-50999", "    external: 10.1.0.2",
		"t:11: relay[0].external: 10.1.0.2 is taken by ports[1].addresses[0]; allowed: a "
		"different one"},
	{"", "stun: {alternate-address: 198.18.0.3:3479}\n",
		"t:18: stun.alternate-address: 198.18.0.3 is no port's address; allowed: one of "
		"the addresses under ports"},
	{"", "stun: {alternate-address: 198.18.0.2:3479}\n",
		"t:18: stun.alternate-address: 198.18.0.2:3479 " BOTH_OTHERS},
	{"listen: [198.18.0.2:3478, ", "stun: {alternate-address: 10.2.0.2:3478}\nlisten: [",
		"t:8: stun.alternate-address: 10.2.0.2:3478 " BOTH_OTHERS},
	{"listen: [198.18.0.2:3478, 10.1.0.2:3478]\nrelay:\n  - address: 198.18.0.2",
		"stun: {alternate-address: 10.2.0.2:50000}\nlisten: [10.1.0.2:3478]\n"
		"relay:\n  - address: 10.1.0.2",
		"t:8: stun.alternate-address: 10.1.0.2:50000 is within the ports of relay[0]; "
		"allowed: a port outside 50000-50999"},
	{"", "stun: {alternate-address: 10.1.0.2:3479}\n",
		"t:18: stun.alternate-address: 10.1.0.2:3479 is on another port than listen[0]; "
		"allowed: an address of the same one"},
	{"", "limits: {allocations: 1001}\n",
		"t:18: limits.allocations: 1001 allocations have only 1000 relay ports; allowed: "
		"1..1000"},
	{"", "limits:\n  lifetime-s: 900\n  lifetime-max-s: 899\n",
		"t:19: limits.lifetime-s: 900 is above lifetime-max-s, which is 899; allowed: "
		"600..899"},
	{"", "workers: {count: 3, cpus: [0, 0]}\n",
		"t:18: workers.cpus: 2 CPUs for a count of 3 workers; allowed: as many CPUs as "
		"workers"},
};

// rows_base with the row's change; the caller frees it.
static char *row_text(const struct row *row)
{
	const char *at = *row->find == '\0' ? rows_base + sizeof(rows_base) - 1
					    : strstr(rows_base, row->find);
	char *text = NULL;

	if (at != NULL &&
		asprintf(&text, "%.*s%s%s", (int)(at - rows_base), rows_base, row->put,
			at + strlen(row->find)) < 0)
		abort();
	return text;
}

#endif
