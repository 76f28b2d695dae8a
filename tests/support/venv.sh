#!/bin/sh
# Makes a Python environment with the packages of a requirements file, unless the one that is there was made from the same file.
#   usage: venv.sh DIR REQUIREMENTS
set -eu
dir=${1:?usage: venv.sh DIR REQUIREMENTS}
list=${2:?usage: venv.sh DIR REQUIREMENTS}
python=/usr/bin/python3
[ -x "$python" ] || python=python3

# The folder is part of the stamp: an environment that was moved does not work.
stamp=$({ echo "$PWD/$dir"; "$python" --version; cat "$list"; } | sha256sum | cut -d' ' -f1)
[ "$(cat "$dir/.ready" 2>/dev/null)" != "$stamp" ] || exit 0

echo "Making the Python environment for the tests in $dir"
rm -rf "$dir"
mkdir -p "$(dirname "$dir")"
log=$dir.log
if ! { "$python" -m venv "$dir" && "$dir/bin/pip" install --quiet --disable-pip-version-check -r "$list"; } >"$log" 2>&1; then
    tail -20 "$log" >&2
    echo "venv.sh: could not install the packages of $list into $dir" >&2
    exit 1
fi
echo "$stamp" >"$dir/.ready"
