#!/bin/bash
# Builds the Dockerfile without a Docker daemon and runs what came out: buildah with chroot isolation and the vfs driver.
#   usage: image_test.sh      (from the root of the tree, as root)
# The base image is made by debootstrap and tagged as the Dockerfile's debian:bookworm-slim (kept under build/image for the
# next run); with VIDBATCH_BASE_IMAGE=registry the real one is pulled instead.
set -uo pipefail
# shellcheck source=tests/image/lib.sh
. tests/image/lib.sh

work=$PWD/build/image
mkdir -p "$work"
server_pid=
container=
trap cleanup EXIT

# shellcheck disable=SC2317 # the trap calls it
cleanup() {
    [ -z "$server_pid" ] || kill -KILL "$server_pid" 2>/dev/null
    tests/support/postgres.sh stop "$work/postgres"
    # The images are made anew each time and are large; the base's tar file stays.
    buildah_here rm --all >/dev/null 2>&1
    buildah_here rmi --all --force >/dev/null 2>&1
}

skip_unless_possible() {
    local program
    [ "$(id -u)" -eq 0 ] || skip_all "buildah's chroot isolation needs root"
    for program in buildah debootstrap; do
        command -v "$program" >/dev/null || skip_all "$program is not installed"
    done
    make_base || skip_all "no base image: $(tail -1 "$work/base.log")"
    probe=$(buildah_here from --pull-never "$BASE" 2>&1) || skip_all "buildah cannot run here: $probe"
    said=$(buildah_here run --isolation chroot "$probe" -- true 2>&1)
    status=$?
    buildah_here rm "$probe" >/dev/null 2>&1
    [ "$status" -eq 0 ] || skip_all "buildah cannot run here: $(tail -1 <<<"$said")"
}

build_image() {
    host_apt_settings "$work/apt.conf"
    buildah_here build --isolation chroot --network host --format docker --pull-never --no-cache --force-rm \
        --volume "$work/apt.conf:/etc/apt/apt.conf.d/99host:ro" --tag "$IMAGE" . >"$work/build.log" 2>&1 </dev/null
}

# What the image says about itself.
test_settings() {
    local config
    config=$(buildah_here inspect --type image "$IMAGE" | jq -c .Docker.config)
    is "the user is not root" "$(jq -r .User <<<"$config")" 10001:10001
    is "the stop signal" "$(jq -r .StopSignal <<<"$config")" SIGTERM
    is "the health check" "$(jq -c .Healthcheck.Test <<<"$config")" '["CMD","/usr/local/bin/vidbatchd","health"]'
    is "the port" "$(jq -c '.ExposedPorts | keys' <<<"$config")" '["8080/tcp"]'
    is "migrations on start" "$(jq -r '.Env[]' <<<"$config" | grep MIGRATE)" VIDBATCH_MIGRATE_ON_START=true
}

# What lies in it.
test_contents() {
    local root=$1 tools
    # shellcheck disable=SC2016 # dpkg-query fills it in
    tools=$(chroot "$root" dpkg-query -W -f '${Package}\n' | grep -E '(-dev|^gcc|^g\+\+|^clang|^make|^python3|^binutils)$')
    is "no compiler and no development package" "$tools" ""
    is "all libraries are there" "$(chroot "$root" ldd /usr/local/bin/vidbatchd | grep 'not found')" ""
    is "the licence is there" "$(cmp LICENSE "$root/usr/share/doc/vidbatch/LICENSE" && echo same)" same
    is "the user owns no file" "$(find "$root" -xdev -uid 10001 | head -3)" ""
    is "the program is not writable for its user" "$(stat -c '%U %a' "$root/usr/local/bin/vidbatchd")" "root 755"
}

in_container() { # in_container [--env NAME=VALUE...] -- COMMAND...
    buildah_here run --isolation chroot "${service_env[@]}" "$container" "$@"
}

test_commands() {
    local version said
    version=$(sed -n 's/^VERSION := //p' Makefile)
    is "it runs as" "$(in_container -- id -u)" 10001
    is "--version" "$(in_container -- vidbatchd --version | grep -oF "$version")" "$version"
    said=$(in_container -- vidbatchd --check 2>&1)
    ok "--check accepts good settings" $? "$said"
    said=$(buildah_here run --isolation chroot "${service_env[@]}" --env VIDBATCH_LISTEN=nonsense "$container" -- vidbatchd --check 2>&1)
    is "--check refuses a bad one by name" "$?:$(grep -o -m 1 VIDBATCH_LISTEN <<<"$said")" "2:VIDBATCH_LISTEN"
    said=$(in_container -- vidbatchd health 2>&1)
    ok "health fails while nothing listens" $((!$?)) "$said"
}

# The service in the container against a real database: starts, migrates, is healthy, stops on its signal.
test_service() {
    local root=$1 started=$SECONDS status=1
    in_container -- vidbatchd >"$work/server.log" 2>&1 </dev/null &
    local runner=$!
    while [ $((SECONDS - started)) -lt 30 ] && kill -0 "$runner" 2>/dev/null; do
        curl -fsS -o /dev/null "http://127.0.0.1:$port/livez" 2>/dev/null && status=0 && break
        sleep 0.2
    done
    ok "/livez answers" "$status" "$(tail -5 "$work/server.log")"
    [ "$status" -eq 0 ] || { kill "$runner" 2>/dev/null; wait "$runner" 2>/dev/null; return; }
    in_container -- vidbatchd health >/dev/null 2>&1
    ok "health agrees" $? ""
    is "the tables are there" "$(psql -At "$database" -c "SELECT to_regclass('job') IS NOT NULL")" t
    server_pid=$(pid_of_program "$root/usr/local/bin/vidbatchd")
    is "the process is not root" "$(awk '$1 == "Uid:" { print $2 }' "/proc/$server_pid/status")" 10001
    kill -TERM "$server_pid"
    wait "$runner"
    ok "SIGTERM ends it cleanly" $? "$(tail -5 "$work/server.log")"
    server_pid=
}

skip_unless_possible
build_image
ok "the Dockerfile builds" $? "$(tail -15 "$work/build.log")"
if [ "$FAILED" -eq 0 ]; then
    container=$(buildah_here from --pull-never "$IMAGE")
    root=$(buildah_here mount "$container")
    database=$(tests/support/postgres.sh start "$work/postgres") || exit 1
    port=$(free_port)
    service_env=(
        --env "VIDBATCH_DATABASE_URL=$database" --env "VIDBATCH_LISTEN=0.0.0.0:$port" --env VIDBATCH_ALLOW_OPEN=true
        --env VIDBATCH_ROLE_ARN=arn:aws:iam::111122223333:role/vidbatch --env VIDBATCH_STAGING_URI=s3://bucket/in
        --env VIDBATCH_OUTPUT_URI=s3://bucket/out --env AWS_REGION=us-east-1 --env AWS_ACCESS_KEY_ID=AKIDEXAMPLE
        --env AWS_SECRET_ACCESS_KEY=secret
    )
    test_settings
    test_contents "$root"
    test_commands
    test_service "$root"
fi
finish
