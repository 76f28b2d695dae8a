#!/bin/bash
# The sources are as clang-format would write them. `clang-format -i FILE` repairs one.
#   usage: format.sh      (from the root of the tree)
set -euo pipefail
find server aws sql handlers tests -name '*.[ch]' -print0 | xargs -0 -r clang-format --dry-run -Werror
