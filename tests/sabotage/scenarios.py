"""What users do, so that every kind of step and every way in which it ends is met; and what must hold afterwards."""

import collections
import json
import time
import uuid

import boto3

from tests.support.vidbatch import ACCESS_KEY, REGION, ROLE, SECRET_KEY, make_key, wait_until

LONG_PROMPT = "Describe. " * 5000  # 110 lines of it are more than one part of a multipart upload
MODEL = "amazon.nova-lite-v1:0"
FINAL = ("completed", "failed", "cancelled")


class World:
    """A service in trouble, its emulator and its database; and the jobs whose end is known."""

    def __init__(self, service, emulator, database):
        self.service, self.emulator, self.database = service, emulator, database
        self.client = service.client()
        self.foreign = 0
        self.given_up = 0

    def prefix(self, name, count, **more):
        self.emulator.put_videos(f"{name}/", count)
        return self.client.wait_scan(self.client.register(f"{name}/", **more)["id"])

    def rescan(self, prefix):
        self.client.post(f"/v1/prefixes/{prefix['id']}/scan", want=202)
        return self.client.wait_scan(prefix["id"])

    def run(self, prefix, counts, **more):
        job = self.client.wait_job(self.client.launch(prefix["id"], prompt=more.pop("prompt", f"{uuid.uuid4()}?"), **more)["id"])
        self.expect(job, counts)
        return job

    def expect(self, job, counts):
        want = {"total": sum(counts.values()), "pending": 0, "succeeded": 0, "failed": 0, "missing": 0, **counts}
        assert job["counts"] == want, job

    def wait_plan(self, plan_id):
        def done():
            plan = self.client.get(f"/v1/plans/{plan_id}")
            return plan if plan["state"] not in ("planning", "waiting") else None

        return wait_until("a plan", done)


def copies(world):
    """The whole way with two shards, a JSONL in parts, output in several files, and a prefix that changes, is checked and deleted."""
    client, emulator = world.client, world.emulator
    prefix = world.prefix("copied", 110)
    emulator.put_videos("copied/more-", 110)
    emulator.s3().put_object(Bucket="videos", Key="copied/0000003.mp4", Body=b"no video at all, whatever its suffix says")
    emulator.s3().delete_object(Bucket="videos", Key="copied/0000004.mp4")
    prefix = world.rescan(prefix)
    assert prefix["eligible_count"] == 219
    client.call("PATCH", f"/v1/prefixes/{prefix['id']}", 200, json={"name": "renamed"})
    client.post(f"/v1/prefixes/{prefix['id']}/check", want=200)
    client.post(f"/v1/prefixes/{prefix['id']}/uploads", {"files": [{"name": "later.mp4"}]}, want=200)
    emulator.fault(job={"name_contains": "", "output_files": 3, "error_fraction": 0.1, "garbage_lines": 2})
    plan = client.post("/v1/plans", {"prefix_id": prefix["id"], "prompt": LONG_PROMPT, "staging": "copy"}, 202).json()
    plan = world.wait_plan(plan["id"])
    assert plan["state"] == "ready" and plan["videos"]["taken"] == 218, plan
    job = client.post("/v1/jobs", {"plan_id": plan["id"]}, 202).json()
    job = client.wait_job(job["id"])
    emulator.clear_faults()
    failed = job["counts"]["failed"]
    world.expect(job, {"succeeded": 218 - failed, "failed": failed})
    assert failed > 0
    client.post(f"/v1/jobs/{job['id']}/reingest", want=202)
    assert client.wait_job(job["id"])["counts"] == job["counts"]
    again = client.post(f"/v1/jobs/{job['id']}/retry", {"below_minimum": "on_demand"}, 202).json()
    world.expect(client.wait_job(again["id"]), {"succeeded": failed})
    client.call("DELETE", f"/v1/prefixes/{prefix['id']}")


def in_place(world):
    """Staged in the user's folder; a second job waits for the same folder."""
    prefix = world.prefix("placed", 120)
    world.emulator.fault(job={"hold": True})
    jobs = [world.client.launch(prefix["id"], prompt=f"Question {n}?", staging="in_place")["id"] for n in range(2)]
    wait_until("the second to wait for the folder", lambda: world.database.value("SELECT count(*) FROM shard WHERE folder_busy"))
    world.emulator.clear_faults()
    world.emulator.control("POST", "release", {"name_contains": ""})
    for job in jobs:
        world.expect(world.client.wait_job(job), {"succeeded": 120})


def on_demand(world):
    prefix = world.prefix("few", 12)
    world.run(prefix, {"succeeded": 12}, below_minimum="on_demand")


def plans(world):
    """Plans that nobody launches: deleted, too late, left behind by their prefix; and videos that were never used."""
    client = world.client
    prefix = world.prefix("planned", 110)
    made = [client.post("/v1/plans", {"prefix_id": prefix["id"], "prompt": f"Question {n}?"}, 202).json() for n in range(3)]
    for plan in made:
        world.wait_plan(plan["id"])
    world.client.call("DELETE", f"/v1/plans/{made[0]['id']}", 204)
    world.database.query("UPDATE job SET expires_at = now() WHERE id = (SELECT min(id) FROM job WHERE launched_at IS NULL AND state <> 'expired')")
    wait_until("a plan to be too late", lambda: client.get(f"/v1/plans/{made[1]['id']}")["state"] == "expired")
    client.call("DELETE", f"/v1/prefixes/{prefix['id']}")
    wait_until("the sweep", lambda: world.database.value(
        "SELECT count(*) FROM video v JOIN prefix p ON p.id = v.prefix_id WHERE p.key_prefix = 'planned/'") == 0)


def cancels(world):
    """Before it is submitted, and at Bedrock."""
    client, emulator = world.client, world.emulator
    few = world.prefix("cancelled-few", 7)
    waiting = client.launch(few["id"], prompt="Wait.", below_minimum="wait")
    client.post(f"/v1/jobs/{waiting['id']}/cancel", want=202)
    assert client.wait_job(waiting["id"])["state"] == "cancelled"
    prefix = world.prefix("cancelled", 110)
    emulator.fault(job={"name_contains": "", "hold": True, "process_fraction": 0})
    job = client.launch(prefix["id"], prompt="Held.")
    wait_until("Bedrock to have it", lambda: [j for j in emulator.jobs() if j["status"] == "InProgress"])
    client.post(f"/v1/jobs/{job['id']}/cancel", want=202)
    ended = client.wait_job(job["id"])
    assert ended["state"] == "cancelled" and ended["counts"]["missing"] == 110, ended
    emulator.clear_faults()
    client.call("DELETE", f"/v1/prefixes/{prefix['id']}")


def waits(world):
    """A job that waits for enough videos."""
    prefix = world.prefix("grown", 60)
    job = world.client.launch(prefix["id"], prompt="Enough?", below_minimum="wait")
    wait_until("the job to wait", lambda: world.client.get(f"/v1/jobs/{job['id']}")["waiting"])
    world.emulator.put_videos("grown/more-", 60)
    world.rescan(prefix)
    world.expect(world.client.wait_job(job["id"]), {"succeeded": 120})


def refusals(world):
    """What is given up: by AWS's word at once, step by step."""
    client, emulator = world.client, world.emulator
    prefix = world.prefix("refused", 110)
    denied = {"status": 403, "code": "AccessDenied", "message": "not you"}

    def refused(op, code=None, **more):
        emulator.fault(op=op, **more, action={**denied, "code": code or "AccessDenied"})
        job = client.wait_job(client.launch(prefix["id"], prompt=f"{op}?", preflight="listing", below_minimum=more.get("below", "refuse"))["id"])
        assert job["state"] == "failed" and job["counts"]["pending"] == 0, job
        world.given_up += 1
        emulator.clear_faults()
        settle(world)  # what it left is removed before the next refusal, which would stop that too

    refused("Bedrock.CreateModelInvocationJob", "AccessDeniedException")
    refused("S3.PutObject")
    refused("S3.GetObject", key="output/")
    emulator.fault(op="S3.ListObjectsV2", action=denied)
    assert world.rescan(prefix)["scan"]["state"] == "failed"
    world.given_up += 1
    emulator.clear_faults()
    few = world.prefix("refused-few", 5)
    emulator.fault(op="BedrockRuntime.InvokeModel", action={**denied, "code": "AccessDeniedException"})
    job = client.wait_job(client.launch(few["id"], prompt="few?", below_minimum="on_demand")["id"])
    assert (job["state"], job["counts"]["missing"]) == ("failed", 5), job
    world.given_up += 1
    emulator.clear_faults()


def imports(world):
    """What another tool's Bedrock job left."""
    emulator, client = world.emulator, world.client
    emulator.put_videos("other/videos/", 110)
    lines = []
    for n in range(110):
        source = {"s3Location": {"uri": f"s3://videos/other/videos/{n:07}.mp4"}}
        content = [{"video": {"format": "mp4", "source": source}}, {"text": "What?"}]
        lines.append(json.dumps({"recordId": f"rec-{n}", "modelInput": {"messages": [{"role": "user", "content": content}]}}))
    emulator.s3().put_object(Bucket="videos", Key="other/input.jsonl", Body="\n".join(lines))
    bedrock = boto3.client("bedrock", endpoint_url=emulator.url, region_name=REGION, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY)
    arn = bedrock.create_model_invocation_job(
        jobName="foreign", roleArn=ROLE, modelId=MODEL, inputDataConfig={"s3InputDataConfig": {"s3Uri": "s3://videos/other/"}},
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://videos/other-out/"}})["jobArn"]
    world.foreign += 1
    wait_until("it to end", lambda: bedrock.get_model_invocation_job(jobIdentifier=arn)["status"] == "Completed")
    output = f"s3://videos/other-out/{arn.rsplit('/', 1)[1]}/"
    job = client.post("/v1/imports", {"output_uri": output, "model_id": MODEL}, 202).json()
    world.expect(client.wait_job(job["id"]), {"succeeded": 110})
    emulator.fault(op="S3.GetObject", key="other-out/", action={"status": 403, "code": "AccessDenied"})
    emulator.fault(op="S3.ListObjectsV2", action={"status": 403, "code": "AccessDenied"})
    refused = client.post("/v1/imports", {"output_uri": "s3://videos/nowhere/x/", "model_id": MODEL}, 202).json()
    assert client.wait_job(refused["id"])["state"] == "failed"
    world.given_up += 1
    emulator.clear_faults()


def trouble(world):
    """What passes: damage, a full quota, errors of S3, a stop."""
    client, emulator, service = world.client, world.emulator, world.service
    prefix = world.prefix("troubled", 115)
    videos = [v["id"] for v in client.pages(f"/v1/prefixes/{prefix['id']}/videos?limit=100")][:110]
    emulator.fault(op="S3.GetObject", key=".jsonl.out", count=3, action={"checksum": "AAAAAAAAAAA="})
    emulator.fault(op="Bedrock.CreateModelInvocationJob", count=1, action={"status": 400, "code": "ServiceQuotaExceededException"})
    emulator.fault(op="S3.CopyObject", skip=60, count=40, action={"status": 500, "code": "InternalError"})
    emulator.fault(op="S3.CopyObject", action={"delay_ms": 100})
    job = client.launch(prefix["id"], prompt="Trouble?", video_ids=videos, preflight="full")["id"]
    asked = set()

    def is_stopped():
        """Each process is asked once. One that dies by itself before it has given its task back was asked in vain."""
        staging = service.port is not None and world.database.value("SELECT count(*) FROM task WHERE kind = 'stage' AND state = 'running'")
        if staging and service.child.pid not in asked:
            asked.add(service.child.pid)
            service.child.terminate()
        _, _, since = service.log().partition(" stop.begins ")
        released = [line for line in since.splitlines() if " step.end result=again " in line and " step=stage " in line]
        return released or client.get(f"/v1/jobs/{job}")["state"] in FINAL

    wait_until("a stop while something is staged", is_stopped)
    world.expect(client.wait_job(job), {"succeeded": 110})
    emulator.clear_faults()
    world.run(prefix, {"succeeded": 115}, select="all")


def keys(world):
    """From the first key on everybody is asked for one. The last scenario: what the client may do from here on is the key's."""
    client = world.client
    client.session.headers["Authorization"] = "Bearer " + make_key(world.database, "admin", "operator")
    made = client.post("/v1/keys", {"name": "partner", "scopes": ["read", "run"], "monthly_budget": "250.00"}, 201).json()
    client.post(f"/v1/keys/{made['id']}/rotate", {"overlap": "1h"}, want=200)
    few = world.prefix("partner", 4)
    world.run(few, {"succeeded": 4}, below_minimum="on_demand")
    client.call("DELETE", f"/v1/keys/{made['id']}")
    assert len(client.pages("/v1/keys")) == 2


def settle(world):
    """Waits until nothing is to be done any more."""
    wait_until("the queue to be empty", lambda: world.database.value("SELECT count(*) FROM task WHERE kind <> 'watch' AND state <> 'dead'") == 0)
    assert world.database.value("SELECT count(*) FROM task WHERE state = 'dead'") <= world.given_up


def requeues(world):
    """What was given up goes on when it is asked to: a scan, and an ingest."""
    client, emulator = world.client, world.emulator
    prefix = world.prefix("requeued", 110)
    denied = {"status": 403, "code": "AccessDenied", "message": "not you"}
    before = {task["id"] for task in client.pages("/v1/tasks?state=dead")}

    def requeue(steps):
        (task,) = [task for task in client.pages("/v1/tasks?state=dead") if task["id"] not in before]
        assert task["step"] in steps, task
        client.post(f"/v1/tasks/{task['id']}/requeue", want=202)

    emulator.fault(op="S3.ListObjectsV2", action=denied)
    assert world.rescan(prefix)["scan"]["state"] == "failed"
    emulator.clear_faults()
    requeue({"scan"})
    assert client.wait_scan(prefix["id"])["scan"]["state"] == "done"
    emulator.fault(op="S3.GetObject", key="output/", action=denied)
    job = client.wait_job(client.launch(prefix["id"], prompt="Requeued?")["id"])
    assert job["state"] == "failed", job
    emulator.clear_faults()
    requeue({"ingest", "ingest_file"})
    world.expect(client.wait_job(job["id"]), {"succeeded": 110})


# ---- exactly once: from the database, and from the other side, which is the witness. Each gives what is wrong, or nothing. ----

def shards_of_one_bedrock_job(world):
    return world.database.query("SELECT bedrock_arn, count(*) FROM shard WHERE bedrock_arn IS NOT NULL AND route = 'batch' GROUP BY 1 HAVING count(*) > 1")


def tokens_of_two_bedrock_jobs(world):
    return [token for token, times in collections.Counter(job["token"] for job in world.emulator.jobs()).items() if times > 1]


def bedrock_jobs_of_nobody(world):
    """And those that a shard names but Bedrock does not have."""
    ours = {arn for (arn,) in world.database.query("SELECT bedrock_arn FROM shard WHERE bedrock_arn IS NOT NULL AND route = 'batch'")}
    theirs = {job["arn"] for job in world.emulator.jobs()}
    return (ours - theirs, theirs - ours) if ours - theirs or len(theirs) != len(ours) + world.foreign else None


def videos_answered_twice_in_a_job(world):
    return world.database.query("SELECT job_id, video_id, count(*) FROM summary GROUP BY 1, 2 HAVING count(*) > 1")


def shards_that_do_not_add_up(world):
    return world.database.query(
        "SELECT s.id, s.record_count, count(r.id), count(m.record_id) FROM shard s LEFT JOIN record r ON r.shard_id = s.id LEFT JOIN summary m ON m.record_id = r.id"
        " JOIN job j ON j.id = s.job_id AND j.launched_at IS NOT NULL GROUP BY s.id HAVING s.record_count <> count(r.id) OR count(r.id) <> count(m.record_id)")


def folders_still_held(world):
    return world.database.query("SELECT * FROM folder_lock")


def uploads_left_open(world):
    return world.emulator.s3().list_multipart_uploads(Bucket="videos").get("Uploads", [])


def objects_left_in_staging(world):
    """An examination writes a small object and removes it. Where it cannot, for it was killed in between, say, the object tells that anybody may."""
    left = [o["Key"] for o in world.emulator.s3().list_objects_v2(Bucket="videos", Prefix="staging/").get("Contents", [])]
    return [key for key in left if not key.startswith("staging/vidbatch-doctor-")]


def transactions_left_open(world):
    """Those that still are a while later: the watch goes on all the time, and is now and then between two statements."""
    def look():
        return set(world.database.query("SELECT pid, xact_start, query FROM pg_stat_activity WHERE datname = current_database() AND starts_with(state, 'idle in transaction')"))

    open_now = look()
    if open_now:
        time.sleep(2)
        open_now &= look()
    return open_now


EXACTLY_ONCE = (shards_of_one_bedrock_job, tokens_of_two_bedrock_jobs, bedrock_jobs_of_nobody, videos_answered_twice_in_a_job, shards_that_do_not_add_up,
                folders_still_held, uploads_left_open, objects_left_in_staging, transactions_left_open)


def what_is_wrong(world):
    return {check.__name__: wrong for check in EXACTLY_ONCE if (wrong := check(world))}


def assert_exactly_once(world):
    wrong = what_is_wrong(world)
    assert not wrong, wrong
