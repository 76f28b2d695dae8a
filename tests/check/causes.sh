#!/bin/bash
# docs/failures.md is what the program prints of its catalogue of causes.
#   usage: causes.sh      (from the root of the tree)
set -euo pipefail
make --no-print-directory -s build/release/bin/vidbatchd
build/release/bin/vidbatchd causes | diff -u docs/failures.md - && exit 0
echo "docs/failures.md is not what the catalogue says; make it anew: build/release/bin/vidbatchd causes >docs/failures.md"
exit 1
