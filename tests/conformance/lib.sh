# shellcheck shell=bash
# What the scripts that start a foreign server share. They set DIR (logs and pids), after which these set PLACE (what the server stores).
PLACE=

die() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# free_ports N: ports of 127.0.0.1 that nobody has.
free_ports() {
    python3 - "$1" <<'END'
import socket
import sys

held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(one.getsockname()[1] for one in held))
END
}

# make_place NAME: an empty folder in RAM: under /dev/shm where there is room, else in DIR.
make_place() {
    local room
    [ ! -e "$DIR/place" ] || die "$DIR already holds a server"
    room=$(df --output=avail -k /dev/shm 2>/dev/null | tail -1)
    if [ -w /dev/shm ] && [ "${room:-0}" -gt $((512 * 1024)) ]; then
        PLACE=$(mktemp -d "/dev/shm/vidbatch-$1.XXXXXX")
    else
        PLACE=$(mktemp -d "$DIR/$1.XXXXXX")
    fi
    echo "$PLACE" >"$DIR/place"
}

# daemon NAME COMMAND...: runs it in a session, and so a process group, of its own.
daemon() {
    local name=$1
    shift
    setsid "$@" >"$DIR/$name.out" 2>&1 </dev/null &
    echo $! >"$DIR/$name.pid"
}

all_live() {
    local file
    for file in "$DIR"/*.pid; do
        kill -0 "$(cat "$file")" 2>/dev/null || return 1
    done
}

# wait_for_answer URL: until anything is answered there; fails when a daemon ends before, or after 30 s.
wait_for_answer() {
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        curl -s -o "$DIR/first-answer" --max-time 5 "$1" && return
        all_live || return 1
        sleep 0.05
    done
    return 1
}

# Ends all daemons and removes what they stored. Nothing is to be kept, so nobody is asked.
stop() {
    local file
    for file in "$DIR"/*.pid; do
        [ ! -e "$file" ] || kill -KILL -- "-$(cat "$file")" 2>/dev/null || true
        rm -f "$file"
    done
    [ ! -s "$DIR/place" ] || rm -rf "$(cat "$DIR/place")"
    rm -f "$DIR/place"
}

# run_server start|stop DIR, or version: what the command line says. The script has start, which prints the URL, and version.
run_server() {
    case ${1:-}-$# in
    version-1) version ;;
    start-2 | stop-2)
        mkdir -p "$2"
        DIR=$(cd "$2" && pwd)
        "$1"
        ;;
    *) die "usage: start DIR | stop DIR | version" ;;
    esac
}

# launch_or_stop COMMAND...: a server that does not come up leaves its logs and nothing else.
launch_or_stop() {
    # In the background, for a condition would make the shell go on behind a command that failed.
    (set -e && "$@") >"$DIR/launch.log" 2>&1 &
    if ! wait $!; then
        tail -n 5 "$DIR"/launch.log "$DIR"/*.out >&2 || true
        stop
        die "it did not start, see $DIR"
    fi
}
