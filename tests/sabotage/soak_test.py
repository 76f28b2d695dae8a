"""SOAK_MINUTES of everything at once: two replicas, 200,000 videos, jobs starting all the time, faults in 5 % of all calls to AWS, the database
crashed now and then, one replica killed again and again; at the end all counts add up, nothing is stuck, and the replica that lived has not grown."""

import contextlib
import os
import pathlib
import random
import statistics
import subprocess
import time

import pytest

from tests.sabotage import scenarios
from tests.sabotage.saboteur import Stubborn
from tests.support.vidbatch import ROOT, Database, wait_until

pytestmark = pytest.mark.long
SECONDS = float(os.environ.get("SOAK_MINUTES", "10")) * 60
VIDEOS, SMALL = 200_000, 300
PATIENCE_S = 900  # what is under way at the end
FAULTS = (
    {"probability": 0.02, "action": {"status": 503, "code": "SlowDown"}}, {"probability": 0.01, "action": {"status": 500, "code": "InternalError"}},
    {"probability": 0.01, "action": "reset"}, {"probability": 0.01, "action": "reset_after"},
)


class Cluster:
    """A PostgreSQL of its own, for it dies. What it has committed stays, as it does wherever people keep what they have paid for."""

    def __init__(self, folder):
        self.folder, self.crashes = folder, 0
        os.environ["VIDBATCH_TEST_POSTGRES_OPTIONS"] = "-c synchronous_commit=on"
        os.environ["VIDBATCH_TEST_DATABASE_URL"] = self.run("start").strip()

    def run(self, what):
        return subprocess.run([ROOT / "tests/support/postgres.sh", what, self.folder], check=True, capture_output=True, text=True, timeout=120).stdout

    def crash(self):
        self.run("crash")
        time.sleep(1)
        self.run("again")
        self.crashes += 1


class Samples:
    """What a process holds, once a second. Connections to AWS are counted by themselves: each worker keeps up to KEPT idle ones to use again, so
    their number follows what was done at a time."""

    KEPT = 64  # CURLMOPT_MAXCONNECTS in aws/client.c
    CLIENTS = 5  # four workers, and the requests that ask AWS

    def __init__(self, service, database, emulator):
        self.service, self.database, self.taken = service, database, []
        self.aws_port = f"{int(emulator.url.rsplit(':', 1)[1]):04X}"

    def take(self):
        folder = pathlib.Path(f"/proc/{self.service.child.pid}")
        with contextlib.suppress(Exception):  # the database may be away
            connections = self.database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'vidbatchd%%'")
            open_files = [os.readlink(fd) for fd in (folder / "fd").iterdir()]
            aws = {f"socket:[{line.split()[9]}]" for line in (folder / "net/tcp").read_text().splitlines() if line.split()[2].endswith(":" + self.aws_port)}
            to_aws = sum(name in aws for name in open_files)
            self.taken.append((self.service.status_kib("VmRSS"), len(open_files) - to_aws, len(list((folder / "task").iterdir())), connections, to_aws))

    def third(self, n):
        part = self.taken[len(self.taken) * n // 3:len(self.taken) * (n + 1) // 3]
        return [statistics.median(column) for column in zip(*part)]


class Jobs:
    """Started all the time, on prefixes of which most are small."""

    def __init__(self, client, emulator, dice):
        self.client, self.emulator, self.dice = client, emulator, dice
        emulator.put_videos("small/", SMALL)
        emulator.put_videos("few/", 5)
        emulator.control("POST", "buckets", {"name": "archive", "synthetic_count": VIDEOS, "synthetic_prefix": "v/"})
        self.large = client.wait_scan(client.register("v/", bucket="archive")["id"])
        self.small, self.few = (client.wait_scan(client.register(name)["id"]) for name in ("small/", "few/"))
        self.open, self.ended = {}, []

    def launch(self, kind):
        more = {"large": {"preflight": "listing"}, "copy": {}, "in_place": {"staging": "in_place"}, "few": {"below_minimum": "on_demand"}}[kind]
        prefix = {"large": self.large, "few": self.few}.get(kind, self.small)
        job = self.client.launch(prefix["id"], prompt=f"{self.dice.random()}?", select="all", **more)
        self.open[job["id"]] = {"large": VIDEOS, "few": 5}.get(kind, SMALL)

    def turn(self, may_be_large):
        for job_id in list(self.open):
            job = self.client.get(f"/v1/jobs/{job_id}")
            counts = job["counts"]
            assert counts["total"] == counts["pending"] + counts["succeeded"] + counts["failed"] + counts["missing"], counts
            if job["state"] in scenarios.FINAL:
                assert counts["succeeded"] == counts["total"] == self.open.pop(job_id), job
                self.ended.append(job)
        if may_be_large and VIDEOS not in self.open.values():
            self.launch("large")
        elif len(self.open) < 5:
            self.launch(self.dice.choice(["copy", "in_place", "few"]))


def settle(database, jobs):
    deadline = time.monotonic() + PATIENCE_S
    while jobs.open:
        assert time.monotonic() < deadline, jobs.open
        for job_id, total in list(jobs.open.items()):
            job = jobs.client.get(f"/v1/jobs/{job_id}")
            if job["state"] in scenarios.FINAL:
                assert job["counts"]["succeeded"] == total, job
                jobs.ended.append(job)
                del jobs.open[job_id]
        time.sleep(0.5)
    wait_until("the queue to be empty", lambda: database.value("SELECT count(*) FROM task WHERE kind <> 'watch'") == 0, PATIENCE_S)


def test_soak(stack, tmp_path, monkeypatch):
    for name in ("DATABASE_URL", "POSTGRES_OPTIONS"):  # which the cluster sets
        monkeypatch.setenv("VIDBATCH_TEST_" + name, "")
    dice, cluster = random.Random(20261127), Cluster(tmp_path / "postgres")
    try:
        database, emulator = Database(), stack.emulator(job_seconds=2)
        lives, dies = (stack.service(database, emulator, name=name, VIDBATCH_LOG_LEVEL="info", VIDBATCH_LOOKUP_GRACE="10s") for name in ("lives", "dies"))
        jobs = Jobs(Stubborn(lives), emulator, dice)
        samples, kills, begun = Samples(lives, database, emulator), 0, time.monotonic()
        for fault in FAULTS:
            emulator.fault(op="*", **fault)
        next_kill, next_crash = begun + 8, begun + 20
        while time.monotonic() < begun + SECONDS:
            jobs.turn(time.monotonic() < begun + SECONDS * 0.85)  # alike in each third
            samples.take()
            if time.monotonic() > next_kill:
                dies.kill()
                with contextlib.suppress(AssertionError):  # it does not start without the database, and is started again next time
                    dies.start()
                kills, next_kill = kills + 1, time.monotonic() + dice.uniform(2, 15)
            if time.monotonic() > next_crash:
                cluster.crash()
                next_crash = time.monotonic() + dice.uniform(20, 40)
            time.sleep(0.3)
        share = made_to_fail(emulator)
        emulator.clear_faults()
        settle(database, jobs)
        report(jobs, samples, emulator, cluster, kills, share, time.monotonic() - begun)
        world = scenarios.World(lives, emulator, database)
        scenarios.assert_exactly_once(world)
        assert database.value("SELECT count(*) FROM task WHERE state = 'dead'") == 0
        middle, last = samples.third(1), samples.third(2)
        assert last[0] < middle[0] * 1.1 + 8 * 1024, "resident memory grows"
        assert last[1] <= middle[1] + 5 and last[2] <= middle[2] and last[3] <= middle[3] + 5, "descriptors, threads or connections grow"
        assert max(sample[4] for sample in samples.taken) <= Samples.KEPT * Samples.CLIENTS, "more connections to AWS than are kept"
        assert lives.stop() == 0
    finally:
        cluster.run("stop")


def made_to_fail(emulator):
    stats = emulator.control("GET", "stats")
    faults = sum(op["faults"] for op in stats["ops"].values())
    return f"{faults} of {stats['total']}, {100 * faults / stats['total']:.1f} %"


def report(jobs, samples, emulator, cluster, kills, share, took_s):
    videos = sum(job["counts"]["total"] for job in jobs.ended)
    rows = [("seconds", f"{took_s:.0f}"), ("jobs", len(jobs.ended)), ("records answered", videos), ("Bedrock jobs", len(emulator.jobs())),
            ("calls to AWS made to fail", share), ("database crashes", cluster.crashes), ("replica kills", kills)]
    for name, *values in zip(("resident KiB", "other descriptors", "threads", "to the database", "to AWS"), *(samples.third(n) for n in range(3))):
        rows.append((f"{name}, median of each third", "  ".join(f"{value:.0f}" for value in values)))
    print()
    for name, value in rows:
        print(f"  {name:38} {value}")
