#include "privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static int find_ids(struct privileges *out, const char *user, const char *group,
	char error[static PRIVILEGES_ERROR_BYTES])
{
	const struct passwd *account = getpwnam(user);
	const struct group *other = group ? getgrnam(group) : NULL;

	if (!account || account->pw_uid == 0) {
		snprintf(error, PRIVILEGES_ERROR_BYTES, "user: %s %s", user,
			account ? "is root" : "is no account of this system");
		return -EINVAL;
	}
	if (group && !other) {
		snprintf(error, PRIVILEGES_ERROR_BYTES, "group: %s is no group of this system",
			group);
		return -EINVAL;
	}
	out->uid = account->pw_uid;
	out->gid = other ? other->gr_gid : account->pw_gid;
	return 0;
}

int privileges_find(struct privileges *out, const char *user, const char *group,
	char error[static PRIVILEGES_ERROR_BYTES])
{
	int rc;

	*out = (struct privileges){.drops = user};
	if (!user)
		return 0;
	rc = find_ids(out, user, group, error);
	if (rc)
		return rc;
	if (getuid() == out->uid && getgid() == out->gid) {
		out->drops = false; // somebody else has done it
		return 0;
	}
	if (capng_get_caps_process() || !capng_have_capability(CAPNG_EFFECTIVE, CAP_SETUID) ||
		!capng_have_capability(CAPNG_EFFECTIVE, CAP_SETGID) ||
		!capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP)) {
		snprintf(error, PRIVILEGES_ERROR_BYTES,
			"user: to become %s, start as root or as %s", user, user);
		return -EPERM;
	}
	return 0;
}

int privileges_seal(char error[static PRIVILEGES_ERROR_BYTES])
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		return 0;
	snprintf(error, PRIVILEGES_ERROR_BYTES, "no_new_privs: %s", strerror(errno));
	return -errno;
}

int privileges_drop(const struct privileges *privileges)
{
	if (!privileges->drops)
		return 0;
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN) ||
		capng_change_id((int)privileges->uid, (int)privileges->gid,
			CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING | CAPNG_CLEAR_AMBIENT))
		return -EPERM;
	return 0;
}
