// Another configuration, mostly near the one that the scenario began with.
#include "draw.h"
#include "users.h"

struct ip_range draw_range(struct draw *draw)
{
	static const struct ip_range ranges[] = {{{0}, {0}},
		{{FAMILY_IPV4, {11, 0, 0, 1}}, {FAMILY_IPV4, {11, 0, 0, 2}}},
		{{FAMILY_IPV4, {11}}, {FAMILY_IPV4, {11, 0, 0, 255}}},
		{{FAMILY_IPV4, {198, 18}}, {FAMILY_IPV4, {198, 19, 255, 255}}},
		{{FAMILY_IPV4, {192, 0, 2, 15}}, {FAMILY_IPV4, {192, 0, 2, 16}}},
		{{FAMILY_IPV6, {0x26}}, {FAMILY_IPV6, {0x26, [15] = 1}}}};

	return ranges[draw_below(draw, N_ELEMENTS(ranges))];
}

static bool draw_bool(struct draw *draw, bool usual)
{
	return draw_chance(draw, 25) ? !usual : usual;
}

static void change_realm(
	struct draw *draw, struct model_realm *realm, const struct model_realm *usual)
{
	realm->offers_sha256 = draw_bool(draw, usual->offers_sha256);
	realm->has_secrets = draw_bool(draw, usual->has_secrets) && !realm->asks_userhash;
	realm->left_source |= draw_chance(draw, 5);
	realm->allow_private = draw_bool(draw, usual->allow_private);
	realm->gone_users = draw_below(draw, 1u << USERS_CONFIGURED);
	if (draw_chance(draw, 50))
		realm->gone_users = 0;
	if (draw_chance(draw, 50))
		realm->allow[0] = draw_range(draw);
	if (draw_chance(draw, 50))
		realm->deny[0] = draw_range(draw);
	realm->dry_run = draw_chance(draw, 50) ? draw_range(draw) : usual->dry_run;
	if (draw_chance(draw, 30))
		realm->n_allocations_max = draw_below(draw, 20);
	if (draw_chance(draw, 30))
		realm->n_allocations_per_user = draw_below(draw, 6);
}

struct model_rules draw_rules(struct draw *draw)
{
	const struct model_rules *usual = &draw->scenario->rules;
	struct model_rules rules = draw->model->rules;

	rules.n_allocations_max = usual->n_allocations_max - draw_below(draw, 10);
	rules.n_permissions_max = draw_chance(draw, 50) ? usual->n_permissions_max : 4;
	rules.n_channels_max = draw_chance(draw, 50) ? usual->n_channels_max : 4;
	rules.lifetime_s = usual->lifetime_s - draw_below(draw, 30);
	rules.lifetime_max_s = usual->lifetime_max_s - draw_below(draw, 30);
	rules.nonce_lifetime_s = usual->nonce_lifetime_s - draw_below(draw, 30);
	rules.rfc5766_channels = draw_bool(draw, usual->rfc5766_channels);
	rules.allows_mobility = draw_bool(draw, usual->allows_mobility);
	rules.takes_tokens = draw_bool(draw, usual->takes_tokens);
	if (draw_chance(draw, 50))
		rules.closed_relays = draw_below(draw, (1u << rules.n_relays) - 1);
	for (size_t i = 0; i < REALMS_MAX; i++)
		change_realm(draw, &rules.realms[i], &usual->realms[i]);
	return rules;
}
