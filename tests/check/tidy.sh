#!/bin/bash
# clang-tidy with the checks of .clang-tidy, over the sources of the product and the stand-in for AWS.
#   usage: tidy.sh [FILE...]     (from the root of the tree; TIDY_NOTES=1 prints the analyzer's way to each finding, TIDY_STATES=25000 lets
#                                it give up on a function after so many states, 0 leaves the analyzer out; without it, after 225,000)
set -euo pipefail
make --no-print-directory -s BUILD=build/clang gen-headers
flags=$(make --no-print-directory -s BUILD=build/clang print-flags)
checks=
case ${TIDY_STATES:-} in
'') ;;
0) checks='--checks=-clang-analyzer-*' ;;
*) flags+=" -Xclang -analyzer-config -Xclang max-nodes=$TIDY_STATES" ;;
esac
export flags checks

one() {
    local said before="-include tests/check/analyzer.h"
    [ "$1" != server/base/err.c ] || before=
    # "N warnings generated" on stderr counts what headers of libraries would say; only what it says about ours matters.
    # shellcheck disable=SC2086 # flags and before are lists
    said=$(clang-tidy --quiet $checks "$1" -- $before $flags 2>/dev/null) && return
    if [ -n "${TIDY_NOTES:-}" ]; then
        echo "$said"
    else
        grep -E ': (error|warning): ' <<<"$said" || echo "clang-tidy failed on $1"
    fi
    return 1
}
export -f one

if [ $# -gt 0 ]; then
    printf '%s\0' "$@"
else
    find server aws sql handlers tests/emulator tests/support -name '*.c' -print0
fi | xargs -0 -r -P "$(nproc)" -I FILE bash -c 'one FILE'
