"""A backup is taken while jobs run, the database is lost, and a new one is made of the backup: what Bedrock works on is found again."""

import pathlib
import subprocess

import pytest

from tests.support.vidbatch import wait_until

VIDEOS = 440
SHARDS = 3
SETTINGS = {"VIDBATCH_SHARD_RECORDS": "200", "VIDBATCH_LEASE": "1s", "VIDBATCH_HEARTBEAT": "200ms"}
TOOLS = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


def dump(database, file):
    """As docs/operations.md says."""
    subprocess.run([TOOLS / "pg_dump", "--format=custom", f"--file={file}", f"--dbname={database.url}"], check=True, timeout=60)


def restore(file, database):
    subprocess.run([TOOLS / "pg_restore", "--no-owner", "--exit-on-error", f"--dbname={database.url}", file], check=True, timeout=60)


class Disaster:
    """A service on a database that will be lost, and what comes after it."""

    def __init__(self, stack, tmp_path, job_seconds, *flags):
        self.stack, self.file = stack, tmp_path / "vidbatch.dump"
        self.emulator = stack.emulator(*flags, job_seconds=job_seconds)
        self.emulator.put_videos("v/", VIDEOS)
        self.old = stack.database()
        self.service = stack.service(self.old, self.emulator, **SETTINGS)
        self.client = self.service.client()
        self.prefix = self.client.wait_scan(self.client.register("v/")["id"])

    def strike(self):
        """All that happened since the backup is forgotten."""
        self.service.kill()
        self.old.drop()
        self.new = self.stack.database()
        restore(self.file, self.new)
        self.service = self.stack.service(self.new, self.emulator, name="restored", **SETTINGS)
        self.client = self.service.client()

    def assert_whole(self, job_id):
        job = self.client.wait_job(job_id)
        assert (job["state"], job["outcome"], job["counts"]["succeeded"]) == ("completed", "success", VIDEOS), job
        arns = [a for (a,) in self.new.query("SELECT bedrock_arn FROM shard")]
        assert sorted(arns) == sorted(j["arn"] for j in self.emulator.jobs()) and len(arns) == SHARDS
        assert self.new.value("SELECT count(*) FROM summary WHERE state = 'succeeded'") == VIDEOS


def created(emulator):
    return len(emulator.requests("Bedrock.CreateModelInvocationJob"))


def test_jobs_that_ran_when_the_backup_was_taken(stack, tmp_path):
    """They ended meanwhile, and were stored in the database that is lost: their answers are read again, nothing is asked twice."""
    world = Disaster(stack, tmp_path, job_seconds=2)
    job = world.client.launch(world.prefix["id"])["id"]
    wait_until("all parts to run", lambda: world.old.value("SELECT count(*) FROM shard WHERE state = 'running'") == SHARDS)
    dump(world.old, world.file)
    assert world.client.wait_job(job)["outcome"] == "success"
    before = created(world.emulator)
    world.strike()
    world.assert_whole(job)
    assert created(world.emulator) == before == SHARDS


def test_jobs_that_were_started_after_the_backup(stack, tmp_path):
    """The backup has the parts as they were staged. What they started since is theirs by name and token: it is taken over, not doubled."""
    world = Disaster(stack, tmp_path, job_seconds=600)
    world.emulator.fault(op="S3.CopyObject", action={"delay_ms": 1000})
    job = world.client.launch(world.prefix["id"])["id"]
    wait_until("staging", lambda: world.old.value("SELECT count(*) FROM task WHERE kind = 'stage' AND state = 'running'"))
    dump(world.old, world.file)
    assert world.old.value("SELECT count(*) FROM shard WHERE bedrock_arn IS NOT NULL") == 0
    world.emulator.clear_faults()
    wait_until("all parts to run", lambda: world.old.value("SELECT count(*) FROM shard WHERE state = 'running'") == SHARDS)
    known = {j["arn"] for j in world.emulator.jobs()}
    world.strike()
    wait_until("all parts to be taken over", lambda: world.new.value("SELECT count(*) FROM shard WHERE state = 'running'") == SHARDS)
    assert {j["arn"] for j in world.emulator.jobs()} == known == {a for (a,) in world.new.query("SELECT bedrock_arn FROM shard")}
    # what was written down before is there, under the same ids
    assert world.client.get(f"/v1/jobs/{job}")["counts"]["total"] == VIDEOS
    assert world.client.get(f"/v1/prefixes/{world.prefix['id']}")["eligible_count"] == VIDEOS


DAYS_AGO = -3 * 24 * 3600 * 1000


@pytest.mark.parametrize(
    "flags, job_seconds",
    [(["--token-seconds", "3600"], 600), (["--token-seconds", "3600", "--free-names"], 1)],
    ids=["the_name_is_in_use", "the_name_is_free"],
)
def test_jobs_that_were_started_days_before_the_restore(stack, tmp_path, flags, job_seconds):
    """Bedrock knows their tokens no more, and perhaps their names are free again: asked for, they would be refused, or paid for a second time."""
    world = Disaster(stack, tmp_path, job_seconds, *flags)
    world.emulator.control("POST", "clock", {"offset_ms": DAYS_AGO})
    world.emulator.fault(op="S3.CopyObject", action={"delay_ms": 1000})
    world.client.launch(world.prefix["id"])
    wait_until("staging", lambda: world.old.value("SELECT count(*) FROM task WHERE kind = 'stage' AND state = 'running'"))
    world.old.query("UPDATE shard SET created_at = created_at - interval '3 days'")
    dump(world.old, world.file)
    assert world.old.value("SELECT count(*) FROM shard WHERE bedrock_arn IS NOT NULL") == 0
    world.emulator.clear_faults()
    wait_until("the jobs", lambda: len([j for j in world.emulator.jobs() if job_seconds > 1 or j["status"] == "Completed"]) == SHARDS)
    known, before = {j["arn"] for j in world.emulator.jobs()}, created(world.emulator)
    world.service.kill()
    world.emulator.control("POST", "clock", {"offset_ms": 0})
    world.strike()
    wait_until("all parts to be taken over", lambda: world.new.value("SELECT count(*) FROM shard WHERE bedrock_arn IS NOT NULL") == SHARDS)
    assert {j["arn"] for j in world.emulator.jobs()} == known == {a for (a,) in world.new.query("SELECT bedrock_arn FROM shard")}
    assert created(world.emulator) == before, "Bedrock was asked again"


def test_a_job_that_was_started_days_before_the_restore_and_is_cancelled(stack, tmp_path):
    """What Bedrock works on for it is stopped, though the backup knows only parts that were not submitted."""
    world = Disaster(stack, tmp_path, job_seconds=60)
    world.emulator.fault(op="S3.CopyObject", action={"delay_ms": 1000})
    job = world.client.launch(world.prefix["id"])["id"]
    wait_until("staging", lambda: world.old.value("SELECT count(*) FROM task WHERE kind = 'stage' AND state = 'running'"))
    world.old.query("UPDATE shard SET created_at = created_at - interval '3 days'")
    dump(world.old, world.file)
    assert world.old.value("SELECT count(*) FROM shard WHERE bedrock_arn IS NOT NULL") == 0
    world.emulator.clear_faults()
    wait_until("all parts to run", lambda: len(world.emulator.jobs()) == SHARDS)
    world.emulator.fault(op="S3.CopyObject", action={"delay_ms": 500})
    world.strike()
    world.client.post(f"/v1/jobs/{job}/cancel", None, 202)
    assert world.client.wait_job(job)["state"] == "cancelled"
    assert {j["status"] for j in world.emulator.jobs()} == {"Stopped"} and created(world.emulator) == SHARDS
    assert world.new.value("SELECT count(*) FROM shard WHERE bedrock_arn IS NOT NULL") == SHARDS


def test_a_cancel_does_not_need_the_look(stack):
    """Where Bedrock's list is forbidden, a job of which Bedrock has nothing is cancelled all the same."""
    database, emulator = stack.database(), stack.emulator()
    emulator.put_videos("v/", 110)
    client = stack.service(database, emulator, VIDBATCH_LOOKUP_GRACE="1s").client()
    prefix = client.wait_scan(client.register("v/")["id"])
    emulator.fault(op="S3.CopyObject", action={"delay_ms": 1000})
    emulator.fault(op="Bedrock.ListModelInvocationJobs", action={"status": 403, "code": "AccessDeniedException"})
    job = client.launch(prefix["id"])["id"]
    wait_until("a part that may be a backup's", lambda: database.value("SELECT count(*) FROM shard WHERE created_at < now() - interval '1 s'"))
    asked = len(emulator.requests("Bedrock.ListModelInvocationJobs"))
    client.post(f"/v1/jobs/{job}/cancel", None, 202)
    assert client.wait_job(job)["state"] == "cancelled"
    assert len(emulator.requests("Bedrock.ListModelInvocationJobs")) > asked and emulator.jobs() == []
    assert database.value("SELECT count(*) FROM task WHERE state = 'dead'") == 0
