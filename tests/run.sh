#!/usr/bin/env bash
# Install what is missing, build, run the suites, and close with one line `N passed, N failed`.
#
#   tests/run.sh            all suites
#   tests/run.sh SUITE...   some of: lint unit packet sim leak fuzz kernel bench integration
#
# Three builds: build/ (gcc, release), build/asan (gcc, address and undefined-behaviour sanitizers)
# and build/fuzz (clang, the same sanitizers, with the libFuzzer programs). The suites kernel and
# integration need root.
set -u

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
# shellcheck source=config/packages.sh
source config/packages.sh
export LC_ALL=C.UTF-8

readonly sanitizers=(-Dbuildtype=debugoptimized "-Db_sanitize=address,undefined" -Db_lundef=false)
readonly all_suites=(lint unit packet sim leak fuzz kernel bench integration)
readonly summary='[0-9]+ passed, [0-9]+ failed'
output=$(mktemp)
trap 'rm -f "$output"' EXIT
trap 'exit 130' INT TERM HUP
n_passed=0 n_failed=0

# Add a count to the sum: NAME PASSED FAILED
add()
{
	n_passed=$((n_passed + $2)) n_failed=$((n_failed + $3))
	printf '== %s: %d passed, %d failed (%d s)\n' "$1" "$2" "$3" $((SECONDS - started_s))
}

# Add what the last line of $output says, which is `N passed, N failed`.
add_output()
{
	local numbers

	if numbers=$(tail -n 1 "$output" | grep -axE "$summary"); then
		# shellcheck disable=SC2086
		add "$1" ${numbers//[^0-9 ]/}
	else
		tail -n 1 "$output"
		add "$1" 0 1
	fi
}

# Those of the named suites that were asked for.
wanted()
{
	local suite

	for suite; do
		if [[ " ${suites[*]} " == *" $suite "* ]]; then
			printf '%s\n' "$suite"
		fi
	done
}

# DIRECTORY COMPILER MESON-OPTION...
build()
{
	# A build of before the test packages came, as quickstart leaves it, has no tests.
	if [[ -f $1/build.ninja ]] && ! grep -q unit_stun "$1/build.ninja"; then
		rm -rf "$1"
	fi
	if [[ ! -f $1/build.ninja ]]; then
		CC=$2 meson setup "$1" "${@:3}" >"$output" 2>&1 || return 1
	fi
	ninja -C "$1" >"$output" 2>&1
}

# Build and run suites with meson: DIRECTORY COMPILER "SUITE..." MESON-OPTION...
run_meson()
{
	local directory=$1 suite
	local here=() options=()

	# shellcheck disable=SC2086
	mapfile -t here < <(wanted $3)
	((${#here[@]})) || return 0
	started_s=$SECONDS
	if ! build "$1" "$2" "${@:4}"; then
		tail -n 60 "$output"
		add "$directory: build" 0 1
		return
	fi
	for suite in "${here[@]}"; do
		options+=(--suite "$suite")
	done
	rm -f "$directory/meson-logs/testlog.json"
	meson test -C "$directory" --no-rebuild "${options[@]}" >/dev/null 2>&1
	tests/tally "$directory/meson-logs/testlog.json" "${here[@]}" >"$output" 2>&1
	head -n -1 "$output"
	add_output "$directory: ${here[*]}"
}

run_lint()
{
	[[ $(wanted lint) ]] || return 0
	started_s=$SECONDS
	if tests/lint --self-test && tests/lint; then
		add lint 1 0
	else
		add lint 0 1
	fi
}

# libFuzzer's programs are not run here, but they must build.
build_fuzzers()
{
	local target
	local targets=()

	[[ $(wanted fuzz) ]] || return 0
	started_s=$SECONDS
	for target in tests/fuzz/fuzz_*.c; do
		targets+=("${target%.c}")
	done
	if ninja -C build/fuzz "${targets[@]}" >"$output" 2>&1; then
		add "build/fuzz: libFuzzer programs" ${#targets[@]} 0
	else
		tail -n 60 "$output"
		add "build/fuzz: libFuzzer programs" 0 1
	fi
}

run_integration()
{
	[[ $(wanted integration) ]] || return 0
	started_s=$SECONDS
	if ! build build gcc; then
		tail -n 60 "$output"
		add "build" 0 1
		return
	fi
	tests/integration/run.py 2>&1 | tee "$output" | grep --line-buffered -avxE "$summary"
	add_output integration
}

if (($#)); then
	suites=("$@")
else
	suites=("${all_suites[@]}")
fi
for suite in "${suites[@]}"; do
	if [[ " ${all_suites[*]} " != *" $suite "* ]]; then
		echo "usage: tests/run.sh [${all_suites[*]}]" >&2
		exit 64
	fi
done
packages_install "${packages_build[@]}" "${packages_lab[@]}" "${packages_deb[@]}" "${packages_test[@]}" || {
	echo "0 passed, 1 failed"
	exit 1
}
run_lint
run_meson build gcc "unit packet sim kernel bench"
run_meson build/asan gcc "unit packet sim leak fuzz" "${sanitizers[@]}"
run_meson build/fuzz clang fuzz "${sanitizers[@]}"
build_fuzzers
run_integration
echo "$n_passed passed, $n_failed failed"
((n_failed == 0))
