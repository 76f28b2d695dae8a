"""schemathesis against openapi.yaml: requests of every kind, valid and not; no answer may be a 5xx or outside the contract."""

import json
import os
import pathlib
import subprocess

import pytest

from tests.support.vidbatch import ROOT

VENV = pathlib.Path(os.environ["CONTRACT_VENV"])
CASES = int(os.environ["CONTRACT_CASES"])
CHECKS = [
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance", "response_schema_conformance",
    "negative_data_rejection", "unsupported_method", "allow_header_conformance",
]


@pytest.fixture(scope="module")
def ids(client, emulator):
    """What paths and bodies may name: one of each kind that is there."""
    emulator.put_videos("contract/", 120)
    prefix = client.wait_scan(client.register("contract/")["id"])
    job = client.launch(prefix["id"], prompt="What is to be seen?")
    assert client.wait_job(job["id"])["outcome"] == "success"
    plan = client.post("/v1/plans", {"prefix_id": prefix["id"], "prompt": "And now?", "select": "all"}, want=None).json()
    return {
        "prefixes": [prefix["id"]],
        "videos": [v["id"] for v in client.get(f"/v1/prefixes/{prefix['id']}/videos?limit=5")["data"]],
        "jobs": [job["id"]],
        "plans": [plan["id"]],
        "summaries": [s["id"] for s in client.get(f"/v1/jobs/{job['id']}/summaries?limit=5")["data"]],
    }


def settings(ids):
    """Half of the ids are of something that is there."""
    lines = ["[parameters]", 'prefix_id = { dictionary = "prefixes", probability = 0.5 }'.replace("prefix_id", '"body.prefix_id"')]
    lines += ['"body.plan_id" = { dictionary = "plans", probability = 0.3 }']
    for kind, known in ids.items():
        lines[:0] = [f"[dictionaries.{kind}]", f"values = {json.dumps(known)}"]
        lines += ["[[operations]]", f'include-path-regex = "^/v1/{kind}/"',
                  f'parameters = {{ "path.id" = {{ dictionary = "{kind}", probability = 0.5 }} }}']
    # 413 and 431 refuse what is wrong too.
    lines += ["[checks.negative_data_rejection]", f"expected-statuses = {json.dumps(['400', '401', '403', '404', '405', '406', '409', '413', '415', '422', '429', '431'])}"]
    return "\n".join(lines) + "\n"


def run(service, ids, folder, cases, operations):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "schemathesis.toml").write_text(settings(ids))
    command = [
        str(VENV / "bin/st"), "--config-file", str(folder / "schemathesis.toml"), "run", str(ROOT / "openapi.yaml"), "--url", service.url,
        "--workers", "2", "--phases", "examples,coverage,fuzzing", "--max-examples", str(max(10, cases // operations)), "--checks", ",".join(CHECKS),
        "--continue-on-failure", "--no-shrink", "--seed", "1", "--report", "json", "--report-json-path", str(folder / "report.json"),
    ]
    ended = subprocess.run(command, cwd=folder, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True, timeout=1800)
    (folder / "schemathesis.log").write_text(ended.stdout + ended.stderr)
    return ended, json.loads((folder / "report.json").read_text())


def test_every_answer_keeps_the_contract(service, client, ids, tmp_path):
    ended, report = run(service, ids, tmp_path / "open", CASES, len(client.contract.operations()))
    told = ended.stdout[ended.stdout.find("= FAILURES ="):][:6000]
    assert ended.returncode == 0 and report["complete"] and not report["errors"], told
    done = report["test_cases"]["generated"]
    print(f"schemathesis: {done} requests, {report['test_cases']['with_failures']} answers outside the contract")
    assert done >= CASES, done
    assert client.get("/livez")["status"] == "ok"
