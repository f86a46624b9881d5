// Blocks of a pcapng file, in the byte order of this machine, as the format allows: type, length,
// body, options, length again; all of it in words of four bytes.
#include "capture.h"

#include <string.h>

enum block {
	BLOCK_INTERFACE = 1,
	BLOCK_STATISTICS = 5,
	BLOCK_PACKET = 6,
	BLOCK_SECTION = 0x0a0d0d0a,
};

enum option {
	OPTION_END = 0,
	OPTION_FLAGS = 2, // of a packet: its direction
	OPTION_NAME = 2, // of an interface
	OPTION_DROPPED = 5, // of statistics: isb_ifdrop
	OPTION_RESOLUTION = 9,
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4d
#define LINKTYPE_ETHERNET 1
#define NANOSECONDS 9 // ten to the minus ninth
#define NAME_BYTES_MAX 63
#define FLAG_IN 1
#define FLAG_OUT 2

struct block_writer {
	uint8_t *bytes;
	size_t n;
};

static void put_bytes(struct block_writer *w, const void *bytes, size_t n)
{
	memcpy(w->bytes + w->n, bytes, n);
	w->n += n;
	while (w->n % 4)
		w->bytes[w->n++] = 0;
}

static void put_u32(struct block_writer *w, uint32_t value)
{
	put_bytes(w, &value, sizeof(value));
}

static void put_u16s(struct block_writer *w, uint16_t first, uint16_t second)
{
	const uint16_t both[] = {first, second};

	put_bytes(w, both, sizeof(both));
}

static void put_time(struct block_writer *w, uint64_t unix_ns)
{
	put_u32(w, (uint32_t)(unix_ns >> 32));
	put_u32(w, (uint32_t)unix_ns);
}

static void put_option(struct block_writer *w, enum option option, const void *value, size_t n)
{
	put_u16s(w, (uint16_t)option, (uint16_t)n);
	put_bytes(w, value, n);
}

static struct block_writer begin(uint8_t *out, enum block block)
{
	struct block_writer w = {out, 0};

	put_u32(&w, block);
	put_u32(&w, 0); // the length, which end() knows
	return w;
}

static size_t end(struct block_writer *w)
{
	const uint32_t n = (uint32_t)w->n + sizeof(uint32_t);

	memcpy(w->bytes + sizeof(uint32_t), &n, sizeof(n));
	put_u32(w, n);
	return w->n;
}

size_t pcapng_put_head(uint8_t *out)
{
	struct block_writer w = begin(out, BLOCK_SECTION);

	put_u32(&w, BYTE_ORDER_MAGIC);
	put_u16s(&w, 1, 0); // version 1.0
	put_u32(&w, UINT32_MAX); // the section's length is not known
	put_u32(&w, UINT32_MAX);
	return end(&w);
}

size_t pcapng_put_port(uint8_t *out, const char *name, uint16_t snap_bytes)
{
	struct block_writer w = begin(out, BLOCK_INTERFACE);
	const uint8_t resolution = NANOSECONDS;

	put_u16s(&w, LINKTYPE_ETHERNET, 0);
	put_u32(&w, snap_bytes);
	put_option(&w, OPTION_NAME, name, strnlen(name, NAME_BYTES_MAX));
	put_option(&w, OPTION_RESOLUTION, &resolution, sizeof(resolution));
	put_u32(&w, OPTION_END);
	return end(&w);
}

size_t pcapng_put_packet(uint8_t *out, const struct capture_record *record, uint64_t unix_ns)
{
	struct block_writer w = begin(out, BLOCK_PACKET);
	const uint32_t flags = record->way == CAPTURE_IN ? FLAG_IN : FLAG_OUT;

	put_u32(&w, record->port_idx);
	put_time(&w, unix_ns);
	put_u32(&w, record->n_kept);
	put_u32(&w, record->n_bytes);
	put_bytes(&w, record->bytes, record->n_kept);
	put_option(&w, OPTION_FLAGS, &flags, sizeof(flags));
	put_u32(&w, OPTION_END);
	return end(&w);
}

size_t pcapng_put_lost(uint8_t *out, uint8_t port_idx, uint64_t unix_ns, uint64_t n_lost)
{
	struct block_writer w = begin(out, BLOCK_STATISTICS);

	put_u32(&w, port_idx);
	put_time(&w, unix_ns);
	put_option(&w, OPTION_DROPPED, &n_lost, sizeof(n_lost));
	put_u32(&w, OPTION_END);
	return end(&w);
}
