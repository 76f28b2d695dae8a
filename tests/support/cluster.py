"""PostgreSQL clusters of a test's own, to be broken."""

import os
import pathlib
import signal
import subprocess
import time

import psycopg

from tests.support.vidbatch import ROOT

SCRIPT = ROOT / "tests/support/postgres.sh"


def run(*arguments, **environment):
    return subprocess.run([str(SCRIPT), *map(str, arguments)], check=True, capture_output=True, text=True,
                          env={**os.environ, **environment}, timeout=120).stdout.strip()


class Cluster:
    """Its database "vidbatch", with what tests ask of a Database."""

    def __init__(self, folder, options="", follows=None):
        self.folder = pathlib.Path(folder)
        if follows:
            self.url = run("standby", self.folder, follows.folder, VIDBATCH_TEST_POSTGRES_OPTIONS=options)
        else:
            self.url = run("start", self.folder, VIDBATCH_TEST_POSTGRES_OPTIONS=options)
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
        run("crash", self.folder)

    def kill_postmaster(self):
        """kill -9; its children end when they notice, and until then no other can start."""
        os.kill(self.postmaster(), signal.SIGKILL)

    def again(self, timeout_s=30):
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return run("again", self.folder, VIDBATCH_TEST_POSTGRES_OPTIONS=self.options)
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def promote(self):
        run("promote", self.folder)

    def end_sessions(self):
        self.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()")

    def stop(self):
        run("stop", self.folder)
