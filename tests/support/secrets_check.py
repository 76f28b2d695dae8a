#!/usr/bin/env python3
"""Looks for secrets in all that the tests left behind: logs of the service, the stand-in and the tests, answers of the API, JUnit files.

    usage: secrets_check.py [--build FOLDER]      (default: build)

What is a secret: every line of FOLDER/secrets-in-use/* (whoever starts a program with a secret writes it there: Process in vidbatch.py,
stack.sh, conformance/run.sh), as it is, percent-encoded and in base64; and every Authorization value and signature, whoever made it.
A presigned URL carries a signature and, with temporary credentials, a session token: in that place, and only there, they may be.
Files that tests give to programs (credentials files, say) are input and not looked at: see OUTPUT. Nor is what
this check's own tests plant. The last line counts each file with
a secret as one failure; no file, or no secret to look for, is a failure."""

import argparse
import base64
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.parse

OUTPUT = (".log", ".out", ".err", ".jsonl", ".ndjson", ".xml", ".html", ".head")
SKIPPED_FOLDERS = {"s3", "data", "blobs", "postgres", "place", "secrets-in-use", "planted", "venv", "swift-venv", "obj", "gen", "cluster"}
LEAST_CHARACTERS = 8
SHOWN = 10
# Parts of a presigned URL, plain, inside JSON or percent-encoded once more (inside the query of another URL).
PRESIGNED = re.compile(rb"X-Amz-(?:Signature|Security-Token)(?:=|%3D)[A-Za-z0-9%._~+/-]+", re.IGNORECASE)
SHAPES = (
    ("an Authorization value", re.compile(rb"AWS4-HMAC-SHA256[, ]+Credential=", re.IGNORECASE)),
    ("a signature", re.compile(rb"Signature(?:Provided>|=)[0-9a-f]{64}", re.IGNORECASE)),
    ("a bearer token", re.compile(rb"authorization[\"']?: *[\"']?Bearer +[A-Za-z0-9._~+/=-]{8}", re.IGNORECASE)),
)
ROUGH = ("AWS4-HMAC-SHA256", "Signature=", "SignatureProvided>", "Bearer ")


def secrets_of(folder):
    """(those that are looked for, how many are too short to be looked for)"""
    found, short = set(), set()
    for path in sorted(folder.glob("*")) if folder.is_dir() else []:
        for line in path.read_text(encoding="utf-8").splitlines():
            (found if len(line) >= LEAST_CHARACTERS else short).add(line)
    return sorted(found), len(short - {""})


def spellings(secret):
    raw = secret.encode()
    return {raw, urllib.parse.quote(secret, safe="").encode(), base64.b64encode(raw), raw.replace(b"/", b"\\/")}


def outputs(build):
    for folder, below, names in os.walk(build):
        below[:] = sorted(name for name in below if name not in SKIPPED_FOLDERS)
        yield from (os.path.join(folder, name) for name in sorted(names) if name.endswith(OUTPUT))


def candidates(files, patterns):
    """(file, line number, line) where any of the patterns is, by grep: gigabytes of logs take seconds."""
    with tempfile.NamedTemporaryFile(suffix=".patterns") as listed:
        listed.write(b"\n".join(sorted(patterns)) + b"\n")
        listed.flush()
        names = b"\0".join(os.fsencode(name) for name in files)
        # -i only for our own words would cost more than the regular expressions behind it: header names come in the two spellings of ROUGH.
        command = ["xargs", "-0", "-n", "500", "grep", "-aFnHZ", "-f", listed.name, "--"]
        done = subprocess.run(command, input=names, capture_output=True, env={**os.environ, "LC_ALL": "C"})
        if done.stderr:
            raise SystemExit(f"secrets: {done.stderr.decode(errors='replace')[:2000]}")
    for found in done.stdout.split(b"\n"):
        name, nul, rest = found.partition(b"\0")
        if nul:
            number, _, line = rest.partition(b":")
            yield os.fsdecode(name), int(number), line


def judge(line, spelled):
    """What is in the line that must not be, or nothing. spelled: spelling -> number of the secret."""
    line = PRESIGNED.sub(b"", line)
    for spelling, number in spelled.items():
        if spelling in line:
            return f"secret {number}"
    for what, shape in SHAPES:
        if shape.search(line):
            return what
    return None


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    build = options.parse_args().build
    secrets, short = secrets_of(build / "secrets-in-use")
    spelled = {spelling: number for number, secret in enumerate(secrets, 1) for spelling in spellings(secret)}
    files = list(outputs(build))
    leaks = {}
    for name, number, line in candidates(files, set(spelled) | {word.encode() for word in ROUGH}) if files else []:
        what = judge(line, spelled)
        if what:
            leaks.setdefault(name, f"{name}:{number}: {what}")
    print(*list(leaks.values())[:SHOWN], sep="\n", end="\n" if leaks else "")
    size = sum(os.path.getsize(name) for name in files)
    print(f"{len(secrets)} secrets in use ({short} more are shorter than {LEAST_CHARACTERS} characters) and all signatures, looked for in {len(files)} files, "
          f"{size / 1e6:.0f} MB")
    failed = len(leaks) + (not files) + (not secrets)
    print(f"secrets: {0 if failed else 1} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
