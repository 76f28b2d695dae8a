"""The version before a migration, built out of git's history, and this one side by side over one database: as docs/operations.md tells to
upgrade, and to go back."""

import collections
import contextlib
import threading
import time
import uuid

import pytest

from tests.support.previous import MIGRATIONS, TOGETHER_SINCE, Previous
from tests.support.vidbatch import Client, wait_until

VIDEOS = 220
SHARDS = 2
SETTINGS = {"VIDBATCH_SHARD_RECORDS": "200", "VIDBATCH_LEASE": "20s", "VIDBATCH_WORKERS": "3"}
# What docs/operations.md knows of locks that others hold: a migration holds some.
BUSY = ("being_changed", "database_busy", "query_timeout")

FILES = [file.name for file in sorted(MIGRATIONS.glob("*.sql"))]
NEWEST = int(FILES[-1][:4])
UPGRADES = [pytest.param(name, id=name[:4], marks=[] if name == FILES[-1] else pytest.mark.long) for name in FILES[TOGETHER_SINCE - 1:]]


class Asker(Client):
    """Asks again after a 503 of that kind; any other 5xx is a failure. Each answer is judged by the contract of its own version."""

    def __init__(self, service, contract=None):
        super().__init__(service)
        self.contract = contract or self.contract
        self.counted = collections.Counter()

    def call(self, method, path, want=None, **options):
        deadline = time.monotonic() + 20
        while True:
            answer = super().call(method, path, **options)
            self.counted[answer.status_code] += 1
            if answer.status_code < 500:
                assert want is None or answer.status_code == want, (method, path, answer.status_code, answer.text)
                return answer
            assert answer.status_code == 503 and answer.json()["code"] in BUSY and time.monotonic() < deadline, (method, path, answer.text)
            time.sleep(0.1)


@contextlib.contextmanager
def watched(*askers):
    """Somebody reads from them all the while."""
    done, failed = threading.Event(), []

    def read(asker):
        while not done.wait(0.05):
            try:
                for path in ("/readyz", "/v1/prefixes", "/v1/jobs?limit=3", "/v1/summaries?limit=3", "/v1/summaries?q=video&limit=3"):
                    asker.get(path)
                asker.call("GET", "/metrics", 200)
            except Exception as error:  # in a thread nobody would hear of it
                failed.append(error)
                return

    threads = [threading.Thread(target=read, args=[asker]) for asker in askers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failed, failed


class Upgrade:
    """A database at the migrations of the former version, and a replica of it."""

    def __init__(self, stack, migration):
        self.stack, self.previous = stack, Previous(migration)
        self.emulator = stack.emulator(job_seconds=0.5)
        self.emulator.put_videos("v/", VIDEOS)
        self.database = stack.database()
        self.jobs, self.cancelled = [], []
        self.start_old("old")
        self.prefix = self.at_old.wait_scan(self.at_old.register("v/")["id"])["id"]
        assert self.migrated() == int(migration[:4]) - 1
        for op, wait in (("S3.CopyObject", 25), ("Bedrock.CreateModelInvocationJob", 100), ("S3.GetObject", 60)):
            self.emulator.fault(op=op, action={"delay_ms": wait})

    def start_old(self, name):
        self.old = self.previous.service(self.stack, self.database, self.emulator, name=name, **SETTINGS)
        self.at_old = Asker(self.old, self.previous.contract)

    def start_new(self):
        self.new = self.stack.service(self.database, self.emulator, name="new", **SETTINGS)
        self.at_new = Asker(self.new)

    def migrated(self):
        return self.database.value("SELECT max(number) FROM schema_migration")

    def launch(self, client, **more):
        self.jobs.append(client.launch(self.prefix, select="all", **more)["id"])
        return self.jobs[-1]

    def unfinished(self):
        return self.database.value("SELECT count(*) FROM job WHERE launched_at IS NOT NULL AND completed_at IS NULL")

    def at_work(self, step, replica, client):
        """Launches jobs until a step of that kind runs in that replica, and there is more to do."""
        running = "SELECT count(*) FROM task WHERE state = 'running' AND kind = %s AND worker LIKE %s"
        for _ in range(8):
            self.launch(client)
            deadline = time.monotonic() + 0.8
            while time.monotonic() < deadline:
                if self.database.value(running, step, f"%:{replica.child.pid}:%"):
                    assert self.unfinished() > 0
                    return
        raise AssertionError(f"{step} never ran in {replica.log_path.stem}")

    def end(self, client):
        for job in self.jobs:
            job = client.wait_job(job)
            if job["id"] in self.cancelled:
                assert job["state"] == "cancelled", job
            else:
                assert (job["state"], job["outcome"], job["counts"]["succeeded"]) == ("completed", "success", VIDEOS), job

    def assert_exactly_once(self):
        left = "SELECT kind, state, last_error FROM task WHERE kind <> 'watch'"
        assert not self.database.query(left + " AND state = 'dead'")
        wait_until("the queue to be empty", lambda: not self.database.query(left))
        whole = len(self.jobs) - len(self.cancelled)
        assert self.database.value("SELECT count(*) FROM summary s JOIN job j ON j.id = s.job_id WHERE j.state = 'completed'") == whole * VIDEOS
        assert self.database.value("SELECT count(*) FROM (SELECT FROM summary GROUP BY job_id, video_id HAVING count(*) > 1) twice") == 0
        assert self.database.value("SELECT count(*) FROM summary_word") == self.database.value(
            "SELECT count(*) FROM summary WHERE state = 'succeeded'")
        arns = [arn for (arn,) in self.database.query("SELECT bedrock_arn FROM shard WHERE bedrock_arn IS NOT NULL")]
        made = [line["arn"] for line in self.emulator.jobs()]
        assert sorted(arns) == sorted(made) and len(set(made)) == len(made) >= whole * SHARDS, "a Bedrock job that nobody knows, or one twice"
        asked = [r for r in self.emulator.requests("Bedrock.CreateModelInvocationJob") if r["status"] == 200]
        assert len(asked) == len(made), "asked of Bedrock again"


def exchange(world):
    """What was begun at one is gone on with at the other."""
    old, new = world.at_old, world.at_new
    for here, there in ((old, new), (new, old)):
        # The same request at both is one.
        body = {"prefix_id": world.prefix, "prompt": "Describe the video.", "select": "all", "staging": "copy"}
        key = {"Idempotency-Key": uuid.uuid4().hex}
        first, again = (client.post("/v1/jobs", body, 202, headers=key) for client in (here, there))
        assert again.headers["Idempotency-Replayed"] == "true" and first.json()["id"] == again.json()["id"]
        world.jobs.append(first.json()["id"])
        # A plan that one made is run by the other.
        plan = here.post("/v1/plans", body, 202).json()
        wait_until("the plan", lambda: there.get(f"/v1/plans/{plan['id']}")["state"] == "ready")
        world.jobs.append(there.post("/v1/jobs", {"plan_id": plan["id"]}, 202).json()["id"])
        # A cursor of one leads on in the other.
        page = here.get("/v1/jobs?limit=2")
        rest = there.get(f"/v1/jobs?limit=1000&after={page['next']}")
        assert {j["id"] for j in page["data"] + rest["data"]} == set(world.jobs)
        job = world.launch(here)
        there.post(f"/v1/jobs/{job}/cancel", want=202)
        world.cancelled.append(job)
        there.post(f"/v1/prefixes/{world.prefix}/scan", want=202)
        there.wait_scan(world.prefix)


@pytest.mark.parametrize("migration", UPGRADES)
def test_old_and_new_side_by_side(stack, counted, migration):
    world = Upgrade(stack, migration)
    world.at_work("stage", world.old, world.at_old)
    first = world.jobs[0]
    with watched(world.at_old):
        world.start_new()
        assert world.migrated() == NEWEST and world.unfinished() > 0, "nothing was under way while it was migrated"
    before = world.old.log().count("step.end")
    with watched(world.at_old, world.at_new):
        exchange(world)
        # What one has ended is read again by the other.
        world.at_old.wait_job(first)
        world.at_new.post(f"/v1/jobs/{first}/reingest", want=202)
        world.at_work("stage", world.new, world.at_old)
    world.at_work("stage", world.old, world.at_new)
    assert world.old.stop() == 0, world.old.log()[-3000:]
    assert world.old.log().count("step.end") > before and "step.end" in world.new.log(), "both must have worked"
    assert world.unfinished() > 0
    world.end(world.at_new)
    # Back again: the former version over the newer database, first beside the new one.
    world.at_work("stage", world.new, world.at_new)
    seen = world.at_old.counted + world.at_new.counted
    world.start_old("old-again")
    assert "migrate.newer" in world.old.log()
    assert world.new.stop() == 0 and world.unfinished() > 0
    world.launch(world.at_old)
    world.end(world.at_old)
    world.assert_exactly_once()
    seen += world.at_old.counted
    counted(f"{world.previous.commit[:10]} beside its successor: {len(world.jobs)} jobs, answers {dict(sorted(seen.items()))}")
