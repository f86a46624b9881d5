#include "turn/users.h"

#include "turn/realm.h"
#include "turn/turn.h"

#include <errno.h>
#include <openssl/crypto.h>
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

static bool keys_equal(const struct turn_keys *a, const struct turn_keys *b)
{
	if (a->mac_key_bytes || b->mac_key_bytes)
		return a->mac_key_bytes == b->mac_key_bytes &&
			memcmp(a->mac_key, b->mac_key, a->mac_key_bytes) == 0;
	return memcmp(a->md5, b->md5, sizeof(a->md5)) == 0 && a->has_sha256 == b->has_sha256 &&
		(!a->has_sha256 || memcmp(a->sha256, b->sha256, sizeof(a->sha256)) == 0);
}

const struct identity *users_find(
	const struct users *users, const struct realm *realm, const void *name, size_t n_bytes)
{
	const struct identity *identity = *bucket_of(users, name, n_bytes);

	while (identity &&
		!(identity->configured && identity->realm == realm &&
			identity_is(identity, name, n_bytes)))
		identity = identity->next;
	return identity;
}

#define TOKEN_ACCOUNT_BYTES 16 // of the key: enough to tell tokens apart

// A REST user's account is what stands behind the time in its name; where nothing does, each name
// is one. A kid says only who issued a token: each token is a user.
static struct account *hold_account(
	struct users *users, const struct realm *realm, const struct principal *who)
{
	const uint8_t *colon = who->rest ? memchr(who->name, ':', who->n_bytes) : NULL;
	const uint8_t *user = colon ? colon + 1 : who->name;
	size_t n_bytes = who->n_bytes - (size_t)(user - who->name);

	if (who->keys.mac_key_bytes) {
		user = who->keys.mac_key;
		n_bytes = TOKEN_ACCOUNT_BYTES;
	}
	return accounts_hold(&users->accounts, realm, user, n_bytes);
}

// The account is held for it, and let go where there is no memory.
static struct identity *add(struct users *users, struct realm *realm, const struct principal *who,
	struct account *account)
{
	struct identity **bucket = bucket_of(users, who->name, who->n_bytes);
	struct identity *identity = calloc(1, sizeof(*identity) + who->n_bytes);

	if (!identity) {
		accounts_drop(&users->accounts, account);
		return NULL;
	}
	identity->account = account;
	identity->realm = realm;
	realm->n_identities++;
	users->n++;
	identity->next = *bucket;
	identity->keys = who->keys;
	identity->n_bytes = (uint16_t)who->n_bytes;
	memcpy(identity->name, who->name, who->n_bytes);
	*bucket = identity;
	return identity;
}

static struct identity *find(
	const struct users *users, const struct principal *who, const struct account *account)
{
	struct identity *identity = *bucket_of(users, who->name, who->n_bytes);

	while (identity &&
		!(identity->account == account && identity_is(identity, who->name, who->n_bytes) &&
			keys_equal(&identity->keys, &who->keys)))
		identity = identity->next;
	return identity;
}

struct identity *users_hold(struct users *users, struct realm *realm, const struct principal *who,
	struct account *account)
{
	struct identity *identity;

	account = account ? account_share(account) : hold_account(users, realm, who);
	if (!account)
		return NULL;
	identity = find(users, who, account);
	if (identity)
		accounts_drop(&users->accounts, account); // it holds it already
	else
		identity = add(users, realm, who, account);
	if (!identity)
		return NULL;
	identity->revoked = false; // a source may vouch for a key that once was configured
	return identity_share(identity);
}

struct identity *identity_share(struct identity *identity)
{
	identity->n_references++;
	return identity;
}

static void destroy(struct users *users, struct identity *identity)
{
	identity->realm->n_identities--;
	users->n--;
	if (identity->account)
		accounts_drop(&users->accounts, identity->account);
	explicit_bzero(&identity->keys, sizeof(identity->keys));
	free(identity);
}

static void unlink_identity(struct users *users, struct identity *identity)
{
	struct identity **link = bucket_of(users, identity->name, identity->n_bytes);

	while (*link != identity)
		link = &(*link)->next;
	*link = identity->next;
}

static void drop_unused(struct users *users, struct identity *identity)
{
	if (identity->n_references > 0 || identity->configured)
		return;
	unlink_identity(users, identity);
	destroy(users, identity);
}

void users_drop(struct users *users, struct identity *identity)
{
	identity->n_references--;
	drop_unused(users, identity);
}

static struct userhash *hash_slot(const struct users *users, const uint8_t *hash)
{
	size_t i = load_u32(hash);

	while (users->hashes[i & (users->n_hashes - 1)].identity &&
		CRYPTO_memcmp(users->hashes[i & (users->n_hashes - 1)].bytes, hash,
			STUN_SHA256_BYTES) != 0)
		i++;
	return &users->hashes[i & (users->n_hashes - 1)];
}

static void add_hash(struct users *users, struct stun_mac *mac, struct identity *who)
{
	struct userhash hash = {.identity = who};

	stun_userhash(
		mac, hash.bytes, who->name, who->n_bytes, who->realm->name, who->realm->name_bytes);
	*hash_slot(users, hash.bytes) = hash;
}

int users_add(struct users *users, struct stun_mac *mac, struct realm *realm,
	const struct turn_user *user)
{
	const struct principal who = {
		.name = (const uint8_t *)user->name,
		.n_bytes = strlen(user->name),
		.keys = user->keys,
	};
	struct identity *identity;

	if (who.n_bytes == 0 || who.n_bytes > TURN_USERNAME_BYTES_MAX ||
		users_find(users, realm, who.name, who.n_bytes))
		return -EINVAL;
	identity = users_hold(users, realm, &who, NULL);
	if (!identity)
		return -ENOMEM;
	identity->configured = true;
	identity->n_references--; // it lives without
	add_hash(users, mac, identity);
	return 0;
}

int users_init(struct users *users, size_t n_configured, size_t n_others)
{
	const size_t n = n_configured + n_others;

	users->n_buckets = next_power_of_two(n);
	users->buckets = calloc(users->n_buckets, sizeof(struct identity *));
	users->n_hashes = next_power_of_two(2 * n_configured + 1);
	users->hashes = calloc(users->n_hashes, sizeof(*users->hashes));
	if (users->buckets && users->hashes &&
		accounts_init(&users->accounts, n, &users->hash_key) == 0)
		return 0;
	users_fini(users);
	return -ENOMEM;
}

// A configured identity of `next`: the same that is here already, or itself.
static struct identity *adopt(struct users *users, struct users *next, struct identity *identity)
{
	struct realm *realm = identity->realm->successor;
	struct account *account =
		accounts_adopt(&users->accounts, &next->accounts, identity->account, realm);
	const struct principal who = {identity->name, identity->n_bytes, identity->keys, false};
	struct identity *here = find(users, &who, account);
	struct identity **bucket;

	if (here) {
		accounts_drop(&users->accounts, account); // it holds it already
		identity->account = NULL;
		return here;
	}
	unlink_identity(next, identity);
	next->n--;
	users->n++;
	identity->realm->n_identities--;
	realm->n_identities++;
	identity->realm = realm;
	identity->account = account;
	bucket = bucket_of(users, identity->name, identity->n_bytes);
	identity->next = *bucket;
	*bucket = identity;
	return identity;
}

void users_adopt(struct users *users, struct users *next)
{
	struct userhash *old = users->hashes;
	const size_t n_old = users->n_hashes;

	for (size_t i = 0; i < next->n_hashes; i++) {
		struct userhash *hash = &next->hashes[i];

		if (!hash->identity)
			continue;
		hash->identity = adopt(users, next, hash->identity);
		hash->identity->configured = hash->identity->kept = true;
		hash->identity->revoked = false;
	}
	for (size_t i = 0; i < n_old; i++) {
		if (!old[i].identity || old[i].identity->kept)
			continue;
		old[i].identity->configured = false;
		old[i].identity->revoked = true;
		drop_unused(users, old[i].identity);
	}
	users->hashes = next->hashes;
	users->n_hashes = next->n_hashes;
	next->hashes = old;
	next->n_hashes = n_old;
	for (size_t i = 0; i < users->n_hashes; i++)
		if (users->hashes[i].identity)
			users->hashes[i].identity->kept = false;
	accounts_adopt_room(&users->accounts, &next->accounts);
}

const struct identity *users_find_hash(const struct users *users, const struct realm *realm,
	const uint8_t hash[static STUN_SHA256_BYTES])
{
	const struct identity *identity = hash_slot(users, hash)->identity;

	return identity && identity->realm == realm ? identity : NULL;
}

void users_fini(struct users *users)
{
	for (size_t i = 0; i < users->n_buckets && users->buckets && users->n; i++) {
		struct identity *next;

		for (struct identity *identity = users->buckets[i]; identity; identity = next) {
			next = identity->next;
			destroy(users, identity);
		}
	}
	accounts_fini(&users->accounts);
	free(users->buckets);
	free(users->hashes);
	users->buckets = NULL;
	users->hashes = NULL;
}

uint64_t users_count_allocations(const struct users *users, const struct realm *realm)
{
	const struct accounts *accounts = &users->accounts;
	uint64_t n = 0;

	for (size_t i = 0; i < accounts->n_buckets; i++)
		for (const struct account *p = accounts->buckets[i]; p; p = p->next)
			n += p->realm == realm ? p->n_allocations : 0;
	return n;
}

uint64_t users_count_widowed(const struct users *users, const struct realm *realm)
{
	const struct accounts *accounts = &users->accounts;
	uint64_t n = 0;

	for (size_t i = 0; i < accounts->n_buckets; i++)
		for (const struct account *p = accounts->buckets[i]; p; p = p->next)
			n += p->realm == realm ? p->n_widowed : 0;
	return n;
}

size_t users_count(const struct users *users, const struct realm *realm)
{
	size_t n = 0;

	for (size_t i = 0; i < users->n_buckets; i++)
		for (const struct identity *p = users->buckets[i]; p; p = p->next)
			n += p->realm == realm;
	return n;
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
