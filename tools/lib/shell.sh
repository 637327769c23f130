# shellcheck shell=bash disable=SC2034
# Helpers shared by the bash scripts in tools/: messages, root rights, the PostgreSQL programs, who owns a cluster.
# Sourced, never run. Sets no options and changes no state of the machine.

PULSE_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PG_CONFIG=${PG_CONFIG:-/usr/lib/postgresql/15/bin/pg_config}

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

# Runs a command with root rights: as it is when we are root, by sudo otherwise.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "root rights are needed for '$1' and there is no sudo: run this as root, or ask an administrator"
    fi
}

# PostgreSQL refuses to run as root, so root's clusters belong to the user postgres.
as_owner() {
    if [ "$(id -u)" = 0 ]; then
        runuser -u postgres -- "$@"
    else
        "$@"
    fi
}

pg_bindir() {
    [ -x "$PG_CONFIG" ] || die "no pg_config at $PG_CONFIG: run 'make setup', or set PG_CONFIG"
    "$PG_CONFIG" --bindir
}
