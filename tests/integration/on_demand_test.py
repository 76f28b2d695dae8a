"""Jobs below the minimum of a batch, asked video by video through InvokeModel."""

import collections
import decimal
import time

import pytest

from tests.support.vidbatch import wait_until

INVOKE = "BedrockRuntime.InvokeModel"


def launch(client, prefix):
    """A job too small for a batch."""
    job = client.launch(prefix["id"], prompt="Say what you see.", inference={"max_tokens": 600}, select="all", below_minimum="on_demand")
    return job["id"]


def prepare(client, emulator, videos, folder="clips/"):
    emulator.put_videos(folder, videos)
    return client.wait_scan(client.register(folder)["id"])


def price(client, job):
    """What its tokens cost at the model's on-demand price, to the millionth, halves up."""
    (model,) = [it for it in client.get("/v1/models")["data"] if it["id"] == job["model_id"]]
    prices = model["prices"]
    micros = (job["usage"]["input_tokens"] * decimal.Decimal(prices["on_demand_input_per_million"])
              + job["usage"]["output_tokens"] * decimal.Decimal(prices["on_demand_output_per_million"]))
    return micros.quantize(decimal.Decimal(1), decimal.ROUND_HALF_UP) / 1000000


def calls(emulator):
    """How often each video was asked about, by the key of its copy."""
    return collections.Counter(line["key"] for line in emulator.requests(INVOKE))


def answered(emulator):
    return [line for line in emulator.requests(INVOKE) if line["status"] == 200]


@pytest.fixture
def alone(stack):
    """An emulator and a database of the test's own, and a maker of services on them."""

    class Alone:
        emulator = stack.emulator()
        database = stack.database()

        def service(self, start=True, **settings):
            return stack.service(self.database, self.emulator, start=start, **settings)

    return Alone()


def test_twelve_videos(alone):
    client = alone.service().client()
    job_id = launch(client, prepare(client, alone.emulator, 12))
    job = client.wait_job(job_id)
    assert (job["state"], job["outcome"], job["error"]) == ("completed", "success", None), job
    assert job["counts"] == {"total": 12, "pending": 0, "succeeded": 12, "failed": 0, "missing": 0}
    assert job["usage"]["input_tokens"] > 12 * 288 and job["usage"]["output_tokens"] > 12
    assert job["route"] == "on_demand"
    assert decimal.Decimal(job["cost"]["actual"]) == price(client, job)

    assert set(calls(alone.emulator).values()) == {1} and len(calls(alone.emulator)) == 12
    assert not alone.emulator.requests("Bedrock.CreateModelInvocationJob")
    (shard,) = client.pages(f"/v1/jobs/{job_id}/shards")
    assert (shard["route"], shard["state"]) == ("on_demand", "completed")
    assert (shard["bedrock"]["arn"], shard["bedrock"]["status"]) == (None, None)
    assert shard["usage"] == job["usage"] and shard["submitted_at"] and shard["counts"]["succeeded"] == 12

    summaries = client.pages(f"/v1/jobs/{job_id}/summaries")
    assert len(summaries) == 12
    for summary in summaries:
        assert summary["text"].startswith("[emulated] An MP4 video")
        assert summary["video"]["key"].startswith("clips/")
        assert summary["usage"]["input_tokens"] > 288
    provenance = client.get(f"/v1/summaries/{summaries[0]['id']}")["provenance"]
    assert (provenance["route"], provenance["bedrock_arn"]) == ("on_demand", None)
    assert provenance["prompt"] == "Say what you see." and provenance["inference"]["max_tokens"] == 600

    # the copies are removed, and there is nothing in S3 that could be read again
    wait_until("the staging folder to be removed", lambda: not alone.emulator.s3().list_objects_v2(
        Bucket="videos", Prefix="staging/").get("KeyCount"))
    problem = client.post(f"/v1/jobs/{job_id}/reingest", want=409).json()
    assert problem["code"] == "no_output" and "video by video" in problem["detail"]


def test_a_plan_shows_it_before_it_costs_anything(alone):
    client = alone.service().client()
    prefix = prepare(client, alone.emulator, 12)
    asked = {"prefix_id": prefix["id"], "prompt": "Say what you see.", "below_minimum": "on_demand"}
    plan = client.post("/v1/plans", asked, 202).json()

    def ready():
        shown = client.get(f"/v1/plans/{plan['id']}")
        return shown if shown["state"] in ("ready", "refused") else None

    plan = wait_until("the plan", ready)
    assert (plan["state"], plan["route"], plan["videos"]["taken"]) == ("ready", "on_demand", 12), plan
    assert plan["cost"]["expected"] == plan["cost"]["on_demand"]["expected"], "the full price, not half of it"
    assert not alone.emulator.requests(INVOKE)
    job = client.wait_job(client.post("/v1/jobs", {"plan_id": plan["id"]}, 202).json()["id"])
    assert (job["state"], job["counts"]["succeeded"], job["route"]) == ("completed", 12, "on_demand")
    low, high = (decimal.Decimal(plan["cost"][edge]) for edge in ("low", "high"))
    assert low <= decimal.Decimal(job["cost"]["actual"]) <= high
    # nothing is asked twice: all have a summary now
    again = client.post("/v1/plans", asked, 202).json()
    refused = wait_until("the second plan", lambda: client.get(f"/v1/plans/{again['id']}")["state"] == "refused")
    assert refused and len(alone.emulator.requests(INVOKE)) == 12


def test_a_refusal_is_one_records_own(alone):
    alone.emulator.fault(op=INVOKE, count=1, action={"status": 400, "code": "ValidationException", "message": "It is {too} \"odd\""})
    client = alone.service().client()
    job_id = launch(client, prepare(client, alone.emulator, 3))
    job = client.wait_job(job_id)
    assert (job["state"], job["outcome"]) == ("completed", "partial")
    assert (job["counts"]["succeeded"], job["counts"]["failed"]) == (2, 1)
    (failed,) = client.pages(f"/v1/jobs/{job_id}/records?state=failed")
    assert failed["error"] == {"reason": "bedrock", "code": 400, "message": "It is {too} \"odd\"", "retryable": False}
    assert set(calls(alone.emulator).values()) == {1}, "a refusal is final"


def test_trouble_that_passes(alone):
    faults = [({"status": 429}, 6), ({"status": 503}, 4), ({"status": 500}, 3), ("reset", 2), ("reset_after", 1),
              ({"status": 424, "code": "ModelErrorException"}, 2), ({"status": 429, "code": "ModelNotReadyException"}, 2)]
    for action, count in faults:
        alone.emulator.fault(op=INVOKE, count=count, action=action)
    client = alone.service(AWS_MAX_ATTEMPTS="2", VIDBATCH_INVOKE_CONCURRENCY="3").client()
    job = client.wait_job(launch(client, prepare(client, alone.emulator, 12)))
    assert (job["state"], job["counts"]["succeeded"] + job["counts"]["failed"]) == ("completed", 12), job
    assert job["counts"]["succeeded"] >= 11, "only the model's own failure, twice in a row, is a record's"
    assert sum(alone.emulator.control("GET", "stats")["ops"][INVOKE][n] for n in ("faults",)) == sum(count for _, count in faults)


def test_throttling_fails_nobody(alone):
    alone.emulator.fault(op=INVOKE, action={"status": 429, "message": "Too many requests, please wait"})
    client = alone.service(AWS_MAX_ATTEMPTS="1", VIDBATCH_MAX_FAILURES="2", VIDBATCH_RETRY_CAP="200ms").client()
    job_id = launch(client, prepare(client, alone.emulator, 12))

    def shows_why():
        shards = client.pages(f"/v1/jobs/{job_id}/shards")
        return shards and shards[0]["state"] == "running" and shards[0]["error"]

    error = wait_until("the throttling to be shown", shows_why)
    assert error["upstream"]["code"] == "ThrottlingException" and "please wait" in error["upstream"]["message"]
    before = len(alone.emulator.requests(INVOKE))
    wait_until("more tries", lambda: len(alone.emulator.requests(INVOKE)) > before + 20)
    job = client.get(f"/v1/jobs/{job_id}")
    assert (job["state"], job["counts"]["pending"]) == ("running", 12)
    alone.emulator.clear_faults()
    job = client.wait_job(job_id)
    assert (job["state"], job["outcome"], job["error"]) == ("completed", "success", None), job
    assert client.pages(f"/v1/jobs/{job_id}/shards")[0]["error"] is None


@pytest.mark.parametrize("action, words", [
    ({"status": 403, "code": "AccessDeniedException", "message": "not authorized to perform: bedrock:InvokeModel"}, "InvokeModel"),
    ({"status": 404, "code": "ResourceNotFoundException", "message": "no such model"}, "no such model"),
    ({"status": 500, "message": "all is lost"}, "all is lost"),
])
def test_trouble_that_does_not_pass(alone, action, words):
    """What was answered stays; the others say why they were not."""
    alone.emulator.fault(op=INVOKE, skip=5, action=action)
    client = alone.service(AWS_MAX_ATTEMPTS="1", VIDBATCH_MAX_FAILURES="3", VIDBATCH_INVOKE_CONCURRENCY="1").client()
    job_id = launch(client, prepare(client, alone.emulator, 12))
    job = client.wait_job(job_id)
    assert (job["state"], job["outcome"]) == ("completed", "partial")
    assert (job["counts"]["succeeded"], job["counts"]["missing"]) == (5, 7)
    assert words in job["error"]["message"]
    for record in client.pages(f"/v1/jobs/{job_id}/records?state=missing"):
        assert record["error"]["reason"] == "not_submitted" and words in record["error"]["message"]
    assert client.pages(f"/v1/jobs/{job_id}/shards")[0]["state"] == "failed"


def test_a_call_that_takes_too_long_is_not_made_again(alone):
    alone.emulator.fault(op=INVOKE, count=1, action={"delay_ms": 5000})
    client = alone.service(VIDBATCH_INVOKE_TIMEOUT="1s").client()
    job_id = launch(client, prepare(client, alone.emulator, 3))
    job = client.wait_job(job_id)
    assert (job["counts"]["succeeded"], job["counts"]["failed"]) == (2, 1)
    (late,) = client.pages(f"/v1/jobs/{job_id}/records?state=failed")
    assert (late["error"]["code"], late["error"]["retryable"]) == (408, True)
    assert set(calls(alone.emulator).values()) == {1}


def test_kill_loses_only_the_calls_on_their_way(alone):
    at_once, videos = 4, 60
    alone.emulator.fault(op=INVOKE, action={"delay_ms": 150})
    service = alone.service(VIDBATCH_INVOKE_CONCURRENCY=str(at_once))
    client = service.client()
    job_id = launch(client, prepare(client, alone.emulator, videos))
    kills = 0
    for share in (0.1, 0.3, 0.6, 0.8):
        wait_until(f"{share:.0%} of the answers", lambda s=share: len(calls(alone.emulator)) >= videos * s)
        time.sleep(0.04 * kills)
        service.kill()
        kills += 1
        service.start()
        client = service.client()
    job = client.wait_job(job_id)
    assert (job["state"], job["outcome"], job["counts"]["succeeded"]) == ("completed", "success", videos), job
    assert alone.database.value("SELECT count(DISTINCT video_id) FROM summary WHERE state = 'succeeded'") == videos
    asked = calls(alone.emulator)
    assert len(asked) == videos
    assert sum(asked.values()) <= videos + kills * at_once, asked
    (shard,) = client.pages(f"/v1/jobs/{job_id}/shards")
    assert shard["usage"]["input_tokens"] == alone.database.value("SELECT sum(input_tokens)::int8 FROM summary")


def test_a_stop_does_not_wait_for_the_model(alone):
    alone.emulator.fault(op=INVOKE, count=8, action={"delay_ms": 60000})
    service = alone.service(VIDBATCH_INVOKE_CONCURRENCY="8")
    client = service.client()
    job_id = launch(client, prepare(client, alone.emulator, 12))
    wait_until("the calls to be on their way", lambda: len(calls(alone.emulator)) == 8)
    assert service.stop(timeout_s=15) == 0
    client = service.start().client()
    job = client.wait_job(job_id)
    assert (job["state"], job["counts"]["succeeded"]) == ("completed", 12), job
    assert sum(calls(alone.emulator).values()) == 12 + 8


def test_a_database_that_fails_for_a_moment_costs_no_answer(alone):
    videos = 40
    alone.emulator.fault(op=INVOKE, action={"delay_ms": 100})
    client = alone.service(VIDBATCH_INVOKE_CONCURRENCY="4").client()
    job_id = launch(client, prepare(client, alone.emulator, videos))
    for share in (0.2, 0.4, 0.6, 0.8):
        wait_until(f"{share:.0%} of the answers", lambda s=share: len(calls(alone.emulator)) >= videos * s)
        alone.database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                             " WHERE datname = current_database() AND application_name = 'vidbatchd work'")
    job = client.wait_job(job_id)
    assert (job["state"], job["outcome"], job["counts"]["succeeded"]) == ("completed", "success", videos), job
    assert set(calls(alone.emulator).values()) == {1}


def test_two_replicas_ask_once(alone):
    alone.emulator.fault(op=INVOKE, action={"delay_ms": 30})
    services = [alone.service(name="a"), alone.service(name="b")]
    client = services[0].client()
    prefix = prepare(client, alone.emulator, 40)
    jobs = [launch(client, prefix) for _ in range(3)]
    for job_id in jobs:
        job = client.wait_job(job_id)
        assert (job["state"], job["counts"]["succeeded"]) == ("completed", 40), job
    asked = calls(alone.emulator)
    assert len(asked) == 120 and set(asked.values()) == {1}


def test_cancel_keeps_what_was_paid_for(alone):
    alone.emulator.fault(op=INVOKE, action={"delay_ms": 200})
    client = alone.service(VIDBATCH_INVOKE_CONCURRENCY="2").client()
    job_id = launch(client, prepare(client, alone.emulator, 40))
    wait_until("some answers", lambda: client.get(f"/v1/jobs/{job_id}")["counts"]["succeeded"] >= 4)
    client.post(f"/v1/jobs/{job_id}/cancel", want=202)
    job = client.wait_job(job_id)
    assert (job["state"], job["outcome"]) == ("cancelled", "partial")
    assert 4 <= job["counts"]["succeeded"] < 40
    assert job["counts"]["succeeded"] == len(answered(alone.emulator)), "every answer that was paid for is stored"
    assert job["counts"]["missing"] == 40 - job["counts"]["succeeded"]
    reasons = {record["error"]["reason"] for record in client.pages(f"/v1/jobs/{job_id}/records?state=missing")}
    assert reasons == {"cancelled"}


def test_cancel_while_it_is_held_up(alone):
    alone.emulator.fault(op=INVOKE, action={"status": 429})
    client = alone.service(AWS_MAX_ATTEMPTS="1", VIDBATCH_RETRY_BASE="30s", VIDBATCH_RETRY_CAP="60s").client()
    job_id = launch(client, prepare(client, alone.emulator, 3))
    wait_until("throttling", lambda: alone.emulator.requests(INVOKE))
    client.post(f"/v1/jobs/{job_id}/cancel", want=202)
    job = client.wait_job(job_id, timeout_s=20)
    assert (job["state"], job["counts"]["missing"]) == ("cancelled", 3)
