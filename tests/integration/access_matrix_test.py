"""Who may call what: every route of the table against every kind of key, so that no new route escapes. What is expected follows from the
access level that `vidbatchd routes` prints; a route that this file has no id or no body for fails it."""

import subprocess

import pytest

from tests.support.vidbatch import BUILD, key_id, make_key, remember_secret, wait_until

ROUTES = [line.split() for line in subprocess.run([BUILD / "bin/vidbatchd", "routes"], check=True, capture_output=True, text=True).stdout.splitlines()]
LEVELS = ("read", "run", "admin")
NOBODY = {"none": "key_required", "wrong": "key_invalid", "malformed": "key_malformed", "expired": "key_expired", "revoked": "key_revoked"}
# Routes that tell of everything, so that a key held to places in S3 is refused.
OF_EVERYTHING = {"/metrics"}
ABSENT = "00000000001"


def text_of(number):
    """The digits of a public id."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    text = ""
    for _ in range(11):
        text, number = digits[number % 62] + text, number // 62
    return text


def dead_task(database):
    """A step that was given up, of the latest prefix."""
    return "tsk_" + text_of(database.value("INSERT INTO task (kind, subject_id, state, failures, last_error) SELECT 'scan', max(id), 'dead', 20, 'x' FROM prefix "
                                           "ON CONFLICT (kind, subject_id) DO UPDATE SET state = 'dead' RETURNING id"))


@pytest.fixture(scope="module")
def things(client, emulator, database):
    """One of each, under s3://videos/mine/. Made before the first key, when nobody is asked."""
    emulator.put_videos("mine/", 100)
    prefix = client.wait_scan(client.register("mine/")["id"])["id"]
    job = client.wait_job(client.launch(prefix)["id"])["id"]
    summary = client.get(f"/v1/jobs/{job}/summaries?limit=1")["data"][0]
    return {"prefixes": prefix, "videos": summary["video"]["id"], "plans": "pln_" + job[4:], "jobs": job, "summaries": summary["id"], "tasks": dead_task(database)}


@pytest.fixture(scope="module")
def keys(things, service, database):
    def held(place, *more):
        return make_key(database, "read,run", "held to " + place, "--prefix", place, *more)

    made = {kind: make_key(database, kind, kind) for kind in (*LEVELS, "expired", "revoked") if kind in LEVELS}
    made |= {"expired": make_key(database, "admin", "expired"), "revoked": make_key(database, "admin", "revoked")}
    database.query("UPDATE api_key SET expires_at = now() - interval '1 s' WHERE name = 'expired'")
    database.query("UPDATE api_key SET revoked_at = now() WHERE name = 'revoked'")
    made["none"], made["malformed"] = None, made["admin"][:-1] + ("0" if made["admin"][-1] != "0" else "1")
    made["wrong"] = subprocess.run([BUILD / "bin/vidbatchd", "key", "generate"], check=True, capture_output=True, text=True).stdout.strip()
    made["held here"], made["held elsewhere"] = held("s3://videos/mine/"), held("s3://videos/other/")
    remember_secret(made["wrong"], made["malformed"])
    wait_until("the service to ask for keys", lambda: service.client().call("GET", "/v1/models").status_code == 401, 6)
    return made


@pytest.fixture(scope="module")
def call(service, keys, things, database):
    clients = {kind: service.client(key) for kind, key in keys.items()}
    things["keys"] = key_id(keys["held here"])

    def send(kind, method, template, thing=None, query="", **options):
        collection = template.split("/")[2] if template.startswith("/v1/") else None
        path = template.replace("{id}", thing or things[collection]) if "{" in template else template
        assert "{" not in path, f"this file has no id for {template}"
        return clients[kind].call(method, path + query, **options)

    return send


def expected(kind, level, template):
    """(status, code, scope); status 0: it is let in."""
    if level == "public":
        return 0, None, None
    if kind in NOBODY:
        return 401, NOBODY[kind], None
    has = {"held here": "run", "held elsewhere": "run"}.get(kind, kind)
    if LEVELS.index(has) < LEVELS.index(level):
        return 403, "scope_missing", level
    if kind.startswith("held") and template in OF_EVERYTHING:
        return 403, "key_is_held", None
    if kind == "held elsewhere" and "{id}" in template:
        return 404, "not_found", None
    return 0, None, None


def test_the_matrix(call, keys, counted):
    wrong = []
    judged = 0
    for method, template, level in ROUTES:
        for kind in keys:
            # What changes something is asked with a parameter that it does not know: let in, it is refused before it does anything.
            query = "" if method == "GET" else "?matrix=1"
            answer = call(kind, method, template, query=query)
            status, code, scope = expected(kind, level, template)
            problem = answer.json() if "problem" in answer.headers.get("Content-Type", "") else {}
            if status:
                ok = (answer.status_code, problem.get("code"), problem.get("scope")) == (status, code, scope)
                ok = ok and (status != 401 or answer.headers["WWW-Authenticate"].startswith('Bearer realm="vidbatch"'))
                ok = ok and (status != 401 or ("invalid_token" in answer.headers["WWW-Authenticate"]) == (kind != "none"))
            elif method == "GET":
                ok = answer.status_code in (200, 302)
                head = call(kind, "HEAD", template)
                ok = ok and head.status_code == answer.status_code and head.content == b""
            else:
                ok = (answer.status_code, problem.get("code")) == (400, "unknown_parameter")
            judged += 1
            if not ok:
                wrong.append((method, template, level, kind, answer.status_code, problem.get("code")))
    assert not wrong, wrong
    assert judged == len(ROUTES) * len(keys) and judged >= 400
    counted(f"access matrix: {judged} answers as expected, {len(ROUTES)} routes and {len(keys)} kinds of caller")


def test_what_is_elsewhere_is_answered_as_what_is_nowhere(call, things, counted):
    """Same status, same headers but for what names the request, same body but for the id - also for a broken query, and for every method."""
    differ, judged = [], 0
    for method, template, level in ROUTES:
        if "{id}" not in template or level == "admin":
            continue
        here = things[template.split("/")[2]]
        for query in ("", "?matrix=1", "?limit=none"):
            answers, judged = [], judged + 1
            for thing in (here, here[:4] + ABSENT):
                answer = call("held elsewhere", method, template, thing, query)
                headers = {k: v for k, v in answer.headers.items() if k not in ("Date", "X-Request-Id", "Content-Length")}
                answers.append((answer.status_code, headers, answer.text.replace(thing, "ID")))
            if answers[0] != answers[1] or answers[0][0] != 404:
                differ.append((method, template, query, answers))
    assert not differ and judged, differ
    counted(f"access matrix: {judged} pairs of answers about what is elsewhere and what is nowhere, all alike")


def test_lists_show_only_what_the_key_may_see(call, things):
    for template in ("/v1/prefixes", "/v1/plans", "/v1/jobs", "/v1/summaries", "/v1/summaries?q=emulated", "/v1/summaries?q=emulated&order=best"):
        everything = [item["id"] for item in call("read", "GET", template).json()["data"]]
        assert call("held elsewhere", "GET", template).json()["data"] == [], template
        assert [item["id"] for item in call("held here", "GET", template).json()["data"]] == everything, template
        assert everything or template == "/v1/plans", template
    for query in (f"prefix_id={things['prefixes']}", f"job_id={things['jobs']}", f"prefix_id={things['prefixes']}&q=emulated"):
        assert call("held elsewhere", "GET", "/v1/summaries?" + query).json()["data"] == []
        assert call("held here", "GET", "/v1/summaries?" + query).json()["data"]
    assert call("held elsewhere", "GET", f"/v1/jobs?prefix_id={things['prefixes']}").json()["data"] == []
    assert call("held elsewhere", "GET", f"/v1/plans?prefix_id={things['prefixes']}").json()["data"] == []


def test_every_change_is_written_down(call, things, emulator, database, service, keys, counted):
    """Each route that changes something, done once: its row is there, under the caller's name and with the request's id."""
    admin = service.client(keys["admin"])
    emulator.put_videos("more/", 100)
    made = {}

    def prefix():
        if "prefix" not in made:
            made["prefix"] = admin.wait_scan(admin.register("more/")["id"])["id"]
        return made["prefix"]

    def active_job():
        return admin.launch(prefix(), prompt="Cancelled")["id"]

    def failed_job():
        database.query("UPDATE summary SET state = 'failed', error_reason = 'no_result' WHERE record_id = (SELECT min(record_id) FROM summary)")
        return things["jobs"]

    def fresh_key():
        return admin.post("/v1/keys", {"name": "fresh", "scopes": ["read"]}, 201).json()["id"]

    def fresh_prefix():
        return admin.register("nothing/")["id"]

    def fresh_plan():
        return admin.post("/v1/plans", {"prefix_id": prefix(), "prompt": "?"}, 202).json()["id"]

    output = database.value("SELECT output_uri FROM shard ORDER BY id LIMIT 1")
    changes = {  # route: (what it is done to, body, action)
        "POST /v1/prefixes": (None, {"bucket": "videos", "prefix": "brand-new/"}, "prefix.create"),
        "PATCH /v1/prefixes/{id}": (prefix, {"name": "renamed"}, "prefix.update"),
        "DELETE /v1/prefixes/{id}": (fresh_prefix, None, "prefix.delete"),
        "POST /v1/prefixes/{id}/scan": (fresh_prefix, None, "prefix.scan"),
        "POST /v1/prefixes/{id}/check": (prefix, None, "prefix.check"),
        "POST /v1/prefixes/{id}/uploads": (prefix, {"files": [{"name": "a.mp4"}]}, "prefix.upload"),
        "POST /v1/plans": (None, {"prefix_id": prefix, "prompt": "?"}, "plan.create"),
        "DELETE /v1/plans/{id}": (fresh_plan, None, "plan.delete"),
        "POST /v1/jobs": (None, {"prefix_id": prefix, "prompt": "?"}, "job.create"),
        "POST /v1/jobs/{id}/cancel": (active_job, None, "job.cancel"),
        "POST /v1/jobs/{id}/retry": (failed_job, {"force": True}, "job.retry"),
        "POST /v1/jobs/{id}/reingest": (lambda: things["jobs"], None, "job.reingest"),
        "POST /v1/imports": (None, {"output_uri": output}, "import.create"),
        "POST /v1/keys": (None, {"name": "new", "scopes": ["read"]}, "key.create"),
        "DELETE /v1/keys/{id}": (fresh_key, None, "key.revoke"),
        "POST /v1/keys/{id}/rotate": (fresh_key, {"overlap": "1m"}, "key.rotate"),
        "POST /v1/tasks/{id}/requeue": (lambda: things["tasks"], None, "task.requeue"),
    }
    routes = [f"{m} {t}" for m, t, _ in ROUTES if m != "GET"]
    assert set(routes) == set(changes), "a route that changes something and is not in this list, or the other way round"
    for route in sorted(routes, key=list(changes).index):
        thing, body, action = changes[route]
        body = {k: v() if callable(v) else v for k, v in body.items()} if body is not None else None
        method, template = route.split()
        answer = call("admin", method, template, thing() if thing else None, json=body, headers={"X-Request-Id": action or "check"})
        assert answer.ok, (route, answer.status_code, answer.text)
        rows = admin.get("/v1/audit?limit=50")["data"]
        mine = [r for r in rows if r["request_id"] == (action or "check")]
        assert [(r["action"], r["who"], r["address"]) for r in mine] == ([(action, "admin", "127.0.0.1")] if action else []), (route, mine)
        if mine and answer.content:
            assert mine[0]["subject"] in answer.text or template.endswith("uploads"), (route, mine)
    counted(f"log of changes: {len(changes)} routes that change something, each found in it")
