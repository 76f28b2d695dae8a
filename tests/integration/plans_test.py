"""Plans: what would run, what would not and why, what it should cost; and that precisely that runs."""

import json
import time

import psycopg
import pytest

from tests.support.vidbatch import ROOT, clip, make_key, wait_until

QUESTION = {"prompt": "What is to be seen?", "inference": {"max_tokens": 400}}


@pytest.fixture(autouse=True)
def clean(emulator):
    yield
    emulator.clear_faults()


def plan(client, prefix_id, state="ready", **more):
    made = client.post("/v1/plans", {"prefix_id": prefix_id, **QUESTION, "staging": "copy", **more}, 202)
    body = made.json()
    assert made.headers["Location"] == f"/v1/plans/{body['id']}" and body["state"] == "planning" and body["job_id"] is None
    return wait_plan(client, body["id"], state)


def wait_plan(client, plan_id, state="ready"):
    def done():
        got = client.get(f"/v1/plans/{plan_id}")
        return got if got["state"] != "planning" and (got["state"] == state or got["state"] not in ("waiting",)) else None

    got = wait_until(f"{plan_id} to be made", done)
    assert got["state"] == state, got["refusal"] or got["waiting"]
    return got


def launch_plan(client, plan_id, want=202, **more):
    return client.post("/v1/jobs", {"plan_id": plan_id, **more}, want).json()


def rescan(client, prefix_id):
    client.post(f"/v1/prefixes/{prefix_id}/scan", want=202)
    return client.wait_scan(prefix_id)


def fresh(client, emulator, folder, count):
    emulator.put_videos(folder, count)
    return client.wait_scan(client.register(folder)["id"])


def taken_videos(client, plan_id):
    return [v["video"]["id"] for v in client.pages(f"/v1/plans/{plan_id}/videos?limit=100")]


def test_a_plan_says_all_and_what_it_says_is_what_runs(client, emulator, database):
    emulator.put_videos("told/", 210)
    s3 = emulator.s3()
    s3.put_object(Bucket="videos", Key="told/empty.mp4", Body=b"")
    s3.put_object(Bucket="videos", Key="told/notes.mp4", Body=b"no video at all, whatever its suffix says")
    prefix = client.wait_scan(client.register("told/")["id"])
    copied = len(emulator.requests("S3.CopyObject"))
    told = plan(client, prefix["id"], metadata={"a": 1})
    assert told["videos"] == {"considered": 212, "taken": 210, "skipped": 2, "bytes": 210 * len(clip()),
                              "duration_seconds": told["videos"]["duration_seconds"], "duration_unknown": 0}
    assert told["videos"]["duration_seconds"] > 0
    reasons = {s["reason"]: s for s in told["skipped"]}
    assert set(reasons) == {"empty", "not_a_video"}
    for skipped in reasons.values():
        assert skipped["count"] == 1 and skipped["rule"] and skipped["remedy"] and len(skipped["examples"]) == 1
    assert told["staging"]["mode"] == "copy" and told["staging"]["why"]
    assert [s["records"] for s in told["shards"]] == [210] and told["shard_count"] == 1
    assert told["quota"]["free"] == told["quota"]["concurrent_jobs"] - told["quota"]["in_use"]
    cost = told["cost"]
    assert 0 < float(cost["low"]) < float(cost["expected"]) < float(cost["high"]) and cost["currency"] == "USD"
    assert float(cost["on_demand"]["expected"]) == pytest.approx(2 * float(cost["expected"]), rel=0.01)
    assert told["tokens"]["output"]["high"] == 210 * 400
    assert told["expires_at"] > told["ready_at"] and told["metadata"] == {"a": 1}
    assert told["request"]["messages"][0]["content"][1]["text"] == QUESTION["prompt"]
    assert told["request"]["inferenceConfig"] == {"maxTokens": 400}

    # a plan is no job, and costs nothing
    as_job = told["id"].replace("pln_", "job_")
    client.get(f"/v1/jobs/{as_job}", 404)
    client.post(f"/v1/jobs/{as_job}/cancel", want=404)
    assert as_job not in [j["id"] for j in client.pages("/v1/jobs")] and len(emulator.requests("S3.CopyObject")) == copied
    assert told["id"] in [p["id"] for p in client.pages(f"/v1/plans?prefix_id={prefix['id']}")]
    planned = taken_videos(client, told["id"])
    skipped = client.pages(f"/v1/plans/{told['id']}/videos?state=skipped&limit=1")
    assert len(planned) == 210 and [v["reason"] for v in skipped] == ["empty", "not_a_video"]
    assert len(client.pages(f"/v1/plans/{told['id']}/videos?reason=empty")) == 1
    client.get(f"/v1/plans/{told['id']}/videos?reason=empty&state=taken", 400)
    for nonsense in ("no_such_reason", "x" * 62 + "%C3%A9%C3%A9", ""):
        assert "docs/failures.md" in str(client.get(f"/v1/plans/{told['id']}/videos?reason={nonsense}", 400))

    launched = launch_plan(client, told["id"], name="as planned")
    assert (launched["id"], launched["plan_id"], launched["name"]) == (as_job, told["id"], "as planned")
    job = client.wait_job(launched["id"])
    assert job["outcome"] == "success" and job["counts"]["total"] == 210 and job["metadata"] == {"a": 1}
    assert job["cost"]["estimated"] == cost["expected"] and job["cost"]["estimated_high"] == cost["high"]
    assert [r["video"]["id"] for r in client.pages(f"/v1/jobs/{job['id']}/records?limit=100")] == planned
    after = client.get(f"/v1/plans/{told['id']}")
    assert (after["state"], after["job_id"], after["shards"]) == ("launched", job["id"], told["shards"])
    again = launch_plan(client, told["id"], 409)
    assert (again["code"], again["job_id"]) == ("plan_launched", job["id"])
    assert client.call("DELETE", f"/v1/plans/{told['id']}", 409).json()["code"] == "plan_launched"

    # and the estimates of the next one are corrected by it, once
    assert database.value("SELECT sum(shards) FROM estimate_fit") == 1
    better = plan(client, prefix["id"], select="all")
    assert better["estimate"]["based_on_records"] == 210 and better["estimate"]["error_percent"] >= 0
    assert better["tokens"]["input"]["expected"] == pytest.approx(job["usage"]["input_tokens"], rel=0.01)
    assert better["tokens"]["output"]["expected"] == pytest.approx(job["usage"]["output_tokens"], rel=0.01)


def test_what_a_plan_holds_is_not_waited_for(client, emulator, database):
    told = plan(client, fresh(client, emulator, "locked/", 120)["id"])
    with psycopg.connect(database.url) as other:  # as a plan of a million videos does for many seconds
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended('vidbatch plan', prefix_id)) FROM job WHERE prefix_id = (SELECT max(id) FROM prefix)")
        started = time.monotonic()
        answer = client.post("/v1/jobs", {"plan_id": told["id"]}, 503)
        assert time.monotonic() - started < 10
        assert answer.json()["type"].endswith(":being_changed") and answer.headers["Retry-After"] == "1"
    assert client.wait_job(client.post("/v1/jobs", {"plan_id": told["id"]}, 202).json()["id"])["outcome"] == "success"


def test_the_request_is_the_line_that_is_sent(stack, emulator):
    client = stack.service(stack.database(), emulator, VIDBATCH_KEEP_STAGING="true").client()
    prefix = fresh(client, emulator, "line/", 100)
    told = plan(client, prefix["id"], system='Say "so".')
    job = client.wait_job(launch_plan(client, told["id"])["id"])
    (shard,) = client.pages(f"/v1/jobs/{job['id']}/shards")
    key = shard["folder_uri"].removeprefix("s3://videos/") + "input.jsonl"
    line = emulator.s3().get_object(Bucket="videos", Key=key)["Body"].read().decode().splitlines()[0]
    assert json.loads(line)["modelInput"] == told["request"]
    assert json.dumps(told["request"], separators=(",", ":"), ensure_ascii=False) in line


def test_new_runs_what_is_new(client, emulator):
    prefix = fresh(client, emulator, "grows/", 120)
    first = client.wait_job(client.launch(prefix["id"], **QUESTION)["id"])
    assert first["counts"]["succeeded"] == 120
    problem = client.post("/v1/jobs", {"prefix_id": prefix["id"], **QUESTION}, 409).json()
    assert problem["code"] == "no_new_videos"

    emulator.put_videos("grows/more-", 150)
    rescan(client, prefix["id"])
    told = plan(client, prefix["id"])
    assert told["videos"]["taken"] == 150 and {s["reason"]: s["count"] for s in told["skipped"]} == {"has_summary": 120}
    assert len(client.pages(f"/v1/plans/{told['id']}/videos?reason=has_summary&limit=50")) == 120
    again = client.wait_job(client.launch(prefix["id"], **QUESTION)["id"])
    assert (again["counts"]["total"], again["counts"]["succeeded"]) == (150, 150)
    # what the job took is the plan's no more
    outdated = launch_plan(client, told["id"], 409)
    assert outdated["code"] == "plan_outdated"
    assert [(d["why"], d["count"], len(d["examples"])) for d in outdated["differences"]] == [("has_summary", 150, 20)]

    emulator.s3().put_object(Bucket="videos", Key="grows/more-changed.mp4", Body=(ROOT / "tests/data/end.mp4").read_bytes())
    keys = [v["key"] for v in client.pages(f"/v1/prefixes/{prefix['id']}/videos?limit=1000")]
    emulator.s3().put_object(Bucket="videos", Key=keys[0], Body=(ROOT / "tests/data/end.mp4").read_bytes())
    emulator.s3().delete_object(Bucket="videos", Key="grows/more-changed.mp4")
    rescan(client, prefix["id"])
    one = plan(client, prefix["id"], "refused")
    assert one["refusal"]["code"] == "below_minimum" and "99 more" in one["refusal"]["message"]
    assert {s["reason"]: s["count"] for s in one["skipped"]} == {"has_summary": 269}
    alone = plan(client, prefix["id"], below_minimum="on_demand")
    assert (alone["route"], alone["videos"]["taken"]) == ("on_demand", 1)
    assert alone["cost"]["expected"] == alone["cost"]["on_demand"]["expected"]
    everything = plan(client, prefix["id"], prompt="Another question.")
    assert everything["videos"]["taken"] == 270


def test_a_plan_whose_videos_changed_is_refused(client, emulator):
    prefix = fresh(client, emulator, "moves/", 105)
    told = plan(client, prefix["id"])
    keys = [v["key"] for v in client.pages(f"/v1/prefixes/{prefix['id']}/videos?limit=1000")]
    emulator.s3().delete_object(Bucket="videos", Key=keys[3])
    emulator.s3().put_object(Bucket="videos", Key=keys[4], Body=(ROOT / "tests/data/end.mp4").read_bytes())
    rescan(client, prefix["id"])
    outdated = launch_plan(client, told["id"], 409)
    assert outdated["code"] == "plan_outdated" and "new plan" in outdated["detail"]
    assert {d["why"]: [v["key"] for v in d["examples"]] for d in outdated["differences"]} == {
        "vanished": [keys[3]], "changed": [keys[4]]}
    # one that was added is no difference: the plan runs what it says
    told = plan(client, prefix["id"])
    emulator.put_videos("moves/z-", 5)
    rescan(client, prefix["id"])
    assert client.wait_job(launch_plan(client, told["id"])["id"])["counts"]["succeeded"] == 104


def test_failed_and_named_videos(client, emulator):
    prefix = fresh(client, emulator, "fails/", 130)
    none = plan(client, prefix["id"], "refused", select="failed")
    assert none["refusal"]["code"] == "no_failed_videos" and none["skipped"][0]["reason"] == "not_failed"
    emulator.fault(job={"missing": 110})
    job = client.wait_job(client.launch(prefix["id"], **QUESTION)["id"])
    assert job["counts"]["missing"] == 110
    emulator.clear_faults()
    missing = {r["video"]["id"] for r in client.pages(f"/v1/jobs/{job['id']}/records?state=missing&limit=1000")}
    told = plan(client, prefix["id"], select="failed")
    assert set(taken_videos(client, told["id"])) == missing
    assert {s["reason"]: s["count"] for s in told["skipped"]} == {"has_summary": 20}
    assert client.wait_job(launch_plan(client, told["id"])["id"])["counts"]["succeeded"] == 110
    assert plan(client, prefix["id"], "refused", select="failed")["refusal"]["code"] == "no_failed_videos"

    ids = sorted(missing)[:101]
    named = plan(client, prefix["id"], video_ids=ids + ids[:1])
    assert named["select"] == "videos" and sorted(taken_videos(client, named["id"])) == ids
    problem = client.post("/v1/plans", {"prefix_id": prefix["id"], **QUESTION, "video_ids": [ids[0], "vid_00000000001"]}, 422).json()
    assert (problem["code"], problem["errors"][0]["pointer"]) == ("videos_unknown", "/video_ids/1")


@pytest.mark.parametrize("more, pointer", [
    ({"video_ids": []}, "/video_ids"), ({"video_ids": ["job_00000000001"]}, "/video_ids"), ({"video_ids": [1]}, "/video_ids"),
    ({"video_ids": ["vid_00000000001"], "select": "all"}, "/select"), ({"select": "retry"}, "/select"),
    ({"staging": "none"}, "/staging"), ({"preflight": "some"}, "/preflight"), ({"below_minimum": "ignore"}, "/below_minimum"),
    ({"max_cost": "-1"}, "/max_cost"), ({"max_cost": "1e3"}, "/max_cost"), ({"max_cost": 5}, "/max_cost"),
    ({"keep_staging": "yes"}, "/keep_staging"), ({"plan_id": "pln_00000000001"}, "/plan_id"),
    ({"inference": {"max_tokens": 5001}}, "/inference/max_tokens"),
    ({"video_ids": ["vid_00000000001"], "below_minimum": "wait"}, "/below_minimum"),
])
def test_bad_plans_are_told_which_field(client, more, pointer):
    problem = client.post("/v1/plans", {"prefix_id": "pfx_00000000001", "prompt": "?", **more}, 422).json()
    assert problem["code"] == "invalid_fields" and pointer in [e["pointer"] for e in problem["errors"]]


def test_plans_that_are_not_there(client):
    for unknown in ("pln_00000000001", "pln_00000000000"):
        assert launch_plan(client, unknown, 422)["code"] == "plan_unknown"
    fixed = {"prefix_id": "pfx_00000000001", "prompt": "?", "system": "?", "model_id": "?", "inference": {}, "select": "all", "video_ids": [],
             "staging": "copy", "preflight": "full", "below_minimum": "wait", "max_cost": "1", "keep_staging": True}
    refused = client.post("/v1/jobs", {"plan_id": "pln_00000000001", **fixed, "other": 1}, 422).json()
    told = {error["pointer"]: error["detail"] for error in refused["errors"]}
    assert refused["code"] == "invalid_fields" and set(told) == {f"/{name}" for name in fixed} | {"/other"}
    assert all("The plan has fixed it" in told[f"/{name}"] for name in fixed) and "no such member" in told["/other"]
    client.get("/v1/plans/pln_00000000001", 404)
    client.get("/v1/plans/pln_00000000001/videos", 404)
    client.call("DELETE", "/v1/plans/pln_00000000001", 404)
    client.get("/v1/plans/pln_00000000001/videos?after=bm9uZQ", 400)


def test_max_cost(client, emulator):
    prefix = fresh(client, emulator, "dear/", 100)
    told = plan(client, prefix["id"], max_cost="0.000001")
    refused = launch_plan(client, told["id"], 409)
    assert (refused["code"], refused["estimated"], refused["limit"]) == ("budget_exceeded", told["cost"]["high"], "0.000001")
    copies = len(emulator.requests("S3.CopyObject"))
    job = client.wait_job(client.launch(prefix["id"], **QUESTION, max_cost="0.000001")["id"])
    assert (job["state"], job["error"]["code"], job["counts"]["total"]) == ("failed", "budget_exceeded", 0)
    assert told["cost"]["high"] in job["error"]["message"] and "0.000001" in job["error"]["message"]
    error = job["error"]
    assert (error["estimated"], error["limit"], error["spent"]) == (told["cost"]["high"], "0.000001", "0.000000")
    assert len(emulator.requests("S3.CopyObject")) == copies
    assert client.wait_job(client.launch(prefix["id"], **QUESTION, max_cost=told["cost"]["high"])["id"])["outcome"] == "success"


def test_monthly_budget(stack, emulator):
    database = stack.database()
    free = stack.service(database, emulator)
    client = free.client()
    prefix = fresh(client, emulator, "month/", 100)
    high = plan(client, prefix["id"])["cost"]["high"]
    first = client.wait_job(client.launch(prefix["id"])["id"])
    assert free.stop() == 0
    budget = f"{float(high) + float(first['cost']['actual']) / 2:.6f}"
    client = stack.service(database, emulator, VIDBATCH_MONTHLY_BUDGET=budget).client()
    told = plan(client, prefix["id"], select="all")
    refused = launch_plan(client, told["id"], 409)
    assert (refused["code"], refused["limit"], refused["spent"]) == ("budget_exceeded", budget, first["cost"]["actual"])
    job = client.wait_job(client.launch(prefix["id"], select="all")["id"])
    assert job["error"]["code"] == "budget_exceeded" and "VIDBATCH_MONTHLY_BUDGET" in job["error"]["message"]
    # whoever may see the job need not know what others spent
    assert set(job["error"]) == {"code", "message", "estimated"} and first["cost"]["actual"] not in job["error"]["message"]
    database.query("UPDATE job SET launched_at = launched_at - interval '32 days', planned_at = planned_at - interval '32 days' WHERE state = 'completed'")
    assert client.wait_job(launch_plan(client, told["id"])["id"])["outcome"] == "success"
    # nor need a key that is held to a part
    held = client.service.client(make_key(database, "run", "held", "--prefix", "s3://videos/month/"))
    more = plan(held, prefix["id"], select="all")
    refused = launch_plan(held, more["id"], 409)
    assert refused["code"] == "budget_exceeded" and "VIDBATCH_MONTHLY_BUDGET" in refused["detail"], refused
    assert "estimated" in refused and not {"limit", "spent"} & set(refused) and budget not in refused["detail"]


def test_two_jobs_do_not_spend_the_same_rest_of_the_budget(stack, emulator):
    database = stack.database()
    free = stack.service(database, emulator)
    client = free.client()
    prefixes = [fresh(client, emulator, f"rest{n}/", 100) for n in range(2)]
    high = plan(client, prefixes[0]["id"])["cost"]["high"]
    assert free.stop() == 0
    client = stack.service(database, emulator, VIDBATCH_MONTHLY_BUDGET=f"{float(high) * 1.5:.6f}").client()
    emulator.fault(job={"hold": True})  # a job that has ended counts less
    with psycopg.connect(database.url) as gate:
        gate.execute("SELECT pg_advisory_xact_lock(hashtextextended('vidbatch budget', 0))")
        jobs = [client.launch(p["id"], **QUESTION) for p in prefixes]

        # nobody else need wait while records are stored: the budget is asked for when they are
        def ready():
            return database.value("""SELECT count(DISTINCT stored.pid) FROM pg_locks stored JOIN pg_locks waits USING (pid)
                                      WHERE stored.relation = 'record'::regclass AND stored.mode = 'RowExclusiveLock'
                                        AND waits.locktype = 'advisory' AND NOT waits.granted""") == 2

        wait_until("both to be planned", ready)
        gate.rollback()
    ended = wait_until("one to be refused", lambda: [j for j in (client.get(f"/v1/jobs/{j['id']}") for j in jobs) if j["state"] == "failed"])
    (loser,) = ended
    assert (loser["error"]["code"], loser["error"]["estimated"], loser["counts"]["total"]) == ("budget_exceeded", high, 0)
    emulator.clear_faults()
    emulator.control("POST", "release", {"name_contains": ""})
    (winner,) = [j["id"] for j in jobs if j["id"] != loser["id"]]
    assert client.wait_job(winner)["outcome"] == "success"
    kinds = database.query("SELECT kind FROM event JOIN job ON job.id = job_id WHERE job.state = 'failed' ORDER BY event.id")
    assert [k for k, in kinds] == ["job.created", "job.failed"]  # what was undone left nothing


def test_below_the_minimum_it_waits_and_starts_by_itself(stack, emulator):
    client = stack.service(stack.database(), emulator, VIDBATCH_WAIT_RESCAN="500ms").client()
    prefix = fresh(client, emulator, "waits/", 60)
    waiting_plan = plan(client, prefix["id"], "waiting", below_minimum="wait")
    launched = client.launch(prefix["id"], **QUESTION, below_minimum="wait")

    def waiting():
        job = client.get(f"/v1/jobs/{launched['id']}")
        return job if job["waiting"] else None

    job = wait_until("the job to say that it waits", waiting)
    assert (job["state"], job["waiting"]["code"]) == ("queued", "below_minimum")
    assert (job["waiting"]["minimum"], job["waiting"]["eligible"], job["waiting"]["missing"]) == (100, 60, 40)
    emulator.put_videos("waits/more-", 45)  # nobody asks for a scan
    done = client.wait_job(launched["id"])
    assert (done["outcome"], done["counts"]["total"], done["waiting"]) == ("success", 105, None)
    # the plan was first, or finds that the job has taken them and goes on waiting
    after = client.get(f"/v1/plans/{waiting_plan['id']}")
    assert after["state"] in ("ready", "waiting", "planning") and (after["state"] != "ready" or after["videos"]["taken"] == 105)


def test_a_scan_starts_what_waits(client, emulator):
    prefix = fresh(client, emulator, "held/", 50)
    launched = client.launch(prefix["id"], below_minimum="wait")
    wait_until("the job to wait", lambda: client.get(f"/v1/jobs/{launched['id']}")["waiting"])
    emulator.put_videos("held/more-", 50)
    rescan(client, prefix["id"])
    assert client.wait_job(launched["id"])["counts"]["succeeded"] == 100
    # and a waiting one can be cancelled
    other = client.launch(prefix["id"], below_minimum="wait")
    wait_until("the other to wait", lambda: client.get(f"/v1/jobs/{other['id']}")["waiting"])
    client.post(f"/v1/jobs/{other['id']}/cancel", want=202)
    assert client.wait_job(other["id"])["state"] == "cancelled"


def test_plans_expire(stack, emulator):
    database = stack.database()
    client = stack.service(database, emulator, VIDBATCH_PLAN_EXPIRES="2s").client()
    prefix = fresh(client, emulator, "late/", 100)
    told = plan(client, prefix["id"])
    wait_plan(client, told["id"], "ready")
    wait_until("the plan to expire", lambda: client.get(f"/v1/plans/{told['id']}")["state"] == "expired")
    assert launch_plan(client, told["id"], 409)["code"] == "plan_expired"
    wait_until("what it chose to be removed", lambda: database.value("SELECT count(*) FROM shard") == 0)
    assert database.value("SELECT count(*) FROM record") == 0 and database.value("SELECT count(*) FROM plan_skip") == 0


def test_a_plan_is_given_up(client, emulator, database):
    prefix = fresh(client, emulator, "given-up/", 100)
    told = plan(client, prefix["id"])
    left = plan(client, prefix["id"])
    client.call("DELETE", f"/v1/plans/{told['id']}", 204)
    client.call("DELETE", f"/v1/plans/{told['id']}", 204)
    assert client.get(f"/v1/plans/{told['id']}")["state"] == "expired"
    client.call("DELETE", f"/v1/prefixes/{prefix['id']}", 204)  # a plan keeps nobody from it
    assert client.get(f"/v1/plans/{left['id']}")["state"] == "expired"
    wait_until("their videos to go", lambda: database.value(
        "SELECT count(*) FROM video v JOIN prefix p ON p.id = v.prefix_id WHERE p.key_prefix = 'given-up/'") == 0)


def test_auto_stages_one_shard_in_place(client, emulator):
    prefix = fresh(client, emulator, "place/", 100)
    told = plan(client, prefix["id"], staging="auto")
    assert told["staging"]["mode"] == "in_place" and "place/" in told["staging"]["why"]
    job = client.wait_job(launch_plan(client, told["id"])["id"])
    assert job["outcome"] == "success"
    emulator.s3().put_object(Bucket="videos", Key="place/foreign.jsonl", Body=b"{}")
    refused = plan(client, prefix["id"], "refused", staging="in_place", select="all")
    assert refused["refusal"]["code"] == "in_place_refused" and "foreign.jsonl" in refused["refusal"]["message"]
    assert plan(client, prefix["id"], staging="auto", select="all")["staging"]["mode"] == "copy"


def add_video(emulator, database, prefix, name):
    """One that a scan has found just now."""
    pfx = int(database.value("SELECT id FROM prefix WHERE key_prefix = %s", prefix["prefix"]))
    copy = database.value("SELECT name FROM video WHERE prefix_id = %s LIMIT 1", pfx)
    emulator.s3().copy_object(Bucket="videos", Key=prefix["prefix"] + name, CopySource={"Bucket": "videos", "Key": prefix["prefix"] + copy})
    database.query("INSERT INTO video (prefix_id, name, size_bytes, etag, modified_at) SELECT prefix_id, %s, size_bytes, etag, modified_at"
                   " FROM video WHERE prefix_id = %s AND name = %s", name, pfx, copy)
    database.query("UPDATE prefix SET version = version + 1 WHERE id = %s", pfx)


@pytest.mark.parametrize("count, more, name", [(100, {}, "turns-a/"), (99, {}, "turns-b/"), (99, {"below_minimum": "on_demand"}, "turns-c/")])
def test_how_to_stage_is_decided_anew_when_the_videos_change(client, emulator, database, count, more, name):
    """While the folder is looked through one more is found, whose key Bedrock does not take."""
    prefix = fresh(client, emulator, name, count)
    emulator.fault(op="S3.ListObjectsV2", count=1, action={"delay_ms": 2000})
    if count < 100:  # nothing is looked through for too few: it is found during the look into the last one
        emulator.fault(op="S3.GetObject", key=f"{name}0000098", action={"delay_ms": 2000})
    made = client.post("/v1/plans", {"prefix_id": prefix["id"], **QUESTION, "staging": "in_place" if not more else "auto", **more}, 202).json()
    wait_until("the look", lambda: len([r for r in emulator.requests("S3.GetObject") if name in r.get("key", "")]) >= 90)
    add_video(emulator, database, prefix, "a, b.mp4")
    if more:
        told = wait_plan(client, made["id"])
        assert (told["route"], told["videos"]["taken"], told["staging"]["mode"]) == ("batch", 100, "copy")
    else:
        told = wait_plan(client, made["id"], "refused")
        assert told["refusal"]["code"] == "in_place_refused" and "a, b.mp4" in told["refusal"]["message"]


def test_videos_too_large_for_a_batch(stack, emulator):
    """Enough of them, but no job could hold the minimum: more of them would not help."""
    client = stack.service(stack.database(), emulator, VIDBATCH_SHARD_BYTES=str(60 * len(clip()))).client()
    prefix = fresh(client, emulator, "heavy/", 120)
    for below in ("refuse", "wait"):
        told = plan(client, prefix["id"], "refused", below_minimum=below, staging="in_place")
        assert told["refusal"]["code"] == "over_job_bytes" and "on_demand" in told["refusal"]["message"]
    for staging in ("auto", "copy"):
        told = plan(client, prefix["id"], below_minimum="on_demand", staging=staging)
        assert (told["route"], told["staging"]["mode"], told["videos"]["taken"], told["shard_count"]) == ("on_demand", "copy", 120, 1)
    assert client.wait_job(launch_plan(client, told["id"])["id"])["counts"]["succeeded"] == 120


def test_the_same_job_twice_is_told_to_wait(client, emulator):
    prefix = fresh(client, emulator, "twice/", 110)
    emulator.fault(op="S3.CopyObject", count=1, action={"delay_ms": 3000})
    job = client.launch(prefix["id"], **QUESTION)
    wait_until("it to be planned", lambda: client.get(f"/v1/jobs/{job['id']}")["counts"]["total"] == 110)
    problem = client.post("/v1/jobs", {"prefix_id": prefix["id"], **QUESTION}, 409).json()
    assert problem["code"] == "no_new_videos" and "about 110 of the 110" in problem["detail"] and "Wait" in problem["detail"]
    assert "select" not in problem["detail"]
    told = plan(client, prefix["id"], "refused")
    assert told["refusal"]["message"] == problem["detail"]
    assert client.wait_job(job["id"])["outcome"] == "success"


def test_a_refused_plan_counts_what_it_would_take(client, emulator):
    prefix = fresh(client, emulator, "few/", 60)
    for n in range(5):
        emulator.s3().put_object(Bucket="videos", Key=f"few/empty-{n}.mp4", Body=b"")
    rescan(client, prefix["id"])
    told = plan(client, prefix["id"], "refused")
    assert told["refusal"]["code"] == "below_minimum"
    assert [told["videos"][word] for word in ("considered", "taken", "skipped", "bytes")] == [65, 60, 5, 60 * len(clip())]
    assert told["videos"]["duration_seconds"] > 0


def test_a_batch_needs_no_price_of_the_other_way(stack, emulator, tmp_path):
    file = tmp_path / "models.json"
    file.write_text(json.dumps({"models": [{"id": "amazon.nova-lite-v1:0", "prices": {
        "on_demand_input_per_million": None, "on_demand_output_per_million": None}}]}))
    client = stack.service(stack.database(), emulator, VIDBATCH_MODELS_FILE=str(file)).client()
    prefix = fresh(client, emulator, "priced/", 100)
    told = plan(client, prefix["id"], max_cost="100")
    assert float(told["cost"]["high"]) > 0 and told["cost"]["on_demand"] == {"low": None, "expected": None, "high": None}
    assert launch_plan(client, told["id"])["state"]


def test_a_repeated_key_makes_one_plan(client, emulator, database):
    prefix = fresh(client, emulator, "once/", 100)
    body = {"prefix_id": prefix["id"], "prompt": "Planned once."}
    first = client.post("/v1/plans", body, 202, headers={"Idempotency-Key": "plan-1"})
    again = client.post("/v1/plans", body, 202, headers={"Idempotency-Key": "plan-1"})
    assert first.json()["id"] == again.json()["id"] and again.headers["Idempotency-Replayed"] == "true"
    assert database.value("SELECT count(*) FROM job WHERE prompt = 'Planned once.'") == 1


def test_killed_while_planning(stack, emulator):
    database = stack.database()
    emulator.put_videos("killed/", 300)
    service = stack.service(database, emulator)
    client = service.client()
    prefix = client.wait_scan(client.register("killed/")["id"])
    emulator.fault(op="S3.GetObject", count=100000, action={"delay_ms": 30})
    made = client.post("/v1/plans", {"prefix_id": prefix["id"], **QUESTION, "staging": "copy"}, 202).json()
    wait_until("the look into videos", lambda: len([r for r in emulator.requests("S3.GetObject") if "killed/" in r.get("key", "")]) > 5)
    service.kill()
    emulator.clear_faults()
    service.start()
    told = wait_plan(service.client(), made["id"])
    assert told["videos"]["taken"] == 300 and database.value("SELECT count(*) FROM record") == 300
    job = service.client().wait_job(launch_plan(service.client(), made["id"])["id"])
    assert job["counts"]["succeeded"] == 300
