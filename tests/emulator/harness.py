"""What the tests of the emulator share: a running one, boto3 clients for it, small videos, records and jobs."""

import json
import os
import pathlib
import subprocess
import time
import urllib.error
import urllib.request
import uuid

import boto3
import botocore.config
import botocore.exceptions
import pytest

from tests.support.vidbatch import PATIENCE_S, log_entries, remember_secret

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VIDBATCH_BUILD", ROOT / "build/release"))
BINARY = pathlib.Path(os.environ.get("VIDBATCH_EMULATOR", BUILD / "bin/vidbatch-emulator"))
KEY_ID, SECRET, REGION, ACCOUNT = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/BatchRole"
MODEL = "amazon.nova-lite-v1:0"
TERMINAL = ("Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired")


class Emulator:
    """One running emulator and clients for it."""

    def __init__(self, folder, *flags, buckets=("videos", "staging", "out")):
        port_file = folder / "port"
        self.log = folder / "log.jsonl"
        command = [str(BINARY), "--listen", "127.0.0.1:0", "--port-file", str(port_file), "--data", str(folder / "data")]
        command += ["--access-key", KEY_ID, "--secret-key", SECRET, "--region", REGION, "--account", ACCOUNT]
        command += ["--log", str(self.log), *flags]
        for bucket in buckets:
            command += ["--create-bucket", bucket]
        remember_secret(SECRET, *(flags[at + 1] for at, flag in enumerate(flags) if flag in ("--session-token", "--secret-key")))
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not port_file.exists():
            assert self.process.poll() is None, "the emulator ended at once"
            assert time.monotonic() < deadline, "the emulator does not listen"
            time.sleep(0.01)
        self.port = int(port_file.read_text())
        self.url = f"http://127.0.0.1:{self.port}"
        self.s3 = self.client("s3")
        self.bedrock = self.client("bedrock")

    def client(self, service, key=KEY_ID, secret=SECRET, token=None, region=REGION, url=None, **options):
        if service == "s3":
            options["signature_version"] = "s3v4"  # else boto3 presigns in the old way
        config = botocore.config.Config(retries={"total_max_attempts": 1}, **options)
        return boto3.client(
            service,
            endpoint_url=url or self.url,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=config,
        )

    def control(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_emulator/{path}", data=data, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def log_lines(self):
        return log_entries(self.log)

    def stop(self):
        self.process.terminate()
        assert self.process.wait(20) == 0


def error_of(call, *args, **kwargs):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(*args, **kwargs)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def atom(kind, body):
    return (len(body) + 8).to_bytes(4, "big") + kind + body


def mp4(seconds=4.2, width=320, height=240, filler=1000, moov_last=False):
    """The boxes of a video, without pictures."""
    mvhd = bytes(12) + (1000).to_bytes(4, "big") + int(seconds * 1000).to_bytes(4, "big") + bytes(80)
    tkhd = bytes(76) + (width << 16).to_bytes(4, "big") + (height << 16).to_bytes(4, "big")
    moov = atom(b"moov", atom(b"mvhd", mvhd) + atom(b"trak", atom(b"tkhd", tkhd)))
    mdat = atom(b"mdat", bytes(filler))
    start = atom(b"ftyp", b"isom" + bytes(4))
    return start + (mdat + moov if moov_last else moov + mdat)


def raw(method, url, body=None, headers=None):
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def raw_get(url):
    return raw("GET", url)


def record(number, uri, prompt="Summarize this video.", **inference):
    """One line of a job's input."""
    content = [{"video": {"format": "mp4", "source": {"s3Location": {"uri": uri}}}}, {"text": prompt}]
    model_input = {"messages": [{"role": "user", "content": content}], "inferenceConfig": {"maxTokens": 600, **inference}}
    return {"recordId": f"V{number:010d}", "modelInput": model_input}


def job(name=None, folder="s3://staging/j/", output="s3://out/j/", **more):
    """The parameters of a CreateModelInvocationJob call."""
    return {
        "jobName": name or f"job-{uuid.uuid4().hex}",
        "clientRequestToken": uuid.uuid4().hex,
        "roleArn": ROLE,
        "modelId": MODEL,
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": folder, "s3InputFormat": "JSONL"}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": output}},
        **more,
    }


def stage(emu, folder, count=100, file="input.jsonl", **what):
    """One video and `count` records about it in a folder of the staging bucket; the folder's URI."""
    emu.s3.put_object(Bucket="staging", Key=f"{folder}/v/a.mp4", Body=mp4(), ContentType="video/mp4")
    lines = [record(n, f"s3://staging/{folder}/v/a.mp4", **what) for n in range(count)]
    put_lines(emu, f"{folder}/{file}", lines)
    return f"s3://staging/{folder}/"


def put_lines(emu, key, lines):
    emu.s3.put_object(Bucket="staging", Key=key, Body="".join(json.dumps(line) + "\n" for line in lines).encode())


def run_to_end(emu, parameters):
    """Creates the job and waits until it has ended; what Get says then."""
    arn = emu.bedrock.create_model_invocation_job(**parameters)["jobArn"]
    return wait_for(emu, arn, *TERMINAL)


def wait_for(emu, arn, *statuses):
    deadline = time.monotonic() + PATIENCE_S
    while True:
        got = emu.bedrock.get_model_invocation_job(jobIdentifier=arn)
        if got["status"] in statuses:
            return got
        assert time.monotonic() < deadline, got["status"]
        time.sleep(0.02)


def output_files(emu, got):
    """Name below the job's folder to text, of all objects that the job wrote."""
    place = got["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"].removeprefix("s3://").rstrip("/")
    bucket, _, prefix = place.partition("/")
    folder = (prefix + "/" if prefix else "") + got["jobArn"].rpartition("/")[2] + "/"
    found = emu.s3.list_objects_v2(Bucket=bucket, Prefix=folder).get("Contents", [])
    return {o["Key"][len(folder) :]: emu.s3.get_object(Bucket=bucket, Key=o["Key"])["Body"].read().decode() for o in found}


def output_lines(emu, got):
    """All output lines of a job, parsed, in the order of the files."""
    texts = [text for name, text in output_files(emu, got).items() if name.endswith(".jsonl.out")]
    return [json.loads(line) for text in texts for line in text.splitlines()]
