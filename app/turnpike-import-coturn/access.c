// Who may use the relay: users, secrets, realm, and where more of them are.
#include "must.h"
#include "plan.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <unistr.h>

#define NAME_BYTES_MAX 508
#define SECRET_BYTES_MAX 256
#define KEY_DIGITS 32
#define KEY_MARK "0x"

// Only what the configuration can hold: UTF-8 without control characters.
static bool is_text(const char *text, size_t n_max)
{
	const size_t n = strlen(text);

	if (n == 0 || n > n_max || u8_check((const uint8_t *)text, n))
		return false;
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	}
	return true;
}

void take_lt_cred_mech(struct plan *plan, const struct setting *setting)
{
	plan->asks_credentials = plan_is_on(plan, setting);
}

void take_no_auth(struct plan *plan, const struct setting *setting)
{
	plan->no_auth = plan_is_on(plan, setting);
	if (plan->no_auth)
		notes_add(&plan->notes, NOTE_LOST, setting->what,
			"nobody is served without credentials");
}

// turnserver does not read the value.
void take_use_auth_secret(struct plan *plan, const struct setting *setting)
{
	(void)setting;
	plan->uses_secrets = true;
}

void take_static_auth_secret(struct plan *plan, const struct setting *setting)
{
	plan->uses_secrets = true;
	if (!is_text(setting->value, SECRET_BYTES_MAX))
		notes_add(&plan->notes, NOTE_LOST, setting->what, "is no text of 1..%d bytes",
			SECRET_BYTES_MAX);
	else if (plan->n_secrets == SECRETS_MAX)
		notes_add(&plan->notes, NOTE_LOST, setting->what, "is more than %d secrets",
			SECRETS_MAX);
	else
		plan->secrets[plan->n_secrets++] = setting->value;
}

static struct plan_user *find_user(struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->n_users; i++) {
		if (strcmp(plan->users[i].name, name) == 0)
			return &plan->users[i];
	}
	return NULL;
}

static bool is_key(const char *secret)
{
	return strncmp(secret, KEY_MARK, strlen(KEY_MARK)) == 0;
}

// NAME:PASSWORD or NAME:0xKEY; a name has no colon.
static const char *refuse_user(const char *name, const char *secret)
{
	if (!secret)
		return "is not NAME:PASSWORD";
	if (!is_text(name, NAME_BYTES_MAX))
		return "the name is no text of 1..508 bytes";
	if (!is_key(secret))
		return is_text(secret, SECRET_BYTES_MAX)
			? NULL
			: "the password is no text of 1..256 bytes";
	secret += strlen(KEY_MARK);
	if (strlen(secret) != KEY_DIGITS || strspn(secret, "0123456789abcdefABCDEF") != KEY_DIGITS)
		return "the key is not 32 hex digits, the MD5 of name, realm and password";
	return NULL;
}

void take_user(struct plan *plan, const struct setting *setting)
{
	char *name = must(strdup(setting->value));
	char *colon = strchr(name, ':');
	const char *secret = NULL;
	const char *why;
	struct plan_user *user;

	if (colon) {
		*colon = '\0';
		secret = setting->value + (colon + 1 - name);
	}
	why = refuse_user(name, secret);
	user = find_user(plan, name);
	if (!why && !user && plan->n_users == USERS_MAX)
		why = "is more than 4096 users; Redis takes any number";
	if (why) {
		notes_add(&plan->notes, NOTE_LOST, setting->what, "%s", why);
		free(name);
		return;
	}
	if (user) {
		free(name);
	} else {
		plan->users =
			must(reallocarray(plan->users, plan->n_users + 1, sizeof(*plan->users)));
		user = &plan->users[plan->n_users++];
		user->name = name;
	}
	user->is_key = is_key(secret);
	user->secret = user->is_key ? secret + strlen(KEY_MARK) : secret;
}

void take_realm(struct plan *plan, const struct setting *setting)
{
	if (is_text(setting->value, 127))
		plan->realm = (struct said){setting->value, setting->what};
	else
		notes_add(&plan->notes, NOTE_LOST, setting->what, "is no text of 1..127 bytes");
}

// turnserver has one database, the last.
void take_database(struct plan *plan, const struct setting *setting)
{
	plan->database = (struct said){setting->value, setting->what};
	plan->redis = (struct said){0};
}

void take_redis(struct plan *plan, const struct setting *setting)
{
	plan->redis = (struct said){setting->value, setting->what};
	plan->database = (struct said){0};
}

void take_no_dynamic_lists(struct plan *plan, const struct setting *setting)
{
	plan->no_dynamic_lists = (struct said){"", setting->what};
}

void take_separator(struct plan *plan, const struct setting *setting)
{
	if (*setting->value && *setting->value != ':')
		notes_add(&plan->notes, NOTE_LOST, setting->what,
			"in the names of REST users a colon follows the time");
}

static void take_range(
	struct plan *plan, const struct setting *setting, struct ip_range *list, size_t *n)
{
	struct ip_range range;

	if (range_parse(&range, setting->value) < 0)
		notes_add(&plan->notes, NOTE_LOST, setting->what,
			"%s is no address, network or range FIRST-LAST", setting->value);
	else if (*n == RANGES_MAX)
		notes_add(&plan->notes, NOTE_LOST, setting->what, "is more than %d of this list",
			RANGES_MAX);
	else
		list[(*n)++] = range;
}

void take_allowed_peer(struct plan *plan, const struct setting *setting)
{
	take_range(plan, setting, plan->allow, &plan->n_allow);
}

void take_denied_peer(struct plan *plan, const struct setting *setting)
{
	take_range(plan, setting, plan->deny, &plan->n_deny);
}

// coturn's default is the domain of the host.
static void complete_realm(struct plan *plan)
{
	char host[256] = "";
	const char *dot;

	if (plan->realm.text) {
		strncat(plan->realm_text, plan->realm.text, sizeof(plan->realm_text) - 1);
		return;
	}
	gethostname(host, sizeof(host) - 1);
	dot = strchr(host, '.');
	strncat(plan->realm_text, dot && is_text(dot + 1, 127) ? dot + 1 : "turnpike.example",
		sizeof(plan->realm_text) - 1);
	notes_add(&plan->notes, NOTE_CHECK, "realm (not set)",
		"is %s; keys of users are made with the realm", plan->realm_text);
}

// Users in a database, who can be brought to Redis or into the file. Where nothing speaks of users,
// turnserver lets everybody in.
static void note_database(struct plan *plan)
{
	const bool wants_users = plan->asks_credentials || plan->uses_secrets;
	const bool has_own = plan->n_users || plan->n_secrets;
	const char *what = plan->database.what ? plan->database.what : "userdb (not set)";

	if (plan->redis.text || (!plan->database.text && has_own))
		return;
	if (!wants_users && !plan->database.text) {
		notes_add(&plan->notes, NOTE_LOST, "no-auth (by default)",
			"nobody is served without credentials");
		return;
	}
	notes_add(&plan->notes, NOTE_LOST, what,
		"users, secrets and realms of this database are not read: bring their keys into "
		"users or, under the keys that coturn uses, into Redis");
}

// Where nobody could log in, there is a user whom nobody knows.
static void complete_users(struct plan *plan)
{
	uint8_t bytes[(sizeof(plan->password) - 1) / 2];

	if (plan->n_users || plan->n_secrets || plan->redis.text)
		return;
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) {
		perror("turnpike-import-coturn: getrandom");
		exit(EXIT_RESOURCE);
	}
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(plan->password + 2 * i, 3, "%02x", bytes[i]);
	notes_add(&plan->notes, NOTE_CHECK, "user (not set)",
		"nobody could log in, so there is a user `imported` with a random password");
}

// coturn lets clients reach private networks, unless its lists say otherwise.
static void note_private(struct plan *plan)
{
	static const struct prefix private[] = {{{FAMILY_IPV4, {10}}, 8},
		{{FAMILY_IPV4, {172, 16}}, 12}, {{FAMILY_IPV4, {192, 168}}, 16}};
	size_t n_denied = 0;

	for (size_t i = 0; i < N_ELEMENTS(private); i++) {
		const struct ip_range range = range_of_prefix(&private[i]);
		bool is_denied = false;

		for (size_t k = 0; k < plan->n_deny; k++)
			is_denied = is_denied ||
				(range_contains(&plan->deny[k], &range.first) &&
					range_contains(&plan->deny[k], &range.last));
		n_denied += is_denied;
	}
	if (n_denied < N_ELEMENTS(private))
		notes_add(&plan->notes, NOTE_DIFFERS, "denied-peer-ip",
			"private and special networks are refused as peers here; name in "
			"peers.allow what clients must reach");
}

void plan_complete_access(struct plan *plan)
{
	note_private(plan);
	complete_realm(plan);
	if (!plan->no_auth)
		note_database(plan);
	if (plan->uses_secrets && plan->n_users) {
		notes_add(&plan->notes, NOTE_CHECK, "user",
			"coturn does not let users in beside REST secrets, so they are left out");
		for (size_t i = 0; i < plan->n_users; i++)
			free(plan->users[i].name);
		plan->n_users = 0;
	}
	if (plan->redis.text)
		plan_complete_redis(plan);
	complete_users(plan);
}
