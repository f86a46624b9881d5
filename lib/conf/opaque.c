#include "opaque.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

static bool is_old_hangul_jamo(ucs4_t c)
{
	return (c >= 0x1100 && c <= 0x11ff) || (c >= 0xa960 && c <= 0xa97f) ||
		(c >= 0xd7b0 && c <= 0xd7ff);
}

// FreeformClass (RFC 8264 §4.3): letters, marks, digits, symbols, punctuation and spaces.
static bool is_text(ucs4_t c)
{
	static const uint32_t categories = UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M |
		UC_CATEGORY_MASK_N | UC_CATEGORY_MASK_P | UC_CATEGORY_MASK_S | UC_CATEGORY_MASK_Zs;

	return uc_is_general_category_withtable(c, categories) &&
		!uc_is_property_default_ignorable_code_point(c) && !is_old_hangul_jamo(c);
}

static bool is_space(ucs4_t c)
{
	return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Zs);
}

// In place, for no space takes more bytes than it had. False where something is no text.
static bool map_spaces(uint8_t *text)
{
	uint8_t *out = text;
	const uint8_t *next;
	ucs4_t c;

	for (const uint8_t *at = text; (next = u8_next(&c, at)) != NULL; at = next) {
		const size_t n = (size_t)(next - at);

		if (!is_text(c))
			return false;
		if (is_space(c)) {
			*out++ = ' ';
			continue;
		}
		memmove(out, at, n);
		out += n;
	}
	*out = '\0';
	return true;
}

int opaque_string(char **text)
{
	uint8_t *normal;
	size_t n_bytes;

	if (u8_check((const uint8_t *)*text, strlen(*text)) != NULL ||
		!map_spaces((uint8_t *)*text))
		return -EINVAL;
	normal = u8_normalize(
		UNINORM_NFC, (const uint8_t *)*text, strlen(*text) + 1, NULL, &n_bytes);
	if (normal == NULL)
		return -ENOMEM;
	explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = (char *)normal;
	return 0;
}
