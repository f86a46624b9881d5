// What a browser needs to try the relay: where each realm listens, and a name to log in with.
#include "base/base.h"
#include "credential.h"
#include "state.h"

#include <stdio.h>

#define USER "check"
#define URI_BYTES (ADDR_TEXT_BYTES + 32)

static void add_uris(json_t *realm, const struct endpoint *listen, size_t n)
{
	json_t *stun = json_array();
	json_t *turn = json_array();

	for (size_t i = 0; i < n; i++) {
		char address[ADDR_TEXT_BYTES];
		char uri[URI_BYTES];

		endpoint_format(&listen[i], address);
		snprintf(uri, sizeof(uri), "stun:%s", address);
		json_array_append_new(stun, json_string(uri));
		snprintf(uri, sizeof(uri), "turn:%s?transport=udp", address);
		json_array_append_new(turn, json_string(uri));
	}
	json_object_set_new(realm, "stun", stun);
	json_object_set_new(realm, "turn", turn);
}

static void add_credential(json_t *out, const struct conf_realm *realm, int64_t wall_s)
{
	const bool sha256 = realm->n_rest_secrets == 0;
	const char *secret = NULL;
	struct credential credential;

	if (realm->n_rest_secrets)
		secret = realm->rest_secrets[0];
	else if (realm->n_rest_secrets_sha256)
		secret = realm->rest_secrets_sha256[0];
	if (!secret ||
		credential_make(&credential, secret, sha256, USER, wall_s + CHECK_LIFETIME_S))
		return;
	json_object_set_new(out, "username", json_string(credential.name));
	json_object_set_new(out, "credential", json_string(credential.password));
}

// `listen` of the whole has those of all realms, the first realm's first.
static size_t n_first(const struct conf *conf)
{
	size_t n = conf->n_listen;

	for (size_t i = 1; i < conf->n_realms; i++)
		n -= conf->realms[i].n_listen;
	return n;
}

json_t *check_json(const struct conf *conf, bool hands_out, int64_t wall_s)
{
	json_t *check = json_object();
	json_t *realms = json_array();

	json_object_set_new(check, "realms", realms);
	for (size_t i = 0; i < conf->n_realms; i++) {
		const struct conf_realm *realm = &conf->realms[i];
		json_t *out = json_object();

		json_array_append_new(realms, out);
		json_object_set_new(out, "name", json_string(realm->name));
		add_uris(
			out, i ? realm->listen : conf->listen, i ? realm->n_listen : n_first(conf));
		if (hands_out)
			add_credential(out, realm, wall_s);
	}
	return check;
}
