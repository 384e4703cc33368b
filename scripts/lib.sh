# Sourced by the scripts beside it, from the top of the checkout: what they share.
# POSIX sh, and nothing that a fresh Debian has not.

say() { printf '%s\n' "$*" >&2; }

# fail MESSAGE HINT: what happened, in lower case; then what to do, in whole sentences.
fail() {
    printf 'error: %s\nHINT: %s\n' "$1" "$2" >&2
    exit 1
}

# PostgreSQL refuses to run as root, so root works through somebody else; everybody else works as themselves.
# Prints the user's name.
run_as() {
    if [ -n "${PGCTL_RUN_AS:-}" ]; then
        id -u "$PGCTL_RUN_AS" >/dev/null 2>&1 ||
            fail "there is no user \"$PGCTL_RUN_AS\"" "PGCTL_RUN_AS names the user to run PostgreSQL as."
        echo "$PGCTL_RUN_AS"
    elif [ "$(id -u)" != 0 ]; then
        id -un
    elif id -u postgres >/dev/null 2>&1; then
        echo postgres
    else
        echo nobody
    fi
}

# switch_to USER: the words to put before a command that shall run as USER; none when that is who we are.
# setpriv replaces itself by the command, so signals reach the command and nothing stays in between.
switch_to() {
    [ "$1" != "$(id -un)" ] || return 0
    command -v setpriv >/dev/null || fail "there is no setpriv to become \"$1\" with" "It is part of util-linux."
    echo "setpriv --reuid=$(id -u "$1") --regid=$(id -g "$1") --init-groups --"
}

# interpreter PROGRAM: the Python that it starts, for a version manager puts a script first in PATH. Of a virtual environment
# the one that made it: an active one is often ours, and would be removed from under itself to be made anew. By one name,
# whichever way it was found.
interpreter() {
    "$1" -c 'import os, sys; print(os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable))' 2>/dev/null
}

home_of() { getent passwd "$1" | cut -d: -f6; }

# install_packages NAME...: by apt, when this machine has it and we may; otherwise says what to type.
install_packages() {
    command -v apt-get >/dev/null ||
        fail "$* is missing, and this machine has no apt-get" "Install it with this machine's package manager, then try again."
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root=sudo
    else
        fail "$* is missing, and installing it needs root" "Run: sudo apt-get update && sudo apt-get install -y $*"
    fi
    say "installing $*"
    _hold_back_the_cluster
    _apt_get install "$@" 2>/dev/null || {
        # Old package lists, or an installation that was interrupted: mend both, then it is a real failure.
        $as_root env DEBIAN_FRONTEND=noninteractive dpkg --configure -a >/dev/null 2>&1 || true
        _apt_get update || true
        _apt_get install "$@" ||
            fail "apt-get could not install $*" "Its reason stands above. Install it by hand, then try again."
    }
    $as_root rm -f "$_no_cluster"
}

# Of what apt says, the end, and only when it fails.
_apt_get() {
    output=$($as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" </dev/null 2>&1) || {
        status=$?
        printf '%s\n' "$output" | tail -n 15 >&2
        return $status
    }
}

# Debian's PostgreSQL makes a cluster and starts it on port 5432; nobody asked for that here. The file is read when a
# server is installed, and is gone again afterwards. (Releases too old to read it make their cluster; it is in no one's way.)
_no_cluster=/etc/postgresql-common/createcluster.d/pgctl.conf
_hold_back_the_cluster() {
    $as_root mkdir -p "${_no_cluster%/*}"
    echo 'create_main_cluster = false' | $as_root tee "$_no_cluster" >/dev/null
}

# Where distributions keep the server's programs; PATH first, for those who built their own, and before it the tests'.
has_postgresql() { [ -n "$(postgresql_directory)" ]; }

postgresql_directory() {
    for directory in "${PGCTL_PG_BINDIR:-}" $(printf '%s' "$PATH" | tr ':' ' ') /usr/lib/postgresql/*/bin /usr/pgsql-*/bin; do
        if [ -x "$directory/initdb" ] && "$directory/initdb" --version >/dev/null 2>&1; then echo "$directory"; break; fi
    done
}

need_postgresql() { has_postgresql || install_packages postgresql; }

need_etcd() { command -v etcd >/dev/null || install_packages etcd-server; }

# Where programs are kept that no package manager installed: outside the checkout, so that they outlive it, and, for root,
# where the user that the tests run as can read them. A relative XDG_CACHE_HOME is none, by the specification.
cache_directory() {
    if [ "$(id -u)" = 0 ]; then echo /var/cache/pgctl; return 0; fi
    case ${XDG_CACHE_HOME:-} in
    /*) echo "$XDG_CACHE_HOME/pgctl" ;;
    *) echo "${HOME:?}/.cache/pgctl" ;;
    esac
}

need_consul() { command -v consul >/dev/null || scripts/unpack.sh bullseye consul usr/bin/consul >/dev/null; }

# A newer one beside it, for the tests of the stores: the oldest and the newest that can be had.
need_newer_etcd() { PATH=$PATH:$(cache_directory) command -v etcd-3.5 || scripts/unpack.sh trixie etcd-server usr/bin/etcd etcd-3.5; }

# Debian's package: jars, a Java to run them, and the place for a log that the jar's manifest leaves out. Starts nothing.
has_zookeeper() { command -v java >/dev/null && [ -e /usr/share/java/zookeeper.jar ]; }

need_zookeeper() { has_zookeeper || install_packages zookeeper; }
