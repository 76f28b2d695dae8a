#!/bin/bash
# Runs the Python tests against the programs of one build, with one private PostgreSQL for all of them.
#   usage: run_pytest.sh BUILD [PYTEST OPTION...]     (from the root of the tree)
# The tests find what they need in the environment:
#   VIDBATCH_BUILD              the build's folder: $VIDBATCH_BUILD/bin/vidbatchd and .../bin/vidbatch-emulator
#   VIDBATCH_TEST_DATABASE_URL  a PostgreSQL in which they may create and drop databases
#   VIDBATCH_SANITIZED          1 when the programs carry a sanitizer: memory and time then say nothing
# PYTEST_LOGS: where logs and the tests' own files go (BUILD/pytest-logs), made anew.
# PYTEST_PASSES: only these of the passes "together alone long", or "both" and "measures" for what of "together" and "alone" carries that mark.
set -uo pipefail
build=${1:?usage: run_pytest.sh BUILD [PYTEST OPTION...]}
shift
# shellcheck source=tests/support/lib.sh
. tests/support/lib.sh

logs=${PYTEST_LOGS:-$build/pytest-logs}
rm -rf "$logs"
mkdir -p "$logs"
trap 'tests/support/postgres.sh stop "$logs/postgres"' EXIT
VIDBATCH_TEST_DATABASE_URL=$(tests/support/postgres.sh start "$logs/postgres") || exit 1
VIDBATCH_BUILD=$PWD/$build
case $build in
*asan* | *tsan*) VIDBATCH_SANITIZED=1 ;;
*) VIDBATCH_SANITIZED= ;;
esac
export VIDBATCH_TEST_DATABASE_URL VIDBATCH_BUILD VIDBATCH_SANITIZED PYTHONDONTWRITEBYTECODE=1

captured=0
case ${1:-} in
tests/*) ;; # only these
*) captured=1 && set -- tests/support tests/emulator tests/integration tests/fault "$@" ;;
esac
# pass NAME OPTION...: one run of pytest. That a run has no test is no mistake of its own.
status=0
pass() {
    local name=$1
    shift
    steady build/venv/bin/python -m pytest -q -rs --tb=short -p no:cacheprovider -o junit_family=xunit2 \
        --junitxml="$logs/$name.xml" --basetemp="$logs/tmp/$name" "$@" 2>&1 | tee "$logs/$name.log"
    case ${PIPESTATUS[0]} in
    0 | 5) ;;
    *) status=1 ;;
    esac
}

# Most of the time is waiting, so more run at a time than there are cores, a file's tests one after the other. What measures time or memory
# carries the mark `alone`, what takes minutes by itself the mark `long`.
mkdir -p "$logs/tmp"
for name in ${PYTEST_PASSES:-together alone long}; do
    case $name in
    both) pass both -m "both and not alone and not long" -n "$(($(nproc) + 1))" --dist loadfile "$@" ;;
    together) pass together -m "not alone and not long" -n "$(($(nproc) + 1))" --dist loadfile "$@" ;;
    *) pass "$name" -m "$name" "$@" ;;
    esac
done

read -r passed failed skipped < <(build/venv/bin/python - "$logs"/*.xml <<'END'
import sys
import xml.etree.ElementTree as tree

sums = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
for file in sys.argv[1:]:
    for suite in tree.parse(file).getroot().iter("testsuite"):
        for name in sums:
            sums[name] += int(suite.get(name, 0))
wrong = sums["failures"] + sums["errors"]
print(sums["tests"] - wrong - sums["skipped"], wrong, sums["skipped"])
END
) || { passed=0 failed=1 skipped=0; }
[ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
# A program that a test killed cannot tell by its exit status what a sanitizer found in it.
if found=$(grep -rlE 'WARNING: ThreadSanitizer|ERROR: (Address|Leak)Sanitizer|runtime error:' "$logs/tmp" 2>/dev/null); then
    echo "A sanitizer found something, see $found"
    failed=$((failed + 1))
fi
# Whatever was asked of Bedrock in this run; a whole run has asked something.
tests/support/bedrock_shapes.py --at-least "$captured" "$logs/tmp" || failed=$((failed + 1))
echo "pytest ($build): $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
