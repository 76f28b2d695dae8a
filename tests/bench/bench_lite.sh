#!/bin/bash
# A small honest measurement: one job over synthetic videos against the stand-in for AWS, everything on this machine.
#   usage: bench_lite.sh      (from the root of the tree; VIDEOS_COUNT=20000)
# The stand-in shares the processors, so the figures say how this tree compares with itself, not what AWS would give.
set -uo pipefail
BUILD=${BUILD:-build/release}
ONCE=
count=${VIDEOS_COUNT:-20000}
dir=${BENCH_DIR:-build/bench}
STACK_BUCKET=bench-staging
# shellcheck source=tests/support/stack.sh
. tests/support/stack.sh
# shellcheck source=tests/demo/lib.sh
. tests/demo/lib.sh
trap 'stack_stop' EXIT
trap 'exit 130' INT TERM HUP

now_ms() {
    local seconds=$EPOCHREALTIME
    echo $((${seconds/[.,]/} / 1000))
}

rate() { # rate WHAT MILLISECONDS
    if [ "$2" -eq 0 ]; then
        printf '  %-28s too short to be seen\n' "$1"
        return
    fi
    printf '  %-28s %8d ms   %9d records/s\n' "$1" "$2" $((count * 1000 / $2))
}

memory() { # memory FIELD: of the service, in KiB
    awk -v field="$1:" '$1 == field { print $2 }' "/proc/$SERVICE_PID/status"
}

scan_state_is_over() {
    curl_json GET "/v1/prefixes/$prefix"
    case $(jq -r .scan.state <<<"$BODY") in done) return 0 ;; failed) give_up "the scan failed: $BODY" ;; *) return 1 ;; esac
}

# Notes when each state of the job was seen first.
declare -A seen
job_state_is_over() {
    local state
    curl_json GET "/v1/jobs/$job"
    state=$(jq -r .state <<<"$BODY")
    [ -n "${seen[$state]:-}" ] || seen[$state]=$(now_ms)
    case $state in completed | failed | cancelled) return 0 ;; *) return 1 ;; esac
}

between() { # between STATE LATER-STATE...: milliseconds from the first to the first of the others that was seen
    local from=${seen[$1]:-} state
    [ -n "$from" ] || { echo 0; return; }
    shift
    for state in "$@"; do
        [ -z "${seen[$state]:-}" ] || { echo $((seen[$state] - from)); return; }
    done
    echo 0
}

stack_start "$dir" --job-seconds 1 --create-bucket "$STACK_BUCKET" --synthetic "bucket=bench-videos,count=$count,prefix=v/" || exit 1
sleep 1
idle=$(memory VmRSS)
QUIET=1
WAIT_STEP=0.05

start=$(now_ms)
curl_json POST /v1/prefixes '{"bucket":"bench-videos","prefix":"v/"}'
prefix=$(jq -er .id <<<"$BODY") || give_up "no prefix: $BODY"
wait_until 120 "the scan" scan_state_is_over
scan=$(($(now_ms) - start))

curl_json POST /v1/jobs "{\"prefix_id\":\"$prefix\",\"prompt\":\"Summarize this video.\"}"
job=$(jq -er .id <<<"$BODY") || give_up "no job: $BODY"
start=$(now_ms)
wait_until 600 "the job" job_state_is_over
whole=$(($(now_ms) - start))
succeeded=$(jq -r .counts.succeeded <<<"$BODY")

echo "One job over $count synthetic videos, $(nproc) processors (states polled every ${WAIT_STEP} s):"
rate "scan" "$scan"
rate "plan" "$(between planning staging running ingesting completed)"
rate "stage (copy and JSONL)" "$(between staging running ingesting completed)"
rate "ingest and finish" "$(between ingesting completed)"
rate "whole job" "$whole"
printf '  %-28s %8d KiB idle, %d KiB at the peak\n' "memory of vidbatchd" "$idle" "$(memory VmHWM)"
echo "  summaries stored: $succeeded of $count"
[ "$succeeded" = "$count" ] || give_up "not every video has a summary: $BODY"
