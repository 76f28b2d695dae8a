"""SIGTERM ends the service within ten seconds, whatever its threads wait for; what can still be answered is."""

import threading
import time

import psycopg
import pytest

from tests.support.vidbatch import wait_until

PROMISE_S = 10

pytestmark = pytest.mark.alone


class Asking(threading.Thread):
    """One request, whose answer may take its time."""

    def __init__(self, service, method, path, **options):
        super().__init__(daemon=True)
        self.client, self.arguments, self.options = service.client(), (method, path), options
        self.answer, self.error = None, None
        self.start()

    def run(self):
        try:
            self.answer = self.client.call(*self.arguments, **self.options)
        except Exception as error:  # told by the test's thread
            self.error = error

    def result(self):
        self.join(30)
        assert self.error is None and self.answer is not None, self.error
        return self.answer


def waiting(database, application, what="Lock"):
    """Connections of this part of the service that wait for a lock, or (Timeout) sleep."""
    return database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = %s"
                          " AND application_name = %s", what, f"vidbatchd {application}")


def stop_in_time(service):
    started = time.monotonic()
    assert service.stop() == 0, service.log()[-3000:]
    took = time.monotonic() - started
    assert took < PROMISE_S, f"{took:.1f} s\n{service.log()[-3000:]}"
    print(f"{took:.1f} s")


class Ending(threading.Thread):
    """SIGTERM while the test goes on; result() fails as stop_in_time does."""

    def __init__(self, service):
        super().__init__(daemon=True)
        self.service, self.error = service, None
        self.start()
        wait_until("the stop to begin", lambda: "stop.begins" in service.log())

    def run(self):
        try:
            stop_in_time(self.service)
        except AssertionError as error:
            self.error = error

    def result(self):
        self.join(60)
        assert self.error is None, self.error


def refusal(client, path):
    answer = client.call("GET", path)
    return answer.json() if answer.status_code == 503 else None


def test_handlers_in_a_long_query_are_interrupted(stack):
    database, emulator = stack.database(), stack.emulator()
    service = stack.service(database, emulator)
    client = service.client()
    made = client.wait_scan(client.register("videos/")["id"])
    database.query("CREATE OR REPLACE FUNCTION epoch_ms(timestamptz) RETURNS int8 LANGUAGE sql AS 'SELECT 1::int8 FROM pg_sleep(60)'")
    stuck = [Asking(service, "GET", f"/v1/prefixes/{made['id']}") for _ in range(3)]
    wait_until("the queries to sleep", lambda: waiting(database, "http", "Timeout") == 3)
    ending = Ending(service)
    # on a connection that is open already
    late = wait_until("a late request to be refused", lambda: refusal(client, "/v1/models"))
    assert late["code"] == "shutting_down"
    ending.result()
    # nobody keeps asking the database for somebody who is gone
    wait_until("the queries to end", lambda: waiting(database, "http", "Timeout") == 0, timeout_s=5)
    for asking in stuck:
        answer = asking.result()
        assert answer.status_code == 503 and answer.json()["code"] == "shutting_down"


def test_what_is_answered_in_the_grace_is_answered(stack):
    database, emulator = stack.database(), stack.emulator()
    service = stack.service(database, emulator)
    client = service.client()
    made = client.wait_scan(client.register("videos/")["id"])
    with psycopg.connect(database.url) as holder:
        holder.execute("LOCK TABLE video")
        asking = [Asking(service, "GET", f"/v1/prefixes/{made['id']}/videos") for _ in range(3)]
        wait_until("the queries to stand at the lock", lambda: waiting(database, "http") == 3)
        ending = Ending(service)
        holder.rollback()
    assert [a.result().status_code for a in asking] == [200, 200, 200]
    ending.result()
    assert "http.stop_cut" not in service.log()


def test_a_step_in_a_long_statement_is_interrupted_and_given_back(stack):
    database, emulator = stack.database(), stack.emulator()
    emulator.put_videos("videos/", 5)
    service = stack.service(database, emulator)
    with psycopg.connect(database.url) as holder:
        holder.execute("LOCK TABLE video IN SHARE MODE")
        made = service.client().register("videos/")
        wait_until("the scan to stand at the lock", lambda: waiting(database, "work") > 0)
        stop_in_time(service)
        assert "worker.left" not in service.log()
        assert database.value("SELECT state FROM task WHERE kind = 'scan'") == "ready"
    service.start()
    assert service.client().wait_scan(made["id"])["video_count"] == 5


def test_both_at_once(stack):
    database, emulator = stack.database(), stack.emulator()
    emulator.put_videos("videos/", 5)
    service = stack.service(database, emulator)
    client = service.client()
    empty = client.wait_scan(client.register("nothing/")["id"])
    with psycopg.connect(database.url) as holder:
        holder.execute("LOCK TABLE video")
        client.register("videos/")
        stuck = Asking(service, "GET", f"/v1/prefixes/{empty['id']}/videos")
        wait_until("both to stand at the lock", lambda: waiting(database, "work") > 0 and waiting(database, "http") > 0)
        stop_in_time(service)
    assert stuck.result().status_code == 503
