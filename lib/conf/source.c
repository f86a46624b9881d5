#include "source.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

// A configuration needs five levels; each costs the parser memory.
#define DEPTH_MAX 8
#define NAME_SHOWN_BYTES 200
#define KEY_SHOWN_BYTES 40
#define VALUE_SHOWN_BYTES 80

static void __attribute__((format(printf, 2, 0)))
append_args(struct source *source, const char *format, va_list args)
{
	const size_t n = strlen(source->error);

	vsnprintf(source->error + n, CONF_ERROR_BYTES - n, format, args);
}

static void __attribute__((format(printf, 2, 3)))
append(struct source *source, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	append_args(source, format, args);
	va_end(args);
}

// Of a long file name the end is shown.
static void begin_error(struct source *source, size_t line, const char *key)
{
	const size_t n = strlen(source->name);

	source->error[0] = '\0';
	append(source,
		"%s:%zu: %s: ", source->name + (n > NAME_SHOWN_BYTES ? n - NAME_SHOWN_BYTES : 0),
		line, key);
}

// Whatever was quoted, an error stays one line.
static int end_error(struct source *source)
{
	for (char *at = source->error; *at != '\0'; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	}
	return -EINVAL;
}

static int __attribute__((format(printf, 3, 4)))
fail_line(struct source *source, size_t line, const char *format, ...)
{
	va_list args;

	begin_error(source, line, "yaml");
	va_start(args, format);
	append_args(source, format, args);
	va_end(args);
	return end_error(source);
}

const char *place_format(const struct place *place, char text[static PLACE_TEXT_BYTES])
{
	char key[KEY_SHOWN_BYTES];
	char nth[24] = "";
	size_t n = 0;

	if (place->in != NULL)
		n = strlen(place_format(place->in, text));
	if (place->nth > 0)
		snprintf(nth, sizeof(nth), "[%zu]", place->nth - 1);
	log_escape(key, sizeof(key), place->key, strlen(place->key));
	snprintf(text + n, PLACE_TEXT_BYTES - n, "%s%s%s", n == 0 ? "" : ".", key, nth);
	return text;
}

// Of equal keys the last: it is the one to complain about.
static const yaml_node_t *find_key(
	struct source *source, const yaml_node_t *mapping, const char *key, size_t *line)
{
	const yaml_node_t *found = NULL;

	if (mapping == NULL || mapping->type != YAML_MAPPING_NODE)
		return NULL;
	for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
		pair < mapping->data.mapping.pairs.top; pair++) {
		const yaml_node_t *node = yaml_document_get_node(&source->document, pair->key);

		if (node->type != YAML_SCALAR_NODE ||
			strcmp((const char *)node->data.scalar.value, key) != 0)
			continue;
		*line = node->start_mark.line + 1;
		found = yaml_document_get_node(&source->document, pair->value);
	}
	return found;
}

// The value at `place`, or NULL; `line` becomes that of its key or item, or of what encloses it.
static const yaml_node_t *find(struct source *source, const struct place *place, size_t *line)
{
	const yaml_node_t *node;
	const yaml_node_item_t *item;

	if (place == NULL) {
		node = yaml_document_get_root_node(&source->document);
		*line = node == NULL ? 1 : node->start_mark.line + 1;
		return node;
	}
	node = find_key(source, find(source, place->in, line), place->key, line);
	if (place->nth == 0 || node == NULL || node->type != YAML_SEQUENCE_NODE)
		return node;
	item = node->data.sequence.items.start + place->nth - 1;
	if (item >= node->data.sequence.items.top)
		return NULL;
	node = yaml_document_get_node(&source->document, *item);
	*line = node->start_mark.line + 1;
	return node;
}

int source_fail(struct source *source, const struct place *place, const char *value,
	const char *format, ...)
{
	char key[PLACE_TEXT_BYTES] = "yaml";
	char shown[VALUE_SHOWN_BYTES];
	size_t line;
	va_list args;

	find(source, place, &line);
	if (place != NULL)
		place_format(place, key);
	begin_error(source, line, key);
	if (value != NULL)
		append(source, "%s ",
			*value == '\0' ? "\"\""
				       : log_escape(shown, sizeof(shown), value, strlen(value)));
	va_start(args, format);
	append_args(source, format, args);
	va_end(args);
	return end_error(source);
}

// libyaml takes UTF-16 and gives hard words for tabs; both end here.
static int check_bytes(struct source *source, const uint8_t *yaml, size_t n_bytes)
{
	bool in_indent = true;
	size_t line = 1;

	if (n_bytes > SOURCE_BYTES_MAX)
		return fail_line(source, 1, "the file is larger than 1 MiB; allowed: up to 1 MiB");
	for (size_t i = 0; i < n_bytes; i++) {
		if (yaml[i] == '\0')
			return fail_line(
				source, line, "a zero byte: this is no text; allowed: UTF-8 text");
		if (yaml[i] == '\t' && in_indent)
			return fail_line(source, line, "a tab in the indentation; allowed: blanks");
		in_indent = yaml[i] == '\n' || (in_indent && yaml[i] == ' ');
		line += yaml[i] == '\n';
	}
	return 0;
}

// What is no text is told by its byte, all else by a mark.
static size_t problem_line(const yaml_parser_t *parser)
{
	size_t line = 1;

	if (parser->error != YAML_READER_ERROR)
		return parser->problem_mark.line + 1;
	for (size_t i = 0; i < parser->problem_offset; i++)
		line += parser->input.string.start[i] == '\n';
	return line;
}

static int fail_syntax(struct source *source, const yaml_parser_t *parser)
{
	// Only a lack of memory goes without words.
	if (parser->problem == NULL)
		return -ENOMEM;
	return fail_line(
		source, problem_line(parser), "%s; allowed: well-formed YAML", parser->problem);
}

// What YAML has and a configuration doesn't need.
static int check_event(struct source *source, const yaml_event_t *event, int *depth)
{
	const size_t line = event->start_mark.line + 1;
	const yaml_char_t *anchor = NULL;
	const yaml_char_t *tag = NULL;

	if (event->type == YAML_SCALAR_EVENT) {
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		++*depth;
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		++*depth;
	} else if (event->type == YAML_SEQUENCE_END_EVENT ||
		event->type == YAML_MAPPING_END_EVENT) {
		--*depth;
	}
	if (anchor != NULL || event->type == YAML_ALIAS_EVENT)
		return fail_line(
			source, line, "anchors and aliases are refused; allowed: plain values");
	if (tag != NULL)
		return fail_line(source, line, "tags are refused; allowed: plain values");
	if (*depth > DEPTH_MAX)
		return fail_line(
			source, line, "nested too deeply; allowed: up to %d levels", DEPTH_MAX);
	return 0;
}

static int check_events(struct source *source, yaml_parser_t *parser)
{
	yaml_event_type_t type = YAML_NO_EVENT;
	int n_documents = 0;
	int depth = 0;
	int rc = 0;

	while (rc == 0 && type != YAML_STREAM_END_EVENT) {
		yaml_event_t event;

		if (!yaml_parser_parse(parser, &event))
			return fail_syntax(source, parser);
		type = event.type;
		n_documents += type == YAML_DOCUMENT_START_EVENT;
		rc = n_documents > 1 ? fail_line(source, event.start_mark.line + 1,
					       "a second document; allowed: one")
				     : check_event(source, &event, &depth);
		yaml_event_delete(&event);
	}
	if (rc == 0 && n_documents == 0)
		return fail_line(source, 1, "the file is empty; allowed: a configuration");
	return rc;
}

static int load_document(struct source *source, yaml_parser_t *parser)
{
	return yaml_parser_load(parser, &source->document) ? 0 : fail_syntax(source, parser);
}

// Run one of the passes above over the text.
static int parse(struct source *source, const uint8_t *yaml, size_t n_bytes,
	int (*pass)(struct source *, yaml_parser_t *))
{
	yaml_parser_t parser;
	int rc;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, yaml, n_bytes);
	rc = pass(source, &parser);
	yaml_parser_delete(&parser);
	return rc;
}

int source_open(
	struct source *source, const char *name, const uint8_t *yaml, size_t n_bytes, char *error)
{
	int rc;

	*source = (struct source){.name = name, .error = error};
	rc = check_bytes(source, yaml, n_bytes);
	if (rc == 0)
		rc = parse(source, yaml, n_bytes, check_events);
	if (rc == 0)
		rc = parse(source, yaml, n_bytes, load_document);
	return rc;
}

void source_close(struct source *source)
{
	yaml_document_delete(&source->document);
}
