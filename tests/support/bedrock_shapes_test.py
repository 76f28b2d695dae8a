"""The judge of Bedrock requests refuses what AWS would refuse."""

import copy
import json
import subprocess
import sys

import pytest

from tests.support import bedrock_shapes
from tests.support.vidbatch import ROOT

MODEL = bedrock_shapes.Model()
ARN = "arn:aws:bedrock:us-east-1:111122223333:model-invocation-job/abcdefghij12"
CREATE = {
    "jobName": "job-1",
    "clientRequestToken": "0123456789abcdef",
    "roleArn": "arn:aws:iam::111122223333:role/batch",
    "modelId": "amazon.nova-lite-v1:0",
    "inputDataConfig": {"s3InputDataConfig": {"s3Uri": "s3://bucket/in/", "s3InputFormat": "JSONL", "s3BucketOwner": "111122223333"}},
    "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://bucket/out/"}},
    "timeoutDurationInHours": 24,
    "tags": [{"key": "team", "value": "archive"}],
}
REMOVED = object()


def entry(op, method, target, body="", status=200, answer="", **more):
    return {"event": "request", "op": f"Bedrock.{op}", "method": method, "target": target, "agent": "vidbatch", "content_type": "application/json",
            "body": body, "status": status, "answer": answer, "bytes_in": len(body), **more}


def create(body, **more):
    return entry("CreateModelInvocationJob", "POST", "/model-invocation-job", json.dumps(body), answer=json.dumps({"jobArn": ARN}), **more)


def wrongs(line):
    return bedrock_shapes.judge(MODEL, line)[2]


def changed(path, value):
    body = copy.deepcopy(CREATE)
    *way, last = path.split("/")
    inside = body
    for step in way:
        inside = inside[int(step) if step.isdigit() else step]
    if value is REMOVED:
        del inside[last]
    else:
        inside[last] = value
    return body


def test_good_ones_pass():
    quoted = ARN.replace(":", "%3A").replace("/", "%2F")
    assert wrongs(create(CREATE)) == []
    assert wrongs(entry("StopModelInvocationJob", "POST", f"/model-invocation-job/{quoted}/stop", answer="{}")) == []
    listed = entry("ListModelInvocationJobs", "GET", "/model-invocation-jobs?maxResults=1000&nameContains=job-&sortBy=CreationTime"
                   "&submitTimeAfter=2026-11-01T00%3A00%3A00Z", answer='{"invocationJobSummaries": []}')
    assert wrongs(listed) == []
    assert bedrock_shapes.judge(MODEL, listed) == (True, True, [])


@pytest.mark.parametrize(
    "path, value",
    [(name, REMOVED) for name in ("jobName", "roleArn", "modelId", "inputDataConfig", "outputDataConfig", "inputDataConfig/s3InputDataConfig/s3Uri")]
    + [
        ("jobName", ""), ("jobName", "a b"), ("jobName", "x" * 64), ("jobName", "-x"), ("jobName", 7), ("clientRequestToken", ""),
        ("clientRequestToken", "with_underscore"), ("roleArn", "role"), ("modelId", ""), ("modelId", "nova lite"), ("surprise", 1),
        ("inputDataConfig", {}), ("inputDataConfig/other", {}), ("inputDataConfig/s3InputDataConfig/s3Uri", "s3://bucket/a b/"),
        ("inputDataConfig/s3InputDataConfig/s3Uri", "s3://bucket//x"), ("inputDataConfig/s3InputDataConfig/s3InputFormat", "CSV"),
        ("inputDataConfig/s3InputDataConfig/s3BucketOwner", "12"), ("outputDataConfig/s3OutputDataConfig/s3Uri", "s3://b/"),
        ("outputDataConfig/s3OutputDataConfig/s3Uri", "s3://bucket/" + "x" * 1013), ("outputDataConfig/s3OutputDataConfig/s3EncryptionKeyId", "key"),
        ("timeoutDurationInHours", 23), ("timeoutDurationInHours", 169), ("timeoutDurationInHours", "24"), ("timeoutDurationInHours", True),
        ("tags", {}), ("tags", [{"key": "only"}]), ("vpcConfig", {"subnetIds": [], "securityGroupIds": ["sg-1"]}),
        ("inputDataConfig/s3InputDataConfig/s3Uri", "s3://bucket/x\n"), ("jobIdentifier", "x"),
    ],
)
def test_wrong_bodies_are_refused(path, value):
    assert wrongs(create(changed(path, value)))


@pytest.mark.parametrize(
    "line",
    [
        entry("CreateModelInvocationJob", "PUT", "/model-invocation-job", json.dumps(CREATE), status=400),
        entry("CreateModelInvocationJob", "POST", "/model-invocation-jobs", json.dumps(CREATE), status=400),
        entry("CreateModelInvocationJob", "POST", "/model-invocation-job", "{", status=400),
        entry("CreateModelInvocationJob", "POST", "/model-invocation-job", "[]", status=400),
        create(CREATE, content_type=None), create(CREATE, content_type="application/x-www-form-urlencoded"),
        entry("GetModelInvocationJob", "GET", "/model-invocation-job/short"), entry("GetModelInvocationJob", "GET", f"/model-invocation-job/{ARN}"),
        entry("GetModelInvocationJob", "GET", "/model-invocation-job/ABCDEFGHIJ12", status=404),
        entry("ListModelInvocationJobs", "GET", "/model-invocation-jobs?maxResults=1001", status=400),
        entry("ListModelInvocationJobs", "GET", "/model-invocation-jobs?maxResults=many", status=400),
        entry("ListModelInvocationJobs", "GET", "/model-invocation-jobs?limit=1", status=400),
        entry("ListModelInvocationJobs", "GET", "/model-invocation-jobs?statusEquals=Done", status=400),
        entry("ListModelInvocationJobs", "GET", "/model-invocation-jobs?maxResults=1&maxResults=2", status=400),
        entry("ListModelInvocationJobs", "GET", "/model-invocation-jobs?submitTimeAfter=yesterday", status=400),
        entry("ListModelInvocationJobs", "GET", "/model-invocation-jobs?submitTimeAfter=2026-13-01T00:00:00Z", status=400),
        entry("ListModelInvocationJobs", "GET", "/model-invocation-jobs", status=0),
        entry("Unknown", "GET", "/model-invocation", status=404),
    ],
)
def test_wrong_requests_are_refused(line):
    line["bytes_in"] = 1
    line["op"] = line["op"] if line["status"] else "Bedrock.Unknown"
    assert wrongs(line)


@pytest.mark.parametrize(
    "answer",
    ["", "{}", "[]", "x", '{"jobArn": "arn"}', '{"jobArn": 1}', json.dumps({"jobArn": ARN, "more": 1})],
)
def test_wrong_answers_are_refused(answer):
    assert wrongs({**create(CREATE), "answer": answer})
    assert wrongs({**create(CREATE), "answer": answer, "fault": "status"}) == []


def test_who_may_send_what(tmp_path):
    bad = create(changed("jobName", "a b"))
    assert wrongs({**bad, "status": 400})  # the service never
    assert wrongs({**bad, "agent": "Boto3/1"})  # nobody, where it was accepted
    assert wrongs({**bad, "agent": "Boto3/1", "status": 400}) == []

    def run(*options):
        done = subprocess.run([sys.executable, ROOT / "tests/support/bedrock_shapes.py", *options, tmp_path / "planted"], capture_output=True, text=True)
        return done.returncode, done.stdout

    log = tmp_path / "planted/below/requests.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text(json.dumps(create(CREATE), separators=(",", ":")) + "\n" + '{"event":"request","op":"Bedrock.List')
    assert run("--at-least", "1") == (0, "bedrock shapes: 1 requests and 1 answers held against AWS's model, 0 violations\n")
    assert run("--at-least", "2")[0] == 1
    log.write_text(json.dumps(bad, separators=(",", ":")) + "\n")
    assert run()[0] == 1 and "does not match ModelInvocationJobName" in run()[1]
