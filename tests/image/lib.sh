# shellcheck shell=bash disable=SC2034,SC2154 # the two scripts share their variables
# Pieces of the image test. Sourced by image_test.sh, which sets work (a folder under build/).
PASSED=0
FAILED=0
IMAGE=localhost/vidbatch:test
BASE=docker.io/library/debian:bookworm-slim

ok() { # ok WHAT STATUS DETAILS
    if [ "$2" -eq 0 ]; then
        PASSED=$((PASSED + 1))
        echo "ok    $1"
    else
        FAILED=$((FAILED + 1))
        echo "FAIL  $1"
        [ -z "$3" ] || printf '%s\n' "$3" | sed 's/^/      /'
    fi
}

is() { # is WHAT GOT WANTED
    [ "$2" = "$3" ]
    ok "$1: ${3:-(nothing)}" $? "got: $2"
}

skip_all() {
    echo "skip  $1"
    echo "image: 0 passed, 0 failed, 1 skipped"
    exit 0
}

finish() {
    echo "image: $PASSED passed, $FAILED failed, 0 skipped"
    [ "$FAILED" -eq 0 ]
    exit
}

# Everything that buildah stores stays under build/.
buildah_here() {
    buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"
}

# Makes the base image once; its tar file outlives the storage.
make_base() {
    buildah_here inspect --type image "$BASE" >/dev/null 2>&1 && return
    {
        if [ "${VIDBATCH_BASE_IMAGE:-}" = registry ]; then
            buildah_here pull "$BASE"
        else
            { [ -s "$work/base.tar" ] || make_base_tar; } && import_base_tar
        fi
    } >"$work/base.log" 2>&1
}

make_base_tar() {
    local tree mirror
    tree=$(mktemp -d "$work/base.XXXXXX") || return 1
    chmod 755 "$tree" # it becomes the image's root
    # shellcheck disable=SC2086 # without a mirror of the caller's, debootstrap's own
    debootstrap --variant=minbase bookworm "$tree" ${DEBIAN_MIRROR:-} || { rm -rf "$tree"; return 1; }
    read -r _ mirror _ <"$tree/etc/apt/sources.list" # as debootstrap wrote it
    # As in the published image: updates and security beside the release.
    {
        echo "deb $mirror bookworm main"
        echo "deb $mirror bookworm-updates main"
        echo "deb ${mirror%/debian}/debian-security bookworm-security main"
    } >"$tree/etc/apt/sources.list"
    rm -rf "$tree"/var/lib/apt/lists/* "$tree"/var/cache/apt/* "$tree"/usr/share/{doc,man,locale}/*
    tar -C "$tree" -cf "$work/base.tar.new" . && mv "$work/base.tar.new" "$work/base.tar"
    local status=$?
    rm -rf "$tree"
    return "$status"
}

import_base_tar() {
    local empty
    empty=$(buildah_here from scratch) || return 1
    buildah_here add "$empty" "$work/base.tar" / >/dev/null &&
        buildah_here config --cmd bash "$empty" &&
        buildah_here commit --rm "$empty" "$BASE"
}

# This machine's way to the package mirrors (a proxy, say) serves the build too, without a word of it in the Dockerfile.
host_apt_settings() {
    apt-config dump 2>/dev/null | grep -E '^Acquire::(http|https|Retries|Check-)' >"$1" || : >"$1"
}

free_port() {
    /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# The process that runs exactly this file.
pid_of_program() {
    local link
    for link in /proc/[0-9]*/exe; do
        if [ "$link" -ef "$1" ]; then
            link=${link%/exe}
            echo "${link#/proc/}"
            return
        fi
    done
}
