"""Scripted faults, seen through boto3 and through plain connections."""

import collections
import http.client
import json
import time
import urllib.error
import urllib.request

import botocore.exceptions
import pytest

from tests.emulator.harness import Emulator, error_of, job, output_files, output_lines, run_to_end, stage, wait_for


def fault(emu, action, op="S3.GetObject", **rule):
    emu.control("POST", "faults", {"op": op, "action": action, **rule})


@pytest.fixture
def stored(emu):
    emu.s3.put_object(Bucket="videos", Key="f.bin", Body=b"0123456789" * 1000)
    return {"Bucket": "videos", "Key": "f.bin"}


def test_status_skip_and_count(emu, stored):
    fault(emu, {"status": 503, "code": "SlowDown", "retry_after": "1"}, skip=1, count=2)
    emu.s3.get_object(**stored)
    for _ in range(2):
        assert error_of(emu.s3.get_object, **stored) == (503, "SlowDown")
    emu.s3.get_object(**stored)
    assert [rule["used"] for rule in emu.control("GET", "faults")] == [2]
    assert [line["fault"] for line in emu.log_lines() if line.get("op") == "S3.GetObject"][-4:] == [None, "status", "status", None]


def test_match_by_operation_bucket_and_key(emu, stored):
    fault(emu, {"status": 500}, op="S3.*", bucket="vid", key="f.b")
    assert error_of(emu.s3.get_object, **stored) == (500, "InternalError")
    assert error_of(emu.s3.head_object, **stored)[0] == 500
    emu.s3.list_objects_v2(Bucket="videos")
    emu.bedrock.list_model_invocation_jobs()


def test_probability_is_repeatable(emu, stored):
    def pattern():
        emu.control("DELETE", "faults")
        fault(emu, {"status": 503}, probability=0.5, seed=7)
        seen = []
        for _ in range(40):
            try:
                emu.s3.get_object(**stored)
                seen.append(True)
            except botocore.exceptions.ClientError:
                seen.append(False)
        return seen

    first = pattern()
    assert first == pattern() and 5 < sum(first) < 35


def test_reset_before_and_after_the_work(emu):
    fault(emu, "reset", op="S3.PutObject", count=1)
    with pytest.raises(botocore.exceptions.ConnectionClosedError):
        emu.s3.put_object(Bucket="videos", Key="reset", Body=b"x")
    assert error_of(emu.s3.head_object, Bucket="videos", Key="reset")[0] == 404
    fault(emu, "reset_after", op="S3.PutObject", count=1)
    with pytest.raises(botocore.exceptions.ConnectionClosedError):
        emu.s3.put_object(Bucket="videos", Key="reset", Body=b"x")
    assert emu.s3.get_object(Bucket="videos", Key="reset")["Body"].read() == b"x"


def test_lost_answer_of_create(emu):
    parameters = job(folder=stage(emu, "lost", 100))
    fault(emu, {"reset_after": True}, op="Bedrock.CreateModelInvocationJob", count=1)
    with pytest.raises(botocore.exceptions.ConnectionClosedError):
        emu.bedrock.create_model_invocation_job(**parameters)
    arn = emu.bedrock.create_model_invocation_job(**parameters)["jobArn"]
    found = emu.bedrock.list_model_invocation_jobs(nameContains=parameters["jobName"])["invocationJobSummaries"]
    assert [(j["jobArn"], j["clientRequestToken"]) for j in found] == [(arn, parameters["clientRequestToken"])]


def test_throttling_of_bedrock(emu):
    fault(emu, {"status": 429}, op="Bedrock.ListModelInvocationJobs", count=1)
    assert error_of(emu.bedrock.list_model_invocation_jobs) == (429, "ThrottlingException")
    emu.bedrock.list_model_invocation_jobs()


def test_cut_body(emu, stored):
    fault(emu, {"cut_body": 123}, count=1)
    body = emu.s3.get_object(**stored)["Body"]
    with pytest.raises((botocore.exceptions.ResponseStreamingError, botocore.exceptions.IncompleteReadError)):
        body.read()
    fault(emu, {"cut_body": 50}, op="S3.ListObjectsV2", count=1)
    with pytest.raises((botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)):
        emu.s3.list_objects_v2(Bucket="videos")
    assert emu.log_lines()[-1]["fault"] == "cut_body"


def test_slow_body_stalls_nobody_else(emu, stored):
    fault(emu, {"slow_body": 20_000}, count=1)
    url = emu.s3.generate_presigned_url("get_object", Params=stored)
    started = time.monotonic()
    with urllib.request.urlopen(url) as slow:
        first = slow.read(1)
        others = time.monotonic()
        for _ in range(20):
            emu.s3.head_object(**stored)
        quick = time.monotonic() - others
        whole = first + slow.read()
    assert whole == b"0123456789" * 1000
    assert time.monotonic() - started > 0.4 and quick < time.monotonic() - started


def test_delay(emu, stored):
    fault(emu, {"delay_ms": 300}, count=1)
    started = time.monotonic()
    emu.s3.get_object(**stored)
    assert time.monotonic() - started >= 0.3


def test_bad_scripts_are_refused(emu):
    for bad in ({}, {"op": "S3.GetObject"}, {"action": "nothing"}, {"action": {"status": 99}}, {"oops": 1, "action": "reset"},
                {"job": {"terminal": "Done"}}, {"action": {"status": "503"}}, [{"action": "reset"}, 5]):
        with pytest.raises(urllib.error.HTTPError) as refused:
            emu.control("POST", "faults", bad)
        assert refused.value.code == 400
    assert emu.control("GET", "faults") == []
    with pytest.raises(urllib.error.HTTPError) as refused:
        emu.control("GET", "nothing")
    assert refused.value.code == 404


def scripted(emu, name, records=200, **script):
    emu.control("POST", "faults", {"job": {"name_contains": name, **script}})
    return run_to_end(emu, job(name, folder=stage(emu, name, records)))


@pytest.mark.parametrize(
    "terminal, lines", [("Completed", 200), ("PartiallyCompleted", 120), ("Stopped", 120), ("Failed", 0), ("Expired", 0)]
)
def test_terminal_statuses(emu, terminal, lines):
    got = scripted(emu, f"ends-{terminal}", terminal=terminal)
    assert got["status"] == terminal
    assert len(output_lines(emu, got)) == lines == got["processedRecordCount"]
    assert bool(got.get("message")) == (terminal in ("Failed", "Expired", "PartiallyCompleted"))


def test_message_and_fraction(emu):
    got = scripted(emu, "own-words", terminal="Failed", message="Because.", process_fraction=0.25)
    assert (got["message"], len(output_lines(emu, got))) == ("Because.", 50)


def test_records_with_scripted_fates(emu):
    got = scripted(emu, "fates", error_fraction=0.1, max_tokens_fraction=0.05, content_filtered_fraction=0.02, reasoning=True)
    lines = output_lines(emu, got)
    errors = [line["error"] for line in lines if "error" in line]
    assert len(errors) == 20 == got["errorRecordCount"] and all(e["retryable"] for e in errors)
    reasons = collections.Counter(line["modelOutput"]["stopReason"] for line in lines if "modelOutput" in line)
    assert reasons == {"end_turn": 166, "max_tokens": 10, "content_filtered": 4}
    content = next(line for line in lines if "modelOutput" in line)["modelOutput"]["output"]["message"]["content"]
    assert "reasoningContent" in content[0] and "text" in content[1]


def test_odd_output(emu):
    got = scripted(emu, "odd", missing=3, duplicate=2, unknown_records=4, output_files=3, manifest=False)
    assert sorted(output_files(emu, got)) == ["input-2.jsonl.out", "input-3.jsonl.out", "input.jsonl.out"]
    seen = collections.Counter(line["recordId"] for line in output_lines(emu, got))
    known = {k: n for k, n in seen.items() if k.startswith("V")}
    assert (len(known), sum(known.values()), len(seen) - len(known)) == (197, 199, 4)


def test_garbage_and_a_cut_last_line(emu):
    got = scripted(emu, "garbage", garbage_lines=5, truncate_last_line=True)
    text = output_files(emu, got)["input.jsonl.out"]
    assert not text.endswith("\n")
    whole = 0
    for line in text.split("\n"):
        try:
            whole += isinstance(json.loads(line), dict) and "modelInput" in json.loads(line)
        except ValueError:
            pass
    assert whole == 199


def test_hold_and_release(emu):
    emu.control("POST", "faults", {"job": {"name_contains": "held", "hold": True}})
    arn = emu.bedrock.create_model_invocation_job(**job("held-1", folder=stage(emu, "held", 100)))["jobArn"]
    wait_for(emu, arn, "InProgress")
    assert emu.control("POST", "release", {"name_contains": "held"}) == {"released": 1}
    assert wait_for(emu, arn, "Completed")["successRecordCount"] == 100


def test_a_held_job_can_be_stopped(emu):
    emu.control("POST", "faults", {"job": {"name_contains": "stopme", "hold": True, "process_fraction": 0.5}})
    arn = emu.bedrock.create_model_invocation_job(**job("stopme-1", folder=stage(emu, "stopme", 100)))["jobArn"]
    wait_for(emu, arn, "InProgress")
    emu.bedrock.stop_model_invocation_job(jobIdentifier=arn)
    assert len(output_lines(emu, wait_for(emu, arn, "Stopped"))) == 50


def test_lagging_counters(emu):
    got = scripted(emu, "lag", lagging_counters=True)
    assert got["processedRecordCount"] == 100
    assert len(output_lines(emu, got)) == 200


def test_latency_and_statistics(tmp_path):
    emulator = Emulator(tmp_path, "--latency-ms", "50")
    try:
        connections = [http.client.HTTPConnection("127.0.0.1", emulator.port) for _ in range(20)]
        started = time.monotonic()
        for connection in connections:
            connection.request("GET", "/videos?list-type=2")
        assert {connection.getresponse().status for connection in connections} == {403}
        assert 0.05 <= time.monotonic() - started < 20 * 0.05
        stats = emulator.control("GET", "stats")
        assert stats["ops"]["S3.ListObjectsV2"] == {"requests": 20, "errors": 20, "faults": 0}
        assert stats["peak_in_flight"] >= 5
        emulator.control("DELETE", "stats")
        assert emulator.control("GET", "stats")["ops"] == {}
    finally:
        emulator.stop()
