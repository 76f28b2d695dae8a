#!/bin/bash
# Runs the unit tests of one build, each test program with a database of its own in one private PostgreSQL.
#   usage: run_unit.sh BUILD [unit/MODULE/NAME_test...]     (from the root of the tree, after `make BUILD=... unit-bins`; default: all)
# A test program finds its database in VIDBATCH_TEST_DATABASE_URL.
set -uo pipefail
build=${1:?usage: run_unit.sh BUILD [MODULE/NAME_test...]}
shift
# shellcheck source=tests/support/lib.sh
. tests/support/lib.sh

logs=$build/unit-logs
rm -rf "$logs"
mkdir -p "$logs"
trap 'tests/support/postgres.sh stop "$logs/postgres"' EXIT
url=$(tests/support/postgres.sh start "$logs/postgres") || exit 1

# one BUILD LOGS URL PROGRAM: runs it; the status is in LOGS/PROGRAM.status
one() {
    local program=$1 name log status
    name=${program#"$build"/}
    name=${name//\//_}
    log=$logs/$name.log
    # What they ask of Bedrock is held against AWS's model; only tests of the client itself ask for what does not exist.
    case $name in
    unit_aws_client* | unit_aws_retry*) unset VIDBATCH_CAPTURE ;;
    *) export VIDBATCH_CAPTURE=$logs/bedrock-requests.jsonl ;;
    esac
    psql -q -d "$url" -c "CREATE DATABASE \"$name\"" >"$log" 2>&1
    VIDBATCH_TEST_DATABASE_URL="${url%/*}/$name" steady timeout -k 5 300 "$program" >>"$log" 2>&1 </dev/null
    status=$?
    echo "$status" >"$logs/$name.status"
    [ "$status" -ne 124 ] || echo "$name: stopped after 300 s" >>"$log"
}
export -f one steady
export build logs url

[ $# -gt 0 ] || mapfile -t -d '' all < <(find tests/unit tests/integration -name '*_test.c' -printf '%p\0' | sort -z)
[ $# -gt 0 ] || { all=("${all[@]#tests/}") && set -- "${all[@]%.c}"; }
programs=$(printf "$build/%s\n" "$@")
xargs -r -P "$(nproc)" -I PROGRAM bash -c 'one PROGRAM' <<<"$programs"

passed=0 failed=0 skipped=0
for log in "$logs"/*.log; do
    [ -e "$log" ] || break
    status=$(cat "${log%.log}.status" 2>/dev/null || echo 1)
    read -r p f s < <(counts "$log") || { p=0 f=1 s=0; }
    [ "$status" -eq 0 ] || [ "$f" -gt 0 ] || f=1
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    if [ "$f" -gt 0 ]; then
        echo "FAIL  $(basename "$log" .log) (exit status $status), the end of $log:"
        tail -40 "$log" | cut -c1-300 | sed 's/^/      /'
    elif [ "$s" -gt 0 ]; then
        grep -i 'skip' "$log" | head -5 | sed 's/^/      /'
    fi
done
tests/support/bedrock_shapes.py "$logs" || failed=$((failed + 1))
echo "unit ($build): $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
