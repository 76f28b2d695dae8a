"""Multipart uploads whose parts carry a SHA-256, as AWS's own client sends them."""

import base64
import hashlib

import pytest

from tests.emulator.harness import Emulator, error_of

MIB = 1 << 20


@pytest.fixture(scope="module")
def emu(tmp_path_factory):
    emulator = Emulator(tmp_path_factory.mktemp("sha256"))
    yield emulator
    emulator.stop()


def upload(emu, key, parts):
    upload_id = emu.s3.create_multipart_upload(Bucket="staging", Key=key, ChecksumAlgorithm="SHA256")["UploadId"]
    place = {"Bucket": "staging", "Key": key, "UploadId": upload_id}
    done = []
    for number, body in enumerate(parts, 1):
        answer = emu.s3.upload_part(**place, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256")
        assert answer["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(body).digest()).decode()
        done.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": answer["ChecksumSHA256"]})
    return place, done


def test_the_object_has_the_checksum_of_its_parts_checksums(emu):
    parts = [b"a" * (5 * MIB), b"b" * (6 * MIB), b"c"]
    place, done = upload(emu, "whole", parts)
    answer = emu.s3.complete_multipart_upload(**place, MultipartUpload={"Parts": done})
    sums = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
    assert answer["ChecksumSHA256"] == base64.b64encode(sums).decode() + "-3"
    assert emu.s3.get_object(Bucket="staging", Key="whole")["Body"].read() == b"".join(parts)


def test_a_part_with_another_checksum_is_refused(emu):
    place, done = upload(emu, "wrong", [b"a"])
    done[0]["ChecksumSHA256"] = base64.b64encode(bytes(32)).decode()
    assert error_of(emu.s3.complete_multipart_upload, **place, MultipartUpload={"Parts": done}) == (400, "InvalidPart")
