"""The service with a saboteur inside (saboteur.h), kept running: whenever it dies it is started again, and a client that asks until it is answered."""

import contextlib
import mmap
import os
import signal
import struct
import subprocess
import threading
import time
import uuid

import psycopg
import requests

from tests.support.vidbatch import BUILD, PATIENCE_S, Client, Service, wait_until

PROGRAM = str(BUILD / "bin/vidbatchd-sabotaged")
KILL, MEMORY, DB_REFUSED, DB_CUT, DB_LOST, NET_MEMORY, NET_LOST = (1 << n for n in range(7))
OFF, POINTS, ONE = range(3)
LAYOUT = struct.Struct("=iiqqi116s80s")


def inventory():
    """What the program has: the kinds of its steps, and its queries that write."""
    lines = subprocess.run([PROGRAM], env={"SABOTAGE_LIST": "1"}, capture_output=True, text=True, check=True).stdout.split("\n")
    found = {"kind": [], "writes": []}
    for line in filter(None, lines):
        what, name = line.split()
        found[what].append(name)
    return found


class Control:
    """struct control, in memory that the programs share."""

    def __init__(self, folder):
        self.path = folder / "control"
        self.path.write_bytes(LAYOUT.pack(OFF, 0, 0, 0, 0, b"", b""))
        self.armed = 0
        with open(self.path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), LAYOUT.size)

    def arm(self, mode, what, scopes="", label=""):
        self.armed += 1
        self.disarm()
        self.memory[4:] = LAYOUT.pack(OFF, what, self.armed, 0, 0, f" {scopes} ".encode() if scopes else b"", label.encode())[4:]
        self.memory[:4] = struct.pack("=i", mode)

    def disarm(self):
        self.memory[:4] = struct.pack("=i", OFF)

    @property
    def fired(self):
        return LAYOUT.unpack(self.memory[:])[3]

    @property
    def last(self):
        return LAYOUT.unpack(self.memory[:])[4]


class Sabotaged(Service):
    """Started again by a thread of its own whenever it ends, until it is stopped."""

    def __init__(self, folder, database, emulator, points, name="service", **settings):
        super().__init__(folder, database, emulator, name=name, VIDBATCH_LOOKUP_GRACE="1s", VIDBATCH_MAX_FAILURES="1000", **settings)
        self.arguments = [PROGRAM]
        self.control = Control(self.log_path.parent)
        self.env.update(SABOTAGE_CONTROL=str(self.control.path), SABOTAGE_POINTS=str(points))
        self.database = database
        self.deaths, self.ends = 0, []
        self.caught = []  # at each death: the steps that were being run
        self.keeping = False
        self.keeper = threading.Thread(target=self._keep, daemon=True)

    def keep(self):
        self.keeping = True
        self.keeper.start()
        return self

    def _keep(self):
        with psycopg.connect(self.database.url, autocommit=True) as connection:
            while self.keeping:
                with contextlib.suppress(AssertionError):  # it may die while it starts
                    self.start()
                self.child.wait()
                if not self.keeping:
                    return
                self.port = None
                if self.child.returncode == 0:  # it was asked to stop
                    continue
                if self.child.returncode != -signal.SIGKILL:
                    self.ends.append(self.child.returncode)
                # Time passes: what the dead one held is free. How long that takes by itself is tested elsewhere.
                with contextlib.suppress(psycopg.errors.UndefinedTable):
                    self.caught.append([kind for (kind,) in connection.execute("UPDATE task SET lease_until = now() WHERE state = 'running' RETURNING kind")])
                self.deaths += 1

    def kill_at_random(self, dice, times, life_s):
        """Each time at any moment of a life of life_s; gives the moments."""
        moments = []
        while self.deaths < times:
            moments.append(dice.uniform(0.0, life_s))
            time.sleep(moments[-1])
            deaths = self.deaths
            self.child.kill()
            wait_until("the next one to be up", lambda: self.deaths > deaths and self.port is not None, pause_s=0.005)
        return moments

    def rest(self):
        """No more trouble; up, and kept no longer."""
        self.control.disarm()
        wait_until("the service to be up", self.answers)
        self.keeping = False

    def answers(self):
        with contextlib.suppress(requests.RequestException, TypeError):
            return self.port is not None and requests.get(self.url + "/livez", timeout=5).ok
        return False

    def client(self, key=None):
        return Stubborn(self, key)


class Stubborn(Client):
    """Asks again, as the same request, until there is an answer that is none of a server in trouble."""

    def call(self, method, path, want=None, judge=True, **options):
        if method == "POST":
            options.setdefault("headers", {})["Idempotency-Key"] = str(uuid.uuid4())
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with contextlib.suppress(requests.RequestException):
                port = self.service.port
                if port is not None:
                    answer = super().call(method, path, None, judge, **options)
                    if answer.status_code < 500:
                        assert want is None or answer.status_code == want, f"{method} {path}: {answer.status_code}: {answer.text[:2000]}"
                        return answer
            time.sleep(0.01)
        raise AssertionError(f"{method} {path}: no answer within {PATIENCE_S} s:\n{self.service.log()[-3000:]}")
