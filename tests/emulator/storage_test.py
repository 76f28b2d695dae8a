"""Storage classes and restores, driven by boto3."""

import pytest

from tests.emulator.harness import error_of

COPY = {"Bucket": "staging", "CopySource": {"Bucket": "videos", "Key": "cold"}}


def listed(emu, key):
    page = emu.s3.list_objects_v2(Bucket="videos", Prefix=key, OptionalObjectAttributes=["RestoreStatus"])
    return page["Contents"][0]


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_archived_until_restored(emu, storage_class):
    emu.s3.put_object(Bucket="videos", Key="cold", Body=b"0123456789", StorageClass=storage_class)
    etag = listed(emu, "cold")["ETag"]
    for restore in ("none", "ongoing"):
        emu.control("POST", "storage", {"bucket": "videos", "key": "cold", "storage_class": storage_class, "restore": restore})
        assert error_of(emu.s3.get_object, Bucket="videos", Key="cold") == (403, "InvalidObjectState")
        assert error_of(emu.s3.copy_object, Key="copy", **COPY) == (403, "InvalidObjectState")
        head = emu.s3.head_object(Bucket="videos", Key="cold")
        assert (head["StorageClass"], "Restore" in head) == (storage_class, restore == "ongoing")
        assert listed(emu, "cold").get("RestoreStatus") == ({"IsRestoreInProgress": True} if restore == "ongoing" else None)
    emu.control("POST", "storage", {"bucket": "videos", "key": "cold", "storage_class": storage_class, "restore": "done"})
    assert emu.s3.get_object(Bucket="videos", Key="cold", Range="bytes=2-3")["Body"].read() == b"23"
    emu.s3.copy_object(Key="copy", **COPY)
    copy = emu.s3.get_object(Bucket="staging", Key="copy")
    assert copy["Body"].read() == b"0123456789" and "StorageClass" not in copy
    found = listed(emu, "cold")
    assert (found["StorageClass"], found["ETag"], found["RestoreStatus"]["IsRestoreInProgress"]) == (storage_class, etag, False)
    assert found["RestoreStatus"]["RestoreExpiryDate"].year == 2100
    assert "RestoreStatus" not in emu.s3.list_objects_v2(Bucket="videos", Prefix="cold")["Contents"][0]


def test_intelligent_tiering_may_be_archived(emu):
    emu.s3.put_object(Bucket="videos", Key="tiered", Body=b"x", StorageClass="INTELLIGENT_TIERING")
    assert emu.s3.get_object(Bucket="videos", Key="tiered")["StorageClass"] == "INTELLIGENT_TIERING"
    where = {"bucket": "videos", "key": "tiered", "storage_class": "INTELLIGENT_TIERING"}
    emu.control("POST", "storage", {**where, "archived": True})
    assert error_of(emu.s3.get_object, Bucket="videos", Key="tiered") == (403, "InvalidObjectState")
    assert listed(emu, "tiered")["StorageClass"] == "INTELLIGENT_TIERING"
    emu.control("POST", "storage", where)
    assert emu.s3.get_object(Bucket="videos", Key="tiered")["Body"].read() == b"x"


def test_unknown_class(emu):
    assert error_of(emu.s3.put_object, Bucket="videos", Key="odd", Body=b"x", StorageClass="LUKEWARM") == (400, "InvalidStorageClass")
