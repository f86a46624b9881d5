// credential, key: what users and services are given, made of the configuration or a password.
#include "ctl.h"
#include "view.h"

#include "conf/conf.h"
#include "turn/turn.h"

#include <getopt.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define LIFETIME_S 86400
#define LIFETIME_S_MAX 31536000
#define USER_BYTES (TURN_USERNAME_BYTES_MAX + 1)
#define HASH_TEXT_BYTES (4 * ((EVP_MAX_MD_SIZE + 2) / 3) + 1)

struct wish {
	const char *realm; // NULL: the first
	const char *user; // NULL: nothing stands behind the expiry
	long lifetime_s;
};

enum { OPTION_REALM = 256, OPTION_USER, OPTION_LIFETIME };

static int take_options(struct wish *wish, int argc, char **argv)
{
	static const struct option options[] = {
		{"realm", required_argument, NULL, OPTION_REALM},
		{"user", required_argument, NULL, OPTION_USER},
		{"lifetime", required_argument, NULL, OPTION_LIFETIME},
		{0},
	};
	int option;

	*wish = (struct wish){.lifetime_s = LIFETIME_S};
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case OPTION_REALM:
			wish->realm = optarg;
			break;
		case OPTION_USER:
			wish->user = optarg;
			break;
		case OPTION_LIFETIME:
			if (!ctl_take_number(&wish->lifetime_s, optarg, LIFETIME_S_MAX))
				return ctl_usage("credential", "--lifetime %s; allowed: 1..%d",
					optarg, LIFETIME_S_MAX);
			break;
		default:
			return ctl_bad_option("credential");
		}
	}
	if (optind != argc)
		return ctl_usage("credential", "%s: one word too many", argv[optind]);
	return EXIT_OK;
}

static const struct conf_realm *find_realm(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_realms; i++)
		if (!name || strcmp(conf->realms[i].name, name) == 0)
			return &conf->realms[i];
	return NULL;
}

// What clients reach a listener as: behind a 1:1 NAT by its external address.
static struct endpoint outside(const struct conf *conf, const struct endpoint *listen)
{
	struct endpoint seen = *listen;

	for (size_t i = 0; i < conf->n_relay; i++)
		if (ip_equal(&conf->relay[i].ip, &listen->ip) &&
			conf->relay[i].external.family != FAMILY_NONE)
			seen.ip = conf->relay[i].external;
	return seen;
}

static json_t *uris(const struct conf *conf, const struct conf_realm *realm)
{
	const bool is_first = realm == conf->realms;
	const struct endpoint *listen = is_first ? conf->listen : realm->listen;
	const size_t n = is_first ? conf->n_listen : realm->n_listen;
	json_t *all = json_array();
	char text[ADDR_TEXT_BYTES];

	for (size_t i = 0; i < n; i++) {
		const struct endpoint seen = outside(conf, &listen[i]);

		json_array_append_new(
			all, json_sprintf("turn:%s?transport=udp", endpoint_format(&seen, text)));
	}
	return all;
}

// password = base64(HMAC(secret, user name)), draft-uberti-behave-turn-rest. The newest secret is
// the last.
static bool make_password(
	const struct conf_realm *realm, const char *user, char out[static HASH_TEXT_BYTES])
{
	const bool sha256 = realm->n_rest_secrets == 0;
	const char *secret = sha256 ? realm->rest_secrets_sha256[realm->n_rest_secrets_sha256 - 1]
				    : realm->rest_secrets[realm->n_rest_secrets - 1];
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned n_hash;

	if (!HMAC(sha256 ? EVP_sha256() : EVP_sha1(), secret, (int)strlen(secret),
		    (const uint8_t *)user, strlen(user), hash, &n_hash))
		return false;
	EVP_EncodeBlock((uint8_t *)out, hash, (int)n_hash);
	return true;
}

static int print_credential(const struct ctl *ctl, const struct conf *conf, const struct wish *wish)
{
	const struct conf_realm *realm = find_realm(conf, wish->realm);
	char password[HASH_TEXT_BYTES];
	char user[USER_BYTES];
	json_t *object;

	if (!realm) {
		fprintf(stderr, "turnpikectl: %s: no realm of %s\n", wish->realm, ctl->config_path);
		return EXIT_CONFIG;
	}
	if (realm->n_rest_secrets + realm->n_rest_secrets_sha256 == 0) {
		fprintf(stderr,
			"turnpikectl: realm %s has no rest-secrets in %s to make users by\n",
			realm->name, ctl->config_path);
		return EXIT_CONFIG;
	}
	if (snprintf(user, sizeof(user), "%" PRId64 "%s%s", (int64_t)time(NULL) + wish->lifetime_s,
		    wish->user ? ":" : "", wish->user ? wish->user : "") >= (int)sizeof(user))
		return ctl_usage("credential", "--user is longer than a user name may be");
	if (!make_password(realm, user, password))
		return EXIT_FAULT;
	object = json_pack("{s:s,s:s,s:I,s:o}", "username", user, "password", password, "ttl",
		(json_int_t)wish->lifetime_s, "uris", uris(conf, realm));
	if (!object) {
		fputs("turnpikectl: --user is not UTF-8\n", stderr);
		return EXIT_USAGE;
	}
	if (ctl->json)
		view_json(object);
	else
		view_object(object);
	json_decref(object);
	return EXIT_OK;
}

int verb_credential(struct ctl *ctl, int argc, char **argv)
{
	char error[CONF_ERROR_BYTES];
	struct conf *conf;
	struct wish wish;
	int status = take_options(&wish, argc, argv);

	if (status != EXIT_OK)
		return status;
	if (conf_load(&conf, ctl->config_path, error)) {
		fprintf(stderr, "turnpikectl: %s\n", error);
		return EXIT_CONFIG;
	}
	status = print_credential(ctl, conf, &wish);
	conf_destroy(conf);
	return status;
}

// A line of standard input, which is not shown while it is typed. The caller frees it.
static char *read_password(void)
{
	struct termios before;
	const bool is_typed = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
	char *line = NULL;
	size_t n_room = 0;
	ssize_t n;

	if (is_typed) {
		struct termios quiet = before;

		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
		fputs("password: ", stderr);
	}
	n = getline(&line, &n_room, stdin);
	if (is_typed) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fputc('\n', stderr);
	}
	if (n > 0 && line[n - 1] == '\n')
		line[--n] = 0;
	if (n > 0 && strlen(line) == (size_t)n)
		return line;
	free(line);
	return NULL;
}

static json_t *hex(const uint8_t *bytes, size_t n)
{
	char text[2 * STUN_SHA256_BYTES + 1];

	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return json_string(text);
}

static int print_keys(const struct ctl *ctl, char *const texts[3])
{
	struct turn_keys keys;
	struct stun_mac *mac;
	json_t *object;

	if (stun_mac_create(&mac)) {
		fputs("turnpikectl: OpenSSL gives no MD5 or SHA-256\n", stderr);
		return EXIT_RESOURCE;
	}
	turn_keys_make(
		&keys, mac, texts[0], strlen(texts[0]), texts[1], texts[2], strlen(texts[2]));
	stun_mac_destroy(mac);
	object =
		json_pack("{s:s,s:o,s:o}", "name", texts[0], "key", hex(keys.md5, sizeof(keys.md5)),
			"key-sha256", hex(keys.sha256, sizeof(keys.sha256)));
	if (ctl->json)
		view_json(object);
	else
		view_object(object);
	json_decref(object);
	return EXIT_OK;
}

int verb_key(struct ctl *ctl, int argc, char **argv)
{
	static const char *const names[3] = {"the user's name", "the realm", "the password"};
	char *texts[3] = {0};
	int status = EXIT_OK;

	if (argc != 3)
		return ctl_usage("key", "a user's name and a realm are needed");
	texts[0] = strdup(argv[1]);
	texts[1] = strdup(argv[2]);
	texts[2] = read_password();
	for (int i = 0; i < 3 && status == EXIT_OK; i++) {
		if (texts[i] && texts[i][0] && opaque_string(&texts[i]) == 0)
			continue;
		fprintf(stderr, "turnpikectl: %s is empty, or no text in UTF-8\n", names[i]);
		status = EXIT_USAGE;
	}
	if (status == EXIT_OK)
		status = print_keys(ctl, texts);
	for (int i = 0; i < 3; i++) {
		if (texts[i])
			explicit_bzero(texts[i], strlen(texts[i]));
		free(texts[i]);
	}
	return status;
}
