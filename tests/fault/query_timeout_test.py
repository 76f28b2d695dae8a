"""A query that takes too long costs whoever asked it, and nobody else."""

import threading
import time

import psycopg
import pytest

from tests.support.vidbatch import wait_until

TIMEOUT = {"VIDBATCH_QUERY_TIMEOUT": "300ms"}

pytestmark = pytest.mark.alone


def test_a_search_that_takes_too_long_ends_in_time(stack):
    database, emulator = stack.database(), stack.emulator()
    service = stack.service(database, emulator, **TIMEOUT)
    client = service.client()
    made = client.wait_scan(client.register("videos/")["id"])
    ended = threading.Event()
    problems = []

    def search():
        mine = service.client()
        while not ended.is_set():
            problems.append(mine.call("GET", "/v1/summaries?q=nowhere"))

    with psycopg.connect(database.url) as holder:
        holder.execute("LOCK TABLE summary_word")
        # fewer than there are handler threads
        searching = [threading.Thread(target=search) for _ in range(4)]
        for thread in searching:
            thread.start()
        slowest = 0.0
        for _ in range(50):
            started = time.monotonic()
            client.get(f"/v1/prefixes/{made['id']}")
            slowest = max(slowest, time.monotonic() - started)
        wait_until("each to have been answered", lambda: len(problems) >= 4)
        ended.set()
        for thread in searching:
            thread.join(60)
    for answer in problems:
        assert answer.status_code == 503, answer.text[:500]
        assert answer.json()["code"] == "query_timeout" and answer.headers["Retry-After"]
    print(f"{len(problems)} searches, the slowest other answer {slowest * 1000:.0f} ms")
    assert slowest < 5  # never behind a search
    # and the same connections go on
    assert client.get("/v1/summaries?q=nowhere")["data"] == []


def test_a_launch_does_not_wait_for_the_count(stack):
    database, emulator = stack.database(), stack.emulator()
    emulator.put_videos("videos/", 120)
    service = stack.service(database, emulator, **TIMEOUT)
    client = service.client()
    made = client.wait_scan(client.register("videos/")["id"])
    with psycopg.connect(database.url) as holder:
        holder.execute("LOCK TABLE video")
        job = client.launch(made["id"])  # judged by the plan
    assert client.wait_job(job["id"])["counts"]["succeeded"] == 120


def test_a_launch_counts_exactly_below_the_minimum(stack):
    database, emulator = stack.database(), stack.emulator()
    emulator.put_videos("videos/", 99)
    service = stack.service(database, emulator)
    client = service.client()
    made = client.wait_scan(client.register("videos/")["id"])
    for select in ("all", "new"):
        problem = client.post("/v1/jobs", {"prefix_id": made["id"], "prompt": "?", "select": select}, 409).json()
        assert (problem["code"], problem["minimum"], problem["eligible"], problem["missing"]) == ("below_minimum", 100, 99, 1)


def test_a_prefix_goes_at_once_and_its_videos_later(stack):
    database, emulator = stack.database(), stack.emulator()
    emulator.put_videos("videos/", 120)
    service = stack.service(database, emulator, **TIMEOUT)
    client = service.client()
    made = client.wait_scan(client.register("videos/")["id"])
    with psycopg.connect(database.url) as holder:
        holder.execute("LOCK TABLE video")
        client.call("DELETE", f"/v1/prefixes/{made['id']}", 204)
        client.call("GET", f"/v1/prefixes/{made['id']}", 404)
        assert database.value("SELECT count(*) FROM task WHERE kind = 'sweep'") == 1
    wait_until("the sweep", lambda: database.value("SELECT count(*) FROM video") == 0)
    wait_until("its task to end", lambda: database.value("SELECT count(*) FROM task WHERE kind = 'sweep'") == 0)


def test_a_request_does_not_wait_for_what_others_hold(stack):
    database, emulator = stack.database(), stack.emulator()
    client = stack.service(database, emulator, VIDBATCH_LOCK_TIMEOUT="100ms").client()
    made = client.wait_scan(client.register("videos/")["id"])
    with psycopg.connect(database.url) as holder:
        holder.execute("SELECT FROM prefix FOR UPDATE")
        started = time.monotonic()
        answer = client.call("PATCH", f"/v1/prefixes/{made['id']}", 503, json={"name": "other"})
        assert answer.json()["code"] == "being_changed" and answer.headers["Retry-After"]
        assert time.monotonic() - started < 2
    assert client.call("PATCH", f"/v1/prefixes/{made['id']}", 200, json={"name": "other"}).json()["name"] == "other"


def test_a_step_does_not_wait_for_ever(stack):
    database, emulator = stack.database(), stack.emulator()
    emulator.put_videos("videos/", 120)
    service = stack.service(database, emulator, VIDBATCH_STEP_QUERY_TIMEOUT="1s")
    client = service.client()
    with psycopg.connect(database.url) as holder:
        holder.execute("LOCK TABLE video")
        made = client.register("videos/")
        wait_until("the step to give up the wait", lambda: "task.retry" in service.log())
    assert client.wait_scan(made["id"])["eligible_count"] == 120
