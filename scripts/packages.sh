#!/bin/sh
# packages.sh [NAME...]: PostgreSQL and etcd, and the packages NAME..., by apt. Starts no server.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

need_postgresql
need_etcd
[ $# = 0 ] || install_packages "$@"
