// Every key of the schema once: where its value lies, how it is written, and whether a running
// turnpike takes another one. A test holds that none of the schema is missing here.
#ifndef CONF_KEYS_H
#define CONF_KEYS_H

#include "conf.h"

#include <stdbool.h>
#include <stddef.h>

// The longest item: a user with a name, a password or both keys.
#define KEY_TEXT_BYTES 1280

enum key_when {
	KEY_NOW, // a change is taken while turnpike runs
	KEY_RESTART, // it wants a restart
	KEY_RESTART_IF_SET, // only where it becomes something that it was not: on, say
};

struct key {
	const char *name; // in the file; of what stands in a list of mappings, without its number
	const char *first; // of a realm: its name in the file for that of `auth`; NULL: not there
	const char *members; // of a list of mappings whose items are compared as a whole
	enum key_when when;
	bool secret; // never shown: how many have changed is
	bool unordered; // of a list: its order means nothing
	size_t offset; // of a number, word or text
	const char *const *words; // by number
	size_t (*count)(const void *in); // of a list; NULL: it is one value
	// One value, or item `i` of the list. In lists of secrets the first line says which it is.
	void (*write)(const struct key *key, const void *in, size_t i, char *text);
};

struct key_table {
	const struct key *keys;
	size_t n;
};

extern const struct key_table keys_of_file; // of struct conf
extern const struct key_table keys_of_port; // of struct conf_port
extern const struct key_table keys_of_realm; // of struct conf_realm

#endif
