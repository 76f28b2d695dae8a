#!/bin/bash
# gcc's analyzer over all sources of the service. What it says wrongly stands here, each with why it is wrong; anything else fails.
#   usage: fanalyzer.sh      (from the root of the tree; minutes)
set -euo pipefail

# FILE KIND: why it is a false alarm of gcc 12.
alarms='
server/http/router.c use-of-uninitialized-value: names[i] with i < params was written when params grew
server/media/mpeg.c null-dereference: window_at gives NULL only outside the window, and the loop stays inside
server/work/models.c null-dereference: every model of a table lies in an entry of it
server/base/json_reader.c use-of-uninitialized-value: a bit of is_object is written when its depth is entered, before it is read; the other bits of its byte are only carried along
aws/creds_profile.c use-of-uninitialized-value: a walk that asks a source has taken at least one role, so role_count is not 0
'
make --no-print-directory -s gen-headers
flags=$(make --no-print-directory -s print-flags)
export flags

# shellcheck disable=SC2317,SC2086 # xargs calls it; flags are a list
one() {
    gcc $flags -Wno-error -fanalyzer -fdiagnostics-plain-output -c "$1" -o /dev/null 2>&1 | grep -E 'warning: .*-Wanalyzer' || true
}
export -f one
said=$(find server aws sql handlers -name '*.c' -print0 | xargs -0 -r -P "$(nproc)" -I FILE bash -c 'one FILE' | sort -u)
wrong=0 known=0
while read -r line; do
    [ -n "$line" ] || continue
    kind=${line##*-Wanalyzer-}
    if grep -qF "${line%%:*} ${kind%]}:" <<<"$alarms"; then
        known=$((known + 1))
    else
        echo "$line"
        wrong=1
    fi
done <<<"$said"
echo "$known false alarms, each explained in $0"
[ "$known" -gt 0 ] || { echo "the analyzer said nothing at all: did it run?"; wrong=1; }
exit "$wrong"
