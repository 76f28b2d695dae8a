"""Trying failed and missing records again, and only them."""

import pytest

from tests.support.vidbatch import wait_until


@pytest.fixture(autouse=True)
def clean(emulator):
    yield
    emulator.clear_faults()


def prefix_of(client, emulator, name, count=220, bad=0):
    emulator.put_videos(f"{name}/", count)
    for n in range(bad):
        emulator.s3().put_object(Bucket="videos", Key=f"{name}/bad{n}.mp4", Body=b"no video at all, whatever its suffix says")
    return client.wait_scan(client.register(f"{name}/")["id"])


def failing(client, emulator, prefix, name, **fault):
    emulator.fault(job=fault)
    job = client.wait_job(client.launch(prefix["id"], prompt=f"{name}?", name=name, preflight="listing", metadata={"a": 1})["id"])
    emulator.clear_faults()
    return job


def retry(client, job, want=202, **body):
    return client.post(f"/v1/jobs/{job['id']}/retry", body or None, want).json()


def not_succeeded(client, job):
    return {r["video"]["id"] for state in ("failed", "missing") for r in client.pages(f"/v1/jobs/{job['id']}/records?limit=1000&state={state}")}


def test_only_what_failed_runs_again(client, emulator):
    prefix = prefix_of(client, emulator, "again", 220, bad=12)
    job = failing(client, emulator, prefix, "first", error_fraction=0.5, missing=7)
    assert job["counts"]["failed"] > 100 and job["counts"]["missing"] == 7 and job["retry_of"] is None
    wanted = not_succeeded(client, job)
    hopeless = client.get(f"/v1/jobs/{job['id']}/failures")["hopeless"]
    assert 0 < hopeless <= 12
    # a retry looks closer where it is asked to: what failed by chance the first time is seen to be no video
    again = retry(client, job, preflight="full")
    assert (again["retry_of"], again["select"], again["prompt"], again["name"], again["metadata"]) == (job["id"], "retry", "first?", "first", {"a": 1})
    again = client.wait_job(again["id"])
    assert again["outcome"] == "success" and again["counts"]["total"] == len(wanted) - 12
    taken = {r["video"]["id"] for r in client.pages(f"/v1/jobs/{again['id']}/records?limit=1000")}
    assert taken < wanted
    plan = client.get(f"/v1/plans/{again['plan_id']}")
    assert {s["reason"]: s["count"] for s in plan["skipped"]} == {"hopeless": hopeless, "not_a_video": 12 - hopeless}
    # lineage, and the first job as it was
    assert client.get(f"/v1/jobs/{job['id']}")["retries"] == [again["id"]]
    assert client.get(f"/v1/jobs/{again['id']}")["retries"] == []
    assert client.get(f"/v1/jobs/{job['id']}")["counts"] == job["counts"]
    # once more: all that could be cured has a summary by now
    third = client.wait_job(retry(client, job)["id"])
    assert (third["state"], third["error"]["code"]) == ("failed", "no_failed_videos")
    plan = client.get(f"/v1/plans/{third['id'].replace('job_', 'pln_')}")
    assert {s["reason"]: s["count"] for s in plan["skipped"]} == {"has_summary": len(taken), "hopeless": hopeless, "not_a_video": 12 - hopeless}


def test_summaries_of_before_are_no_reason_not_to_retry(client, emulator):
    prefix = prefix_of(client, emulator, "anew", 150)
    assert client.wait_job(client.launch(prefix["id"], prompt="anew?")["id"])["outcome"] == "success"
    emulator.fault(job={"error_fraction": 1})
    job = client.wait_job(client.launch(prefix["id"], prompt="anew?", select="all")["id"])
    emulator.clear_faults()
    assert job["counts"]["failed"] == 150
    again = client.wait_job(retry(client, job, force=True)["id"])
    assert again["outcome"] == "success" and again["counts"]["total"] == 150


def test_few_records_follow_the_rule_of_the_minimum(client, emulator):
    prefix = prefix_of(client, emulator, "few", 150)
    job = failing(client, emulator, prefix, "few", error_fraction=0.1, missing=4)
    count = job["counts"]["failed"] + job["counts"]["missing"]
    refused = client.wait_job(retry(client, job)["id"])
    assert (refused["state"], refused["error"]["code"]) == ("failed", "below_minimum")
    single = client.wait_job(retry(client, job, below_minimum="on_demand", name="one by one", metadata={})["id"])
    assert (single["route"], single["name"], single["metadata"], single["counts"]["succeeded"]) == ("on_demand", "one by one", {}, count)
    assert client.get(f"/v1/jobs/{job['id']}")["retries"] == [refused["id"], single["id"]]


def test_a_retry_has_the_limit_of_its_job(client, emulator):
    prefix = prefix_of(client, emulator, "limited", 120)
    emulator.fault(job={"error_fraction": 0.1})
    job = client.wait_job(client.launch(prefix["id"], prompt="limited?", max_cost="25.5")["id"])
    emulator.clear_faults()
    assert job["outcome"] == "partial"
    refused = client.wait_job(retry(client, job, below_minimum="on_demand", max_cost="0.000001")["id"])
    assert (refused["error"]["code"], refused["error"]["limit"]) == ("budget_exceeded", "0.000001")
    again = retry(client, job, below_minimum="on_demand")
    assert again["max_cost"] == "25.500000"
    assert client.wait_job(again["id"])["outcome"] == "success"


def test_hopeless_ones_only_by_force(client, emulator):
    prefix = prefix_of(client, emulator, "hopeless", 110, bad=2)
    job = failing(client, emulator, prefix, "hopeless")
    refused = retry(client, job, 409)
    assert (refused["code"], refused["hopeless"]) == ("only_hopeless", 2)
    forced = client.wait_job(retry(client, job, force=True, below_minimum="on_demand", preflight="listing")["id"])
    assert forced["counts"]["total"] == 2 and forced["counts"]["succeeded"] == 0


def test_refusals(client, emulator, database):
    prefix = prefix_of(client, emulator, "refused", 110)
    emulator.fault(job={"hold": True})
    job = client.launch(prefix["id"], prompt="refused")
    wait_until("it to run", lambda: client.get(f"/v1/jobs/{job['id']}")["state"] == "running")
    assert retry(client, job, 409)["code"] == "job_active"
    emulator.control("POST", "release", {"name_contains": ""})
    client.wait_job(job["id"])
    assert retry(client, job, 409)["code"] == "nothing_to_retry"
    client.call("POST", "/v1/jobs/job_00000000001/retry", 404)
    assert client.post(f"/v1/jobs/{job['id']}/retry", {"select": "all"}, 422).json()["errors"][0]["pointer"] == "/select"
    assert client.post(f"/v1/jobs/{job['id']}/retry", {"force": "yes"}, 422).json()["errors"][0]["pointer"] == "/force"
    client.call("POST", f"/v1/jobs/{job['id']}/retry", 415, data=b"{}", headers={"Content-Type": "text/plain"})


def test_videos_that_changed_or_vanished(client, emulator):
    prefix = prefix_of(client, emulator, "moving", 250)
    job = failing(client, emulator, prefix, "moving", error_fraction=0.6)
    failed = [r["video"]["key"] for r in client.pages(f"/v1/jobs/{job['id']}/records?limit=1000&state=failed")]
    emulator.s3().delete_object(Bucket="videos", Key=failed[0])
    emulator.s3().copy_object(Bucket="videos", Key=failed[1], CopySource={"Bucket": "videos", "Key": failed[2]}, MetadataDirective="REPLACE")
    client.post(f"/v1/prefixes/{prefix['id']}/scan", want=202)
    client.wait_scan(prefix["id"])
    again = client.wait_job(retry(client, job)["id"])
    assert again["counts"]["total"] == again["counts"]["succeeded"] == len(failed) - 1
    assert failed[0] not in {r["video"]["key"] for r in client.pages(f"/v1/jobs/{again['id']}/records?limit=1000")}


def test_the_same_key_makes_one_retry(client, emulator):
    prefix = prefix_of(client, emulator, "keyed", 240)
    job = failing(client, emulator, prefix, "keyed", error_fraction=0.6)
    answers = [client.call("POST", f"/v1/jobs/{job['id']}/retry", 202, headers={"Idempotency-Key": "k1"}) for _ in range(2)]
    assert answers[0].json()["id"] == answers[1].json()["id"] and answers[1].headers["Idempotency-Replayed"] == "true"
    # two at once: the second finds the first at work
    other = retry(client, job)
    ended = [client.wait_job(answers[0].json()["id"]), client.wait_job(other["id"])]
    assert sorted(j["state"] for j in ended) == ["completed", "failed"]


def test_a_cancelled_job_goes_on_as_a_retry_and_says_what_was_charged(client, emulator):
    prefix = prefix_of(client, emulator, "stopped", 260)
    emulator.fault(job={"hold": True, "process_fraction": 0.5})
    job = client.launch(prefix["id"], prompt="stopped")

    def at_bedrock():
        return [j["status"] for j in emulator.jobs() if job["id"] in j["input"] + j["output"]]

    # not merely submitted: a job that is stopped before its turn has processed nothing
    wait_until("Bedrock to be at it", lambda: at_bedrock() == ["InProgress"] and client.get(f"/v1/jobs/{job['id']}")["state"] == "running")
    asked = client.post(f"/v1/jobs/{job['id']}/cancel", want=202).json()
    assert asked["charged"]["complete"] is False
    ended = client.wait_job(job["id"])
    emulator.clear_faults()
    (made,) = [j for j in emulator.jobs() if job["id"] in j["input"] + j["output"]]
    assert ended["state"] == "cancelled" and ended["charged"]["complete"] is True
    assert ended["charged"]["input_tokens"] == made["input_tokens"] and ended["charged"]["output_tokens"] == made["output_tokens"]
    assert 0 < ended["counts"]["succeeded"] < 260 and float(ended["charged"]["cost"]) > 0
    left = ended["counts"]["missing"] + ended["counts"]["failed"]
    again = client.wait_job(retry(client, ended, below_minimum="on_demand")["id"])
    assert again["counts"]["succeeded"] == left and again["system"] is None and again["metadata"] is None


def test_a_job_cancelled_before_it_ran_is_charged_nothing(client, emulator):
    prefix = prefix_of(client, emulator, "early", 110)
    emulator.fault(op="S3.CopyObject", action={"delay_ms": 300})
    job = client.launch(prefix["id"], prompt="early", staging="copy")
    wait_until("it to stage", lambda: client.get(f"/v1/jobs/{job['id']}")["state"] == "staging")
    client.post(f"/v1/jobs/{job['id']}/cancel", want=202)
    ended = client.wait_job(job["id"])
    assert ended["charged"] == {"input_tokens": 0, "output_tokens": 0, "cost": "0.000000", "currency": "USD", "complete": True}


def test_cancel_of_a_job_that_waits_for_videos(client, emulator, database):
    prefix = prefix_of(client, emulator, "waiting", 20)
    job = client.launch(prefix["id"], prompt="waiting", below_minimum="wait")
    wait_until("it to wait", lambda: client.get(f"/v1/jobs/{job['id']}")["waiting"])
    client.post(f"/v1/jobs/{job['id']}/cancel", want=202)
    ended = client.wait_job(job["id"])
    assert ended["state"] == "cancelled" and ended["charged"]["complete"] and ended["charged"]["cost"] == "0.000000"
    emulator.put_videos("waiting/more", 110)
    client.post(f"/v1/prefixes/{prefix['id']}/scan", want=202)
    client.wait_scan(prefix["id"])
    wait_until("the plan to be forgotten", lambda: database.value(
        "SELECT count(*) FROM task WHERE kind = 'plan' AND subject_id = (SELECT id FROM job WHERE prompt = 'waiting')") == 0)
    assert client.get(f"/v1/jobs/{job['id']}")["state"] == "cancelled"


def test_cancel_on_demand_says_what_the_answers_cost(client, emulator):
    prefix = prefix_of(client, emulator, "calls", 60)
    emulator.fault(op="BedrockRuntime.*", action={"delay_ms": 150})
    job = client.launch(prefix["id"], prompt="calls", below_minimum="on_demand")
    wait_until("some answers", lambda: client.get(f"/v1/jobs/{job['id']}")["counts"]["succeeded"] > 3)
    client.post(f"/v1/jobs/{job['id']}/cancel", want=202)
    ended = client.wait_job(job["id"])
    summaries = client.pages(f"/v1/jobs/{job['id']}/summaries?limit=1000&state=succeeded")
    assert ended["state"] == "cancelled" and 3 < len(summaries) < 60
    assert ended["charged"]["complete"] and ended["charged"]["input_tokens"] == sum(s["usage"]["input_tokens"] for s in summaries)
    assert client.get(f"/v1/jobs/{job['id']}/failures")["data"][0]["cause"] == "cancelled"


def test_a_retry_waits_for_nothing(client, emulator):
    """What failed does not become more: a job that waited for videos is retried without that."""
    prefix = prefix_of(client, emulator, "patient", 105)
    emulator.fault(job={"missing": 5})
    job = client.wait_job(client.launch(prefix["id"], prompt="patient", below_minimum="wait")["id"])
    emulator.clear_faults()
    assert (job["below_minimum"], job["counts"]["missing"]) == ("wait", 5)
    refused = retry(client, job, 422, below_minimum="wait")
    assert [(e["pointer"], "on_demand" in e["detail"]) for e in refused["errors"]] == [("/below_minimum", True)]
    again = retry(client, job)
    assert again["below_minimum"] == "refuse"
    ended = client.wait_job(again["id"])
    assert (ended["state"], ended["error"]["code"]) == ("failed", "below_minimum")
