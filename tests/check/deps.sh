#!/bin/sh
# Installs what the named groups of packages.sh need and what is not there yet. Asks apt for nothing when all is there.
#   usage: deps.sh GROUP...
set -eu
here=$(dirname "$0")

if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
    echo "deps.sh: this is not Debian or Ubuntu; make sure yourself that these are there: $("$here"/packages.sh "$@" | xargs)"
    exit 0
fi

wanted=$("$here"/packages.sh "$@")
missing=
for package in $wanted; do
    case $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true) in
    installed) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "deps.sh: missing packages, and neither root nor sudo:$missing" >&2; exit 1; }
    as_root=sudo
fi
echo "Installing missing packages:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # a list of words; sudo may be nothing
if ! { $as_root apt-get update -q &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -30 "$log" >&2
    echo "deps.sh: apt-get could not install:$missing" >&2
    exit 1
fi
