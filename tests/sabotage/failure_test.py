"""Each allocation and each call of libpq and libcurl made to fail once: an error or another try, and never a crash, a leak, a lost or doubled row, or
a transaction left open. Under AddressSanitizer, which also looks for leaks when the service ends (make nth)."""

import collections
import contextlib
import subprocess
import uuid

import pytest
import requests

from tests.sabotage import asked, calls, scenarios
from tests.sabotage.saboteur import DB_CUT, DB_LOST, DB_REFUSED, MEMORY, NET_LOST, NET_MEMORY, ONE, POINTS, PROGRAM, Control, Sabotaged, inventory
from tests.sabotage.worlds import in_parallel, world_in
from tests.support.agent import Agent
from tests.support.vidbatch import Database, Emulator, wait_until

pytestmark = pytest.mark.long

EVERYTHING = MEMORY | DB_REFUSED | DB_CUT | DB_LOST | NET_MEMORY | NET_LOST
QUICK = {"VIDBATCH_RETRY_BASE": "5ms", "VIDBATCH_RETRY_CAP": "10ms", "VIDBATCH_SHARD_RECORDS": "220", "VIDBATCH_WORKERS": "3"}
STREAMS = (
    (scenarios.copies, scenarios.plans, scenarios.keys),
    (scenarios.in_place, scenarios.on_demand, scenarios.imports, scenarios.waits),
    (scenarios.refusals, scenarios.cancels, scenarios.trouble),
)


def fail_at_points(folder, points, stream, kinds):
    with world_in(folder, points, **QUICK) as world:
        world.service.keep()
        scenarios.wait_until("the service", world.service.answers)
        world.service.control.arm(POINTS, EVERYTHING, " ".join([*kinds, "idle"]))
        for scenario in stream:
            scenario(world)
    # Only AWS's own refusals are final: what failed here may pass.
    final = [line for line in world.service.log().splitlines() if " task.failed " in line and "AWS answered" not in line]
    assert final == [], final[:5]
    return world.service.deaths


def test_every_call_of_every_step(tmp_path, counted):
    points = tmp_path / "points"
    kinds = inventory()["kind"]
    deaths = sum(in_parallel(fail_at_points, *((tmp_path / f"stream{n}", points, stream, kinds) for n, stream in enumerate(STREAMS))))
    found = [line.split() for line in points.read_text().splitlines()]
    counted(f"{len(found)} calls failed: {dict(collections.Counter(point[1] for point in found))}, by step {dict(collections.Counter(point[0] for point in found))}")
    assert deaths == 0
    assert [kind for kind in kinds if kind not in {point[0] for point in found}] == []
    met = {word for point in found for word in point}
    assert calls.wrapped() - met - calls.AT_START - calls.FOR_CREDENTIALS == set(), "these calls are made to fail, but were never met"


def test_every_imported_function_is_judged(counted):
    """libpq's and libcurl's."""
    imported, wrapped = calls.imported(), calls.wrapped()
    judged = wrapped | set(calls.BEHIND) | set(calls.SPARED)
    assert len(imported) > 50 and imported - judged == set(), "calls that nobody makes fail, and of which nobody says why not"
    assert (set(calls.BEHIND) | set(calls.SPARED)) - imported == set(), "of these nobody needs to say anything any more"
    assert set(calls.BEHIND) & set(calls.SPARED) == set() and wrapped & set(calls.SPARED) == set()
    callers = calls.callers()
    for name, (file, doors) in calls.BEHIND.items():
        assert set(doors) <= wrapped, name
        assert callers[name] == {file}, f"{name} is called past {doors}"
    counted(f"{len(imported)} functions of libpq and libcurl: {len(imported & wrapped)} made to fail, {len(calls.BEHIND)} behind others that are, "
            f"{len(calls.SPARED)} that cannot, or at which nobody looks")


def fail_starts(folder, points):
    """It starts all the same, or says why not and ends."""
    database, emulator = Database(), Emulator(folder).start()
    service = Sabotaged(folder / "world", database, emulator, points, **QUICK)
    ends = collections.Counter()
    try:
        while True:
            service.control.arm(ONE, EVERYTHING, "start", "start")
            service.spawn()
            service.port = None

            def is_up_or_over():
                with contextlib.suppress(AssertionError):
                    return service._listens()
                return True

            wait_until("a start", is_up_or_over)
            fired = service.control.fired
            service.control.disarm()
            status = service.stop()
            point = points.read_text().splitlines()[-1].split()
            assert status in (0, 1, 2) and (status == 0 or fired), service.log()[-3000:]
            if not fired:
                break
            assert status != 0 or calls.AT_START.isdisjoint(point), point
            ends[status] += 1
    finally:
        service.kill()
        emulator.stop()
        database.drop()
    return ends


class Asker:
    """Makes each call of a request fail once, one a request."""

    def __init__(self, world, things):
        self.world, self.things, self.control = world, things, world.service.control
        self.session = requests.Session()
        self.counts = collections.Counter()
        self.reached = {}

    def ask(self, method, path, body, headers):
        try:
            return self.session.request(method, self.world.service.url + path, json=body, timeout=20, allow_redirects=False, headers=headers)
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            return None

    def one(self, route, ask):
        """What makes the request, unlike any before it."""
        method, path = route.split()
        thing = ask.thing() if callable(ask.thing) else ask.thing
        assert ("{" in path) == (thing is not None), f"{route}: what is {{id}}?"
        key = ask.caller() or self.things.operator
        headers = {"Authorization": "Bearer " + key} if key else {}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        return method, path.replace("{id}", thing or "") + ask.query, ask.body(), headers

    def fail_each(self, route, ask, label):
        kinds = collections.Counter()
        while True:
            one = self.one(route, ask)
            self.control.arm(ONE, EVERYTHING, "request io", label)
            answer = self.ask(*one)
            self.control.disarm()
            if not self.control.fired:
                break
            kinds[self.control.last] += 1
            assert kinds.total() < 1000, route
            self.judge(route, answer)
            if answer is None or answer.status_code >= 500:  # the same request again, unhurt
                answer = self.ask(*one)
                assert answer is not None and answer.status_code < 500, (route, kinds, answer and answer.text)
        assert answer is not None and answer.status_code in ask.want, (route, answer and (answer.status_code, answer.text))
        self.judge_reach(route, ask, (kinds[MEMORY], sum(kinds[kind] for kind in (DB_REFUSED, DB_CUT, DB_LOST)), kinds[NET_MEMORY] + kinds[NET_LOST]))

    def judge(self, route, answer):
        """Cut off where nothing can be said any more, absorbed, or a problem that says what is wrong."""
        if answer is None:
            self.counts["cut off"] += 1
        elif answer.status_code < 500:
            self.counts["absorbed"] += 1
        else:
            assert answer.status_code in (500, 502, 503) and answer.headers["Content-Type"] == "application/problem+json", (route, answer.text)
            assert answer.json()["code"], answer.text
            self.counts[answer.status_code] += 1

    def judge_reach(self, route, ask, reached):
        self.reached.setdefault(route, []).append(reached)
        assert all(got >= least for got, least in zip(reached, ask.least)), f"{route} reaches {reached}, which is less than {ask.least}"
        assert ask.least[0] > 0 and (ask.least[1] > 0 or route in asked.IN_MEMORY or ask.want[0] >= 400), route

    def fail_all(self, table, more):
        for n, (route, ask) in enumerate([*table.items(), *more]):
            self.fail_each(route, ask, f"{route.replace(' ', ':')}{'+' * (n >= len(table))}{ask.query}")
            open_ones = self.world.database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'vidbatchd http'"
                                                  " AND starts_with(state, 'idle in transaction')")
            assert open_ones == 0, route


def fail_credentials(folder, points):
    """Of a container's agent, while the settings name the machine's metadata too: an answer that is lost is asked for again, and a short memory is no
    mistake in the settings."""
    emulator, control = Emulator(folder).start(), Control(folder)
    agent = Agent(emulator, folder / "token")
    env = {"AWS_REGION": "us-east-1", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", **agent.settings(),
           "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9/", "SABOTAGE_CONTROL": str(control.path), "SABOTAGE_POINTS": str(points)}
    ends = collections.Counter()
    try:
        while True:
            control.arm(ONE, MEMORY | NET_MEMORY | NET_LOST, "start", "start")
            shown = subprocess.run([PROGRAM, "credentials"], env=env, capture_output=True, text=True, timeout=60)
            if not control.fired:
                break
            assert shown.returncode in (0, 1, 2), shown
            assert shown.returncode == 0 or "memory" in shown.stderr, (points.read_text().splitlines()[-1], shown)
            assert not any(text in shown.stderr for text in ("Sanitizer", "runtime error")), shown.stderr
            ends[shown.returncode] += 1
    finally:
        agent.stop()
        emulator.stop()
    assert shown.returncode == 0 and "container" in shown.stdout, shown
    return ends


def test_every_call_of_a_start(tmp_path, counted):
    """Of the service, and of the command that looks for credentials: what both do, such as reading the settings, fails once."""
    points = tmp_path / "points"
    starts, looks = (fail(tmp_path / fail.__name__, points) for fail in (fail_starts, fail_credentials))
    found = [line.split() for line in points.read_text().splitlines()]
    assert len(found) == starts.total() + looks.total()
    counted(f"{starts.total()} calls of a start failed, it ended with {dict(starts)}; {looks.total()} calls more of a search for credentials, {dict(looks)}")
    assert {word for point in found for word in point} >= calls.AT_START | calls.FOR_CREDENTIALS


def test_every_call_of_every_request(tmp_path, counted):
    with world_in(tmp_path / "world", tmp_path / "points", **QUICK) as world:
        world.service.keep()
        scenarios.wait_until("the service", world.service.answers)
        world.given_up = 1000  # imports of what is not there, retries of too few
        things = asked.Things(world)
        first = asked.before_keys(things)
        asker = Asker(world, things)
        asker.fail_all(first, asked.more_before_keys(things))
        jobs = world.client.pages("/v1/jobs?limit=100")
        assert len(jobs) > 30
        for job in jobs:
            if job["waiting"]:
                world.client.post(f"/v1/jobs/{job['id']}/cancel", want=202)
        things.ask_for_keys()
        then = asked.with_keys(things)
        asker.fail_all(then, asked.more_with_keys(things))
        twice = world.database.query("SELECT bucket, key_prefix FROM prefix GROUP BY 1, 2 HAVING count(*) > 1")
        assert twice == [], twice
    table = set(asked.routes())
    assert table == set(first) | set(then), f"routes without a request, or requests without a route: {table ^ (set(first) | set(then))}"
    rows = "\n".join(f"  {route:36} {' '.join(map(str, reached))}" for route, reached in asker.reached.items())
    counted(f"{asker.counts.total()} calls of {len(table)} routes failed, and were {dict(asker.counts)}; of memory, database, libcurl:\n{rows}")
    assert world.service.deaths == 0
