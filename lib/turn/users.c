#include "turn/users.h"

#include "turn/turn.h"

#include <errno.h>
#include <stdlib.h>

static struct identity **bucket_of(const struct users *users, const void *name, size_t n_bytes)
{
	return &users->buckets[hash_bytes(&users->hash_key, name, n_bytes) &
		(users->n_buckets - 1)];
}

bool identity_is(const struct identity *identity, const void *name, size_t n_bytes)
{
	return identity->n_bytes == n_bytes && memcmp(identity->name, name, n_bytes) == 0;
}

static bool key_equal(const struct stun_key *a, const struct stun_key *b)
{
	return a->n_bytes == b->n_bytes && memcmp(a->bytes, b->bytes, a->n_bytes) == 0;
}

const struct identity *users_find(const struct users *users, const void *name, size_t n_bytes)
{
	const struct identity *identity = *bucket_of(users, name, n_bytes);

	while (identity && !(identity->configured && identity_is(identity, name, n_bytes)))
		identity = identity->next;
	return identity;
}

static struct identity *add(
	struct users *users, const void *name, size_t n_bytes, const struct stun_key *key)
{
	struct identity **bucket = bucket_of(users, name, n_bytes);
	struct identity *identity = calloc(1, sizeof(*identity) + n_bytes);

	if (!identity)
		return NULL;
	identity->next = *bucket;
	identity->key = *key;
	identity->n_bytes = (uint16_t)n_bytes;
	memcpy(identity->name, name, n_bytes);
	*bucket = identity;
	return identity;
}

struct identity *users_hold(
	struct users *users, const void *name, size_t n_bytes, const struct stun_key *key)
{
	struct identity *identity = *bucket_of(users, name, n_bytes);

	while (identity &&
		!(identity_is(identity, name, n_bytes) && key_equal(&identity->key, key)))
		identity = identity->next;
	if (!identity)
		identity = add(users, name, n_bytes, key);
	if (identity)
		identity->n_references++;
	return identity;
}

static void destroy(struct identity *identity)
{
	explicit_bzero(&identity->key, sizeof(identity->key));
	free(identity);
}

void users_drop(struct users *users, struct identity *identity)
{
	struct identity **link;

	if (--identity->n_references > 0 || identity->configured)
		return;
	link = bucket_of(users, identity->name, identity->n_bytes);
	while (*link != identity)
		link = &(*link)->next;
	*link = identity->next;
	destroy(identity);
}

static int add_configured(struct users *users, const struct turn_user *user)
{
	const size_t n_bytes = strlen(user->name);
	struct identity *identity;

	if (n_bytes == 0 || n_bytes > TURN_USERNAME_BYTES_MAX || user->key.n_bytes != 16 ||
		users_find(users, user->name, n_bytes))
		return -EINVAL;
	identity = add(users, user->name, n_bytes, &user->key);
	if (!identity)
		return -ENOMEM;
	identity->configured = true;
	return 0;
}

int users_init(struct users *users, const struct turn_user *list, size_t n_list, size_t n_expected)
{
	users->n_buckets = next_power_of_two(n_list + n_expected);
	users->buckets = calloc(users->n_buckets, sizeof(struct identity *));
	if (!users->buckets)
		return -ENOMEM;
	for (size_t i = 0; i < n_list; i++) {
		const int rc = add_configured(users, &list[i]);

		if (rc) {
			users_fini(users);
			return rc;
		}
	}
	return 0;
}

void users_fini(struct users *users)
{
	for (size_t i = 0; i < users->n_buckets && users->buckets; i++) {
		struct identity *next;

		for (struct identity *identity = users->buckets[i]; identity; identity = next) {
			next = identity->next;
			destroy(identity);
		}
	}
	free(users->buckets);
	users->buckets = NULL;
}

int64_t users_count_references(const struct users *users)
{
	int64_t n = 0;

	for (size_t i = 0; i < users->n_buckets; i++) {
		for (const struct identity *p = users->buckets[i]; p; p = p->next) {
			if (p->n_references == 0 && !p->configured)
				return -1;
			n += p->n_references;
		}
	}
	return n;
}
