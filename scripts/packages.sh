#!/bin/sh
# packages.sh [NAME...]: PostgreSQL, etcd (this release's, and 3.5), Consul and ZooKeeper, and the packages NAME..., by apt.
# Starts no server.
# kube-apiserver is in no package any more: it is built when it is named, and else taken only if it is at hand.
#
# Says at the end what is there and what is missing, with the command that brings it. What cannot be had does not keep the
# rest away: the tests that need it are skipped. Fails when anything is missing that it was to bring, but for Consul and
# the newer etcd, which other releases have.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

# Each in a shell of its own: one that fails has said why.
failed=
(need_postgresql) || failed=1
(need_etcd) || failed=1
(need_newer_etcd >/dev/null) || say "going on without a newer etcd"
(need_consul) || say "going on without Consul"
(need_zookeeper) || failed=1
packages=
how=--at-hand
for name in "$@"; do
    if [ "$name" = kube-apiserver ]; then how=; else packages="$packages $name"; fi
done
# shellcheck disable=SC2086
[ -z "$packages" ] || (install_packages $packages) || failed=1
# shellcheck disable=SC2086
kube=$(scripts/kube-apiserver.sh $how) || { kube=; [ -n "$how" ] || failed=1; }

# tell NAME PLACE COMMAND: a line of the list; COMMAND is what brings it.
tell() {
    if [ -n "$2" ]; then printf '%-15s %s\n' "$1" "$2"; else printf '%-15s missing: %s\n' "$1" "$3"; fi
}

PATH=$PATH:$(cache_directory)
zookeeper=
! has_zookeeper || zookeeper=/usr/share/java/zookeeper.jar
tell PostgreSQL "$(postgresql_directory)" 'apt-get install postgresql'
tell etcd "$(command -v etcd || true)" 'apt-get install etcd-server'
tell 'a newer etcd' "$(command -v etcd-3.5 || true)" 'scripts/unpack.sh trixie etcd-server usr/bin/etcd etcd-3.5'
tell Consul "$(command -v consul || true)" 'scripts/unpack.sh bullseye consul usr/bin/consul, or put the program into PATH'
tell ZooKeeper "$zookeeper" 'apt-get install zookeeper'
tell kube-apiserver "$kube" 'make services SERVICES=kube-apiserver builds it in 8 minutes'
[ -z "$failed" ]
