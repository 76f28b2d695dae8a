"""Former versions of the service, built out of git's history: those that the newest ones meet in a database during an upgrade."""

import contextlib
import fcntl
import os
import pathlib
import shutil
import subprocess

import pytest

from tests.support.contract import Contract
from tests.support.vidbatch import ROOT

MIGRATIONS = ROOT / "sql/migrations"
TOGETHER_SINCE = 9  # the first migration that the version before it runs on beside
BUILD_TIMEOUT_S = 900


def git(*words):
    """What git says; without a history, the test is skipped."""
    try:
        said = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("no git here, and so no former version to build")
    if said.returncode != 0:
        pytest.skip(f"no history here to build a former version of: {said.stderr.strip()}")
    return said.stdout.strip()


def commit_before(migration):
    """The last one without this file of sql/migrations."""
    if pathlib.Path(git("rev-parse", "--show-toplevel")).resolve() != ROOT:
        pytest.skip("this tree is not a git checkout: no history to build a former version of")
    if git("rev-parse", "--is-shallow-repository") == "true":
        pytest.skip("a shallow clone has no history to build a former version of (git fetch --unshallow)")
    added = git("log", "--diff-filter=A", "--format=%H", "--", f"sql/migrations/{migration}").split()
    return git("rev-parse", added[-1] + "^" if added else "HEAD")  # one that is not committed yet: what is


def quietly(command, log, **options):
    with open(log, "ab") as out:
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=BUILD_TIMEOUT_S, **options)
    assert ended.returncode == 0, f"{command[0]} failed, see {log}:\n{log.read_text(errors='replace')[-2000:]}"


class Previous:
    """The version before a migration: its program, and its contract. Kept in build/previous/COMMIT."""

    def __init__(self, migration):
        self.commit = commit_before(migration)
        self.folder = ROOT / "build/previous" / self.commit[:16]
        self.binary = self.folder / "vidbatchd"
        with self.alone():
            if not self.binary.exists():
                self.build()
        self.contract = Contract(self.folder / "openapi.yaml")

    @contextlib.contextmanager
    def alone(self):
        """Two suites may want it at once."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with open(self.folder.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def build(self):
        tree, log = self.folder.with_suffix(".tree"), self.folder.with_suffix(".log")
        shutil.rmtree(tree, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        tree.mkdir()
        log.write_bytes(b"")
        archive = tree.with_suffix(".tar")
        quietly(["git", "-C", ROOT, "archive", f"--output={archive}", self.commit], log)
        quietly(["tar", "-x", "-f", archive, "-C", tree], log)
        archive.unlink()
        # Its warnings were judged in its own time. The caller's make is not its.
        environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "BUILD", "SANITIZE")}
        command = ["make", "--no-print-directory", "-j2", "OPTIMIZE=-O0", "WARNINGS=-w", "HARDENING=-fPIE", "build/release/bin/vidbatchd"]
        quietly(command, log, cwd=tree, env=environment)
        self.folder.mkdir()
        (tree / "openapi.yaml").rename(self.folder / "openapi.yaml")
        (tree / "build/release/bin/vidbatchd").rename(self.binary)
        shutil.rmtree(tree)

    def service(self, stack, *arguments, **settings):
        """Like stack.service(), of this version."""
        service = stack.service(*arguments, start=False, **settings)
        service.arguments[0] = str(self.binary)
        return service.start()
