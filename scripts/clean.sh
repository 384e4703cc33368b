#!/bin/sh
# clean.sh: removes what the other scripts and the tools made. A demo's data stays: `pgctl demo --fresh` removes that.
set -eu
cd "$(dirname "$0")/.."

if [ -L .venv ]; then
    elsewhere=$(readlink .venv)
    case $elsewhere in /var/tmp/pgctl-venv-*) rm -rf "$elsewhere" ;; esac
fi
rm -rf .venv build ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.*
find . -name __pycache__ -type d -prune -exec rm -rf {} +
