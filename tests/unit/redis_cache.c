// What is kept of users, without a Redis and in virtual time.
#include "redis/cache.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define N_MAX 4

static struct cache cache;
static const struct turn_keys keys = {.md5 = {1, 2, 3}};

static void open_cache(void)
{
	cr_assert_eq(cache_init(&cache, N_MAX, 60000, 10000), 0);
}

static void close_cache(void)
{
	cache_fini(&cache);
}

TestSuite(redis_cache, .init = open_cache, .fini = close_cache);

static struct cache_user *find(const char *name)
{
	return cache_find(&cache, 0, name, strlen(name));
}

static struct cache_user *ask(const char *name)
{
	struct cache_user *user = cache_ask(&cache, find(name), 0, name, strlen(name));

	cr_assert_not_null(user);
	return user;
}

static void learn(const char *name, bool known, uint64_t now_ms)
{
	cache_answer(&cache, ask(name), known ? &keys : NULL, now_ms);
}

Test(redis_cache, what_is_learned_is_found_until_its_time)
{
	struct cache_user *user;

	cr_expect_null(find("ann"));
	learn("ann", true, 1000);
	user = find("ann");
	cr_assert_not_null(user);
	cr_expect_eq(user->state, CACHE_KNOWN);
	cr_expect_eq(user->expires_ms, 61000);
	cr_expect_arr_eq(user->keys.md5, keys.md5, sizeof(keys.md5));
	learn("bob", false, 1000);
	cr_expect_eq(find("bob")->state, CACHE_UNKNOWN);
	cr_expect_eq(find("bob")->expires_ms, 11000);
	cr_expect_null(find("an"));
	cr_expect_null(find("annn"));
}

Test(redis_cache, a_name_in_another_realm_is_another_name)
{
	learn("ann", true, 0);
	cr_expect_null(cache_find(&cache, 1, "ann", 3));
	cache_answer(&cache, cache_ask(&cache, NULL, 1, "ann", 3), NULL, 0);
	cr_expect_eq(cache_find(&cache, 0, "ann", 3)->state, CACHE_KNOWN);
	cr_expect_eq(cache_find(&cache, 1, "ann", 3)->state, CACHE_UNKNOWN);
}

Test(redis_cache, names_are_bytes)
{
	cache_answer(&cache, cache_ask(&cache, NULL, 0, "a\0b", 3), &keys, 0);
	cr_expect_null(cache_find(&cache, 0, "a\0c", 3));
	cr_expect_null(cache_find(&cache, 0, "a", 1));
	cr_expect_not_null(cache_find(&cache, 0, "a\0b", 3));
}

Test(redis_cache, the_longest_unused_goes_first)
{
	static const char *const names[N_MAX] = {"a", "b", "c", "d"};

	for (size_t i = 0; i < N_MAX; i++)
		learn(names[i], true, 0);
	cr_expect_not_null(find("a")); // used
	learn("e", true, 0);
	cr_expect_null(find("b"));
	cr_expect_not_null(find("a"));
	cr_expect_not_null(find("e"));
	cr_expect_eq(cache.known.n, N_MAX);
}

Test(redis_cache, a_flood_of_unknown_names_drives_out_nobody)
{
	char name[16];

	learn("ann", true, 0);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "x%d", i);
		learn(name, false, 0);
	}
	cr_expect_not_null(find("ann"));
	cr_expect_eq(cache.known.n, 1);
	cr_expect_eq(cache.unknown.n, N_MAX);
	cr_expect_eq(cache.n_asked, 0);
}

Test(redis_cache, who_is_asked_for_stays_whatever_comes)
{
	struct cache_user *user = ask("ann");
	char name[16];

	cr_expect_eq(cache.n_asked, 1);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "x%d", i);
		learn(name, i % 2, 0);
	}
	cr_expect_eq(find("ann"), user);
	cache_answer(&cache, user, &keys, 0);
	cr_expect_eq(find("ann"), user);
	cr_expect_eq(cache.n_asked, 0);
}

Test(redis_cache, without_an_answer_the_known_stay_known)
{
	learn("ann", true, 0);
	cache_no_answer(&cache, ask("ann"), 70000);
	cr_expect_eq(find("ann")->state, CACHE_KNOWN);
	cr_expect_eq(find("ann")->expires_ms, 70000 + CACHE_RETRY_MS);
	cache_no_answer(&cache, ask("bob"), 70000);
	cr_expect_eq(find("bob")->state, CACHE_FAILED, "which is not unknown");
	cr_expect_eq(find("bob")->expires_ms, 70000 + CACHE_RETRY_MS);
}

Test(redis_cache, who_is_gone_is_gone)
{
	static const struct turn_keys none;

	learn("ann", true, 0);
	learn("ann", false, 60000);
	cr_expect_eq(find("ann")->state, CACHE_UNKNOWN);
	cr_expect_arr_eq(find("ann")->keys.md5, none.md5, sizeof(none.md5), "nor is its key left");
	cr_expect_eq(cache.known.n, 0);
	learn("ann", true, 70000);
	cr_expect_eq(find("ann")->state, CACHE_KNOWN);
	cr_expect_eq(cache.unknown.n, 0);
}
