// Single values from their text. Each returns 0, or -EINVAL with the error line written.
#ifndef CONF_TEXT_H
#define CONF_TEXT_H

#include "source.h"

// An address a host may have: neither multicast, loopback, broadcast nor zero, nor IPv4 in IPv6.
int text_take_host(
	struct ip_addr *out, struct source *source, const struct place *place, const char *text);
// One that means the same on every link.
int text_take_global(
	struct ip_addr *out, struct source *source, const struct place *place, const char *text);
// A host's address with the length of its network's prefix.
int text_take_address(
	struct prefix *out, struct source *source, const struct place *place, const char *text);
// A network of either family: no bits behind its length.
int text_take_network(
	struct prefix *out, struct source *source, const struct place *place, const char *text);
// A network as above, one address, or FIRST-LAST.
int text_take_range(
	struct ip_range *out, struct source *source, const struct place *place, const char *text);
// A global address with a port.
int text_take_endpoint(
	struct endpoint *out, struct source *source, const struct place *place, const char *text);
// One station's address, not zero.
int text_take_mac(
	uint8_t out[static 6], struct source *source, const struct place *place, const char *text);
// "49152-65535"
int text_take_port_range(struct relay_range *out, struct source *source, const struct place *place,
	const char *text);
// Sets `kind`; `target` points into `text`.
int text_take_device(enum conf_device_kind *kind, const char **target, struct source *source,
	const struct place *place, const char *text);
// Exactly so many bytes in hex digits. Returns 0 or -EINVAL, and writes no error line.
int text_read_hex(uint8_t *out, size_t n_bytes, const char *text);
// 16 bytes of MD5 or 32 of SHA-256, in hex digits.
int text_take_key(uint8_t *out, size_t n_bytes, struct source *source, const struct place *place,
	const char *text);
// 1..15 characters of a name that is safe in the kernel, in file names and in device arguments.
int text_check_name(struct source *source, const struct place *place, const char *text);
// An absolute path that fits into a socket's address.
int text_check_socket(struct source *source, const struct place *place, const char *text);
int text_check_interface(struct source *source, const struct place *place, const char *text);

#endif
