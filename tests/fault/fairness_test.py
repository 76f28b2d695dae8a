"""Long steps never take all workers: quick ones get through."""

import time

from tests.support.vidbatch import wait_until


def test_staging_leaves_workers_for_what_is_quick(stack):
    database, emulator = stack.database(), stack.emulator(job_seconds=0)
    emulator.put_videos("v/", 800)
    client = stack.service(database, emulator, VIDBATCH_WORKERS="4", VIDBATCH_SHARD_RECORDS="200", VIDBATCH_COPY_CONCURRENCY="1").client()
    prefix = client.wait_scan(client.register("v/")["id"])
    emulator.fault(op="S3.CopyObject", action={"delay_ms": 100})
    job = client.launch(prefix["id"])
    wait_until("staging", lambda: database.value("SELECT count(*) FROM task WHERE kind = 'stage' AND state = 'running'") > 0)
    most, deadline = 0, time.monotonic() + 2
    while time.monotonic() < deadline:
        most = max(most, database.value("SELECT count(*) FROM task WHERE kind = 'stage' AND state = 'running'"))
    assert most == 2, f"{most} of 4 workers were staging at once"
    other = client.register("v/0", name="beside")
    client.wait_scan(other["id"])  # a scan finds a worker although two shards wait to be staged
    assert database.value("SELECT count(*) FROM task WHERE kind = 'stage'") == 4
    emulator.clear_faults()
    assert client.wait_job(job["id"])["outcome"] == "success"
