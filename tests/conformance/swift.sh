#!/bin/bash
# OpenStack Swift for tests: its account, container and object servers and the proxy, which speaks S3 through its filter s3api. On 127.0.0.1 only.
#   usage: swift.sh start DIR    starts one and prints the URL of its S3; logs go to DIR
#          swift.sh stop DIR     ends it and removes what it stored
#          swift.sh version      "OpenStack Swift 2.38.3"; fails where it is not in build/swift-venv (venv.sh, swift-requirements.txt)
# CONFORMANCE_S3_KEY_ID ("account:user") and CONFORMANCE_S3_SECRET name the keys of its one user. Run it from the root of the tree.
set -euo pipefail
# shellcheck source=tests/conformance/lib.sh
. "$(dirname "$0")/lib.sh"
BIN=$PWD/build/swift-venv/bin

version() {
    "$BIN/python" -c 'import importlib.metadata; print("OpenStack Swift", importlib.metadata.version("swift"))'
}

# write_ring NAME PORT: one device, one copy.
write_ring() {
    "$BIN/python" - "$PLACE/$1.ring.gz" "$2" <<'END'
import sys

from swift.common.ring import RingBuilder

builder = RingBuilder(4, 1, 0)
port = int(sys.argv[2])
builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1, "ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1",
                 "replication_port": port, "device": "disk", "meta": ""})
builder.rebalance()
builder.get_ring().save(sys.argv[1])
END
}

# write_server NAME PORT PIPELINE: the part of a server's settings that all have.
write_server() {
    cat <<END
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $2
swift_dir = $PLACE
devices = $PLACE/devices
mount_check = false
fallocate_reserve = 0
workers = 0
user = $(id -un)
log_level = WARNING
[pipeline:main]
pipeline = $3
END
}

write_storage() {
    {
        write_server "$1" "$2" "$1-server"
        printf '[app:%s-server]\nuse = egg:swift#%s\nrecon_cache_path = %s\n' "$1" "$1" "$PLACE"
    } >"$PLACE/$1.conf"
    write_ring "$1" "$2"
}

# After Swift's own proxy-server.conf-sample and the page "S3/Swift REST API Comparison Matrix".
write_proxy() {
    local filter
    {
        write_server proxy "$1" "catch_errors gatekeeper listing_formats s3api tempauth bulk slo proxy-server"
        printf '[app:proxy-server]\nuse = egg:swift#proxy\nallow_account_management = true\naccount_autocreate = true\n'
        for filter in catch_errors gatekeeper listing_formats s3api tempauth bulk slo; do
            printf '[filter:%s]\nuse = egg:swift#%s\n' "$filter" "$filter"
            case $filter in
            s3api) echo "location = us-east-1" ;;
            tempauth) echo "user_${CONFORMANCE_S3_KEY_ID/:/_} = $CONFORMANCE_S3_SECRET .admin" ;;
            esac
        done
    } >"$PLACE/proxy.conf"
}

launch() {
    local name number=0
    local -a ports
    read -ra ports < <(free_ports 3)
    mkdir -p "$PLACE/devices/disk"
    printf '[swift-hash]\nswift_hash_path_suffix = suffix\nswift_hash_path_prefix = prefix\n' >"$PLACE/swift.conf"
    for name in account container object; do
        write_storage "$name" "${ports[number++]}"
    done
    write_proxy "$S3_PORT"
    for name in account container object proxy; do
        daemon "$name" "$BIN/swift-$name-server" "$PLACE/$name.conf" --verbose
    done
    wait_for_answer "http://127.0.0.1:$S3_PORT/"
}

start() {
    version >/dev/null
    : "${CONFORMANCE_S3_KEY_ID:?}" "${CONFORMANCE_S3_SECRET:?}"
    make_place swift
    read -r S3_PORT < <(free_ports 1)
    launch_or_stop launch
    echo "http://127.0.0.1:$S3_PORT"
}

run_server "$@"
