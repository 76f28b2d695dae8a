"""PostgreSQL stands still (SIGSTOP): the kernel still takes what is sent to it, and nothing comes back. Nobody waits for it for good."""

import concurrent.futures
import contextlib
import os
import signal
import time

import pytest

from tests.support.cluster import Cluster
from tests.support.vidbatch import Emulator, Service, wait_until

pytestmark = pytest.mark.alone

SETTINGS = {"VIDBATCH_HANDLER_THREADS": "2", "VIDBATCH_MAX_RUNNING_PER_CLIENT": "2", "VIDBATCH_QUERY_TIMEOUT": "300ms", "VIDBATCH_WORKERS": "3"}
PROMISE_S = 10


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


@contextlib.contextmanager
def frozen(cluster):
    postmaster = cluster.postmaster()
    os.kill(postmaster, signal.SIGSTOP)  # first: it makes no more children
    pids = [postmaster, *children(postmaster)]
    try:
        for pid in pids[1:]:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.stop()


@pytest.fixture
def world(cluster, tmp_path):
    emulator = Emulator(tmp_path / "emulator").start()
    service = Service(tmp_path / "service", cluster, emulator, **SETTINGS).start()
    yield cluster, emulator, service
    service.kill()
    emulator.stop()


def test_handlers_are_not_taken_for_good(world):
    cluster, emulator, service = world
    client = service.client()
    client.get("/v1/jobs")
    with frozen(cluster):
        with concurrent.futures.ThreadPoolExecutor(5) as pool:  # more than there are threads
            for answer in pool.map(lambda _: service.client().call("GET", "/v1/jobs", timeout=30), range(5)):
                assert answer.status_code == 503 and answer.json()["code"] in ("database_unavailable", "overloaded"), answer.text
                assert answer.headers["Retry-After"]
        assert client.call("GET", "/livez").status_code == 200
        assert "said nothing for 3300 ms" in service.log()
    wait_until("the service to be ready", lambda: client.call("GET", "/readyz").status_code == 200, 10)
    emulator.put_videos("videos/", 3)
    assert client.wait_scan(client.register("videos/")["id"])["video_count"] == 3
    assert service.stop() == 0


def test_a_stop_ends_in_time(world):
    cluster, emulator, service = world
    emulator.put_videos("more/", 3)
    client = service.client()
    with cluster.connect() as holder:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE video")
        client.register("more/")
        wait_until("the scan to stand at the lock", lambda: cluster.value(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'vidbatchd work'"))
        with frozen(cluster):
            started = time.monotonic()
            assert service.stop() == 0, service.log()[-3000:]
            assert time.monotonic() - started < PROMISE_S, service.log()[-3000:]
