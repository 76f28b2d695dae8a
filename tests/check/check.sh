#!/bin/bash
# Runs every check of the sources, prints one line for each, and the report of those that failed.
#   usage: check.sh [NAME...]     (from the root of the tree; without names: all)
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
logs=build/check
mkdir -p "$logs"
passed=0
failed=0
skipped=0

# check NAME WHAT COMMAND...: the command's exit status 77 means skipped, its last line says why.
check() {
    local name=$1 what=$2 status start=$SECONDS log=$logs/$1.log
    shift 2
    case " $wanted " in
    "  " | *" $name "*) ;;
    *) return ;;
    esac
    "$@" >"$log" 2>&1
    status=$?
    case $status in
    0)
        passed=$((passed + 1))
        echo "ok    $name: $what ($((SECONDS - start)) s)"
        ;;
    77)
        skipped=$((skipped + 1))
        echo "skip  $name: $(tail -1 "$log")"
        ;;
    *)
        failed=$((failed + 1))
        echo "FAIL  $name: $what ($((SECONDS - start)) s)"
        head -60 "$log" | cut -c1-240 | sed 's/^/      /'
        [ "$(wc -l <"$log")" -le 60 ] || echo "      ... all of it is in $log"
        ;;
    esac
}

build_objects() { # build_objects BUILD CC [VARIABLE=VALUE...]
    local build=$1 compiler=$2
    shift 2
    make --no-print-directory -s -k -j"$(nproc)" BUILD="$build" CC="$compiler" "$@" all-objects
}

wanted="$*"
check includes "includes point down only, and the check itself finds planted mistakes" tests/check/includes.sh
check embed "files come back from the generated C unchanged" tests/check/embed_test.sh
check gcc "all sources compile without a warning under gcc" build_objects build/release gcc
check clang "all sources compile without a warning under clang" build_objects build/clang clang OPTIMIZE=-O0 HARDENING=
check headers "every header compiles alone, and twice, under gcc and clang" tests/check/headers.sh
check sizes "functions up to 60 lines, files under 500" tests/check/sizes.sh
check format "clang-format has nothing to change" tests/check/format.sh
check tidy "clang-tidy has nothing to say" tests/check/tidy.sh
case " $wanted " in # it takes minutes, so only when it is asked for
*" fanalyzer "*) check fanalyzer "gcc's analyzer has nothing to say that is not explained" tests/check/fanalyzer.sh ;;
esac
check causes "docs/failures.md is the catalogue of causes" tests/check/causes.sh
check operations "each failure mode of docs/operations.md names tests that exist" tests/check/operations.sh
check shell "shellcheck has nothing to say" tests/check/shell.sh
check openapi "openapi.yaml is valid OpenAPI" tests/check/openapi.sh

echo "check: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
