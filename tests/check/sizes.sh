#!/bin/bash
# A function fits a screen (60 lines), a file has one job (under 500 lines).
#   usage: sizes.sh      (from the root of the tree)
set -euo pipefail
wrong=0

while IFS=$'\t' read -r lines file; do
    if [ "$lines" -ge 500 ]; then
        echo "$file: $lines lines; a file has fewer than 500"
        wrong=1
    fi
done < <(find server aws sql handlers tests \( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' \) -print0 |
    xargs -0 -r awk '{ n[FILENAME]++ } END { for (f in n) printf "%d\t%s\n", n[f], f }' | sort -k2)

functions=$(find server aws sql handlers tests -name '*.c' -print0 |
    xargs -0 -r ctags -f - --languages=C --langmap=C:.c --kinds-C=f --fields=ne --excmd=number)
long=$(awk -F '\t' '
    {
        first = last = 0
        for (i = 4; i <= NF; i++) {
            if ($i ~ /^line:/) first = substr($i, 6)
            if ($i ~ /^end:/) last = substr($i, 5)
        }
        if (last - first + 1 > 60)
            printf "%s:%d: %s has %d lines; a function has at most 60\n", $2, first, $1, last - first + 1
    }' <<<"$functions")
if [ -n "$long" ]; then
    echo "$long"
    wrong=1
fi
[ -n "$functions" ] || { echo "ctags found no function at all"; wrong=1; }
exit "$wrong"
