"""A bucket of a million objects that are computed: its far end is as exact as its beginning."""

import pytest

from tests.emulator.harness import Emulator

COUNT, LAST = 1_000_000, 20_000


@pytest.fixture(scope="module")
def emu(tmp_path_factory):
    emulator = Emulator(tmp_path_factory.mktemp("million"), "--synthetic", f"bucket=million,count={COUNT},prefix=big/")
    yield emulator
    emulator.stop()


def key(number):
    return f"big/{number:07d}.mp4"


def test_the_last_of_a_million(emu):
    """The first page begins at StartAfter, the others at the token of the one before."""
    pages = list(emu.s3.get_paginator("list_objects_v2").paginate(Bucket="million", Prefix="big/", StartAfter=key(COUNT - LAST - 1)))
    assert [page["KeyCount"] for page in pages] == [1000] * (LAST // 1000)
    assert [page["IsTruncated"] for page in pages] == [True] * (LAST // 1000 - 1) + [False]
    found = [o for page in pages for o in page["Contents"]]
    assert [o["Key"] for o in found] == [key(n) for n in range(COUNT - LAST, COUNT)]
    head = emu.s3.head_object(Bucket="million", Key=found[-1]["Key"])
    assert (head["ContentLength"], head["ETag"]) == (found[-1]["Size"], found[-1]["ETag"])


def test_nothing_follows_the_last(emu):
    page = emu.s3.list_objects_v2(Bucket="million", Prefix="big/", StartAfter=key(COUNT - 1))
    assert (page["KeyCount"], page["IsTruncated"]) == (0, False)


def test_stored_objects_stand_among_the_computed(emu):
    between = key(COUNT - 2) + "x"
    emu.s3.put_object(Bucket="million", Key=between, Body=b"x")
    page = emu.s3.list_objects_v2(Bucket="million", Prefix="big/", StartAfter=key(COUNT - 3))
    assert [o["Key"] for o in page["Contents"]] == [key(COUNT - 2), between, key(COUNT - 1)]
    emu.s3.delete_object(Bucket="million", Key=between)
