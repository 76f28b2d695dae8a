"""A prefix of 1,000,000 videos into the database by the whole service: listing, comparing, storing; then the same again without changes.
Peer: COPY FROM a file on the server's disk of the very same rows, text format, in key order, into the same emptied table with its indexes."""

import time

from tests.support.vidbatch import wait_until


def scan(client, database, prefix_id):
    """Seconds of one scan, as the service itself stamps them."""
    client.post(f"/v1/prefixes/{prefix_id}/scan", want=202)

    def over():
        state, seconds = database.query("SELECT scan_state, extract(epoch FROM scan_finished_at - scan_started_at) FROM prefix")[0]
        assert state != "failed", database.value("SELECT scan_error::text FROM prefix")
        return float(seconds) if state == "done" else None

    return wait_until("the scan", over, 600, 0.2)  # the service stamps it, so looking seldom costs nothing


def run(bench):
    count = bench.size(1_000_000, 1000)
    emulator = bench.emulator("scan", "--synthetic", f"bucket=million,count={count},prefix=v/")
    database = bench.database()
    service = bench.service("scan", database, emulator)
    client = service.client()
    prefix_id = client.register("v/", "million")["id"]
    client.wait_scan(prefix_id, 600)
    file = f"/tmp/{database.name}-videos.copy"
    database.query(f"COPY (SELECT * FROM video ORDER BY name) TO '{file}'")

    def empty():
        database.query("TRUNCATE video")
        database.query("CHECKPOINT")

    def first():
        empty()
        seconds = scan(client, database, prefix_id)
        assert database.value("SELECT count(*) FROM video WHERE vanished_at IS NULL") == count
        return seconds

    def again():
        before = database.value("SELECT max(xmin::text::int8) FROM video")
        seconds = scan(client, database, prefix_id)
        assert database.value("SELECT max(xmin::text::int8) FROM video") == before, "a rescan wrote rows"
        return seconds

    def copy():
        empty()
        start = time.monotonic()
        database.query(f"COPY video FROM '{file}'")
        return time.monotonic() - start

    try:
        took = bench.interleave(copy=copy, first=first, again=again)
    finally:
        database.query(f"COPY (SELECT) TO PROGRAM 'rm -f {file}'")
    ours, peer = f"{took['first']:.2f} s", f"COPY of the same rows: {took['copy']:.2f} s"
    bench.at_most(f"scan {count:,} keys into the database", took["first"] / took["copy"], 1.5, ours, peer)
    bench.at_most("rescan without changes", took["again"] / took["first"], 0.5, f"{took['again']:.2f} s", f"the first scan: {took['first']:.2f} s")
    bench.memory(f"service with {count:,} videos in one prefix", service.status_kib("VmHWM"))
