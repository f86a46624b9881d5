// `peers`: whom clients may reach.
#include "text.h"
#include "values.h"

#include <errno.h>

static int take_ranges(struct ip_range **out, size_t *n_out, char **texts, size_t n,
	struct source *source, const struct place *list)
{
	*out = values_make_array(n, sizeof(**out));
	if (*out == NULL)
		return -ENOMEM;
	for (; *n_out < n; (*n_out)++) {
		const struct place place = {list->in, list->key, *n_out + 1};

		if (text_take_range(&(*out)[*n_out], source, &place, texts[*n_out]) < 0)
			return -EINVAL;
	}
	return 0;
}

static bool is_translators(const struct prefix *prefix)
{
	return prefix->ip.family == FAMILY_IPV6 &&
		(prefix->n_bits == 96 ||
			(prefix->n_bits >= 32 && prefix->n_bits <= 64 && prefix->n_bits % 8 == 0));
}

static int take_nat64(struct conf_peers *peers, const struct raw_peers *raw, struct source *source,
	const struct place *in)
{
	peers->nat64 = values_make_array(raw->n_nat64_prefixes, sizeof(*peers->nat64));
	if (peers->nat64 == NULL)
		return -ENOMEM;
	peers->n_nat64 = raw->n_nat64_prefixes;
	for (size_t i = 0; i < peers->n_nat64; i++) {
		const struct place place = {in, "nat64-prefixes", i + 1};
		const char *text = raw->nat64_prefixes[i];

		if (text_take_network(&peers->nat64[i], source, &place, text) < 0)
			return -EINVAL;
		if (!is_translators(&peers->nat64[i]))
			return source_fail(source, &place, text,
				"is no translator's prefix; allowed: IPv6 of 32, 40, 48, 56, 64 "
				"or 96 bits");
	}
	return 0;
}

int values_take_peers(struct conf_peers *peers, const struct raw_peers *raw, struct source *source,
	const struct place *in)
{
	const struct place allow = {in, "allow", 0};
	const struct place deny = {in, "deny", 0};
	const struct place dry_run = {in, "dry-run", 0};
	int rc;

	peers->profile = raw->profile;
	rc = take_ranges(&peers->allow, &peers->n_allow, raw->allow, raw->n_allow, source, &allow);
	rc = rc ? rc
		: take_ranges(&peers->deny, &peers->n_deny, raw->deny, raw->n_deny, source, &deny);
	rc = rc ? rc
		: take_ranges(&peers->dry_run, &peers->n_dry_run, raw->dry_run, raw->n_dry_run,
			  source, &dry_run);
	return rc ? rc : take_nat64(peers, raw, source, in);
}
