#include "turn/accounts.h"

#include "base/base.h"

#include <assert.h>
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
	accounts->n_free_idxs_max = accounts->n_buckets;
	accounts->free_idxs = calloc(accounts->n_buckets, sizeof(*accounts->free_idxs));
	return accounts->buckets && accounts->free_idxs ? 0 : -ENOMEM;
}

static struct account *find(const struct accounts *accounts, const struct realm *realm,
	const uint8_t *name, size_t n_bytes)
{
	struct account *account = *bucket_of(accounts, name, n_bytes);

	while (account &&
		!(account->realm == realm && account->n_bytes == n_bytes &&
			memcmp(account->name, name, n_bytes) == 0))
		account = account->next;
	return account;
}

static void link_account(struct accounts *accounts, struct account *account)
{
	struct account **bucket = bucket_of(accounts, account->name, account->n_bytes);

	account->next = *bucket;
	*bucket = account;
}

static void unlink_account(struct accounts *accounts, struct account *account)
{
	struct account **link = bucket_of(accounts, account->name, account->n_bytes);

	while (*link != account)
		link = &(*link)->next;
	*link = account->next;
}

static void destroy(struct accounts *accounts, struct account *account)
{
	unlink_account(accounts, account);
	free(account);
}

// Of the first that rests; it goes on where it is held again.
static void end_rest(struct accounts *accounts)
{
	struct account *account = accounts->first_resting;

	accounts->first_resting = account->next_resting;
	account->resting = false;
	if (account->n_identities == 0)
		destroy(accounts, account);
}

void accounts_fini(struct accounts *accounts)
{
	while (accounts->first_resting)
		end_rest(accounts);
	free(accounts->buckets);
	free(accounts->free_idxs);
	accounts->buckets = NULL;
	accounts->free_idxs = NULL;
}

struct account *accounts_hold(
	struct accounts *accounts, const struct realm *realm, const uint8_t *name, size_t n_bytes)
{
	struct account *account = find(accounts, realm, name, n_bytes);

	if (!account) {
		account = calloc(1, sizeof(*account) + n_bytes);
		if (!account)
			return NULL;
		account->realm = realm;
		account->n_bytes = (uint16_t)n_bytes;
		memcpy(account->name, name, n_bytes);
		link_account(accounts, account);
	}
	return account_share(account);
}

struct account *account_share(struct account *account)
{
	account->n_identities++;
	return account;
}

void accounts_add_allocation(struct accounts *accounts, struct account *account)
{
	if (account->n_allocations++ > 0)
		return;
	account->idx = accounts->n_free_idxs ? accounts->free_idxs[--accounts->n_free_idxs]
					     : accounts->n_idxs++;
}

void accounts_remove_allocation(struct accounts *accounts, struct account *account)
{
	if (--account->n_allocations > 0)
		return;
	assert(accounts->n_free_idxs < accounts->n_free_idxs_max);
	accounts->free_idxs[accounts->n_free_idxs++] = account->idx;
}

static void rest(struct accounts *accounts, struct account *account)
{
	if (account->resting)
		return;
	account->resting = true;
	account->next_resting = NULL;
	*(accounts->first_resting ? &accounts->last_resting->next_resting
				  : &accounts->first_resting) = account;
	accounts->last_resting = account;
}

void accounts_drop(struct accounts *accounts, struct account *account)
{
	if (--account->n_identities > 0)
		return;
	if (account->fresh.full_at)
		rest(accounts, account);
	else
		destroy(accounts, account);
}

// Nobody owes for longer than a burst, so the first holds the others up no longer than that.
void accounts_wake(struct accounts *accounts, const struct bucket_rate *rate, uint64_t now_ms)
{
	while (accounts->first_resting &&
		(accounts->first_resting->n_identities > 0 ||
			bucket_owed(&accounts->first_resting->fresh, rate, now_ms) == 0))
		end_rest(accounts);
}

void accounts_forget(struct accounts *accounts, const struct realm *realm)
{
	struct account *first = accounts->first_resting;
	struct account *next;

	accounts->first_resting = NULL;
	for (; first; first = next) {
		next = first->next_resting;
		first->resting = false;
		if (first->realm == realm)
			destroy(accounts, first);
		else
			rest(accounts, first);
	}
}

struct account *accounts_adopt(struct accounts *accounts, struct accounts *next,
	struct account *account, const struct realm *realm)
{
	struct account *here = find(accounts, realm, account->name, account->n_bytes);

	if (here) {
		account_share(here);
		accounts_drop(next, account);
		return here;
	}
	assert(account->n_identities == 1 && account->n_allocations == 0);
	unlink_account(next, account);
	account->realm = realm;
	link_account(accounts, account);
	return account;
}

void accounts_adopt_room(struct accounts *accounts, struct accounts *next)
{
	uint32_t *const old = accounts->free_idxs;

	if (next->n_free_idxs_max <= accounts->n_free_idxs_max)
		return;
	memcpy(next->free_idxs, old, accounts->n_free_idxs * sizeof(*old));
	accounts->free_idxs = next->free_idxs;
	accounts->n_free_idxs_max = next->n_free_idxs_max;
	next->free_idxs = old;
}

// The sum of all numbers is known: one that is there twice shows in it, unless others make up for
// it.
bool accounts_are_sound(const struct accounts *accounts)
{
	uint64_t n = accounts->n_free_idxs, sum = 0;

	for (uint32_t i = 0; i < accounts->n_free_idxs; i++)
		sum += accounts->free_idxs[i];
	for (size_t i = 0; i < accounts->n_buckets; i++) {
		for (const struct account *a = accounts->buckets[i]; a; a = a->next) {
			if (a->n_allocations == 0)
				continue;
			n++;
			sum += a->idx;
			if (a->idx >= accounts->n_idxs)
				return false;
		}
	}
	return n == accounts->n_idxs && (n == 0 || sum == n * (n - 1) / 2);
}
