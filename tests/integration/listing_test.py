"""Large prefixes: 300,000 keys that are spread as unevenly as keys are. Each is found once, and a rescan writes nothing."""

import pytest

from tests.support.vidbatch import clip

SYNTHETIC = 250_000
# prefix under v/ -> how many numbered clips lie there
PLACES = {
    "v/0000000.mp4/": 1500,  # under the name of a video, in the middle of the others
    "v/date=2026-01-01/cam 1, north/": 12_000,
    "v/date=2026-01-02/": 999,
    "v/a+b&c%20/=/": 1000,
    "v/\U0001f3ac\U0001f600/": 20_000,
    "v/é漢字/": 7000,
    "v/" + "d/" * 440: 3001,
    "v/zz/~": 3500,
    "v/zz/..//": 1,
    "v/~": 999,
}
SCAN_S = 300


@pytest.fixture(scope="module")
def names(emulator):
    emulator.control("POST", "buckets", {"name": "uneven"})
    emulator.s3().put_object(Bucket="uneven", Key="template.mp4", Body=clip(), ContentType="video/mp4")
    for place, count in PLACES.items():
        emulator.control("POST", "objects", {"bucket": "uneven", "prefix": place, "count": count, "template_key": "template.mp4"})
    everything = [f"{place[2:]}{n:07d}.mp4" for place, count in PLACES.items() for n in range(count)]
    emulator.control("POST", "objects", {"bucket": "uneven", "prefix": "v/", "count": SYNTHETIC, "template_key": "template.mp4"})
    return everything + [f"{n:07d}.mp4" for n in range(SYNTHETIC)]


def rows(database, prefix_id_sql="(SELECT id FROM prefix WHERE bucket = 'uneven')", where="vanished_at IS NULL"):
    return database.query(f"SELECT name FROM video WHERE prefix_id = {prefix_id_sql} AND {where}")


@pytest.fixture(scope="module")
def prefix(client, names):
    return client.wait_scan(client.register("v/", "uneven")["id"], SCAN_S)


def test_every_key_once(prefix, database, emulator, names):
    assert prefix["scan"]["state"] == "done", prefix
    assert prefix["video_count"] == prefix["eligible_count"] == prefix["scan"]["listed"] == len(names)
    found = rows(database)
    assert len(found) == len(names)
    assert {name for (name,) in found} == set(names)
    asked = len(emulator.requests("S3.ListObjectsV2"))
    assert asked < 1.5 * len(names) / 1000 + 200, f"{asked} requests for {len(names)} keys"


def rescan(client, prefix):
    client.post(f"/v1/prefixes/{prefix['id']}/scan", want=202)
    return client.wait_scan(prefix["id"], SCAN_S)


def written(database):
    """The newest transaction that wrote a row, and how many rows there are, vanished ones too."""
    return database.query("SELECT max(xmin::text::int8), count(*) FROM video")


def test_a_rescan_writes_nothing(client, prefix, database):
    before = written(database)
    again = rescan(client, prefix)
    assert again["video_count"] == prefix["video_count"]
    assert written(database) == before


def test_only_what_changed_is_written(client, prefix, database, emulator, names):
    gone = [f"v/{n:07d}.mp4" for n in (0, 1, 999, 1000, 1001, SYNTHETIC - 1)] + [f"v/~{n:07d}.mp4" for n in range(999)]
    s3 = emulator.s3()
    for start in range(0, len(gone), 1000):
        s3.delete_objects(Bucket="uneven", Delete={"Objects": [{"Key": key} for key in gone[start : start + 1000]]})
    for key in ("v/0123456.mp4", "v/zz/new, one.mp4"):  # one is written over, one is new
        s3.put_object(Bucket="uneven", Key=key, Body=b"x" * 321, ContentType="video/mp4")
    newest = written(database)[0][0]
    again = rescan(client, prefix)
    assert again["video_count"] == len(names) - len(gone) + 1
    touched = {name for (name,) in rows(database, where=f"xmin::text::int8 > {newest}")}
    assert touched == {key[2:] for key in gone} | {"0123456.mp4", "zz/new, one.mp4"}
    assert len(rows(database, where="vanished_at IS NOT NULL")) == len(gone)
