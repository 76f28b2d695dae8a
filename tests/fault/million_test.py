"""A million videos: what was planned is what ran, under a quota of three Bedrock jobs, with two replicas and kill -9 now and then."""

import os
import random
import time

import pytest

from tests.support.vidbatch import SANITIZED, wait_until

VIDEOS = int(os.environ.get("MILLION_VIDEOS", "1000000"))  # `make test` takes fewer, `make integration` and `make soak` all of them
SHARD_RECORDS = VIDEOS * 9 // 100
SLOTS = 3
PATIENCE_S = 1500  # other suites may have the processors
FINAL = ("completed", "failed", "cancelled")

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(SANITIZED, reason="a million videos take too long under a sanitizer; the same paths run there with fewer"),
]


def most_at_once(jobs):
    """From the stand-in's own times: how many Bedrock jobs were there at the same moment."""
    moments = sorted([(j["submitted_at"], 1) for j in jobs] + [(j["ended_at"], -1) for j in jobs])
    most = now = 0
    for _, step in moments:
        now += step
        most = max(most, now)
    return most


def test_a_million_videos(stack):
    dice = random.Random(20261126)
    database = stack.database()
    emulator = stack.emulator(job_seconds=4)
    emulator.control("POST", "buckets", {"name": "archive", "synthetic_count": VIDEOS, "synthetic_prefix": "v/"})
    settings = {"VIDBATCH_SHARD_RECORDS": str(SHARD_RECORDS), "VIDBATCH_CONCURRENT_JOBS": str(SLOTS), "VIDBATCH_LOG_LEVEL": "info"}
    replicas = [stack.service(database, emulator, name="a", **settings)]
    replicas.append(stack.service(database, emulator, name="b", **settings))
    clock = time.monotonic()

    def took(what):
        nonlocal clock
        now = time.monotonic()
        print(f"{what}: {now - clock:.1f} s")
        clock = now

    prefix = replicas[0].client().wait_scan(replicas[0].client().register("v/", bucket="archive")["id"], timeout_s=PATIENCE_S)
    assert prefix["eligible_count"] == VIDEOS
    took("scan")
    order = {"prefix_id": prefix["id"], "prompt": "Describe the video.", "preflight": "listing"}
    plan = replicas[1].client().post("/v1/plans", order, 202).json()

    def planned():
        found = replicas[1].client().get(f"/v1/plans/{plan['id']}")
        return found if found["state"] != "planning" else None

    plan = wait_until("the plan", planned, PATIENCE_S)
    assert plan["state"] == "ready", plan
    took("plan")
    expected = -(-VIDEOS // SHARD_RECORDS)
    assert len(plan["shards"]) == expected >= 10
    assert sum(s["records"] for s in plan["shards"]) == plan["videos"]["taken"] == VIDEOS
    assert all(s["records"] <= SHARD_RECORDS for s in plan["shards"])

    job = replicas[0].client().post("/v1/jobs", {"plan_id": plan["id"]}, 202).json()
    kills, deadline = 0, time.monotonic() + PATIENCE_S
    peaks = {"a": 0, "b": 0}
    while True:
        assert time.monotonic() < deadline, job
        pause = time.monotonic() + dice.uniform(6.0, 14.0)
        while time.monotonic() < pause and job["state"] not in FINAL:
            time.sleep(0.5)
            job = replicas[1].client().get(f"/v1/jobs/{job['id']}")
            counts = job["counts"]
            assert counts["total"] == VIDEOS == counts["pending"] + counts["succeeded"] + counts["failed"] + counts["missing"]
        for replica, name in zip(replicas, peaks):
            peaks[name] = max(peaks[name], replica.status_kib("VmHWM"))
        if job["state"] in FINAL:
            break
        victim = replicas[dice.randrange(2)]
        victim.kill()
        victim.start()
        kills += 1
    took(f"job with {kills} kills")
    assert (job["state"], job["outcome"]) == ("completed", "success"), job
    assert job["counts"]["succeeded"] == VIDEOS and kills > 0

    shards = replicas[0].client().pages(f"/v1/jobs/{job['id']}/shards")
    assert [s["counts"]["total"] for s in shards] == [s["records"] for s in plan["shards"]]
    made = emulator.jobs()
    assert sorted(j["arn"] for j in made) == sorted(s["bedrock"]["arn"] for s in shards) and len(made) == expected
    assert most_at_once(made) <= SLOTS
    assert database.value("SELECT count(*) FROM summary WHERE state = 'succeeded'") == VIDEOS
    assert database.value("SELECT count(DISTINCT video_id) FROM summary") == VIDEOS
    print(f"peaks in KiB: {peaks}")
    assert max(peaks.values()) < 96 * 1024, peaks
