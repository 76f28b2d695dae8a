"""A large scan among faults: throttling, resets and cut answers are absorbed; kill -9 in the middle loses nothing and doubles nothing."""

import random
import time

import psycopg
import pytest

from tests.support.vidbatch import SANITIZED, wait_until

pytestmark = pytest.mark.both

KEYS = 20_000 if SANITIZED else 100_000
SCAN_S = 600 if SANITIZED else 200


def start(stack, **settings):
    emulator = stack.emulator(buckets=("videos", "many"))
    emulator.s3().put_object(Bucket="many", Key="template.mp4", Body=b"x" * 100, ContentType="video/mp4")
    emulator.control("POST", "objects", {"bucket": "many", "prefix": "v/", "count": KEYS, "template_key": "template.mp4"})
    database = stack.database()
    return emulator, database, stack.service(database, emulator, **settings)


def assert_whole(database, prefix):
    assert (prefix["scan"]["state"], prefix["video_count"]) == ("done", KEYS), prefix
    assert database.query("SELECT count(*), count(DISTINCT name), min(name), max(name) FROM video WHERE vanished_at IS NULL") == [
        (KEYS, KEYS, "0000000.mp4", f"{KEYS - 1:07d}.mp4")
    ]


@pytest.mark.parametrize("action", [{"status": 503, "code": "SlowDown"}, "reset", {"cut_body": 50_000}], ids=str)
def test_faults_in_a_large_listing_are_absorbed(stack, action):
    emulator, database, service = start(stack, AWS_MAX_ATTEMPTS="8")
    for n in range(12):
        emulator.fault(op="S3.ListObjectsV2", skip=3 * n // 2, count=1, action=action)
    client = service.client()
    assert_whole(database, client.wait_scan(client.register("v/", "many")["id"], SCAN_S))
    assert len([r for r in emulator.requests("S3.ListObjectsV2") if r.get("fault")]) == 12


def rows_so_far(database):
    try:
        return database.value("SELECT count(*) FROM video")
    except psycopg.Error:
        return 0


def test_kill_in_mid_scan(stack):
    """Killed with part of the rows stored, several times; what is stored stays, the rest follows, nothing twice."""
    emulator, database, service = start(stack, VIDBATCH_LIST_CONCURRENCY="4")
    emulator.fault(op="S3.ListObjectsV2", action={"delay_ms": 20})
    prefix_id = service.client().register("v/", "many")["id"]
    dice = random.Random(5)
    seen = 0
    for _ in range(4):
        before = seen
        wait_until("rows of this attempt", lambda before=before: rows_so_far(database) > before)
        time.sleep(dice.uniform(0, 0.1))
        service.kill()
        seen = rows_so_far(database)
        if seen == KEYS:
            break
        service.start()
    emulator.clear_faults()
    if service.child.poll() is not None:
        service.start()
    assert_whole(database, service.client().wait_scan(prefix_id, SCAN_S))
    assert seen > 0
    newest = database.value("SELECT max(xmin::text::int8) FROM video")
    service.client().post(f"/v1/prefixes/{prefix_id}/scan", want=202)
    assert_whole(database, service.client().wait_scan(prefix_id, SCAN_S))
    assert database.value("SELECT max(xmin::text::int8) FROM video") == newest
