#!/bin/bash
# Each failure mode of docs/operations.md names tests that exist: the last cell of a row, `fault/x_test.py` or `fault/x_test.py::test_name`.
#   usage: operations.sh [FILE]      (from the root of the tree)
set -euo pipefail
file=${1:-docs/operations.md}

# Gives what is wrong with the rows of tables whose last column is "Test", and how many tests they name.
judge() {
    awk -F ' *[|] *' '
        !/^[|]/ { is_table = 0; next }
        /[|] *Test *[|]$/ { is_table = 1; next }
        !is_table || /^[| -]+$/ { next }
        { cell = $(NF - 1); found = 0
          while (match(cell, /`[^`]+`/)) {
              print NR, substr(cell, RSTART + 1, RLENGTH - 2)
              cell = substr(cell, RSTART + RLENGTH); found = 1 }
          if (!found) print NR, "none" }' "$1" | while read -r line name; do
        test=${name%%::*}
        if [ ! -f "tests/$test" ]; then
            echo "$1:$line: there is no test $name"
        elif [ "$test" != "$name" ] && ! grep -qE "^def ${name#*::}\(" "tests/$test"; then
            echo "$1:$line: $test has no ${name#*::}"
        fi
    done
}

planted=$(mktemp)
trap 'rm -f "$planted"' EXIT
cat >"$planted" <<'END'
| What fails | Test |
| --- | --- |
| a | `fault/kill_test.py` |
| b | `fault/none_test.py` |
| c | nothing |
| d | `fault/kill_test.py::test_none` |
END
if [ "$(judge "$planted" | cut -d: -f2 | xargs)" != "4 5 6" ]; then
    echo "the check does not find planted mistakes"
    exit 1
fi

wrong=$(judge "$file")
if [ -n "$wrong" ]; then
    echo "$wrong"
    exit 1
fi
echo "$(grep -c '_test\.' "$file") rows name tests that exist"
