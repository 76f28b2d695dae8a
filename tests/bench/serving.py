"""Serving what is stored. One summary by id, and pages of 50: asked by wrk on 32 connections that are kept, from rows at random; held against
pgbench with 8 clients that runs the service's own SQL (sql/queries), prepared, with the settings of the service's sessions; and against
peer_fastapi.py behind uvicorn. An export of 200,000 rows as NDJSON, read by curl, is held against COPY TO STDOUT in binary of the same columns
from psql, thrown away: bytes of NDJSON a second over bytes of COPY a second. A row of NDJSON is about twice as long, so rows are told too."""

import base64
import os
import random
import re
import socket
import subprocess
import sys
import time
import urllib.request

from tests.bench.peer_fastapi import QUERIES, show_id
from tests.support.vidbatch import wait_until

HERE = os.path.dirname(__file__)
JOB, FIRST, ROWS, PAGE = 2, 1_000_000_000, 200_000, 50
SETTINGS = "-c enable_bitmapscan=off -c enable_seqscan=off -c random_page_cost=1.1 -c jit=off"
SECONDS = 4
WORDS = (
    "river forklift pallet warehouse person camera slowly evening street crossing vehicle turns light through the opens door before another"
    " worker carries box across yard while rain falls on windows and"
).split()


def fill(database, count):
    """Rows as an ingest leaves them: a text of about 1,100 characters each, the same ones every time."""
    database.query("""
        INSERT INTO prefix (id, bucket, key_prefix, name, region, suffixes) VALUES (1, 'bench-videos', 'archive/', 'b', 'us-east-1', '{.mp4}')""")
    database.query("""
        INSERT INTO job (id, prefix_id, name, state, outcome, model_id, prompt, recipe, select_mode, staging, launched_at)
        VALUES (2, 1, 'b', 'completed', 'success', 'amazon.nova-lite-v1:0', 'Summarize this video.', '\\x00', 'all', 'copy', now())""")
    database.query("""
        INSERT INTO shard (id, job_id, ordinal, state, record_count, folder_uri, output_uri, bedrock_name, client_token, bedrock_arn)
        VALUES (3, 2, 0, 'completed', %s, 's3://s/f/', 's3://o/f/', 'n', 't', 'arn:aws:bedrock:us-east-1:111122223333:model-invocation-job/x')""", count)
    database.query("""
        INSERT INTO video (id, prefix_id, size_bytes, modified_at, name, etag)
        SELECT %s + i, 1, 1, now(), 'camera-' || i %% 97 || '/' || lpad(i::text, 8, '0') || '.mp4', '"e"' FROM generate_series(1, %s) i""", FIRST, count)
    database.query("INSERT INTO record (id, job_id, shard_id, video_id, etag) SELECT %s + i, 2, 3, %s + i, '\"e\"' FROM generate_series(1, %s) i",
                   FIRST, FIRST, count)
    database.query("""
        INSERT INTO summary (record_id, job_id, shard_id, video_id, created_at, state, ingest_round, input_tokens, output_tokens, text_altered,
                             stop_reason, text)
        SELECT %s + i, 2, 3, %s + i, now(), 'succeeded', 1, 2880 + i %% 700, 180 + i %% 90, false, 'end_turn',
               (SELECT string_agg((%s::text[])[1 + (hashint4(i * 131 + k) & 2147483647) %% 30], ' ') FROM generate_series(1, 170) k)
          FROM generate_series(1, %s) i""", FIRST, FIRST, WORDS, count)
    database.query("VACUUM ANALYZE")


def write_paths(folder, count):
    dice = random.Random(1)
    with open(folder / "one.txt", "w") as file:
        for _ in range(5000):
            file.write(f"/v1/summaries/{show_id('sum_', FIRST + dice.randint(1, count))}\n")
    with open(folder / "page.txt", "w") as file:
        for _ in range(2000):
            cursor = base64.urlsafe_b64encode(f"job_summaries:{FIRST + dice.randint(0, count - PAGE - 1)}".encode()).decode().rstrip("=")
            file.write(f"/v1/jobs/{show_id('job_', JOB)}/summaries?limit={PAGE}&after={cursor}\n")


def write_scripts(folder, count):
    """For pgbench: the service's SQL, its parameters as pgbench's variables."""
    for name, query, variables in (
        ("one", "summary_get", {"$1": ("id", f"random({FIRST + 1}, {FIRST + count})")}),
        ("page", "summary_list_job", {"$1": ("job", str(JOB)), "$2": ("after", f"random({FIRST}, {FIRST + count - PAGE - 1})"), "$3": ("most", str(PAGE))}),
    ):
        sql = re.sub(r"^--.*\n", "", (QUERIES / f"{query}.sql").read_text(), flags=re.M)
        for parameter, (variable, _) in variables.items():
            sql = re.sub(re.escape(parameter) + r"(::int8)?", f":{variable}::int8", sql)
        (folder / f"{name}.sql").write_text("".join(f"\\set {v} {value}\n" for v, value in variables.values()) + sql)


def run_of(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def ask_http(port, folder, name):
    """Seconds an answer, by wrk."""
    command = ["wrk", "-t1", "-c32", f"-d{SECONDS}s", "--timeout", "60s", "-s", f"{HERE}/serving.lua", f"http://127.0.0.1:{port}", "--", str(folder / f"{name}.txt")]
    said = run_of(command)
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"wrk saw errors: {said}")
    return 1 / float(re.search(r"Requests/sec: *([\d.]+)", said).group(1))


def ask_database(url, folder, name):
    """Seconds an answer, by pgbench."""
    command = ["pgbench", "-n", "-M", "prepared", "-c", "8", "-j", "2", "-T", str(SECONDS), "-f", str(folder / f"{name}.sql"), url]
    return 1 / float(re.search(r"tps = ([\d.]+)", run_of(command, env={**os.environ, "PGOPTIONS": SETTINGS})).group(1))


class Peer:
    """peer_fastapi.py behind uvicorn, ended with the bench."""

    def __init__(self, url, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "uvicorn", "tests.bench.peer_fastapi:app", "--port", str(self.port), "--no-access-log"]
        with open(folder / "peer.log", "wb") as log:
            self.child = subprocess.Popen(command, env={**os.environ, "DATABASE_URL": url}, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def listens(self):
        if self.child.poll() is not None:
            raise RuntimeError("the FastAPI app ended: see peer.log")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.child.terminate()
        self.child.wait(20)


def body(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.read()


def assert_same(service, peer, folder):
    """The peer does the same work: its JSON says the same."""
    import json

    for name in ("one", "page"):
        path = (folder / f"{name}.txt").read_text().split("\n", 1)[0]
        assert json.loads(body(service.port, path)) == json.loads(body(peer.port, path)), path


def export(service):
    """Seconds and bytes."""
    path = f"/v1/jobs/{show_id('job_', JOB)}/summaries?format=ndjson"
    command = ["curl", "-sSf", "-o", "/dev/null", "-w", "%{time_total} %{size_download}", f"http://127.0.0.1:{service.port}{path}"]
    seconds, size = run_of(command).split()
    return {"seconds": float(seconds), "bytes": int(size)}


COPY = """COPY (SELECT s.record_id, s.job_id, s.video_id, epoch_ms(s.created_at), s.state::text, s.text, s.summary, s.thinking, s.stop_reason,
       s.error_reason, s.error_message, s.error_code, s.input_tokens, s.output_tokens, s.error_retryable, s.text_altered,
       p.bucket, p.key_prefix, v.name, j.model_id
  FROM summary s JOIN video v ON v.id = s.video_id JOIN prefix p ON p.id = v.prefix_id JOIN job j ON j.id = s.job_id
 WHERE s.job_id = 2 ORDER BY s.record_id) TO STDOUT (FORMAT binary)"""


def copy(url):
    start = time.monotonic()
    with open(os.devnull, "wb") as nowhere:
        subprocess.run(["psql", "-qXc", COPY, url], stdout=nowhere, check=True)
    return time.monotonic() - start


def copy_bytes(url):
    with subprocess.Popen(["psql", "-qXc", COPY, url], stdout=subprocess.PIPE) as psql:
        return sum(len(piece) for piece in iter(lambda: psql.stdout.read(1 << 20), b""))


def run(bench):
    count = bench.size(ROWS, 1000)
    database = bench.database()
    service = bench.service("serving", database, bench.emulator("serving"))
    folder = bench.folder("serving")
    fill(database, count)
    write_paths(folder, count)
    write_scripts(folder, count)
    peer = Peer(database.url, folder)
    bench.things.append(peer)
    wait_until("the FastAPI app", peer.listens)
    assert_same(service, peer, folder)

    for name, what, bound, peer_bound in (("one", "one summary by id over HTTP", 0.4, 5), ("page", f"page of {PAGE} summaries over HTTP", 0.45, 4)):
        took = bench.interleave(
            ours=lambda: ask_http(service.port, folder, name), pgbench=lambda: ask_database(database.url, folder, name),
            fastapi=lambda: ask_http(peer.port, folder, name),
        )
        rates = {who: f"{1 / seconds:,.0f}/s" for who, seconds in took.items()}
        bench.at_least(what, took["pgbench"] / took["ours"], bound, rates["ours"], f"pgbench, the same SQL prepared, 8 clients: {rates['pgbench']}")
        bench.at_least(what, took["fastapi"] / took["ours"], peer_bound, rates["ours"], f"FastAPI + asyncpg: {rates['fastapi']}")

    sent = export(service)["bytes"]
    copied = copy_bytes(database.url)
    took = bench.interleave(ours=lambda: export(service), copy=lambda: copy(database.url))
    speeds = {"ours": sent / took["ours"] / 1e6, "copy": copied / took["copy"] / 1e6}
    bench.at_least(
        f"export of {count:,} rows as NDJSON, MB/s", speeds["ours"] / speeds["copy"], 0.65,
        f"{speeds['ours']:.0f} MB/s of NDJSON, {count / took['ours']:,.0f} rows/s",
        f"COPY TO STDOUT binary: {speeds['copy']:.0f} MB/s, {count / took['copy']:,.0f} rows/s",
    )
    bench.memory("serving, exports included", service.status_kib("VmHWM"))
