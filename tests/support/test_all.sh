#!/bin/bash
# What `make test` does: every suite, then one table and the sums. Fails when anything failed, or when a suite ran nothing.
# All tests run under AddressSanitizer. In the release build run those that measure or that do more there, and what is slow under a
# sanitizer: many videos (200,000; a million in `make integration` and `make soak`), the conformance tests, the image, the
# demo. `make unit integration` runs all of them in it.
#   usage: test_all.sh [SUITE...]      (from the root of the tree; without names: all)
set -uo pipefail
# shellcheck source=tests/support/lib.sh
. tests/support/lib.sh
logs=build/test-logs
rm -rf "$logs" build/secrets-in-use
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

submake() {
    # Each suite is a make of its own, with its own parallelism.
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make --no-print-directory "$@"
}

# What measures no time and shares nothing with the others runs one after the other behind them, on what they leave of the processors.
run_behind() {
    if is_wanted lint; then
        echo "Here clang-tidy runs without clang's analyzer; make check ARGS=tidy runs with it." >"$logs/lint.log"
        TIDY_STATES=0 submake check ARGS=tidy >>"$logs/lint.log" 2>&1
        echo $? >"$logs/lint.status"
    fi
    if is_wanted conformance; then
        submake conformance >"$logs/conformance.log" 2>&1
        echo $? >"$logs/conformance.status"
    fi
    if is_wanted contract; then # as one caller; make soak asks as all of them
        submake contract CASES=2000 >"$logs/contract.log" 2>&1
        echo $? >"$logs/contract.status"
    fi
    if is_wanted image; then
        submake image-test >"$logs/image.log" 2>&1
        echo $? >"$logs/image.status"
    fi
    if is_wanted crash; then
        submake crash >"$logs/crash.log" 2>&1
        echo $? >"$logs/crash.status"
    fi
    if is_wanted valgrind; then
        submake valgrind >"$logs/valgrind.log" 2>&1
        echo $? >"$logs/valgrind.status"
    fi
    if is_wanted nth; then
        while [ ! -e "$logs/nth.ready" ]; do sleep 1; done
        submake nth >"$logs/nth.log" 2>&1
        echo $? >"$logs/nth.status"
    fi
    if is_wanted million; then
        # of upgrades, only that from the last version, which is among the others
        MILLION_VIDEOS=200000 PYTEST_PASSES=long PYTEST_LOGS=build/release/pytest-long submake integration \
            ARGS=--ignore=tests/fault/upgrade_test.py >"$logs/million.log" 2>&1
        echo $? >"$logs/million.status"
    fi
}

# finish NAME: waits for it, shows its words, and adds it up. Its seconds are those that were waited.
finish() {
    local name=$1 start=$SECONDS
    is_wanted "$name" || return
    echo
    echo "==== $name (ran behind the others)"
    while [ ! -s "$logs/$name.status" ] && kill -0 "$behind" 2>/dev/null; do sleep 0.5; done
    cat "$logs/$name.log"
    add_up "$name" "$(cat "$logs/$name.status" || echo 1)" $((SECONDS - start))
}
trap '[ -z "$behind" ] || kill -- -"$behind" 2>/dev/null' EXIT

suite check submake check ARGS="includes embed gcc clang headers sizes format causes operations shell openapi"
# Linked before the two lanes part: they must not both do it.
submake build build/release/bin/vidbatch-emulator build/release/bin/vidbatchd-sabotaged >"$logs/build.log" 2>&1 || cat "$logs/build.log"
set -m # a process group of its own, so that it ends with this script
(renice -n 19 $BASHPID >/dev/null && run_behind) &
behind=$!
set +m
suite unit submake unit ARGS="unit/http/stream_test unit/aws/batch_split_test unit/aws/s3_list_many_test"
suite unit-asan submake unit-asan
if is_wanted nth; then
    submake nth-bins >>"$logs/build.log" 2>&1
    : >"$logs/nth.ready"
fi
suite unit-tsan submake unit-tsan
suite fuzz submake fuzz SECONDS="${FUZZ_SECONDS:-2}"
PYTEST_PASSES="both measures" suite integration submake integration
PYTEST_PASSES="together alone" suite integration-asan submake integration-asan
suite integration-tsan submake integration-tsan
suite demo submake demo ONCE=1
finish lint
finish conformance
finish contract
finish image
finish crash
finish valgrind
finish nth
finish million
# Last: it reads what all of them left.
suite secrets tests/support/secrets_check.py

echo
echo "==== all suites, $SECONDS s (logs: $logs)"
printf '%s\n' "${table[@]}"
echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
