// Load what is good and every kind of bad, and free it all, for LeakSanitizer. Criterion's forks
// hide leaks from it, so this is a plain program.
#include "conf_rows.h"

static int n_failures;

static void load(const char *text, bool good)
{
	struct conf *conf = NULL;
	char error[CONF_ERROR_BYTES];
	const int rc = conf_load_bytes(&conf, "t", (const uint8_t *)text, strlen(text), error);

	if ((rc == 0) != good) {
		fprintf(stderr, "rc=%d error=%s text:\n%s\n", rc, error, text);
		n_failures++;
	}
	conf_destroy(conf);
}

static void load_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *text = row_text(&rows[i]);

		load(text, false);
		free(text);
	}
}

// Cut anywhere, the text is refused or, where only the last section is lost, accepted.
static void load_cut(void)
{
	char *text = strdup(rows_base);
	struct conf *conf;
	char error[CONF_ERROR_BYTES];

	for (size_t n = 0; n < sizeof(rows_base) - 1; n++) {
		conf = NULL;
		conf_load_bytes(&conf, "t", (const uint8_t *)text, n, error);
		conf_destroy(conf);
	}
	free(text);
}

// With all that a realm and Redis may have.
static void load_realms(void)
{
	static const char more[] =
		"realms:\n"
		"  - name: blue\n"
		"    listen: [10.1.0.2:3479]\n"
		"    users: [{name: ann, password: azure}]\n"
		"    rest-secrets: [s]\n"
		"    rest-secrets-sha256: [t]\n"
		"    redis: on\n"
		"    limits: {allocations: 4, allocations-per-user: 2}\n"
		"    peers: {profile: lan, allow: [10.0.0.0/8], deny: [10.0.0.0/9]}\n"
		"redis: {server: \"unix:/run/redis\", username: u, password: p}\n";
	char text[sizeof(rows_base) + sizeof(more)];

	snprintf(text, sizeof(text), "%s%s", rows_base, more);
	load(text, true);
}

static struct conf *load_one(const char *text)
{
	struct conf *conf = NULL;
	char error[CONF_ERROR_BYTES];

	if (conf_load_bytes(&conf, "t", (const uint8_t *)text, strlen(text), error))
		n_failures++;
	return conf;
}

// Two that differ in ports, users and lists.
static void compare(void)
{
	const struct row row = {"    - {name: ann, password: secret}\n", "", NULL};
	char *changed = row_text(&row);
	struct conf *from = load_one(rows_base);
	struct conf *to = load_one(changed);
	struct conf_diff diff;

	if (conf_diff(&diff, from, to) || diff.n != 1)
		n_failures++;
	conf_diff_free(&diff);
	conf_destroy(from);
	conf_destroy(to);
	free(changed);
}

int main(void)
{
	struct conf *conf = NULL;
	char error[CONF_ERROR_BYTES];

	load(rows_base, true);
	load_realms();
	load("", false);
	load("a: &x [*x]\n", false);
	load("a: [[[[[[[[[[1]]]]]]]]]]\n", false);
	load("a: {\"b\n", false);
	load_rows(rows_shape, N_ELEMENTS(rows_shape));
	load_rows(rows_values, N_ELEMENTS(rows_values));
	load_rows(rows_realms, N_ELEMENTS(rows_realms));
	load_rows(rows_rules, N_ELEMENTS(rows_rules));
	load_cut();
	compare();
	if (conf_load(&conf, "/nonexistent", error) == 0)
		n_failures++;
	return n_failures == 0 ? 0 : 1;
}
