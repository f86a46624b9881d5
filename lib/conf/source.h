// The YAML text under judgement: places in it, their lines, and the one line that refuses it.
#ifndef CONF_SOURCE_H
#define CONF_SOURCE_H

#include "conf.h"

#include <yaml.h>

#define SOURCE_BYTES_MAX ((size_t)1 << 20)
#define PLACE_TEXT_BYTES 128

// Where a value stands: key `key` in mapping `in` (NULL: the whole file), or the `nth` item (from
// 1) of the list under that key. Places live on the stack of who judges.
struct place {
	const struct place *in;
	const char *key;
	size_t nth;
};

struct source {
	const char *name;
	char *error; // CONF_ERROR_BYTES
	yaml_document_t document;
};

// Parse; refuse what is no plain YAML text. `name` and `error` must outlive the source. On success
// the caller closes it. Returns 0; -EINVAL with the error line written; -ENOMEM.
int source_open(
	struct source *source, const char *name, const uint8_t *yaml, size_t n_bytes, char *error);
void source_close(struct source *source);

// "ports[0].mtu"; cut where it is too long; returns `text`.
const char *place_format(const struct place *place, char text[static PLACE_TEXT_BYTES]);

// Write the error line. `place` gives line and key (NULL: the file as a whole); `value` is quoted
// before the message unless NULL. The message says what is wrong and, after "; allowed: ", what
// would be right. Always returns -EINVAL.
int source_fail(struct source *source, const struct place *place, const char *value,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
