// Two configurations key by key: each value becomes text, and texts are compared.
#include "conf.h"

#include "keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

// A value: its items in the order of the file, and sorted.
struct items {
	char **texts;
	char **sorted;
	size_t n;
};

static void free_items(struct items *items)
{
	for (size_t i = 0; i < items->n; i++) {
		explicit_bzero(items->texts[i], strlen(items->texts[i])); // it may be a secret
		free(items->texts[i]);
	}
	free(items->texts);
	free(items->sorted);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int write_items(struct items *out, const struct key *key, const void *in)
{
	const size_t n = key->count ? key->count(in) : 1;
	char text[KEY_TEXT_BYTES];

	*out = (struct items){0};
	out->texts = calloc(n + 1, sizeof(*out->texts));
	out->sorted = calloc(n + 1, sizeof(*out->sorted));
	for (size_t i = 0; out->texts && out->sorted && i < n; i++) {
		key->write(key, in, i, text);
		out->texts[i] = strdup(text);
		if (!out->texts[i])
			break;
		out->sorted[i] = out->texts[i];
		out->n++;
	}
	explicit_bzero(text, sizeof(text));
	if (!out->texts || !out->sorted || out->n < n) {
		free_items(out);
		return -ENOMEM;
	}
	qsort(out->sorted, n, sizeof(*out->sorted), compare);
	return 0;
}

static bool are_equal(const struct key *key, const struct items *a, const struct items *b)
{
	char *const *a_texts = key->unordered ? a->sorted : a->texts;
	char *const *b_texts = key->unordered ? b->sorted : b->texts;

	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a_texts[i], b_texts[i]) != 0)
			return false;
	return true;
}

// Behind what is there already, as far as there is room; what has none is counted.
struct list_text {
	char *text;
	size_t n_bytes;
	size_t n_left_out;
};

#define LIST_TEXT_BYTES (CONF_CHANGE_TEXT_BYTES - 24) // room for " and 4096 more"

static void append(struct list_text *list, const char *sign, const char *item)
{
	const size_t n = list->n_bytes + strlen(item) + 2;

	if (n >= LIST_TEXT_BYTES || list->n_left_out) {
		list->n_left_out++;
		return;
	}
	list->n_bytes += (size_t)sprintf(
		list->text + list->n_bytes, "%s%s%s", list->n_bytes ? " " : "", sign, item);
}

static void end_list(struct list_text *list)
{
	if (list->n_left_out)
		sprintf(list->text + list->n_bytes, "%s%zu more", list->n_bytes ? " and " : "",
			list->n_left_out);
	else if (list->n_bytes == 0)
		sprintf(list->text, "in another order");
}

static void tell_list(const struct items *from, const struct items *to, char *text)
{
	struct list_text list = {.text = text};
	size_t i = 0, k = 0;

	while (i < from->n || k < to->n) {
		const int order = i == from->n ? 1
			: k == to->n           ? -1
					       : strcmp(from->sorted[i], to->sorted[k]);

		if (order < 0)
			append(&list, "-", from->sorted[i]);
		else if (order > 0)
			append(&list, "+", to->sorted[k]);
		i += order <= 0;
		k += order >= 0;
	}
	end_list(&list);
}

// By the first lines, which sort as the texts do: a line's end is below every character of a name.
static int compare_names(const char *a, const char *b)
{
	const size_t a_bytes = strcspn(a, "\n");
	const size_t b_bytes = strcspn(b, "\n");
	const int order = memcmp(a, b, a_bytes < b_bytes ? a_bytes : b_bytes);

	return order ? order : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

static void tell_secrets(const struct items *from, const struct items *to, char *text)
{
	size_t n_added = 0, n_removed = 0, n_changed = 0;
	size_t i = 0, k = 0;

	while (i < from->n || k < to->n) {
		const int order = i == from->n ? 1
			: k == to->n           ? -1
					       : compare_names(from->sorted[i], to->sorted[k]);

		n_removed += order < 0;
		n_added += order > 0;
		n_changed += order == 0 && strcmp(from->sorted[i], to->sorted[k]) != 0;
		i += order <= 0;
		k += order >= 0;
	}
	if (n_added + n_removed + n_changed == 0)
		sprintf(text, "in another order");
	else
		sprintf(text, "%zu added, %zu removed, %zu changed", n_added, n_removed, n_changed);
}

static void tell(const struct key *key, const struct items *from, const struct items *to,
	struct conf_change *change)
{
	if (key->count && key->secret)
		tell_secrets(from, to, change->text);
	else if (key->count)
		tell_list(from, to, change->text);
	else if (key->secret)
		snprintf(change->text, sizeof(change->text), "changed");
	else
		snprintf(change->text, sizeof(change->text), "%.150s -> %.150s", from->texts[0],
			to->texts[0]);
}

static struct conf_change *add_change(struct conf_diff *diff)
{
	struct conf_change *grown = reallocarray(diff->changes, diff->n + 1, sizeof(*grown));

	if (!grown)
		return NULL;
	diff->changes = grown;
	grown[diff->n] = (struct conf_change){.needs_restart = false};
	return &grown[diff->n++];
}

// Two of one kind, and what they are in the file: "realms" and "blue", which then stands in each
// key; both NULL for the file itself.
struct pair {
	const void *from;
	const void *to;
	const char *list;
	const char *name;
	bool is_first; // the realm of `auth`
};

static void write_key(
	char out[static CONF_CHANGE_KEY_BYTES], const struct key *key, const struct pair *pair)
{
	if (pair->is_first)
		snprintf(out, CONF_CHANGE_KEY_BYTES, "%s", key->first);
	else if (pair->list)
		snprintf(out, CONF_CHANGE_KEY_BYTES, "%s[%s]%s", pair->list, pair->name,
			key->name + strlen(pair->list));
	else
		snprintf(out, CONF_CHANGE_KEY_BYTES, "%s", key->name);
}

// What is set is said by the word that stands first for off.
static bool needs_restart(const struct key *key, const struct items *to)
{
	return key->when == KEY_RESTART ||
		(key->when == KEY_RESTART_IF_SET && strcmp(to->texts[0], key->words[0]) != 0);
}

static int note(struct conf_diff *diff, const struct key *key, const struct pair *pair,
	const struct items *from, const struct items *to)
{
	struct conf_change *change = add_change(diff);

	if (!change)
		return -ENOMEM;
	write_key(change->key, key, pair);
	tell(key, from, to, change);
	change->needs_restart = needs_restart(key, to);
	return 0;
}

static int compare_key(struct conf_diff *diff, const struct key *key, const struct pair *pair)
{
	struct items from;
	struct items to;
	int rc = write_items(&from, key, pair->from);

	if (rc)
		return rc;
	rc = write_items(&to, key, pair->to);
	if (rc == 0) {
		if (!are_equal(key, &from, &to))
			rc = note(diff, key, pair, &from, &to);
		free_items(&to);
	}
	free_items(&from);
	return rc;
}

// Listeners and limits of the realm of `auth` are the file's.
static bool has_key(const struct pair *pair, const struct key *key)
{
	return !pair->is_first || key->first;
}

static int compare_table(
	struct conf_diff *diff, const struct key_table *table, const struct pair *pair)
{
	int rc = 0;

	for (size_t i = 0; i < table->n && !rc; i++)
		if (has_key(pair, &table->keys[i]))
			rc = compare_key(diff, &table->keys[i], pair);
	return rc;
}

static const struct conf_port *find_port(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_ports; i++)
		if (strcmp(conf->ports[i].name, name) == 0)
			return &conf->ports[i];
	return NULL;
}

// Of `realms`, not that of `auth`.
static const struct conf_realm *find_realm(const struct conf *conf, const char *name)
{
	for (size_t i = 1; i < conf->n_realms; i++)
		if (strcmp(conf->realms[i].name, name) == 0)
			return &conf->realms[i];
	return NULL;
}

static int compare_ports(struct conf_diff *diff, const struct pair *file)
{
	const struct conf *from = file->from;
	int rc = 0;

	for (size_t i = 0; i < from->n_ports && !rc; i++) {
		const struct conf_port *port = &from->ports[i];
		const struct conf_port *other = find_port(file->to, port->name);

		if (other)
			rc = compare_table(diff, &keys_of_port,
				&(struct pair){port, other, "ports", port->name, false});
	}
	return rc;
}

// Redis's side knows the realms that asked it at the start, by their names.
static bool is_unknown_to_redis(const struct conf *from, const struct conf_realm *realm)
{
	for (size_t i = 0; i < from->n_realms; i++)
		if (from->realms[i].uses_redis && strcmp(from->realms[i].name, realm->name) == 0)
			return false;
	return realm->uses_redis;
}

static void demand_restart(struct conf_diff *diff, const char *key)
{
	for (size_t i = 0; i < diff->n; i++)
		if (strcmp(diff->changes[i].key, key) == 0)
			diff->changes[i].needs_restart = true;
}

static int compare_file(struct conf_diff *diff, const struct pair *file)
{
	const int rc = compare_table(diff, &keys_of_file, file);
	const struct conf *from = file->from;
	const struct conf *to = file->to;

	if (is_unknown_to_redis(from, &to->realms[0]))
		demand_restart(diff, "auth.realm");
	for (size_t i = 1; i < to->n_realms; i++)
		if (!find_realm(from, to->realms[i].name) &&
			is_unknown_to_redis(from, &to->realms[i]))
			demand_restart(diff, "realms");
	return rc;
}

static int compare_realms(struct conf_diff *diff, const struct pair *file)
{
	const struct conf *from = file->from;
	const struct conf *to = file->to;
	int rc = compare_table(diff, &keys_of_realm,
		&(struct pair){&from->realms[0], &to->realms[0], .is_first = true});

	for (size_t i = 1; i < from->n_realms && !rc; i++) {
		const struct conf_realm *realm = &from->realms[i];
		const struct conf_realm *other = find_realm(to, realm->name);

		if (other)
			rc = compare_table(diff, &keys_of_realm,
				&(struct pair){realm, other, "realms", realm->name, false});
	}
	return rc;
}

int conf_diff(struct conf_diff *out, const struct conf *from, const struct conf *to)
{
	const struct pair file = {.from = from, .to = to};
	int rc;

	*out = (struct conf_diff){0};
	rc = compare_file(out, &file);
	rc = rc ? rc : compare_ports(out, &file);
	return rc ? rc : compare_realms(out, &file);
}

static void tell_all(const struct items *items, char *text)
{
	struct list_text list = {.text = text};

	for (size_t i = 0; i < items->n; i++)
		append(&list, "", items->texts[i]);
	if (list.n_left_out)
		end_list(&list);
}

static void tell_items(const struct key *key, const struct items *items, char *text)
{
	if (key->secret)
		sprintf(text, "%s", strcmp(items->texts[0], "none") ? "set" : "none");
	else if (!key->count)
		snprintf(text, CONF_CHANGE_TEXT_BYTES, "%s", items->texts[0]);
	else if (items->n == 0)
		sprintf(text, "none");
	else
		tell_all(items, text);
}

// Of several secrets, how many there are: nothing else of them is looked at.
static int tell_value(const struct key *key, const void *in, char *text)
{
	struct items items;
	int rc;

	if (key->secret && key->count) {
		sprintf(text, "%zu", key->count(in));
		return 0;
	}
	rc = write_items(&items, key, in);
	if (rc)
		return rc;
	tell_items(key, &items, text);
	free_items(&items);
	return 0;
}

static int list_table(struct conf_diff *out, const struct key_table *table, const struct pair *pair)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct key *key = &table->keys[i];
		struct conf_change *value;

		if (!has_key(pair, key))
			continue;
		value = add_change(out);
		if (!value || tell_value(key, pair->to, value->text))
			return -ENOMEM;
		write_key(value->key, key, pair);
		value->needs_restart = key->when == KEY_RESTART;
	}
	return 0;
}

int conf_list(struct conf_diff *out, const struct conf *conf)
{
	int rc;

	*out = (struct conf_diff){0};
	rc = list_table(out, &keys_of_file, &(struct pair){.to = conf});
	for (size_t i = 0; i < conf->n_ports && !rc; i++)
		rc = list_table(out, &keys_of_port,
			&(struct pair){.to = &conf->ports[i],
				.list = "ports",
				.name = conf->ports[i].name});
	for (size_t i = 0; i < conf->n_realms && !rc; i++)
		rc = list_table(out, &keys_of_realm,
			&(struct pair){.to = &conf->realms[i],
				.list = "realms",
				.name = conf->realms[i].name,
				.is_first = i == 0});
	return rc;
}

void conf_diff_free(struct conf_diff *diff)
{
	free(diff->changes);
	*diff = (struct conf_diff){0};
}
