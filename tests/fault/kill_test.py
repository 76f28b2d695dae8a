"""kill -9 at random moments, in every step of a job: it completes, each record once, one Bedrock job per shard."""

import collections
import contextlib
import random
import time

import psycopg
import pytest

from tests.support.vidbatch import SANITIZED, wait_until

pytestmark = pytest.mark.both

STEPS = ("scan", "plan", "stage", "submit", "watch", "ingest", "finish")
KILLS = 12 if SANITIZED else 48
EACH = 2 if SANITIZED else 3
VIDEOS = 310
# Here every death is the test's own doing: a slow machine may need more of them in a row than a step is usually given.
PATIENT = {"VIDBATCH_MAX_FAILURES": "1000"}
FINAL = ("completed", "failed", "cancelled")


def slow_everything_down(emulator):
    """So that each step lasts long enough to be hit, at any of its calls."""
    emulator.clear_faults()
    for op in ("S3.ListObjectsV2", "Bedrock.CreateModelInvocationJob", "Bedrock.ListModelInvocationJobs", "S3.GetObject", "S3.PutObject",
               "S3.DeleteObjects"):
        emulator.fault(op=op, action={"delay_ms": 120})
    emulator.fault(op="S3.CopyObject", action={"delay_ms": 25})


def running_steps(database):
    try:
        return [row[0] for row in database.query("SELECT kind FROM task WHERE state = 'running' AND lease_until > now()")]
    except psycopg.Error:
        return []


def assert_exactly_once(database, emulator, jobs):
    for job in jobs:
        assert (job["state"], job["outcome"]) == ("completed", "success"), job
        assert job["counts"]["succeeded"] == VIDEOS
    shards = database.query("SELECT id, bedrock_arn, record_count FROM shard")
    assert database.value("SELECT count(*) FROM record") == sum(s[2] for s in shards) == VIDEOS * len(jobs)
    assert database.value("SELECT count(*) FROM summary WHERE state = 'succeeded'") == VIDEOS * len(jobs)
    assert database.value("SELECT count(DISTINCT (job_id, video_id)) FROM summary") == VIDEOS * len(jobs)
    # the other side is the witness
    created = emulator.jobs()
    assert sorted(j["arn"] for j in created) == sorted(s[1] for s in shards)
    assert database.value("SELECT count(*) FROM task WHERE kind <> 'watch' AND state = 'dead'") == 0
    leftover = wait_until("the queue to be empty", lambda: database.value("SELECT count(*) FROM task WHERE kind <> 'watch'") == 0)
    assert leftover


def launch_one(service, emulator, prefix_id):
    client = service.client()
    client.post(f"/v1/prefixes/{prefix_id}/scan", want=202)  # so that each round passes through a scan too
    # Without the look into each video: slowed down like the rest, a page of it takes longer than the service lives here. A kill in the
    # midst of that has a test of its own (plans_test.py).
    return client.launch(prefix_id, select="all", preflight="listing")["id"]


def kill_and_restart(service, dice, hits, database, longest_s=0.5):
    time.sleep(dice.uniform(0.0, longest_s))
    steps = running_steps(database)
    service.kill()
    hits.update(steps or ["idle"])
    service.start()


@contextlib.contextmanager
def held_up(database, table):
    """A step that writes this table stands still in its transaction meanwhile: the quick ones are hit too."""
    with psycopg.connect(database.url) as connection:
        connection.execute(f"LOCK TABLE {table} IN SHARE MODE")
        yield


@contextlib.contextmanager
def held_listing(emulator):
    """A scan stands still at its first page meanwhile: without changes it writes no table that could hold it up."""
    emulator.clear_faults()
    emulator.fault(op="S3.ListObjectsV2", action={"delay_ms": 10_000})
    yield
    slow_everything_down(emulator)


def kill_in(step, hold, service, emulator, prefix_id, dice, hits, database):
    """A job, and the service killed while it is in just this step of it."""
    with hold:
        job = launch_one(service, emulator, prefix_id)
        wait_until(f"step {step}", lambda: step in running_steps(database))
        kill_and_restart(service, dice, hits, database, longest_s=0.1)
    return job


def test_kill_9_in_every_step(stack):
    dice = random.Random(20261123)
    database, emulator = stack.database(), stack.emulator(job_seconds=1)
    emulator.put_videos("videos/", VIDEOS)
    service = stack.service(database, emulator, VIDBATCH_SHARD_RECORDS="200", VIDBATCH_LEASE="600ms", VIDBATCH_HEARTBEAT="150ms", **PATIENT)
    prefix = service.client().wait_scan(service.client().register("videos/")["id"])
    slow_everything_down(emulator)
    hits, kills, jobs = collections.Counter(), 0, []
    deadline = time.monotonic() + 420
    while kills < KILLS or any(hits[step] < EACH for step in STEPS):
        assert time.monotonic() < deadline, f"after {kills} kills not every step was hit: {dict(hits)}"
        if hits["scan"] < EACH:
            jobs.append(kill_in("scan", held_listing(emulator), service, emulator, prefix["id"], dice, hits, database))
        elif hits["plan"] < EACH:
            jobs.append(kill_in("plan", held_up(database, "record"), service, emulator, prefix["id"], dice, hits, database))
        elif service.client().get(f"/v1/jobs/{jobs[-1]}")["state"] in FINAL:
            jobs.append(launch_one(service, emulator, prefix["id"]))
            continue
        else:
            kill_and_restart(service, dice, hits, database)
        kills += 1
    emulator.clear_faults()
    ended = [service.client().wait_job(job) for job in jobs]
    print(f"{kills} kills, steps that were running: {dict(hits)}, {len(jobs)} jobs")
    assert_exactly_once(database, emulator, ended)


def test_two_replicas_and_kills(stack):
    dice = random.Random(7)
    database, emulator = stack.database(), stack.emulator(job_seconds=1)
    emulator.put_videos("videos/", VIDEOS)
    settings = {"VIDBATCH_SHARD_RECORDS": "200", "VIDBATCH_LEASE": "600ms", "VIDBATCH_HEARTBEAT": "150ms", **PATIENT}
    replicas = [stack.service(database, emulator, name="a", start=False, **settings).spawn(), stack.service(database, emulator, name="b", **settings)]
    wait_until("the first replica", replicas[0]._listens)
    prefix = replicas[1].client().wait_scan(replicas[1].client().register("videos/")["id"])
    slow_everything_down(emulator)
    jobs = [launch_one(replicas[n % 2], emulator, prefix["id"]) for n in range(3)]
    hits = collections.Counter()
    for _ in range(6 if SANITIZED else 16):
        kill_and_restart(replicas[dice.randrange(2)], dice, hits, database)
    emulator.clear_faults()
    ended = [replicas[n % 2].client().wait_job(job) for n, job in enumerate(jobs)]
    assert_exactly_once(database, emulator, ended)
    for replica in replicas:
        assert "step.end" in replica.log(), "both replicas must have worked"


def test_sigterm_gives_work_back_and_ends_in_ten_seconds(stack):
    database, emulator = stack.database(), stack.emulator()
    emulator.put_videos("videos/", VIDEOS)
    service = stack.service(database, emulator, VIDBATCH_LEASE="60s", VIDBATCH_HEARTBEAT="15s")
    prefix = service.client().wait_scan(service.client().register("videos/")["id"])
    emulator.fault(op="S3.CopyObject", action={"delay_ms": 400})
    job = service.client().launch(prefix["id"])["id"]
    wait_until("staging", lambda: "stage" in running_steps(database))
    started = time.monotonic()
    assert service.stop() == 0, service.log()[-2000:]
    assert time.monotonic() - started < 10
    assert running_steps(database) == []  # given back, not left to a lease of a minute
    emulator.clear_faults()
    service.start()
    assert service.client().wait_job(job)["outcome"] == "success"
    assert_exactly_once(database, emulator, [service.client().get(f"/v1/jobs/{job}")])


def test_migrations_may_start_at_once(stack):
    database, emulator = stack.database(), stack.emulator()
    replicas = [stack.service(database, emulator, name=f"r{n}", start=False).spawn() for n in range(4)]
    for replica in replicas:
        wait_until("a replica to listen", replica._listens)
    assert database.value("SELECT count(*) FROM schema_migration") == database.value("SELECT max(number) FROM schema_migration")
