"""Work in every kind of trouble: steps that always fail, lines that are poison, workers that stand still, clocks that jump, two versions side
by side. What cannot be done is told and kept, what can be done goes on, and nothing is done twice."""

import os
import pathlib
import shutil
import signal
import time

import pytest

from tests.support.vidbatch import SANITIZED, key_id, make_key, wait_until

VIDEOS = 110
QUICK_TO_GIVE_UP = {"VIDBATCH_MAX_FAILURES": "3", "AWS_MAX_ATTEMPTS": "1", "VIDBATCH_RETRY_CAP": "100ms"}
BROKEN = {"status": 500, "code": "InternalError", "message": "Out of order"}


def dead(client):
    return client.get("/v1/tasks?state=dead")["data"]


def assert_dead(client, step, trouble, words):
    (task,) = dead(client)
    assert (task["step"], task["state"], task["lease_until"]) == (step, "dead", None), task
    assert task["failures"] >= 1 and words in task["last_error"] and task["failing_since"], task
    assert (trouble["step"], trouble["state"], trouble["task_id"], trouble["next_try_at"]) == (step, "dead", task["id"], None), trouble
    assert words in trouble["message"] and trouble["since"], trouble
    assert client.get(f"/v1/tasks/{task['id']}") == task
    assert f'vidbatch_tasks{{kind="{step}",state="dead"}} 1' in client.call("GET", "/metrics", 200).text
    return task


def whole(job, count=VIDEOS):
    assert (job["state"], job["outcome"], job["counts"]["succeeded"]) == ("completed", "success", count), job
    return job


def test_dead_steps_are_shown_and_go_on_when_asked(stack):
    """A scan, a plan's look at nothing, an ingest: each dies, shows it, and does its work once its cause is gone."""
    emulator = stack.emulator()
    emulator.put_videos("v/", VIDEOS)
    database = stack.database()
    client = stack.service(database, emulator, **QUICK_TO_GIVE_UP).client()
    emulator.fault(op="S3.ListObjectsV2", action=BROKEN)
    prefix = client.wait_scan(client.register("v/")["id"])
    task = assert_dead(client, "scan", prefix["scan"]["trouble"], "Out of order")
    assert task["prefix_id"] == prefix["id"] and task["failures"] == 3
    emulator.clear_faults()
    client.post(f"/v1/tasks/{task['id']}/requeue", want=202)
    assert client.wait_scan(prefix["id"])["eligible_count"] == VIDEOS
    assert client.get(f"/v1/prefixes/{prefix['id']}")["scan"]["trouble"] is None and dead(client) == []
    client.call("GET", f"/v1/tasks/{task['id']}", 404)

    # A plan: the database refuses its one transaction.
    database.query("CREATE FUNCTION hinder() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no records today'; END $$")
    database.query("CREATE TRIGGER hinder BEFORE INSERT ON record EXECUTE FUNCTION hinder()")
    job = client.wait_job(client.launch(prefix["id"])["id"])
    assert job["state"] == "failed" and "no records today" in job["error"]["message"]
    task = assert_dead(client, "plan", job["trouble"], "no records today")
    assert task["job_id"] == job["id"]
    database.query("DROP TRIGGER hinder ON record")
    emulator.fault(op="S3.GetObject", key=".jsonl.out", action=BROKEN)
    client.post(f"/v1/tasks/{task['id']}/requeue", want=202)

    # Its output cannot be read: read again, not paid again.
    job = wait_until("the ingest to be given up", lambda: (lambda j: j["state"] == "failed" and j)(client.get(f"/v1/jobs/{job['id']}")))
    task = assert_dead(client, "ingest", job["trouble"], "Out of order")
    assert task["job_id"] == job["id"] and job["counts"]["missing"] == VIDEOS
    emulator.clear_faults()
    headers = {"Idempotency-Key": "once"}
    client.post(f"/v1/tasks/{task['id']}/requeue", want=202, headers=headers)
    client.post(f"/v1/tasks/{task['id']}/requeue", want=202, headers=headers)
    job = whole(client.wait_job(job["id"]))
    assert job["error"] is None and job["trouble"] is None and dead(client) == []
    assert len(emulator.jobs()) == 1


def test_a_step_that_the_database_cannot_bear_dies(stack):
    """It says that it has no room, but only to this step: then it is not down, and trying for ever helps nobody."""
    emulator = stack.emulator()
    emulator.put_videos("v/", VIDEOS)
    database = stack.database()
    client = stack.service(database, emulator, **QUICK_TO_GIVE_UP).client()
    prefix = client.wait_scan(client.register("v/")["id"])
    database.query("CREATE FUNCTION hinder() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room' USING ERRCODE = '53100'; END $$")
    database.query("CREATE TRIGGER hinder BEFORE INSERT ON record EXECUTE FUNCTION hinder()")
    job = client.wait_job(client.launch(prefix["id"])["id"], timeout_s=15)
    task = assert_dead(client, "plan", job["trouble"], "no room")
    assert task["attempts"] == 3, task
    database.query("DROP TRIGGER hinder ON record")
    client.post(f"/v1/tasks/{task['id']}/requeue", want=202)
    whole(client.wait_job(job["id"]))


def test_nothing_runs_for_a_deleted_prefix(stack):
    emulator = stack.emulator()
    emulator.put_videos("v/", VIDEOS)
    database = stack.database()
    client = stack.service(database, emulator, **QUICK_TO_GIVE_UP).client()
    prefix = client.wait_scan(client.register("v/")["id"])
    database.query("CREATE FUNCTION hinder() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$")
    database.query("CREATE TRIGGER hinder BEFORE INSERT ON record EXECUTE FUNCTION hinder()")
    job = client.wait_job(client.launch(prefix["id"])["id"])
    task = assert_dead(client, "plan", job["trouble"], "not today")
    database.query("DROP TRIGGER hinder ON record")
    client.call("DELETE", f"/v1/prefixes/{prefix['id']}", 204)
    assert client.post(f"/v1/tasks/{task['id']}/requeue", want=409).json()["code"] == "gone"
    assert client.get(f"/v1/jobs/{job['id']}")["state"] == "failed" and emulator.jobs() == []


def test_what_cannot_go_on_says_what_to_do_instead(stack):
    emulator = stack.emulator()
    emulator.put_videos("v/", VIDEOS)
    client = stack.service(stack.database(), emulator, **QUICK_TO_GIVE_UP).client()
    prefix = client.wait_scan(client.register("v/")["id"])
    emulator.fault(op="Bedrock.CreateModelInvocationJob", action={"status": 403, "code": "AccessDeniedException", "message": "No"})
    job = client.wait_job(client.launch(prefix["id"])["id"])
    task = assert_dead(client, "submit", job["trouble"], "AccessDenied")
    refused = client.post(f"/v1/tasks/{task['id']}/requeue", want=409).json()
    assert refused["code"] == "job_ended" and "/retry" in refused["detail"]
    emulator.clear_faults()
    whole(client.wait_job(client.post(f"/v1/jobs/{job['id']}/retry", want=202).json()["id"]))
    watch = next(t for t in client.get("/v1/tasks")["data"] if t["step"] == "watch")
    assert client.post(f"/v1/tasks/{watch['id']}/requeue", want=409).json()["code"] == "task_not_dead"
    client.post("/v1/tasks/tsk_00000000001/requeue", want=404)


def test_a_step_that_ends_whoever_runs_it_is_left_alone(stack):
    """Its lease runs out again and again: it is not run any more until somebody has looked."""
    emulator = stack.emulator(job_seconds=4)
    emulator.put_videos("v/", VIDEOS)
    database = stack.database()
    service = stack.service(database, emulator, **QUICK_TO_GIVE_UP)
    client = service.client()
    prefix = client.wait_scan(client.register("v/")["id"])
    job = client.launch(prefix["id"])["id"]
    client.wait_job(job, states=("running",))
    service.kill()
    # as three workers in a row leave it that were killed in the midst of it
    database.query("INSERT INTO task (kind, subject_id, run_at) SELECT 'finish', id, now() FROM job")
    database.query("UPDATE task SET state = 'running', lost = 2, lease_until = now() - interval '1 s', worker = 'gone'")
    service.start()
    client = service.client()
    wait_until("the finish to be dead", lambda: [t["step"] for t in dead(client)] == ["finish"])
    (task,) = dead(client)
    assert "whoever ran this step was lost, 3 times" in task["last_error"]
    trouble = client.get(f"/v1/jobs/{job}")["trouble"]
    assert (trouble["step"], trouble["state"], trouble["task_id"]) == ("finish", "dead", task["id"])
    # without the watch nothing would go on anywhere
    wait_until("the watch to have run", lambda: [t["leases_lost"] for t in client.get("/v1/tasks")["data"] if t["step"] == "watch"] == [0])
    client.post(f"/v1/tasks/{task['id']}/requeue", want=202)
    whole(client.wait_job(job))


def test_poison_lines_are_kept_counted_and_shown(stack):
    emulator = stack.emulator()
    emulator.put_videos("v/", VIDEOS)
    client = stack.service(stack.database(), emulator).client()
    prefix = client.wait_scan(client.register("v/")["id"])
    job = whole(client.wait_job(client.launch(prefix["id"])["id"]))
    assert client.pages(f"/v1/jobs/{job['id']}/unread-lines") == []
    (shard,) = client.pages(f"/v1/jobs/{job['id']}/shards")
    key = shard["output_uri"].removeprefix("s3://videos/") + shard["bedrock"]["arn"].rsplit("/", 1)[1] + "/input.jsonl.out"
    s3 = emulator.s3()
    lines = s3.get_object(Bucket="videos", Key=key)["Body"].read().splitlines(keepends=True)
    poison = [
        b'{"recordId": "AAAAAAAAAAA", "modelOutput": {}}\n',  # nobody's
        b"\x00\xff<html>503</html>\n",
        b'{"recordId": ' + b'"' + b"x" * 100_000 + b'"}\n',
        b"[" * 5000 + b"\n",
        lines[0][: len(lines[0]) // 2] + b"\n",  # cut
    ]
    flood = [b"junk %d\n" % n for n in range(200)]
    body = b"".join(poison[:2]) + b"".join(lines) + b"".join(poison[2:]) + b"".join(flood) + b'{"recordId"'
    s3.put_object(Bucket="videos", Key=key, Body=body)
    for _ in range(2):  # what was kept of the first reading is forgotten with it
        client.post(f"/v1/jobs/{job['id']}/reingest", want=202)
        whole(client.wait_job(job["id"]))
        (shard,) = client.pages(f"/v1/jobs/{job['id']}/shards")
        assert (shard["counts"]["unknown_lines"], shard["counts"]["malformed_lines"]) == (1, 4 + 200 + 1), shard["counts"]
        kept = client.pages(f"/v1/jobs/{job['id']}/unread-lines?limit=7")
        assert len(kept) == 100 and {line["shard_id"] for line in kept} == {shard["id"]}
        assert [line["kind"] for line in kept[:2]] == ["unknown", "malformed"] and kept[1]["head"] == "\ufffd\ufffd<html>503</html>"
        for line in kept:
            raw = body[line["offset"]: line["offset"] + line["bytes"]]
            assert raw in poison + flood and line["file"] == key and line["problem"]
            assert len(line["head"]) <= 2048 and raw.decode(errors="replace").replace("\0", "\ufffd").startswith(line["head"])


def test_a_worker_that_stands_still_does_no_harm(stack):
    """SIGSTOP for longer than its lease, in every step of a job; the other replica takes over, and the first wakes up in the midst of it."""
    emulator = stack.emulator(job_seconds=1)
    emulator.put_videos("v/", 440)
    database = stack.database()
    settings = {"VIDBATCH_SHARD_RECORDS": "200", "VIDBATCH_LEASE": "500ms", "VIDBATCH_HEARTBEAT": "100ms"}
    replicas = [stack.service(database, emulator, name=name, **settings) for name in "ab"]
    clients = [replica.client() for replica in replicas]
    prefix = clients[0].wait_scan(clients[0].register("v/")["id"])
    for op, wait in (("S3.CopyObject", 10), ("Bedrock.CreateModelInvocationJob", 200), ("S3.GetObject", 100)):
        emulator.fault(op=op, action={"delay_ms": wait})
    job = clients[0].launch(prefix["id"])["id"]
    stops = 0
    while not database.value("SELECT count(*) FROM job WHERE completed_at IS NOT NULL"):
        still = replicas[stops % 2]
        os.kill(still.child.pid, signal.SIGSTOP)
        time.sleep(0.7)  # its lease ends
        os.kill(still.child.pid, signal.SIGCONT)
        time.sleep(0.15 + 0.05 * stops)
        stops += 1
        assert stops < 200
    for client in clients:
        whole(client.get(f"/v1/jobs/{job}"), 440)
    arns = [a for (a,) in database.query("SELECT bedrock_arn FROM shard")]
    assert sorted(arns) == sorted(j["arn"] for j in emulator.jobs()) and len(arns) == 3
    lost = sum(replica.log().count("lease_lost") for replica in replicas)
    print(f"{stops} stops, {lost} steps found their lease lost")
    assert lost > 0


@pytest.mark.both
@pytest.mark.skipif(SANITIZED, reason="libfaketime and a sanitizer both want to be loaded first; leases and clocks of the database are the same there")
def test_a_clock_that_jumps_does_no_harm(stack, tmp_path):
    """One replica's clock goes an hour forward, then two back, while a job runs and its submission is in doubt."""
    faketime = shutil.which("faketime")
    assert faketime, "the package faketime is missing"
    (library,) = pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    emulator = stack.emulator(job_seconds=2)
    emulator.put_videos("v/", 440)
    database = stack.database()
    settings = {"VIDBATCH_SHARD_RECORDS": "200", "VIDBATCH_LEASE": "1s", "VIDBATCH_HEARTBEAT": "200ms", "VIDBATCH_LOOKUP_GRACE": "60s"}
    odd = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    replicas = [stack.service(database, emulator, name="odd", **settings, **odd), stack.service(database, emulator, name="even", **settings)]
    clients = [replica.client() for replica in replicas]
    prefix = clients[0].wait_scan(clients[0].register("v/")["id"])
    emulator.fault(op="S3.CopyObject", action={"delay_ms": 5})
    emulator.fault(op="Bedrock.CreateModelInvocationJob", count=4, action="reset_after")  # made, but nobody is told
    emulator.fault(op="Bedrock.ListModelInvocationJobs", count=3, action={"status": 500, "code": "InternalServerException"})
    job = clients[0].launch(prefix["id"])["id"]
    for offset in ("+3600", "-3600", "+3600", "+0"):
        clock.write_text(offset + "\n")
        time.sleep(0.8)
        assert [client.call("GET", "/readyz").status_code for client in clients] == [200, 200]
    ended = whole(clients[1].wait_job(job), 440)
    assert clients[0].get(f"/v1/jobs/{job}")["counts"] == ended["counts"]
    arns = [a for (a,) in database.query("SELECT bedrock_arn FROM shard")]
    assert sorted(arns) == sorted(j["arn"] for j in emulator.jobs()) and len(arns) == 3
    assert "aws.clock_skew" in replicas[0].log() and "aws.clock_skew" not in replicas[1].log(), "no clock has jumped"
    assert database.value("SELECT count(*) FROM task WHERE state = 'running' AND lease_until > now() + interval '1 minute'") == 0


@pytest.mark.both
@pytest.mark.skipif(SANITIZED, reason="libfaketime and a sanitizer both want to be loaded first; times are compared there as here")
@pytest.mark.parametrize("offset", ["+3600", "-3600"])
def test_a_clock_that_is_wrong_decides_nothing(stack, offset):
    """The only replica's clock is an hour off. When a plan or a key ends, when to look again, and when a thing was made, the database says."""
    (library,) = pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    emulator, database = stack.emulator(), stack.database()
    emulator.put_videos("v/", VIDEOS)
    emulator.put_videos("few/", 10)
    wrong = {"LD_PRELOAD": str(library), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    service = stack.service(database, emulator, VIDBATCH_PLAN_EXPIRES="30m", VIDBATCH_WAIT_RESCAN="30m", **wrong)
    client = service.client()
    few = client.wait_scan(client.register("few/")["id"])
    client.launch(few["id"], below_minimum="wait")
    prefix = client.wait_scan(client.register("v/")["id"])
    body = {"prefix_id": prefix["id"], "prompt": "Describe the video.", "staging": "copy"}
    plan = client.post("/v1/plans", body, 202).json()["id"]
    wait_until("the plan", lambda: client.get(f"/v1/plans/{plan}")["state"] == "ready")
    job = client.post("/v1/jobs", {"plan_id": plan}, 202).json()["id"]
    whole(client.wait_job(job))
    stored = "SELECT count(*) FROM {} WHERE abs(extract(epoch FROM now() - {})) < 600"
    assert database.value(stored.format("summary", "created_at")) == VIDEOS
    assert database.value(stored.format("video_media", "checked_at")) == VIDEOS + 10
    assert database.value("SELECT count(*) FROM task WHERE kind = 'plan'") == 1, "the other job waits"
    assert sum("step.end" in line and "step=scan" in line for line in service.log().splitlines()) == 2, "scanned again and again"
    in_half_an_hour = database.value("SELECT to_char(now() AT TIME ZONE 'UTC' + interval '30 minutes', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
    good, stale = (make_key(database, "admin", name, "--expires-at", in_half_an_hour) for name in ("good", "stale"))
    database.query("UPDATE api_key SET expires_at = now() - interval '30 minutes' WHERE name = 'stale'")
    keys = wait_until("the keys", lambda: service.client(good).get("/v1/keys", want=None).get("data"))
    assert {key["name"]: key["state"] for key in keys} == {"good": "active", "stale": "expired"}
    assert service.client(stale).call("GET", "/v1/jobs", 401).json()["code"] == "key_expired"
    # A secret that was replaced is good for as long as was said.
    client = service.client(good)
    client.post(f"/v1/keys/{key_id(good)}/rotate", {"overlap": "30m"}, 200)
    assert client.get("/v1/jobs")["data"]


def test_two_versions_side_by_side(stack):
    """A newer version has migrated the database, as migrations are allowed to: this one runs jobs on, beside it and after a restart."""
    emulator = stack.emulator()
    emulator.put_videos("v/", VIDEOS)
    database = stack.database()
    replicas = [stack.service(database, emulator, name="a")]
    clients = [replicas[0].client()]
    prefix = clients[0].wait_scan(clients[0].register("v/")["id"])
    before = clients[0].launch(prefix["id"], select="all")["id"]
    for table in ("job", "shard", "record", "summary", "task", "video", "prefix", "event"):
        database.query(f"ALTER TABLE {table} ADD COLUMN later text, ADD COLUMN later_count int4 NOT NULL DEFAULT 0")
    database.query("CREATE TABLE of_later (id int8 PRIMARY KEY, job_id int8)")
    number = database.value("SELECT max(number) + 1 FROM schema_migration")
    database.query("INSERT INTO schema_migration (number, name, checksum) VALUES (%s, 'of_later', sha256('later'))", number)
    replicas.append(stack.service(database, emulator, name="b"))
    clients.append(replicas[1].client())
    assert "migrate.newer" in replicas[1].log()
    jobs = [before] + [client.launch(prefix["id"], select="all")["id"] for client in clients]
    for job in jobs:
        whole(clients[1].wait_job(job))
    assert len(emulator.jobs()) == len(jobs)
