#!/bin/bash
# Runs the Python tests against the programs of one build, with one private PostgreSQL for all of them.
#   usage: run_pytest.sh BUILD [PYTEST OPTION...]     (from the root of the tree)
# The tests find what they need in the environment:
#   VIDBATCH_BUILD              the build's folder: $VIDBATCH_BUILD/bin/vidbatchd and .../bin/vidbatch-emulator
#   VIDBATCH_TEST_DATABASE_URL  a PostgreSQL in which they may create and drop databases
#   VIDBATCH_SANITIZED          1 when the programs carry a sanitizer: memory and time then say nothing
set -uo pipefail
build=${1:?usage: run_pytest.sh BUILD [PYTEST OPTION...]}
shift
# shellcheck source=tests/support/lib.sh
. tests/support/lib.sh

logs=$build/pytest-logs
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

case ${1:-} in
tests/*) ;; # only these
*) set -- tests/emulator tests/integration tests/fault "$@" ;;
esac
steady build/venv/bin/python -m pytest -q -rs --tb=short -p no:cacheprovider -o junit_family=xunit2 \
    --junitxml="$logs/junit.xml" --basetemp="$logs/tmp" "$@" 2>&1 | tee "$logs/pytest.log"
status=${PIPESTATUS[0]}

read -r passed failed skipped < <(build/venv/bin/python - "$logs/junit.xml" <<'END'
import sys
import xml.etree.ElementTree as tree

sums = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
for suite in tree.parse(sys.argv[1]).getroot().iter("testsuite"):
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
echo "pytest ($build): $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
