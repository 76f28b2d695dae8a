"""AWS at its worst: throttling, lost answers, cut bodies, resets. All absorbed, nothing twice."""

import json

import pytest

from tests.support.vidbatch import log_entries, wait_until

VIDEOS = 150


@pytest.fixture(scope="module")
def prefix(client, emulator):
    emulator.put_videos("faults/", VIDEOS)
    return client.wait_scan(client.register("faults/")["id"])


@pytest.fixture(autouse=True)
def clean(emulator):
    yield
    emulator.clear_faults()


def run(client, prefix, **more):
    client.post(f"/v1/prefixes/{prefix['id']}/scan", want=202)
    return client.wait_job(client.launch(prefix["id"], select="all", **more)["id"])


def assert_whole(client, job, emulator, created_before):
    assert (job["outcome"], job["counts"]["succeeded"]) == ("success", VIDEOS), job
    assert len(emulator.jobs()) == created_before + 1


@pytest.mark.parametrize(
    "op, action",
    [
        ("S3.ListObjectsV2", {"status": 503, "code": "SlowDown"}),
        ("S3.ListObjectsV2", {"status": 500, "code": "InternalError"}),
        ("S3.ListObjectsV2", "reset"),
        ("S3.ListObjectsV2", {"cut_body": 100}),
        ("S3.CopyObject", {"status": 503, "code": "SlowDown"}),
        ("S3.CopyObject", "reset"),
        ("S3.CopyObject", "reset_after"),
        ("S3.PutObject", {"status": 503, "code": "SlowDown"}),
        ("S3.PutObject", "reset_after"),
        ("S3.GetObject", {"status": 503, "code": "SlowDown"}),
        ("S3.GetObject", "reset"),
        ("S3.GetObject", {"cut_body": 20000}),
        ("S3.DeleteObjects", {"status": 503, "code": "SlowDown"}),
        ("Bedrock.CreateModelInvocationJob", {"status": 429, "code": "ThrottlingException"}),
        ("Bedrock.CreateModelInvocationJob", {"status": 500, "code": "InternalServerException"}),
        ("Bedrock.CreateModelInvocationJob", {"status": 400, "code": "ServiceQuotaExceededException"}),
        ("Bedrock.CreateModelInvocationJob", "reset"),
        ("Bedrock.CreateModelInvocationJob", "reset_after"),
        ("Bedrock.CreateModelInvocationJob", {"cut_body": 5}),
        ("Bedrock.ListModelInvocationJobs", {"status": 429, "code": "ThrottlingException"}),
        ("Bedrock.ListModelInvocationJobs", "reset"),
        ("Bedrock.ListModelInvocationJobs", {"cut_body": 30}),
    ],
    ids=str,
)
def test_a_fault_that_passes_is_absorbed(client, emulator, prefix, op, action):
    before, served = len(emulator.jobs()), len([r for r in emulator.requests(op) if r.get("fault")])
    emulator.fault(op=op, count=3, action=action)
    job = run(client, prefix)
    assert_whole(client, job, emulator, before)
    if op == "S3.DeleteObjects":  # removed after the job has ended
        wait_until("the fault to be served", lambda: len([r for r in emulator.requests(op) if r.get("fault")]) > served)
    assert len([r for r in emulator.requests(op) if r.get("fault")]) > served, "the fault was never served"


def test_a_slow_body_is_waited_for(client, emulator, prefix):
    emulator.fault(op="S3.GetObject", count=1, action={"slow_body": 60000})
    before = len(emulator.jobs())
    assert_whole(client, run(client, prefix), emulator, before)


def test_damaged_output_is_read_anew_from_its_start(client, emulator, prefix, service):
    emulator.fault(op="S3.GetObject", key=".jsonl.out", count=1, action={"checksum": "AAAAAAAAAAA="})
    before = len(emulator.jobs())
    job = run(client, prefix)
    assert_whole(client, job, emulator, before)
    assert "damaged on the way" in service.log()
    shards = client.get(f"/v1/jobs/{job['id']}/shards")["data"]
    assert [shard["ingest_round"] for shard in shards] == [2], shards


def test_every_answer_of_create_is_lost(client, emulator, prefix):
    """Ten lost answers in a row are still one Bedrock job."""
    before = len(emulator.jobs())
    emulator.fault(op="Bedrock.CreateModelInvocationJob", count=10, action="reset_after")
    assert_whole(client, run(client, prefix), emulator, before)


def test_a_refusal_is_told_in_words(client, emulator, prefix):
    emulator.fault(op="Bedrock.CreateModelInvocationJob", action={"status": 403, "code": "AccessDeniedException", "message": "User is not authorized to perform: iam:PassRole"})
    before = len(emulator.jobs())
    job = run(client, prefix)
    assert (job["state"], job["outcome"]) == ("failed", "failure")
    assert job["counts"]["missing"] == VIDEOS and job["counts"]["pending"] == 0
    assert job["error"]["upstream"]["code"] == "AccessDeniedException" and "iam:PassRole" in str(job["error"])
    assert len(emulator.jobs()) == before


def test_output_that_cannot_be_read_can_be_read_later(client, emulator, prefix):
    emulator.fault(op="S3.GetObject", action={"status": 403, "code": "AccessDenied"})
    job = run(client, prefix)
    assert job["state"] == "failed" and job["counts"]["missing"] == VIDEOS and "reingest" in str(job["error"]) + str(
        client.get(f"/v1/jobs/{job['id']}/records?limit=1")["data"])
    emulator.clear_faults()
    client.post(f"/v1/jobs/{job['id']}/reingest", want=202)
    again = client.wait_job(job["id"])
    assert (again["state"], again["outcome"], again["error"]) == ("completed", "success", None)


def test_slots_are_waited_for(stack):
    database, emulator = stack.database(), stack.emulator(job_seconds=1)
    emulator.put_videos("v/", 500)
    service = stack.service(database, emulator, VIDBATCH_SHARD_RECORDS="200", VIDBATCH_MIN_RECORDS="100", VIDBATCH_CONCURRENT_JOBS="1")
    client = service.client()
    prefix = client.wait_scan(client.register("v/")["id"])
    job = client.wait_job(client.launch(prefix["id"])["id"])
    assert (job["outcome"], job["shards"]) == ("success", 3)
    running = 0
    for line in log_entries(emulator.request_log):
        running += {"job.created": 1, "job.ended": -1}.get(line.get("event"), 0)
        assert running <= 1


def test_one_video_that_cannot_be_copied_costs_only_itself(client, emulator):
    emulator.put_videos("bad/", 104)
    prefix = client.wait_scan(client.register("bad/")["id"])
    emulator.fault(op="S3.CopyObject", skip=3, count=1, action={"status": 403, "code": "InvalidObjectState"})
    emulator.fault(op="S3.CopyObject", skip=60, count=1, action={"status": 403, "code": "AccessDenied"})
    emulator.fault(op="S3.CopyObject", skip=70, count=1, action={"status": 400, "code": "KMS.DisabledException"})
    job = client.wait_job(client.launch(prefix["id"])["id"])
    assert (job["outcome"], job["counts"]["succeeded"]) == ("partial", 101)
    failed = {r["error"]["reason"]: r["error"]["message"] for r in client.pages(f"/v1/jobs/{job['id']}/records?state=failed")}
    assert sorted(failed) == ["source_archived", "source_denied", "source_refused"]
    assert "KMS.DisabledException" in failed["source_refused"]


def test_no_permission_at_all_is_one_error_not_many(client, emulator, prefix):
    emulator.fault(op="S3.CopyObject", action={"status": 403, "code": "AccessDenied"})
    job = run(client, prefix)
    assert job["state"] == "failed" and job["error"]["upstream"]["code"] == "AccessDenied"
    assert job["counts"]["missing"] == VIDEOS


def test_output_that_changes_while_it_is_read_is_read_again(client, emulator, prefix):
    before = len(emulator.jobs())
    emulator.fault(op="S3.GetObject", key=".jsonl.out", count=1, action={"status": 412, "code": "PreconditionFailed"})
    assert_whole(client, run(client, prefix), emulator, before)


def test_the_manifest_is_optional(client, emulator, prefix):
    before = len(emulator.jobs())
    emulator.fault(op="S3.GetObject", key="manifest.json.out", action={"status": 403, "code": "AccessDenied"})
    job = run(client, prefix)
    assert_whole(client, job, emulator, before)
    assert client.get(f"/v1/jobs/{job['id']}/shards")["data"][0]["manifest_usage"] is None


def test_an_answer_after_an_error_of_the_same_record_counts(client, emulator, prefix, database):
    """Whichever comes first, in one chunk or in two files, and after a BOM."""
    job = run(client, prefix)
    (shard,) = client.pages(f"/v1/jobs/{job['id']}/shards")
    folder = shard["output_uri"].removeprefix("s3://videos/") + shard["bedrock"]["arn"].rsplit("/", 1)[1] + "/"
    s3 = emulator.s3()
    lines = s3.get_object(Bucket="videos", Key=folder + "input.jsonl.out")["Body"].read().splitlines(keepends=True)
    ids = [json.loads(line)["recordId"] for line in lines]

    def error(record):
        return json.dumps({"recordId": record, "error": {"errorCode": 500, "errorMessage": "try later"}}).encode() + b"\n"

    s3.put_object(Bucket="videos", Key=folder + "input.jsonl.out", Body=b"\xef\xbb\xbf" + error(ids[0]) + b"".join(lines) + error(ids[1]))
    s3.put_object(Bucket="videos", Key=folder + "earlier.jsonl.out", Body=error(ids[2]) + error(ids[3]))
    database.query("DELETE FROM summary WHERE job_id = (SELECT max(id) FROM job)")
    client.post(f"/v1/jobs/{job['id']}/reingest", want=202)
    again = client.wait_job(job["id"])
    assert (again["outcome"], again["counts"]["succeeded"]) == ("success", VIDEOS)
    assert client.get(f"/v1/jobs/{job['id']}/shards")["data"][0]["counts"]["duplicate_lines"] == 4


@pytest.mark.parametrize("action, created", [("reset", 0), ("reset_after", 1)])
def test_cancel_while_the_answer_of_create_is_missing(stack, action, created):
    """Nobody knows whether the job exists: it is looked for, and stopped if it does."""
    database, emulator = stack.database(), stack.emulator(job_seconds=600)
    emulator.put_videos("v/", VIDEOS)
    service = stack.service(database, emulator, VIDBATCH_LOOKUP_GRACE="2s", VIDBATCH_RETRY_BASE="1s")
    client = service.client()
    prefix = client.wait_scan(client.register("v/")["id"])
    emulator.fault(op="Bedrock.CreateModelInvocationJob", count=1, action=action)
    job = client.launch(prefix["id"])
    wait_until("the lost call", lambda: [r for r in emulator.requests("Bedrock.CreateModelInvocationJob") if r.get("fault")])
    client.post(f"/v1/jobs/{job['id']}/cancel", want=202)
    ended = client.wait_job(job["id"])
    assert ended["state"] == "cancelled" and ended["counts"]["pending"] == 0
    statuses = [j["status"] for j in emulator.jobs()]
    # On a slow machine the step may have asked a second time before the cancel came: then there is a job, and it is stopped.
    asked = len(emulator.requests("Bedrock.CreateModelInvocationJob"))
    assert statuses == ["Stopped"] * (1 if asked > 1 else created)


def test_a_job_that_aws_may_know_is_never_given_up(stack):
    """The answer of Create is lost, and then nothing may be listed: the shard shows what is wrong, and goes on once it is cured."""
    database, emulator = stack.database(), stack.emulator()
    emulator.put_videos("v/", VIDEOS)
    service = stack.service(database, emulator, VIDBATCH_LOOKUP_GRACE="2s")  # it is tried again no sooner
    client = service.client()
    prefix = client.wait_scan(client.register("v/")["id"])
    emulator.fault(op="Bedrock.CreateModelInvocationJob", count=1, action="reset_after")
    emulator.fault(op="Bedrock.ListModelInvocationJobs", action={"status": 403, "code": "AccessDeniedException"})
    job = client.launch(prefix["id"])

    def shown():
        shards = client.get(f"/v1/jobs/{job['id']}/shards")["data"]
        return shards and shards[0]["error"] and shards[0]

    shard = wait_until("the error to be shown", shown)
    assert shard["state"] == "submitting" and shard["error"]["upstream"]["code"] == "AccessDeniedException"
    emulator.clear_faults()
    assert_whole(client, client.wait_job(job["id"]), emulator, 0)


def test_a_name_that_another_job_has_is_told_and_ends_the_part(stack):
    """None with our token shows up, so it is not ours: the refusal is shown at once, and counts when that is certain."""
    database, emulator = stack.database(), stack.emulator()
    emulator.put_videos("v/", VIDEOS)
    client = stack.service(database, emulator, VIDBATCH_LOOKUP_GRACE="3s").client()
    prefix = client.wait_scan(client.register("v/")["id"])
    emulator.fault(op="Bedrock.CreateModelInvocationJob",
                   action={"status": 400, "code": "ValidationException", "message": "The provided job name is currently in use"})
    job = client.launch(prefix["id"])

    def trouble():
        return client.get(f"/v1/jobs/{job['id']}")["trouble"]

    shown = wait_until("the trouble to be shown", trouble, timeout_s=30)
    assert shown["step"] == "submit" and "vidbatch-" in shown["message"] and "name" in shown["message"], shown
    ended = client.wait_job(job["id"], timeout_s=30)
    assert ended["state"] == "failed" and ended["counts"]["missing"] == VIDEOS
    assert ended["error"]["code"] == "bedrock_name_in_use" and "retry" in ended["error"]["message"], ended["error"]
    assert ended["error"]["upstream"]["message"] == "The provided job name is currently in use" and emulator.jobs() == []
    assert database.value("SELECT count(*) FROM slot_taken") == 0


def test_a_job_that_aws_does_not_know_any_more_ends(stack):
    database, emulator = stack.database(), stack.emulator(job_seconds=600)
    emulator.put_videos("v/", VIDEOS)
    client = stack.service(database, emulator, VIDBATCH_LOOKUP_GRACE="1s").client()
    prefix = client.wait_scan(client.register("v/")["id"])
    job = client.launch(prefix["id"])
    client.wait_job(job["id"], ("running",))
    database.query("UPDATE shard SET bedrock_arn = left(bedrock_arn, -4) || 'zzzz'")
    ended = client.wait_job(job["id"])
    assert ended["state"] == "failed" and ended["counts"]["missing"] == VIDEOS and "NotFound" in ended["error"]["message"]


def test_two_launches_of_the_same_question_pay_once(stack):
    database, emulator = stack.database(), stack.emulator(job_seconds=2)
    emulator.put_videos("v/", VIDEOS)
    client = stack.service(database, emulator).client()
    prefix = client.wait_scan(client.register("v/")["id"])
    body = {"prefix_id": prefix["id"], "prompt": "The same."}
    answers = [client.post("/v1/jobs", body) for _ in range(3)]
    ended = [client.wait_job(a.json()["id"]) for a in answers if a.status_code == 202]
    assert sorted(j["counts"]["succeeded"] for j in ended)[-1] == VIDEOS
    assert sum(j["counts"]["total"] for j in ended) == VIDEOS and len(emulator.jobs()) == 1
