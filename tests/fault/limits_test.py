"""Memory is flat, and a slow reader slows nobody."""

import json
import socket
import statistics
import threading
import time

import pytest
import requests

from tests.support.vidbatch import SANITIZED, wait_until

pytestmark = [
    pytest.mark.alone,
    pytest.mark.measures,
    pytest.mark.skipif(SANITIZED, reason="a sanitizer's memory and time say nothing about the program's"),
]


def test_memory_is_flat(stack):
    """20,000 videos listed and staged, then 50,000 records ingested, in one process; idle before."""
    database = stack.database()
    emulator = stack.emulator()
    emulator.control("POST", "buckets", {"name": "large"})
    service = stack.service(database, emulator, VIDBATCH_RETRY_CAP="1s")
    client = service.client()
    client.get("/v1/jobs")
    time.sleep(1)  # what is measured is rest: nothing is awaited here
    idle = service.status_kib("VmRSS")
    emulator.put_videos("twenty/", 20000)
    emulator.put_videos("fifty/", 50000)
    peaks = {}
    for prefix, count in (("twenty/", 20000), ("fifty/", 50000)):
        made = client.wait_scan(client.register(prefix)["id"])
        assert made["eligible_count"] == count
        job = client.wait_job(client.launch(made["id"])["id"], timeout_s=300)
        assert job["counts"]["succeeded"] == count
        peaks[prefix] = service.status_kib("VmHWM")
    lines = client.call("GET", f"/v1/jobs/{job['id']}/summaries?format=ndjson", 200, judge=False).text.count("\n")
    assert lines == 50000
    peak = service.status_kib("VmHWM")
    print(f"idle {idle} KiB, peaks {peaks}, after an export {peak} KiB")
    assert idle < 24 * 1024, f"idle: {idle} KiB"
    assert peak < 64 * 1024, f"peak: {peak} KiB"


class SlowReader(threading.Thread):
    """Asks for an export and takes a byte a second."""

    def __init__(self, port, path):
        super().__init__(daemon=True)
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        self.stopped = threading.Event()
        self.taken = 0

    def run(self):
        while not self.stopped.wait(1.0):
            self.taken += len(self.socket.recv(1))

    def end(self):
        self.stopped.set()
        self.socket.close()


def latency_s(service, path, count=300):
    session = requests.Session()
    times = []
    for _ in range(count):
        started = time.perf_counter()
        assert session.get(service.url + path, timeout=30).status_code == 200
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def test_slow_readers_slow_nobody(stack):
    database, emulator = stack.database(), stack.emulator()
    emulator.put_videos("v/", 20000)
    service = stack.service(database, emulator)
    client = service.client()
    prefix = client.wait_scan(client.register("v/")["id"])
    job = client.wait_job(client.launch(prefix["id"])["id"])
    path = f"/v1/jobs/{job['id']}"
    latency_s(service, path)
    alone = latency_s(service, path)
    readers = [SlowReader(service.port, f"{path}/summaries?format=ndjson") for _ in range(64)]
    for reader in readers:
        reader.start()
    wait_until("the readers to read", lambda: all(reader.taken for reader in readers))
    beside = latency_s(service, path)
    export = requests.get(f"{service.url}{path}/summaries?format=ndjson", timeout=60)
    for reader in readers:
        reader.end()
    print(f"median latency alone {alone * 1e3:.2f} ms, beside 64 slow readers {beside * 1e3:.2f} ms")
    assert export.text.count("\n") == 20000 and json.loads(export.text.splitlines()[-1])
    assert beside < 2 * alone + 0.002
    assert service.status_kib("VmHWM") < 160 * 1024
    wait_until("their connections to be closed", lambda: "vidbatch_http_streams 0" in client.call("GET", "/metrics", 200).text)
