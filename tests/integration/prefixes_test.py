"""Prefixes: registering, scanning, uploading, changing, deleting; and the videos that a scan finds."""

import http.client
import urllib.parse

import pytest
import requests

from tests.support.vidbatch import ROOT, clip

ODD_NAMES = [
    "plain.mp4", "UPPER.MP4", "with blank.mp4", "comma, and more.mp4", "plus+equals=amp&percent%colon:.mp4", "quotes'\"<>.mp4", "ünïcödé.mp4",
    "日本語.mov", "emoji 🎬.webm", "deep/er/and//double.mp4", "date=2026-01-01/clip.mkv", "dots/../x.mp4", "phone.3gp",
]


@pytest.fixture(scope="module")
def odd(client, emulator):
    s3 = emulator.s3()
    for name in ODD_NAMES:
        s3.put_object(Bucket="videos", Key="odd/" + name, Body=clip())
    s3.put_object(Bucket="videos", Key="odd/empty.mp4", Body=b"")
    s3.put_object(Bucket="videos", Key="odd/notes.txt", Body=b"no video")
    s3.put_object(Bucket="videos", Key="odd/folder/", Body=b"")
    return client.wait_scan(client.register("odd/")["id"])


def test_awkward_names_come_back_as_they_are(client, odd):
    videos = client.pages(f"/v1/prefixes/{odd['id']}/videos?limit=3")
    assert sorted(v["name"] for v in videos) == sorted([*ODD_NAMES, "empty.mp4"])
    assert [v["name"].encode() for v in videos] == sorted(v["name"].encode() for v in videos)
    assert {v["name"]: v["reason"] for v in videos if not v["eligible"]} == {"empty.mp4": "empty"}
    assert odd["video_count"] == len(ODD_NAMES) + 1 and odd["eligible_count"] == len(ODD_NAMES)
    assert len(client.pages(f"/v1/prefixes/{odd['id']}/videos?eligible=false")) == 1


def get_as_it_is(url):
    """Like curl --path-as-is: no client's own idea of `..` in a path."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    connection.request("GET", f"{parts.path}?{parts.query}")
    return connection.getresponse().read()


def test_content_is_a_short_lived_link(client, odd):
    for video in client.pages(f"/v1/prefixes/{odd['id']}/videos?eligible=true"):
        answer = client.call("GET", f"/v1/videos/{video['id']}/content", 302)
        assert get_as_it_is(answer.headers["Location"]) == clip(), video["name"]


def test_a_rescan_sees_what_changed(client, odd, emulator, database):
    s3 = emulator.s3()
    before = {v["name"]: v["id"] for v in client.pages(f"/v1/prefixes/{odd['id']}/videos")}
    s3.delete_object(Bucket="videos", Key="odd/plain.mp4")
    s3.put_object(Bucket="videos", Key="odd/empty.mp4", Body=b"now it has bytes")
    s3.put_object(Bucket="videos", Key="odd/new.mp4", Body=b"new")
    assert client.post(f"/v1/prefixes/{odd['id']}/scan", want=202).json()["scan"]["state"] in ("queued", "running", "done")
    client.wait_scan(odd["id"])
    after = {v["name"]: v for v in client.pages(f"/v1/prefixes/{odd['id']}/videos")}
    assert "plain.mp4" not in after and "new.mp4" in after and after["empty.mp4"]["eligible"]
    assert all(after[name]["id"] == before[name] for name in after if name in before)
    s3.put_object(Bucket="videos", Key="odd/plain.mp4", Body=b"back again")
    client.post(f"/v1/prefixes/{odd['id']}/scan", want=202)
    client.wait_scan(odd["id"])
    again = {v["name"]: v for v in client.pages(f"/v1/prefixes/{odd['id']}/videos")}
    assert again["plain.mp4"]["id"] == before["plain.mp4"]


def test_more_than_a_thousand(client, emulator):
    emulator.put_videos("thousands/", 2345)
    made = client.wait_scan(client.register("thousands/")["id"])
    assert made["video_count"] == 2345
    assert len({v["id"] for v in client.pages(f"/v1/prefixes/{made['id']}/videos?limit=1000")}) == 2345


def test_upload_of_a_folder(client, emulator):
    made = client.register("uploaded/")
    clips = [p for p in sorted((ROOT / "tests/data").rglob("*")) if p.suffix.lower() in (".mp4", ".mov", ".webm", ".mkv")]
    assert len(clips) >= 4
    files = [{"name": f"türe, {p.name}", "size_bytes": p.stat().st_size} for p in clips]
    links = client.post(f"/v1/prefixes/{made['id']}/uploads", {"files": files}, 200).json()["data"]
    for link, path in zip(links, clips):
        answer = requests.put(link["url"], data=path.read_bytes(), headers=link["headers"], timeout=30)
        assert answer.status_code == 200, answer.text
    client.post(f"/v1/prefixes/{made['id']}/scan", want=202)
    found = client.wait_scan(made["id"])
    assert found["eligible_count"] == len(clips)
    refused = client.post(f"/v1/prefixes/{made['id']}/uploads", {"files": [{"name": "notes.txt"}]}, 422).json()
    assert refused["errors"][0]["pointer"] == "/files/0/name"


def test_change_and_delete(client):
    made = client.register("short-lived/", name="one")
    client.wait_scan(made["id"])
    changed = client.call("PATCH", f"/v1/prefixes/{made['id']}", 200, json={"name": "two"}).json()
    assert changed["name"] == "two"
    problem = client.post("/v1/prefixes", {"bucket": "videos", "prefix": "short-lived/"}, 409).json()
    assert problem["code"] == "prefix_exists" and problem["existing_id"] == made["id"]
    client.call("DELETE", f"/v1/prefixes/{made['id']}", 204)
    client.call("GET", f"/v1/prefixes/{made['id']}", 404)
    assert made["id"] not in [p["id"] for p in client.pages("/v1/prefixes?limit=2")]
    client.wait_scan(client.register("short-lived/")["id"])


def test_buckets_that_cannot_be_read(client, emulator):
    emulator.control("POST", "buckets", {"name": "closed-bucket", "deny": True})
    for bucket, code in (("no-such-bucket-here", "NoSuchBucket"), ("closed-bucket", "AccessDenied")):
        made = client.register("x/", bucket=bucket)
        scanned = client.wait_scan(made["id"])
        assert scanned["scan"]["state"] == "failed"
        error = scanned["scan"]["error"]
        assert error["upstream"]["code"] == code and bucket in error["message"]
        refused = client.post("/v1/jobs", {"prefix_id": made["id"], "prompt": "?"}, 409).json()
        assert refused["code"] == "scan_failed"


def test_an_empty_prefix(client):
    made = client.wait_scan(client.register("nothing/")["id"])
    assert made["scan"]["state"] == "done" and made["video_count"] == 0
    assert client.post("/v1/jobs", {"prefix_id": made["id"], "prompt": "?"}, 409).json()["code"] == "no_eligible_videos"


def test_staging_and_output_are_never_videos(client, emulator):
    for key in ("staging/x.mp4", "output/x.mp4", "zz-root.mp4"):
        emulator.s3().put_object(Bucket="videos", Key=key, Body=clip())
    made = client.wait_scan(client.register("")["id"])
    names = [v["name"] for v in client.pages(f"/v1/prefixes/{made['id']}/videos?limit=1000")]
    assert "zz-root.mp4" in names and not [n for n in names if n.startswith(("staging/", "output/"))]
    assert client.post("/v1/prefixes", {"bucket": "videos", "prefix": "staging/deep/"}, 422).json()["errors"]


def test_another_accounts_bucket(client):
    made = client.wait_scan(client.register("odd/deep/", bucket_owner="999999999999")["id"])
    assert made["scan"]["state"] == "failed" and made["scan"]["error"]["upstream"]["code"] == "AccessDenied"
