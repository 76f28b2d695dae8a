"""Settings that only show their faults when a client comes."""

import pytest


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
    prefix = client.register("own/")
    assert client.post("/v1/jobs", {"prefix_id": prefix["id"], "prompt": "?"}, 202).json()["model_id"] == arn
