"""Credentials that change under way: a container's agent gives new ones again and again while a large upload runs, and the first set is refused in
the middle of it."""

import json
import subprocess

import pytest

from tests.support.agent import Agent
from tests.support.vidbatch import BUILD, wait_until

PROMPT_BYTES = 100_000


@pytest.fixture
def emulator(stack):
    return stack.emulator()


@pytest.fixture
def agent(emulator, tmp_path):
    agent = Agent(emulator, tmp_path / "agent token")
    yield agent
    agent.stop()


@pytest.mark.parametrize("videos, part_ms", [
    pytest.param(500, 900, id="50 MB"),
    pytest.param(9_500, 50, id="950 MB", marks=pytest.mark.long),  # Bedrock takes 1 GB at most
])
def test_an_upload_goes_on_with_the_next_credentials(stack, emulator, agent, videos, part_ms):
    emulator.put_videos("big/", videos)
    service = stack.service(stack.database(), emulator, **agent.settings())
    client = service.client()
    prefix = client.wait_scan(client.register("big/")["id"])
    emulator.fault(op="S3.UploadPart", action={"delay_ms": part_ms})
    emulator.fault(job={"hold": True, "process_fraction": 0})
    job = client.launch(prefix["id"], prompt="?" * PROMPT_BYTES, staging="in_place", preflight="listing")

    def parts(**what):
        return [r for r in emulator.requests("S3.UploadPart") if all(r.get(k) == v for k, v in what.items())]

    def three_are_stored():
        now = client.get(f"/v1/jobs/{job['id']}")
        assert now["state"] != "failed", now["error"]
        return len(parts(status=200)) >= 3

    wait_until("three parts to be stored", three_are_stored)
    emulator.control("POST", "sessions", {"access_key": agent.given[0]["access_key"], "lives_ms": 0})
    running = client.wait_job(job["id"], states=("running", "failed"))
    assert running["state"] == "running", running

    refused = parts(code="ExpiredToken")
    assert refused and {r["key_id"] for r in refused} == {agent.given[0]["access_key"]}
    assert len({r["key_id"] for r in parts(status=200)}) >= 3, [(r["key_id"], r["status"]) for r in parts()]
    assert len(emulator.requests("S3.CreateMultipartUpload")) == 1 and not emulator.requests("S3.AbortMultipartUpload")
    (bedrock,) = emulator.jobs()
    bucket, _, folder = bedrock["input"].removeprefix("s3://").partition("/")
    pages = emulator.s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
    keys = [o["Key"] for page in pages for o in page["Contents"] if o["Key"].endswith(".jsonl")]
    assert len(keys) == 1
    stored = emulator.s3().get_object(Bucket=bucket, Key=keys[0])
    assert stored["ContentLength"] > videos * PROMPT_BYTES
    assert len({json.loads(line)["recordId"] for line in stored["Body"].iter_lines(chunk_size=1 << 20)}) == videos
    assert not [k for given in agent.given for k in (given["secret_key"], given["session_token"]) if k in service.log()]
    assert "agent-token" not in service.log()


def show(emulator, **settings):
    env = {"VIDBATCH_DATABASE_URL": "postgresql://x/y", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
           "AWS_EC2_METADATA_DISABLED": "true", **emulator.environment(), **settings}
    return subprocess.run([BUILD / "bin/vidbatchd", "credentials"], env=env, capture_output=True, text=True, timeout=30)


def test_the_command_tells_whose_credentials_they_are(emulator, agent, tmp_path):
    shown = show(emulator, **agent.settings())
    assert shown.returncode == 0 and "provider:  container\n" in shown.stdout and "key id:    ...0001\n" in shown.stdout, shown
    assert ("(in 59 min;" in shown.stdout or "(in 60 min;" in shown.stdout) and "Region:    us-east-1 (AWS_REGION)\n" in shown.stdout
    assert "hidden" not in shown.stdout + shown.stderr and "ASIA" not in shown.stdout + shown.stderr
    agent.token_file.write_text("wrong")
    shown = show(emulator, **agent.settings())
    assert shown.returncode == 1 and "refuses the authorization token (HTTP 401)" in shown.stderr, shown

    config = tmp_path / "config"
    config.write_text("[profile dev]\nregion = eu-west-1\naws_access_key_id = AKIDOFDEVELOPER\naws_secret_access_key = hidden\n")
    profile = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_REGION": "", "AWS_PROFILE": "dev", "AWS_CONFIG_FILE": str(config)}
    shown = show(emulator, **profile)
    assert shown.returncode == 0 and "source:    keys of profile dev\n" in shown.stdout and "never" in shown.stdout, shown
    assert "Region:    eu-west-1 (profile dev)\n" in shown.stdout and "hidden" not in shown.stdout

    none = {**profile, "AWS_PROFILE": "", "AWS_REGION": "us-east-1"}
    shown = show(emulator, **none)
    assert shown.returncode == 1 and shown.stdout == "" and "EC2 metadata (switched off" in shown.stderr and "AWS_PROFILE" in shown.stderr, shown
    shown = show(emulator, **{**none, "AWS_REGION": ""})
    assert shown.returncode == 1 and "AWS_REGION must be set" in shown.stderr, shown
