"""What failed, grouped by cause, with the remedy and whether a retry helps."""

import pytest

from tests.support.vidbatch import wait_until

WORDS = ("cause", "count", "missing", "retry_helps")


@pytest.fixture(autouse=True)
def clean(emulator):
    yield
    emulator.clear_faults()


@pytest.fixture(scope="module")
def prefix(client, emulator):
    emulator.put_videos("mixed/", 200)
    emulator.s3().put_object(Bucket="videos", Key="mixed/notes.mp4", Body=b"no video at all, whatever its suffix says")
    return client.wait_scan(client.register("mixed/")["id"])


def groups(client, job):
    return client.get(f"/v1/jobs/{job['id']}/failures")


NOTES = 12


@pytest.fixture(scope="module")
def with_notes(client, emulator):
    """Several that are no videos: the errors that are drawn by lot below must not hide them all."""
    emulator.put_videos("noted/", 200)
    for n in range(NOTES):
        emulator.s3().put_object(Bucket="videos", Key=f"noted/notes-{n}.mp4", Body=b"no video at all, whatever its suffix says")
    return client.wait_scan(client.register("noted/")["id"])


def test_groups_by_cause(client, emulator, with_notes):
    emulator.fault(job={"error_fraction": 0.1, "missing": 6})
    emulator.fault(op="S3.CopyObject", count=1, action={"status": 403, "code": "AccessDenied"})
    job = client.wait_job(client.launch(with_notes["id"], select="all", preflight="listing")["id"])
    assert job["outcome"] == "partial"
    told = groups(client, job)
    assert told["total"] == job["counts"]["failed"] + job["counts"]["missing"]
    assert (told["failed"], told["missing"]) == (job["counts"]["failed"], job["counts"]["missing"])
    by_cause = {g["cause"]: g for g in told["data"]}
    assert by_cause["input_refused"]["retry_helps"] == "no" and 1 <= by_cause["input_refused"]["count"] <= NOTES
    assert by_cause["model_unavailable"]["retry_helps"] == "yes" and by_cause["model_unavailable"]["count"] >= 15
    assert by_cause["no_result"]["count"] == by_cause["no_result"]["missing"] == 6
    assert (by_cause["source_denied"]["retry_helps"], by_cause["source_denied"]["count"]) == ("after_cure", 1)
    assert len(by_cause["source_denied"]["examples"]) == 1
    assert told["hopeless"] == sum(g["count"] for g in told["data"] if g["retry_helps"] == "no")
    assert [g["count"] for g in told["data"]] == sorted((g["count"] for g in told["data"]), reverse=True)
    records = {r["id"]: r for r in client.pages(f"/v1/jobs/{job['id']}/records?limit=1000")}
    for group in told["data"]:
        assert group["explanation"] and group["remedy"] and 1 <= len(group["examples"]) <= 3
        for example in group["examples"]:
            record = records[example["record_id"]]
            assert (record["error"], record["state"], record["video"]) == (example["error"], example["state"], example["video"])


def test_a_whole_job_that_failed(client, emulator, prefix, service):
    emulator.fault(job={"terminal": "Failed", "message": "Customer doesn't have permissions to invokeModel on x"})
    job = client.wait_job(client.launch(prefix["id"], select="all", preflight="listing")["id"])
    assert job["state"] == "failed" and "bedrock:InvokeModel" in job["error"]["message"]
    (line,) = [line for line in service.log().splitlines() if "bedrock.job_ended" in line]
    assert "status=Failed" in line and "permissions to invokeModel on x" in line and "Give the service role bedrock:InvokeModel" in line
    (group,) = groups(client, job)["data"]
    assert [group[w] for w in WORDS] == ["role_may_not_invoke", 201, 201, "after_cure"]
    assert "bedrock:InvokeModel" in group["remedy"] and len(group["examples"]) == 2


def test_nothing_failed_and_no_such_job(client, prefix, database):
    job = client.wait_job(client.launch(prefix["id"], select="all", preflight="listing")["id"])
    assert groups(client, job)["total"] == 1
    client.call("GET", "/v1/jobs/job_00000000001/failures", 404)
    client.call("GET", f"/v1/jobs/{job['id']}/failures?limit=3", 400)
    tag = client.call("GET", f"/v1/jobs/{job['id']}/failures", 200).headers["ETag"]
    client.call("GET", f"/v1/jobs/{job['id']}/failures", 304, headers={"If-None-Match": tag})


def test_a_job_that_runs(client, emulator, prefix, database):
    emulator.fault(job={"hold": True})
    launched = client.launch(prefix["id"], select="all", preflight="listing")
    wait_until("Bedrock to run it", lambda: client.get(f"/v1/jobs/{launched['id']}")["state"] == "running")
    assert groups(client, launched)["data"] == []
    emulator.control("POST", "release", {"name_contains": ""})
    client.wait_job(launched["id"])
