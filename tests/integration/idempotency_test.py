"""The same request sent again under the same Idempotency-Key: done once, answered with what was said then. And what a prefix refuses while a
job of it is at work."""

import uuid

import pytest


@pytest.fixture(autouse=True)
def clean(emulator):
    yield
    emulator.clear_faults()


@pytest.fixture(scope="module")
def prefix(client, emulator):
    emulator.put_videos("idempotent/", 100)
    return client.wait_scan(client.register("idempotent/")["id"])


def twice(client, path, status, body=None, between=lambda first: None):
    """Sends it, lets `between` happen, sends it again; gives the first answer and the key."""
    key = uuid.uuid4().hex
    first = client.post(path, body, status, headers={"Idempotency-Key": key})
    assert "Idempotency-Replayed" not in first.headers
    between(first.json())
    again = client.post(path, body, status, headers={"Idempotency-Key": key})
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.text == first.text and again.headers["Location"] == first.headers["Location"]
    return first.json(), key


def test_registering(client, emulator, database):
    emulator.put_videos("registered/", 3)
    body = {"bucket": "videos", "prefix": "registered/", "name": "Once"}
    # without the key, the second would be a 409; and the answer is that of then, though the scan has ended meanwhile
    made, key = twice(client, "/v1/prefixes", 201, body, lambda first: client.wait_scan(first["id"]))
    assert made["scan"]["state"] == "queued"
    assert database.value("SELECT count(*) FROM prefix WHERE key_prefix = 'registered/'") == 1
    refused = client.post("/v1/prefixes", {**body, "name": "Twice"}, 422, headers={"Idempotency-Key": key}).json()
    assert refused["code"] == "idempotency_key_reused"
    assert client.get(f"/v1/prefixes/{made['id']}")["name"] == "Once"
    # a refusal is not kept: the same key does its work once the cause is gone
    late = {"Idempotency-Key": uuid.uuid4().hex}
    assert client.post("/v1/prefixes", body, 409, headers=late).json()["existing_id"] == made["id"]
    client.call("DELETE", f"/v1/prefixes/{made['id']}", 204)
    fresh = client.post("/v1/prefixes", body, 201, headers=late)
    assert "Idempotency-Replayed" not in fresh.headers and fresh.json()["id"] != made["id"]


def test_scanning(client, prefix):
    scanned = {}
    twice(client, f"/v1/prefixes/{prefix['id']}/scan", 202, between=lambda first: scanned.update(client.wait_scan(prefix["id"])))
    assert client.get(f"/v1/prefixes/{prefix['id']}") == scanned  # no other scan was queued
    # the key belongs to this path: elsewhere it is another key
    other = client.register("idempotent/other/")
    _, key = twice(client, f"/v1/prefixes/{prefix['id']}/scan", 202)
    answer = client.post(f"/v1/prefixes/{other['id']}/scan", want=202, headers={"Idempotency-Key": key})
    assert "Idempotency-Replayed" not in answer.headers and answer.json()["id"] == other["id"]
    client.wait_scan(prefix["id"])
    client.wait_scan(other["id"])


def test_cancelling(client, emulator, prefix, database):
    emulator.fault(job={"hold": True})
    job = client.launch(prefix["id"], select="all")
    client.wait_job(job["id"], ("running",))

    def end(first):
        assert first["state"] == "cancelling"
        emulator.clear_faults()
        client.wait_job(job["id"])

    twice(client, f"/v1/jobs/{job['id']}/cancel", 202, between=end)  # without the key, the second would be a 409
    assert client.get(f"/v1/jobs/{job['id']}")["state"] == "cancelled"
    asked = "SELECT count(*) FROM event e JOIN job j ON j.id = e.job_id WHERE e.kind = 'job.cancelling'"
    assert database.value(asked) == 1


def test_reading_again(client, prefix, database):
    job = client.wait_job(client.launch(prefix["id"], select="all")["id"])
    twice(client, f"/v1/jobs/{job['id']}/reingest", 202, between=lambda first: client.wait_job(job["id"]))
    assert client.wait_job(job["id"])["counts"] == job["counts"]
    assert database.value("SELECT max(ingest_round) FROM shard") == 2


def test_a_prefix_stays_while_a_job_of_it_is_active(client, emulator, prefix):
    emulator.fault(job={"hold": True})
    job = client.launch(prefix["id"], select="all")
    client.wait_job(job["id"], ("running",))
    assert client.call("DELETE", f"/v1/prefixes/{prefix['id']}", 409).json()["code"] == "prefix_in_use"
    assert client.get(f"/v1/prefixes/{prefix['id']}")["id"] == prefix["id"]
    client.post(f"/v1/jobs/{job['id']}/cancel", want=202)
    client.wait_job(job["id"])
    client.call("DELETE", f"/v1/prefixes/{prefix['id']}", 204)
    client.call("GET", f"/v1/prefixes/{prefix['id']}", 404)
    assert client.get(f"/v1/jobs/{job['id']}")["prefix_id"] == prefix["id"]
