"""The four Bedrock operations, driven by boto3, and what a job reads and writes."""

import copy
import datetime
import json
import pathlib
import re

import pytest

from tests.emulator.harness import (
    ACCOUNT, REGION, ROLE, ROOT, Emulator, error_of, job, mp4, output_files, output_lines, put_lines, record, run_to_end,
    stage, wait_for,
)


def test_a_job_from_end_to_end(emu):
    folder = stage(emu, "whole", 150, prompt="Summarize. Put it into <answer></answer>.")
    parameters = job(folder=folder, timeoutDurationInHours=72, tags=[{"key": "app", "value": "x y"}])
    got = run_to_end(emu, parameters)
    assert re.fullmatch(rf"arn:aws:bedrock:{REGION}:{ACCOUNT}:model-invocation-job/[a-z0-9]{{12}}", got["jobArn"])
    assert got["status"] == "Completed"
    assert (got["jobName"], got["clientRequestToken"]) == (parameters["jobName"], parameters["clientRequestToken"])
    assert got["modelId"] == f"arn:aws:bedrock:{REGION}::foundation-model/amazon.nova-lite-v1:0"
    assert got["inputDataConfig"]["s3InputDataConfig"]["s3BucketOwner"] == ACCOUNT
    assert got["jobExpirationTime"] - got["submitTime"] == datetime.timedelta(hours=72)
    counts = [got[f"{name}RecordCount"] for name in ("total", "processed", "success", "error")]
    assert counts == [150, 150, 150, 0]

    files = output_files(emu, got)
    assert sorted(files) == ["input.jsonl.out", "manifest.json.out"]
    lines = [json.loads(line) for line in files["input.jsonl.out"].splitlines()]
    ids = [line["recordId"] for line in lines]
    assert sorted(ids) == [f"V{n:010d}" for n in range(150)] and ids != sorted(ids)
    assert len({tuple(line) for line in lines}) > 1, "the order of the members should vary"
    output = lines[0]["modelOutput"]
    text = output["output"]["message"]["content"][0]["text"]
    assert text.startswith("<thinking>") and text.endswith("</answer>")
    assert "[emulated] An MP4 video of 4.2 s, 320x240, 1,240 bytes" in text
    assert output["stopReason"] == "end_turn"
    assert 5 * 288 < output["usage"]["inputTokens"] < 5 * 288 + 50
    whole = record(0, "s3://staging/whole/v/a.mp4", prompt="Summarize. Put it into <answer></answer>.")
    assert lines[0]["modelInput"] == whole["modelInput"]
    manifest = json.loads(files["manifest.json.out"])
    assert manifest == {
        "totalRecordCount": 150, "processedRecordCount": 150, "successRecordCount": 150, "errorRecordCount": 0,
        "inputTokenCount": sum(line["modelOutput"]["usage"]["inputTokens"] for line in lines),
        "outputTokenCount": sum(line["modelOutput"]["usage"]["outputTokens"] for line in lines),
    }


def test_too_few_records(emu):
    got = run_to_end(emu, job(folder=stage(emu, "few", 99)))
    assert got["status"] == "Failed"
    assert got["message"] == "Batch job contains less records (99) than the required minimum of: 100"
    assert got["totalRecordCount"] == 0
    assert output_files(emu, got) == {}


def test_every_jsonl_under_the_folder_is_processed(emu):
    folder = stage(emu, "several", 60)
    put_lines(emu, "several/deep/er.jsonl", [record(1000 + n, "s3://staging/several/v/a.mp4") for n in range(50)])
    got = run_to_end(emu, job(folder=folder.rstrip("/"), output="s3://out"))
    assert got["status"] == "Completed"
    assert sorted(output_files(emu, got)) == ["deep/er.jsonl.out", "input.jsonl.out", "manifest.json.out"]
    assert len(output_lines(emu, got)) == 110


def test_a_line_that_is_no_object_fails_the_job(emu):
    folder = stage(emu, "broken", 100)
    emu.s3.put_object(Bucket="staging", Key="broken/other.jsonl", Body=b'{"recordId":"1","modelInput":{}}\n[]\n')
    got = run_to_end(emu, job(folder=folder))
    assert (got["status"], "line 2" in got["message"]) == ("Failed", True)
    got = run_to_end(emu, job(folder="s3://staging/nothing-here/"))
    assert got["status"] == "Failed"


OUTSIDE = "The S3 resource locations in your prompt do not match the folder prefix specified in CreateModelInvocationJob"
INVALID = "Provided S3 URI is invalid"


def changed(change):
    line = record(1, "s3://staging/judged/v/a.mp4")
    change(line["modelInput"])
    return line


def set_format(value):
    return lambda m: m["messages"][0]["content"][0]["video"].update(format=value)


@pytest.fixture(scope="module")
def judged(emu):
    """A job of which each record has its own fault; recordId to error or None."""
    lines = {
        "outside": (record(0, "s3://staging/elsewhere/v/a.mp4"), OUTSIDE),
        "other bucket": (record(0, "s3://videos/judged/v/a.mp4"), OUTSIDE),
        "sibling": (record(0, "s3://staging/judged-not/a.mp4"), OUTSIDE),
        "letter case": (record(0, "s3://staging/JUDGED/v/a.mp4"), OUTSIDE),
        "space": (record(0, "s3://staging/judged/v/a b.mp4"), INVALID),
        "comma": (record(0, "s3://staging/judged/v/a,b.mp4"), INVALID),
        "encoded": (record(0, "s3://staging/judged/v/a%20b.mp4"), INVALID),
        "missing": (record(0, "s3://staging/judged/v/none.mp4"), "does not exist"),
        "no video": (record(0, "s3://staging/judged/v/text.mp4"), "could not be decoded"),
        "format": (changed(set_format("MP4")), "format"),
        "avi": (changed(set_format("avi")), "format"),
        "two videos": (changed(lambda m: m["messages"][0]["content"].insert(0, m["messages"][0]["content"][0])), "one video"),
        "too many tokens": (changed(lambda m: m["inferenceConfig"].update(maxTokens=5001)), "maxTokens"),
        "old spelling": (changed(lambda m: m["inferenceConfig"].update(max_new_tokens=5)), "extraneous key [max_new_tokens]"),
        "owner": (
            changed(lambda m: m["messages"][0]["content"][0]["video"]["source"]["s3Location"].update(bucketOwner="9" * 12)),
            "Access denied",
        ),
        "text first": (changed(lambda m: m["messages"][0]["content"].reverse()), None),
        "system": (changed(lambda m: m.update(system=[{"text": "Be brief."}], schemaVersion="messages-v1")), None),
    }
    stage(emu, "judged", 100)
    for key in ("judged/v/a b.mp4", "judged/v/a,b.mp4", "elsewhere/v/a.mp4"):
        emu.s3.put_object(Bucket="staging", Key=key, Body=mp4())
    emu.s3.put_object(Bucket="staging", Key="judged/v/text.mp4", Body=b"these are no boxes at all")
    wanted = {}
    for name, (line, error) in lines.items():
        line["recordId"] = name
        wanted[name] = error
    put_lines(emu, "judged/more.jsonl", [line for line, _ in lines.values()])
    got = run_to_end(emu, job(folder="s3://staging/judged/"))
    found = {line["recordId"]: line.get("error") for line in output_lines(emu, got)}
    return got, wanted, found


def test_records_are_judged(judged):
    got, wanted, found = judged
    assert got["status"] == "Completed"
    assert got["errorRecordCount"] == sum(error is not None for error in wanted.values())
    for name, error in wanted.items():
        if error is None:
            assert found[name] is None, name
        else:
            assert error in found[name]["errorMessage"], name
            assert found[name]["errorCode"] == (403 if name == "owner" else 400), name
            assert found[name]["retryable"] is False


def test_a_single_file_cannot_name_videos(emu):
    stage(emu, "single", 100)
    got = run_to_end(emu, job(folder="s3://staging/single/input.jsonl"))
    assert (got["status"], got["errorRecordCount"], got["successRecordCount"]) == ("Completed", 100, 0)
    assert all(line["error"]["errorMessage"].startswith(OUTSIDE) for line in output_lines(emu, got))


@pytest.mark.parametrize(
    "file, format, words",
    [
        ("front.mp4", "mp4", "An MP4 video of 4.0 s, 320x240"),
        ("end.mp4", "mp4", "An MP4 video of 6.0 s, 256x144"),
        ("SOUND.MP4", "mp4", "An MP4 video of 12.0 s, 320x180"),
        ("long.mov", "mov", "An MOV video of 61.0 s, 192x108"),
        ("clock.webm", "webm", "A WebM video of 3.0 s, 160x120"),
        ("cells.mkv", "mkv", "An MKV video of 5.0 s, 160x120"),
    ],
)
def test_real_clips_are_described(emu, file, format, words):
    clip = pathlib.Path(ROOT / "tests/data" / file).read_bytes()
    folder = f"clips/{file.replace('.', '-')}"
    emu.s3.put_object(Bucket="staging", Key=f"{folder}/{file}", Body=clip)
    line = record(0, f"s3://staging/{folder}/{file}")
    line["modelInput"]["messages"][0]["content"][0]["video"]["format"] = format
    put_lines(emu, f"{folder}/in.jsonl", [{**line, "recordId": str(n)} for n in range(100)])
    got = run_to_end(emu, job(folder=f"s3://staging/{folder}/"))
    text = output_lines(emu, got)[0]["modelOutput"]["output"]["message"]["content"][0]["text"]
    assert re.match(re.escape("[emulated] ") + words.replace(".0 s", r"\.[0-9] s") + f", {len(clip):,} bytes; ", text), text


def test_converse_type_and_profile(emu):
    folder = stage(emu, "converse", 100)
    got = run_to_end(emu, job(folder=folder, modelInvocationType="Converse", modelId="us.amazon.nova-lite-v1:0"))
    assert (got["status"], got["modelInvocationType"], got["modelId"]) == ("Completed", "Converse", "us.amazon.nova-lite-v1:0")
    assert got["successRecordCount"] == 100


def test_name_and_token(emu):
    parameters = job(folder=stage(emu, "twice", 100))
    arn = emu.bedrock.create_model_invocation_job(**parameters)["jobArn"]
    assert emu.bedrock.create_model_invocation_job(**parameters)["jobArn"] == arn
    assert [j["create_calls"] for j in emu.control("GET", "jobs") if j["arn"] == arn] == [2]
    refused = error_of(emu.bedrock.create_model_invocation_job, **{**parameters, "clientRequestToken": "another"})
    assert refused == (400, "ConflictException")
    assert [line["arn"] for line in emu.log_lines() if line["event"] == "job.created" and line["name"] == parameters["jobName"]] == [arn]


def without_boto_checks(emu):
    return emu.client("bedrock", parameter_validation=False)


def nested(path, value):
    def change(parameters):
        at = parameters
        for name in path[:-1]:
            at = at[name]
        at[path[-1]] = value

    return change


INPUT = ("inputDataConfig", "s3InputDataConfig")
OUTPUT = ("outputDataConfig", "s3OutputDataConfig")


@pytest.mark.parametrize(
    "change",
    [
        nested(["jobName"], "under_score"),
        nested(["jobName"], "-begins"),
        nested(["jobName"], "x" * 64),
        nested(["clientRequestToken"], "ends-"),
        nested(["clientRequestToken"], "under_score"),
        nested(["roleArn"], "arn:aws:iam::1:role/x"),
        nested(["modelId"], "no such model"),
        nested(["modelId"], "vendor.unknown-v1:0"),
        nested(["timeoutDurationInHours"], 23),
        nested(["timeoutDurationInHours"], 169),
        nested(["tags"], [{"key": "bad*", "value": ""}]),
        nested(["tags"], [{"key": "k", "value": "v"}] * 201),
        nested(["modelInvocationType"], "Stream"),
        nested([*INPUT, "s3Uri"], "s3://staging/date=2026/"),
        nested([*INPUT, "s3Uri"], "s3://staging/a//b/"),
        nested([*INPUT, "s3Uri"], "s3://staging/a b/"),
        nested([*INPUT, "s3Uri"], "s3://no-such-bucket/a/"),
        nested([*INPUT, "s3InputFormat"], "CSV"),
        nested([*INPUT, "s3BucketOwner"], "12"),
        nested([*OUTPUT, "s3Uri"], "s3://Staging/a/"),
        nested([*OUTPUT, "s3EncryptionKeyId"], "not a key"),
        nested(["vpcConfig"], {"subnetIds": [], "securityGroupIds": ["sg-1"]}),
    ],
)
def test_validation(emu, change):
    parameters = copy.deepcopy(job())
    change(parameters)
    assert error_of(without_boto_checks(emu).create_model_invocation_job, **parameters) == (400, "ValidationException")


def test_unknown_and_missing_fields(emu):
    def send(change):
        client = emu.client("bedrock")

        def alter(params, **_):
            body = json.loads(params["body"])
            change(body)
            params["body"] = json.dumps(body).encode()

        client.meta.events.register("before-call.bedrock.CreateModelInvocationJob", alter)
        return error_of(client.create_model_invocation_job, **job())

    assert send(lambda body: body.update(jobTimeout=1)) == (400, "ValidationException")
    assert send(lambda body: body["inputDataConfig"].update(extra={})) == (400, "ValidationException")
    assert send(lambda body: body.pop("roleArn")) == (400, "ValidationException")
    assert send(lambda body: body.update(jobName=5)) == (400, "ValidationException")


def test_get_and_stop_of_what_is_not_there(emu):
    arn = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:model-invocation-job/abcdefghi123"
    assert error_of(emu.bedrock.get_model_invocation_job, jobIdentifier=arn) == (404, "ResourceNotFoundException")
    assert error_of(emu.bedrock.stop_model_invocation_job, jobIdentifier=arn) == (404, "ResourceNotFoundException")
    assert error_of(emu.bedrock.get_model_invocation_job, jobIdentifier="abcdefghi123") == (400, "ValidationException")
    ended = run_to_end(emu, job(folder=stage(emu, "ended", 100)))
    assert error_of(emu.bedrock.stop_model_invocation_job, jobIdentifier=ended["jobArn"]) == (400, "ConflictException")


def test_listing(tmp_path):
    emulator = Emulator(tmp_path)
    try:
        names = [f"list-{n}" for n in range(7)]
        arns = [emulator.bedrock.create_model_invocation_job(**job(name))["jobArn"] for name in names]
        for arn in arns:
            wait_for(emulator, arn, "Failed")
        pages = emulator.bedrock.get_paginator("list_model_invocation_jobs").paginate(
            sortBy="CreationTime", sortOrder="Ascending", PaginationConfig={"PageSize": 3}
        )
        listed = [j for page in pages for j in page["invocationJobSummaries"]]
        assert [j["jobName"] for j in listed] == names
        assert listed[0]["clientRequestToken"] and listed[0]["status"] == "Failed"

        def found(**filters):
            summaries = emulator.bedrock.list_model_invocation_jobs(**filters)["invocationJobSummaries"]
            return sorted(j["jobName"] for j in summaries)

        assert found(nameContains="t-3") == ["list-3"]
        assert found(statusEquals="Completed") == []
        assert found(statusEquals="Failed") == names
        now = datetime.datetime.now(datetime.timezone.utc)
        assert found(submitTimeAfter=now + datetime.timedelta(hours=1)) == []
        assert found(submitTimeBefore=now + datetime.timedelta(hours=1)) == names
        latest = emulator.bedrock.list_model_invocation_jobs(maxResults=1)
        assert (latest["invocationJobSummaries"][0]["jobName"], "nextToken" in latest) == ("list-6", True)
        assert error_of(emulator.bedrock.list_model_invocation_jobs, nextToken="x") == (400, "ValidationException")
    finally:
        emulator.stop()


def test_a_job_takes_its_time_and_can_be_stopped(tmp_path):
    emulator = Emulator(tmp_path, "--job-seconds", "3", "--concurrent-jobs", "1", "--role-arn-prefix", ROLE)
    try:
        folder = stage(emulator, "slow", 100)
        arn = emulator.bedrock.create_model_invocation_job(**job(folder=folder))["jobArn"]
        refused = error_of(emulator.bedrock.create_model_invocation_job, **job(folder=folder))
        assert refused == (400, "ServiceQuotaExceededException")
        passed = job(folder=folder, roleArn=f"arn:aws:iam::{ACCOUNT}:role/Other")
        assert error_of(emulator.bedrock.create_model_invocation_job, **passed) == (403, "AccessDeniedException")
        seen = [emulator.bedrock.get_model_invocation_job(jobIdentifier=arn)["status"]]
        while seen[-1] != "InProgress":
            seen.append(emulator.bedrock.get_model_invocation_job(jobIdentifier=arn)["status"])
        assert list(dict.fromkeys(seen)) == ["Submitted", "Validating", "Scheduled", "InProgress"]
        emulator.bedrock.stop_model_invocation_job(jobIdentifier=arn)
        assert emulator.bedrock.get_model_invocation_job(jobIdentifier=arn)["status"] == "Stopping"
        got = wait_for(emulator, arn, "Stopped")
        assert got["totalRecordCount"] == 100
        assert len(output_lines(emulator, got)) == got["processedRecordCount"] < 100
        emulator.bedrock.create_model_invocation_job(**job(folder=folder))
    finally:
        emulator.stop()


def test_tokens_and_names_are_forgotten_when_asked(tmp_path):
    emulator = Emulator(tmp_path, "--token-seconds", "100", "--free-names")
    try:
        asked = job(folder=stage(emulator, "forgotten", 100))
        first = run_to_end(emulator, asked)
        again = emulator.bedrock.create_model_invocation_job(**asked)["jobArn"]
        emulator.control("POST", "clock", {"offset_ms": 101_000})
        other = emulator.bedrock.create_model_invocation_job(**asked)["jobArn"]
        assert first["jobArn"] == again != other
    finally:
        emulator.stop()


def test_fifty_thousand_records(emu):
    emu.control("POST", "buckets", {"name": "staging", "synthetic_count": 50_000, "synthetic_prefix": "large/v/"})
    lines = (json.dumps(record(n, f"s3://staging/large/v/{n:07d}.mp4")) for n in range(50_000))
    emu.s3.put_object(Bucket="staging", Key="large/input.jsonl", Body="\n".join(lines).encode())
    got = run_to_end(emu, job(folder="s3://staging/large/"))
    assert (got["status"], got["successRecordCount"]) == ("Completed", 50_000)
    lines = output_lines(emu, got)
    assert len({line["recordId"] for line in lines}) == 50_000
    texts = {line["modelOutput"]["output"]["message"]["content"][0]["text"] for line in lines}
    assert len(texts) > 10_000
