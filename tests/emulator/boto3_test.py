"""The S3 side, driven by boto3, AWS's own client: what boto3 accepts and understands, others may rely on."""

import base64
import binascii
import hashlib
import os
import socket

import pytest

from tests.emulator.harness import ACCOUNT, REGION, Emulator, error_of, mp4, raw_get

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
    """boto3 finds the Region by itself, from the redirect or from the refusal."""
    emu.control("POST", "buckets", {"name": "far", "region": "eu-west-1"})
    assert emu.client("s3", region="eu-west-1").list_objects_v2(Bucket="far")["KeyCount"] == 0
    assert emu.client("s3", region="us-east-1").list_objects_v2(Bucket="far")["KeyCount"] == 0
    assert emu.client("s3", region="us-west-2").list_objects_v2(Bucket="videos", MaxKeys=1)["KeyCount"] == 1
    codes = [line.get("code") for line in emu.log_lines()]
    assert "PermanentRedirect" in codes and "AuthorizationHeaderMalformed" in codes


def test_virtual_host_style(emu, monkeypatch):
    look_up = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: look_up(
        "127.0.0.1" if str(host).endswith(".localhost") else host, *rest, **more))
    client = emu.client("s3", url=f"http://localhost:{emu.port}", s3={"addressing_style": "virtual"})
    client.put_object(Bucket="videos", Key="virtual/k y.mp4", Body=b"v")
    assert emu.s3.get_object(Bucket="videos", Key="virtual/k y.mp4")["Body"].read() == b"v"
    assert [o["Key"] for o in client.list_objects_v2(Bucket="videos", Prefix="virtual/")["Contents"]] == ["virtual/k y.mp4"]
    assert client.head_bucket(Bucket="videos")["BucketRegion"] == REGION


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
