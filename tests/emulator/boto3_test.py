"""Drives vidbatch-emulator with boto3, AWS's own client: what boto3 accepts and understands, others may rely on.

VIDBATCH_EMULATOR names the binary; without it build/release/bin/vidbatch-emulator is taken.
"""

import base64
import binascii
import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import time
import urllib.error
import urllib.request
import uuid

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.client
import botocore.config
import botocore.credentials
import botocore.exceptions
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("VIDBATCH_EMULATOR", ROOT / "build/release/bin/vidbatch-emulator"))
KEY_ID, SECRET, REGION, ACCOUNT = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/BatchRole"
MODEL = "amazon.nova-lite-v1:0"

ODD_KEYS = [
    "plain.mp4",
    "with space.mp4",
    "with  two  spaces.mp4",
    "comma, semi; colon: at@.mp4",
    "plus+equals=amp&percent%25.mp4",
    "100%.mp4",
    "quote'double\"back`tick.mp4",
    "Grüße/Übung (1).mp4",
    "emoji-🎬/視頻.mp4",
    "double//slash.mp4",
    "/leading.mp4",
    "dots/../up.mp4",
    "dots/./here.mp4",
    "trailing/",
    "tilde~star*paren().mp4",
    "question?hash#.mp4",
    "<xml>&amp;.mp4",
    "tab\there.mp4",
    "brackets[1]{2}|3^.mp4",
    "UPPER.MP4",
]


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

    def stop(self):
        self.process.terminate()
        assert self.process.wait(20) == 0


@pytest.fixture(scope="module")
def emu(tmp_path_factory):
    emulator = Emulator(tmp_path_factory.mktemp("emulator"))
    yield emulator
    emulator.stop()


@pytest.fixture(autouse=True)
def no_faults_left(emu):
    yield
    emu.control("DELETE", "faults")
    emu.control("POST", "clock", {"offset_ms": 0})


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


# ---- S3 ----------------------------------------------------------------------------------------------------------


def test_put_and_get(emu):
    body = os.urandom(100_000)
    put = emu.s3.put_object(
        Bucket="videos", Key="a/b.bin", Body=body, ContentType="video/mp4", Metadata={"who": "me"}, CacheControl="no-cache"
    )
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = emu.s3.get_object(Bucket="videos", Key="a/b.bin")
    assert got["Body"].read() == body
    assert (got["ContentType"], got["Metadata"], got["CacheControl"]) == ("video/mp4", {"who": "me"}, "no-cache")
    head = emu.s3.head_object(Bucket="videos", Key="a/b.bin", ChecksumMode="ENABLED")
    assert head["ContentLength"] == len(body)
    assert head["ChecksumCRC32"] == base64.b64encode(binascii.crc32(body).to_bytes(4, "big")).decode()
    assert got["ResponseMetadata"]["RequestId"]


def test_empty_object(emu):
    emu.s3.put_object(Bucket="videos", Key="empty", Body=b"")
    assert emu.s3.get_object(Bucket="videos", Key="empty")["Body"].read() == b""
    assert error_of(emu.s3.get_object, Bucket="videos", Key="empty", Range="bytes=0-0") == (416, "InvalidRange")


@pytest.mark.parametrize("key", ODD_KEYS)
def test_odd_keys_round_trip(emu, key):
    emu.s3.put_object(Bucket="videos", Key="odd/" + key, Body=key.encode())
    assert emu.s3.get_object(Bucket="videos", Key="odd/" + key)["Body"].read() == key.encode()
    emu.s3.copy_object(Bucket="staging", Key="copy/" + key, CopySource={"Bucket": "videos", "Key": "odd/" + key})
    assert emu.s3.get_object(Bucket="staging", Key="copy/" + key)["Body"].read() == key.encode()
    url = emu.s3.generate_presigned_url("get_object", Params={"Bucket": "videos", "Key": "odd/" + key})
    assert raw_get(url) == (200, key.encode())


def test_listing_gives_odd_keys_back_in_byte_order(emu):
    for key in ODD_KEYS:
        emu.s3.put_object(Bucket="videos", Key="ordered/" + key, Body=b"x")
    wanted = sorted(("ordered/" + key for key in ODD_KEYS), key=lambda k: k.encode())
    for page_size in (1, 3, 1000):
        pages = emu.s3.get_paginator("list_objects_v2").paginate(
            Bucket="videos", Prefix="ordered/", PaginationConfig={"PageSize": page_size}
        )
        assert [o["Key"] for page in pages for o in page.get("Contents", [])] == wanted


@pytest.fixture(scope="module")
def many(emu):
    emu.s3.put_object(Bucket="videos", Key="template.mp4", Body=mp4(), ContentType="video/mp4")
    made = {"bucket": "videos", "prefix": "many/f 1/", "count": 2345, "template_key": "template.mp4"}
    assert emu.control("POST", "objects", made) == {"created": 2345}
    return [f"many/f 1/{n:07d}.mp4" for n in range(2345)]


def test_listing_pages(emu, many):
    pages = list(emu.s3.get_paginator("list_objects_v2").paginate(Bucket="videos", Prefix="many/"))
    assert [page["KeyCount"] for page in pages] == [1000, 1000, 345]
    assert [page["IsTruncated"] for page in pages] == [True, True, False]
    assert [o["Key"] for page in pages for o in page["Contents"]] == many
    assert all(c in pages[0]["NextContinuationToken"] for c in "+/=")
    assert len({o["ETag"] for page in pages for o in page["Contents"]}) == 1


def test_listing_start_after_and_owner(emu, many):
    page = emu.s3.list_objects_v2(Bucket="videos", Prefix="many/", StartAfter=many[2300], FetchOwner=True)
    assert [o["Key"] for o in page["Contents"]] == many[2301:]
    assert page["Contents"][0]["Owner"]["ID"] == ACCOUNT
    assert emu.s3.list_objects_v2(Bucket="videos", Prefix="many/", MaxKeys=0)["KeyCount"] == 0
    assert error_of(emu.s3.list_objects_v2, Bucket="videos", ContinuationToken="nonsense") == (400, "InvalidArgument")


def test_listing_folds_at_the_delimiter(emu):
    for key in ("d/a.mp4", "d/x/1.mp4", "d/x/2.mp4", "d/y z/1.mp4", "d/z.mp4"):
        emu.s3.put_object(Bucket="videos", Key=key, Body=b"x")
    seen = []
    token = {}
    while True:
        page = emu.s3.list_objects_v2(Bucket="videos", Prefix="d/", Delimiter="/", MaxKeys=1, **token)
        seen += [o["Key"] for o in page.get("Contents", [])] + [p["Prefix"] for p in page.get("CommonPrefixes", [])]
        if not page["IsTruncated"]:
            break
        token = {"ContinuationToken": page["NextContinuationToken"]}
    assert seen == ["d/a.mp4", "d/x/", "d/y z/", "d/z.mp4"]


def test_ranges_and_conditions(emu):
    body = bytes(range(256)) * 10
    etag = emu.s3.put_object(Bucket="videos", Key="range", Body=body)["ETag"]

    def ranged(text):
        got = emu.s3.get_object(Bucket="videos", Key="range", Range=text)
        return got["ResponseMetadata"]["HTTPStatusCode"], got.get("ContentRange"), got["Body"].read()

    assert ranged("bytes=10-19") == (206, "bytes 10-19/2560", body[10:20])
    assert ranged("bytes=2550-9999") == (206, "bytes 2550-2559/2560", body[2550:])
    assert ranged("bytes=-5") == (206, "bytes 2555-2559/2560", body[-5:])
    assert ranged("lines=1-2") == (200, None, body)
    assert error_of(emu.s3.get_object, Bucket="videos", Key="range", Range="bytes=2560-") == (416, "InvalidRange")
    assert emu.s3.get_object(Bucket="videos", Key="range", IfMatch=etag)["ETag"] == etag
    assert error_of(emu.s3.get_object, Bucket="videos", Key="range", IfMatch='"0"')[0] == 412
    assert error_of(emu.s3.get_object, Bucket="videos", Key="range", IfNoneMatch=etag)[0] == 304
    assert error_of(emu.s3.put_object, Bucket="videos", Key="range", Body=b"", IfNoneMatch="*") == (
        412,
        "PreconditionFailed",
    )


def test_multipart(emu):
    parts = [os.urandom(5 * 1024 * 1024), os.urandom(5 * 1024 * 1024 + 1), b"the end"]
    key = "multi part/ü+.bin"
    upload = emu.s3.create_multipart_upload(Bucket="videos", Key=key, ContentType="video/webm")["UploadId"]
    where = {"Bucket": "videos", "Key": key, "UploadId": upload}
    listed = []
    for number, part in enumerate(parts, 1):
        put = emu.s3.upload_part(PartNumber=number, Body=part, **where)
        listed.append({"PartNumber": number, "ETag": put["ETag"]})
    assert [p["Size"] for p in emu.s3.list_parts(**where)["Parts"]] == [len(p) for p in parts]
    assert [u["Key"] for u in emu.s3.list_multipart_uploads(Bucket="videos")["Uploads"]] == [key]
    wrong_order = {"Parts": [listed[1], listed[0]]}
    assert error_of(emu.s3.complete_multipart_upload, MultipartUpload=wrong_order, **where) == (400, "InvalidPartOrder")
    not_there = {"Parts": [{"PartNumber": 9, "ETag": '"x"'}]}
    assert error_of(emu.s3.complete_multipart_upload, MultipartUpload=not_there, **where) == (400, "InvalidPart")
    done = emu.s3.complete_multipart_upload(MultipartUpload={"Parts": listed}, **where)
    assert done["ETag"].endswith('-3"')
    got = emu.s3.get_object(Bucket="videos", Key=key)
    assert (got["Body"].read(), got["ContentType"]) == (b"".join(parts), "video/webm")
    assert error_of(emu.s3.list_parts, **where) == (404, "NoSuchUpload")


def test_multipart_refuses_small_parts_and_aborts(emu):
    upload = emu.s3.create_multipart_upload(Bucket="videos", Key="small")["UploadId"]
    where = {"Bucket": "videos", "Key": "small", "UploadId": upload}
    listed = []
    for number in (1, 2):
        put = emu.s3.upload_part(PartNumber=number, Body=b"too small", **where)
        listed.append({"PartNumber": number, "ETag": put["ETag"]})
    refused = error_of(emu.s3.complete_multipart_upload, MultipartUpload={"Parts": listed}, **where)
    assert refused == (400, "EntityTooSmall")
    emu.s3.abort_multipart_upload(**where)
    assert error_of(emu.s3.abort_multipart_upload, **where) == (404, "NoSuchUpload")
    assert error_of(emu.s3.head_object, Bucket="videos", Key="small")[0] == 404


def test_managed_transfer(emu, tmp_path):
    source = tmp_path / "big"
    source.write_bytes(os.urandom(20 * 1024 * 1024))
    emu.s3.upload_file(str(source), "videos", "managed")
    emu.s3.download_file("videos", "managed", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == source.read_bytes()


def test_copy(emu):
    etag = emu.s3.put_object(Bucket="videos", Key="from", Body=b"12345", ContentType="text/plain", Metadata={"a": "b"})["ETag"]
    source = {"Bucket": "videos", "Key": "from"}
    copied = emu.s3.copy_object(Bucket="staging", Key="kept", CopySource=source, CopySourceIfMatch=etag)
    assert copied["CopyObjectResult"]["ETag"] == etag
    kept = emu.s3.head_object(Bucket="staging", Key="kept")
    assert (kept["ContentType"], kept["Metadata"]) == ("text/plain", {"a": "b"})
    emu.s3.copy_object(
        Bucket="staging", Key="new", CopySource=source, MetadataDirective="REPLACE", ContentType="video/mp4"
    )
    new = emu.s3.head_object(Bucket="staging", Key="new")
    assert (new["ContentType"], new["Metadata"]) == ("video/mp4", {})
    emu.s3.delete_object(Bucket="videos", Key="from")
    assert emu.s3.get_object(Bucket="staging", Key="new")["Body"].read() == b"12345"
    refused = error_of(emu.s3.copy_object, Bucket="staging", Key="x", CopySource={"Bucket": "staging", "Key": "new"},
                       CopySourceIfMatch='"0"')
    assert refused == (412, "PreconditionFailed")
    assert error_of(emu.s3.copy_object, Bucket="staging", Key="x", CopySource=source) == (404, "NoSuchKey")


def test_delete_batch(emu):
    keys = [f"gone/{n} <&>.mp4" for n in range(1000)]
    for key in keys[:20]:
        emu.s3.put_object(Bucket="staging", Key=key, Body=b"x")
    done = emu.s3.delete_objects(Bucket="staging", Delete={"Objects": [{"Key": key} for key in keys]})
    assert [d["Key"] for d in done["Deleted"]] == keys
    assert emu.s3.list_objects_v2(Bucket="staging", Prefix="gone/")["KeyCount"] == 0
    quiet = emu.s3.delete_objects(Bucket="staging", Delete={"Objects": [{"Key": "none"}], "Quiet": True})
    assert "Deleted" not in quiet


def test_buckets(emu):
    assert emu.s3.head_bucket(Bucket="videos")["BucketRegion"] == REGION
    assert emu.s3.get_bucket_location(Bucket="videos")["LocationConstraint"] is None
    assert {b["Name"] for b in emu.s3.list_buckets()["Buckets"]} >= {"videos", "staging", "out"}
    assert error_of(emu.s3.list_objects_v2, Bucket="nowhere") == (404, "NoSuchBucket")
    assert error_of(emu.s3.head_bucket, Bucket="nowhere")[0] == 404
    emu.s3.create_bucket(Bucket="made-here")
    emu.s3.put_object(Bucket="made-here", Key="k", Body=b"")
    assert error_of(emu.s3.delete_bucket, Bucket="made-here") == (409, "BucketNotEmpty")
    emu.s3.delete_object(Bucket="made-here", Key="k")
    emu.s3.delete_bucket(Bucket="made-here")
    emu.control("POST", "buckets", {"name": "closed", "deny": True})
    assert error_of(emu.s3.list_objects_v2, Bucket="closed") == (403, "AccessDenied")
    owned = error_of(emu.s3.list_objects_v2, Bucket="videos", ExpectedBucketOwner="999999999999")
    assert owned == (403, "AccessDenied")
    assert emu.s3.list_objects_v2(Bucket="videos", ExpectedBucketOwner=ACCOUNT, MaxKeys=1)["KeyCount"] == 1


def test_other_region(emu):
    emu.control("POST", "buckets", {"name": "far", "region": "eu-west-1"})
    assert error_of(emu.client("s3", region="eu-west-1").list_objects_v2, Bucket="nowhere")[1] == "AuthorizationHeaderMalformed"
    assert emu.client("s3", region="eu-west-1").list_objects_v2(Bucket="far")["KeyCount"] == 0
    # boto3 is told the Region by the redirect and signs anew
    patient = boto3.client("s3", endpoint_url=emu.url, region_name=REGION, aws_access_key_id=KEY_ID,
                           aws_secret_access_key=SECRET)
    assert error_of(patient.list_objects_v2, Bucket="far") == (301, "PermanentRedirect")


def test_virtual_host_style(emu):
    url = f"http://localhost:{emu.port}"
    client = emu.client("s3", url=url, s3={"addressing_style": "virtual"})
    client.put_object(Bucket="videos", Key="virtual/k y.mp4", Body=b"v")
    assert emu.s3.get_object(Bucket="videos", Key="virtual/k y.mp4")["Body"].read() == b"v"
    assert [o["Key"] for o in client.list_objects_v2(Bucket="videos", Prefix="virtual/")["Contents"]] == ["virtual/k y.mp4"]


def test_synthetic_bucket(tmp_path):
    emulator = Emulator(tmp_path, "--synthetic", "bucket=sea,count=2500,prefix=wave s/", buckets=("out",))
    try:
        pages = list(emulator.s3.get_paginator("list_objects_v2").paginate(Bucket="sea"))
        objects = [o for page in pages for o in page["Contents"]]
        assert [o["Key"] for o in objects] == [f"wave s/{n:07d}.mp4" for n in range(2500)]
        one = objects[1234]
        got = emulator.s3.get_object(Bucket="sea", Key=one["Key"])
        body = got["Body"].read()
        assert (len(body), got["ETag"], body[4:8]) == (one["Size"], one["ETag"], b"ftyp")
        assert got["LastModified"] == one["LastModified"]
        emulator.s3.copy_object(Bucket="out", Key="c", CopySource={"Bucket": "sea", "Key": one["Key"]})
        assert emulator.s3.get_object(Bucket="out", Key="c")["Body"].read() == body
        emulator.s3.put_object(Bucket="sea", Key="wave s/0000001.mp4", Body=b"real")
        emulator.s3.put_object(Bucket="sea", Key="wave s/0000001.mp4x", Body=b"real")
        keys = [o["Key"][7:] for o in emulator.s3.list_objects_v2(Bucket="sea", MaxKeys=4)["Contents"]]
        assert keys == ["0000000.mp4", "0000001.mp4", "0000001.mp4x", "0000002.mp4"]
        assert error_of(emulator.s3.get_object, Bucket="sea", Key="wave s/0002500.mp4") == (404, "NoSuchKey")
    finally:
        emulator.stop()


# ---- who may ask -------------------------------------------------------------------------------------------------


def raw(method, url, body=None, headers=None):
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def raw_get(url):
    return raw("GET", url)


def test_presigned(emu):
    emu.s3.put_object(Bucket="videos", Key="pre signed.mp4", Body=b"123")
    what = {"Bucket": "videos", "Key": "pre signed.mp4"}
    url = emu.s3.generate_presigned_url("get_object", Params=what, ExpiresIn=60)
    assert raw_get(url) == (200, b"123")
    assert raw_get(url.replace("pre", "prf"))[0] == 403
    assert raw_get(re.sub(r"X-Amz-Expires=60", "X-Amz-Expires=600", url))[0] == 403
    emu.control("POST", "clock", {"offset_ms": 61_000})
    status, body = raw_get(url)
    assert (status, b"Request has expired" in body) == (403, True)
    emu.control("POST", "clock", {"offset_ms": 0})
    put = emu.s3.generate_presigned_url("put_object", Params={**what, "ContentType": "video/mp4"}, ExpiresIn=60)
    assert raw("PUT", put, b"456", {"Content-Type": "video/mp4"})[0] == 200
    assert raw("PUT", put, b"789", {"Content-Type": "text/plain"})[0] == 403
    assert emu.s3.get_object(**what)["Body"].read() == b"456"
    week = emu.s3.generate_presigned_url("get_object", Params=what, ExpiresIn=604801)
    assert raw_get(week)[0] == 400


def test_unsigned_is_refused(emu):
    assert raw_get(f"{emu.url}/videos?list-type=2")[0] == 403
    assert raw_get(f"{emu.url}/model-invocation-jobs")[0] == 403


@pytest.mark.parametrize(
    "who, s3, bedrock",
    [
        ({"secret": "wrong"}, (403, "SignatureDoesNotMatch"), (403, "InvalidSignatureException")),
        ({"key": "AKIDOTHER"}, (403, "InvalidAccessKeyId"), (403, "UnrecognizedClientException")),
        ({"token": "stale"}, (400, "InvalidToken"), (403, "UnrecognizedClientException")),
        ({"region": "us-west-2"}, (400, "AuthorizationHeaderMalformed"), (403, "InvalidSignatureException")),
    ],
)
def test_wrong_credentials(emu, who, s3, bedrock):
    assert error_of(emu.client("s3", **who).list_objects_v2, Bucket="videos") == s3
    assert error_of(emu.client("bedrock", **who).list_model_invocation_jobs) == bedrock


def tampered(emu, service, change):
    """A client of which `change` alters each request after it is signed."""
    client = emu.client(service)
    client.meta.events.register_last("before-send.*", lambda request, **_: change(request))
    return client


def set_header(name, value):
    def change(request):
        request.headers[name] = value

    return change


def set_body(body):
    def change(request):
        request.body = body
        request.headers["Content-Length"] = str(len(body))

    return change


def set_url(old, new):
    def change(request):
        assert old in request.url
        request.url = request.url.replace(old, new)

    return change


def test_tampered_requests(emu):
    emu.s3.put_object(Bucket="videos", Key="mine", Body=b"x")
    for change in (set_url("list-type=2", "list-type=2&max-keys=1"), set_header("Host", "other.example"),
                   set_header("X-Amz-Content-SHA256", hashlib.sha256(b"other").hexdigest())):
        refused = error_of(tampered(emu, "s3", change).list_objects_v2, Bucket="videos")
        assert refused == (403, "SignatureDoesNotMatch")
    put = tampered(emu, "s3", set_body(b"evil")).put_object
    assert error_of(put, Bucket="videos", Key="mine", Body=b"good")[1] in ("XAmzContentSHA256Mismatch", "BadDigest")
    put = tampered(emu, "s3", set_header("x-amz-meta-added", "1")).put_object
    assert error_of(put, Bucket="videos", Key="mine", Body=b"good") == (403, "AccessDenied")
    assert emu.s3.get_object(Bucket="videos", Key="mine")["Body"].read() == b"x"
    create = tampered(emu, "bedrock", set_body(json.dumps(job("evil")).encode())).create_model_invocation_job
    assert error_of(create, **job("good")) == (403, "InvalidSignatureException")
    assert error_of(tampered(emu, "bedrock", set_url("maxResults=5", "maxResults=6")).list_model_invocation_jobs,
                    maxResults=5) == (403, "InvalidSignatureException")


def test_skewed_clock(emu):
    emu.control("POST", "clock", {"offset_ms": 16 * 60 * 1000})
    assert error_of(emu.s3.list_objects_v2, Bucket="videos") == (403, "RequestTimeTooSkewed")
    assert error_of(emu.bedrock.list_model_invocation_jobs) == (403, "InvalidSignatureException")
    emu.control("POST", "clock", {"offset_ms": -16 * 60 * 1000})
    assert error_of(emu.s3.list_objects_v2, Bucket="videos") == (403, "RequestTimeTooSkewed")
    emu.control("POST", "clock", {"offset_ms": 14 * 60 * 1000})
    emu.s3.list_objects_v2(Bucket="videos", MaxKeys=1)


def test_session_token(tmp_path):
    emulator = Emulator(tmp_path, "--session-token", "tok/en+==")
    try:
        with_token = emulator.client("s3", token="tok/en+==")
        with_token.put_object(Bucket="videos", Key="k", Body=b"1")
        url = with_token.generate_presigned_url("get_object", Params={"Bucket": "videos", "Key": "k"})
        assert raw_get(url) == (200, b"1")
        assert emulator.client("bedrock", token="tok/en+==").list_model_invocation_jobs()["invocationJobSummaries"] == []
        assert error_of(emulator.s3.list_objects_v2, Bucket="videos") == (400, "InvalidToken")
    finally:
        emulator.stop()


def signed_put(emu, key, payload_hash, headers, body):
    """A PUT signed by botocore with the payload hash that we say."""

    class Auth(botocore.auth.S3SigV4Auth):
        def payload(self, request):
            return payload_hash

    request = botocore.awsrequest.AWSRequest("PUT", f"{emu.url}/videos/{key}", headers=headers, data=body)
    Auth(botocore.credentials.Credentials(KEY_ID, SECRET), "s3", REGION).add_auth(request)
    return raw("PUT", request.url, body, dict(request.headers.items()))


def crc32_text(data):
    return base64.b64encode(binascii.crc32(data).to_bytes(4, "big")).decode()


def test_chunked_upload_with_trailer(emu):
    data = os.urandom(70_000)

    def send(key, trailer, declared=len(data)):
        framed = b"%x\r\n" % 65536 + data[:65536] + b"\r\n" + b"%x\r\n" % (len(data) - 65536) + data[65536:] + b"\r\n0\r\n"
        framed += f"x-amz-checksum-crc32:{trailer}\r\n\r\n".encode()
        headers = {"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": str(declared),
                   "X-Amz-Trailer": "x-amz-checksum-crc32"}
        return signed_put(emu, key, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", headers, framed)

    assert send("chunked", crc32_text(data))[0] == 200
    got = emu.s3.get_object(Bucket="videos", Key="chunked")
    assert got["Body"].read() == data
    assert "ContentEncoding" not in got
    status, body = send("damaged", crc32_text(b"other"))
    assert (status, b"BadDigest" in body) == (400, True)
    status, body = send("short", crc32_text(data), declared=len(data) + 1)
    assert (status, b"IncompleteBody" in body) == (400, True)
    assert error_of(emu.s3.head_object, Bucket="videos", Key="damaged")[0] == 404


def test_chunked_upload_signed(emu):
    data = os.urandom(66_000)
    import hmac

    def sign(key, text):
        return hmac.new(key, text.encode(), hashlib.sha256).digest()

    def send(key, chunks, spoil=False):
        length = sum(len(c) for c in chunks)
        frame = 0
        for chunk in [*chunks, b""]:
            frame += len(b"%x" % len(chunk)) + len(";chunk-signature=") + 64 + 2 + len(chunk) + 2
        headers = {"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": str(length)}

        class Auth(botocore.auth.S3SigV4Auth):
            def payload(self, request):
                return "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"

        request = botocore.awsrequest.AWSRequest("PUT", f"{emu.url}/videos/{key}", headers=headers, data=b"")
        Auth(botocore.credentials.Credentials(KEY_ID, SECRET), "s3", REGION).add_auth(request)
        stamp = request.headers["X-Amz-Date"]
        previous = re.search("Signature=([0-9a-f]+)", request.headers["Authorization"]).group(1)
        scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
        secret = sign(sign(sign(sign(b"AWS4" + SECRET.encode(), stamp[:8]), REGION), "s3"), "aws4_request")
        body = b""
        for chunk in [*chunks, b""]:
            text = f"AWS4-HMAC-SHA256-PAYLOAD\n{stamp}\n{scope}\n{previous}\n{hashlib.sha256().hexdigest()}\n"
            previous = sign(secret, text + hashlib.sha256(chunk).hexdigest()).hex()
            if spoil and chunk == chunks[-1]:
                chunk = bytes([chunk[0] ^ 1]) + chunk[1:]
            body += f"{len(chunk):x};chunk-signature={previous}\r\n".encode() + chunk + b"\r\n"
        assert len(body) == frame
        return raw("PUT", request.url, body, dict(request.headers.items()))

    assert send("signed-chunks", [data[:65536], data[65536:]])[0] == 200
    assert emu.s3.get_object(Bucket="videos", Key="signed-chunks")["Body"].read() == data
    assert send("spoiled-chunks", [data[:65536], data[65536:]], spoil=True)[0] == 403
    assert error_of(emu.s3.head_object, Bucket="videos", Key="spoiled-chunks")[0] == 404


def test_checksums(emu):
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        emu.s3.put_object(Bucket="videos", Key="sum", Body=b"hello", ChecksumAlgorithm=algorithm)
        assert emu.s3.get_object(Bucket="videos", Key="sum", ChecksumMode="ENABLED")["Body"].read() == b"hello"
    headers = {"x-amz-checksum-crc64nvme": "M3eFcAZSQlc="}
    assert signed_put(emu, "nvme", "UNSIGNED-PAYLOAD", headers, b"hello") == (200, b"")
    assert signed_put(emu, "nvme", "UNSIGNED-PAYLOAD", headers, b"hullo")[0] == 400
    md5 = {"Content-MD5": base64.b64encode(hashlib.md5(b"other").digest()).decode()}
    status, body = signed_put(emu, "md5", "UNSIGNED-PAYLOAD", md5, b"hello")
    assert (status, b"BadDigest" in body) == (400, True)
