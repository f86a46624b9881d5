#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#define LETTERS_AND_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define SOCKET_PATH_BYTES 108 // of sun_path, unix(7)
#define RELAY_PORT_MIN 1024

static bool fits(char c, char pattern)
{
	switch (pattern) {
	case 'x':
		return isxdigit((unsigned char)c) && !isupper((unsigned char)c);
	case 'X':
		return isxdigit((unsigned char)c);
	case '1':
	case '7':
		return c >= '0' && c <= pattern;
	default:
		return c == pattern;
	}
}

// Each character of the pattern is itself, or x: a lower-case hex digit; X: one of any case; 1 and
// 7: a digit up to that.
static bool matches(const char *text, const char *pattern)
{
	while (*pattern != '\0' && fits(*text, *pattern)) {
		text++;
		pattern++;
	}
	return *text == '\0' && *pattern == '\0';
}

static bool is_unicast(const struct ip_addr *ip)
{
	// With it: unspecified, loopback, and IPv4 addresses that are compatible or mapped.
	static const struct prefix of_ipv4[] = {
		{{FAMILY_IPV6, {0}}, 96},
		{{FAMILY_IPV6, {[10] = 0xff, [11] = 0xff}}, 96},
	};

	if (ip->family == FAMILY_IPV4)
		return ip->bytes[0] != 0 && ip->bytes[0] != 127 && ip->bytes[0] < 224;
	return ip->bytes[0] != 0xff && !prefix_contains(&of_ipv4[0], ip) &&
		!prefix_contains(&of_ipv4[1], ip);
}

static int check_host(struct source *source, const struct place *place, const struct ip_addr *ip)
{
	char text[ADDR_TEXT_BYTES];

	if (is_unicast(ip))
		return 0;
	return source_fail(source, place, ip_format(ip, text),
		"can be no host's address here; allowed: a unicast address");
}

static int check_global(struct source *source, const struct place *place, const struct ip_addr *ip)
{
	static const struct prefix link_local = {{FAMILY_IPV6, {0xfe, 0x80}}, 10};
	char text[ADDR_TEXT_BYTES];

	if (prefix_contains(&link_local, ip))
		return source_fail(source, place, ip_format(ip, text),
			"is an address of one link only; allowed: one that is not in fe80::/10");
	return check_host(source, place, ip);
}

int text_take_host(
	struct ip_addr *out, struct source *source, const struct place *place, const char *text)
{
	if (ip_parse(out, text) < 0)
		return source_fail(
			source, place, text, "is not an address; allowed: one like 198.18.0.2");
	return check_host(source, place, out);
}

int text_take_global(
	struct ip_addr *out, struct source *source, const struct place *place, const char *text)
{
	const int rc = text_take_host(out, source, place, text);

	return rc ? rc : check_global(source, place, out);
}

int text_take_address(
	struct prefix *out, struct source *source, const struct place *place, const char *text)
{
	// A forgotten length would be a network of one host.
	if (strchr(text, '/') == NULL || prefix_parse(out, text) < 0)
		return source_fail(source, place, text,
			"is not ADDRESS/LENGTH; allowed: one like 198.18.0.2/24");
	if (out->n_bits == 0)
		return source_fail(source, place, text,
			"has no network; allowed: a length of 1..%zu",
			8 * family_bytes(out->ip.family));
	return check_host(source, place, &out->ip);
}

int text_take_network(
	struct prefix *out, struct source *source, const struct place *place, const char *text)
{
	struct prefix network;
	char shown[ADDR_TEXT_BYTES];

	if (prefix_parse(out, text) < 0)
		return source_fail(
			source, place, text, "is not a network; allowed: one like 198.18.0.0/15");
	network = *out;
	for (size_t bit = network.n_bits; bit < 8 * sizeof(network.ip.bytes); bit++)
		network.ip.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	if (!ip_equal(&network.ip, &out->ip))
		return source_fail(source, place, text,
			"has bits set behind its length; allowed: %s",
			prefix_format(&network, shown));
	return 0;
}

int text_take_range(
	struct ip_range *out, struct source *source, const struct place *place, const char *text)
{
	struct prefix network;

	if (strchr(text, '-') != NULL) {
		if (range_parse(out, text) == 0)
			return 0;
		return source_fail(source, place, text,
			"is not FIRST-LAST; allowed: two addresses of one family, the lower first");
	}
	if (text_take_network(&network, source, place, text) < 0)
		return -EINVAL;
	*out = range_of_prefix(&network);
	return 0;
}

int text_take_endpoint(
	struct endpoint *out, struct source *source, const struct place *place, const char *text)
{
	if (endpoint_parse(out, text) < 0 || out->port == 0)
		return source_fail(source, place, text,
			"is not ADDRESS:PORT; allowed: one like 198.18.0.2:3478 or "
			"[2001:db8::2]:3478, port 1..65535");
	return check_global(source, place, &out->ip);
}

static void parse_hex(uint8_t *out, size_t n_bytes, const char *text, size_t stride)
{
	for (size_t i = 0; i < n_bytes; i++) {
		const char digits[3] = {text[i * stride], text[i * stride + 1], '\0'};

		out[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
}

int text_take_mac(
	uint8_t out[static 6], struct source *source, const struct place *place, const char *text)
{
	static const uint8_t zero[6];

	if (!matches(text, "XX:XX:XX:XX:XX:XX"))
		return source_fail(source, place, text,
			"is not a MAC address; allowed: one like 02:00:5e:10:00:01");
	parse_hex(out, 6, text, 3);
	if ((out[0] & 1) || memcmp(out, zero, sizeof(zero)) == 0)
		return source_fail(source, place, text,
			"is multicast or zero; allowed: one station's MAC address");
	return 0;
}

int text_read_hex(uint8_t *out, size_t n_bytes, const char *text)
{
	if (strlen(text) != 2 * n_bytes || strspn(text, "0123456789abcdefABCDEF") != 2 * n_bytes)
		return -EINVAL;
	parse_hex(out, n_bytes, text, 2);
	return 0;
}

int text_take_key(uint8_t *out, size_t n_bytes, struct source *source, const struct place *place,
	const char *text)
{
	const size_t n_digits = 2 * n_bytes;

	if (text_read_hex(out, n_bytes, text) < 0)
		return source_fail(source, place, NULL,
			"the value is no key; allowed: %zu hex digits, the %s of "
			"name:realm:password",
			n_digits, n_bytes == 16 ? "MD5" : "SHA-256");
	return 0;
}

// A decimal port at `*text`, which then points behind it.
static bool parse_port(uint16_t *out, const char **text)
{
	const size_t n_digits = strspn(*text, "0123456789");
	unsigned long value;

	if (n_digits == 0)
		return false;
	value = strtoul(*text, NULL, 10);
	*text += n_digits;
	*out = (uint16_t)value;
	return value <= UINT16_MAX;
}

int text_take_port_range(
	struct relay_range *out, struct source *source, const struct place *place, const char *text)
{
	const char *at = text;
	bool whole = parse_port(&out->port_min, &at) && *at++ == '-';

	whole = whole && parse_port(&out->port_max, &at) && *at == '\0';
	if (!whole)
		return source_fail(source, place, text,
			"is not FIRST-LAST; allowed: a range within 1024-65535");
	if (out->port_min < RELAY_PORT_MIN)
		return source_fail(source, place, text, "begins below 1024; allowed: 1024-65535");
	if (out->port_min > out->port_max)
		return source_fail(source, place, text,
			"ends before it begins; allowed: the lower port first");
	return 0;
}

int text_check_name(struct source *source, const struct place *place, const char *text)
{
	if (text[strspn(text, LETTERS_AND_DIGITS "_-")] != '\0')
		return source_fail(source, place, text,
			"is not a name; allowed: 1..15 letters, digits, _ and -");
	return 0;
}

int text_check_interface(struct source *source, const struct place *place, const char *text)
{
	const size_t n = strlen(text);
	const bool plain = text[strspn(text, LETTERS_AND_DIGITS "_.-")] == '\0';

	if (n < 1 || n >= CONF_NAME_BYTES || !plain || text[strspn(text, ".")] == '\0')
		return source_fail(source, place, text,
			"is not an interface name; allowed: 1..15 letters, digits, _ . and -");
	return 0;
}

// DPDK takes the path in a list of arguments, where a comma would begin the next.
int text_check_socket(struct source *source, const struct place *place, const char *text)
{
	if (text[0] != '/' || strlen(text) >= SOCKET_PATH_BYTES ||
		text[strspn(text, LETTERS_AND_DIGITS "/_.-")] != '\0')
		return source_fail(source, place, text,
			"is not a socket's path; allowed: an absolute path of up to %d letters, "
			"digits, / _ . and -",
			SOCKET_PATH_BYTES - 1);
	return 0;
}

static int check_pci(struct source *source, const struct place *place, const char *text)
{
	if (!matches(text, "xxxx:xx:1x.7"))
		return source_fail(source, place, text,
			"is not a PCI address; allowed: one like 0000:3b:00.0, in lower case");
	return 0;
}

struct device_kind {
	const char *prefix;
	enum conf_device_kind kind;
	int (*check)(struct source *source, const struct place *place, const char *text);
};

int text_take_device(enum conf_device_kind *kind, const char **target, struct source *source,
	const struct place *place, const char *text)
{
	static const struct device_kind kinds[] = {
		{"af_packet:", CONF_AF_PACKET, text_check_interface},
		{"af_xdp:", CONF_AF_XDP, text_check_interface},
		{"virtio_user:", CONF_VIRTIO_USER, text_check_socket},
		{"vhost:", CONF_VHOST, text_check_socket},
		{"memif:", CONF_MEMIF, text_check_socket},
		{"pci:", CONF_PCI, check_pci},
	};

	for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
		const size_t n = strlen(kinds[i].prefix);

		if (strncmp(text, kinds[i].prefix, n) != 0)
			continue;
		*kind = kinds[i].kind;
		*target = text + n;
		return kinds[i].check(source, place, text + n);
	}
	return source_fail(source, place, text,
		"is not a device; allowed: af_packet:INTERFACE, af_xdp:INTERFACE, "
		"virtio_user:PATH, "
		"vhost:PATH, memif:PATH, pci:ADDRESS");
}
