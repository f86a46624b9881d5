#!/usr/bin/env bash
# Build the Debian packages turnpike and turnpike-tools from this tree, with config/debian.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=config/packages.sh
source config/packages.sh
output=build/deb

usage()
{
	cat <<-END
		usage: config/build-deb.sh [DIRECTORY]

		Installs what is missing, builds the packages from what git tracks or would track (elsewhere
		than in a clone: from all that is here but build), and leaves them in DIRECTORY; default
		$output.
	END
}

fail()
{
	printf 'build-deb: %s\n' "$*" >&2
	exit 1
}

# The files of the source, each ended by a zero.
list_files()
{
	if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git ls-files -z --cached --others --exclude-standard
	else
		find . -path ./build -prune -o \( -type f -o -type l \) -print0
	fi
}

# What git tracks but is gone is not copied.
copy_source()
{
	local path

	while IFS= read -r -d '' path; do
		if [[ -e $path ]]; then
			printf '%s\0' "$path"
		fi
	done < <(list_files) | tar -c --null --files-from=- | tar -x -C "$1"
	cp -r "$1/config/debian" "$1/debian"
}

case ${1-} in
--help | -h)
	usage
	exit 0
	;;
-*)
	usage >&2
	exit 64
	;;
esac
packages_install "${packages_build[@]}" "${packages_deb[@]}"
output=$(realpath -m "${1-$output}")
version=$(dpkg-parsechangelog -l config/debian/changelog -S Version)
grep -qF "version: '$version'" meson.build ||
	fail "config/debian/changelog has version $version, meson.build another"
for name in "${packages_build[@]}"; do
	if [[ $name == lib*-dev && $name != libc6-dev ]]; then
		grep -q "^ $name\b" config/debian/control || fail "config/debian/control does not name $name"
	fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
mkdir "$work/turnpike-$version"
copy_source "$work/turnpike-$version"
(cd "$work/turnpike-$version" && dpkg-buildpackage --build=binary --no-sign) >"$work/log" 2>&1 ||
	fail "$(tail -n 40 "$work/log")"
mkdir -p "$output"
mv "$work"/*.deb "$output"
printf '%s\n' "$output"/*_"$version"_*.deb
