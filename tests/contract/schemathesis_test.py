"""schemathesis against openapi.yaml: requests of every kind, valid and not; no answer may be a 5xx or outside the contract."""

import json
import os
import pathlib
import subprocess

import pytest

from tests.support.vidbatch import ROOT, key_id, make_key

VENV = pathlib.Path(os.environ["CONTRACT_VENV"])
CASES = int(os.environ["CONTRACT_CASES"])
CHECKS = [
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance", "response_schema_conformance",
    "negative_data_rejection", "unsupported_method", "allow_header_conformance", "ignored_auth",
]
ALL = {"nobody": None, "read": ["read"], "run": ["run"], "admin": ["admin"], "held": ["run", "held", "--prefix", "s3://videos/elsewhere/"]}
# Some 2,000 requests a caller are the least that make sense.
WHO = ALL if CASES >= 2000 * len(ALL) else {"admin": ALL["admin"]}
pytestmark = pytest.mark.long  # by itself, and its words are shown


@pytest.fixture(scope="module")
def client(service, database):
    return service.client(make_key(database))


@pytest.fixture(scope="module")
def ids(client, emulator, database):
    """What paths and bodies may name: some of each kind that is there."""
    emulator.put_videos("contract/", 120)
    prefix = client.wait_scan(client.register("contract/")["id"])
    job = client.launch(prefix["id"], prompt="What is to be seen?")
    assert client.wait_job(job["id"])["outcome"] == "success"
    plan = client.post("/v1/plans", {"prefix_id": prefix["id"], "prompt": "And now?", "select": "all"}, want=202).json()
    return {
        "prefixes": [prefix["id"]],
        "videos": [v["id"] for v in client.get(f"/v1/prefixes/{prefix['id']}/videos?limit=5")["data"]],
        "jobs": [job["id"]],
        "plans": [plan["id"]],
        "summaries": [s["id"] for s in client.get(f"/v1/jobs/{job['id']}/summaries?limit=5")["data"]],
        "keys": [key_id(make_key(database, "read")) for _ in range(3)],
    }


def settings(ids):
    """Half of the ids are of something that is there."""
    lines = []
    for kind, known in ids.items():
        lines += [f"[dictionaries.{kind}]", f"values = {json.dumps(known)}"]
    lines += ["[dictionaries.models]", 'values = ["amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0"]', "[parameters]"]
    for name, kind, probability in (("prefix_id", "prefixes", 0.5), ("plan_id", "plans", 0.3), ("model_id", "models", 0.8)):
        lines += [f'"body.{name}" = {{ dictionary = "{kind}", probability = {probability} }}']
    for kind in ids:
        lines += ["[[operations]]", f'include-path-regex = "^/v1/{kind}/"',
                  f'parameters = {{ "path.id" = {{ dictionary = "{kind}", probability = 0.5 }} }}']
    # 413 and 431 refuse what is wrong too.
    statuses = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "429", "431"]
    return "\n".join(lines + ["[checks.negative_data_rejection]", f"expected-statuses = {json.dumps(statuses)}"]) + "\n"


def run(service, key, ids, folder, examples):
    folder.mkdir()
    (folder / "schemathesis.toml").write_text(settings(ids))
    command = [
        str(VENV / "bin/st"), "--config-file", str(folder / "schemathesis.toml"), "run", str(ROOT / "openapi.yaml"), "--url", service.url,
        "--workers", "2", "--phases", "examples,coverage,fuzzing", "--max-examples", str(examples), "--checks", ",".join(CHECKS),
        "--continue-on-failure", "--no-shrink", "--seed", "1", "--report", "json", "--report-json-path", str(folder / "report.json"),
    ] + (["--header", f"Authorization: Bearer {key}"] if key else [])
    ended = subprocess.run(command, cwd=folder, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True, timeout=1800)
    (folder / "schemathesis.log").write_text(ended.stdout + ended.stderr)
    return ended, json.loads((folder / "report.json").read_text())


def test_every_answer_keeps_the_contract(service, database, client, ids, tmp_path):
    # Those of the coverage phase, some 2,000 as each of them, are the same however many are wanted.
    examples = max(1, (CASES // len(WHO) - 1800) // len(client.contract.operations()))
    done, told = 0, []
    for who, scopes in WHO.items():
        key = make_key(database, *scopes) if scopes else None
        ended, report = run(service, key, ids, tmp_path / who, examples)
        cases = report["test_cases"]
        print(f"schemathesis as {who}: {cases['generated']} requests, {cases['with_failures']} answers outside the contract")
        done += cases["generated"]
        if ended.returncode != 0 or not report["complete"] or report["errors"]:
            told.append(f"as {who}:\n" + ended.stdout[ended.stdout.find("= FAILURES ="):][:5000])
    assert not told, "\n".join(told)
    print(f"schemathesis: {done} requests")
    assert done >= CASES, done
    assert client.get("/livez")["status"] == "ok"
