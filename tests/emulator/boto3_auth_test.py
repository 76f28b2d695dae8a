"""Who may ask: signatures, clocks, credentials, digests of bodies. boto3 signs; what is altered after that must be refused."""

import base64
import binascii
import hashlib
import hmac
import json
import os
import re

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from tests.emulator.harness import KEY_ID, REGION, SECRET, Emulator, error_of, job, raw, raw_get


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
    assert error_of(emu.client("s3", **who).list_buckets) == s3
    assert error_of(emu.client("bedrock", **who).list_model_invocation_jobs) == bedrock


def test_caller_identity(emu):
    got = emu.client("sts").get_caller_identity()
    assert (got["Account"], got["Arn"]) == ("111122223333", "arn:aws:iam::111122223333:user/emulated")
    assert error_of(emu.client("sts", secret="wrong").get_caller_identity) == (403, "SignatureDoesNotMatch")
    assert error_of(emu.client("sts", key="AKIDOTHER").get_caller_identity) == (403, "InvalidClientTokenId")
    assert error_of(emu.client("sts").get_session_token) == (400, "InvalidAction")
    emu.control("POST", "faults", {"op": "STS.GetCallerIdentity", "count": 1, "action": {"status": 400, "code": "ExpiredTokenException"}})
    assert error_of(emu.client("sts").get_caller_identity) == (400, "ExpiredTokenException")


def test_iam(emu):
    iam = emu.client("iam")
    role = "arn:aws:iam::111122223333:role/path/r"
    asked = {
        "PolicySourceArn": "arn:aws:iam::111122223333:user/emulated", "ActionNames": ["iam:PassRole"], "ResourceArns": [role],
        "ContextEntries": [{"ContextKeyName": "iam:PassedToService", "ContextKeyType": "string", "ContextKeyValues": ["bedrock.amazonaws.com"]}],
    }  # fmt: skip
    assert error_of(iam.get_role, RoleName="r") == (403, "AccessDenied")
    assert error_of(iam.simulate_principal_policy, **asked) == (403, "AccessDenied")
    emu.control("POST", "iam", {"role_arn": role, "trust": '{"Statement":[]}', "decision": "implicitDeny", "missing": "aws:x"})
    got = iam.get_role(RoleName="r")["Role"]
    assert (got["Arn"], got["AssumeRolePolicyDocument"], got["Description"]) == (role, {"Statement": []}, "emulated")
    assert error_of(iam.get_role, RoleName="s") == (404, "NoSuchEntity")
    (result,) = iam.simulate_principal_policy(**asked)["EvaluationResults"]
    assert (result["EvalDecision"], result["MissingContextValues"]) == ("implicitDeny", ["aws:x"])
    assert error_of(iam.list_roles) == (400, "InvalidAction")
    assert error_of(emu.client("iam", secret="wrong").get_role, RoleName="r") == (403, "SignatureDoesNotMatch")
    emu.control("POST", "iam", {})


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


def test_sessions_end(emu):
    """Temporary credentials beside the account's own: good, then expired, in the words of each service."""
    keys = {"access_key": "ASIASESSION", "secret_key": "session secret", "session_token": "session/token=="}
    emu.control("POST", "sessions", keys)
    own = (keys["access_key"], keys["secret_key"])
    clients = [emu.client(name, *own, keys["session_token"]) for name in ("s3", "bedrock")]
    clients[0].list_objects_v2(Bucket="videos")
    clients[1].list_model_invocation_jobs()
    assert error_of(emu.client("s3", *own, "other").list_buckets) == (400, "InvalidToken")
    emu.control("POST", "sessions", {"access_key": keys["access_key"], "lives_ms": 0})
    assert error_of(clients[0].list_objects_v2, Bucket="videos") == (400, "ExpiredToken")
    assert error_of(clients[1].list_model_invocation_jobs) == (403, "ExpiredTokenException")
    emu.s3.list_objects_v2(Bucket="videos")
