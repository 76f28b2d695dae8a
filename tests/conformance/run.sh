#!/bin/bash
# The conformance tests: our S3 client and whole jobs against servers that others wrote, and our signatures against botocore's.
#   usage: run.sh BUILD [PYTEST OPTION...]     (from the root of the tree, after `make BUILD=... conformance-bins`)
# A server that cannot be had here is a reason, printed, and one skipped test. The Python tests find each server in
# CONFORMANCE_SERVERS: "name URL key-id secret" a line.
set -uo pipefail
build=${1:?usage: run.sh BUILD [PYTEST OPTION...]}
shift
# shellcheck source=tests/support/lib.sh
. tests/support/lib.sh
logs=$build/conformance-logs
export PYTEST_LOGS=$logs/pytest
stop_servers() {
    tests/conformance/ceph.sh stop "$logs/ceph"
    tests/conformance/swift.sh stop "$logs/swift"
}
stop_servers # of an earlier run that was not allowed to
trap stop_servers EXIT
rm -rf "$logs"
mkdir -p "$logs"
passed=0 failed=0 skipped=0
export CONFORMANCE_SERVERS='' CONFORMANCE_S3_SECRET=conformance-secret-of-no-value
mkdir -p build/secrets-in-use # for secrets_check.py
echo "$CONFORMANCE_S3_SECRET" >build/secrets-in-use/conformance

skip() {
    echo "skipped: $1 $(tail -n 1 "$2")"
    skipped=$((skipped + 1))
}

# s3_layer NAME LACKS KEYS: every C test of the S3 client against that server.
s3_layer() {
    local program
    for program in "$build"/conformance/*_test; do
        echo "---- $(basename "$program") against $1"
        CONFORMANCE_S3_LACKS=$2 CONFORMANCE_S3_KEYS=$3 timeout -k 5 120 "$program" || echo "exit status $?"
    done >"$logs/$1.log" 2>&1
}

# take NAME VERSION: adds up what s3_layer left.
take() {
    local p f s programs=0
    while read -r p f s; do
        passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s)) programs=$((programs + 1))
    done < <(sed -n 's/^.*: \([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$logs/$1.log")
    # A program that broke off has no such line.
    [ "$programs" -eq "$(find "$build/conformance" -name '*_test' | wc -l)" ] || failed=$((failed + 1))
    if grep -qE '^FAIL|^exit status' "$logs/$1.log"; then
        cut -c1-300 "$logs/$1.log"
    fi
    echo "the S3 client against $2: see $logs/$1.log"
}

# Where the packages cannot be had, the next line says so.
tests/check/deps.sh conformance >"$logs/ceph-packages.log" 2>&1
tests/support/venv.sh build/swift-venv tests/conformance/swift-requirements.txt >"$logs/swift-packages.log" 2>&1

ceph_url='' swift_url='' swift_version=''
if ! ceph_version=$(tests/conformance/ceph.sh version 2>>"$logs/ceph-packages.log"); then
    skip "Ceph RGW is not here:" "$logs/ceph-packages.log"
elif ceph_url=$(CONFORMANCE_S3_KEY_ID=AKIDCONFORMANCE tests/conformance/ceph.sh start "$logs/ceph"); then
    CONFORMANCE_SERVERS+="ceph $ceph_url AKIDCONFORMANCE $CONFORMANCE_S3_SECRET"$'\n'
else
    failed=$((failed + 1))
fi
if ! swift_version=$(tests/conformance/swift.sh version 2>>"$logs/swift-packages.log"); then
    skip "OpenStack Swift is not here:" "$logs/swift-packages.log"
elif swift_url=$(CONFORMANCE_S3_KEY_ID=conformance:tester tests/conformance/swift.sh start "$logs/swift"); then
    CONFORMANCE_SERVERS+="swift $swift_url conformance:tester $CONFORMANCE_S3_SECRET"$'\n'
else
    failed=$((failed + 1))
fi

# Swift takes 30 ms a copy here, so it gets fewer keys.
[ -z "$ceph_url" ] || CONFORMANCE_S3_URL=$ceph_url CONFORMANCE_S3_KEY_ID=AKIDCONFORMANCE s3_layer ceph "copy-if-match" 1000 &
[ -z "$swift_url" ] || CONFORMANCE_S3_URL=$swift_url CONFORMANCE_S3_KEY_ID=conformance:tester s3_layer swift "unknown-key" 100 &
wait
[ -z "$ceph_url" ] || take ceph "$ceph_version"
[ -z "$swift_url" ] || take swift "$swift_version"

tests/support/run_pytest.sh "$build" tests/conformance "$@" | tee "$logs/pytest.log"
read -r p f s < <(counts "$logs/pytest.log") || { p=0 f=1 s=0; }
passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
echo "conformance ($build): $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
