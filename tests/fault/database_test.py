"""The database in every kind of trouble while a job runs: the service stays up, says what is wrong, goes on by itself, and nothing is lost
or done twice."""

import contextlib
import os
import signal
import subprocess
import time

import psycopg
import pytest

from tests.support.cluster import Cluster
from tests.support.vidbatch import BUILD, SANITIZED, Emulator, Service, wait_until

VIDEOS = 440
SHARDS = 3
READY_S = 40 if SANITIZED else 8  # after the cause is gone
SETTINGS = {"VIDBATCH_SHARD_RECORDS": "200", "VIDBATCH_LEASE": "20s", "VIDBATCH_WORKERS": "3", "VIDBATCH_HANDLER_THREADS": "2"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("cluster"), "-c max_connections=30 -c synchronous_commit=on")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def world(cluster, tmp_path_factory):
    """One service, and jobs that are long enough to be disturbed."""
    emulator = Emulator(tmp_path_factory.mktemp("emulator"), job_seconds=1).start()
    emulator.put_videos("videos/", VIDEOS)
    service = Service(tmp_path_factory.mktemp("service"), cluster, emulator, **SETTINGS)
    try:
        client = service.start().client()
        prefix = client.wait_scan(client.register("videos/")["id"])
        yield World(cluster, emulator, service, prefix["id"])
        assert service.stop() == 0, service.log()[-3000:]
    finally:
        service.kill()
        emulator.stop()


class World:
    def __init__(self, cluster, emulator, service, prefix_id):
        self.cluster, self.emulator, self.service, self.prefix_id = cluster, emulator, service, prefix_id
        self.client = service.client()

    def ask(self, path, method="GET", **options):
        answer = self.client.call(method, path, timeout=20, **options)
        return answer.status_code, answer.json().get("code"), answer.headers.get("Retry-After")

    def launch(self, step="stage", read_ms=60):
        """A job, when such a step of it runs."""
        for op, wait in (("S3.CopyObject", 10), ("Bedrock.CreateModelInvocationJob", 60), ("S3.GetObject", read_ms)):
            self.emulator.fault(op=op, action={"delay_ms": wait})
        job = self.client.launch(self.prefix_id, select="all")["id"]
        running = "SELECT count(*) FROM task WHERE kind = %s AND state = 'running'"
        wait_until(f"the step {step}", lambda: self.cluster.value(running, step), pause_s=0.01)
        return job

    def asked(self, sql, *parameters):
        """An answer of the database, as soon as it gives one."""
        def answer():
            with contextlib.suppress(psycopg.OperationalError):
                return self.cluster.query(sql, *parameters)

        return wait_until("the database", answer, READY_S)[0][0]

    def assert_unfinished(self):
        """Asked once the trouble is there, or was: so it has struck in the midst of the job."""
        assert self.asked("SELECT completed_at IS NULL FROM job ORDER BY id DESC LIMIT 1")

    def await_ready(self):
        started = time.monotonic()
        wait_until("the service to be ready", lambda: self.ask("/readyz")[0] == 200, READY_S)
        return time.monotonic() - started

    def ends_whole(self, job_id):
        def ended():
            answer = self.client.call("GET", f"/v1/jobs/{job_id}")
            assert answer.status_code in (200, 503), answer.text
            return answer.status_code == 200 and answer.json()["state"] in ("completed", "failed", "cancelled") and answer.json()

        job = wait_until(f"{job_id} to end", ended)
        self.emulator.clear_faults()
        assert (job["state"], job["outcome"], job["counts"]["succeeded"]) == ("completed", "success", VIDEOS), job
        arns = [s["bedrock"]["arn"] for s in self.client.pages(f"/v1/jobs/{job_id}/shards")]
        known = [j["arn"] for j in self.emulator.jobs()]
        stored = [a for (a,) in self.cluster.query("SELECT bedrock_arn FROM shard WHERE bedrock_arn IS NOT NULL")]
        assert len(arns) == SHARDS and sorted(known) == sorted(stored), "a Bedrock job that nobody knows, or one twice"
        assert self.service.child.poll() is None


def refused(world, want, codes):
    """Alive, not ready, and an honest answer to whoever asks meanwhile."""
    assert world.ask("/livez")[0] == 200
    for path in want:
        status, code, retry_after = world.ask(path)
        assert status == 503 and code in codes and int(retry_after) >= 1, (path, status, code, retry_after)


GONE = ("database_unavailable",)


def crash(world):
    world.cluster.crash()
    refused(world, ("/readyz", "/v1/jobs"), GONE)
    world.cluster.again()


def kill_postmaster(world):
    world.cluster.kill_postmaster()
    wait_until("the postmaster's children to end", lambda: world.ask("/readyz")[0] == 503, 20)
    refused(world, ("/readyz", "/v1/jobs"), GONE)
    world.cluster.again()


def kill_a_backend(world):
    """All others are ended too, and the database recovers as from a power cut."""
    pid = world.cluster.value("SELECT pid FROM pg_stat_activity WHERE application_name = 'vidbatchd work' LIMIT 1")
    os.kill(pid, signal.SIGKILL)
    wait_until("its end", lambda: world.asked("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", pid) == 0, READY_S)


def end_sessions(world):
    for _ in range(5):
        with contextlib.suppress(psycopg.Error):
            world.cluster.end_sessions()
        time.sleep(0.1)  # so that they are hit in different statements


@pytest.mark.parametrize(
    "trouble, step, read_ms",
    [(kill_postmaster, "stage", 60), (crash, "ingest", 600), (kill_a_backend, "submit", 60), (end_sessions, "stage", 60)],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_database_that_goes_away_comes_back(world, trouble, step, read_ms):
    job = world.launch(step, read_ms)
    trouble(world)
    world.assert_unfinished()
    print(f"{trouble.__name__}: ready after {world.await_ready():.1f} s")
    world.ends_whole(job)


def test_a_read_only_database_is_told(world):
    job = world.launch()
    world.cluster.query("ALTER SYSTEM SET default_transaction_read_only = on")
    world.cluster.query("SELECT pg_reload_conf()")
    wait_until("readiness to fall", lambda: world.ask("/readyz")[:2] == (503, "database_read_only"), READY_S)
    refused(world, ("/readyz",), ("database_read_only",))
    world.assert_unfinished()
    assert world.ask("/v1/jobs")[0] == 200
    status, code, retry_after = world.ask(f"/v1/prefixes/{world.prefix_id}/scan", "POST")
    assert (status, code) == (503, "database_read_only") and retry_after
    writing = {"options": "-c default_transaction_read_only=off"}
    world.cluster.query("ALTER SYSTEM RESET default_transaction_read_only", **writing)
    world.cluster.query("SELECT pg_reload_conf()", **writing)
    world.await_ready()
    world.ends_whole(job)


HINDER = """
CREATE OR REPLACE FUNCTION hinder() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE states text[] := '{%s}';
BEGIN
    IF random() < %s THEN RAISE 'hindered' USING ERRCODE = states[1 + floor(random() * array_length(states, 1))::int]; END IF;
    RETURN NULL;
END $$;
"""
TABLES = ("task", "shard", "summary", "event", "shard_file")


@contextlib.contextmanager
def hindered(world, states, share):
    """Statements that write fail so often, in one of these ways."""
    world.cluster.query(HINDER % (states, share))
    for table in TABLES:
        world.cluster.query(f"CREATE TRIGGER hinder AFTER INSERT OR UPDATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION hinder()")
    yield
    for table in TABLES:
        world.cluster.query(f"DROP TRIGGER hinder ON {table}")


def test_a_full_disk_is_told(world):
    job = world.launch()
    with hindered(world, "53100", 2):
        wait_until("readiness to fall", lambda: world.ask("/readyz")[:2] == (503, "database_full"), READY_S)
        refused(world, ("/readyz",), ("database_full",))
        world.assert_unfinished()
        assert world.ask("/v1/jobs")[0] == 200
        status, code, retry_after = world.ask(f"/v1/prefixes/{world.prefix_id}/scan", "POST")
        assert (status, code) == (503, "database_full") and retry_after
    world.await_ready()
    world.ends_whole(job)


def test_statements_fail_in_every_way(world):
    """Lost races, deadlocks, locks, timeouts, memory: each statement that writes fails one time in twelve."""
    job = world.launch()
    with hindered(world, "40001,40P01,55P03,57014,53200,53100", 0.08):
        world.assert_unfinished()
        world.ends_whole(job)
    text = world.service.log()
    assert all(state in text for state in ("55P03", "57014", "53200", "53100")), "a way that never came"


def test_no_connection_is_left(world):
    """Others hold all that the database allows."""
    job = world.launch()
    held = []
    with contextlib.ExitStack() as stack:
        deadline = time.monotonic() + 20
        while True:
            assert time.monotonic() < deadline
            with contextlib.suppress(psycopg.OperationalError):
                held.append(stack.enter_context(world.cluster.connect()))
            held[0].execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'vidbatchd%'")
            status, code, retry_after = world.ask("/readyz")
            if status == 503 and "too many clients" in world.service.log():
                break
        assert code in GONE and int(retry_after) >= 1
        assert world.ask("/livez")[0] == 200
        for connection in held:
            connection.close()
        world.assert_unfinished()
    world.await_ready()
    world.ends_whole(job)


def test_it_follows_a_failover(tmp_path):
    """The primary dies in the midst of a job, the standby is promoted, and the service finds it by itself."""
    primary = Cluster(tmp_path / "primary", "-c synchronous_commit=on")
    standby = Cluster(tmp_path / "standby", follows=primary)
    emulator = Emulator(tmp_path / "emulator", job_seconds=1).start()
    both = type("Both", (), {"url": f"postgresql://vidbatch@127.0.0.1:{standby.port},127.0.0.1:{primary.port}/vidbatch"
                                    "?target_session_attrs=read-write"})
    service = Service(tmp_path / "service", both, emulator, **SETTINGS)
    try:
        # A commit is told only when the standby has it: else what was told last would be lost with the primary.
        primary.query("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.query("SELECT pg_reload_conf()")
        emulator.put_videos("videos/", VIDEOS)
        client = service.start().client()
        world = World(standby, emulator, service, client.wait_scan(client.register("videos/")["id"])["id"])
        job = world.launch()  # it watches the standby
        primary.crash()
        refused(world, ("/readyz", "/v1/jobs"), GONE)
        standby.query("SELECT pg_promote()")
        world.assert_unfinished()
        print(f"failover: ready after {world.await_ready():.1f} s")
        world.ends_whole(job)
        assert service.stop() == 0
    finally:
        service.kill()
        emulator.stop()
        standby.stop()
        primary.stop()


def schema_of(database):
    rows = database.query("SELECT table_name, column_name, data_type, column_default, is_nullable FROM information_schema.columns"
                          " WHERE table_schema = 'public' ORDER BY 1, 2")
    return rows, database.query("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1")


def migrate(database):
    return subprocess.Popen([str(BUILD / "bin/vidbatchd"), "migrate"], env={**os.environ, "VIDBATCH_DATABASE_URL": database.url},
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_migrations_that_are_killed_carry_on(stack):
    """kill -9 once another migration is done, two replicas at a time; what comes out is what one undisturbed run makes."""
    whole, database = stack.database(), stack.database()
    assert migrate(whole).wait(60) == 0

    def count():
        with contextlib.suppress(psycopg.errors.UndefinedTable):
            return database.value("SELECT count(*) FROM schema_migration")
        return 0

    reached = [count()]
    while reached[-1] < whole.value("SELECT count(*) FROM schema_migration"):
        pair = [migrate(database), migrate(database)]
        wait_until("a migration", lambda: count() > reached[-1], 60, pause_s=0.001)
        for process in pair:
            process.kill()
            process.wait()
        reached.append(count())
    pair = [migrate(database), migrate(database)]
    assert [p.wait(60) for p in pair] == [0, 0]
    print(f"migrations after each kill: {reached}")
    assert len(reached) > 2, "never killed in between"
    assert schema_of(database) == schema_of(whole)
    assert database.query("SELECT number, checksum FROM schema_migration ORDER BY 1") == whole.query(
        "SELECT number, checksum FROM schema_migration ORDER BY 1")


def test_a_start_without_a_database_ends_with_its_cause(stack):
    """Whatever runs the service starts it again; the password is told to nobody."""
    nowhere = type("Nowhere", (), {"url": "postgresql://vidbatch:pass-of-nobody@127.0.0.1:1/vidbatch"})
    service = stack.service(nowhere, stack.emulator(), start=False).spawn()
    assert service.child.wait(30) == 1
    assert "start.failed" in service.log() and "Connection refused" in service.log() and "pass-of-nobody" not in service.log()
