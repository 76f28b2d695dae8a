"""A job from launch to summaries, and everything that can be done to one."""

import csv
import io
import json
import re

import pytest

from tests.support.vidbatch import ROOT, clip, wait_until


@pytest.fixture(autouse=True)
def clean(emulator):
    yield
    emulator.clear_faults()


@pytest.fixture(scope="module")
def prefix(client, emulator):
    emulator.put_videos("archive/", 230)
    made = client.register("archive/", name="The archive")
    return client.wait_scan(made["id"])


@pytest.fixture(scope="module")
def job(client, prefix):
    launched = client.launch(
        prefix["id"], prompt="What happens? Put the summary into <answer> tags.", name="first",
        inference={"max_tokens": 600, "temperature": 0.2, "top_k": 1}, metadata={"team": "archive"},
    )
    assert launched["state"] == "queued" and launched["outcome"] is None
    return client.wait_job(launched["id"])


def test_completed_means_stored(client, job, database):
    assert (job["state"], job["outcome"], job["error"]) == ("completed", "success", None)
    assert job["counts"] == {"total": 230, "pending": 0, "succeeded": 230, "failed": 0, "missing": 0}
    assert job["progress"] == {"processed": 230, "total": 230}
    assert job["usage"]["input_tokens"] > 0 and job["usage"]["output_tokens"] > 0
    assert job["inference"] == {"max_tokens": 600, "temperature": 0.2, "top_p": None, "top_k": 1}
    assert job["metadata"] == {"team": "archive"}
    assert database.value("SELECT count(*) FROM summary WHERE state = 'succeeded' AND text <> ''") == 230


def test_tokens_are_those_of_the_lines(client, job):
    summaries = client.pages(f"/v1/jobs/{job['id']}/summaries?limit=100")
    for side in ("input_tokens", "output_tokens"):
        assert job["usage"][side] == sum(s["usage"][side] for s in summaries)


def test_what_bedrock_was_asked_for(emulator, job):
    created = [j for j in emulator.jobs() if job["id"] in json.dumps(j)]
    assert len(created) == 1
    lines = [r for r in emulator.requests("S3.PutObject") + emulator.requests("S3.CompleteMultipartUpload") if job["id"] in r.get("key", "")]
    assert [r["key"].rsplit("/", 1)[1] for r in lines] == ["input.jsonl"]


def test_summaries_as_json_ndjson_and_csv(client, job):
    page = client.get(f"/v1/jobs/{job['id']}/summaries?limit=2")
    assert len(page["data"]) == 2 and page["next"]
    one = page["data"][0]
    assert one["summary"] and "<answer>" in one["text"] and "<answer>" not in one["summary"]
    assert one["video"]["key"].startswith("archive/") and one["video"]["name"] == one["video"]["key"].removeprefix("archive/")
    everything = client.pages(f"/v1/jobs/{job['id']}/summaries?limit=100")
    assert len({s["id"] for s in everything}) == 230
    lines = client.call("GET", f"/v1/jobs/{job['id']}/summaries", 200, headers={"Accept": "application/x-ndjson"}).text.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [s["id"] for s in everything]
    table = list(csv.DictReader(io.StringIO(client.call("GET", f"/v1/jobs/{job['id']}/summaries?format=csv", 200).text, newline="")))
    assert [row["id"] for row in table] == [s["id"] for s in everything]
    assert [row["summary"] for row in table] == [s["summary"] for s in everything]
    client.call("GET", f"/v1/jobs/{job['id']}/summaries", 406, headers={"Accept": "image/png"})


def test_one_summary_with_its_provenance(client, job):
    listed = client.get(f"/v1/jobs/{job['id']}/summaries?limit=1")["data"][0]
    answer = client.call("GET", f"/v1/summaries/{listed['id']}", 200)
    text = answer.text
    assert job["prompt"] in json.loads(text)["provenance"]["prompt"]
    assert re.match(r"arn:aws:bedrock:", json.loads(text)["provenance"]["bedrock_arn"])
    tag = answer.headers["ETag"]
    assert client.call("GET", f"/v1/summaries/{listed['id']}", 304, headers={"If-None-Match": tag}).content == b""
    head = client.call("HEAD", f"/v1/summaries/{listed['id']}", 200)
    assert head.content == b"" and head.headers["ETag"] == tag


def test_records_and_shards(client, job):
    records = client.pages(f"/v1/jobs/{job['id']}/records?limit=100")
    assert len(records) == 230 and {r["state"] for r in records} == {"succeeded"}
    assert all(re.fullmatch(r"[0-9A-Za-z]{11}", r["id"]) for r in records)
    assert client.get(f"/v1/jobs/{job['id']}/records?state=failed")["data"] == []
    (shard,) = client.pages(f"/v1/jobs/{job['id']}/shards")
    assert shard["state"] == "completed" and shard["bedrock"]["status"] == "Completed"


def test_report(client, job):
    answer = client.call("GET", f"/v1/jobs/{job['id']}/report", 200)
    page = answer.text
    assert answer.headers["Content-Type"].startswith("text/html") and "Content-Security-Policy" in answer.headers
    assert page.count("What happens? Put the summary into &lt;answer&gt; tags.") == 1
    for summary in client.get(f"/v1/jobs/{job['id']}/summaries?limit=20")["data"]:
        assert summary["video"]["name"] in page
    assert "<script" not in page


def test_search(client, job, prefix):
    wait_until("the words to be indexed", lambda: client.get("/v1/summaries?q=any")["index"]["pending"] == 0)
    word = client.get(f"/v1/jobs/{job['id']}/summaries?limit=1")["data"][0]["summary"].split()[1].strip(".,:[]")
    found = client.get(f"/v1/summaries?q={word}&job_id={job['id']}&limit=10")
    assert found["data"] and found["next"]
    assert client.get("/v1/summaries?q=zyzzogeton")["data"] == []
    assert len(client.pages(f"/v1/summaries?prefix_id={prefix['id']}&limit=200")) >= 230
    assert client.get("/v1/summaries?from=2099-01-01T00:00:00Z")["data"] == []
    client.call("GET", "/v1/summaries?from=yesterday", 400)


def test_new_runs_only_what_has_no_summary(client, prefix, job, emulator):
    refused = client.post("/v1/jobs", {"prefix_id": prefix["id"], "prompt": job["prompt"], "inference": job["inference"]}, 409).json()
    assert refused["code"] == "no_new_videos"
    other = client.launch(prefix["id"], prompt="Another question.")
    assert client.wait_job(other["id"])["counts"]["succeeded"] == 230


def test_several_shards_each_in_its_own_folder(client, emulator, stack, database):
    own = stack.database()
    service = stack.service(own, emulator, VIDBATCH_SHARD_RECORDS="200")
    emulator.put_videos("many/", 505)
    mine = service.client()
    made = mine.register("many/")
    mine.wait_scan(made["id"])
    job = mine.wait_job(mine.launch(made["id"])["id"])
    assert (job["outcome"], job["shards"], job["counts"]["succeeded"]) == ("success", 3, 505)
    shards = mine.pages(f"/v1/jobs/{job['id']}/shards")
    assert sorted(s["counts"]["total"] for s in shards) == [168, 168, 169]
    assert len({s["folder_uri"] for s in shards}) == 3 and len({s["bedrock"]["arn"] for s in shards}) == 3


def test_staging_is_removed_and_output_stays(emulator, job):
    s3 = emulator.s3()

    def left():
        return s3.list_objects_v2(Bucket="videos", Prefix=f"staging/{job['id']}/")["KeyCount"]

    wait_until("the staging folder to be empty", lambda: left() == 0)
    assert s3.list_objects_v2(Bucket="videos", Prefix=f"output/{job['id']}/")["KeyCount"] >= 2


def test_reingest_costs_nothing_and_keeps_ids(client, job, emulator):
    before = {s["id"]: s["text"] for s in client.pages(f"/v1/jobs/{job['id']}/summaries?limit=100")}
    created = len(emulator.jobs())
    client.post(f"/v1/jobs/{job['id']}/reingest", want=202)
    again = client.wait_job(job["id"])
    assert again["counts"] == job["counts"] and again["usage"] == job["usage"]
    after = {s["id"]: s["text"] for s in client.pages(f"/v1/jobs/{job['id']}/summaries?limit=100")}
    assert after == before and len(emulator.jobs()) == created


def test_reingest_brings_back_deleted_rows(client, job, database):
    database.query("DELETE FROM summary WHERE record_id IN (SELECT record_id FROM summary WHERE state = 'succeeded' LIMIT 40)")
    total = database.value("SELECT count(*) FROM record")
    for listed in client.pages("/v1/jobs"):
        client.post(f"/v1/jobs/{listed['id']}/reingest", want=202)
        client.wait_job(listed["id"])
    assert database.value("SELECT count(*) FROM summary WHERE state = 'succeeded'") == total


def test_list_of_jobs(client, prefix, job):
    ids = [j["id"] for j in client.pages(f"/v1/jobs?prefix_id={prefix['id']}&limit=1")]
    assert job["id"] in ids and ids == sorted(ids, reverse=True)
    assert client.get("/v1/jobs?state=running")["data"] == []
    client.call("GET", "/v1/jobs?state=sideways", 400)


def test_cancel_before_submission(client, emulator, prefix):
    emulator.fault(op="S3.CopyObject", count=1000, action={"delay_ms": 300})
    launched = client.launch(prefix["id"], select="all")
    wait_until("staging", lambda: client.get(f"/v1/jobs/{launched['id']}")["state"] == "staging")
    client.post(f"/v1/jobs/{launched['id']}/cancel", want=202)
    ended = client.wait_job(launched["id"])
    assert ended["state"] == "cancelled" and ended["counts"]["missing"] == 230
    emulator.clear_faults()
    wait_until("copies made meanwhile to be removed", lambda: emulator.s3().list_objects_v2(Bucket="videos", Prefix=f"staging/{launched['id']}/")["KeyCount"] == 0)
    (shard,) = client.pages(f"/v1/jobs/{launched['id']}/shards")
    assert shard["state"] == "cancelled" and shard["error"] is None
    assert not [j for j in emulator.jobs() if launched["id"] in json.dumps(j)]
    assert client.post(f"/v1/jobs/{launched['id']}/cancel", want=409).json()["code"] == "job_finished"


def test_cancel_at_bedrock_keeps_what_was_done(client, emulator, prefix):
    emulator.fault(job={"hold": True, "process_fraction": 0.4})
    launched = client.launch(prefix["id"], select="all")
    client.wait_job(launched["id"], ("running",))

    def status():
        return client.get(f"/v1/jobs/{launched['id']}/shards")["data"][0]["bedrock"]["status"]

    wait_until("Bedrock to process", lambda: status() == "InProgress")
    client.post(f"/v1/jobs/{launched['id']}/cancel", want=202)
    emulator.clear_faults()
    ended = client.wait_job(launched["id"])
    counts = ended["counts"]
    assert ended["state"] == "cancelled" and 0 < counts["succeeded"] < 230 and counts["succeeded"] + counts["missing"] == 230
    assert ended["outcome"] == "partial"
    client.post(f"/v1/jobs/{launched['id']}/reingest", want=202)
    again = client.wait_job(launched["id"])
    assert (again["state"], again["counts"]) == ("cancelled", counts)


@pytest.mark.parametrize(
    "terminal, fraction, state, outcome, code",
    [
        ("PartiallyCompleted", 0.5, "completed", "partial", "bedrock_incomplete"),
        ("Stopped", 0.25, "completed", "partial", "bedrock_incomplete"),
        ("Expired", 0.0, "failed", "failure", "bedrock_incomplete"),
        ("Failed", 0.0, "failed", "failure", "bedrock_failed"),
        ("Failed", 0.3, "completed", "partial", "bedrock_failed"),
    ],
)
def test_every_way_a_bedrock_job_ends(client, emulator, prefix, terminal, fraction, state, outcome, code):
    emulator.fault(job={"terminal": terminal, "process_fraction": fraction, "message": "Customer doesn't have permissions to invokeModel"})
    job = client.wait_job(client.launch(prefix["id"], select="all")["id"])
    assert (job["state"], job["outcome"], job["error"]["code"]) == (state, outcome, code)
    assert job["counts"]["pending"] == 0 and abs(job["counts"]["succeeded"] - 230 * fraction) < 1
    assert terminal in job["error"]["message"] and "bedrock:InvokeModel" in job["error"]["message"]


def test_every_kind_of_line(client, emulator, prefix):
    emulator.fault(job={
        "error_fraction": 0.1, "missing": 7, "duplicate": 9, "unknown_records": 4, "garbage_lines": 5, "max_tokens_fraction": 0.2,
        "content_filtered_fraction": 0.1, "reasoning": True, "output_files": 3, "manifest": False, "lagging_counters": True,
    })
    job = client.wait_job(client.launch(prefix["id"], select="all")["id"])
    counts = job["counts"]
    assert job["outcome"] == "partial" and counts["missing"] == 7 and counts["failed"] > 0 and counts["total"] == 230
    (shard,) = client.pages(f"/v1/jobs/{job['id']}/shards")
    lines = shard["counts"]
    assert (lines["unknown_lines"], lines["malformed_lines"], lines["duplicate_lines"]) == (4, 5, 9)
    failed = client.pages(f"/v1/jobs/{job['id']}/records?state=failed")
    assert len(failed) == counts["failed"] and all(r["error"]["message"] for r in failed)
    missing = client.pages(f"/v1/jobs/{job['id']}/records?state=missing")
    assert len(missing) == 7 and all(r["error"]["reason"] == "no_result" for r in missing)
    summaries = client.pages(f"/v1/jobs/{job['id']}/summaries?state=succeeded&limit=200")
    assert any(s["stop_reason"] == "max_tokens" for s in summaries)
    assert not any("[REDACTED]" in (s["text"] or "") for s in summaries)


def test_fewer_than_the_minimum_is_refused_before_anything_is_staged(client, emulator):
    emulator.put_videos("few/", 60)
    made = client.wait_scan(client.register("few/")["id"])
    problem = client.post("/v1/jobs", {"prefix_id": made["id"], "prompt": "?"}, 409).json()
    assert (problem["code"], problem["minimum"], problem["eligible"]) == ("below_minimum", 100, 60)
    assert "40" in problem["detail"]
    assert not [r for r in emulator.requests("S3.CopyObject") if "few/" in json.dumps(r)]


def test_the_same_when_the_scan_ends_after_the_launch(client, emulator):
    emulator.put_videos("later/", 40)
    emulator.fault(op="S3.ListObjectsV2", count=1, action={"delay_ms": 1500})
    made = client.register("later/")
    launched = client.launch(made["id"])
    ended = client.wait_job(launched["id"])
    assert ended["state"] == "failed" and ended["error"]["code"] == "below_minimum" and ended["counts"]["total"] == 0


def test_videos_that_vanish_or_change_before_staging(client, emulator):
    emulator.put_videos("moving/", 120)
    made = client.wait_scan(client.register("moving/")["id"])
    s3 = emulator.s3()
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket="videos", Prefix="moving/")["Contents"]]
    s3.delete_object(Bucket="videos", Key=keys[0])
    s3.put_object(Bucket="videos", Key=keys[1], Body=(ROOT / "tests/data/README.md").read_bytes())
    job = client.wait_job(client.launch(made["id"], preflight="listing")["id"])
    assert job["outcome"] == "partial" and job["counts"]["succeeded"] == 118 and job["counts"]["failed"] == 2
    reasons = {r["error"]["reason"] for r in client.pages(f"/v1/jobs/{job['id']}/records?state=failed")}
    assert reasons == {"source_vanished", "source_changed"}


def test_idempotency_key(client, prefix, database):
    body = {"prefix_id": prefix["id"], "prompt": "Once only.", "select": "all"}
    first = client.post("/v1/jobs", body, 202, headers={"Idempotency-Key": "k-1"})
    again = client.post("/v1/jobs", body, 202, headers={"Idempotency-Key": "k-1"})
    assert again.json()["id"] == first.json()["id"] and again.headers["Idempotency-Replayed"] == "true"
    other = client.post("/v1/jobs", {**body, "prompt": "Another."}, 422, headers={"Idempotency-Key": "k-1"}).json()
    assert other["code"] == "idempotency_key_reused"
    assert database.value("SELECT count(*) FROM job WHERE prompt = 'Once only.'") == 1
    client.wait_job(first.json()["id"])


def test_the_lines_that_bedrock_gets(stack, emulator):
    """messages-v1: the prompt, s3Location, bucketOwner where it is given, maxTokens; media first; a model by its ARN."""
    service = stack.service(stack.database(), emulator, VIDBATCH_KEEP_STAGING="true", VIDBATCH_OUTPUT_URI="s3://videos/output")
    client = service.client()
    emulator.put_videos("lines/", 100, suffix=".MP4")
    prefix = client.wait_scan(client.register("lines/", bucket_owner="111122223333")["id"])
    arn = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"
    prompt = 'Quote "this" \\ and\nthat \u00e9 \U0001f3ac'
    job = client.wait_job(client.launch(prefix["id"], prompt=prompt, system="Be brief.", model_id=arn, inference={"max_tokens": 77})["id"])
    assert job["outcome"] == "success" and job["model_id"] == arn
    (shard,) = client.pages(f"/v1/jobs/{job['id']}/shards")
    folder = shard["folder_uri"].removeprefix("s3://videos/")
    lines = emulator.s3().get_object(Bucket="videos", Key=folder + "input.jsonl")["Body"].read().decode().splitlines()
    records = {r["id"]: r for r in client.pages(f"/v1/jobs/{job['id']}/records?limit=100")}
    assert len(lines) == 100 and {json.loads(line)["recordId"] for line in lines} == set(records)
    for line in map(json.loads, lines):
        uri = f"s3://videos/{folder}v/{line['recordId']}.mp4"
        assert line["modelInput"] == {
            "schemaVersion": "messages-v1",
            "system": [{"text": "Be brief."}],
            "messages": [{"role": "user", "content": [
                {"video": {"format": "mp4", "source": {"s3Location": {"uri": uri, "bucketOwner": "111122223333"}}}}, {"text": prompt},
            ]}],
            "inferenceConfig": {"maxTokens": 77},
        }
    head = emulator.s3().head_object(Bucket="videos", Key=f"{folder}v/{lines[0][13:24]}.mp4")
    assert head["ContentType"] == "video/mp4"


def test_awkward_names_go_through_and_come_back(client, emulator):
    odd = ["with blank", "comma, and", "plus+equals=amp&percent%41:", "quote's\"<>", "\u00fcn\u00efc\u00f6d\u00e9", "\u65e5\u672c\u8a9e", "\U0001f3ac", "a//b", "date=2026-01-01/x", "x" * 900]
    names = [f"{odd[n % len(odd)]} {n}.mp4" for n in range(100)]
    for name in names:
        emulator.s3().put_object(Bucket="videos", Key="awkward/" + name, Body=clip())
    prefix = client.wait_scan(client.register("awkward/")["id"])
    job = client.wait_job(client.launch(prefix["id"])["id"])
    assert job["counts"]["succeeded"] == 100, job
    assert sorted(s["video"]["name"] for s in client.pages(f"/v1/jobs/{job['id']}/summaries")) == sorted(names)
