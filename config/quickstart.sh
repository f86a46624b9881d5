#!/usr/bin/env bash
# Build turnpike, run it in a lab of three network namespaces, and show that it relays, over IPv4 and
# IPv6 at the same time.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=config/packages.sh
source config/packages.sh

readonly example=config/turnpike.yaml
readonly user=demo password=change-me # as in that file
readonly families=(ipv4 ipv6)
readonly -A relay=([ipv4]=198.18.0.2 [ipv6]=2001:db8:18::2)
readonly -A client=([ipv4]=198.18.0.10 [ipv6]=2001:db8:18::10)
readonly -A peer=([ipv4]=198.18.0.20 [ipv6]=2001:db8:18::20)
# Calls with G.711 sound of each family, for 6 s.
readonly n_calls=20 n_packets=300 every_ms=20 packet_bytes=172
readonly lab=/run/turnpike-lab # logs, process ids and the configuration
readonly config=$lab/turnpike.yaml
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
	add_addresses client switch "${client[ipv4]}" "${client[ipv6]}"
	in_host client ip link set switch up
	finish_checksums client switch
	add_addresses peer wire0 "${peer[ipv4]}" "${peer[ipv6]}"
}

# HOST INTERFACE IPV4 IPV6
add_addresses()
{
	in_host "$1" sysctl -qw "net.ipv6.conf.$2.disable_ipv6=0"
	in_host "$1" ip addr add "$3/24" dev "$2"
	in_host "$1" ip addr add "$4/64" dev "$2" nodad
}

# The example, with IPv6 beside IPv4.
write_config()
{
	sed -E \
		-e 's|^( *addresses: )\["(198.18.0.2/24)"\]|\1["\2", "2001:db8:18::2/64"]|' \
		-e 's|^(listen: )\["(198.18.0.2:3478)"\]|\1["\2", "[2001:db8:18::2]:3478"]|' \
		-e 's|^  # (- \{address: "2001:db8:18::2")|  \1|' \
		-e 's|^( *allow: )\["(198.18.0.0/15)"\]|\1["\2", "2001:db8:18::/64"]|' \
		$example >$config
	(($(grep -cE '^[^#]*2001:db8:18::' $config) == 4)) ||
		fail "$example has no places for IPv6 any more"
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
	ninja -C build app/turnpike/turnpike app/turnpikectl/turnpikectl >"$lab/build.log" || fail "$(tail -n 30 "$lab/build.log")"
}

start_relay()
{
	start relay turnpike build/app/turnpike/turnpike -c $config
	await turnpike ' ready '
}

run_media()
{
	local family

	say "Relaying $n_calls calls for $((n_packets * every_ms / 1000)) s:"
	for family in "${families[@]}"; do
		say "  from ${client[$family]} by ${relay[$family]} to ${peer[$family]}"
		start peer "peer-$family" turnutils_peer -L "${peer[$family]}"
		# It asks for a relayed address of the peer's family.
		start client "client-$family" turnutils_uclient -c -u $user -w $password \
			-e "${peer[$family]}" -m $n_calls -n $n_packets -z $every_ms \
			-l $packet_bytes "${relay[$family]}"
	done
	for family in "${families[@]}"; do
		wait "$(<"$lab/client-$family.pid")" ||
			fail "the client failed: $(tail -n 3 "$lab/client-$family.log")"
		rm -f "$lab/client-$family.pid"
	done
	n_kernel=$(count_kernel)
	stop turnpike
}

# UDP datagrams that the kernel of the relay's host took, or found no socket for.
count_kernel()
{
	# shellcheck disable=SC2016
	in_host relay awk '
		$1 == "Udp:" && $2 ~ /[0-9]/ { n += $2 + $3 }
		$1 == "Udp6InDatagrams" || $1 == "Udp6NoPorts" { n += $2 }
		END { print n + 0 }' /proc/net/snmp /proc/net/snmp6
}

# One number of turnpike's last line of statistics.
counter()
{
	grep ' stopped ' "$lab/turnpike.log" | grep -oE "\b$1=[0-9]+" | cut -d= -f2
}

# One number of a client's summary: FAMILY SED-EXPRESSION, with one group.
told()
{
	sed -nE "s/.*$2.*/\1/p" "$lab/client-$1.log" | tail -n 1
}

# What the client of one family saw.
show_client()
{
	local family=$1 sent received

	sent=$(told "$family" 'tot_send_msgs=([0-9]+)')
	received=$(told "$family" 'tot_recv_msgs=([0-9]+)')
	n_sent=$((n_sent + sent))
	n_received=$((n_received + received))
	cat <<-END

		  ${client[$family]} by ${relay[$family]} to ${peer[$family]} and back
		    sent          $sent packets
		    got back      $received
		    lost          $((sent - received))
		    round trip    average $(told "$family" 'round trip delay ([0-9.]+) ms') ms, at most $(
			told "$family" 'round trip delay .* max = ([0-9]+) ms') ms (in whole ms)
		    jitter        average $(told "$family" 'Average jitter ([0-9.]+) ms') ms
	END
}

show()
{
	local n_sent=0 n_received=0 up down n_wanted=$((${#families[@]} * n_calls * n_packets))
	local family

	up=$(counter up_channel)
	down=$(counter down_channel)
	say
	say "turnpike relayed $n_calls calls of IPv4 and $n_calls of IPv6 at the same time," \
		"a packet of $packet_bytes bytes every $every_ms ms in each"
	for family in "${families[@]}"; do
		show_client "$family"
	done
	cat <<-END

		  turnpike's own counters
		    to peers      $up
		    to clients    $down
		    allocations   $(counter allocations_created)
		    frames        $(counter rx) in, $(counter tx) out, $(counter drops) dropped
		    requests      $(counter punted) to the control core, $(counter answers) answered
		  datagrams that reached a socket of the relay host's kernel: $n_kernel

	END
	if ((n_sent == n_wanted && n_received == n_sent && up >= n_sent && down >= n_sent)); then
		say "It works: every packet went through turnpike's poll-mode core and came back."
	else
		cp "$lab/turnpike.log" "$lab"/client-*.log /tmp/
		fail "packets are missing; see /tmp/turnpike.log and /tmp/client-*.log"
	fi
}

show_how_to_go_on()
{
	cat <<-END

		The lab stays up, with turnpike running in it. Try it:
		  ip netns exec turnpike-client ping ${relay[ipv6]}
		  ip netns exec turnpike-client turnutils_stunclient ${relay[ipv4]}
		  ip netns exec turnpike-client turnutils_uclient -c -u $user -w $password -e ${peer[ipv4]} ${relay[ipv4]}
		  ip netns exec turnpike-client turnutils_uclient -c -u $user -w $password -y ${relay[ipv4]}
		  tail -f $lab/turnpike.log
		  $PWD/build/app/turnpikectl/turnpikectl status     # or top, show allocations, --help
		  ip netns exec turnpike-relay $PWD/build/app/turnpikectl/turnpikectl -c $config doctor
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
write_config
build
start_relay
run_media
show
if [[ $keep == yes ]]; then
	start_relay
	trap - EXIT
	show_how_to_go_on
fi
