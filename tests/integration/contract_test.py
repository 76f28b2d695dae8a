"""The contract: openapi.yaml against the route table both ways, and what bad input is told."""

import json
import socket
import subprocess

import pytest
import requests
import yaml

from tests.support.vidbatch import BUILD, ROOT


def test_openapi_and_the_route_table_agree(client):
    lines = subprocess.run([BUILD / "bin/vidbatchd", "routes"], check=True, capture_output=True, text=True).stdout.splitlines()
    table = {" ".join(line.split()[:2]): line.split()[2] for line in lines}
    assert set(table) == client.contract.operations()
    # and on who may call each
    assert {route: [] if access == "public" else [{"bearer": [access]}, {"api_key": [access]}] for route, access in table.items()} == client.contract.security()


def test_openapi_is_served_as_it_is(client):
    document = yaml.safe_load((ROOT / "openapi.yaml").read_text())
    assert yaml.safe_load(client.call("GET", "/openapi.yaml", 200).text) == document
    answer = client.call("GET", "/openapi.json", 200)
    assert answer.json() == json.loads(json.dumps(document, default=str))
    assert client.call("GET", "/openapi.json", 304, headers={"If-None-Match": answer.headers["ETag"]}).content == b""


def test_examples_fit_their_schemas(client):
    judged = 0
    for path, item in client.contract.document["paths"].items():
        for method, operation in item.items():
            if method not in ("get", "post", "patch", "delete"):
                continue
            bodies = [operation.get("requestBody", {})] + list(operation["responses"].values())
            for body in bodies:
                for kind, media in client.contract.resolve(body).get("content", {}).items() if body else []:
                    examples = [media["example"]] if "example" in media else [client.contract.resolve(e)["value"] for e in media.get("examples", {}).values()]
                    for example in examples:
                        if "json" in kind and "ndjson" not in kind:
                            client.contract.judge(f"example of {method} {path}", media["schema"], example)
                            judged += 1
    assert judged >= 20


def test_operations(client, prefix):
    assert client.call("GET", "/livez", 200)
    assert client.call("GET", "/readyz", 200)
    metrics = client.call("GET", "/metrics", 200).text
    for name in ("vidbatch_workers ", "vidbatch_steps_total{", "vidbatch_aws_calls_total{", "vidbatch_http"):
        assert name in metrics
    models = client.get("/v1/models")["data"]
    assert {"amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0"} <= {m["id"] for m in models}


@pytest.fixture(scope="module")
def prefix(client, emulator):
    emulator.put_videos("contract/", 100)
    return client.wait_scan(client.register("contract/")["id"])


def bad_jobs(prefix):
    good = {"prefix_id": prefix, "prompt": "?"}
    return [
        ({}, 422, "/prefix_id"), ({**good, "prompt": 7}, 422, "/prompt"), ({**good, "prompt": ""}, 422, "/prompt"),
        ({**good, "colour": "red"}, 422, "/colour"), ({**good, "a/b~c": 1}, 422, "/a~1b~0c"), ({**good, "prefix_id": "pfx_nonsense"}, 422, "/prefix_id"),
        ({**good, "prefix_id": "pfx_0000000000z"}, 422, "/prefix_id"), ({**good, "inference": {"max_tokens": 0}}, 422, "/inference/max_tokens"),
        ({**good, "inference": {"max_tokens": "600"}}, 422, "/inference/max_tokens"), ({**good, "inference": []}, 422, "/inference"),
        ({**good, "inference": {"heat": 1}}, 422, "/inference/heat"), ({**good, "model_id": "amazon.nova-micro-v1:0"}, 422, "/model_id"),
        ({**good, "model_id": "a model"}, 422, "/model_id"), ({**good, "select": "some"}, 422, "/select"), ({**good, "metadata": "text"}, 422, "/metadata"),
        ({**good, "staging": "beside"}, 422, "/staging"),
    ]


@pytest.mark.parametrize("number", range(16))
def test_bad_jobs_are_told_which_field_and_why(client, prefix, number, database):
    body, status, pointer = bad_jobs(prefix["id"])[number]
    problem = client.post("/v1/jobs", body, status).json()
    assert pointer in [e["pointer"] for e in problem["errors"]], problem
    assert all(e["detail"] for e in problem["errors"])
    assert database.value("SELECT count(*) FROM job") == 0


def test_all_problems_at_once(client, prefix):
    problem = client.post("/v1/jobs", {"prefix_id": 1, "prompt": 2, "x": 3}, 422).json()
    assert {e["pointer"] for e in problem["errors"]} >= {"/prefix_id", "/prompt", "/x"}


@pytest.mark.parametrize(
    "method, path, options, status, code",
    [
        ("GET", "/v1/nothing", {}, 404, None),
        ("GET", "/v1/jobs/job_0000000000z", {}, 404, None),
        ("GET", "/v1/jobs/nonsense", {}, 404, None),
        ("GET", "/v1/jobs?after=%21%21", {}, 400, "bad_cursor"),
        ("GET", "/v1/jobs?after=AAAA", {}, 400, "bad_cursor"),
        ("GET", "/v1/jobs?limit=0", {}, 400, None),
        ("GET", "/v1/jobs?limit=1001", {}, 400, None),
        ("GET", "/v1/jobs?limit=ten", {}, 400, None),
        ("GET", "/v1/jobs?colour=red", {}, 400, None),
        ("GET", "/v1/jobs?limit=1&limit=2", {}, 400, None),
        ("GET", "/v1/jobs?limit=%zz", {}, 400, None),
        ("POST", "/v1/jobs", {"data": b"{", "headers": {"Content-Type": "application/json"}}, 400, None),
        ("POST", "/v1/jobs", {"data": b"[]", "headers": {"Content-Type": "application/json"}}, 400, None),
        ("POST", "/v1/jobs", {"data": b"{}", "headers": {"Content-Type": "text/plain"}}, 415, None),
        ("POST", "/v1/jobs", {"data": b'{"a":1,"a":2}', "headers": {"Content-Type": "application/json"}}, 400, None),
        ("POST", "/v1/jobs", {"data": b"[" * 100000, "headers": {"Content-Type": "application/json"}}, 400, None),
        ("POST", "/v1/jobs", {"data": b'"' + b"x" * 5_000_000, "headers": {"Content-Type": "application/json"}}, 413, None),
        ("POST", "/v1/prefixes", {"json": {"bucket": "Not A Bucket", "prefix": ""}}, 422, None),
        ("POST", "/v1/prefixes", {"json": {"bucket": "videos", "prefix": "x" * 1025}}, 422, None),
        ("POST", "/v1/prefixes", {"json": {"bucket": "videos", "prefix": "", "region": "eu-west-1"}}, 422, None),
        ("POST", "/v1/prefixes", {"json": {"bucket": "videos", "prefix": "", "suffixes": ["mp4"]}}, 422, None),
        ("POST", "/v1/prefixes", {"json": {"bucket": "videos", "prefix": "", "bucket_owner": "12"}}, 422, None),
        ("POST", "/v1/jobs", {"json": {"prefix_id": "pfx_0000000000z", "prompt": "?"}, "headers": {"Idempotency-Key": "x" * 300}}, 400, None),
        ("GET", "/v1/summaries?job_id=nonsense", {}, 400, None),
    ],
)
def test_nonsense_gets_a_problem(client, method, path, options, status, code):
    answer = client.call(method, path, status, **options)
    problem = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == status and problem["detail"] and problem["title"] and problem["code"]
    assert code is None or problem["code"] == code
    assert answer.headers["X-Request-Id"]


def test_methods(client):
    answer = client.call("DELETE", "/v1/jobs", 405)
    assert {m.strip() for m in answer.headers["Allow"].split(",")} >= {"GET", "HEAD", "POST"}
    assert client.call("HEAD", "/v1/jobs", 200).content == b""


def test_request_id_is_ours_or_the_callers(client):
    assert client.call("GET", "/livez", 200, headers={"X-Request-Id": "abc-1"}).headers["X-Request-Id"] == "abc-1"
    assert client.call("GET", "/livez", 200, headers={"X-Request-Id": "no blanks allowed"}).headers["X-Request-Id"] != "no blanks allowed"


@pytest.mark.parametrize(
    "raw",
    [b"GARBAGE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
     b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 200000 + b"\r\n\r\n", b"\x00\x01\x02\r\n\r\n", b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n"],
)
def test_broken_http_breaks_nothing(client, service, raw):
    with socket.create_connection(("127.0.0.1", service.port), 10) as connection:
        connection.settimeout(10)
        try:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except OSError:
            pass
    assert requests.get(service.url + "/livez", timeout=10).status_code == 200


def test_settings_are_judged_at_start():
    good = {"VIDBATCH_DATABASE_URL": "postgresql://x/y", "AWS_REGION": "us-east-1"}

    def check(**settings):
        return subprocess.run([BUILD / "bin/vidbatchd", "--check"], env={**good, **settings}, capture_output=True, text=True)

    assert check().returncode == 0
    shown = check(VIDBATCH_DATABASE_URL="postgresql://u:sesame@x/y", AWS_ACCESS_KEY_ID="AKID", AWS_SECRET_ACCESS_KEY="sesame")
    assert shown.returncode == 0 and "sesame" not in shown.stdout + shown.stderr
    for name, value, rule in [
        ("VIDBATCH_WORKERS", "many", "whole number"), ("VIDBATCH_LEASE", "60", "duration"), ("VIDBATCH_LISTEN", "here", "address:port"),
        ("VIDBATCH_LOG", "xml", "text|json"), ("VIDBATCH_STAGING_URI", "s3://b/with blank", "Bedrock"), ("VIDBATCH_ROLE_ARN", "me", "ARN"),
        ("VIDBATCH_SHARD_RECORDS", "150", "VIDBATCH_MIN_RECORDS"), ("VIDBATCH_KEEP_STAGING", "perhaps", "true or false"),
        ("VIDBATCH_MAX_VIDEO_BYTES", "big", "size"),
        ("VIDBATCH_OUTPUT_KMS_KEY", "no key", "KMS"), ("AWS_ENDPOINT_URL", "garbage", "http"), ("AWS_ENDPOINT_URL_SSO", "garbage", "http"), ("AWS_REGION", "us east", "Region"),
        ("VIDBATCH_WATCH_INTERVAL", "5m", "VIDBATCH_WATCH_INTERVAL_MAX"), ("VIDBATCH_RETRY_BASE", "10m", "VIDBATCH_RETRY_CAP"),
        ("VIDBATCH_LOOKUP_GRACE", "0s", "1000ms"), ("VIDBATCH_MODEL_ID", "foo bar", "model"), ("VIDBATCH_OUTPUT_URI", "s3://AB_/x", "Bedrock"),
        ("VIDBATCH_BUCKET_OWNER", "12", "12 digits"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv5", "ipv4|ipv6"), ("VIDBATCH_HEARTBEAT", "59s", "third"),
    ]:
        refused = check(**{name: value})
        assert refused.returncode == 2 and f"{name}=" in refused.stderr and rule in refused.stderr, refused.stderr
    same = check(VIDBATCH_STAGING_URI="s3://b/x/", VIDBATCH_OUTPUT_URI="s3://b/x")
    assert same.returncode == 2 and "must not be the same" in same.stderr
    for words in (["--version"], ["--help"], ["routes"], ["settings"]):
        assert subprocess.run([BUILD / "bin/vidbatchd", *words], env={}, capture_output=True).returncode == 0
    assert subprocess.run([BUILD / "bin/vidbatchd", "dance"], env={}, capture_output=True).returncode == 2


def test_readme_lists_every_setting():
    table = subprocess.run([BUILD / "bin/vidbatchd", "settings"], check=True, capture_output=True, text=True).stdout
    readme = (ROOT / "README.md").read_text()
    missing = [line for line in table.splitlines() if line not in readme]
    assert not missing, missing


def test_without_role_and_folders_jobs_are_refused(stack, emulator, tmp_path):
    service = stack.service(stack.database(), emulator, VIDBATCH_ROLE_ARN="", VIDBATCH_STAGING_URI="", VIDBATCH_OUTPUT_URI="")
    mine = service.client()
    made = mine.wait_scan(mine.register("contract/")["id"])
    problem = mine.post("/v1/jobs", {"prefix_id": made["id"], "prompt": "?"}, 409).json()
    assert problem["code"] == "not_configured" and "VIDBATCH_ROLE_ARN" in problem["detail"]
