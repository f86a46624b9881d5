#include "turn/accounts.h"

#include "base/base.h"

#include <errno.h>
#include <stdlib.h>

static struct account **bucket_of(
	const struct accounts *accounts, const uint8_t *name, size_t n_bytes)
{
	return &accounts->buckets[hash_bytes(&accounts->hash_key, name, n_bytes) &
		(accounts->n_buckets - 1)];
}

int accounts_init(struct accounts *accounts, size_t n_expected, const struct hash_key *hash_key)
{
	accounts->hash_key = *hash_key;
	accounts->n_buckets = next_power_of_two(n_expected);
	accounts->buckets = calloc(accounts->n_buckets, sizeof(struct account *));
	return accounts->buckets ? 0 : -ENOMEM;
}

void accounts_fini(struct accounts *accounts)
{
	free(accounts->buckets);
	accounts->buckets = NULL;
}

struct account *accounts_hold(
	struct accounts *accounts, const struct realm *realm, const uint8_t *name, size_t n_bytes)
{
	struct account **bucket = bucket_of(accounts, name, n_bytes);
	struct account *account = *bucket;

	while (account &&
		!(account->realm == realm && account->n_bytes == n_bytes &&
			memcmp(account->name, name, n_bytes) == 0))
		account = account->next;
	if (!account) {
		account = calloc(1, sizeof(*account) + n_bytes);
		if (!account)
			return NULL;
		account->realm = realm;
		account->n_bytes = (uint16_t)n_bytes;
		memcpy(account->name, name, n_bytes);
		account->next = *bucket;
		*bucket = account;
	}
	account->n_identities++;
	return account;
}

void accounts_drop(struct accounts *accounts, struct account *account)
{
	struct account **link;

	if (--account->n_identities > 0)
		return;
	link = bucket_of(accounts, account->name, account->n_bytes);
	while (*link != account)
		link = &(*link)->next;
	*link = account->next;
	free(account);
}
