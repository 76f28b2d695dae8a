"""What a plan finds out about the videos themselves: durations and sizes of real clips, what can't be run, and how little it asks S3 for."""

import collections

import pytest

from tests.support.vidbatch import ROOT, Service, wait_until

DATA = ROOT / "tests/data"
# name under the prefix: file, seconds, size, container, GETs that it takes
CLIPS = {
    "front.mp4": ("front.mp4", 4, (320, 240), "mp4", 1),
    "far.mp4": ("end.mp4", 6, (256, 144), "mp4", 2),
    "SOUND.MP4": ("SOUND.MP4", 12, (320, 180), "mp4", 1),
    "long.mov": ("long.mov", 61, (192, 108), "mov", 1),
    "clock.webm": ("clock.webm", 3, (160, 120), "webm", 1),
    "cells, 5 s.mkv": ("cells.mkv", 5, (160, 120), "mkv", 1),
    "still.3gp": ("media/still.3gp", 2, (128, 96), "three_gp", 1),
    "still.flv": ("media/still.flv", 2, (128, 96), "flv", 1),
    "still.wmv": ("media/still.wmv", 2, (128, 96), "wmv", 1),
    "still.mpg": ("media/still.mpg", None, (128, 96), "mpeg", 1),
    "fragments.mp4": ("media/fragments.mp4", None, (128, 96), "mp4", 1),
}


def content(name):
    """The clip; far.mp4 has 200 kB between its head and its moov."""
    body = (DATA / CLIPS[name][0]).read_bytes()
    if name == "far.mp4":
        head = int.from_bytes(body[:4], "big")
        body = body[:head] + (200_000).to_bytes(4, "big") + b"free" + bytes(199_992) + body[head:]
    return body


def plan(client, prefix_id, states=("ready",), **more):
    made = client.post("/v1/plans", {"prefix_id": prefix_id, "prompt": "Describe the video.", "select": "all", **more}, 202).json()

    def done():
        found = client.get(f"/v1/plans/{made['id']}")
        return found if found["state"] in ("ready", "refused") else None

    found = wait_until(f"the plan {made['id']}", done)
    assert found["state"] in states, found
    return found


def gets(emulator, prefix):
    """How often each key under the prefix was read, by what follows the prefix."""
    lines = [line for line in emulator.requests("S3.GetObject") if line["key"].startswith(prefix)]
    return collections.Counter(line["key"][len(prefix):] for line in lines)


def skips(found):
    return {group["reason"]: group["count"] for group in found["skipped"]}


@pytest.fixture(scope="module")
def small(tmp_path_factory, database, emulator):
    """A service to which one video is enough."""
    running = Service(tmp_path_factory.mktemp("small"), database, emulator, VIDBATCH_MIN_RECORDS="1").start()
    yield running.client()
    assert running.stop() == 0, running.log()[-3000:]


def videos(client, prefix_id, query=""):
    return {v["name"]: v for v in client.pages(f"/v1/prefixes/{prefix_id}/videos{query}")}


def test_real_clips(small, emulator):
    s3 = emulator.s3()
    for name in CLIPS:
        s3.put_object(Bucket="videos", Key=f"clips/{name}", Body=content(name), ContentType="video/x-test")
    s3.put_object(Bucket="videos", Key="clips/readme.mp4", Body=(DATA / "README.md").read_bytes())
    prefix = small.wait_scan(small.register("clips/")["id"])["id"]
    assert all(v["media"] is None and v["eligible"] for v in videos(small, prefix).values())

    found = plan(small, prefix)
    assert gets(emulator, "clips/") == {**{name: clip[4] for name, clip in CLIPS.items()}, "readme.mp4": 1}
    assert skips(found) == {"not_a_video": 1}
    assert (found["videos"]["taken"], found["videos"]["duration_unknown"]) == (len(CLIPS), 2)
    known = sum(clip[1] or 0 for clip in CLIPS.values())
    assert abs(found["videos"]["duration_seconds"] - known) <= 2
    shown = videos(small, prefix)
    for name, (_, seconds, size, container, _) in CLIPS.items():
        media = shown[name]["media"]
        assert (media["width"], media["height"], media["container"], media["content_type"]) == (*size, container, "video/x-test"), name
        assert media["codec"]
        assert media["duration_seconds"] is None if seconds is None else abs(media["duration_seconds"] - seconds) < 0.1, name
        assert small.get(f"/v1/videos/{shown[name]['id']}")["media"] == media
    fake = shown["readme.mp4"]
    assert (fake["eligible"], fake["reason"], fake["media"]["container"]) == (False, "not_a_video", None)
    assert fake["rule"] and fake["remedy"]
    assert set(videos(small, prefix, "?eligible=false")) == {"readme.mp4"}
    assert set(videos(small, prefix, "?eligible=true")) == set(CLIPS)

    # All is known now, until an object changes.
    before = gets(emulator, "clips/")
    assert skips(plan(small, prefix)) == {"not_a_video": 1}
    assert gets(emulator, "clips/") == before
    s3.put_object(Bucket="videos", Key="clips/readme.mp4", Body=content("front.mp4"))
    small.post(f"/v1/prefixes/{prefix}/scan", want=202)
    small.wait_scan(prefix)
    assert videos(small, prefix)["readme.mp4"]["media"] is None
    assert plan(small, prefix)["skipped"] == []
    assert gets(emulator, "clips/") == {**before, "readme.mp4": 2}


def test_the_listing_alone(small, emulator):
    emulator.put_videos("unseen/", 3)
    prefix = small.wait_scan(small.register("unseen/")["id"])["id"]
    assert plan(small, prefix, preflight="listing")["videos"]["duration_unknown"] == 3
    assert gets(emulator, "unseen/") == {}


def test_archived_and_restored(small, emulator):
    s3 = emulator.s3()
    for name, storage_class in (("warm", "STANDARD"), ("cold", "GLACIER"), ("deep", "DEEP_ARCHIVE"), ("tiered", "INTELLIGENT_TIERING")):
        s3.put_object(Bucket="videos", Key=f"archive/{name}.mp4", Body=content("front.mp4"), StorageClass=storage_class)
    tiered = {"bucket": "videos", "key": "archive/tiered.mp4", "storage_class": "INTELLIGENT_TIERING"}
    emulator.control("POST", "storage", {**tiered, "archived": True})
    prefix = small.wait_scan(small.register("archive/")["id"])["id"]
    assert {n for n, v in videos(small, prefix).items() if v["reason"] == "archived"} == {"cold.mp4", "deep.mp4"}
    assert skips(plan(small, prefix)) == {"archived": 3}
    assert gets(emulator, "archive/") == {"warm.mp4": 1, "tiered.mp4": 1}  # what the listing refuses is not asked for
    assert set(videos(small, prefix, "?eligible=false")) == {"cold.mp4", "deep.mp4", "tiered.mp4"}

    for name, restore in (("cold", "done"), ("deep", "ongoing")):
        where = {"bucket": "videos", "key": f"archive/{name}.mp4"}
        emulator.control("POST", "storage", {**where, "storage_class": "GLACIER", "restore": restore})
    emulator.control("POST", "storage", tiered)
    small.post(f"/v1/prefixes/{prefix}/scan", want=202)
    small.wait_scan(prefix)
    found = plan(small, prefix)
    assert (skips(found), found["videos"]["taken"]) == ({"archived": 1}, 3)
    assert set(videos(small, prefix, "?eligible=false")) == {"deep.mp4"}


def test_vanished_changed_denied(small, emulator):
    emulator.put_videos("moving/", 5)
    prefix = small.wait_scan(small.register("moving/")["id"])["id"]
    s3 = emulator.s3()
    s3.delete_object(Bucket="videos", Key="moving/0000001.mp4")
    s3.put_object(Bucket="videos", Key="moving/0000002.mp4", Body=content("long.mov"))
    emulator.fault(op="S3.GetObject", key="moving/0000003", action={"status": 403, "code": "AccessDenied"})
    emulator.fault(op="S3.GetObject", key="moving/0000004", count=2, action={"status": 503, "code": "SlowDown"})
    found = plan(small, prefix)
    emulator.clear_faults()
    assert skips(found) == {"vanished": 1, "changed": 1, "denied": 1}
    assert all(group["rule"] and group["remedy"] and group["examples"] for group in found["skipped"])
    assert skips(plan(small, prefix)) == {"vanished": 1, "changed": 1}  # a denial may be over: it was asked again


def test_permissions_that_are_ours(small, emulator):
    emulator.put_videos("closed/", 30)
    prefix = small.wait_scan(small.register("closed/")["id"])["id"]
    emulator.fault(op="S3.GetObject", key="closed/", action={"status": 403, "code": "AccessDenied"})
    found = plan(small, prefix, states=("refused",))
    emulator.clear_faults()
    assert "AccessDenied" in str(found["refusal"])
    assert {v["reason"] for v in videos(small, prefix).values()} == {"denied"}
    assert plan(small, prefix)["videos"]["taken"] == 30


def test_many_that_are_denied_do_not_keep_the_others_back(small, emulator):
    emulator.put_videos("partly/a/", 300)
    emulator.put_videos("partly/b/", 5)
    prefix = small.wait_scan(small.register("partly/")["id"])["id"]
    emulator.fault(op="S3.GetObject", key="partly/a/", action={"status": 403, "code": "AccessDenied"})
    try:
        for _ in range(2):  # the second one has nothing to look into but what was denied
            found = plan(small, prefix)
            assert (skips(found), found["videos"]["taken"]) == ({"denied": 300}, 5)
    finally:
        emulator.clear_faults()


def test_objects_that_s3_refuses(small, emulator):
    emulator.put_videos("odd/", 4)
    prefix = small.wait_scan(small.register("odd/")["id"])["id"]
    emulator.fault(op="S3.GetObject", key="odd/0000002", action={"status": 400, "code": "KMS.DisabledException"})
    found = plan(small, prefix)
    emulator.clear_faults()
    assert skips(found) == {"unreadable": 1} and found["skipped"][0]["remedy"]
    assert plan(small, prefix)["videos"]["taken"] == 4


def test_many_at_a_time(stack):
    emulator = stack.emulator()
    client = stack.service(stack.database(), emulator, VIDBATCH_PREFLIGHT_CONCURRENCY="24").client()
    emulator.control("POST", "buckets", {"name": "computed", "synthetic_count": 3000, "synthetic_prefix": "s/"})
    prefix = client.wait_scan(client.register("s/", bucket="computed")["id"])["id"]
    emulator.fault(op="S3.GetObject", bucket="computed", action={"delay_ms": 20})
    emulator.control("DELETE", "stats")
    found = plan(client, prefix)
    stats = emulator.control("GET", "stats")
    assert stats["ops"]["S3.GetObject"]["requests"] == 3000
    assert 12 <= stats["peak_in_flight"] <= 26
    assert (found["videos"]["taken"], found["videos"]["duration_unknown"]) == (3000, 0)
    assert all(2 <= v["media"]["duration_seconds"] < 60 and v["media"]["width"] for v in videos(client, prefix, "?limit=1000").values())
