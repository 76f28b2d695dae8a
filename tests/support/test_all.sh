#!/bin/bash
# What `make test` does: every suite, then one table and the sums. Fails when anything failed, or when a suite ran nothing.
#   usage: test_all.sh [SUITE...]      (from the root of the tree; without names: all)
set -uo pipefail
# shellcheck source=tests/support/lib.sh
. tests/support/lib.sh
logs=build/test-logs
rm -rf "$logs"
mkdir -p "$logs"
table=() passed=0 failed=0 skipped=0 behind=
wanted="$*"

is_wanted() {
    case " $wanted " in
    "  " | *" $1 "*) ;;
    *) return 1 ;;
    esac
}

# add_up NAME STATUS SECONDS: takes the last line "<name>: N passed, N failed, N skipped" of its log into the table and the sums.
add_up() {
    local name=$1 status=$2 took=$3 p f s
    read -r p f s < <(counts "$logs/$name.log") || { p=0 f=0 s=0; }
    # A suite that ends badly has failed, whatever it counted; one that ran nothing has not passed.
    if [ "$f" -eq 0 ] && { [ "$status" -ne 0 ] || [ $((p + s)) -eq 0 ]; }; then
        f=1
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    table+=("$(printf '  %-18s %6d passed %5d failed %5d skipped %6d s' "$name" "$p" "$f" "$s" "$took")")
}

# suite NAME COMMAND...: runs it, shows its words, and adds it up.
suite() {
    local name=$1 start=$SECONDS
    shift
    is_wanted "$name" || return
    echo
    echo "==== $name"
    "$@" 2>&1 | tee "$logs/$name.log"
    add_up "$name" "${PIPESTATUS[0]}" $((SECONDS - start))
}

# What needs a core for long, and nothing else: begin NAME COMMAND... runs it behind all others, finish NAME waits for it, shows its words, and
# adds it up.
begin() {
    local name=$1
    shift
    is_wanted "$name" || return
    nice -n 19 "$@" >"$logs/$name.log" 2>&1 &
    behind=$!
}

finish() {
    local name=$1 start=$SECONDS status=0
    is_wanted "$name" || return
    echo
    echo "==== $name (ran beside the others)"
    wait "$behind" || status=$?
    behind=
    cat "$logs/$name.log"
    add_up "$name" "$status" $((SECONDS - start))
}
trap '[ -z "$behind" ] || kill "$behind" 2>/dev/null' EXIT

submake() {
    # Each suite is a make of its own, with its own parallelism.
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make --no-print-directory "$@"
}

suite check submake check ARGS="includes embed gcc clang headers sizes format causes shell openapi"
begin lint env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make --no-print-directory check ARGS=tidy
suite unit submake unit
suite unit-asan submake unit-asan
suite unit-tsan submake unit-tsan
suite fuzz submake fuzz FUZZ_SECONDS="${FUZZ_SECONDS:-5}"
suite integration submake integration
suite integration-asan submake integration-asan
suite integration-tsan submake integration-tsan
suite demo submake demo ONCE=1
suite image submake image-test
finish lint

echo
echo "==== all suites, $SECONDS s (logs: $logs)"
printf '%s\n' "${table[@]}"
echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
