#!/usr/bin/env bash
# Build turnpike, run it in a lab of three network namespaces, and show that it relays.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=config/packages.sh
source config/packages.sh

readonly config=config/turnpike.yaml
readonly user=demo password=change-me # as in that file
readonly relay=198.18.0.2 client=198.18.0.10 peer=198.18.0.20
readonly n_calls=20 n_packets=300 every_ms=20 packet_bytes=172 # calls with G.711 sound, for 6 s
readonly lab=/run/turnpike-lab                                 # logs and process ids
keep=no

usage()
{
	cat <<-END
		usage: config/quickstart.sh [--keep | --remove]

		Installs what is missing, builds turnpike, makes a lab (namespaces turnpike-client,
		turnpike-relay and turnpike-peer), relays media both ways and shows what happened.

		  --keep    leave the lab up, with turnpike running in it
		  --remove  remove a lab that was left up
	END
}

say()
{
	printf '%s\n' "$*"
}

fail()
{
	printf 'quickstart: %s\n' "$*" >&2
	exit 1
}

in_host()
{
	ip netns exec "turnpike-$1" "${@:2}"
}

# Start a program in a host, in the background; its output goes to a file named after it.
start()
{
	local host=$1 name=$2

	setsid ip netns exec "turnpike-$host" "${@:3}" >"$lab/$name.log" 2>&1 </dev/null 9>&- &
	echo $! >"$lab/$name.pid"
}

stop()
{
	local pid

	[[ -f $lab/$1.pid ]] || return 0
	pid=$(<"$lab/$1.pid")
	kill "$pid" 2>/dev/null || true
	for _ in {1..100}; do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	rm -f "$lab/$1.pid"
}

# Wait for a line in a program's log.
await()
{
	for _ in {1..300}; do
		if grep -qsE "$2" "$lab/$1.log"; then
			return 0
		fi
		kill -0 "$(<"$lab/$1.pid")" 2>/dev/null || break
		sleep 0.1
	done
	fail "$1 did not get ready: $(tail -n 3 "$lab/$1.log")"
}

remove_lab()
{
	local host pid

	for pid in "$lab"/*.pid; do
		[[ -e $pid ]] && stop "$(basename "$pid" .pid)"
	done
	for host in client relay peer; do
		[[ -e /run/netns/turnpike-$host ]] || continue
		# What was tried by hand in a kept lab ends with it.
		for pid in $(ip netns pids "turnpike-$host"); do
			kill -9 "$pid" 2>/dev/null || true
		done
		ip netns del "turnpike-$host"
	done
	rm -rf "$lab"
}

# The client's host holds the switch of the lab: a bridge to the relay's wire0 and to the peer.
make_lab()
{
	local host

	mkdir -p "$lab"
	for host in client relay peer; do
		ip netns add "turnpike-$host"
		in_host $host sysctl -qw net.ipv6.conf.all.disable_ipv6=1
		in_host $host ip link set lo up
	done
	in_host client ip link add switch type bridge forward_delay 0
	for host in relay peer; do
		in_host client ip link add to-$host type veth peer name wire0 netns "turnpike-$host"
		in_host client ip link set to-$host master switch up
		in_host $host ip link set wire0 up
		finish_checksums client to-$host
		finish_checksums $host wire0
	done
	in_host client ip addr add $client/24 dev switch
	in_host client ip link set switch up
	finish_checksums client switch
	in_host peer ip addr add $peer/24 dev wire0
}

# No NIC completes what the kernel leaves undone on a veth.
finish_checksums()
{
	in_host "$1" ethtool -K "$2" tx off gso off tso off gro off >/dev/null
}

build()
{
	say "Building turnpike"
	if [[ ! -f build/build.ninja ]]; then
		meson setup build >"$lab/build.log" || fail "$(tail -n 30 "$lab/build.log")"
	fi
	ninja -C build app/turnpike/turnpike >"$lab/build.log" || fail "$(tail -n 30 "$lab/build.log")"
}

start_relay()
{
	start relay turnpike build/app/turnpike/turnpike -c $config
	await turnpike ' ready '
}

run_media()
{
	start peer peer turnutils_peer -L $peer
	say "Relaying $n_calls calls for $((n_packets * every_ms / 1000)) s between $client and $peer"
	start client client turnutils_uclient -c -u $user -w $password -e $peer \
		-m $n_calls -n $n_packets -z $every_ms -l $packet_bytes $relay
	wait "$(<"$lab/client.pid")" || fail "the client failed: $(tail -n 3 "$lab/client.log")"
	rm -f "$lab/client.pid"
	# shellcheck disable=SC2016
	n_kernel=$(in_host relay awk '$1 == "Udp:" && $2 ~ /[0-9]/ { print $2 + $3 }' /proc/net/snmp)
	stop turnpike
}

# One number of turnpike's last line of statistics.
counter()
{
	grep ' stopped ' "$lab/turnpike.log" | grep -oE "\b$1=[0-9]+" | cut -d= -f2
}

# One number of the client's summary, by a sed expression with one group.
told()
{
	sed -nE "s/.*$1.*/\1/p" "$lab/client.log" | tail -n 1
}

show()
{
	local sent received up down

	sent=$(told 'tot_send_msgs=([0-9]+)')
	received=$(told 'tot_recv_msgs=([0-9]+)')
	up=$(counter up_channel)
	down=$(counter down_channel)
	cat <<-END

		turnpike relayed $n_calls calls, a packet of $packet_bytes bytes every $every_ms ms in each

		  the client sent              $sent packets
		  turnpike, client to peer     $up
		  turnpike, peer to client     $down
		  the client got back          $received
		  lost                         $((sent - received))

		  round trip      average $(told 'round trip delay ([0-9.]+) ms') ms, at most $(
			told 'round trip delay .* max = ([0-9]+) ms') ms (the client counts whole ms)
		  jitter          average $(told 'Average jitter ([0-9.]+) ms') ms

		  turnpike's own counters
		    allocations   $(counter allocations_created)
		    frames        $(counter rx) in, $(counter tx) out, $(counter drops) dropped
		    requests      $(counter punted) to the control core, $(counter answers) answered
		  datagrams that reached a socket of the relay host's kernel: $n_kernel

	END
	if ((sent == n_calls * n_packets && received == sent && up >= sent && down >= sent)); then
		say "It works: every packet went through turnpike's poll-mode core and came back."
	else
		cp "$lab/turnpike.log" "$lab/client.log" /tmp/
		fail "packets are missing; see /tmp/turnpike.log and /tmp/client.log"
	fi
}

show_how_to_go_on()
{
	cat <<-END

		The lab stays up, with turnpike running in it. Try it:
		  ip netns exec turnpike-client ping $relay
		  ip netns exec turnpike-client turnutils_stunclient $relay
		  ip netns exec turnpike-client turnutils_uclient -c -u $user -w $password -e $peer $relay
		  ip netns exec turnpike-client turnutils_uclient -c -u $user -w $password -y $relay
		  tail -f $lab/turnpike.log
		Remove it:
		  $PWD/config/quickstart.sh --remove
	END
}

case ${1-} in
"") ;;
--keep) keep=yes ;;
--remove) ;;
--help | -h)
	usage
	exit 0
	;;
*)
	usage >&2
	exit 64
	;;
esac
((EUID == 0)) || fail "needs root: it installs packages and makes network namespaces"

packages_install "${packages_build[@]}" "${packages_lab[@]}"
exec 9<config/quickstart.sh
flock -n 9 || fail "another quickstart is running"
remove_lab
if [[ ${1-} == --remove ]]; then
	say "The lab is removed."
	exit 0
fi
trap remove_lab EXIT
trap 'exit 130' INT TERM HUP
make_lab
build
start_relay
run_media
show
if [[ $keep == yes ]]; then
	start_relay
	trap - EXIT
	show_how_to_go_on
fi
