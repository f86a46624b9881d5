#include "turn_rig.h"

#include <criterion/criterion.h>

static struct rig rig;

static void open_with(const char *software)
{
	struct turn_config config = rig_config();

	config.software = software;
	rig_open(&rig, &config);
	rig_challenge(&rig);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(turn_software, .fini = close_rig);

static void expect_software(const char *text)
{
	const struct stun_attr *attr = stun_find(&rig.view, STUN_ATTR_SOFTWARE);

	cr_assert_not_null(attr);
	cr_expect_eq(attr->n_bytes, strlen(text));
	cr_expect_eq(memcmp(attr->value, text, attr->n_bytes), 0);
}

Test(turn_software, nobody_is_told_unless_asked_for)
{
	open_with(NULL);
	cr_expect_not(rig_has(&rig, STUN_ATTR_SOFTWARE));
	cr_expect_eq(rig_allocate(&rig), 0);
	cr_expect_not(rig_has(&rig, STUN_ATTR_SOFTWARE));
	rig.user = NULL;
	rig_begin(&rig, STUN_BINDING);
	cr_expect_eq(rig_send(&rig), 0);
	cr_expect_not(rig_has(&rig, STUN_ATTR_SOFTWARE));
}

// Before MESSAGE-INTEGRITY: what stands behind it would not be seen.
Test(turn_software, every_kind_of_answer_has_it)
{
	open_with("a relay");
	expect_software("a relay"); // 401
	cr_expect_eq(rig_allocate(&rig), 0);
	cr_expect_neq(rig.view.integrity_offset, 0);
	expect_software("a relay");
	cr_expect_eq(rig_refresh(&rig, 600), 0);
	expect_software("a relay");
	cr_expect_eq(rig_bind(&rig, 0x3fff, "11.0.0.1:1"), 400);
	expect_software("a relay");
	rig.user = NULL;
	rig.with_fingerprint = true;
	rig_begin(&rig, STUN_BINDING);
	cr_expect_eq(rig_send(&rig), 0);
	expect_software("a relay");
}

Test(turn_software, longer_than_the_rfc_allows_is_refused)
{
	struct turn_config config = rig_config();
	static char text[129];
	struct turn *turn = NULL;

	memset(text, 'a', 128);
	config.software = text;
	cr_expect_neq(turn_create(&turn, &config), 0);
	text[127] = '\0';
	open_with(text);
	cr_expect_eq(rig_allocate(&rig), 0);
	expect_software(text);
}
