#include "conf_rows.h"

#include <criterion/criterion.h>
#include <errno.h>

static void expect_refused(const char *text, size_t n_bytes, const char *want)
{
	struct conf *conf = NULL;
	char error[CONF_ERROR_BYTES] = "";
	const int rc = conf_load_bytes(&conf, "t", (const uint8_t *)text, n_bytes, error);

	cr_expect_eq(rc, -EINVAL, "not refused, want %s", want);
	cr_expect_null(conf);
	cr_expect_str_eq(error, want);
}

static void expect_rows_refused(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *text = row_text(&rows[i]);

		cr_assert_not_null(text, "no \"%s\" in the base", rows[i].find);
		expect_refused(text, strlen(text), rows[i].error);
		cr_expect_not_null(strstr(rows[i].error, "; allowed: "));
		free(text);
	}
}

Test(conf_refuse, the_base_of_all_rows_is_accepted)
{
	struct conf *conf;
	char error[CONF_ERROR_BYTES];

	cr_assert_eq(conf_load_bytes(
			     &conf, "t", (const uint8_t *)rows_base, sizeof(rows_base) - 1, error),
		0, "%s", error);
	conf_destroy(conf);
}

Test(conf_refuse, shapes_that_do_not_fit)
{
	expect_rows_refused(rows_shape, N_ELEMENTS(rows_shape));
}

Test(conf_refuse, values_that_are_none)
{
	expect_rows_refused(rows_values, N_ELEMENTS(rows_values));
}

Test(conf_refuse, realms_that_cannot_be)
{
	expect_rows_refused(rows_realms, N_ELEMENTS(rows_realms));
}

Test(conf_refuse, values_that_contradict_each_other)
{
	expect_rows_refused(rows_rules, N_ELEMENTS(rows_rules));
}

struct text_row {
	const char *text;
	const char *error;
};

Test(conf_refuse, what_is_no_plain_yaml)
{
	static const struct text_row rows[] = {
		{"", "t:1: yaml: the file is empty; allowed: a configuration"},
		{"\n# nothing\n", "t:1: yaml: the file is empty; allowed: a configuration"},
		{"---\n", "t:2: yaml: not a mapping of keys; allowed: " ROOT_KEYS},
		{"hello\n", "t:1: yaml: not a mapping of keys; allowed: " ROOT_KEYS},
		{"\n- a\n", "t:2: yaml: not a mapping of keys; allowed: " ROOT_KEYS},
		{"ports:\n\t- name: a\n", "t:2: yaml: a tab in the indentation; allowed: blanks"},
		{"ports:\n  \t- name: a\n", "t:2: yaml: a tab in the indentation; allowed: blanks"},
		{"a: &x 1\n", "t:1: yaml: anchors and aliases are refused; allowed: plain values"},
		{"a:\n- &x [1]\n",
			"t:2: yaml: anchors and aliases are refused; allowed: plain values"},
		{"a: &x {b: 1}\n",
			"t:1: yaml: anchors and aliases are refused; allowed: plain values"},
		{"a:\n- *x\n", "t:2: yaml: anchors and aliases are refused; allowed: plain values"},
		{"a: !!int 1\n", "t:1: yaml: tags are refused; allowed: plain values"},
		{"a: !x [1]\n", "t:1: yaml: tags are refused; allowed: plain values"},
		{"a: !x {}\n", "t:1: yaml: tags are refused; allowed: plain values"},
		{"a: 1\n---\nb: 1\n", "t:2: yaml: a second document; allowed: one"},
		{"a: [[[[[[[[1]]]]]]]]\n", "t:1: yaml: nested too deeply; allowed: up to 8 levels"},
		{"a: {b: [1}\n",
			"t:1: yaml: did not find expected ',' or ']'; allowed: well-formed "
			"YAML"},
		{"a: 1\n  b: 2\n",
			"t:2: yaml: mapping values are not allowed in this context; "
			"allowed: well-formed YAML"},
		{"a: \"b\n",
			"t:2: yaml: found unexpected end of stream; allowed: well-formed YAML"},
		{"a: \xff\xfe\n",
			"t:1: yaml: invalid leading UTF-8 octet; allowed: well-formed "
			"YAML"},
		{"a: 1\n# caf\xe9\nb: 2\n",
			"t:2: yaml: invalid trailing UTF-8 octet; allowed: well-formed "
			"YAML"},
		{"a: 1\n\nb: \x01\n",
			"t:3: yaml: control characters are not allowed; allowed: well-formed "
			"YAML"},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		expect_refused(rows[i].text, strlen(rows[i].text), rows[i].error);
}

Test(conf_refuse, zero_bytes_and_utf16)
{
	expect_refused("a: 1\nb: \0\n", 10,
		"t:2: yaml: a zero byte: this is no text; allowed: UTF-8 text");
	expect_refused(
		"\xff\xfe:\0", 4, "t:1: yaml: a zero byte: this is no text; allowed: UTF-8 text");
}

Test(conf_refuse, more_than_a_mebibyte)
{
	const size_t n_bytes = (1 << 20) + 1;
	char *text = malloc(n_bytes);

	memset(text, '#', n_bytes);
	expect_refused(
		text, n_bytes, "t:1: yaml: the file is larger than 1 MiB; allowed: up to 1 MiB");
	expect_refused(text, n_bytes - 1, "t:1: yaml: the file is empty; allowed: a configuration");
	free(text);
}

Test(conf_refuse, a_million_open_brackets_quickly, .timeout = 10)
{
	const size_t n_bytes = 1 << 20;
	char *text = malloc(n_bytes);

	memset(text, '[', n_bytes);
	expect_refused(text, n_bytes, "t:1: yaml: nested too deeply; allowed: up to 8 levels");
	free(text);
}

struct list_row {
	const char *head; // up to the list
	const char *item;
	int n_items;
	const char *error;
};

Test(conf_refuse, longer_lists_than_there_may_be)
{
	static const struct list_row rows[] = {
		{"ports: [", "{name: a, device: af_packet:a, addresses: [10.0.0.1/8]},", 9,
			"t:1: ports: a list of 9 items; allowed: 1..8"},
		{"auth: {rest-secrets: [", "a,", 17,
			"t:1: auth.rest-secrets: a list of 17 items; allowed: 0..16"},
		{"auth: {users: [", "{name: a},", 4097,
			"t:1: auth.users: a list of 4097 items; allowed: 0..4096"},
		{"peers: {deny: [", "a,", 1025,
			"t:1: peers.deny: a list of 1025 items; allowed: 0..1024"},
		{"listen: [", "a,", 65, "t:1: listen: a list of 65 items; allowed: 1..64"},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char *text = malloc(64 * 1024);
		size_t n = (size_t)sprintf(text, "%s", rows[i].head);

		for (int k = 0; k < rows[i].n_items; k++)
			n += (size_t)sprintf(text + n, "%s", rows[i].item);
		n += (size_t)sprintf(text + n, "%s", strchr(rows[i].head, '{') ? "]}" : "]");
		expect_refused(text, n, rows[i].error);
		free(text);
	}
}

Test(conf_refuse, secrets_are_not_repeated_in_errors)
{
	static const struct row rows[] = {
		{"AABBCCDDEEFF}", "AABBCCDDEEFFsecret}", ""},
		{"password: secret", "password: \"secret\\n\"", ""},
		{"password: secret", "password: [secret]", ""},
		{"password: secret", "password: secret, key: secret", ""},
		{"  users", "  rest-secrets: [\"secret\\e\"]\n  users", ""},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct conf *conf;
		char error[CONF_ERROR_BYTES];
		char *text = row_text(&rows[i]);

		cr_assert_eq(
			conf_load_bytes(&conf, "t", (const uint8_t *)text, strlen(text), error),
			-EINVAL);
		cr_expect_null(strstr(error, "secret\\"), "%s", error);
		cr_expect_null(strstr(error, "EFFsecret"), "%s", error);
		cr_expect_null(strstr(error, ": secret"), "%s", error);
		free(text);
	}
}

Test(conf_refuse, an_error_is_one_line_whatever_the_names)
{
	struct conf *conf;
	char error[CONF_ERROR_BYTES];
	char name[2000];
	char text[1000];

	memset(name, 'n', sizeof(name));
	memcpy(name + sizeof(name) - 7, "a\nb\x1b.c", 7);
	memset(text, 'k', sizeof(text) - 3);
	memcpy(text + sizeof(text) - 3, ": 1", 3);
	cr_assert_eq(
		conf_load_bytes(&conf, name, (const uint8_t *)text, sizeof(text), error), -EINVAL);
	cr_expect_null(strchr(error, '\n'));
	cr_expect_not_null(strstr(error, "na?b?.c:1: kkk"), "%s", error);
	cr_expect_not_null(strstr(error, "; allowed: " ROOT_KEYS), "%s", error);
}
