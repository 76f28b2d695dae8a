"""InvokeModel, driven by boto3's own bedrock-runtime client."""

import json
import time
import urllib.parse

import botocore.exceptions
import pytest

from tests.emulator.harness import ACCOUNT, MODEL, Emulator, error_of, mp4, raw, record

PROFILE = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/us.amazon.nova-lite-v1:0"


@pytest.fixture(scope="module")
def runtime(emu):
    emu.s3.put_object(Bucket="videos", Key="v/a.mp4", Body=mp4(), ContentType="video/mp4")
    emu.s3.put_object(Bucket="videos", Key="v/text.mp4", Body=b"no video at all", ContentType="video/mp4")
    return emu.client("bedrock-runtime")


def body(uri="s3://videos/v/a.mp4", **more):
    return json.dumps({**record(0, uri)["modelInput"], **more})


def test_an_answer_from_the_real_video(emu, runtime):
    got = runtime.invoke_model(modelId=MODEL, body=body(), contentType="application/json", accept="application/json")
    assert got["contentType"] == "application/json"
    answer = json.loads(got["body"].read())
    text = answer["output"]["message"]["content"][0]["text"]
    assert answer["output"]["message"]["role"] == "assistant"
    assert text.startswith("[emulated] An MP4 video of 4.2 s, 320x240, 1,240 bytes")
    assert answer["stopReason"] == "end_turn"
    usage = answer["usage"]
    assert 5 * 288 < usage["inputTokens"] < 5 * 288 + 50
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]
    line = emu.log_lines()[-1]
    assert (line["op"], line["bucket"], line["key"], line["model"], line["status"]) == (
        "BedrockRuntime.InvokeModel", "videos", "v/a.mp4", MODEL, 200)


def test_it_says_what_batch_says(emu, runtime):
    """The same video and prompt get the same words both ways."""
    from tests.emulator.harness import job, output_lines, put_lines, run_to_end

    emu.s3.put_object(Bucket="staging", Key="same/v/a.mp4", Body=mp4(), ContentType="video/mp4")
    put_lines(emu, "same/input.jsonl", [record(n, "s3://staging/same/v/a.mp4") for n in range(100)])
    lines = output_lines(emu, run_to_end(emu, job(folder="s3://staging/same/")))
    alone = json.loads(runtime.invoke_model(modelId=MODEL, body=body("s3://staging/same/v/a.mp4"))["body"].read())
    assert alone == lines[0]["modelOutput"]


@pytest.mark.parametrize("model", [MODEL, "us.amazon.nova-pro-v1:0", PROFILE, f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}"])
def test_models(emu, runtime, model):
    runtime.invoke_model(modelId=model, body=body())
    assert emu.log_lines()[-1]["model"] == model


def test_max_tokens_cuts_the_answer(runtime):
    got = json.loads(runtime.invoke_model(modelId=MODEL, body=body(inferenceConfig={"maxTokens": 10}))["body"].read())
    assert (got["stopReason"], got["usage"]["outputTokens"]) == ("max_tokens", 10)


@pytest.mark.parametrize("parameters, want", [
    ({"modelId": "amazon.nova-nothing-v1:0"}, (400, "ValidationException")),
    ({"modelId": "amazon.nova-micro-v1:0"}, (400, "ValidationException")),
    ({"body": "no json"}, (400, "ValidationException")),
    ({"body": "{}"}, (400, "ValidationException")),
    ({"body": body(surprise=1)}, (400, "ValidationException")),
    ({"body": body("s3://videos/v/none.mp4")}, (400, "ValidationException")),
    ({"body": body("s3://videos/v/text.mp4")}, (400, "ValidationException")),
    ({"body": body("s3://videos/with blank.mp4")}, (400, "ValidationException")),
    ({"body": body(inferenceConfig={"maxTokens": 0})}, (400, "ValidationException")),
    ({"contentType": "text/plain"}, (400, "ValidationException")),
    ({"accept": "text/html"}, (400, "ValidationException")),
])
def test_refusals(runtime, parameters, want):
    assert error_of(runtime.invoke_model, **{"modelId": MODEL, "body": body(), **parameters}) == want


def test_another_owner_is_denied(runtime):
    asked = json.loads(body())
    asked["messages"][0]["content"][0]["video"]["source"]["s3Location"]["bucketOwner"] = "999999999999"
    assert error_of(runtime.invoke_model, modelId=MODEL, body=json.dumps(asked)) == (403, "AccessDeniedException")


def test_the_signature_is_checked(emu, runtime):
    other = emu.client("bedrock-runtime", secret="not it")
    assert error_of(other.invoke_model, modelId=MODEL, body=body()) == (403, "InvalidSignatureException")
    status, words = raw("POST", f"{emu.url}/model/{urllib.parse.quote(MODEL, safe='')}/invoke", body().encode())
    assert (status, json.loads(words)) == (403, {"message": "Missing Authentication Token"})


@pytest.mark.parametrize("action, error, code", [
    ({"status": 429}, "ThrottlingException", 429),
    ({"status": 503}, "ServiceUnavailableException", 503),
    ({"status": 500}, "InternalServerException", 500),
    ({"status": 408, "code": "ModelTimeoutException"}, "ModelTimeoutException", 408),
    ({"status": 424, "code": "ModelErrorException"}, "ModelErrorException", 424),
])
def test_faults_find_one_video(emu, runtime, action, error, code):
    emu.s3.put_object(Bucket="videos", Key="v/b.mp4", Body=mp4(), ContentType="video/mp4")
    emu.control("POST", "faults", {"op": "BedrockRuntime.InvokeModel", "key": "v/b.mp4", "count": 1, "action": action})
    runtime.invoke_model(modelId=MODEL, body=body())
    assert error_of(runtime.invoke_model, modelId=MODEL, body=body("s3://videos/v/b.mp4")) == (code, error)
    runtime.invoke_model(modelId=MODEL, body=body("s3://videos/v/b.mp4"))


def test_resets_and_delays(emu, runtime):
    emu.control("POST", "faults", [
        {"op": "BedrockRuntime.*", "count": 1, "action": "reset_after"},
        {"op": "BedrockRuntime.*", "count": 1, "action": {"delay_ms": 300}},
    ])
    with pytest.raises(botocore.exceptions.HTTPClientError):
        runtime.invoke_model(modelId=MODEL, body=body())
    started = time.monotonic()
    runtime.invoke_model(modelId=MODEL, body=body())
    assert time.monotonic() - started >= 0.3


def test_calls_are_counted_and_late(tmp_path):
    emulator = Emulator(tmp_path, "--latency-ms", "120")
    try:
        emulator.s3.put_object(Bucket="videos", Key="v/a.mp4", Body=mp4())
        runtime = emulator.client("bedrock-runtime")
        started = time.monotonic()
        for _ in range(3):
            runtime.invoke_model(modelId=MODEL, body=body())
        assert time.monotonic() - started >= 0.36
        error_of(runtime.invoke_model, modelId=MODEL, body="{}")
        counts = emulator.control("GET", "stats")["ops"]["BedrockRuntime.InvokeModel"]
        assert counts == {"requests": 4, "errors": 1, "faults": 0}
    finally:
        emulator.stop()
