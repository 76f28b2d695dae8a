"""Settings that only show their faults when a client comes."""

import json
import subprocess

import pytest

from tests.support.vidbatch import BUILD


@pytest.mark.parametrize("model, why", [("amazon.nova-micro-v1:0", "takes no video"), ("amazon.nova-nothing-v1:0", "known here")])
def test_a_default_model_that_no_job_can_take(stack, emulator, model, why):
    service = stack.service(stack.database(), emulator, VIDBATCH_MODEL_ID=model)
    client = service.client()
    emulator.put_videos(f"models/{model}/", 100)
    prefix = client.wait_scan(client.register(f"models/{model}/")["id"])
    body = {"prefix_id": prefix["id"], "prompt": "?"}
    problem = client.post("/v1/jobs", body, 409).json()
    assert problem["code"] == "not_configured" and "VIDBATCH_MODEL_ID" in problem["detail"] and why in problem["detail"], problem
    # the same words of the client's own are the client's fault; and a good model needs no default
    assert client.post("/v1/jobs", {**body, "model_id": model}, 422).json()["errors"][0]["pointer"] == "/model_id"
    client.post("/v1/jobs", {**body, "model_id": "amazon.nova-lite-v1:0"}, 202)


def test_a_default_of_the_accounts_own_profile_is_taken(stack, emulator):
    arn = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abcdef123456"
    client = stack.service(stack.database(), emulator, VIDBATCH_MODEL_ID=arn).client()
    emulator.put_videos("own/", 100)
    prefix = client.wait_scan(client.register("own/")["id"])
    assert client.post("/v1/jobs", {"prefix_id": prefix["id"], "prompt": "?"}, 202).json()["model_id"] == arn


def listed(client, path="/v1/models"):
    answer = client.get(path)
    return answer, {model["id"]: model for model in answer["data"]}


def test_models_say_what_holds_and_why(stack, emulator, tmp_path):
    file = tmp_path / "models.json"
    file.write_text(json.dumps({"models": [
        {"id": "amazon.nova-lite-v1:0", "quotas": {"max_concurrent_jobs": 3}, "regions": {"eu-west-1": {"prices": {
            "batch_input_per_million": "0.025", "source": "our contract", "date": "2026-11-01"}}}},
    ]}))
    service = stack.service(stack.database(), emulator, VIDBATCH_MODELS_FILE=str(file), VIDBATCH_MIN_RECORDS="50", VIDBATCH_SHARD_BYTES="2GB")
    client = service.client()
    here, models = listed(client)
    lite = models["amazon.nova-lite-v1:0"]
    assert here["region"] == "us-east-1" and lite["batch"] == {"here": True, "by_model_id": True, "refusal": None, "advice": None}
    assert lite["quotas"]["min_records"] == {"value": 50, "origin": "VIDBATCH_MIN_RECORDS"}
    assert lite["quotas"]["max_concurrent_jobs"] == {"value": 3, "origin": "VIDBATCH_MODELS_FILE"}
    assert lite["quotas"]["max_records_per_file"] == {"value": 100000, "origin": "built in"}
    assert lite["quotas"]["planned_job_bytes"] == {"value": 2000000000, "origin": "VIDBATCH_SHARD_BYTES"}
    assert lite["prices"]["batch_input_per_million"] == "0.03" and lite["prices"]["age_days"] > 0 and lite["prices"]["origin"] == "built in"
    assert models["amazon.nova-micro-v1:0"]["batch"]["refusal"] == "model_no_video"
    assert models["amazon.nova-2-lite-v1:0"]["quotas"]["max_job_bytes"]["value"] is None

    there, models = listed(client, "/v1/models?region=eu-west-1")
    lite = models["amazon.nova-lite-v1:0"]
    assert there["region"] == "eu-west-1" and lite["batch"]["refusal"] == "profile_needed" and "eu.amazon.nova-lite-v1:0" in lite["batch"]["advice"]
    assert lite["prices"]["batch_input_per_million"] == "0.025" and lite["prices"]["source"] == "our contract"
    assert lite["prices"]["price_region"] == "eu-west-1" and lite["prices"]["date"] == "2026-11-01"
    assert {p["id"]: p["here"] for p in lite["profiles"]}["eu.amazon.nova-lite-v1:0"] is True
    assert client.get("/v1/models?region=Mars", 400)["code"] == "invalid_parameter"

    # ranges of the inference parameters are the model's, and a profile of another part of the world is refused before it costs anything
    prefix = client.register("terms/")["id"]
    body = {"prefix_id": prefix, "prompt": "?"}
    for change, pointer in [({"model_id": "eu.amazon.nova-lite-v1:0"}, "/model_id"), ({"inference": {"max_tokens": 5001}}, "/inference/max_tokens")]:
        assert client.post("/v1/jobs", {**body, **change}, 422).json()["errors"][0]["pointer"] == pointer


def test_a_broken_models_file_stops_the_start(tmp_path):
    file = tmp_path / "models.json"
    env = {"VIDBATCH_DATABASE_URL": "postgresql://x/y", "AWS_REGION": "us-east-1", "VIDBATCH_MODELS_FILE": str(file)}
    for text, why in [
        ("[]", "object"), (None, "cannot be read"), ('{"models":[{"id":"amazon.nova-lite-v1:0","quotas":{"min_records":"many"}}]}', "models[0].quotas.min_records"),
        ('{"models":[{"id":"amazon.nova-lite-v1:0","quotas":{"min_records":90000}}]}', "at least twice"),
    ]:
        file.unlink(missing_ok=True)
        if text is not None:
            file.write_text(text)
        for words in (["--check"], []):
            refused = subprocess.run([BUILD / "bin/vidbatchd", *words], env=env, capture_output=True, text=True, timeout=30)
            assert refused.returncode == 2 and f"VIDBATCH_MODELS_FILE={file}: " in refused.stderr and why in refused.stderr, refused.stderr
