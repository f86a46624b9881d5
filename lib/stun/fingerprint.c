// FINGERPRINT (RFC 8489 §14.7): the CRC-32 of Ethernet and zlib over all that stands before it.
//
// Four bytes a step through four tables. The CRC is linear, so an entry is the sum of one constant
// per set bit of its index, and the preprocessor can make the tables.
#include "stun.h"

#define BIT(i, j, k) ((i) / (1 << (j)) % 2 ? (k) : 0u)
#define SUM(i, a, b, c, d, e, f, g, h)                                                             \
	(BIT(i, 0, a) ^ BIT(i, 1, b) ^ BIT(i, 2, c) ^ BIT(i, 3, d) ^ BIT(i, 4, e) ^ BIT(i, 5, f) ^ \
		BIT(i, 6, g) ^ BIT(i, 7, h))

// Table z says what a byte becomes with z zero bytes after it. Its constants are its entries 1, 2,
// 4 ... 128.
#define ENTRY_0(i)                                                                                 \
	SUM(i, 0x77073096, 0xee0e612c, 0x076dc419, 0x0edb8832, 0x1db71064, 0x3b6e20c8, 0x76dc4190, \
		0xedb88320)
#define ENTRY_1(i)                                                                                 \
	SUM(i, 0x191b3141, 0x32366282, 0x646cc504, 0xc8d98a08, 0x4ac21251, 0x958424a2, 0xf0794f05, \
		0x3b83984b)
#define ENTRY_2(i)                                                                                 \
	SUM(i, 0x01c26a37, 0x0384d46e, 0x0709a8dc, 0x0e1351b8, 0x1c26a370, 0x384d46e0, 0x709a8dc0, \
		0xe1351b80)
#define ENTRY_3(i)                                                                                 \
	SUM(i, 0xb8bc6765, 0xaa09c88b, 0x8f629757, 0xc5b428ef, 0x5019579f, 0xa032af3e, 0x9b14583d, \
		0xed59b63b)
#define ENTRIES_4(entry, i) entry(i), entry(i + 1), entry(i + 2), entry(i + 3)
#define ENTRIES_16(entry, i)                                                   \
	ENTRIES_4(entry, i), ENTRIES_4(entry, i + 4), ENTRIES_4(entry, i + 8), \
		ENTRIES_4(entry, i + 12)
#define ENTRIES_64(entry, i)                                                        \
	ENTRIES_16(entry, i), ENTRIES_16(entry, i + 16), ENTRIES_16(entry, i + 32), \
		ENTRIES_16(entry, i + 48)
#define TABLE(entry)                                                                 \
	{                                                                            \
		ENTRIES_64(entry, 0), ENTRIES_64(entry, 64), ENTRIES_64(entry, 128), \
			ENTRIES_64(entry, 192)                                       \
	}

static const uint32_t crc_tables[4][256] = {
	TABLE(ENTRY_0),
	TABLE(ENTRY_1),
	TABLE(ENTRY_2),
	TABLE(ENTRY_3),
};

// `n_bytes` is a multiple of four, as all offsets in a message are.
static uint32_t fingerprint(const uint8_t *message, size_t n_bytes)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < n_bytes; i += 4) {
		crc ^= load_u32(message + i);
		crc = crc_tables[3][crc & 0xff] ^ crc_tables[2][crc >> 8 & 0xff] ^
			crc_tables[1][crc >> 16 & 0xff] ^ crc_tables[0][crc >> 24];
	}
	return ~crc ^ STUN_FINGERPRINT_XOR;
}

bool stun_fingerprint_check(const struct stun_view *view)
{
	const size_t offset = view->fingerprint_offset;

	if (offset == 0)
		return false;
	return load_be32(view->buf + offset + STUN_ATTR_HEADER_BYTES) ==
		fingerprint(view->buf, offset);
}

void stun_put_fingerprint(struct stun_writer *w)
{
	const size_t offset = w->n_bytes;

	// First a dummy: the CRC covers the header's length, which counts FINGERPRINT.
	stun_put_u32(w, STUN_ATTR_FINGERPRINT, 0);
	if (!w->overflow)
		store_be32(w->buf + offset + STUN_ATTR_HEADER_BYTES, fingerprint(w->buf, offset));
}
