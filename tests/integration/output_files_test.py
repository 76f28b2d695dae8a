"""Several output files of one Bedrock job: read by a task each, every record once."""

import json
import random
import time

import pytest

from tests.support.vidbatch import SANITIZED, wait_until

VIDEOS = 400
ERROR = {"errorCode": 500, "errorMessage": "not this time", "expired": False, "retryable": True}


@pytest.fixture
def parts(stack):
    """A completed job whose one output file became six that overlap: lines of errors for what another file answers, and lines twice."""
    database, emulator = stack.database(), stack.emulator()
    emulator.put_videos("videos/", VIDEOS)
    service = stack.service(database, emulator, VIDBATCH_LEASE="600ms", VIDBATCH_HEARTBEAT="150ms", VIDBATCH_WORKERS="6")
    client = service.client()
    prefix = client.wait_scan(client.register("videos/")["id"])
    job = client.wait_job(client.launch(prefix["id"])["id"])
    s3 = emulator.s3()
    (key,) = [o["Key"] for o in s3.list_objects_v2(Bucket="videos", Prefix="output/")["Contents"] if o["Key"].endswith(".jsonl.out")]
    lines = [json.loads(line) for line in s3.get_object(Bucket="videos", Key=key)["Body"].read().splitlines()]
    failed = [{"recordId": line["recordId"], "modelInput": line["modelInput"], "error": ERROR} for line in lines]
    files = [lines[n * 100:(n + 1) * 100] + failed[(n * 100 + 90) % VIDEOS:][:60] for n in range(4)]
    files += [list(reversed(lines[150:250])), failed[:50]]
    for n, part in enumerate(files):
        body = "".join(json.dumps(line) + "\n" for line in part)
        s3.put_object(Bucket="videos", Key=key.replace("input.jsonl.out", f"part{n}.jsonl.out"), Body=body)
    s3.delete_object(Bucket="videos", Key=key)
    # only what the files say counts from here on
    database.query("DELETE FROM summary")
    return database, emulator, service, job, sum(len(part) for part in files) - VIDEOS


def reingest(client, job):
    client.post(f"/v1/jobs/{job['id']}/reingest", want=202)
    return client.wait_job(job["id"])


def assert_each_once(database, client, job, duplicates):
    assert (job["state"], job["outcome"]) == ("completed", "success"), job
    assert job["counts"] == {"total": VIDEOS, "pending": 0, "succeeded": VIDEOS, "failed": 0, "missing": 0}
    (shard,) = client.pages(f"/v1/jobs/{job['id']}/shards")
    assert shard["counts"]["duplicate_lines"] == duplicates
    assert database.value("SELECT count(*) FROM summary WHERE state = 'succeeded' AND text <> ''") == VIDEOS
    assert database.value("SELECT count(*) FROM task WHERE kind = 'ingest_file'") == 0


def test_a_success_in_any_file_counts(parts):
    database, _, service, job, duplicates = parts
    client = service.client()
    assert_each_once(database, client, reingest(client, job), duplicates)
    # and again, over rows that are there
    assert_each_once(database, client, reingest(client, job), duplicates)
    assert service.log().count("step=ingest_file") >= 12


@pytest.mark.both
def test_kill_9_while_files_are_read(parts):
    database, emulator, service, job, duplicates = parts
    dice = random.Random(20261126)
    emulator.fault(op="S3.GetObject", key=".jsonl.out", action={"slow_body": 400_000})
    hits, deadline = 0, time.monotonic() + 240
    while hits < (2 if SANITIZED else 6):
        assert time.monotonic() < deadline, hits
        client = service.client()
        if client.get(f"/v1/jobs/{job['id']}")["state"] == "completed":
            database.query("DELETE FROM summary")
            client.post(f"/v1/jobs/{job['id']}/reingest", want=202)
        time.sleep(dice.uniform(0.05, 0.6))
        hits += database.value("SELECT count(*) FROM task WHERE kind = 'ingest_file' AND state = 'running'") > 0
        service.kill()
        service.start()
    emulator.clear_faults()
    ended = service.client().wait_job(job["id"])
    assert ended["counts"]["succeeded"] == VIDEOS and ended["state"] == "completed"
    assert database.value("SELECT count(*) FROM summary") == VIDEOS


def test_a_file_that_cannot_be_read(parts):
    database, emulator, service, job, duplicates = parts
    client = service.client()
    emulator.fault(op="S3.GetObject", key="part2.jsonl.out", action={"status": 403, "code": "AccessDenied"})
    ended = reingest(client, job)
    assert ended["outcome"] == "partial" and "reingest" in ended["error"]["message"], ended
    # the other files are stored; what only this one answers is said to be unread
    assert ended["counts"]["succeeded"] == 350 and ended["counts"]["failed"] + ended["counts"]["missing"] == 50
    causes = {g["cause"]: g["count"] for g in client.get(f"/v1/jobs/{job['id']}/failures")["data"]}
    assert causes["not_ingested"] == ended["counts"]["missing"]
    emulator.clear_faults()
    assert_each_once(database, client, reingest(client, job), duplicates)


def test_a_file_that_vanishes_while_the_others_are_read(parts):
    database, emulator, service, job, duplicates = parts
    client = service.client()
    emulator.fault(op="S3.HeadObject", key="part5.jsonl.out", action={"status": 404, "code": "NoSuchKey"})
    ended = reingest(client, job)
    assert ended["counts"]["succeeded"] == VIDEOS
    (shard,) = client.pages(f"/v1/jobs/{job['id']}/shards")
    assert shard["state"] == "failed" and "part5" in shard["error"]["message"]
    wait_until("the queue to be empty", lambda: database.value("SELECT count(*) FROM task WHERE kind = 'ingest_file' AND state <> 'dead'") == 0)
