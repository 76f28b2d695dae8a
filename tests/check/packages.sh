#!/bin/sh
# The one list of the Debian and Ubuntu packages that each part of the project needs.
#   usage: packages.sh GROUP...   prints the names, one a line.   Groups: build runtime test conformance check fuzz demo bench image
set -eu

group() {
    case $1 in
    build)
        echo gcc make libc6-dev pkg-config python3 python3-yaml
        echo libmicrohttpd-dev libgnutls28-dev libcurl4-openssl-dev libjansson-dev libpq-dev libexpat1-dev libssl-dev zlib1g-dev
        ;;
    # What the built program needs to run: the second stage of the Dockerfile installs these and nothing else.
    runtime) echo ca-certificates libmicrohttpd12 libgnutls30 libcurl4 libjansson4 libpq5 libexpat1 libssl3 zlib1g ;;
    test) echo postgresql python3-venv curl jq faketime openssl wrk ;;
    valgrind) echo valgrind libc6-dbg ;;
    conformance) echo radosgw ceph-mon ceph-osd curl python3-venv ;;
    check) echo clang clang-format clang-tidy shellcheck universal-ctags python3-venv ;;
    fuzz) echo clang libclang-rt-dev ;;
    bench) echo postgresql python3-venv curl jq wrk ;;
    demo) echo postgresql curl jq ;;
    image) echo buildah debootstrap debian-archive-keyring postgresql python3 curl jq ;;
    *)
        echo "packages.sh: no group \"$1\"" >&2
        exit 2
        ;;
    esac
}

for name in "$@"; do
    group "$name"
done | tr ' ' '\n' | sort -u
