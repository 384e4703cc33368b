#!/bin/sh
# packages.sh [NAME...]: PostgreSQL, etcd, Consul and ZooKeeper, and the packages NAME..., by apt. Starts no server.
# kube-apiserver is in no package any more: it is built when it is named, and else taken only if it is at hand.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

need_postgresql
need_etcd
need_consul || say "going on without Consul: what needs it is skipped"
need_zookeeper
packages=
how=--at-hand
for name in "$@"; do
    if [ "$name" = kube-apiserver ]; then how=; else packages="$packages $name"; fi
done
# shellcheck disable=SC2086
[ -z "$packages" ] || install_packages $packages
# shellcheck disable=SC2086
scripts/kube-apiserver.sh $how >/dev/null || [ -n "$how" ]
