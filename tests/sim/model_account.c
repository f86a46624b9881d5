// Whom allocations count for: quotas, and how fast users may turn to new peers.
#include "model_parts.h"

#include <string.h>

// Also one that nobody holds any more: its debt is remembered.
static int find(const struct model *model, uint8_t realm, const char *name)
{
	for (int i = 0; i < MODEL_ACCOUNTS_MAX && model->accounts[i].name[0]; i++)
		if (model->accounts[i].realm == realm && strcmp(model->accounts[i].name, name) == 0)
			return i;
	return -1;
}

// A debt is paid in a second.
static bool is_free(const struct model_account *account, uint64_t now_ms)
{
	return account->n_held == 0 && now_ms >= account->debt.at_ms + 1000;
}

int model_hold_account(struct model *model, uint8_t realm, const struct user *user, uint64_t now_ms)
{
	const bool configured =
		user->expires_s == 0 && user->mac.n_bytes == 0 && !model_has_gone(model, user);
	int i = find(model, realm, user->account);

	if (i < 0) {
		for (i = 0; model->accounts[i].name[0] && !is_free(&model->accounts[i], now_ms);
			i++)
			;
		model->accounts[i] = (struct model_account){
			.realm = realm, .n_held = configured, .configured = configured};
		strcpy(model->accounts[i].name, user->account);
	}
	model->accounts[i].n_held++;
	return i;
}

void model_drop_account(struct model *model, uint8_t realm, const struct user *user)
{
	const int i = find(model, realm, user->account);

	if (i >= 0 && model->accounts[i].configured)
		model->accounts[i].n_held--;
	if (i >= 0)
		model->accounts[i].configured = false;
}

void model_keep_account(struct model *model, uint8_t realm, const struct user *user)
{
	const int i = find(model, realm, user->account);

	if (i >= 0 && !model->accounts[i].configured)
		model->accounts[i].n_held++;
	if (i >= 0)
		model->accounts[i].configured = true;
}

bool model_quota_is_reached(const struct model *model, const struct request *request)
{
	const uint8_t realm = model_realm_of(model, &request->service);
	const struct model_realm *rules = &model->rules.realms[realm];
	const uint32_t most = rules->source_allocations_max ? rules->source_allocations_max
							    : rules->n_allocations_max;
	const uint32_t most_of_user = rules->source_allocations_per_user
		? rules->source_allocations_per_user
		: rules->n_allocations_per_user;
	const int account = find(model, realm, request->login.user.account);
	const int taken = request_has(request, HAS_TOKEN) ? model_find_token(model, request) : -1;
	unsigned n = 0, n_of_user = 0;

	for (unsigned i = 0; i < MODEL_TUPLES_MAX; i++) {
		const struct model_allocation *a = &model->allocations[i];

		n += model_lives(a) && a->owner.realm == realm;
		n_of_user += model_lives(a) && a->account == account;
	}
	for (int i = 0; i < MODEL_RESERVATIONS_MAX; i++) {
		const struct model_reservation *r = &model->reservations[i];

		if (!r->lives || r->tuple >= 0 || i == taken)
			continue;
		n += model->accounts[r->account].realm == realm;
		n_of_user += r->account == account;
	}
	return (most && n >= most) || (most_of_user && n_of_user >= most_of_user);
}

static uint64_t debt_now(const struct model_debt *debt, uint32_t per_s, uint64_t now_ms)
{
	const uint64_t paid = (now_ms - debt->at_ms) * per_s;

	return debt->thousandths > paid ? debt->thousandths - paid : 0;
}

// A second's worth at once.
static bool may(const struct model_debt *debt, uint32_t per_s, unsigned n, uint64_t now_ms)
{
	return per_s == 0 || debt_now(debt, per_s, now_ms) + n * 1000ULL <= per_s * 1000ULL;
}

static void add(struct model_debt *debt, uint32_t per_s, unsigned n, uint64_t now_ms)
{
	debt->thousandths = debt_now(debt, per_s, now_ms) + n * 1000ULL;
	debt->at_ms = now_ms;
}

bool model_may_turn(const struct model *model, const struct model_allocation *a, unsigned n_new,
	uint64_t now_ms)
{
	const struct model_rules *rules = &model->rules;

	return n_new == 0 ||
		(may(&model->accounts[a->account].debt, rules->new_peers_per_user_s, n_new,
			 now_ms) &&
			may(&model->debt, rules->new_peers_s, n_new, now_ms));
}

void model_turn(
	struct model *model, const struct model_allocation *a, unsigned n_new, uint64_t now_ms)
{
	const struct model_rules *rules = &model->rules;

	if (n_new == 0)
		return;
	add(&model->accounts[a->account].debt, rules->new_peers_per_user_s, n_new, now_ms);
	add(&model->debt, rules->new_peers_s, n_new, now_ms);
}
