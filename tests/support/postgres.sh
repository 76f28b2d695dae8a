#!/bin/bash
# A private PostgreSQL cluster for tests and the demo: own folder, own port on 127.0.0.1, nothing durable.
#   usage: postgres.sh start DIR    starts one and prints its libpq URL (database "vidbatch", user "vidbatch")
#          postgres.sh stop DIR     stops it and removes what it stored
#          postgres.sh crash DIR    ends it as a power cut would; `postgres.sh again DIR` starts it on the same port
#          postgres.sh standby DIR PRIMARY   starts one that follows the cluster in PRIMARY, and prints its URL
#          postgres.sh promote DIR  makes a standby take changes
# VIDBATCH_TEST_POSTGRES_OPTIONS: further options of the server ("-c name=value ...").
set -euo pipefail

die() {
    echo "postgres.sh: $*" >&2
    exit 1
}

bin_dir() {
    local found
    found=$(find /usr/lib/postgresql -mindepth 3 -maxdepth 3 -path '*/bin/initdb' 2>/dev/null | sort -V | tail -1)
    [ -n "$found" ] || found=$(command -v initdb) || die "PostgreSQL's server is not installed (package postgresql)"
    dirname "$found"
}

# PostgreSQL refuses to run as root; then it runs as the user that Debian made for it, else as nobody.
owner() {
    if [ "$(id -u)" -ne 0 ]; then
        id -un
    elif id postgres >/dev/null 2>&1; then
        echo postgres
    else
        echo nobody
    fi
}

as_owner() {
    if [ "$(id -u)" -ne 0 ]; then
        "$@"
    else
        runuser -u "$OWNER" -- "$@"
    fi
}

# Where the cluster lies: in DIR, or under /tmp when its owner cannot reach DIR (a checkout in /root, say). Also when
# the path is so long that the socket in it would have no legal name.
choose_place() {
    local dir=$1 place
    place=$dir/cluster
    mkdir -p "$place"
    if [ "$(id -u)" -eq 0 ]; then
        chown "$OWNER" "$place"
    fi
    if [ "${#place}" -gt 80 ] || ! as_owner test -w "$place"; then
        rmdir "$place"
        place=$(mktemp -d /tmp/vidbatch-postgres.XXXXXX)
        if [ "$(id -u)" -eq 0 ]; then
            chown "$OWNER" "$place"
        fi
    fi
    echo "$place"
}

launch() {
    local place=$1 port=$2
    as_owner "$BIN/pg_ctl" start -s -w -t 60 -D "$place/data" -l "$place/postgres.log" \
        -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$place -c max_connections=400 \
            -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c jit=off ${VIDBATCH_TEST_POSTGRES_OPTIONS:-}" >/dev/null 2>&1 </dev/null
}

# On a free port, which goes to DIR/port.
launch_anywhere() {
    local place=$1 port attempt
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        port=$((20000 + (RANDOM * 32768 + RANDOM + attempt) % 12000))
        if launch "$place" "$port"; then
            echo "$port" >"$DIR/port"
            return
        fi
        # A port that somebody else holds is worth another try, anything else is not.
        grep -q 'could not bind' "$place/postgres.log" || break
    done
    tail -20 "$place/postgres.log" >&2
    stop
    die "PostgreSQL did not start"
}

print_url() {
    echo "postgresql://vidbatch@127.0.0.1:$(cat "$DIR/port")/vidbatch"
}

start() {
    local place
    [ ! -e "$DIR/place" ] || die "$DIR already holds a cluster"
    place=$(choose_place "$DIR")
    if ! as_owner "$BIN/initdb" -D "$place/data" -U vidbatch -A trust -E UTF8 --locale=C.UTF-8 --no-sync \
        >"$DIR/initdb.log" 2>&1; then
        cat "$DIR/initdb.log" >&2
        die "initdb failed"
    fi
    echo "$place" >"$DIR/place"
    launch_anywhere "$place"
    as_owner "$BIN/createdb" -h 127.0.0.1 -p "$(cat "$DIR/port")" -U vidbatch vidbatch
    print_url
}

# Follows the primary from here on; whether a commit waits for it is the primary's setting.
standby() {
    local place
    [ ! -e "$DIR/place" ] || die "$DIR already holds a cluster"
    place=$(choose_place "$DIR")
    as_owner "$BIN/pg_basebackup" -h 127.0.0.1 -p "$(cat "$1/port")" -U vidbatch -D "$place/data" -R -X stream -c fast \
        --no-sync >"$DIR/basebackup.log" 2>&1 || { cat "$DIR/basebackup.log" >&2 && die "pg_basebackup failed"; }
    echo "$place" >"$DIR/place"
    launch_anywhere "$place"
    print_url
}

stop() {
    local place
    place=$(cat "$DIR/place" 2>/dev/null) || return 0
    as_owner "$BIN/pg_ctl" stop -s -w -m immediate -D "$place/data" >/dev/null 2>&1 || true
    rm -rf "$place"
    rm -f "$DIR/place" "$DIR/port" "$DIR/initdb.log"
}

USAGE="usage: postgres.sh start|stop|crash|again|standby|promote DIR [PRIMARY]"
[ $# -eq 2 ] || [ "$1 $#" = "standby 3" ] || die "$USAGE"
umask 022
mkdir -p "$2"
DIR=$(cd "$2" && pwd)
BIN=$(bin_dir)
OWNER=$(owner)
cd / # the owner may not be able to enter the caller's folder
case $1 in
start) start ;;
stop) stop ;;
crash) as_owner "$BIN/pg_ctl" stop -s -w -m immediate -D "$(cat "$DIR/place")/data" ;;
again) launch "$(cat "$DIR/place")" "$(cat "$DIR/port")" ;;
standby) standby "$3" ;;
promote) as_owner "$BIN/pg_ctl" promote -s -w -D "$(cat "$DIR/place")/data" ;;
*) die "$USAGE" ;;
esac
