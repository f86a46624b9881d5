#include "wire.h"

#include "sysctl.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

static int change_flags(
	struct opening *opening, const struct interface *interface, uint32_t mask, uint32_t flags)
{
	const struct undo undo = {
		.kind = UNDO_FLAGS,
		.ifindex = interface->ifindex,
		.mask = mask,
		.value = interface->flags,
	};
	int rc;

	journal_add(opening->journal, &undo);
	rc = interface_set_flags(interface->ifindex, mask, flags);
	if (rc == -EPERM)
		return opening_fail(opening, rc, "no permission on %s: CAP_NET_ADMIN is missing",
			opening->config->target);
	if (rc)
		return opening_fail(opening, rc, "cannot bring %s up: %s", opening->config->target,
			strerror(-rc));
	return 0;
}

static int change_mtu(struct opening *opening, const struct interface *interface)
{
	const uint32_t mtu_bytes = opening->config->mtu_bytes;
	const struct undo undo = {
		.kind = UNDO_MTU, .ifindex = interface->ifindex, .value = interface->mtu_bytes};
	int rc;

	if (interface->mtu_bytes == mtu_bytes)
		return 0;
	journal_add(opening->journal, &undo);
	rc = interface_set_mtu(interface->ifindex, mtu_bytes);
	if (rc)
		return opening_fail(opening, rc == -EPERM ? rc : -ENOTSUP,
			"interface %s does not take MTU %u: %s", opening->config->target, mtu_bytes,
			strerror(-rc));
	return 0;
}

int wire_claim(struct opening *opening, struct interface *out)
{
	const char *name = opening->config->target;
	int rc = interface_read(out, name, 0);

	if (rc == -ENODEV)
		return opening_fail(opening, rc, "no interface %s in this network namespace", name);
	if (rc)
		return opening_fail(opening, rc, "cannot read %s: %s", name, strerror(-rc));
	if (out->flags & IFF_LOOPBACK)
		return opening_fail(opening, -ENOTSUP, "%s is the loopback, not a wire", name);
	if (interface_has_address(out->ifindex))
		return opening_fail(opening, -EBUSY,
			"interface %s has addresses of its own: they belong to the mirror "
			"(ip address flush dev %s)",
			name, name);
	snprintf(opening->port->interface, sizeof(opening->port->interface), "%s", name);
	opening->port->ifindex = out->ifindex;
	// The driver sets IFF_PROMISC later and never takes it back.
	rc = change_flags(opening, out, IFF_UP | IFF_PROMISC, IFF_UP | IFF_PROMISC);
	return rc ? rc : change_mtu(opening, out);
}

static int change_sysctl(struct opening *opening, const char *format, const char *text)
{
	struct undo undo = {.kind = UNDO_SYSCTL};
	int rc;

	snprintf(undo.path, sizeof(undo.path), format, opening->config->target);
	rc = sysctl_read(undo.path, undo.text, sizeof(undo.text));
	if (rc == -ENOENT) // a kernel without IPv6
		return 0;
	if (!rc && strcmp(undo.text, text) == 0)
		return 0;
	if (!rc) {
		journal_add(opening->journal, &undo);
		rc = sysctl_write(undo.path, text);
	}
	if (rc)
		return opening_fail(opening, -EPERM,
			"cannot write %s (%s): make /proc/sys writable, or set it to %s before",
			undo.path, strerror(-rc), text);
	return 0;
}

int wire_mute(struct opening *opening)
{
	return change_sysctl(opening, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", "1");
}

int wire_deafen(struct opening *opening, const struct interface *interface)
{
	char all[UNDO_TEXT_BYTES];
	int rc;

	// The kernel takes the greater of this and the interface's own, and 2 is loose.
	rc = sysctl_read("/proc/sys/net/ipv4/conf/all/rp_filter", all, sizeof(all));
	if (!rc && strcmp(all, "2") == 0)
		return opening_fail(opening, -ENOTSUP,
			"net.ipv4.conf.all.rp_filter is 2, so %s cannot be made strict: set it to "
			"0 "
			"or 1",
			opening->config->target);
	rc = change_flags(opening, interface, IFF_NOARP, IFF_NOARP);
	if (!rc)
		rc = change_sysctl(opening, "/proc/sys/net/ipv4/conf/%s/rp_filter", "1");
	return rc ? rc : wire_mute(opening);
}
