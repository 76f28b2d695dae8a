#!/bin/bash
# A Ceph cluster for tests: one monitor, one OSD that stores in memory, and radosgw, which speaks S3. On 127.0.0.1 only, as any user.
#   usage: ceph.sh start DIR    starts one and prints the URL of its S3; logs go to DIR
#          ceph.sh stop DIR     ends it and removes what it stored
#          ceph.sh version      "Ceph RGW 16.2.15"; fails where the programs are not installed (packages.sh conformance)
# CONFORMANCE_S3_KEY_ID and CONFORMANCE_S3_SECRET name the keys of the one user that is made.
set -euo pipefail
# shellcheck source=tests/conformance/lib.sh
. "$(dirname "$0")/lib.sh"

version() {
    local program
    for program in ceph ceph-authtool monmaptool ceph-mon ceph-osd radosgw radosgw-admin; do
        command -v "$program" >/dev/null || die "$program is not installed"
    done
    radosgw --version | sed 's/^ceph version \([^ ]*\) .*/Ceph RGW \1/'
}

# No authentication between the daemons, one copy of everything, one placement group a pool. tcp_nodelay: without it every answer with a body waits
# 40 ms for the client's acknowledgement. The names of objects in the OSD are longer than S3's keys.
write_settings() {
    cat >"$PLACE/ceph.conf" <<END
[global]
fsid = $FSID
mon host = v1:127.0.0.1:$MON_PORT
mon initial members = a
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
ms bind ipv4 = true
ms bind ipv6 = false
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 2000
mon data avail crit = 1
mon data avail warn = 2
mon tick interval = 1
mon client hunt interval = 0.5
paxos propose interval = 0.05
paxos min wait = 0.01
run dir = $PLACE/run
crash dir = $PLACE/run
admin socket =
pid file =
keyring = $PLACE/keyring
log file = $DIR/\$name.log
[mon.a]
mon data = $PLACE/mon
mon addr = v1:127.0.0.1:$MON_PORT
[osd]
osd data = $PLACE/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd max object name len = 2048
[client]
rgw data = $PLACE/rgw
rgw frontends = beast endpoint=127.0.0.1:$S3_PORT tcp_nodelay=1
END
}

launch() {
    local osd_id
    osd_id=$(cat /proc/sys/kernel/random/uuid)
    export CEPH_ARGS="-c $PLACE/ceph.conf"
    ceph-authtool --create-keyring "$PLACE/keyring" --gen-key -n mon. --cap mon 'allow *'
    ceph-authtool "$PLACE/keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *'
    monmaptool --create --addv a "[v1:127.0.0.1:$MON_PORT]" --fsid "$FSID" "$PLACE/monmap"
    ceph-mon --mkfs -i a --monmap "$PLACE/monmap" --keyring "$PLACE/keyring"
    daemon mon ceph-mon -f -i a
    timeout 30 ceph osd new "$osd_id"
    ceph-osd -i 0 --mkfs --osd-uuid "$osd_id"
    daemon osd "$0" run-osd
    daemon rgw radosgw -f -n client.admin
    wait_for_answer "http://127.0.0.1:$S3_PORT/"
    timeout 30 radosgw-admin user create --uid=conformance --display-name=conformance \
        --access-key="$CONFORMANCE_S3_KEY_ID" --secret-key="$CONFORMANCE_S3_SECRET" >/dev/null # which shows the secret
}

start() {
    version >/dev/null
    : "${CONFORMANCE_S3_KEY_ID:?}" "${CONFORMANCE_S3_SECRET:?}"
    make_place ceph
    mkdir "$PLACE/mon" "$PLACE/osd" "$PLACE/rgw" "$PLACE/run"
    FSID=$(cat /proc/sys/kernel/random/uuid)
    read -r MON_PORT S3_PORT < <(free_ports 2)
    write_settings
    launch_or_stop launch
    echo "http://127.0.0.1:$S3_PORT"
}

# The OSD may ask the monitor before it has been told the cluster's id, and ends then ("wrong fsid").
run_osd() {
    local try
    for try in 1 2 3 4 5 6 7 8; do
        ceph-osd -f -i 0 || echo "try $try ended with $?"
    done
}

if [ "${1:-}" = run-osd ]; then
    run_osd
else
    run_server "$@"
fi
