"""PostgreSQL on a disk that is really full, while a job runs: first there is no room for rows, then none for its log, and it ends. The service
says so, goes on by itself once there is room, and nothing is lost or done twice."""

import secrets

import psycopg
import pytest

from tests.support.cluster import SmallDisk
from tests.support.vidbatch import SANITIZED, Emulator, Service, wait_until

VIDEOS = 440
SHARDS = 3
READY_S = 40 if SANITIZED else 8
# A disk of 160 MB, of which the log takes a third.
OPTIONS = "-c synchronous_commit=on -c max_wal_size=48MB -c min_wal_size=32MB -c full_page_writes=on -c shared_buffers=16MB -c max_connections=30"
SETTINGS = {"VIDBATCH_SHARD_RECORDS": "200", "VIDBATCH_LEASE": "20s", "VIDBATCH_WORKERS": "3", "VIDBATCH_HANDLER_THREADS": "2"}
SAID = ("database_full", "database_unavailable", "database_busy", "commit_unknown")


@pytest.fixture
def cluster():
    made = SmallDisk(160, OPTIONS)
    yield made
    made.stop()


@pytest.fixture
def world(cluster, tmp_path):
    emulator = Emulator(tmp_path / "emulator", job_seconds=1).start()
    emulator.put_videos("videos/", VIDEOS)
    service = Service(tmp_path / "service", cluster, emulator, **SETTINGS)
    try:
        yield World(cluster, emulator, service.start())
        assert service.stop() == 0, service.log()[-3000:]
    finally:
        service.kill()
        emulator.stop()


class World:
    def __init__(self, cluster, emulator, service):
        self.cluster, self.emulator, self.service = cluster, emulator, service
        self.client = service.client()
        self.prefix_id = self.client.wait_scan(self.client.register("videos/")["id"])["id"]
        self.jobs = []
        emulator.fault(op="S3.CopyObject", action={"delay_ms": 20})

    def ask_for_a_job(self):
        """Gives the code of a 503; what is answered with 202 is to be done."""
        # each takes pages of its own, so that the room that tables still have is soon used up
        body = {"prefix_id": self.prefix_id, "prompt": secrets.token_hex(8000), "select": "all", "staging": "copy"}
        answer = self.client.call("POST", "/v1/jobs", json=body)
        assert answer.status_code in (202, 503), answer.text
        if answer.status_code == 202:
            self.jobs.append(answer.json()["id"])
            return None
        assert answer.json()["code"] in SAID and int(answer.headers["Retry-After"]) >= 1, answer.text
        return answer.json()["code"]

    def unfinished(self):
        return self.cluster.value("SELECT count(*) FROM job WHERE completed_at IS NULL")

    def stays_alive(self):
        assert self.client.call("GET", "/livez").status_code == 200 and self.service.child.poll() is None

    def is_ready(self):
        return self.client.call("GET", "/readyz").status_code == 200

    def assert_whole(self):
        """Each job that was promised is done, once; and so is none that was not, or that nobody was told of."""
        def ended():
            answer = self.client.call("GET", f"/v1/jobs/{job_id}")
            assert answer.status_code in (200, 503), answer.text
            return answer.status_code == 200 and answer.json()["state"] in ("completed", "failed", "cancelled") and answer.json()

        for job_id in self.jobs:
            job = wait_until(f"{job_id} to end", ended)
            assert (job["state"], job["outcome"], job["counts"]["succeeded"]) == ("completed", "success", VIDEOS), job
        wait_until("all work to be done", lambda: not self.cluster.query("SELECT FROM task WHERE kind <> 'watch'"))
        jobs = self.cluster.value("SELECT count(*) FROM job")
        assert jobs == self.cluster.value("SELECT count(*) FROM job WHERE state = 'completed'") >= len(self.jobs)
        assert self.cluster.value("SELECT count(*) FROM summary WHERE state = 'succeeded'") == jobs * VIDEOS
        assert self.cluster.value("SELECT count(DISTINCT (job_id, video_id)) FROM summary") == jobs * VIDEOS
        arns = [arn for (arn,) in self.cluster.query("SELECT bedrock_arn FROM shard")]
        assert sorted(arns) == sorted(job["arn"] for job in self.emulator.jobs()) and len(set(arns)) == jobs * SHARDS


def fill_while_it_stages(world):
    assert world.ask_for_a_job() is None
    wait_until("staging", lambda: world.cluster.value("SELECT count(*) FROM task WHERE kind = 'stage' AND state = 'running'"))
    world.cluster.fill()
    assert world.unfinished() == 1, "it was too quick to be disturbed"


def test_no_room_for_rows(world):
    fill_while_it_stages(world)
    told = wait_until("a refusal", world.ask_for_a_job, 20)
    assert told == "database_full", told
    world.stays_alive()
    assert world.client.get("/v1/jobs?limit=1")["data"], "reading must work"
    assert world.unfinished() >= 1
    world.cluster.empty()
    wait_until("the service to be ready", world.is_ready, READY_S)
    assert wait_until("a job to be taken", lambda: world.ask_for_a_job() is None, READY_S)
    world.assert_whole()


def test_no_room_for_its_log(world):
    """PostgreSQL ends, and cannot start again before there is room."""
    fill_while_it_stages(world)
    with pytest.raises(psycopg.Error):
        for _ in range(64):
            world.cluster.query("SELECT pg_logical_emit_message(true, 'ballast', repeat('x', 1000000))")
    assert "PANIC:  could not write" in world.cluster.log()
    wait_until("readiness to fall", lambda: not world.is_ready(), READY_S)
    told = wait_until("a refusal", world.ask_for_a_job, READY_S)
    assert told in SAID
    world.stays_alive()
    wait_until("PostgreSQL to give up", lambda: "database system is shut down" in world.cluster.log(), 20)
    assert world.ask_for_a_job() == "database_unavailable"
    world.cluster.empty()
    world.cluster.again()
    assert world.unfinished() >= 1
    wait_until("the service to be ready", world.is_ready, READY_S)
    world.assert_whole()
