"""PostgreSQL clusters of a test's own, to be broken."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import psycopg
import pytest

from tests.support.vidbatch import ROOT

SCRIPT = ROOT / "tests/support/postgres.sh"


def run(*arguments, enter=(), **environment):
    return subprocess.run([*enter, str(SCRIPT), *map(str, arguments)], check=True, capture_output=True, text=True,
                          env={**os.environ, **environment}, timeout=120).stdout.strip()


class Cluster:
    """Its database "vidbatch", with what tests ask of a Database."""

    enter = ()  # what stands before its commands

    def __init__(self, folder, options="", follows=None):
        self.folder = pathlib.Path(folder)
        if follows:
            self.url = run("standby", self.folder, follows.folder, enter=self.enter, VIDBATCH_TEST_POSTGRES_OPTIONS=options)
        else:
            self.url = run("start", self.folder, enter=self.enter, VIDBATCH_TEST_POSTGRES_OPTIONS=options)
        self.options = options
        self.port = int((self.folder / "port").read_text())

    def connect(self, **more):
        return psycopg.connect(self.url, autocommit=True, connect_timeout=5, **more)

    def query(self, sql, *parameters, **more):
        with self.connect(**more) as connection:
            cursor = connection.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else None

    def value(self, sql, *parameters):
        return self.query(sql, *parameters)[0][0]

    def postmaster(self):
        return int((pathlib.Path((self.folder / "place").read_text().strip()) / "data/postmaster.pid").read_text().splitlines()[0])

    def crash(self):
        run("crash", self.folder, enter=self.enter)

    def kill_postmaster(self):
        """kill -9; its children end when they notice, and until then no other can start."""
        os.kill(self.postmaster(), signal.SIGKILL)

    def again(self, timeout_s=30):
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return run("again", self.folder, enter=self.enter, VIDBATCH_TEST_POSTGRES_OPTIONS=self.options)
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def promote(self):
        run("promote", self.folder, enter=self.enter)

    def end_sessions(self):
        self.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()")

    def stop(self):
        run("stop", self.folder, enter=self.enter)


class SmallDisk(Cluster):
    """On a disk of its own, which can be filled. It is there for this cluster's processes only, and goes with them."""

    def __init__(self, megabytes, options=""):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vidbatch-disk."))
        self.place = self.folder / "cluster"
        self.folder.chmod(0o755)  # PostgreSQL's user must get there
        self.place.mkdir()
        namespace = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-current-user", "--keep-caps", "--mount"]
        mount = f"mount -t tmpfs -o size={megabytes}m,mode=0755 none {self.place} && echo mounted && exec sleep infinity"
        self.holder = subprocess.Popen([*namespace, "sh", "-c", mount], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            if self.holder.stdout.readline() != "mounted\n":
                pytest.skip(f"no file system of its own can be mounted here: {self.holder.stderr.read().strip()}")
            user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
            self.enter = ("nsenter", "--target", str(self.holder.pid), *user, "--mount")
            super().__init__(self.folder, options)
            assert (self.folder / "place").read_text().strip() == str(self.place), "PostgreSQL can't reach its disk"
        except BaseException:
            self.gone()
            raise

    def inside(self, *command):
        return subprocess.run([*self.enter, *command], capture_output=True, text=True, timeout=30)

    def log(self):
        return self.inside("cat", f"{self.place}/postgres.log").stdout

    def fill(self):
        """To the last byte."""
        written = self.inside("dd", "if=/dev/zero", f"of={self.place}/ballast", "bs=64k")
        assert "No space left on device" in written.stderr, written.stderr

    def empty(self):
        assert self.inside("rm", f"{self.place}/ballast").returncode == 0

    def gone(self):
        self.holder.kill()
        self.holder.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self):
        """Its disk can't be removed before it is left."""
        try:
            self.crash()
        finally:
            self.gone()
