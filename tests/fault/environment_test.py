"""Surroundings that are wrong: the clock, the secret, the token, the network in between. Each is cured, or told in one sentence with what to do."""

import pathlib
import random
import re
import shutil
import socket
import threading

import pytest

from tests.support.vidbatch import ACCESS_KEY, SANITIZED, SECRET_KEY, wait_until

VIDEOS = 110


def run(service, prefix="v/"):
    client = service.client()
    return client.wait_job(client.launch(client.wait_scan(client.register(prefix)["id"])["id"])["id"])


def assert_good(job, emulator):
    assert (job["outcome"], job["counts"]["succeeded"]) == ("success", VIDEOS), job
    assert len(emulator.jobs()) == 1


@pytest.mark.parametrize("minutes", [20, -20])
def test_aws_and_the_service_disagree_about_the_time(stack, minutes):
    """The clock of AWS against that of the machine: learned from the first refusal, and used for all that follows."""
    emulator = stack.emulator()
    emulator.put_videos("v/", VIDEOS)
    emulator.control("POST", "clock", {"offset_ms": minutes * 60 * 1000})
    service = stack.service(stack.database(), emulator)
    assert_good(run(service), emulator)
    learned = [int(ms) for ms in re.findall(r"aws\.clock_skew.* skew_ms=(-?\d+)", service.log())]
    assert learned and all(abs(ms - minutes * 60000) < 5000 for ms in learned), learned


@pytest.mark.both
@pytest.mark.skipif(SANITIZED, reason="libfaketime and a sanitizer both want to be loaded first; the two tests above run with one")
@pytest.mark.parametrize("offset", ["+20m", "-20m"])
def test_the_machine_has_the_wrong_time(stack, offset):
    """Also against the clock of PostgreSQL, which is right."""
    assert shutil.which("faketime"), "the package faketime is missing"
    (library,) = pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    emulator = stack.emulator(job_seconds=1)
    emulator.put_videos("v/", VIDEOS)
    # Not by the program faketime: a signal to it does not reach what it runs.
    odd = {"LD_PRELOAD": str(library), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    service = stack.service(stack.database(), emulator, **odd)
    assert_good(run(service), emulator)
    assert "aws.clock_skew" in service.log()
    service.stop()


@pytest.mark.parametrize(
    "settings, code, words",
    [
        ({"AWS_SECRET_ACCESS_KEY": "not-the-secret"}, "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
        ({"AWS_ACCESS_KEY_ID": "AKIDUNKNOWN"}, "InvalidAccessKeyId", "may be deleted or inactive"),
    ],
    ids=["wrong secret", "unknown key"],
)
def test_wrong_credentials_are_told_with_what_to_do(stack, settings, code, words):
    emulator = stack.emulator()
    service = stack.service(stack.database(), emulator, **settings)
    client = service.client()
    scan = client.wait_scan(client.register("v/")["id"])["scan"]
    assert scan["state"] == "failed" and scan["error"]["upstream"]["code"] == code, scan
    assert words in scan["error"]["message"], scan["error"]
    assert code in service.log() and words in service.log()
    for secret in ("not-the-secret", SECRET_KEY):
        assert secret not in service.log() and secret not in str(scan)


def test_an_expired_token_is_told_with_what_to_do(stack):
    emulator = stack.emulator()
    emulator.fault(op="S3.ListObjectsV2", action={"status": 400, "code": "ExpiredToken", "message": "The provided token has expired."})
    service = stack.service(stack.database(), emulator, AWS_SESSION_TOKEN="an-old-token", VIDBATCH_MAX_FAILURES="4")
    client = service.client()
    prefix = client.register("v/")
    trouble = wait_until("the scan's trouble", lambda: client.get(f"/v1/prefixes/{prefix['id']}")["scan"]["trouble"])
    assert trouble["step"] == "scan" and trouble["failures"] > 0 and "Get new temporary credentials" in trouble["message"], trouble
    scan = client.wait_scan(prefix["id"])["scan"]
    assert scan["trouble"]["state"] == "dead"
    assert scan["state"] == "failed" and scan["error"]["upstream"]["code"] == "ExpiredToken", scan
    assert "expired" in scan["error"]["message"] and "Get new temporary credentials" in scan["error"]["message"], scan["error"]
    assert "an-old-token" not in service.log() + str(scan)


class Relay:
    """Stands between the service and AWS, and breaks connections off after a random number of bytes in either direction."""

    def __init__(self, port, seed):
        self.port_behind = port
        self.dice = random.Random(seed)
        self.cuts = 0
        self.is_cutting = True
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.port_behind))
            budget = [self.dice.choice([300, 2000, 10_000, 60_000, 400_000, 10**9])]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(source, target, budget), daemon=True).start()

    def pump(self, source, target, budget):
        try:
            while data := source.recv(65536):
                budget[0] -= len(data)
                if self.is_cutting and budget[0] < 0:
                    self.cuts += 1
                    target.sendall(data[: max(0, len(data) + budget[0])])
                    break
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()


def test_something_in_between_cuts_connections(stack):
    emulator = stack.emulator()
    emulator.put_videos("v/", VIDEOS)
    relay = Relay(emulator.port, seed=20261127)
    service = stack.service(stack.database(), emulator, AWS_ENDPOINT_URL=f"http://127.0.0.1:{relay.port}", AWS_MAX_ATTEMPTS="8")
    job = run(service)
    assert_good(job, emulator)
    assert relay.cuts > 5
    relay.close()


def test_a_throttled_account_is_waited_for_and_shown(stack):
    emulator = stack.emulator()
    service = stack.service(stack.database(), emulator, AWS_MAX_ATTEMPTS="2")
    client = service.client()
    emulator.put_videos("v/", VIDEOS)
    prefix = client.wait_scan(client.register("v/")["id"])
    emulator.fault(op="Bedrock.CreateModelInvocationJob", action={"status": 429, "code": "ThrottlingException", "message": "Too many requests"})
    job = client.launch(prefix["id"])

    def refused():
        shards = client.pages(f"/v1/jobs/{job['id']}/shards")
        return shards and shards[0]["waiting"] and "until" in shards[0]["waiting"] and shards[0]["waiting"]

    waiting = wait_until("the refusal to be shown", refused)
    assert (waiting["for"], waiting["refused"]) == ("slot", "throttled")
    emulator.clear_faults()
    assert_good(client.wait_job(job["id"]), emulator)


def test_a_job_shows_what_keeps_failing(stack):
    emulator = stack.emulator()
    service = stack.service(stack.database(), emulator, AWS_MAX_ATTEMPTS="1")
    client = service.client()
    emulator.put_videos("v/", VIDEOS)
    prefix = client.wait_scan(client.register("v/")["id"])
    emulator.fault(op="Bedrock.ListModelInvocationJobs", action={"status": 500, "code": "InternalServerException", "message": "Out of order"})
    job = client.launch(prefix["id"])
    trouble = wait_until("the job's trouble", lambda: client.get(f"/v1/jobs/{job['id']}")["trouble"])
    assert trouble["step"] == "watch" and "Out of order" in trouble["message"], trouble
    assert client.get("/v1/jobs")["data"][0].get("trouble") is None
    emulator.clear_faults()
    assert_good(client.wait_job(job["id"]), emulator)
    assert client.get(f"/v1/jobs/{job['id']}")["trouble"] is None
