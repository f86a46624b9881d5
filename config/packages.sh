# The Debian 12 packages that turnpike needs, named in this place only; to be sourced.
# shellcheck shell=bash disable=SC2034
set -u

packages_build=(gcc libc6-dev meson ninja-build pkg-config libdpdk-dev libcyaml-dev libyaml-dev
	libcap-ng-dev libmnl-dev libnuma-dev libssl-dev libevent-dev libhiredis-dev libjansson-dev libunistring-dev
	libncurses-dev libpcap-dev)
# The lab, and coturn's TURN client and peer.
packages_lab=(iproute2 ethtool procps coturn)
# For config/build-deb.sh.
packages_deb=(dpkg-dev debhelper fakeroot scdoc)
packages_test=(git tcpdump man-db redis-server prometheus libfaketime valgrind clang libclang-rt-14-dev clang-format-14
	libcriterion-dev python3 python3-seccomp systemd util-linux
	iputils-ping iputils-arping iptables stun-client chromium python3-gi python3-gst-1.0 gstreamer1.0-nice
	gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
	gir1.2-gst-plugins-base-1.0 gir1.2-gst-plugins-bad-1.0)

# Install those of the named packages that are missing; says so, and needs root, only then.
packages_install()
{
	local name
	local missing=()

	for name; do
		if [[ $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) != installed ]]; then
			missing+=("$name")
		fi
	done
	if ((${#missing[@]} == 0)); then
		return 0
	fi
	if ((EUID != 0)); then
		echo "These packages are missing, and only root can install them: ${missing[*]}" >&2
		return 1
	fi
	echo "Installing ${missing[*]}"
	packages_apt update && packages_apt install "${missing[@]}" || return 1
	# Only the tools of coturn are wanted, and a Redis server and a Prometheus of a test's own.
	if [[ " ${missing[*]} " == *" coturn "* ]]; then
		systemctl disable --now coturn.service >/dev/null 2>&1 || true
	fi
	if [[ " ${missing[*]} " == *" redis-server "* ]]; then
		systemctl disable --now redis-server.service >/dev/null 2>&1 || true
	fi
	if [[ " ${missing[*]} " == *" prometheus "* ]]; then
		systemctl disable --now prometheus.service >/dev/null 2>&1 || true
	fi
}

# apt-get without questions; its words are shown only where it fails.
packages_apt()
{
	local words

	if ! words=$(DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -q -y --no-install-recommends \
		-o DPkg::Lock::Timeout=300 "$@" 2>&1 </dev/null); then
		printf '%s\n' "$words" >&2
		return 1
	fi
}
