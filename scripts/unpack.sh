#!/bin/sh
# unpack.sh SUITE PACKAGE PROGRAM [NAME]: brings one program of another Debian release, without installing anything.
#
# For what this machine's release no longer has, or not yet: Consul's last package is in bullseye. Prints the program's
# path, which is NAME in the cache (by default the program's own), and does nothing more when it is there already:
#     root            /var/cache/pgctl, readable for everybody (the tests run as somebody else)
#     everybody else  $XDG_CACHE_HOME/pgctl, by default ~/.cache/pgctl
#
# apt works with a state of its own in a temporary directory, so the system's lists and packages are not touched, and
# checks the archive's signature with the keys of Debian that the system has. The archive is the one that the system's
# own sources name. Only the named package is unpacked: it must need no library that is not here.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

[ $# = 3 ] || [ $# = 4 ] ||
    fail "three words are needed, or four" "Usage: unpack.sh SUITE PACKAGE PROGRAM [NAME], such as: unpack.sh bullseye consul usr/bin/consul"
suite=$1 package=$2 program=$3
cache=$(cache_directory)
target=$cache/${4:-${program##*/}}
if [ -x "$target" ]; then
    echo "$target"
    exit 0
fi

command -v apt-get >/dev/null && command -v dpkg >/dev/null ||
    fail "$package is missing, and this machine has no apt-get" "Put the program ${program##*/} into PATH, then try again."
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keys" ] || fail "there are no keys of Debian's archive in $keys" "On Debian: apt-get install debian-archive-keyring."

# The first archive of Debian itself in either format of sources; not the one of security updates.
archive() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
        sed -n -e 's/^URIs:[[:space:]]*\([^[:space:]]*\).*/\1/p' \
            -e 's/^deb[[:space:]]\{1,\}\(\[[^]]*\][[:space:]]*\)\{0,1\}\([^[:space:]]*\).*/\2/p' |
        grep -E '/debian/?$' | head -n 1
}
uri=$(archive)
[ -n "$uri" ] || fail "no source of apt names an archive of Debian" "Put the program ${program##*/} into PATH, then try again."

say "unpacking $package of $suite"
umask 022
mkdir -p "$cache"
state=$(mktemp -d "$cache/unpack-XXXXXX")
trap 'rm -rf "$state"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/root"
: >"$state/status"
printf 'deb [signed-by=%s] %s %s main\n' "$keys" "$uri" "$suite" >"$state/sources.list"

apt() {
    output=$(cd "$state" && apt-get -q -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=/nonexistent \
        -o Dir::State::Lists="$state/lists" -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none -o Acquire::Retries=3 "$@" </dev/null 2>&1) || {
        printf '%s\n' "$output" | tail -n 15 >&2
        fail "apt-get could not fetch $package of $suite" "Its reason stands above. Or put the program ${program##*/} into PATH."
    }
}

apt update
apt download "$package"
dpkg -x "$state/$package"_*.deb "$state/root"
[ -x "$state/root/$program" ] || fail "the package $package of $suite holds no $program" "This is a fault of scripts/packages.sh."
mv "$state/root/$program" "$target"
echo "$target"
