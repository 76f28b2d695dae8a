#!/bin/bash
# What `make test` does: every suite, then one table and the sums. Fails when anything failed, or when a suite ran nothing.
#   usage: test_all.sh [SUITE...]      (from the root of the tree; without names: all)
set -uo pipefail
# shellcheck source=tests/support/lib.sh
. tests/support/lib.sh
logs=build/test-logs
rm -rf "$logs"
mkdir -p "$logs"
table=() passed=0 failed=0 skipped=0
wanted="$*"

# suite NAME COMMAND...: runs it, shows its words, and adds up its last line "<name>: N passed, N failed, N skipped".
suite() {
    local name=$1 status start=$SECONDS p f s
    shift
    case " $wanted " in
    "  " | *" $name "*) ;;
    *) return ;;
    esac
    echo
    echo "==== $name"
    "$@" 2>&1 | tee "$logs/$name.log"
    status=${PIPESTATUS[0]}
    read -r p f s < <(counts "$logs/$name.log") || { p=0 f=0 s=0; }
    # A suite that ends badly has failed, whatever it counted; one that ran nothing has not passed.
    if [ "$f" -eq 0 ] && { [ "$status" -ne 0 ] || [ $((p + s)) -eq 0 ]; }; then
        f=1
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    table+=("$(printf '  %-18s %6d passed %5d failed %5d skipped %6d s' "$name" "$p" "$f" "$s" $((SECONDS - start)))")
}

submake() {
    # Each suite is a make of its own, with its own parallelism.
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make --no-print-directory "$@"
}

suite check submake check
suite unit submake unit
suite unit-asan submake unit-asan
suite unit-tsan submake unit-tsan
suite fuzz submake fuzz FUZZ_SECONDS="${FUZZ_SECONDS:-5}"
suite integration submake integration
suite integration-asan submake integration-asan
suite integration-tsan submake integration-tsan
suite demo submake demo ONCE=1
suite image submake image-test

echo
echo "==== all suites, $SECONDS s (logs: $logs)"
printf '%s\n' "${table[@]}"
echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
