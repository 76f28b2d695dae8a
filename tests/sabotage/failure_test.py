"""Each allocation and each call of libpq and libcurl made to fail once: an error or another try, and never a crash, a leak, a lost or doubled row, or
a transaction left open. Under AddressSanitizer, which also looks for leaks when the service ends (make nth)."""

import collections
import itertools
import uuid

import pytest
import requests

from tests.sabotage import scenarios
from tests.sabotage.saboteur import DB_CUT, DB_LOST, DB_REFUSED, MEMORY, NET_LOST, NET_MEMORY, NTH, POINTS, inventory
from tests.sabotage.worlds import in_parallel, world_in

pytestmark = pytest.mark.long

EVERYTHING = MEMORY | DB_REFUSED | DB_CUT | DB_LOST | NET_MEMORY | NET_LOST
QUICK = {"VIDBATCH_RETRY_BASE": "10ms", "VIDBATCH_RETRY_CAP": "50ms", "VIDBATCH_SHARD_RECORDS": "220", "VIDBATCH_WORKERS": "3"}
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


def test_every_call_of_every_step(tmp_path):
    points = tmp_path / "points"
    kinds = inventory()["kind"]
    deaths = sum(in_parallel(fail_at_points, *((tmp_path / f"stream{n}", points, stream, kinds) for n, stream in enumerate(STREAMS))))
    found = [line.split() for line in points.read_text().splitlines()]
    print(f"{len(found)} calls failed: {dict(collections.Counter(point[1] for point in found if point[1] in ('memory', 'refused', 'cut', 'lost')))}, "
          f"by step {dict(collections.Counter(point[0] for point in found))}")
    assert deaths == 0
    assert [kind for kind in kinds if kind not in {point[0] for point in found}] == []


def paths(world):
    """Each route that reads, with something behind it; and those that do something, with a maker of bodies."""
    client = world.client
    prefix = world.prefix("asked", 110)
    few = world.prefix("asked-few", 3)
    job = world.run(prefix, {"succeeded": 110}, prompt="What is it?")
    video = client.get(f"/v1/prefixes/{prefix['id']}/videos?limit=1")["data"][0]["id"]
    summary = client.get(f"/v1/jobs/{job['id']}/summaries?limit=1")["data"][0]["id"]
    reads = [
        "/v1/prefixes", f"/v1/prefixes/{prefix['id']}", f"/v1/prefixes/{prefix['id']}/videos?limit=20", f"/v1/videos/{video}",
        f"/v1/videos/{video}/content", "/v1/plans", f"/v1/plans/{job['plan_id']}", f"/v1/plans/{job['plan_id']}/videos?limit=20", "/v1/jobs",
        f"/v1/jobs/{job['id']}", f"/v1/jobs/{job['id']}/shards", f"/v1/jobs/{job['id']}/records?limit=20", f"/v1/jobs/{job['id']}/failures",
        f"/v1/jobs/{job['id']}/summaries?limit=20", f"/v1/jobs/{job['id']}/summaries?format=csv", f"/v1/jobs/{job['id']}/summaries?format=ndjson",
        f"/v1/jobs/{job['id']}/report", f"/v1/summaries?q=emulated&job={job['id']}", f"/v1/summaries/{summary}", "/v1/models", "/livez", "/readyz", "/metrics", "/openapi.yaml",
        "/openapi.json", "/v1/nothing", "/v1/jobs?limit=x",
    ]
    number = itertools.count()
    writes = [
        ("POST", "/v1/prefixes", lambda: {"bucket": "videos", "prefix": f"made{next(number)}/"}),
        ("PATCH", f"/v1/prefixes/{prefix['id']}", lambda: {"name": f"name {next(number)}"}),
        ("POST", f"/v1/prefixes/{prefix['id']}/scan", lambda: None),
        ("POST", f"/v1/prefixes/{prefix['id']}/check", lambda: None),
        ("POST", f"/v1/prefixes/{prefix['id']}/uploads", lambda: {"files": [{"name": f"{next(number)}.mp4"}]}),
        ("POST", "/v1/plans", lambda: {"prefix_id": prefix["id"], "prompt": f"{next(number)}?"}),
        ("POST", "/v1/jobs", lambda: {"prefix_id": few["id"], "prompt": f"{next(number)}?", "below_minimum": "wait"}),
        ("POST", f"/v1/jobs/{job['id']}/retry", lambda: None),
        ("POST", f"/v1/jobs/{job['id']}/cancel", lambda: None),
        ("POST", f"/v1/jobs/{job['id']}/reingest", lambda: None),
        ("POST", "/v1/imports", lambda: {"output_uri": f"s3://videos/none{next(number)}/x/", "model_id": scenarios.MODEL}),
    ]
    return [("GET", path, lambda: None) for path in reads] + writes


class Asker:
    def __init__(self, world):
        self.world, self.control = world, world.service.control
        self.session = requests.Session()
        self.counts = collections.Counter()

    def ask(self, method, path, body, key):
        try:
            answer = self.session.request(method, self.world.service.url + path, json=body, timeout=20, allow_redirects=False,
                                          headers={"Idempotency-Key": key} if method == "POST" else {})
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            return None
        return answer

    def fail_each(self, method, path, make, what):
        # An examination makes dozens of calls to AWS, each with the same allocations: every 16th of them.
        for n in itertools.count(1, 16 if path.endswith("/check") else 1):
            body, key = make(), str(uuid.uuid4())
            self.control.arm(NTH, what, "request io", n)
            answer = self.ask(method, path, body, key)
            self.control.disarm()
            if not self.control.fired:
                break
            assert n < 1000, (method, path)
            self.counts["failed calls"] += 1
            self.judge(method, path, answer)
            if answer is None or answer.status_code >= 500:  # the same request again, unhurt
                answer = self.ask(method, path, body, key)
                assert answer is not None and answer.status_code < 500, (method, path, what, n, answer and answer.text)
        assert answer is not None and answer.status_code < 500, (method, path, what, n, answer and answer.text)

    def judge(self, method, path, answer):
        """Cut off where nothing can be said any more, absorbed, or a problem that says what is wrong."""
        if answer is None:
            self.counts["cut off"] += 1
        elif answer.status_code < 500:
            self.counts["absorbed"] += 1
        else:
            assert answer.status_code in (500, 502, 503) and answer.headers["Content-Type"] == "application/problem+json", (method, path, answer.text)
            assert answer.json()["code"], answer.text
            self.counts[answer.status_code] += 1


def test_every_call_of_every_request(tmp_path):
    with world_in(tmp_path / "world", tmp_path / "points", **QUICK) as world:
        world.service.keep()
        scenarios.wait_until("the service", world.service.answers)
        world.given_up = 1000  # imports of what is not there
        asker = Asker(world)
        for method, path, make in paths(world):
            for what in (MEMORY, DB_REFUSED, DB_CUT, DB_LOST, NET_MEMORY, NET_LOST):
                asker.fail_each(method, path, make, what)
            open_ones = world.database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'vidbatchd http'"
                                             " AND starts_with(state, 'idle in transaction')")
            assert open_ones == 0, (method, path)
        jobs = world.client.pages("/v1/jobs?limit=100")
        assert len(jobs) > 30
        for job in jobs:
            if job["waiting"]:
                world.client.post(f"/v1/jobs/{job['id']}/cancel", want=202)
        twice = world.database.query("SELECT bucket, key_prefix FROM prefix GROUP BY 1, 2 HAVING count(*) > 1")
        assert twice == [], twice
    print(f"{asker.counts.pop('failed calls')} calls of requests failed, and were {dict(asker.counts)}")
    assert world.service.deaths == 0
