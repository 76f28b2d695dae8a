"""kill -9 while a shard is staged in place and while it is cleaned up: nothing is left behind, nothing of the user's is lost, and every
video is run once."""

import random
import time

import pytest

from tests.support.vidbatch import wait_until

VIDEOS = 130
SETTINGS = {"VIDBATCH_LEASE": "600ms", "VIDBATCH_HEARTBEAT": "150ms", "VIDBATCH_LOOKUP_GRACE": "2s"}


def objects(emulator, prefix):
    return {o["Key"]: o["ETag"] for o in emulator.s3().list_objects_v2(Bucket="videos", Prefix=prefix).get("Contents", [])}


def uploads(emulator):
    return emulator.s3().list_multipart_uploads(Bucket="videos").get("Uploads", [])


def running(database, kind):
    return database.value("SELECT count(*) FROM task WHERE kind = %s AND state = 'running'", kind) > 0


def prepared(stack):
    database, emulator = stack.database(), stack.emulator(job_seconds=0.3)
    service = stack.service(database, emulator, **SETTINGS)
    emulator.put_videos("films/", VIDEOS)
    prefix = service.client().wait_scan(service.client().register("films/")["id"])
    return database, emulator, service, prefix["id"], objects(emulator, "films/")


def asked_to_delete(emulator):
    assert not emulator.requests("S3.DeleteObjects")
    return {r["key"] for r in emulator.requests("S3.DeleteObject")}


def assert_clean(database, emulator, before, jobs):
    ours = {row[0] for row in database.query("SELECT input_key FROM shard WHERE input_key IS NOT NULL")}
    wait_until("our own to be removed", lambda: objects(emulator, "films/") == before)
    assert asked_to_delete(emulator) <= ours
    assert uploads(emulator) == []
    wait_until("the folder to be free", lambda: database.value("SELECT count(*) FROM folder_lock") == 0)
    wait_until("the queue to be empty", lambda: database.value("SELECT count(*) FROM task WHERE kind <> 'watch' AND state <> 'dead'") == 0)
    assert len([j for j in emulator.jobs() if j["input"] == "s3://videos/films/"]) == jobs
    assert all(j["total"] == VIDEOS for j in emulator.jobs())


# where it is hit: the request that is held up, of which kind of task
PLACES = {"before the JSONL": ("S3.ListObjectsV2", "stage"), "writing the JSONL": ("S3.PutObject", "stage"), "the last look": ("S3.ListObjectsV2", "submit"),
          "the cleanup": ("S3.DeleteObject", "finish")}


@pytest.mark.parametrize("place", PLACES)
def test_kill_9_in_place(stack, place):
    dice = random.Random(place)
    operation, kind = PLACES[place]
    database, emulator, service, prefix, before = prepared(stack)
    emulator.fault(op=operation, key="films/" if operation != "S3.ListObjectsV2" else "", action={"delay_ms": 700})
    job = service.client().launch(prefix, staging="in_place")["id"]
    for _ in range(2):
        wait_until(f"step {kind}", lambda: running(database, kind))
        time.sleep(dice.uniform(0.0, 0.6))
        service.kill()
        service.start()
    emulator.clear_faults()
    ended = service.client().wait_job(job)
    assert (ended["outcome"], ended["counts"]["succeeded"]) == ("success", VIDEOS)
    assert_clean(database, emulator, before, 1)


def test_a_cancel_after_kill_9_leaves_nothing(stack):
    """The worker that was killed may have written; whoever takes its task over only tidies up."""
    database, emulator, service, prefix, before = prepared(stack)
    emulator.fault(op="S3.PutObject", key="films/", action={"delay_ms": 700})
    job = service.client().launch(prefix, staging="in_place")["id"]
    wait_until("the JSONL to be on its way", lambda: running(database, "stage") and database.value("SELECT input_key FROM shard") is not None)
    service.client().post(f"/v1/jobs/{job}/cancel", want=202)
    service.kill()
    service.start()
    emulator.clear_faults()
    ended = service.client().wait_job(job)
    assert (ended["state"], ended["counts"]["missing"]) == ("cancelled", VIDEOS)
    assert_clean(database, emulator, before, 0)


def test_a_foreign_jsonl_that_comes_after_kill_9(stack):
    """Killed between the note that Bedrock is about to be asked and the last look into the folder: the look is made up for."""
    database, emulator, service, prefix, before = prepared(stack)
    emulator.fault(op="S3.ListObjectsV2", action={"delay_ms": 1500})
    job = service.client().launch(prefix, staging="in_place")["id"]
    wait_until("the note", lambda: database.value("SELECT count(*) FROM shard WHERE submit_started_at IS NOT NULL") == 1)
    service.kill()
    assert emulator.jobs() == []
    emulator.s3().put_object(Bucket="videos", Key="films/other.jsonl", Body=b"{}")
    emulator.clear_faults()
    service.start()
    ended = service.client().wait_job(job)
    assert (ended["state"], ended["error"]["code"]) == ("failed", "foreign_jsonl") and "films/other.jsonl" in ended["error"]["message"]
    before = {**before, **objects(emulator, "films/other")}
    assert_clean(database, emulator, before, 0)


def test_two_jobs_and_kills_follow_each_other(stack):
    dice = random.Random(11)
    database, emulator, service, prefix, before = prepared(stack)
    jobs = [service.client().launch(prefix, prompt=f"Question {n}?", staging="in_place")["id"] for n in range(2)]
    for _ in range(6):
        time.sleep(dice.uniform(0.05, 0.5))
        service.kill()
        service.start()
    assert [service.client().wait_job(job)["outcome"] for job in jobs] == ["success", "success"]
    one, two = sorted((j for j in emulator.jobs()), key=lambda j: j["submitted_at"])
    assert one["ended_at"] <= two["submitted_at"], "never two at once in one folder"
    assert_clean(database, emulator, before, 2)
