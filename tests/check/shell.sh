#!/bin/bash
# Lints every script of the tree, told by its first line.
#   usage: shell.sh      (from the root of the tree)
set -euo pipefail
find . \( -name build -o -name .git \) -prune -o -type f -print0 |
    xargs -0 grep -IlZE -m 1 '^#!/(usr/)?bin/(env )?(ba)?sh' | xargs -0 shellcheck -x
