"""The output of a job of 200,000 records (about 330 MB) from S3 to rows that can be queried, by the whole service: from the moment the ingest tasks
are there until every record has its row. Peers: psql's \\copy of the very same rows, text format, from a file into the same emptied table with
its indexes; and a script as one writes it: boto3, json.loads, psycopg's COPY (ingest_peer.py)."""

import subprocess
import sys
import time

import psycopg

from tests.bench.data import Stored
from tests.support.vidbatch import ROOT, wait_until

RESET = """
TRUNCATE summary;
DELETE FROM shard_file;
UPDATE shard SET state = 'ingesting', ingest_round = 1, succeeded = 0, failed = 0, missing = 0, input_tokens = 0, output_tokens = 0, completed_at = NULL;
UPDATE job SET state = 'ingesting', outcome = NULL, completed_at = NULL;
"""


def run(bench):
    stored = Stored(bench, "ingest")
    database, count = stored.database, stored.count
    file = f"/tmp/{database.name}-summaries.copy"
    subprocess.run(["psql", "-q", "-d", database.url, "-c", f"\\copy summary to '{file}'"], check=True)

    def whole(seconds):
        assert database.value("SELECT count(*) FROM summary WHERE state = 'succeeded'") == count
        return seconds

    def ours():
        wait_until("the queue to be empty", lambda: database.value("SELECT count(*) FROM task WHERE kind NOT IN ('watch', 'index')") == 0, 60)
        database.query(RESET)
        database.query("CHECKPOINT")
        with psycopg.connect(database.url, autocommit=True) as one:  # a new connection for each look would be work of its own

            def stored():
                return one.execute("SELECT bool_and(state = 'completed') FROM shard").fetchone()[0]

            start = time.monotonic()
            one.execute("INSERT INTO task (kind, subject_id) SELECT 'ingest', id FROM shard")
            wait_until("the rows", stored, 600, 0.02)
            return whole(time.monotonic() - start)

    def copy():
        database.query("TRUNCATE summary")
        database.query("CHECKPOINT")
        start = time.monotonic()
        subprocess.run(["psql", "-q", "-d", database.url, "-c", f"\\copy summary from '{file}'"], check=True)
        return whole(time.monotonic() - start)

    def script():
        database.query("TRUNCATE summary")
        database.query("CHECKPOINT")
        command = [sys.executable, "-m", "tests.bench.ingest_peer", stored.emulator.url, database.url]
        done = subprocess.run(command, env=stored.emulator.environment_for_tools, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return whole(float(done.stdout))

    try:
        took = bench.interleave(ours=ours, copy=copy, script=script)
    finally:
        subprocess.run(["rm", "-f", file], check=True)
    size = f"{took['ours']:.2f} s, {stored.output_bytes / 1e6:.0f} MB"
    bench.at_most(f"ingest {count:,} records", took["ours"] / took["copy"], 1.1, size, f"\\copy of the same rows: {took['copy']:.2f} s")
    bench.at_least("the same", took["script"] / took["ours"], 4, size, f"json.loads + psycopg COPY: {took['script']:.2f} s")
    bench.memory(f"service that scanned, staged and ingested {count:,} videos", stored.service.status_kib("VmHWM"))
