"""A planted secret is found, whatever its spelling; a presigned URL is none."""

import base64
import pathlib
import subprocess
import sys
import urllib.parse

import pytest

from tests.support.vidbatch import ROOT

SECRET, TOKEN = "planted/secret+of-no-value", "FwoGZXIvYXdzEPLANTED/token+of-no-value=="
DIGEST = "0123456789abcdef" * 4
# In two pieces: what these tests print must not look like a leak themselves.
HEADER = "AWS4-HMAC-" + "SHA256 Credential=AKID/20261101/us-east-1/s3/aws4_request, SignedHeaders=host, "


@pytest.fixture
def build(tmp_path):
    made = tmp_path / "planted/build"  # a place that the real check passes over
    (made / "secrets-in-use").mkdir(parents=True)
    (made / "secrets-in-use/1").write_text(f"{SECRET}\n{TOKEN}\nshort\n")
    (made / "release/pytest-logs/tmp").mkdir(parents=True)
    (made / "release/pytest-logs/tmp/service.log").write_text("level=info event=started\n")
    return made


def check(build):
    done = subprocess.run([sys.executable, ROOT / "tests/support/secrets_check.py", "--build", build], capture_output=True, text=True)
    assert done.stderr == ""
    return done.returncode, done.stdout


def plant(build, text, name="release/pytest-logs/tmp/service.log"):
    path = pathlib.Path(build / name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(f"level=warn words='{text}'\n")


def test_clean(build):
    assert check(build) == (
        0, "2 secrets in use (1 more are shorter than 8 characters) and all signatures, looked for in 1 files, 0 MB\nsecrets: 1 passed, 0 failed, 0 skipped\n"
    )


PLANTED = (
    SECRET, f"x{SECRET}x", TOKEN, urllib.parse.quote(TOKEN, safe=""), base64.b64encode(SECRET.encode()).decode(), SECRET.replace("/", "\\/"),
    f"AWS_SECRET_ACCESS_KEY={SECRET}", HEADER, f"Signature={DIGEST}", f"<SignatureProvided>{DIGEST}<",
    "Authorization: " + "Bearer abcdefghijkl", f"https://host/key?X-Amz-Signature={DIGEST}&secret={SECRET}", f"x-amz-security-token: {TOKEN}",
)


# Numbers as ids: those of pytest would bring the texts into its own reports.
@pytest.mark.parametrize("number", range(len(PLANTED)))
def test_planted(build, number):
    plant(build, PLANTED[number])
    status, said = check(build)
    assert (status, "secrets: 0 passed, 1 failed" in said) == (1, True), said
    assert SECRET not in said and TOKEN not in said


@pytest.mark.parametrize("name", ["asan/pytest-logs/tmp/a/emulator-requests.jsonl", "test-logs/demo.log", "release/conformance-logs/ceph.log", "x/answers.log"])
def test_everywhere(build, name):
    plant(build, SECRET, name)
    assert check(build)[0] == 1


def test_what_may_be(build):
    quoted = urllib.parse.quote(TOKEN, safe="")
    plant(build, f"https://host/key?X-Amz-Security-Token={quoted}&X-Amz-Signature={DIGEST}")
    plant(build, SECRET, "release/pytest-logs/tmp/credentials")  # given to a program
    assert check(build)[0] == 0


def test_nothing_to_look_at(build):
    (build / "release/pytest-logs/tmp/service.log").unlink()
    assert check(build)[0] == 1
    plant(build, "x")
    (build / "secrets-in-use/1").unlink()
    assert check(build)[0] == 1
