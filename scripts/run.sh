#!/bin/sh
# run.sh COMMAND...: runs COMMAND in the virtual environment, at the top of the checkout, where it may start PostgreSQL.
#
# For an ordinary user that is here. PostgreSQL refuses root, so for root it is a copy of the checkout that belongs to
# PGCTL_RUN_AS, under that user, with a home and a TMPDIR of its own; all of it is removed afterwards. So no test needs
# to know about users. COMMAND's exit code is ours.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

need_postgresql
found=$(scripts/env.sh)
eval "$found"
export PGCTL_RUN_AS PATH="$PGCTL_VENV/bin:$PATH:$(cache_directory)"
switch=$(switch_to "$PGCTL_RUN_AS")
[ -n "$switch" ] || exec "$@"

place=$(mktemp -d /var/tmp/pgctl-run-XXXXXX)
small=
tidy() {
    [ -z "$small" ] || umount --lazy "$small"
    rm -rf "$place"
}
trap tidy EXIT
# The command hears the terminal's Ctrl-C itself; we wait for its end, and tidy up.
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mkdir "$place/checkout" "$place/home" "$place/tmp" "$place/small"
# A disk that a test may fill. In a container that may not mount, that test is skipped.
if mount -t tmpfs -o "size=96m,uid=$(id -u "$PGCTL_RUN_AS")" tmpfs "$place/small" 2>/dev/null; then
    export PGCTL_SMALL_DISK="${small:=$place/small}"
fi
tar --exclude=./.git --exclude=./.venv --exclude=./build --exclude=__pycache__ --exclude='./.*_cache' --exclude=./.hypothesis \
    -cf - . | tar -xf - --no-same-owner -C "$place/checkout"
chown -R "$PGCTL_RUN_AS" "$place"
cd "$place/checkout"
status=0
# A short base for pytest's directories: the path of a Unix socket below it has 107 bytes and no more.
$switch env HOME="$place/home" TMPDIR="$place/tmp" USER="$PGCTL_RUN_AS" LOGNAME="$PGCTL_RUN_AS" \
    PYTEST_ADDOPTS="--basetemp=$place/t ${PYTEST_ADDOPTS:-}" "$@" || status=$?
exit $status
