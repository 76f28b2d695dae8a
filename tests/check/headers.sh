#!/bin/bash
# Every header compiles on its own, and twice in a row, under both compilers.
#   usage: headers.sh      (from the root of the tree)
set -euo pipefail
make --no-print-directory -s BUILD=build/clang gen-headers
flags=$(make --no-print-directory -s BUILD=build/clang print-flags)
export flags

one() {
    local compiler
    for compiler in gcc clang; do
        # shellcheck disable=SC2086 # flags are a list
        printf '#include "%s"\n#include "%s"\nextern int only_a_header;\n' "$1" "$1" |
            $compiler $flags -fsyntax-only -x c - || { echo "$1 does not compile alone under $compiler"; return 1; }
    done
}
export -f one
find server aws sql handlers tests build/clang/gen -name '*.h' -print0 |
    xargs -0 -r -P "$(nproc)" -I FILE bash -c 'one FILE'
