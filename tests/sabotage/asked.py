"""One request of each route, keyed as `vidbatchd routes` has it, and what it must reach in the service; a few more of those that have several ways."""

import dataclasses
import itertools
import subprocess
import typing

from tests.sabotage import scenarios
from tests.support.vidbatch import BUILD, make_key, remember_secret, wait_until

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def routes():
    """The service's own table: (route, who may call it)."""
    lines = subprocess.run([BUILD / "bin/vidbatchd", "routes"], check=True, capture_output=True, text=True).stdout.splitlines()
    return {" ".join(line.split()[:2]): line.split()[2] for line in lines}


def public_id(prefix, number):
    text = ""
    for _ in range(11):
        text, number = DIGITS[number % 62] + text, number // 62
    return prefix + text


@dataclasses.dataclass
class Ask:
    """What is filled in for {id}, and a maker of it where each request needs its own; a maker of bodies; what must be reached at least: allocations,
    failures of the database's calls (three a statement) and of libcurl's. Without any call of the database: because the answer is in memory."""

    least: tuple
    thing: typing.Any = None
    body: typing.Callable = lambda: None
    query: str = ""
    caller: typing.Callable = lambda: None
    want: tuple = (200, 201, 202, 204, 302)


class Things:
    """One of each, and makers of those that a request uses up."""

    def __init__(self, world):
        self.world, self.client, self.number = world, world.client, itertools.count()
        world.emulator.fault(job={"name_contains": "", "error_fraction": 0.1, "garbage_lines": 2})
        self.prefix = world.prefix("asked", 110)["id"]
        self.few = world.prefix("asked-few", 3)["id"]
        self.empty = self.client.wait_scan(self.client.register("asked-none/")["id"])["id"]
        job = self.client.wait_job(self.client.launch(self.prefix, prompt="What is it?")["id"])
        world.emulator.clear_faults()
        assert job["state"] == "completed" and job["counts"]["failed"] > 0, job
        self.job, self.plan = job["id"], job["plan_id"]
        self.video = self.client.get(f"/v1/prefixes/{self.prefix}/videos?limit=1")["data"][0]["id"]
        self.summary = self.client.get(f"/v1/jobs/{self.job}/summaries?limit=1")["data"][0]["id"]
        self.operator = None

    def next(self):
        return next(self.number)

    def sql(self, text, *parameters):
        return self.world.database.value(text, *parameters)

    def fresh_prefix(self):
        return self.client.register(f"gone{self.next()}/")["id"]

    def fresh_plan(self):
        return self.client.post("/v1/plans", {"prefix_id": self.few, "prompt": f"{self.next()}?"}, 202).json()["id"]

    def fresh_job(self):
        return self.client.launch(self.few, prompt=f"{self.next()}?", below_minimum="wait")["id"]

    def read_job(self):
        """Its output can be read again."""
        return self.client.wait_job(self.job)["id"]

    def dead_task(self):
        return public_id("tsk_", self.sql(
            "INSERT INTO task (kind, subject_id, state, failures, last_error) SELECT 'scan', id, 'dead', 20, 'x' FROM prefix WHERE key_prefix = 'asked-none/'"
            " ON CONFLICT (kind, subject_id) DO UPDATE SET state = 'dead', poked = false, lease_until = NULL, worker = NULL RETURNING id"))

    def own_key(self, scopes=("read",)):
        made = self.client.post("/v1/keys", {"name": f"key {self.next()}", "scopes": list(scopes)}, 201).json()
        remember_secret(made["key"])
        return made

    def fresh_key(self):
        return self.own_key()["id"]

    def fresh_caller(self):
        """Of whom the service knows nothing yet."""
        return self.own_key()["key"]

    def ask_for_keys(self):
        """From here on."""
        self.operator = make_key(self.world.database, "admin", "operator")
        anybody = self.world.service.client()
        wait_until("the service to ask for keys", lambda: anybody.call("GET", "/v1/models").status_code == 401)
        self.client.session.headers["Authorization"] = "Bearer " + self.operator


IN_MEMORY = {"GET /livez", "GET /openapi.yaml", "GET /openapi.json", "GET /v1/models", "GET /readyz"}


def before_keys(t):
    """While nobody is asked for a key."""
    job, few = f"/v1/jobs/{t.job}", t.few
    return {
        "POST /v1/prefixes": Ask((24, 39, 0), body=lambda: {"bucket": "videos", "prefix": f"made{t.next()}/"}),
        "GET /v1/prefixes": Ask((13, 4, 0)),
        "GET /v1/prefixes/{id}": Ask((7, 8, 0), t.prefix),
        "PATCH /v1/prefixes/{id}": Ask((17, 25, 0), t.prefix, lambda: {"name": f"name {t.next()}"}),
        "DELETE /v1/prefixes/{id}": Ask((5, 21, 0), t.fresh_prefix),
        "POST /v1/prefixes/{id}/scan": Ask((12, 41, 0), t.empty),
        "POST /v1/prefixes/{id}/check": Ask((164, 6, 28), t.prefix),
        "GET /v1/prefixes/{id}/videos": Ask((16, 8, 0), t.prefix, query="?limit=20"),
        "POST /v1/prefixes/{id}/uploads": Ask((42, 8, 0), t.prefix, lambda: {"files": [{"name": f"{t.next()}.mp4"}]}),
        "GET /v1/videos/{id}": Ask((9, 8, 0), t.video),
        "GET /v1/videos/{id}/content": Ask((24, 4, 0), t.video),
        "POST /v1/plans": Ask((23, 56, 0), body=lambda: {"prefix_id": t.prefix, "prompt": f"{t.next()}?"}),
        "GET /v1/plans": Ask((13, 24, 0), query="?limit=2"),
        "GET /v1/plans/{id}": Ask((8, 13, 0), t.plan),
        "DELETE /v1/plans/{id}": Ask((5, 17, 0), t.fresh_plan),
        "GET /v1/plans/{id}/videos": Ask((15, 8, 0), t.plan, query="?limit=20"),
        "POST /v1/jobs": Ask((25, 47, 0), body=lambda: {"prefix_id": few, "prompt": f"{t.next()}?", "below_minimum": "wait"}),
        "GET /v1/jobs": Ask((15, 8, 0)),
        "GET /v1/jobs/{id}": Ask((8, 12, 0), t.job),
        "POST /v1/jobs/{id}/cancel": Ask((12, 30, 0), t.fresh_job),
        "POST /v1/jobs/{id}/retry": Ask((22, 63, 0), t.job, lambda: {"force": True}),
        "POST /v1/jobs/{id}/reingest": Ask((12, 54, 0), t.read_job),
        "GET /v1/jobs/{id}/shards": Ask((7, 12, 0), t.job),
        "GET /v1/jobs/{id}/records": Ask((15, 8, 0), t.job, query="?limit=20"),
        "GET /v1/jobs/{id}/failures": Ask((13, 8, 0), t.job),
        "GET /v1/jobs/{id}/unread-lines": Ask((7, 8, 0), t.job),
        "GET /v1/jobs/{id}/summaries": Ask((17, 4, 0), t.job, query="?limit=20"),
        "GET /v1/jobs/{id}/report": Ask((12, 17, 0), t.job),
        "POST /v1/imports": Ask((24, 51, 0), body=lambda: {"output_uri": f"s3://videos/none{t.next()}/x/", "model_id": scenarios.MODEL}),
        "GET /v1/summaries": Ask((23, 16, 0), query=f"?q=emulated&job_id={t.job}"),
        "GET /v1/summaries/{id}": Ask((8, 4, 0), t.summary),
        "GET /v1/models": Ask((24, 0, 0)),
        "GET /v1/audit": Ask((12, 4, 0)),
        "GET /v1/tasks": Ask((13, 4, 0)),
        "GET /v1/tasks/{id}": Ask((7, 4, 0), t.dead_task),
        "POST /v1/tasks/{id}/requeue": Ask((12, 45, 0), t.dead_task),
        "GET /livez": Ask((4, 0, 0)),
        "GET /readyz": Ask((4, 0, 0)),
        "GET /metrics": Ask((9, 8, 0)),
        "GET /openapi.yaml": Ask((4, 0, 0)),
        "GET /openapi.json": Ask((4, 0, 0)),
    }


def with_keys(t):
    return {
        "POST /v1/keys": Ask((28, 33, 0), body=lambda: {"name": f"made {t.next()}", "scopes": ["read"]}),
        "GET /v1/keys": Ask((14, 4, 0)),
        "GET /v1/keys/{id}": Ask((8, 4, 0), t.fresh_key()),
        "DELETE /v1/keys/{id}": Ask((7, 12, 0), t.fresh_key),
        "POST /v1/keys/{id}/rotate": Ask((22, 25, 0), t.fresh_key, lambda: {"overlap": "1m"}),
    }


def more_before_keys(t):
    """Other ways of the same routes."""
    return [
        ("GET /v1/jobs/{id}/summaries", Ask((12, 12, 0), t.job, query="?format=csv")),
        ("GET /v1/jobs/{id}/summaries", Ask((16, 12, 0), t.job, query="?format=ndjson")),
        ("GET /v1/summaries", Ask((16, 4, 0))),
        ("GET /v1/jobs", Ask((8, 0, 0), query="?limit=x", want=(400,))),
        ("GET /v1/nothing", Ask((4, 0, 0), want=(404,))),
    ]


def more_with_keys(t):
    return [("GET /v1/models", Ask((31, 9, 0), caller=t.fresh_caller))]
