#include "shape.h"

#include "schema.h"

#include <errno.h>
#include <stdio.h>

#define WORDS_BYTES 256

static int check_value(struct source *source, const struct place *place, const yaml_node_t *node,
	const cyaml_schema_value_t *schema);

static void append_word(char words[static WORDS_BYTES], const char *word)
{
	const size_t n = strlen(words);

	snprintf(words + n, WORDS_BYTES - n, "%s%s", n == 0 ? "" : ", ", word);
}

static void list_keys(char words[static WORDS_BYTES], const cyaml_schema_field_t *fields)
{
	words[0] = '\0';
	for (; fields->key != NULL; fields++)
		append_word(words, fields->key);
}

static bool has_control_bytes(const yaml_node_t *scalar)
{
	for (size_t i = 0; i < scalar->data.scalar.length; i++) {
		if (scalar->data.scalar.value[i] < ' ' || scalar->data.scalar.value[i] == 0x7f)
			return true;
	}
	return false;
}

static size_t find_field(const cyaml_schema_field_t *fields, const char *key)
{
	size_t i = 0;

	while (fields[i].key != NULL && strcmp(fields[i].key, key) != 0)
		i++;
	return i;
}

static struct place place_of(
	struct source *source, const struct place *in, const yaml_node_pair_t *pair)
{
	const yaml_node_t *key = yaml_document_get_node(&source->document, pair->key);

	return (struct place){in, (const char *)key->data.scalar.value, 0};
}

// `seen` has a bit for each field met before.
static int check_key(struct source *source, const struct place *in, const yaml_node_pair_t *pair,
	const cyaml_schema_field_t *fields, uint32_t *seen)
{
	const yaml_node_t *key = yaml_document_get_node(&source->document, pair->key);
	struct place place;
	char words[WORDS_BYTES];
	size_t i;

	list_keys(words, fields);
	if (key->type != YAML_SCALAR_NODE)
		return source_fail(source, in, NULL, "a key is no plain word; allowed: %s", words);
	place = place_of(source, in, pair);
	if (has_control_bytes(key))
		return source_fail(source, &place, NULL, "no plain word; allowed: %s", words);
	i = find_field(fields, place.key);
	if (fields[i].key == NULL)
		return source_fail(source, &place, NULL, "no such key; allowed: %s", words);
	if (*seen & (1U << i))
		return source_fail(source, &place, NULL, "the key is here twice; allowed: once");
	*seen |= 1U << i;
	return 0;
}

static int check_values(struct source *source, const struct place *place,
	const yaml_node_t *mapping, const cyaml_schema_field_t *fields)
{
	for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
		pair < mapping->data.mapping.pairs.top; pair++) {
		const struct place here = place_of(source, place, pair);
		const yaml_node_t *value = yaml_document_get_node(&source->document, pair->value);
		const cyaml_schema_field_t *field = &fields[find_field(fields, here.key)];

		if (check_value(source, &here, value, &field->value) < 0)
			return -EINVAL;
	}
	return 0;
}

// All keys come before the first value: of two equal keys, which one has the value is not clear.
static int check_mapping(struct source *source, const struct place *place, const yaml_node_t *node,
	const cyaml_schema_field_t *fields)
{
	uint32_t seen = 0;
	char words[WORDS_BYTES];

	list_keys(words, fields);
	if (node->type != YAML_MAPPING_NODE)
		return source_fail(
			source, place, NULL, "not a mapping of keys; allowed: %s", words);
	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
		pair < node->data.mapping.pairs.top; pair++) {
		if (check_key(source, place, pair, fields, &seen) < 0)
			return -EINVAL;
	}
	if (check_values(source, place, node, fields) < 0)
		return -EINVAL;
	for (size_t i = 0; fields[i].key != NULL; i++) {
		const struct place missing = {place, fields[i].key, 0};

		if (!(seen & (1U << i)) && !(fields[i].value.flags & CYAML_FLAG_OPTIONAL))
			return source_fail(
				source, &missing, NULL, "the key is missing; allowed: exactly one");
	}
	return 0;
}

static int check_sequence(struct source *source, const struct place *place, const yaml_node_t *node,
	const cyaml_schema_value_t *schema)
{
	const uint32_t min = schema->sequence.min;
	const uint32_t max = schema->sequence.max;
	size_t n;

	if (node->type != YAML_SEQUENCE_NODE)
		return source_fail(source, place, NULL,
			"not a list; allowed: a list of %u..%u items", min, max);
	n = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
	if (n < min || n > max)
		return source_fail(
			source, place, NULL, "a list of %zu items; allowed: %u..%u", n, min, max);
	for (size_t i = 0; i < n; i++) {
		const struct place item = {place->in, place->key, i + 1};
		const yaml_node_t *value = yaml_document_get_node(
			&source->document, node->data.sequence.items.start[i]);

		if (check_value(source, &item, value, schema->sequence.entry) < 0)
			return -EINVAL;
	}
	return 0;
}

// libcyaml would take 0x and a leading zero for other bases, and signs.
static bool is_decimal(const char *text)
{
	const size_t n = strspn(text, "0123456789");

	return n > 0 && text[n] == '\0' && (n == 1 || text[0] != '0');
}

static int check_number(struct source *source, const struct place *place, const char *text)
{
	const struct number *number = schema_number(place->key);

	if (!is_decimal(text))
		return source_fail(source, place, text, "is not a decimal number; allowed: %u..%u",
			number->min, number->max);
	// Nine digits fit any integer; no maximum is longer.
	if (strlen(text) > 9 || strtoul(text, NULL, 10) < number->min ||
		strtoul(text, NULL, 10) > number->max)
		return source_fail(source, place, text, "is out of range; allowed: %u..%u",
			number->min, number->max);
	return 0;
}

static int check_word(struct source *source, const struct place *place, const char *text,
	const cyaml_schema_value_t *schema)
{
	char words[WORDS_BYTES] = "";

	for (uint32_t i = 0; i < schema->enumeration.count; i++) {
		if (strcmp(schema->enumeration.strings[i].str, text) == 0)
			return 0;
		append_word(words, schema->enumeration.strings[i].str);
	}
	return source_fail(source, place, text, "is not known here; allowed: %s", words);
}

// The text itself is not shown: it may be a secret.
static int check_text(struct source *source, const struct place *place, size_t n_bytes,
	const cyaml_schema_value_t *schema)
{
	if (n_bytes == 0)
		return source_fail(source, place, NULL, "the value is empty; allowed: %u..%u bytes",
			schema->string.min, schema->string.max);
	if (n_bytes > schema->string.max)
		return source_fail(source, place, NULL,
			"the value is %zu bytes long; allowed: %u..%u bytes", n_bytes,
			schema->string.min, schema->string.max);
	return 0;
}

static int check_scalar(struct source *source, const struct place *place, const yaml_node_t *node,
	const cyaml_schema_value_t *schema)
{
	const char *text = (const char *)node->data.scalar.value;

	if (node->type != YAML_SCALAR_NODE)
		return source_fail(
			source, place, NULL, "a list or mapping; allowed: a single value");
	if (has_control_bytes(node))
		return source_fail(
			source, place, NULL, "control characters; allowed: text on one line");
	if (schema->type == CYAML_UINT)
		return check_number(source, place, text);
	if (schema->type == CYAML_ENUM)
		return check_word(source, place, text, schema);
	return check_text(source, place, node->data.scalar.length, schema);
}

static int check_value(struct source *source, const struct place *place, const yaml_node_t *node,
	const cyaml_schema_value_t *schema)
{
	if (schema->type == CYAML_MAPPING)
		return check_mapping(source, place, node, schema->mapping.fields);
	if (schema->type == CYAML_SEQUENCE)
		return check_sequence(source, place, node, schema);
	return check_scalar(source, place, node, schema);
}

int shape_check(struct source *source)
{
	return check_value(
		source, NULL, yaml_document_get_root_node(&source->document), &schema_root);
}
