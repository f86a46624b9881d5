// The two vectors were made by Python's hmac.
#include "../../app/turnpike/credential.h"

#include <criterion/criterion.h>
#include <string.h>

Test(credential, of_a_sha1_secret)
{
	struct credential credential;

	cr_assert_eq(credential_make(&credential, "north-star", false, "check", 1700000600), 0);
	cr_expect_str_eq(credential.name, "1700000600:check");
	cr_expect_str_eq(credential.password, "u2D7W+scY4bsAo0kMpiH0rN6iVY=");
}

Test(credential, of_a_sha256_secret)
{
	struct credential credential;

	cr_assert_eq(credential_make(&credential, "north-star", true, "check", 1700000600), 0);
	cr_expect_str_eq(credential.password, "PFmNssm8g9JBp6O8GC6VAfW5oA0u4NVMKXY1iSn9ub8=");
}

Test(credential, the_longest_fits)
{
	static const char user[] = "0123456789012345678901234567890123456789 and more";
	struct credential credential;

	cr_assert_eq(credential_make(&credential, "s", true, user, INT64_MIN), 0);
	cr_expect_str_eq(
		credential.name, "-9223372036854775808:0123456789012345678901234567890123456789");
	cr_expect_lt(strlen(credential.password), sizeof(credential.password));
}
