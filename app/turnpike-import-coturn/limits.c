// How much each, and all together, may take.
#include "plan.h"

#define QUOTA_MAX 4194304
#define KBIT_S_MAX 400000000
#define ANSWERS_MAX 100000000
#define NONCE_LIFETIME_MIN_S 10
#define NONCE_LIFETIME_MAX_S 3600
#define LIFETIME_MIN_S 600
#define LIFETIME_MAX_S 86400
#define CHALLENGES_PRESET 10 // of coturn

static void take_quota(struct plan *plan, const struct setting *setting, uint32_t *quota)
{
	uint64_t number;

	if (!plan_number(plan, setting, UINT32_MAX, &number))
		return;
	*quota = (uint32_t)number;
	if (number > QUOTA_MAX) {
		*quota = QUOTA_MAX;
		notes_add(&plan->notes, NOTE_DIFFERS, setting->what, "is %d, which is the most",
			QUOTA_MAX);
	}
}

void take_user_quota(struct plan *plan, const struct setting *setting)
{
	take_quota(plan, setting, &plan->user_quota);
}

void take_total_quota(struct plan *plan, const struct setting *setting)
{
	take_quota(plan, setting, &plan->total_quota);
}

// From bytes a second, rounded up.
static void take_rate(struct plan *plan, const struct setting *setting, uint32_t *kbit_s)
{
	uint64_t bytes_s;

	if (!plan_number(plan, setting, UINT64_MAX / 8 - 1000, &bytes_s))
		return;
	if ((bytes_s * 8 + 999) / 1000 > KBIT_S_MAX)
		notes_add(&plan->notes, NOTE_LOST, setting->what,
			"is above %d kbit/s, which is the most; there is no limit then",
			KBIT_S_MAX);
	else
		*kbit_s = (uint32_t)((bytes_s * 8 + 999) / 1000);
}

void take_max_bps(struct plan *plan, const struct setting *setting)
{
	take_rate(plan, setting, &plan->session_kbit_s);
}

void take_bps_capacity(struct plan *plan, const struct setting *setting)
{
	take_rate(plan, setting, &plan->all_kbit_s);
	if (plan->all_kbit_s)
		notes_add(&plan->notes, NOTE_DIFFERS, setting->what,
			"coturn grants it to sessions at their beginning and refuses more; here "
			"media above it is dropped, whosoever it is");
}

static uint32_t clamp(struct plan *plan, const struct setting *setting, uint64_t number,
	uint32_t min, uint32_t max)
{
	const uint32_t near = number < min ? min : number > max ? max : (uint32_t)number;

	if (near != number)
		notes_add(&plan->notes, NOTE_DIFFERS, setting->what, "is %u s; allowed: %u..%u",
			near, min, max);
	return near;
}

void take_stale_nonce(struct plan *plan, const struct setting *setting)
{
	uint64_t seconds = 600;

	if (*setting->value && !plan_number(plan, setting, UINT32_MAX, &seconds))
		return;
	// For coturn, 0 is without end.
	plan->nonce_lifetime_s = clamp(plan, setting, seconds ? seconds : UINT32_MAX,
		NONCE_LIFETIME_MIN_S, NONCE_LIFETIME_MAX_S);
}

void take_max_lifetime(struct plan *plan, const struct setting *setting)
{
	uint64_t seconds = 3600;

	if (*setting->value && !plan_number(plan, setting, UINT32_MAX, &seconds))
		return;
	plan->lifetime_max_s = clamp(plan, setting, seconds, LIFETIME_MIN_S, LIFETIME_MAX_S);
}

static void take_fixed(struct plan *plan, const struct setting *setting, uint64_t fixed_s)
{
	uint64_t seconds = fixed_s;

	if (*setting->value && !plan_number(plan, setting, UINT32_MAX, &seconds))
		return;
	if (seconds != fixed_s)
		notes_add(&plan->notes, NOTE_LOST, setting->what, "is %u s, as RFC 8656 has it",
			(unsigned)fixed_s);
}

void take_channel_lifetime(struct plan *plan, const struct setting *setting)
{
	take_fixed(plan, setting, 600);
}

void take_permission_lifetime(struct plan *plan, const struct setting *setting)
{
	take_fixed(plan, setting, 300);
}

void take_challenge_limit(struct plan *plan, const struct setting *setting)
{
	plan->limits_challenges = plan_is_on(plan, setting);
	if (!plan->challenges_per_source)
		plan->challenges_per_source = CHALLENGES_PRESET;
}

void take_challenge_rate(struct plan *plan, const struct setting *setting)
{
	uint64_t rate;

	if (plan_number(plan, setting, ANSWERS_MAX, &rate))
		plan->challenges_per_source = (uint32_t)rate;
}
