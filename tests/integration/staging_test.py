"""Staging in place and by copies: which is chosen and why, what is written where, and that nothing of the user's is ever touched."""

import csv
import html
import io
import json
import re

import psycopg
import pytest

from tests.support.vidbatch import ACCOUNT, ROOT, clip, wait_until

FOREIGN = b'{"recordId":"FOREIGN0001","modelInput":{}}\n' * 200


@pytest.fixture(autouse=True)
def clean(emulator):
    yield
    emulator.clear_faults()
    emulator.control("POST", "release", {"name_contains": ""})


def objects(emulator, bucket="videos", prefix=""):
    pages = emulator.s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {o["Key"]: o["ETag"] for page in pages for o in page.get("Contents", [])}


def registered(client, emulator, prefix, count=100, **more):
    emulator.put_videos(prefix, count)
    return client.wait_scan(client.register(prefix, **more)["id"])["id"]


def plan(client, prefix_id, **more):
    made = client.post("/v1/plans", {"prefix_id": prefix_id, "prompt": "Describe the video.", **more}, 202).json()

    def ended():
        now = client.get(f"/v1/plans/{made['id']}")
        return now if now["state"] in ("ready", "refused") else None

    return wait_until("the plan", ended)


def one_shard(client, job):
    (shard,) = client.pages(f"/v1/jobs/{job['id'] if isinstance(job, dict) else job}/shards")
    return shard


def launch_plan(client, made):
    return client.post("/v1/jobs", {"plan_id": made["id"]}, 202).json()


def deleted(emulator, since):
    """Everything that anybody asked S3 to delete; batches are read from the objects' disappearance."""
    asked = [r for r in emulator.requests()[since:] if "op" in r]
    assert not [r for r in asked if r["op"] == "S3.DeleteObjects"], "nothing is deleted in batches in place"
    return [r["key"] for r in asked if r["op"] == "S3.DeleteObject" and r["status"] < 300]


# ---- the choice ----


def test_auto_stages_in_place_where_it_may(client, emulator):
    made = plan(client, registered(client, emulator, "tidy/"))
    assert made["staging"]["mode"] == "in_place" and "s3://videos/tidy/" in made["staging"]["why"]
    assert "no other .jsonl" in made["staging"]["why"]


REASONS = {
    "foreign": ("foreign/", lambda e: e.s3().put_object(Bucket="videos", Key="foreign/deep/down/old.jsonl", Body=FOREIGN), {}, "s3://videos/foreign/deep/down/old.jsonl"),
    "capital": ("capital/", lambda e: e.s3().put_object(Bucket="videos", Key="capital/OLD.JSONL", Body=FOREIGN), {}, "s3://videos/capital/OLD.JSONL"),
    "blank": ("blank/", lambda e: e.s3().put_object(Bucket="videos", Key="blank/a b.mp4", Body=clip(), ContentType="video/mp4"), {}, "'blank/a b.mp4'"),
    "type": ("type/", lambda e: e.s3().put_object(Bucket="videos", Key="type/a.mp4", Body=clip(), ContentType="binary/octet-stream"), {}, "'binary/octet-stream'"),
    "listing": ("unseen/", lambda e: None, {"preflight": "listing"}, "not known"),
}


@pytest.mark.parametrize("reason", REASONS)
def test_auto_copies_and_says_why(client, emulator, reason):
    prefix, spoil, more, words = REASONS[reason]
    spoil(emulator)
    made = plan(client, registered(client, emulator, prefix), **more)
    assert made["state"] == "ready" and made["staging"]["mode"] == "copy", made["staging"]
    assert words in made["staging"]["why"]


@pytest.mark.parametrize("reason", ["foreign", "blank", "type"])
def test_in_place_that_is_not_allowed_is_refused(client, emulator, reason):
    prefix, _, more, words = REASONS[reason]  # as the test above left it
    before = len(emulator.requests())
    prefix_id = next(p["id"] for p in client.pages("/v1/prefixes") if p["prefix"] == prefix)
    made = plan(client, prefix_id, staging="in_place", select="all", **more)
    assert made["state"] == "refused" and made["refusal"]["code"] == "in_place_refused", made
    assert words in made["refusal"]["message"]
    assert not [r for r in emulator.requests()[before:] if r.get("op") in ("S3.CopyObject", "S3.PutObject") and "staging/" in r.get("key", "")]


def test_in_place_with_types_nobody_looked_at_is_allowed_and_says_so(client, emulator):
    prefix_id = next(p["id"] for p in client.pages("/v1/prefixes") if p["prefix"] == "unseen/")
    made = plan(client, prefix_id, staging="in_place", preflight="listing", select="all")
    assert made["staging"]["mode"] == "in_place" and "was not looked at" in made["staging"]["why"]


def test_several_shards_are_copied(stack, emulator):
    service = stack.service(stack.database(), emulator, VIDBATCH_SHARD_RECORDS="200")
    client = service.client()
    prefix_id = registered(client, emulator, "two/", 230)
    made = plan(client, prefix_id)
    assert made["staging"]["mode"] == "copy" and "2 Bedrock jobs" in made["staging"]["why"]
    refused = plan(client, prefix_id, staging="in_place")
    assert refused["state"] == "refused" and refused["refusal"]["code"] == "in_place_refused"


def test_a_bucket_that_holds_the_staging_location_too(client, emulator):
    emulator.s3().put_object(Bucket="videos", Key="root-a.mp4", Body=clip(), ContentType="video/mp4")
    prefix_id = registered(client, emulator, "root-", 100)
    made = plan(client, prefix_id)
    assert made["staging"]["mode"] == "copy" and "the staging location s3://videos/staging" in made["staging"]["why"]


# ---- in place, from end to end ----


def test_in_place_from_end_to_end(client, emulator):
    prefix_id = registered(client, emulator, "film/2026/", 120, bucket_owner=ACCOUNT)
    emulator.s3().put_object(Bucket="videos", Key="film/2026/readme.txt", Body=b"a user's own")
    before, since = objects(emulator, prefix="film/"), len(emulator.requests())
    emulator.fault(job={"hold": True, "count": 1})
    job = client.launch(prefix_id, staging="auto")
    client.wait_job(job["id"], ("running",))
    shard = one_shard(client, job)
    key = shard["staging"]["input_key"]
    assert shard["staging"] == {"mode": "in_place", "input_key": key, "cleanup": None, "problem": None}
    assert key.startswith("film/2026/vidbatch-") and key.endswith(".jsonl") and shard["folder_uri"] == "s3://videos/film/2026/"
    assert objects(emulator, prefix="film/").keys() - before.keys() == {key}
    lines = [json.loads(line) for line in emulator.s3().get_object(Bucket="videos", Key=key)["Body"].read().splitlines()]
    places = [line["modelInput"]["messages"][0]["content"][0]["video"]["source"]["s3Location"] for line in lines]
    assert sorted(p["uri"] for p in places) == sorted(f"s3://videos/{k}" for k in before if k.endswith(".mp4"))
    assert {p["bucketOwner"] for p in places} == {ACCOUNT}
    emulator.control("POST", "release", {"name_contains": ""})
    ended = client.wait_job(job["id"])
    assert (ended["outcome"], ended["counts"]["succeeded"]) == ("success", 120)
    wait_until("the JSONL to be removed", lambda: one_shard(client, job)["staging"]["cleanup"] == "removed")
    assert objects(emulator, prefix="film/") == before, "not one object of the user's has come, gone or changed"
    assert deleted(emulator, since) == [key]
    assert not [r for r in emulator.requests()[since:] if r.get("op") == "S3.CopyObject"]
    names = {s["video"]["name"] for s in client.pages(f"/v1/jobs/{job['id']}/summaries?limit=200")}
    assert names == {k.removeprefix("film/2026/") for k in before if k.endswith(".mp4")}
    (created,) = [j for j in emulator.jobs() if j["input"] == "s3://videos/film/2026/"]
    assert created["total"] == 120 and created["output"].startswith("s3://videos/output/")


def test_videos_that_vanish_or_change_in_place(client, emulator):
    prefix_id = registered(client, emulator, "moved/", 120)
    made = plan(client, prefix_id, staging="in_place")
    keys = sorted(objects(emulator, prefix="moved/"))
    emulator.s3().delete_object(Bucket="videos", Key=keys[0])
    emulator.s3().put_object(Bucket="videos", Key=keys[1], Body=(ROOT / "tests/data/README.md").read_bytes(), ContentType="video/mp4")
    job = client.wait_job(launch_plan(client, made)["id"])
    assert (job["outcome"], job["counts"]["succeeded"], job["counts"]["failed"]) == ("partial", 118, 2)
    reasons = {r["error"]["reason"] for r in client.pages(f"/v1/jobs/{job['id']}/records?state=failed")}
    assert reasons == {"source_vanished", "source_changed"}


def assert_foreign_never_ran(emulator, job):
    outputs = objects(emulator, prefix=f"output/{job['id']}/")
    assert not [key for key in outputs if "old.jsonl" in key]
    for key in (k for k in outputs if k.endswith(".jsonl.out")):
        assert b"FOREIGN0001" not in emulator.s3().get_object(Bucket="videos", Key=key)["Body"].read()


def test_a_foreign_jsonl_that_comes_after_the_plan(client, emulator):
    prefix_id = registered(client, emulator, "late/", 110)
    made = plan(client, prefix_id, staging="in_place")
    emulator.s3().put_object(Bucket="videos", Key="late/old.jsonl", Body=FOREIGN)
    before = objects(emulator, prefix="late/")
    job = client.wait_job(launch_plan(client, made)["id"])
    assert (job["state"], job["error"]["code"]) == ("failed", "foreign_jsonl") and "late/old.jsonl" in job["error"]["message"]
    assert job["counts"]["missing"] == 110
    assert not [j for j in emulator.jobs() if j["input"] == "s3://videos/late/"]
    assert objects(emulator, prefix="late/") == before
    assert_foreign_never_ran(emulator, job)


def test_a_foreign_jsonl_that_comes_before_the_submission(stack, emulator):
    database = stack.database()
    client = stack.service(database, emulator, VIDBATCH_CONCURRENT_JOBS="1").client()
    first, second = registered(client, emulator, "busy/", 100), registered(client, emulator, "later/", 100)
    emulator.fault(job={"hold": True, "count": 1})
    holder = client.launch(first, staging="copy")
    client.wait_job(holder["id"], ("running",))
    job = client.launch(second, staging="in_place")
    wait_until("the second to wait for the slot", lambda: [s["waiting"] for s in client.pages(f"/v1/jobs/{job['id']}/shards")] == [{"for": "slot", "position": 1}])
    key = one_shard(client, job)["staging"]["input_key"]
    emulator.s3().put_object(Bucket="videos", Key="later/old.jsonl", Body=FOREIGN)
    emulator.control("POST", "release", {"name_contains": ""})
    ended = client.wait_job(job["id"])
    assert (ended["state"], ended["error"]["code"]) == ("failed", "foreign_jsonl")
    assert client.wait_job(holder["id"])["outcome"] == "success"
    assert not [j for j in emulator.jobs() if j["input"] == "s3://videos/later/"]
    wait_until("our own to be removed", lambda: key not in objects(emulator, prefix="later/"))
    assert "later/old.jsonl" in objects(emulator, prefix="later/")


def test_two_jobs_over_one_folder_follow_each_other(client, emulator, database):
    prefix_id = registered(client, emulator, "shared/", 100)
    emulator.fault(job={"hold": True, "count": 1})
    first = client.launch(prefix_id, staging="in_place")
    client.wait_job(first["id"], ("running",))
    second = client.launch(prefix_id, prompt="Another question.", staging="in_place")
    wait_until("the second to wait for the folder", lambda: [s["waiting"] for s in client.pages(f"/v1/jobs/{second['id']}/shards")] == [{"for": "folder"}])
    auto = plan(client, prefix_id, prompt="A third question.")
    assert auto["staging"]["mode"] == "copy" and "another job uses" in auto["staging"]["why"]
    assert len([j for j in emulator.jobs() if j["input"] == "s3://videos/shared/"]) == 1
    emulator.control("POST", "release", {"name_contains": ""})
    assert [client.wait_job(job["id"])["outcome"] for job in (first, second)] == ["success", "success"]
    one, two = [j for j in emulator.jobs() if j["input"] == "s3://videos/shared/"]
    assert one["ended_at"] <= two["submitted_at"] and (one["total"], two["total"]) == (100, 100), "neither ran the other's input"
    wait_until("both to be cleaned up", lambda: not [k for k in objects(emulator, prefix="shared/") if k.endswith(".jsonl")])
    wait_until("the folder to be free", lambda: database.value("SELECT count(*) FROM folder_lock") == 0)


def test_a_job_that_takes_the_folder_while_the_next_is_planned(client, emulator, database):
    """Its JSONL is none of a stranger's, although nobody held the folder when the plan asked the database."""
    prefix_id = registered(client, emulator, "raced/", 100)
    emulator.fault(job={"hold": True, "count": 1})
    with psycopg.connect(database.url) as connection:
        connection.execute("LOCK TABLE folder_lock IN SHARE MODE")
        first = client.launch(prefix_id, staging="in_place")
        wait_until("its staging to be about to hold the folder", lambda: database.value(
            "SELECT count(*) FROM task t JOIN shard s ON s.id = t.subject_id WHERE t.kind = 'stage' AND t.state = 'running' AND s.job_id = (SELECT max(id) FROM job)"))
        emulator.fault(op="S3.ListObjectsV2", count=1, action={"status": 503, "code": "SlowDown", "retry_after": "2"})
        second = client.launch(prefix_id, prompt="Another question.", select="all", staging="in_place")
        wait_until("the next plan to look into the folder", lambda: [f for f in emulator.control("GET", "faults") if f.get("used") and f.get("op")])
    client.wait_job(first["id"], ("running",))
    wait_until("the second to wait for the folder", lambda: [s["waiting"] for s in client.pages(f"/v1/jobs/{second['id']}/shards")] == [{"for": "folder"}], 20)
    emulator.clear_faults()
    emulator.control("POST", "release", {"name_contains": ""})
    assert [client.wait_job(job["id"])["outcome"] for job in (first, second)] == ["success", "success"]


# ---- cleanup ----


def test_keep_staging_of_the_job_wins(client, emulator):
    prefix_id = registered(client, emulator, "kept/", 100)
    job = client.wait_job(client.launch(prefix_id, staging="in_place", keep_staging=True)["id"])
    wait_until("the word on it", lambda: one_shard(client, job)["staging"]["cleanup"] == "kept")
    assert one_shard(client, job)["staging"]["input_key"] in objects(emulator, prefix="kept/")
    again = plan(client, prefix_id, select="all")
    assert again["staging"]["mode"] == "copy" and "vidbatch-" in again["staging"]["why"]


def test_what_cannot_be_deleted_is_a_warning(client, emulator, database):
    prefix_id = registered(client, emulator, "denied/", 100)
    emulator.fault(op="S3.DeleteObject", action={"status": 403, "code": "AccessDenied", "message": "Access Denied"})
    job = client.wait_job(client.launch(prefix_id, staging="in_place")["id"])
    assert (job["state"], job["outcome"], job["error"]) == ("completed", "success", None)
    staging = wait_until("the warning", lambda: (lambda s: s if s["cleanup"] else None)(one_shard(client, job)["staging"]))
    assert staging["cleanup"] == "failed" and staging["problem"]["upstream"]["code"] == "AccessDenied"
    assert staging["input_key"] in objects(emulator, prefix="denied/")
    wait_until("the folder to be free all the same", lambda: database.value("SELECT count(*) FROM folder_lock") == 0)


@pytest.mark.parametrize("setting, prefix_owner", [("", None), ("", ACCOUNT), (ACCOUNT, None), (ACCOUNT, ACCOUNT)])
@pytest.mark.parametrize("mode", ["copy", "in_place"])
def test_owners(stack, emulator, mode, setting, prefix_owner):
    database = stack.database()
    client = stack.service(database, emulator, VIDBATCH_BUCKET_OWNER=setting, VIDBATCH_KEEP_STAGING="true").client()
    folder = f"owner-{mode}-{bool(setting)}-{bool(prefix_owner)}/"
    prefix_id = registered(client, emulator, folder, 100, **({"bucket_owner": prefix_owner} if prefix_owner else {}))
    job = client.wait_job(client.launch(prefix_id, staging=mode)["id"])
    assert job["outcome"] == "success", job
    shard = one_shard(client, job)
    key = shard["staging"]["input_key"] or shard["folder_uri"].removeprefix("s3://videos/") + "input.jsonl"
    line = json.loads(emulator.s3().get_object(Bucket="videos", Key=key)["Body"].read().splitlines()[0])
    place = line["modelInput"]["messages"][0]["content"][0]["video"]["source"]["s3Location"]
    owner = setting or prefix_owner
    assert place.get("bucketOwner") == owner


# ---- copies ----

ODD = [
    "with blank", "comma, and", "plus+equals=amp&percent%41:", "quote's\"<>", "\u00fcn\u00efc\u00f6d\u00e9", "\u65e5\u672c\u8a9e", "\U0001f3ac", "a//b",
    "up/../down", "./dot", "date=2026-01-01/x",
]


def longest(prefix, n):
    """A key of exactly 1,024 bytes, S3's most."""
    tail = f" {n}.mp4"
    return "\u00e9" * ((1024 - len(prefix) - len(tail)) // 2) + "x" * ((1024 - len(prefix) - len(tail)) % 2) + tail


def test_awkward_keys_come_back_under_their_own_names(client, emulator):
    names = [f"{ODD[n % len(ODD)]} {n}.mp4" for n in range(98)] + [longest("odd/", 98), longest("odd/", 99)]
    for name in names:
        emulator.s3().put_object(Bucket="videos", Key="odd/" + name, Body=clip())
    assert max(len(("odd/" + name).encode()) for name in names) == 1024
    prefix = client.wait_scan(client.register("odd/")["id"])
    job = client.wait_job(client.launch(prefix["id"], staging="auto")["id"])
    assert one_shard(client, job)["staging"]["mode"] == "copy" and job["counts"]["succeeded"] == 100, job
    path = f"/v1/jobs/{job['id']}"
    wanted = sorted(names)
    assert sorted(s["video"]["name"] for s in client.pages(f"{path}/summaries?limit=100")) == wanted
    assert sorted(r["video"]["name"] for r in client.pages(f"{path}/records?limit=100")) == wanted
    lines = client.call("GET", f"{path}/summaries?format=ndjson", 200).text.splitlines()
    assert sorted(json.loads(line)["video"]["name"] for line in lines) == wanted
    table = csv.DictReader(io.StringIO(client.call("GET", f"{path}/summaries?format=csv", 200).text, newline=""))
    assert sorted(row["key"] for row in table) == sorted("odd/" + name for name in names)
    page = client.call("GET", f"{path}/report", 200).text
    words = html.unescape(re.sub(r"<[^>]*>", "", page))  # a name's folders are paler than the name itself
    assert [name for name in names if name not in words] == []


def test_a_bucket_in_another_region_is_refused_in_the_plan(stack, emulator):
    emulator.control("POST", "buckets", {"name": "far", "region": "eu-west-1"})
    service = stack.service(stack.database(), emulator, VIDBATCH_STAGING_URI="s3://far/staging")
    client = service.client()
    prefix_id = registered(client, emulator, "near/")
    made = plan(client, prefix_id)
    assert made["state"] == "refused" and made["refusal"]["code"] == "bucket_region", made
    for words in ("staging location, far, lies in Region eu-west-1", "Bedrock in us-east-1", "VIDBATCH_STAGING_URI"):
        assert words in made["refusal"]["message"]
    assert client.get(f"/v1/prefixes/{prefix_id}")["region"] == "us-east-1"
