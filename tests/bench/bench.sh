#!/bin/bash
# Measures the service against its peers, everything on this machine, and prints one table of ratios.
#   usage: bench.sh BUILD [SECTION...]     (from the root of the tree; sections: listing scan jsonl ingest serving)
# BENCH_SCALE=0.02 shrinks the data for a quick look, BENCH_RUNS the number of runs (5); only a whole run at full size writes
# docs/benchmarks.md. build/bench.json is always written. The exit status is the number of missed bounds.
set -uo pipefail
build=${1:?usage: bench.sh BUILD [SECTION...]}
shift
folder=$build/bench-data
rm -rf "$folder"
mkdir -p "$folder"
# The emulator's objects lie in memory, where there is such a place: what a disk does is not what is measured.
objects=$(mktemp -d /dev/shm/vidbatch-bench.XXXXXX 2>/dev/null || mktemp -d "$PWD/$folder/objects.XXXXXX")
trap 'tests/support/postgres.sh stop "$folder/postgres"; rm -rf "$folder" "$objects"' EXIT
trap 'exit 130' INT TERM HUP
# As whoever keeps a million videos sets it up: the defaults are for a machine of 1 GB. All that is measured shares it.
export VIDBATCH_TEST_POSTGRES_OPTIONS="-c shared_buffers=1GB -c max_wal_size=4GB"
VIDBATCH_TEST_DATABASE_URL=$(tests/support/postgres.sh start "$folder/postgres") || exit 100
export VIDBATCH_TEST_DATABASE_URL VIDBATCH_BUILD=$PWD/$build PYTHONDONTWRITEBYTECODE=1 BENCH_FOLDER=$PWD/$folder BENCH_OBJECTS=$objects
build/venv/bin/python -m tests.bench "$@"
