"""API keys from the first to the last: how they are made, what they open, how they end, and what is written down of it."""

import subprocess
import time

import pytest
import requests

from tests.support.vidbatch import BUILD, Service, key_command, key_id, make_key, remember_secret, wait_until


def codes(client, method="GET", path="/v1/jobs", **headers):
    answer = client.call(method, path, headers=headers)
    return answer.status_code, answer.json().get("code")


def wrong_secret(key):
    """A whole key with a good checksum that nobody has: another one's secret under this one's id can't be made by hand, so a fresh one."""
    made = subprocess.run([BUILD / "bin/vidbatchd", "key", "generate"], capture_output=True, text=True, check=True).stdout.strip()
    assert made[3:14] != key[3:14]
    return made


@pytest.fixture(scope="module")
def admin_key(database, service):
    """The service of this file was open until this key was made on the command line."""
    assert service.client().call("GET", "/v1/jobs", 200)
    key = make_key(database, "admin", "operator")
    wait_until("the service to ask for keys", lambda: service.client().call("GET", "/v1/jobs").status_code == 401, 6)
    return key


@pytest.fixture(scope="module")
def admin(service, admin_key):
    return service.client(admin_key)


def test_what_comes_without_a_good_key(client, admin_key, database):
    expired = make_key(database, "read", "expired", "--expires-at", "2999-01-01T00:00:00Z")
    database.query("UPDATE api_key SET expires_at = now() - interval '1 second' WHERE name = 'expired'")
    revoked = make_key(database, "read", "revoked")
    assert key_command(database, "revoke", key_id(revoked)).returncode == 0
    assert codes(client) == (401, "key_required")
    assert codes(client, Authorization="Bearer " + admin_key[:-1]) == (401, "key_malformed")
    assert codes(client, **{"x-api-key": wrong_secret(admin_key)}) == (401, "key_invalid")
    assert codes(client, Authorization="Bearer " + expired) == (401, "key_expired")
    assert codes(client, Authorization="Bearer " + revoked) == (401, "key_revoked")
    assert codes(client, Authorization="Basic abc") == (400, "bad_credentials")
    assert codes(client, Authorization="Bearer " + admin_key, **{"x-api-key": revoked}) == (400, "bad_credentials")
    assert client.call("GET", "/v1/jobs", 200, headers={"x-api-key": admin_key})
    assert client.call("GET", "/livez", 200) and client.call("GET", "/openapi.json", 200)


def test_a_key_is_shown_once_and_only_its_hash_is_kept(admin, database):
    made = admin.post("/v1/keys", {"name": "once", "scopes": ["read"]}, 201).json()
    assert made["id"] == key_id(made["key"]) and made["state"] == "active" and made["prefixes"] is None
    assert "key" not in admin.get(f"/v1/keys/{made['id']}")
    assert all("key" not in listed for listed in admin.pages("/v1/keys?limit=2"))
    secret = made["key"][15:45]
    dump = " ".join(str(row) for table in ("api_key", "audit", "idempotency") for row in database.query(f"SELECT {table}::text FROM {table}"))
    assert secret not in dump and made["key"] not in dump
    assert database.value("SELECT secret_hash = sha256(%s::bytea) FROM api_key WHERE name = 'once'", secret)


def test_a_pasted_key_is_revoked_and_never_printed(admin, database):
    for cut in (51, 40, 15):
        key = make_key(database, "read", "pasted")
        done = key_command(database, "revoke", key[:cut])
        assert done.returncode == 0 and key_id(key) in done.stderr and "vb_" not in done.stdout + done.stderr
        assert database.value("SELECT count(*) FROM api_key WHERE name = 'pasted' AND revoked_at IS NULL") == 0
    for wrong, status in (("vb_short_secret", 2), ("key_short_secret", 2), ("vb_00000000001_secret", 1)):
        done = key_command(database, "revoke", wrong)
        assert done.returncode == status and "secret" not in done.stdout + done.stderr, done.stderr


def test_an_idempotency_key_never_keeps_the_secret(admin, database):
    body, headers = {"name": "twice", "scopes": ["read"]}, {"Idempotency-Key": "make-twice"}
    first = admin.post("/v1/keys", body, 201, headers=headers).json()
    again = admin.post("/v1/keys", body, 201, headers=headers)
    assert again.headers["Idempotency-Replayed"] == "true" and again.json() == {k: v for k, v in first.items() if k != "key"}
    assert first["key"] not in str(database.query("SELECT * FROM idempotency"))


def test_answers_kept_under_an_idempotency_key_are_the_callers_own(admin, service, database, emulator):
    one, other = service.client(make_key(database, "run", "one")), service.client(make_key(database, "run", "other"))
    body, headers = {"bucket": "videos", "prefix": "shared-key/"}, {"Idempotency-Key": "same"}
    made = one.post("/v1/prefixes", body, 201, headers=headers).json()
    assert one.post("/v1/prefixes", body, 201, headers=headers).json()["id"] == made["id"]
    assert other.post("/v1/prefixes", body, 409, headers=headers).json()["code"] == "prefix_exists"


@pytest.mark.parametrize("body, pointer", [
    ({}, "/name"), ({"name": "x"}, "/scopes"), ({"name": "x", "scopes": []}, "/scopes"), ({"name": "x", "scopes": ["write"]}, "/scopes"),
    ({"name": "x", "scopes": [1]}, "/scopes"), ({"name": "x" * 101, "scopes": ["read"]}, "/name"), ({"name": "a\u0001", "scopes": ["read"]}, "/name"),
    ({"name": "x", "scopes": ["read"], "prefixes": ["s3://videos/a"]}, "/prefixes"), ({"name": "x", "scopes": ["read"], "prefixes": ["videos/"]}, "/prefixes"),
    ({"name": "x", "scopes": ["read"], "prefixes": ["s3://BAD_/"]}, "/prefixes"), ({"name": "x", "scopes": ["read"], "prefixes": []}, "/prefixes"),
    ({"name": "x", "scopes": ["read"], "prefixes": ["s3://videos/"] * 33}, "/prefixes"), ({"name": "x", "scopes": ["read"], "models": ["a model"]}, "/models"),
    ({"name": "x", "scopes": ["run"], "monthly_budget": "0"}, "/monthly_budget"), ({"name": "x", "scopes": ["run"], "monthly_budget": 5}, "/monthly_budget"),
    ({"name": "x", "scopes": ["run"], "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"), ({"name": "x", "scopes": ["run"], "expires_at": "soon"}, "/expires_at"),
    ({"name": "x", "scopes": ["admin"], "prefixes": ["s3://videos/"]}, "/scopes"), ({"name": "x", "scopes": ["admin"], "monthly_budget": "1"}, "/scopes"),
    ({"name": "x", "scopes": ["read"], "colour": "red"}, "/colour"),
])
def test_bad_keys_are_told_which_field_and_why(admin, body, pointer):
    problem = admin.post("/v1/keys", body, 422).json()
    assert pointer in [e["pointer"] for e in problem["errors"]] and all(e["detail"] for e in problem["errors"]), problem


def test_rotation_with_and_without_overlap(admin, service, database):
    made = admin.post("/v1/keys", {"name": "turning", "scopes": ["read"]}, 201).json()
    first = made["key"]
    assert service.client(first).call("GET", "/v1/jobs", 200)
    turned = admin.post(f"/v1/keys/{made['id']}/rotate", {"overlap": "1h"}, 200).json()
    assert key_id(turned["key"]) == made["id"] and turned["key"] != first and turned["previous_valid_until"]
    for key in (first, turned["key"]):
        assert service.client(key).call("GET", "/v1/jobs", 200)
    again = admin.post(f"/v1/keys/{made['id']}/rotate", None, 200).json()
    assert again["previous_valid_until"] is None and "key" in again
    assert codes(service.client(first)) == codes(service.client(turned["key"])) == (401, "key_invalid")
    assert service.client(again["key"]).call("GET", "/v1/jobs", 200)
    short = admin.post(f"/v1/keys/{made['id']}/rotate", {"overlap": "300ms"}, 200).json()
    assert service.client(short["key"]).call("GET", "/v1/jobs", 200)
    wait_until("the overlap to end", lambda: codes(service.client(again["key"])) == (401, "key_invalid"), 5)
    for overlap in ("721h", "soon", ""):
        admin.post(f"/v1/keys/{made['id']}/rotate", {"overlap": overlap}, 422)
    admin.call("DELETE", f"/v1/keys/{made['id']}", 204)
    assert admin.post(f"/v1/keys/{made['id']}/rotate", {}, 409).json()["code"] == "key_over"


def test_revoking_here_is_at_once_and_elsewhere_within_five_seconds(admin, service, database, emulator, tmp_path):
    other = Service(tmp_path, database, emulator).start()
    try:
        made = admin.post("/v1/keys", {"name": "short-lived", "scopes": ["read"]}, 201).json()
        here, there = service.client(made["key"]), other.client(made["key"])
        assert here.call("GET", "/v1/jobs", 200) and there.call("GET", "/v1/jobs", 200)
        admin.call("DELETE", f"/v1/keys/{made['id']}", 204)
        began = time.monotonic()
        assert codes(here) == (401, "key_revoked")
        wait_until("the other process to know", lambda: codes(there) == (401, "key_revoked"), 6)
        assert time.monotonic() - began < 5
        admin.call("DELETE", f"/v1/keys/{made['id']}", 204)  # once more changes nothing
        assert database.value("SELECT count(*) FROM audit WHERE action = 'key.revoke' AND subject = %s", made["id"]) == 1
    finally:
        other.kill()


def test_a_request_costs_no_query_of_its_own(admin, service, database):
    client = service.client(make_key(database, "read", "busy"))
    client.call("GET", "/v1/models", 200)

    def scans():
        return database.value("SELECT coalesce(idx_scan, 0) + seq_scan FROM pg_stat_user_tables WHERE relname = 'api_key'")

    # What a connection did is counted when it has been idle for a second, and at the latest when it ends.
    time.sleep(1.2)
    before, began = scans(), time.monotonic()
    for _ in range(300):
        client.call("GET", "/v1/models", 200, judge=False)
    took_s = time.monotonic() - began
    time.sleep(1.2)
    assert scans() - before <= 8 * (1 + took_s), "more than a look now and then"


def test_last_use_is_noted_at_most_once_a_minute(admin, service, database):
    key = make_key(database, "read", "noted")
    client = service.client(key)
    assert admin.get(f"/v1/keys/{key_id(key)}")["last_used_at"] is None
    client.call("GET", "/v1/models", 200)
    first = admin.get(f"/v1/keys/{key_id(key)}")["last_used_at"]
    assert first
    for _ in range(5):
        client.call("GET", "/v1/models", 200)
    assert admin.get(f"/v1/keys/{key_id(key)}")["last_used_at"] == first


def test_changes_are_written_down(admin, admin_key, service, database):
    client = service.client(make_key(database, "run", "worker"))
    answer = client.post("/v1/prefixes", {"bucket": "videos", "prefix": "noted/"}, 201, headers={"X-Request-Id": "my-request"})
    made = answer.json()["id"]
    client.call("PATCH", f"/v1/prefixes/{made}", 200, json={"name": "another"})
    client.post(f"/v1/prefixes/{made}/scan", None, 202)
    client.wait_scan(made)
    client.call("DELETE", f"/v1/prefixes/{made}", 204)
    rows = [r for r in admin.pages("/v1/audit?limit=3") if r["subject"] == made]
    assert [r["action"] for r in rows] == ["prefix.delete", "prefix.scan", "prefix.update", "prefix.create"]
    assert {r["who"] for r in rows} == {"worker"} and {r["address"] for r in rows} == {"127.0.0.1"}
    assert rows[-1]["request_id"] == "my-request" and rows[-1]["key_id"].startswith("key_")
    mine = admin.get(f"/v1/audit?key_id={rows[0]['key_id']}")["data"]
    assert len(mine) == 4
    assert admin.get(f"/v1/audit?key_id={rows[0]['key_id']}&from={rows[2]['at']}&to={rows[0]['at']}")["data"] == mine[1:3]
    # what failed was no change
    client.call("DELETE", f"/v1/prefixes/{made}", 404)
    assert len(admin.get(f"/v1/audit?key_id={rows[0]['key_id']}")["data"]) == 4
    who = {(r["who"], r["action"]) for r in admin.pages("/v1/audit")}
    assert all("@" in r["address"] for r in admin.pages("/v1/audit") if r["who"] == "cli")
    assert {("cli", "key.create"), ("operator", "key.create"), ("operator", "key.rotate"), ("operator", "key.revoke"), ("cli", "key.revoke")} <= who


def test_the_first_key_closes_an_open_service_and_the_last_one_does_not_open_it(stack, emulator):
    service = stack.service(stack.database(), emulator)
    nobody = service.client()
    made = nobody.post("/v1/keys", {"name": "first", "scopes": ["admin"]}, 201).json()
    assert codes(nobody) == (401, "key_required")  # at once
    first = service.client(made["key"])
    assert first.get("/v1/audit")["data"][0]["who"] == "open"
    first.call("DELETE", f"/v1/keys/{made['id']}", 204)
    assert codes(first) == (401, "key_revoked") and codes(nobody) == (401, "key_required")
    service.stop()
    service.start()
    assert codes(service.client()) == (401, "key_required")


def test_an_address_beyond_loopback_needs_a_key(stack, emulator):
    database = stack.database()
    refused = stack.service(database, emulator, start=False, VIDBATCH_LISTEN="0.0.0.0:0")
    refused.spawn().child.wait(30)
    assert refused.child.returncode == 1 and "there is no API key yet" in refused.log() and "vidbatchd key create" in refused.log()
    key = make_key(database, "admin", "first")
    wide = stack.service(database, emulator, VIDBATCH_LISTEN="0.0.0.0:0")
    assert codes(wide.client()) == (401, "key_required") and wide.client(key).call("GET", "/v1/jobs", 200)


def test_a_bootstrap_key(stack, emulator):
    database = stack.database()
    key = subprocess.run([BUILD / "bin/vidbatchd", "key", "generate"], capture_output=True, text=True, check=True).stdout.strip()
    remember_secret(key)
    broken = stack.service(database, emulator, start=False, VIDBATCH_BOOTSTRAP_KEY=key[:-2] + "xx")
    broken.spawn().child.wait(30)
    assert broken.child.returncode == 2 and "VIDBATCH_BOOTSTRAP_KEY=(hidden)" in broken.log() and key[15:40] not in broken.log()
    for _ in range(2):  # the second time it is there
        service = stack.service(database, emulator, VIDBATCH_BOOTSTRAP_KEY=key, VIDBATCH_LISTEN="0.0.0.0:0")
        admin = service.client(key)
        listed = admin.get("/v1/keys")["data"]
        assert [(k["name"], k["scopes"], k["id"]) for k in listed] == [("bootstrap", ["admin"], key_id(key))]
        assert [(r["who"], r["action"]) for r in admin.get("/v1/audit")["data"]] == [("bootstrap", "key.create")]
    admin.call("DELETE", f"/v1/keys/{key_id(key)}", 204)
    service.stop()
    service.start()  # what was revoked does not come back
    assert codes(service.client(key)) == (401, "key_revoked") and "key.bootstrap_is_over" in service.log()


def test_the_command_line(stack):
    database = stack.database()
    assert key_command(database, "create", "--name", "x", "--scopes", "read").returncode == 1  # no tables yet
    for words, why in (
        ([], "usage"), (["dance"], "usage"), (["create", "--name", "x"], "are needed"), (["create", "--scopes", "read", "--name"], "needs a value"),
        (["create", "--name", "x", "--scopes", "read,write"], "read, run or admin"), (["create", "--colour", "red"], "no such option"),
        (["create", "--name", "x", "--scopes", "admin", "--prefix", "s3://b12/"], "itself one"),
        (["create", "--name", "x", "--scopes", "read", "--prefix", "s3://b12"], "slash"), (["revoke", "key_1"], "no id of a key"),
    ):
        said = key_command(database, *words)
        assert said.returncode == 2 and why in said.stderr and not said.stdout, (words, said)
    subprocess.run([BUILD / "bin/vidbatchd", "migrate"], env={"VIDBATCH_DATABASE_URL": database.url}, check=True, capture_output=True)
    key = make_key(database, "read,run", "partner", "--prefix", "s3://videos/a/", "--prefix", "s3://videos/b/", "--model", "amazon.nova-lite-v1:0",
                   "--monthly-budget", "250", "--expires-at", "2999-01-01T00:00:00Z")
    row = database.query("SELECT scopes, prefixes, models, monthly_budget_micros, created_by FROM api_key")[0]
    assert row == (["read", "run"], ["s3://videos/a/", "s3://videos/b/"], ["amazon.nova-lite-v1:0"], 250000000, None)
    listed = key_command(database, "list").stdout
    assert key_id(key) in listed and "active" in listed and "partner" in listed and key not in listed
    assert key_command(database, "revoke", key_id(key)).returncode == 0
    assert "revoked" in key_command(database, "list").stdout
    assert "no key" in key_command(database, "revoke", "key_00000000001").stderr


def test_public_routes_need_no_key_and_unknown_paths_tell_nothing(client, admin_key, service):
    for path in ("/livez", "/readyz", "/openapi.yaml"):
        assert requests.get(service.url + path, headers={"Authorization": "nonsense"}, timeout=30).status_code == 200
    client.call("GET", "/v1/nothing", 404)
    client.call("PUT", "/v1/jobs", 405)


def test_a_database_without_tables(stack):
    for words in (("create", "--name", "first", "--scopes", "admin"), ("list",)):
        refused = key_command(stack.database(), *words)
        assert refused.returncode == 1 and "vidbatchd migrate makes them" in refused.stderr, refused.stderr
