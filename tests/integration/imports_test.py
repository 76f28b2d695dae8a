"""Taking over what a Bedrock job left that another tool started: made here by boto3, as such a tool does."""

import json
import random
import time
import uuid

import boto3
import pytest

from tests.support.vidbatch import ACCESS_KEY, REGION, ROLE, SANITIZED, SECRET_KEY, wait_until

AWKWARD = ["file-33938:combined", "a b, c", "ü/日本\"\\x", "x" * 256, "%41+&=", "  ", "…\t"]
PROMPT = "What does the other tool want to know?"


def bedrock(emulator):
    return boto3.client("bedrock", endpoint_url=emulator.url, region_name=REGION, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY)


def line_of(record_id, key, bucket="videos", **more):
    source = {"s3Location": {"uri": f"s3://{bucket}/{key}"}}
    content = [{"video": {"format": "mp4", "source": source}}, {"text": PROMPT}]
    body = {"system": [{"text": "Be brief."}], "messages": [{"role": "user", "content": content}],
            "inferenceConfig": {"maxTokens": 300, "temperature": 0.25, "topP": 0.5, "topK": 7}, **more}
    return {"recordId": record_id, "modelInput": body}


def foreign_job(emulator, folder, count=120, **fault):
    """A batch job of another tool; gives (output folder, input, ids and keys)."""
    emulator.put_videos(f"{folder}/videos/", count)
    ids = [AWKWARD[n] if n < len(AWKWARD) else f"rec-{n}" for n in range(count)]
    keys = [f"{folder}/videos/{n:07}.mp4" for n in range(count)]
    lines = [json.dumps(line_of(i, k)) for i, k in zip(ids, keys)]
    emulator.s3().put_object(Bucket="videos", Key=f"{folder}/input.jsonl", Body="\n".join(lines))
    if fault:
        emulator.fault(job={"name_contains": folder, **fault})
    client = bedrock(emulator)
    arn = client.create_model_invocation_job(
        jobName=f"{folder}-{uuid.uuid4().hex[:8]}", roleArn=ROLE, modelId="amazon.nova-lite-v1:0",
        inputDataConfig={"s3InputDataConfig": {"s3Uri": f"s3://videos/{folder}/"}},
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": f"s3://videos/{folder}-out/"}},
    )["jobArn"]
    wait_until("the foreign job to end", lambda: client.get_model_invocation_job(jobIdentifier=arn)["status"] in ("Completed", "Stopped"))
    emulator.clear_faults()
    return f"s3://videos/{folder}-out/{arn.rsplit('/', 1)[1]}/", f"s3://videos/{folder}/input.jsonl", dict(zip(ids, keys))


def bring(client, output, **body):
    answer = client.post("/v1/imports", {"output_uri": output, **body}, 202)
    assert answer.headers["Location"] == f"/v1/jobs/{answer.json()['id']}"
    assert (answer.json()["select"], answer.json()["staging"], answer.json()["prefix_id"]) == ("import", "none", None)
    return client.wait_job(answer.json()["id"])


def test_everything_is_taken_over(client, emulator, database):
    output, _, videos = foreign_job(emulator, "other")
    job = bring(client, output, model_id="us.amazon.nova-lite-v1:0", name="the other tool's")
    assert (job["state"], job["outcome"], job["error"], job["name"]) == ("completed", "success", None, "the other tool's")
    assert job["counts"] == {"total": 120, "pending": 0, "succeeded": 120, "failed": 0, "missing": 0}
    assert (job["prompt"], job["system"]) == (PROMPT, "Be brief.")
    assert job["inference"] == {"max_tokens": 300, "temperature": 0.25, "top_p": 0.5, "top_k": 7}
    assert job["usage"]["input_tokens"] > 0 and float(job["cost"]["actual"]) > 0
    (shard,) = client.pages(f"/v1/jobs/{job['id']}/shards")
    assert shard["manifest_usage"]["input_tokens"] == job["usage"]["input_tokens"]
    # every name as it was, with its own video and its own answer
    records = client.pages(f"/v1/jobs/{job['id']}/records?limit=100")
    assert {r["source_id"]: r["video"]["key"] for r in records} == videos
    summaries = client.pages(f"/v1/jobs/{job['id']}/summaries?limit=100")
    assert {s["video"]["key"] for s in summaries} == set(videos.values()) and all(s["text"] for s in summaries)
    # a prefix was made for them: the deepest folder, not scanned, so jobs over it are refused with the way out
    prefix = client.get(f"/v1/prefixes/{job['prefix_id']}")
    assert (prefix["prefix"], prefix["name"], prefix["scan"]["state"]) == ("other/videos/", "imported", "failed")
    refused = client.post("/v1/jobs", {"prefix_id": prefix["id"], "prompt": "x"}, 409).json()
    assert refused["code"] == "scan_failed" and "POST /v1/prefixes/{id}/scan" in json.dumps(refused)
    client.call("GET", f"/v1/jobs/{job['id']}/report", 200)
    assert database.value("SELECT count(*) FROM import_line") == 0


def test_the_same_output_twice(client, emulator):
    output, _, _ = foreign_job(emulator, "twice", 100)
    job = bring(client, output)
    assert job["model_id"] == "unknown" and job["cost"]["actual"] is None
    refused = client.post("/v1/imports", {"output_uri": output.rstrip("/")}, 409)
    assert refused.json()["code"] == "import_exists" and refused.json()["existing_id"] == job["id"]
    again = client.post(f"/v1/jobs/{job['id']}/reingest", want=202).json()
    assert client.wait_job(again["id"])["counts"]["succeeded"] == 100


def test_under_registered_prefixes(client, emulator):
    emulator.put_videos("known/deep/er/", 3)
    outer = client.wait_scan(client.register("known/")["id"])
    inner = client.wait_scan(client.register("known/videos/")["id"])
    output, _, _ = foreign_job(emulator, "known", 100)
    scanned = client.post(f"/v1/prefixes/{inner['id']}/scan", want=202)
    assert scanned and client.wait_scan(inner["id"])
    before = {v["id"] for v in client.pages(f"/v1/prefixes/{inner['id']}/videos?limit=1000")}
    job = bring(client, output)
    assert job["prefix_id"] == inner["id"] != outer["id"]
    assert {r["video"]["id"] for r in client.pages(f"/v1/jobs/{job['id']}/records?limit=1000")} == before


def test_input_tells_what_is_missing(client, emulator):
    output, given, _ = foreign_job(emulator, "holes", 110, error_fraction=0.1, missing=5, garbage_lines=3, output_files=3, duplicate=4)
    job = bring(client, output, input_uri=given)
    assert job["outcome"] == "partial" and job["counts"]["total"] == 110 and job["counts"]["missing"] == 5 and job["counts"]["failed"] > 5
    (shard,) = client.pages(f"/v1/jobs/{job['id']}/shards")
    assert (shard["counts"]["malformed_lines"], shard["counts"]["duplicate_lines"]) == (3, 4)
    causes = {g["cause"]: g["count"] for g in client.get(f"/v1/jobs/{job['id']}/failures")["data"]}
    assert causes["no_result"] == 5


def test_an_input_folder_may_look_like_a_job(client, emulator):
    output, _, _ = foreign_job(emulator, "abcdefghijkl", 100)
    emulator.s3().copy_object(Bucket="videos", Key="inputs/abcdefghijkl/input.jsonl", CopySource={"Bucket": "videos", "Key": "abcdefghijkl/input.jsonl"})
    emulator.s3().copy_object(Bucket="videos", Key="inputs/000000000000/input.jsonl", CopySource={"Bucket": "videos", "Key": "abcdefghijkl/input.jsonl"})
    job = bring(client, "s3://videos/abcdefghijkl-out/", input_uri="s3://videos/inputs/")
    assert (job["error"], job["outcome"], job["counts"]["total"]) == (None, "success", 100)
    assert output.startswith("s3://videos/abcdefghijkl-out/")


def test_one_object_and_the_parent(client, emulator):
    output, _, _ = foreign_job(emulator, "single", 100)
    assert bring(client, output + "input.jsonl.out")["counts"]["succeeded"] == 100
    assert bring(client, "s3://videos/single-out/")["counts"]["succeeded"] == 100


REFUSALS = {
    "no_output": {},
    "no_records": {"a.jsonl.out": [{"recordId": "a", "modelInput": {"messages": [{"content": [
        {"video": {"format": "mp4", "source": {"bytes": "AAAA"}}}]}]}, "modelOutput": {}}]},
    "several_buckets": {"a.jsonl.out": [line_of("a", "x/a.mp4") | {"modelOutput": {}}, line_of("b", "y/b.mp4", "elsewhere") | {"modelOutput": {}}]},
    "several_jobs": {"abcdefghijk1/a.jsonl.out": [line_of("a", "x/a.mp4")], "abcdefghijk2/a.jsonl.out": [line_of("a", "x/b.mp4")]},
}


@pytest.mark.parametrize("code", REFUSALS)
def test_refusals(client, emulator, database, code):
    for name, lines in REFUSALS[code].items():
        emulator.s3().put_object(Bucket="videos", Key=f"refused-{code}/{name}", Body="\n".join(json.dumps(line) for line in lines))
    job = bring(client, f"s3://videos/refused-{code}/")
    assert (job["state"], job["outcome"], job["error"]["code"]) == ("failed", "failure", code), job["error"]
    assert job["trouble"] is None and client.get("/v1/tasks?state=dead")["data"] == []
    assert database.value("SELECT count(*) FROM import_line") == 0
    # it failed, so it may be tried again
    assert bring(client, f"s3://videos/refused-{code}/")["error"]["code"] == code
    client.post(f"/v1/jobs/{job['id']}/reingest", want=409)


def test_lines_without_a_video_are_counted(client, emulator):
    lines = [line_of("a", "mixed-lines/a.mp4") | {"modelOutput": {"output": {"message": {"content": [{"text": "yes"}]}}}},
             {"recordId": "b", "modelInput": {"messages": []}, "modelOutput": {"output": {"message": {"content": [{"text": "lost"}]}}}}]
    emulator.s3().put_object(Bucket="videos", Key="mixed-lines-out/x.jsonl.out", Body="\n".join(json.dumps(line) for line in lines) + "\nnot json\n")
    job = bring(client, "s3://videos/mixed-lines-out/")
    assert job["counts"]["total"] == job["counts"]["succeeded"] == 1
    (shard,) = client.pages(f"/v1/jobs/{job['id']}/shards")
    assert (shard["counts"]["unknown_lines"], shard["counts"]["malformed_lines"]) == (1, 1)


@pytest.mark.parametrize("body, pointer", [
    ({}, "/output_uri"), ({"output_uri": "x"}, "/output_uri"), ({"output_uri": "s3://UPPER/x/"}, "/output_uri"),
    ({"output_uri": "s3://videos/x/", "input_uri": 3}, "/input_uri"), ({"output_uri": "s3://videos/x/", "model_id": "no model"}, "/model_id"),
    ({"output_uri": "s3://videos/x/", "name": ""}, "/name"), ({"output_uri": "s3://videos/x/", "more": 1}, "/more"),
])
def test_bad_requests(client, body, pointer):
    refused = client.post("/v1/imports", body, 422).json()
    assert pointer in [e["pointer"] for e in refused["errors"]]


def test_without_a_prompt_nothing_can_be_asked_again(client, emulator):
    emulator.put_videos("mute/", 1)
    line = line_of("a", "mute/00000.mp4")
    line["modelInput"]["messages"][0]["content"].pop()
    lines = [line | {"error": {"errorCode": 500, "errorMessage": "Internal server error", "retryable": True}}]
    emulator.s3().put_object(Bucket="videos", Key="mute-out/x.jsonl.out", Body="\n".join(json.dumps(line) for line in lines))
    job = bring(client, "s3://videos/mute-out/")
    assert (job["prompt"], job["counts"]["failed"]) == ("", 1)
    assert client.post(f"/v1/jobs/{job['id']}/retry", None, 409).json()["type"].endswith(":prompt_unknown")


def test_a_name_made_of_a_long_uri_ends_with_a_whole_character(client, emulator):
    for more in range(4):
        job = client.post("/v1/imports", {"output_uri": "s3://videos/" + "x" * more + "\N{VIDEO CAMERA}" * 60 + "/"}, 202).json()
        assert job["name"].startswith("import of s3://videos/") and "\ufffd" not in job["name"]


def test_no_permission_is_told(client, emulator):
    emulator.fault(op="S3.ListObjectsV2", action={"status": 403, "code": "AccessDenied"})
    job = bring(client, "s3://videos/denied-out/")
    emulator.clear_faults()
    assert job["state"] == "failed" and job["error"]["upstream"]["code"] == "AccessDenied"


@pytest.mark.both
def test_kill_9_during_an_import(stack):
    dice = random.Random(20261127)
    database, emulator = stack.database(), stack.emulator()
    service = stack.service(database, emulator, VIDBATCH_LEASE="600ms", VIDBATCH_HEARTBEAT="150ms")
    output, given, videos = foreign_job(emulator, "killed", 400, output_files=4)
    emulator.fault(op="S3.GetObject", key="killed", action={"slow_body": 300_000})
    job = service.client().post("/v1/imports", {"output_uri": output, "input_uri": given}, 202).json()
    hits, kills = set(), 0
    while kills < (4 if SANITIZED else 14) and service.client().get(f"/v1/jobs/{job['id']}")["state"] != "completed":
        time.sleep(dice.uniform(0.05, 0.5))
        hits |= {row[0] for row in database.query("SELECT kind FROM task WHERE state = 'running' AND lease_until > now()")}
        service.kill()
        service.start()
        kills += 1
    emulator.clear_faults()
    ended = service.client().wait_job(job["id"])
    assert "import" in hits, hits
    assert ended["counts"] == {"total": 400, "pending": 0, "succeeded": 400, "failed": 0, "missing": 0}
    assert database.value("SELECT count(*) FROM record") == database.value("SELECT count(*) FROM summary") == 400
    assert database.value("SELECT count(*) FROM prefix") == database.value("SELECT count(*) FROM shard") == 1
    assert database.value("SELECT count(*) FROM import_line") == 0


def test_cancel_while_it_reads(stack):
    database, emulator = stack.database(), stack.emulator()
    service = stack.service(database, emulator)
    client = service.client()
    output, _, _ = foreign_job(emulator, "cancelled", 200)
    emulator.fault(op="S3.GetObject", key="cancelled", action={"slow_body": 100_000})
    job = client.post("/v1/imports", {"output_uri": output}, 202).json()
    wait_until("it to read", lambda: database.value("SELECT count(*) FROM task WHERE kind = 'import' AND state = 'running'"))
    client.post(f"/v1/jobs/{job['id']}/cancel", want=202)
    assert client.wait_job(job["id"])["state"] == "cancelled"
    emulator.clear_faults()
    wait_until("it to stop reading", lambda: database.value("SELECT count(*) FROM task WHERE kind = 'import'") == 0)
    assert database.value("SELECT count(*) FROM import_line") == 0
    assert bring(client, output)["counts"]["succeeded"] == 200


def test_a_cancelled_import_leaves_no_lines(stack):
    """Killed between reading and making records, then cancelled: whoever comes first removes what was read."""
    database, emulator = stack.database(), stack.emulator()
    service = stack.service(database, emulator, VIDBATCH_LEASE="600ms", VIDBATCH_HEARTBEAT="150ms")
    client = service.client()
    output, given, _ = foreign_job(emulator, "leftover", 150)
    emulator.fault(op="S3.GetObject", key="leftover-out", action={"slow_body": 10_000})
    job = client.post("/v1/imports", {"output_uri": output, "input_uri": given}, 202).json()
    wait_until("the input to be read", lambda: database.value("SELECT count(*) FROM import_line") == 150)
    service.kill()
    database.query("UPDATE job SET state = 'cancelling', cancel_requested = true")
    database.query("INSERT INTO task (kind, subject_id) SELECT 'cancel', id FROM job")
    service.start()
    assert service.client().wait_job(job["id"])["state"] == "cancelled"
    wait_until("its tasks to end", lambda: database.value("SELECT count(*) FROM task WHERE kind IN ('import', 'cancel')") == 0)
    assert database.value("SELECT count(*) FROM import_line") == 0
