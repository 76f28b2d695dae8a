#!/bin/bash
# Runs every fuzz target for FUZZ_SECONDS (default 10) from its corpus, tests/fuzz/corpus/<name>/. What a run finds new stays
# under BUILD; an input that breaks something is kept there too and its name printed.
#   usage: run_fuzz.sh BUILD      (from the root of the tree, after `make BUILD=... fuzz-bins`)
set -uo pipefail
build=${1:?usage: run_fuzz.sh BUILD}
# shellcheck source=tests/support/lib.sh
. tests/support/lib.sh
seconds=${FUZZ_SECONDS:-10}
logs=$build/fuzz-logs
rm -rf "$logs"
mkdir -p "$logs"

one() {
    local name=$1 found=$build/found/$1 seeds
    mkdir -p "$found"
    seeds=tests/fuzz/corpus/${name%_fuzz}
    [ -d "$seeds" ] || seeds=tests/fuzz/corpus/$name
    [ -d "$seeds" ] || seeds=
    # The corpus first as it is, each file once: a broken old finding must fail even in a short run.
    # shellcheck disable=SC2086 # seeds may be nothing
    steady "$build/fuzz/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$logs/$name-" "$found" $seeds >"$logs/$name.log" 2>&1
    echo $? >"$logs/$name.status"
}
export -f one steady
export build logs seconds

targets=$(find tests/fuzz -maxdepth 1 -name '*_fuzz.c' 2>/dev/null | sort | sed 's|^tests/fuzz/\(.*\)\.c$|\1|')
xargs -r -P "$(nproc)" -I TARGET bash -c 'one TARGET' <<<"$targets"

passed=0 failed=0
for name in $targets; do
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$logs/$name.log")
    if [ "$(cat "$logs/$name.status")" = 0 ] && [ "${runs:-0}" -gt 0 ]; then
        passed=$((passed + 1))
        echo "ok    $name: $runs inputs in $seconds s"
    else
        failed=$((failed + 1))
        echo "FAIL  $name, the end of $logs/$name.log:"
        tail -40 "$logs/$name.log" | cut -c1-300 | sed 's/^/      /'
    fi
done
echo "fuzz: $passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
