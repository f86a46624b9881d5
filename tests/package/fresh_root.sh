#!/usr/bin/env bash
# Install the packages in a Debian that has nothing, start the relay there and purge it; by hand, as
# root: it fetches a base system and all that the packages depend on from this machine's mirror.
#
#   tests/package/fresh_root.sh [DIRECTORY-OF-PACKAGES]
#
# What it makes is in a mount and a network namespace of its own and gone with them.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=config/packages.sh
source config/packages.sh
readonly suite=bookworm

say()
{
	printf '%4d s  %s\n' "$SECONDS" "$*"
}

fail()
{
	printf 'fresh_root: %s\n' "$*" >&2
	exit 1
}

in_root()
{
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
		chroot "$root" "$@"
}

# Everything but what apt and dpkg keep for themselves.
list_root()
{
	(cd "$root" && find . -xdev \( -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache -o \
		-path ./var/log -o -path ./proc -o -path ./dev -o -path ./sys -o -path ./tmp \) -prune -o -print |
		sort)
	cat "$root"/etc/passwd "$root"/etc/group
}

make_root()
{
	debootstrap --variant=minbase "$suite" "$root" >"$top/log" 2>&1 || fail "$(tail -n 5 "$top/log")"
	cp /etc/apt/sources.list.d/debian.sources "$root/etc/apt/sources.list.d/" 2>/dev/null &&
		rm "$root/etc/apt/sources.list"
	cp /etc/apt/apt.conf.d/*proxy* "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
	cp /etc/resolv.conf "$root/etc/"
	mount -t proc proc "$root/proc"
	mount --rbind /dev "$root/dev"
	in_root apt-get -q update >"$top/log" 2>&1 || fail "$(tail -n 5 "$top/log")"
}

run_relay()
{
	local pid

	ip netns add "$netns"
	ip -n "$netns" link add wire0 type veth peer name wire1
	ip -n "$netns" link set wire0 up
	ip -n "$netns" link set wire1 up
	nsenter --net="/run/netns/$netns" mount -t sysfs sysfs "$root/sys"
	nsenter --net="/run/netns/$netns" chroot "$root" turnpike >"$top/relay" 2>&1 &
	pid=$!
	for _ in {1..150}; do
		grep -q ' ready ' "$top/relay" && break
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	grep -q ' ready ' "$top/relay" || fail "not ready: $(head -n 5 "$top/relay")"
	kill "$pid"
	wait "$pid" || fail "the relay ended with $?: $(tail -n 3 "$top/relay")"
}

if [[ ${FRESH_ROOT_INSIDE-} != yes ]]; then
	((EUID == 0)) || fail "needs root"
	packages_install debootstrap iproute2
	exec env FRESH_ROOT_INSIDE=yes unshare --mount --propagation private "$0" "$@"
fi
packages=$(realpath "${1-build/deb}")
ls "$packages"/turnpike_*.deb >/dev/null || fail "no packages in $packages: see config/build-deb.sh"
top=$(mktemp -d)
mount -t tmpfs fresh_root "$top"
root=$top/root netns=tp$$-fresh
trap 'ip netns del "$netns" 2>/dev/null; umount -R "$top"; rmdir "$top"' EXIT
trap 'exit 130' INT TERM HUP

say "a base system of $suite"
make_root
list_root >"$top/before"
say "apt-get install, without what is only recommended"
mkdir "$root/tmp/deb"
cp "$packages"/turnpike*.deb "$root/tmp/deb/"
rm -f "$root"/tmp/deb/*dbgsym*
in_root sh -c 'apt-get -q -y --no-install-recommends install /tmp/deb/*.deb' >"$top/log" 2>&1 ||
	fail "$(tail -n 20 "$top/log")"
say "$(in_root turnpike --version), $(in_root turnpike-load --version), $(
	in_root turnpike-import-coturn --version)"
in_root turnpike --check-config 2>"$top/log" && fail "it would start without users"
say "refused as installed: $(<"$top/log")"
printf '  rest-secrets: ["%s"]\n' "$RANDOM$RANDOM" |
	in_root sed -i '/^  realm: /r /dev/stdin' /etc/turnpike/turnpike.yaml
say "$(in_root turnpike --check-config)"
say "$(in_root stat -c '%n is %a %U:%G' /etc/turnpike/turnpike.yaml)"
say "starts, gets ready and ends"
run_relay
say "apt-get purge"
in_root apt-get -q -y purge --auto-remove 'turnpike*' >"$top/log" 2>&1 || fail "$(tail -n 20 "$top/log")"
list_root >"$top/after"
# The loader's cache and other packages' own state are not ours.
if diff "$top/before" "$top/after" | grep -i turnpike; then
	fail "left behind"
fi
diff "$top/before" "$top/after" || say "the above was left behind by other packages"
say "nothing of turnpike is left"
