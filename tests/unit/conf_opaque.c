// Names, realms and passwords come in the form of RFC 8265 §4.2 (OpaqueString).
#include "conf/conf.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static char error[CONF_ERROR_BYTES];

static int load(struct conf **out, const char *realm, const char *name, const char *password)
{
	static char text[4096];

	snprintf(text, sizeof(text),
		"ports: [{name: a, device: af_packet:e0, addresses: [10.0.0.1/8]}]\n"
		"listen: [10.0.0.1:3478]\n"
		"relay: [{address: 10.0.0.1}]\n"
		"auth: {realm: \"%s\", users: [{name: \"%s\", password: \"%s\"}]}\n",
		realm, name, password);
	return conf_load_bytes(out, "t", (const uint8_t *)text, strlen(text), error);
}

static void expect_password(const char *written, const char *want)
{
	struct conf *conf;

	cr_assert_eq(load(&conf, "r", "n", written), 0, "%s", error);
	cr_expect_str_eq(conf->realms[0].users[0].password, want);
	conf_destroy(conf);
}

static void expect_refused(const char *password)
{
	struct conf *conf;

	cr_expect_eq(load(&conf, "r", "n", password), -EINVAL, "%s", password);
	cr_expect_not_null(strstr(error, "t:4: auth.users[0].password: "), "%s", error);
	cr_expect_null(strstr(error, password), "it is repeated: %s", error);
}

// RFC 8265 §4.3, table 3.
Test(conf_opaque, legal_passwords_of_the_rfc)
{
	expect_password("correct horse battery staple", "correct horse battery staple");
	expect_password("Correct Horse Battery Staple", "Correct Horse Battery Staple");
	expect_password("\u03c0\u00df\u00e5", "\u03c0\u00df\u00e5");
	expect_password("Jack of \u2666s", "Jack of \u2666s");
	expect_password("foo\u1680bar", "foo bar");
}

Test(conf_opaque, every_space_is_the_same_and_stays)
{
	expect_password("\u00a0a\u3000b\u2003 ", " a b  ");
}

Test(conf_opaque, letters_with_marks_are_composed)
{
	expect_password("e\u0301", "\u00e9");
	expect_password("A\u030a", "\u00c5");
	expect_password("\u212b", "\u00c5");
}

Test(conf_opaque, fullwidth_letters_and_case_stay)
{
	expect_password("\uff21a\uff41", "\uff21a\uff41");
}

Test(conf_opaque, names_and_realms_too)
{
	struct conf *conf;

	cr_assert_eq(load(&conf, "Ko\u0308ln", "Ame\u0301lie\u00a0x", "p"), 0, "%s", error);
	cr_expect_str_eq(conf->realms[0].name, "K\u00f6ln");
	cr_expect_str_eq(conf->realms[0].users[0].name, "Am\u00e9lie x");
	conf_destroy(conf);
	cr_expect_eq(load(&conf, "r\u200d", "n", "p"), -EINVAL);
	cr_expect_not_null(strstr(error, "auth.realm: "), "%s", error);
	cr_expect_eq(load(&conf, "r", "n\u200d", "p"), -EINVAL);
	cr_expect_not_null(strstr(error, "auth.users[0].name: "), "%s", error);
}

Test(conf_opaque, what_is_no_text_is_refused)
{
	expect_refused("soft\u00adhyphen");
	expect_refused("joiner\u200d");
	expect_refused("jamo\u1100");
	expect_refused("filler\u3164");
	expect_refused("private\ue000");
	expect_refused("nobody's\u0378");
	expect_refused("line\u2028separator");
	expect_refused("\ufdd0");
}

// Two users whose names differ only before they are normalised.
Test(conf_opaque, names_are_compared_in_their_normal_form)
{
	static const char text[] =
		"ports: [{name: a, device: af_packet:e0, addresses: [10.0.0.1/8]}]\n"
		"listen: [10.0.0.1:3478]\n"
		"relay: [{address: 10.0.0.1}]\n"
		"auth: {realm: r, users: [{name: e\u0301, password: p}, {name: \u00e9, password: "
		"q}]}\n";
	struct conf *conf;

	cr_expect_eq(
		conf_load_bytes(&conf, "t", (const uint8_t *)text, strlen(text), error), -EINVAL);
	cr_expect_not_null(strstr(error, "is taken by auth.users[0].name"), "%s", error);
}

// U+FB2C takes twice its bytes: it is never composed.
Test(conf_opaque, what_grows_beyond_its_limit_is_refused)
{
	char name[3 * 100 + 1] = "";
	struct conf *conf;

	for (int i = 0; i < 100; i++)
		strcat(name, "\ufb2c");
	cr_expect_eq(load(&conf, "r", name, "p"), -EINVAL);
	cr_expect_not_null(strstr(error, "more than 508 bytes in normal form"), "%s", error);
}
