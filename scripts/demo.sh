#!/bin/sh
# demo.sh [ARGUMENT...]: `pgctl demo ARGUMENT...`, with everything that it needs.
#
# For root it runs as PGCTL_RUN_AS, in that user's home; root's own `pgctl list` shall find the cluster all the same. So
# the demo is told (PGCTL_DEMO_CONFIG) to write the user's configuration file, which it does once the cluster is up and
# takes back when it stops, to a place both can reach, and this script copies it to root's ~/.config/pgctl/pgctl.yaml,
# unless a file is there that no demo wrote.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

need_postgresql
case " $* " in
*" etcd3 "* | *"=etcd3 "* | *" etcd "* | *"=etcd "*) need_etcd ;;
*" consul "* | *"=consul "*) need_consul ;;
esac
found=$(scripts/env.sh)
eval "$found"
export PGCTL_RUN_AS
say "in another terminal, pgctl is $(pwd)/.venv/bin/pgctl"
switch=$(switch_to "$PGCTL_RUN_AS")
[ -n "$switch" ] || exec env PATH="$PGCTL_VENV/bin:$PATH:$(cache_directory)" pgctl demo "$@"

mine=${HOME:-$(home_of root)}/.config/pgctl/pgctl.yaml
seam=$(mktemp -d /var/tmp/pgctl-demo-XXXXXX)
theirs=$seam/pgctl.yaml
chown "$PGCTL_RUN_AS" "$seam"

is_a_demos() { [ -r "$1" ] && [ "$(head -n 1 "$1")" = '# written by pgctl demo' ]; }

publish() {
    [ ! -e "$mine" ] || is_a_demos "$mine" || return 0
    mkdir -p "${mine%/*}"
    (umask 077 && cp "$theirs" "$mine.new" && mv "$mine.new" "$mine")
}

# Beside the demo in the foreground: publishes the file when it appears, and takes it back when the demo has ended,
# however it did.
follow() {
    trap '' INT HUP TERM
    until [ -s "$theirs" ] || ! kill -0 "$1" 2>/dev/null; do sleep 0.5; done
    if [ -s "$theirs" ]; then
        publish
        while kill -0 "$1" 2>/dev/null; do sleep 0.5; done
        ! is_a_demos "$mine" || rm -f "$mine"
    fi
    rm -rf "$seam"
}

# Replaces this shell, so that Ctrl-C and every other signal reach the demo itself.
demo() {
    cd /
    exec $switch env HOME="$(home_of "$PGCTL_RUN_AS")" USER="$PGCTL_RUN_AS" LOGNAME="$PGCTL_RUN_AS" \
        PGCTL_DEMO_CONFIG="$theirs" PATH="$PGCTL_VENV/bin:$PATH:$(cache_directory)" pgctl demo "$@"
}

case " $* " in
*" --detach "*)
    trap 'rm -rf "$seam"' EXIT
    (demo "$@")
    [ ! -s "$theirs" ] || publish
    say "as root, stop it with: make demo-stop"
    ;;
*" stop "*)
    trap 'rm -rf "$seam"' EXIT
    (demo "$@")
    ! is_a_demos "$mine" || rm -f "$mine"
    ;;
*)
    follow $$ </dev/null &
    demo "$@"
    ;;
esac
