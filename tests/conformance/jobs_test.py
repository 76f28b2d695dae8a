"""Whole jobs with the videos, the staging and the output at S3 servers that others wrote. Bedrock is the stand-in, which gets its files from there
and puts its output there (bridge.py)."""

import os
import uuid

import boto3
import botocore.config
import pytest
import requests

from tests.conformance.bridge import Bridge
from tests.support.vidbatch import REGION, Database, Emulator, Service, clip

SERVERS = dict((line.split()[0], line.split()[1:]) for line in os.environ.get("CONFORMANCE_SERVERS", "").splitlines() if line)
ODD = ["two words.mp4", "a+b.mp4", "50%.mp4", "umlaut-ä.mp4", "日本語 🎬.mp4", "a,b=c&d.mp4", "sub/folder/clip.mp4", "(1)'s.mp4"]
# A real job has at least 100 records. Swift takes 30 ms for each step of each, so it gets fewer.
COUNTS = {"ceph": 104, "swift": 12}


def s3_client(url, key_id, secret):
    return boto3.client(
        "s3", endpoint_url=url, region_name=REGION, aws_access_key_id=key_id, aws_secret_access_key=secret,
        config=botocore.config.Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
    )


class Stack:
    """A service that keeps everything at the foreign server, with its Bedrock."""

    def __init__(self, folder, count, url, key_id, secret):
        self.names = ODD + [f"n{number:03d}.mp4" for number in range(count - len(ODD))]
        least = str(min(count, 100))
        self.bucket = f"conformance-{uuid.uuid4().hex[:12]}"
        self.emulator = Emulator(folder / "emulator", "--access-key", key_id, "--secret-key", secret, "--create-bucket", self.bucket,
                                 "--min-records", least)
        self.emulator.start()
        self.s3 = s3_client(url, key_id, secret)
        self.s3.create_bucket(Bucket=self.bucket)
        self.bridge = Bridge(self.emulator, s3_client(self.emulator.url, key_id, secret), self.s3).start()
        self.database = Database()
        self.service = Service(
            folder / "service", self.database, self.emulator, AWS_ENDPOINT_URL="", AWS_ENDPOINT_URL_S3=url, AWS_ENDPOINT_URL_BEDROCK=self.bridge.url,
            AWS_ACCESS_KEY_ID=key_id, AWS_SECRET_ACCESS_KEY=secret, VIDBATCH_MIN_RECORDS=least,
            VIDBATCH_STAGING_URI=f"s3://{self.bucket}/staging", VIDBATCH_OUTPUT_URI=f"s3://{self.bucket}/output",
        ).start()
        self.client = self.service.client()

    def stop(self):
        status = self.service.stop()
        self.bridge.stop()
        self.emulator.stop()
        self.database.drop()
        assert status == 0, self.service.log()[-3000:]

    def upload(self, prefix):
        self.s3.put_object(Bucket=self.bucket, Key=prefix + self.names[0], Body=clip(), ContentType="video/mp4")
        for name in self.names[1:]:
            self.s3.copy_object(Bucket=self.bucket, Key=prefix + name, CopySource={"Bucket": self.bucket, "Key": prefix + self.names[0]})

    def keys(self, prefix):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


@pytest.fixture(scope="module", params=["ceph", "swift"])
def stack(request, tmp_path_factory):
    if request.param not in SERVERS:
        pytest.skip(f"{request.param} is not running here; make conformance says why")
    made = Stack(tmp_path_factory.mktemp(request.param), COUNTS[request.param], *SERVERS[request.param])
    yield made
    made.stop()


def test_from_prefix_to_summaries(stack):
    stack.upload("videos/ä b/")
    prefix = stack.client.register("videos/ä b/", bucket=stack.bucket)
    scanned = stack.client.wait_scan(prefix["id"])
    assert scanned["scan"]["state"] == "done", scanned
    job = stack.client.wait_job(stack.client.launch(prefix["id"])["id"])
    assert (job["state"], job["outcome"], job["error"]) == ("completed", "success", None)
    assert job["counts"] == {"total": len(stack.names), "pending": 0, "succeeded": len(stack.names), "failed": 0, "missing": 0}
    summaries = stack.client.pages(f"/v1/jobs/{job['id']}/summaries?limit=100")
    assert sorted(s["video"]["name"] for s in summaries) == sorted(stack.names)
    assert all(s["text"].startswith("[emulated]") and "mp4" in s["text"].lower() for s in summaries)
    # Nothing of it went to the stand-in's own S3 but by the bridge: the copies and the JSONL there, output and manifest back.
    assert stack.bridge.objects_in == len(stack.names) + 1
    assert stack.bridge.objects_out == 2
    assert sorted(key.rsplit(".", 1)[-1] for key in stack.keys("output/")) == ["out", "out"]

    # A reingest reads the output once more, at no model cost.
    assert stack.client.post(f"/v1/jobs/{job['id']}/reingest").status_code == 202
    again = stack.client.wait_job(job["id"])
    assert again["counts"] == job["counts"]
    content = stack.client.call("GET", f"/v1/videos/{summaries[0]['video']['id']}/content", 302)
    assert requests.get(content.headers["Location"], timeout=30).content == clip()


def test_uploads_and_failures(stack):
    prefix = stack.client.register("uploaded/", bucket=stack.bucket)
    stack.client.wait_scan(prefix["id"])
    link = stack.client.post(f"/v1/prefixes/{prefix['id']}/uploads", {"files": [{"name": "new +clip ä.mp4"}]}, 200).json()["data"][0]
    put = requests.request(link["method"], link["url"], data=clip(), headers=link["headers"], timeout=30)
    assert put.status_code == 200, put.text
    assert stack.keys("uploaded/") == ["uploaded/new +clip ä.mp4"]
    missing = stack.client.register("x/", bucket="conformance-of-nobody")
    scanned = stack.client.wait_scan(missing["id"])
    assert scanned["scan"]["state"] == "failed"
    assert "NoSuchBucket" in str(scanned["scan"]), scanned["scan"]
