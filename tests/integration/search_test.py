"""Full-text search: the index is filled behind the ingest, says how far it is behind, and answers fast however many summaries there are."""

import json
import re
import threading
import time

import psycopg
import pytest

from tests.support.vidbatch import SANITIZED, wait_until


def indexed(client):
    """Waits until all words are known."""
    return wait_until("the index of words", lambda: client.get("/v1/summaries?q=any")["index"]["pending"] == 0)


def gauge(client, name):
    return float(re.search(rf"^{name} (\S+)$", client.call("GET", "/metrics", 200).text, re.M).group(1))


@pytest.fixture(scope="module")
def job(client, emulator):
    emulator.put_videos("videos/", 120)
    prefix = client.wait_scan(client.register("videos/")["id"])
    return client.wait_job(client.launch(prefix["id"])["id"])


def rewrite(emulator, change):
    """Changes each line of the Bedrock job's output: what a new run of the model might say."""
    s3 = emulator.s3()
    (key,) = [o["Key"] for o in s3.list_objects_v2(Bucket="videos", Prefix="output/")["Contents"] if o["Key"].endswith(".jsonl.out")]
    lines = [json.loads(line) for line in s3.get_object(Bucket="videos", Key=key)["Body"].read().splitlines()]
    for number, line in enumerate(lines):
        change(number, line["modelOutput"]["output"]["message"]["content"][0])
    s3.put_object(Bucket="videos", Key=key, Body="".join(json.dumps(line) + "\n" for line in lines))


def test_the_lag_is_shown_and_falls_to_nothing(client, job, database):
    indexed(client)
    listed = client.get(f"/v1/jobs/{job['id']}/summaries?limit=1")["data"][0]
    word = re.findall(r"[a-z]{5,}", listed["text"].lower())[0]
    with psycopg.connect(database.url) as holder:
        holder.execute("LOCK TABLE summary_word IN SHARE MODE")
        client.post(f"/v1/jobs/{job['id']}/reingest", want=202)
        client.wait_job(job["id"])  # completed, though nothing of it can be indexed
        found = client.get(f"/v1/summaries?q={word}")
        assert found["data"] and found["index"]["pending"] == 120 and found["index"]["lag_seconds"] > 0
        assert gauge(client, "vidbatch_index_pending") == 120
        wait_until("the lag to be a second", lambda: gauge(client, "vidbatch_index_lag_seconds") >= 1)
    indexed(client)
    assert client.get(f"/v1/summaries?q={word}")["index"] == {"pending": 0, "lag_seconds": 0}
    assert gauge(client, "vidbatch_index_pending") == gauge(client, "vidbatch_index_lag_seconds") == 0
    assert "index" not in client.get("/v1/summaries")


def test_a_reingest_changes_the_words(client, job, emulator, database):
    def say(number, content):
        content["text"] = f"A platypus by the river, number n{number}." + (" It sings, it sings." if number % 10 == 0 else "")

    assert client.get("/v1/summaries?q=platypus")["data"] == []
    rewrite(emulator, say)
    client.post(f"/v1/jobs/{job['id']}/reingest", want=202)
    client.wait_job(job["id"])
    indexed(client)
    assert len(client.pages("/v1/summaries?q=platypus&limit=50")) == 120
    assert len(client.get("/v1/summaries?q=platypus sings")["data"]) == 12
    found = client.get("/v1/summaries?q=n17")["data"]
    assert len(found) == 1 and "<mark>n17</mark>" in found[0]["snippet"]
    # what the old answers said is forgotten
    assert client.get("/v1/summaries?q=emulated")["data"] == []
    assert database.value("SELECT count(*) FROM summary_word") == 120

    def shorten(number, content):
        content["text"] = "A walrus." if number == 3 else f"A platypus by the river, number n{number}."

    rewrite(emulator, shorten)
    client.post(f"/v1/jobs/{job['id']}/reingest", want=202)
    client.wait_job(job["id"])
    indexed(client)
    assert client.get("/v1/summaries?q=sings")["data"] == [] and len(client.get("/v1/summaries?q=walrus")["data"]) == 1


def test_orders_and_filters(client, job):
    indexed(client)
    newest = client.pages(f"/v1/summaries?q=platypus&job_id={job['id']}&limit=7")
    ids = [s["id"] for s in newest]
    assert ids == sorted(ids, reverse=True) and len(ids) == len(set(ids)) == 119
    best = client.get(f"/v1/summaries?q=platypus or walrus&order=best&limit=5&prefix_id={job['prefix_id']}")
    assert len(best["data"]) == 5 and best["next"] is None
    assert client.get("/v1/summaries?q=platypus&from=2099-01-01T00:00:00Z")["data"] == []
    assert client.get("/v1/summaries?q=platypus&to=2020-01-01T00:00:00Z")["data"] == []
    assert client.get("/v1/summaries?q=platypus&job_id=job_00000000001")["data"] == []
    cursor = client.get("/v1/summaries?q=platypus&limit=1")["next"]
    for bad in ("order=best", f"q=platypus&order=best&after={cursor}", "q=platypus&order=worst", "q=%20"):
        assert client.call("GET", f"/v1/summaries?{bad}", 400).json()["code"] == "invalid_parameter"


def test_killed_in_the_middle(stack):
    """kill -9 between batches: the next process goes on, and every word is known once."""
    database, emulator = stack.database(), stack.emulator()
    emulator.put_videos("videos/", 120)
    service = stack.service(database, emulator)
    client = service.client()
    prefix = client.wait_scan(client.register("videos/")["id"])
    with psycopg.connect(database.url) as holder:
        holder.execute("LOCK TABLE summary_word IN SHARE MODE")
        client.wait_job(client.launch(prefix["id"])["id"])
        wait_until("an indexing worker to wait", lambda: database.value(
            "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname = 'summary_word' AND NOT granted"))
        service.kill()
    assert database.value("SELECT count(*) FROM task WHERE kind = 'index'") == 1
    service.start()
    client = service.client()
    indexed(client)
    wait_until("its task to end", lambda: database.value("SELECT count(*) FROM task WHERE kind = 'index'") == 0)
    assert database.value("SELECT count(*) FROM summary_word") == 120


def test_answers_come_first(stack):
    """While answers wait to be stored, nothing is indexed."""
    database, emulator = stack.database(), stack.emulator()
    emulator.put_videos("videos/", 120)
    service = stack.service(database, emulator)
    client = service.client()
    prefix = client.wait_scan(client.register("videos/")["id"])
    job = client.wait_job(client.launch(prefix["id"])["id"])
    indexed(client)
    # a task that is due, of a kind that no worker knows how to claim twice: held by a lease that nobody gives back
    database.query("INSERT INTO task (kind, subject_id, state, lease_until, attempt) VALUES ('ingest', 1, 'running', now() + interval '1 h', 1)")
    client.post(f"/v1/jobs/{job['id']}/reingest", want=202)
    client.wait_job(job["id"])
    wait_until("the index to give way", lambda: database.value(
        "SELECT count(*) FROM task WHERE kind = 'index' AND state = 'ready' AND attempt > 0 AND run_at > created_at"))
    assert client.get("/v1/summaries?q=any")["index"]["pending"] == 120
    # but not for ever
    database.query("UPDATE shard_index SET since = since - interval '1 day'")
    indexed(client)


ROWS = 1_000_000


def put_rows(database):
    """A million summaries, half of an old prefix, half of a new one, with their words indexed in the way that is fastest to test."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("""
            CREATE FUNCTION rid(i int8) RETURNS int8 LANGUAGE sql IMMUTABLE AS $$ SELECT ((180000000000 + i / 200) << 22) + i $$;
            DROP INDEX summary_word_words;
            INSERT INTO prefix (id, bucket, key_prefix, name, region, suffixes) VALUES (1, 'b', 'old/', 'o', 'r', '{}'), (2, 'b', 'new/', 'n', 'r', '{}');
            INSERT INTO job (id, prefix_id, name, state, model_id, prompt, recipe, select_mode, staging, launched_at)
            SELECT 10 + n, n, 'n', 'completed', 'm', 'p', '\\x00', 'all', 'copy', now() FROM generate_series(1, 2) n;
            INSERT INTO video (id, prefix_id, size_bytes, modified_at, name, etag) SELECT 100 + n, n, 1, now(), 'v', 'e' FROM generate_series(1, 2) n;
            INSERT INTO record (id, job_id, shard_id, video_id, etag) SELECT rid(n * 500000 - 1), 10 + n, 1, 100 + n, 'e' FROM generate_series(1, 2) n;
            CREATE TEMP VIEW made AS
            SELECT i, rid(i) AS id, 1 + i / 500000 AS n, array_remove(ARRAY['all', 'w' || i % 1000, 'u' || i / 20, CASE WHEN i % 2 = 0 THEN 'even' END,
                   CASE WHEN i < 500000 THEN 'old' END, CASE WHEN i % 200000 = 77 THEN 'narwhal' END], NULL) AS words
              FROM generate_series(0, 999999) i;
            INSERT INTO summary (record_id, job_id, shard_id, video_id, created_at, state, ingest_round, text_altered, text)
            SELECT id, 10 + n, 1, 100 + n, now(), 'succeeded', 1, false, array_to_string(words, ' ') FROM made;
            INSERT INTO summary_word SELECT id, now(), 1, to_tsvector('simple', array_to_string(words, ' '))
                   || array_to_tsvector(ARRAY['#j' || (10 + n), '#p' || n]) FROM made;
            CREATE INDEX summary_word_words ON summary_word USING gin (words);
            ANALYZE summary, summary_word, record, job""")
        assert connection.execute("SELECT count(*) FROM summary_word").fetchone() == (ROWS,)


@pytest.mark.alone
@pytest.mark.measures
@pytest.mark.skipif(SANITIZED, reason="a million summaries: the same statements run under a sanitizer with fewer")
def test_a_million_summaries(stack):
    database, emulator = stack.database(), stack.emulator()
    service = stack.service(database, emulator)
    put_rows(database)
    client = service.client()
    old, new = "pfx_00000000001", "pfx_00000000002"
    cases = [  # query, hits on the first page
        ("q=all", 50), ("q=even", 50), ("q=narwhal", 5), ("q=zyzzogeton", 0), ("q=w7", 50), ("q=narwhal even", 0), ("q=-all", None),
        (f"q=old&prefix_id={old}", 50), (f"q=old&prefix_id={new}", 0), (f"q=narwhal&prefix_id={old}", 3), ("q=u3", 20),
        ("q=all&order=best", 50), ("q=narwhal&order=best", 5), ("q=\"all w7\"", 50),
    ]
    for query, hits in cases:
        times = []
        for _ in range(5):
            started = time.monotonic()
            found = client.get(f"/v1/summaries?{query}")
            times.append(time.monotonic() - started)
        if hits is not None:
            assert len(found["data"]) == hits, (query, len(found["data"]))
        print(f"{query}: {sorted(times)[2] * 1000:.1f} ms")
        # it takes 2 to 30 ms; a way that reads everything takes seconds
        assert SANITIZED or hits is None or sorted(times)[1] < 0.3, (query, times)
    # common once, but not of late: pages may be short, and the next ones find it
    found, turns = [], 0
    after = ""
    while len(found) < 50 and turns < 10:
        page = client.get(f"/v1/summaries?q=old{after}")
        found += page["data"]
        after = f"&after={page['next']}"
        turns += 1
    assert len(found) == 50 and all(s["job_id"].endswith("B") for s in found), turns


def test_an_export_is_whole_while_rows_come(stack):
    """Every row that was there when it began comes once and in order, whatever is stored meanwhile."""
    database, emulator = stack.database(), stack.emulator()
    emulator.put_videos("videos/", 4000)
    service = stack.service(database, emulator)
    client = service.client()
    prefix = client.wait_scan(client.register("videos/")["id"])
    job = client.wait_job(client.launch(prefix["id"])["id"])
    ended = threading.Event()

    def store_again():
        mine = service.client()
        while not ended.is_set():
            mine.post(f"/v1/jobs/{job['id']}/reingest", want=None)
            mine.wait_job(job["id"])

    storing = threading.Thread(target=store_again)
    storing.start()
    try:
        for _ in range(5):
            lines = client.call("GET", f"/v1/jobs/{job['id']}/summaries?format=ndjson", 200).text.splitlines()
            ids = [json.loads(line)["id"] for line in lines]
            assert len(ids) == 4000 and ids == sorted(set(ids))
    finally:
        ended.set()
        storing.join(120)
