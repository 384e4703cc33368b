#!/bin/sh
# env.sh: makes the virtual environment, or finds it good, and says where it is and who runs PostgreSQL.
#
# Prints two assignments for the shell and nothing else; progress goes to standard error:
#     found=$(scripts/env.sh); eval "$found"     # PGCTL_VENV=... PGCTL_RUN_AS=...
#
# As an ordinary user: `.venv` in the checkout, and pgctl in it is the checkout itself ("editable").
#
# As root, PostgreSQL and therefore the agents run as somebody else (PGCTL_RUN_AS; by default postgres, or nobody), so
# the environment must be readable for that user: it is built with a Python that this user can run, and holds a copy of
# pgctl, brought up to date when a source changes. If that user cannot enter the checkout, the environment lies in
# /var/tmp and `.venv` is a link to it. It belongs to root, and nobody else can write to it.
#
# The stamp is written last, and taken away before anything is changed. An environment without its stamp was interrupted
# and is made again from nothing, so Ctrl-C at any moment costs time and nothing else.
#
# PYTHON= names the interpreter to build with.
set -eu
umask 022
cd "$(dirname "$0")/.."
. scripts/lib.sh

checkout=$(pwd -P)
user=$(run_as)
switch=$(switch_to "$user")
# Two of us at once (`make demo` while `make test` installs) take turns. The lock is the checkout's directory itself.
if command -v flock >/dev/null; then
    exec 9<.
    flock 9
fi

good_enough='import ensurepip, sqlite3, ssl, sys, venv; sys.exit(sys.version_info < (3, 11))'

# find_python: an interpreter that USER can run, with what an environment is made of.
find_python() {
    for candidate in ${PYTHON:-python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11}; do
        real=$(interpreter "$candidate") || continue
        # (By way of env: setpriv's own exec still has root's rights, and would reach what the user cannot.)
        if (cd / && $switch env "$real" -c "$good_enough") 2>/dev/null; then
            echo "$real"
            return 0
        fi
    done
    return 1
}

python=$(find_python) || {
    [ -z "${PYTHON:-}" ] || fail "\"$PYTHON\" is not a Python 3.11 or later with venv that \"$user\" can run" "Set PYTHON to another, or to nothing."
    install_packages python3 python3-venv
    python=$(find_python)
} || fail "there is no Python 3.11 or later that \"$user\" can run" "Install one, and name it: make PYTHON=/path/to/python3"

if [ -z "$switch" ] || (cd / && $switch test -x "$checkout" -a -r "$checkout"); then
    venv=$checkout/.venv
else
    venv=/var/tmp/pgctl-venv-$(printf %s "$checkout" | cksum | cut -d' ' -f1)
    # Anybody may make a directory there; only one of our own is trusted.
    if [ -L "$venv" ] || { [ -e "$venv" ] && [ ! -O "$venv" ]; }; then
        fail "\"$venv\" belongs to somebody else" "Remove it, then try again."
    fi
fi

fingerprint() { find "$@" -type f ! -name '*.pyc' -exec cksum {} + | LC_ALL=C sort | cksum | tr ' ' -; }

foundation="$venv $("$python" -VV | tr '\n' ' ') $python $(fingerprint setup.cfg pyproject.toml)"
sources="the checkout"
[ -z "$switch" ] || sources="a copy $(fingerprint pgctl)"

pip() { PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -m pip -qq install "$@" </dev/null >&2; }

# What is built from a copy leaves no build/ in the checkout; such a one would bring back rooms that are gone.
pip_pgctl() { # [EXTRAS] [PIP OPTION...]
    extras=$1
    shift
    if [ -z "$switch" ]; then
        pip --no-build-isolation "$@" --editable ".$extras"
    else
        copy=$(mktemp -d)
        trap 'rm -rf "$copy"' EXIT
        cp -R pgctl setup.cfg pyproject.toml LICENSE "$copy"
        for readme in README*; do [ ! -e "$readme" ] || cp "$readme" "$copy"; done
        pip --no-build-isolation "$@" "$copy$extras"
        rm -rf "$copy"
    fi
}

stamp=$venv/pgctl.stamp
old_foundation= old_sources=
if [ -r "$stamp" ]; then
    { read -r old_foundation && read -r old_sources; } <"$stamp" || true
fi
if [ "$old_foundation" != "$foundation" ]; then
    say "making a virtual environment in $venv"
    [ -L .venv ] && rm -f .venv
    rm -rf "$venv"
    "$python" -m venv "$venv"
    pip 'setuptools>=66' wheel
    pip_pgctl '[all,dev]'
elif [ "$old_sources" != "$sources" ]; then
    say "bringing pgctl in $venv up to date"
    rm -f "$stamp"
    pip_pgctl '' --no-deps --force-reinstall
fi
printf '%s\n%s\n' "$foundation" "$sources" >"$stamp.new"
mv "$stamp.new" "$stamp"
if [ "$venv" != "$checkout/.venv" ]; then
    [ -L .venv ] || rm -rf .venv
    ln -sfn "$venv" .venv
fi
printf "PGCTL_VENV='%s'\nPGCTL_RUN_AS='%s'\n" "$venv" "$user"
