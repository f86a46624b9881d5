#!/usr/bin/env bash
# Build what a bench needs, run it, and print its table.
#
#   bench/run.sh path [--json FILE] [--rounds N] [--against BUILD/bench]
#       cycles a packet through worker_poll(), beside rte_hash, testpmd's 5tswap and another build
#   bench/run.sh wire [--json FILE] [--rounds N] [--seconds N]
#       packets a second through one worker over a vhost wire, beside testpmd's 5tswap
#   bench/run.sh veth [--json FILE] [--rounds N] [--seconds N]
#       packets a second through one worker on af_packet and af_xdp, beside testpmd's io
#   bench/run.sh control [--json FILE] [--rounds N]
#       time and memory of the control core for an allocation and a Refresh, at up to 1 M clients,
#       and the latency of media while it works at its limit
#   bench/run.sh versus [--json FILE] [--html FILE] [--rounds N] [--quick] [--lock FILE]
#       turnpike, coturn and an ideal relay on sockets under the same load, by turns
#   bench/run.sh instructions
#       instructions a packet and a client's life under callgrind, held against bench/baseline
#
# The build is build/ (release). Needs root to install a missing package and to reserve 2 MiB pages;
# what it reserves it gives back.
set -u

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
# shellcheck source=config/packages.sh
source config/packages.sh
export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1

readonly pages=/sys/kernel/mm/hugepages/hugepages-2048kB
n_reserved=0

read_pages()
{
	cat "$pages/$1" 2>/dev/null || echo 0
}

# Others may reserve pages meanwhile, so what is given back is a number, not a state. A program that
# was killed may hold some for a moment more.
give_back()
{
	local tries wanted

	((n_reserved > 0)) || return
	wanted=$(($(read_pages nr_hugepages) - n_reserved))
	n_reserved=0
	for ((tries = 0; tries < 30; tries++)); do
		echo $((wanted > 0 ? wanted : 0)) >"$pages/nr_hugepages"
		(($(read_pages nr_hugepages) > wanted)) || return
		sleep 0.1
	done
}
trap give_back EXIT
trap 'exit 130' INT TERM HUP

# Free 2 MiB pages for the largest tables; fewer are no error: a bench says what it got.
reserve()
{
	local before missing

	before=$(read_pages nr_hugepages)
	missing=$(($1 - $(read_pages free_hugepages)))
	if ((missing > 0 && EUID == 0)) && [[ -w $pages/nr_hugepages ]]; then
		echo $((before + missing)) >"$pages/nr_hugepages" 2>/dev/null
		n_reserved=$(($(read_pages nr_hugepages) - before))
	fi
}

build()
{
	if [[ ! -f build/build.ninja ]]; then
		CC=gcc meson setup build >/dev/null || exit 1
	fi
	ninja -C build "$@" >/dev/null || {
		echo "bench: the build failed; see: ninja -C build $*" >&2
		exit 1
	}
}

usage()
{
	sed -n '4,16s/^# *//p' bench/run.sh >&2
	exit 64
}

name=${1:-}
shift $(($# > 0))
case $name in
path)
	packages_install "${packages_build[@]}" dpdk-dev python3 || exit 1
	build bench/path bench/path_rte_hash
	reserve 3072
	bench/path.py --build build/bench "$@"
	;;
wire)
	packages_install "${packages_build[@]}" dpdk-dev python3 || exit 1
	build bench/wire
	reserve 512
	bench/wire.py --build build/bench "$@"
	;;
veth)
	packages_install "${packages_build[@]}" "${packages_lab[@]}" dpdk-dev python3 || exit 1
	build bench/wire
	reserve 512
	bench/veth.py --build build/bench "$@"
	;;
control)
	packages_install "${packages_build[@]}" python3 || exit 1
	build bench/control bench/media
	reserve 512
	bench/control.py --build build/bench "$@"
	;;
versus)
	packages_install "${packages_build[@]}" dpdk-dev python3 iproute2 ethtool util-linux || exit 1
	packages_install coturn # where it cannot be had, the table says so
	build bench/wire bench/ideal_relay app/turnpike/turnpike app/turnpike-load/turnpike-load
	reserve 1024
	bench/versus.py --build build "$@"
	;;
instructions)
	packages_install "${packages_build[@]}" valgrind python3 || exit 1
	build bench/path bench/control
	bench/instructions build/bench/path bench/baseline &&
		bench/instructions build/bench/control bench/baseline
	;;
*)
	usage
	;;
esac
