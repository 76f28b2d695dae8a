"""256 clients that behave, with and without some that do not: they keep their rate, and every answer is right."""

import json
import os
import pathlib
import socket
import statistics
import subprocess
import threading

import pytest

from tests.support.vidbatch import SANITIZED, wait_until

HERE = pathlib.Path(__file__).resolve().parent
CLIENTS = 256
# In `make test` other suites run beside it, and a shared machine's noise is as large as what is measured: it stops at a share that no noise
# explains. `make soak` asks for what must hold, on a machine that does nothing else.
LEAST_SHARE = float(os.environ.get("HOSTILE_LEAST_SHARE", "0.5"))
ROUNDS, MOST_ROUNDS, SECONDS = (1, 1, 1) if SANITIZED else (3, 7, 2)
LIMITS = {
    "VIDBATCH_HEAD_TIMEOUT": "1200ms", "VIDBATCH_BODY_TIMEOUT": "1s", "VIDBATCH_SEND_TIMEOUT": "1s", "VIDBATCH_MAX_CONNECTIONS_PER_ADDRESS": "60",
    "VIDBATCH_TRUSTED_PROXIES": "127.0.0.1",  # those that behave come from one address, as from behind a proxy
    "VIDBATCH_LOG_LEVEL": "warn",
}

pytestmark = [pytest.mark.alone, pytest.mark.measures]


class Hostile(threading.Thread):
    """One client that does harm, again and again, from an address of its own."""

    def __init__(self, number, port, harm):
        super().__init__(daemon=True)
        self.address, self.port, self.harm = f"127.0.1.{number}", port, harm
        self.stopped, self.times, self.held = threading.Event(), 0, []
        self.start()

    def connect(self):
        it = socket.socket()
        it.settimeout(5)
        it.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        it.bind((self.address, 0))
        it.connect(("127.0.0.1", self.port))
        return it

    def run(self):
        while not self.stopped.is_set():
            try:
                self.harm(self)
            except OSError:
                pass  # it was shown the door
            self.times += 1

    def stop(self):
        self.stopped.set()
        self.join(30)
        for it in self.held:
            it.close()

    def hold(self, it, most):
        """Keeps it open, and the most others that came last."""
        self.held.append(it)
        if len(self.held) > most:
            self.held.pop(0).close()


def trickle(who, byte):
    """A byte more for each, so that none looks idle."""
    for held in who.held:
        try:
            held.send(byte)
        except OSError:
            pass  # cut


def half_requests(who):
    it = who.connect()
    it.sendall(b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nX-Half: ")
    who.hold(it, 40)
    trickle(who, b"x")
    who.stopped.wait(0.05)


def garbage(who):
    with who.connect() as it:
        it.sendall(bytes(range(256)) * 8 + b"\r\n\r\n")
        it.recv(1000)
    who.stopped.wait(0.05)


def slow_reads(who):
    it = who.connect()
    it.sendall(b"GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n" * 4)
    who.hold(it, 40)
    for held in who.held:
        try:
            held.recv(10)
        except OSError:
            pass
    who.stopped.wait(0.05)


def slow_posts(who):
    it = who.connect()
    it.sendall(b"POST /v1/prefixes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{")
    who.hold(it, 40)
    trickle(who, b" ")
    who.stopped.wait(0.05)


def giant_headers(who):
    with who.connect() as it:
        it.sendall(b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nX-Giant: " + b"x" * 100000 + b"\r\n\r\n")
        it.recv(1000)
    who.stopped.wait(0.05)


def connection_flood(who):
    for _ in range(20):
        who.hold(who.connect(), 80)
    who.stopped.wait(0.25)


HARMS = [half_requests, garbage, slow_reads, slow_posts, giant_headers, connection_flood]


def cpu_s(service):
    fields = pathlib.Path(f"/proc/{service.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rate(result):
    return result["requests"] / result["seconds"]


def load(service, path, answer_file):
    command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{SECONDS}s", "--timeout", "20s", "-s", HERE / "hostile.lua", service.url, "--", path, answer_file]
    before = cpu_s(service)
    said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=True).stdout
    lines = {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in said.splitlines() if line.startswith(("RESULT ", "EXAMPLE "))}
    result = {**json.loads(lines["RESULT"]), "cpu_s": cpu_s(service) - before}
    assert result["wrong"] == 0, lines["EXAMPLE"]
    lost = [result[what] for what in ("connect", "read", "write", "timeout")]
    assert lost == [0, 0, 0, 0], f"{said}\n{counted(service.client(), 'vidbatch_http')}\n{service.log()[-2000:]}"
    return result


def counted(client, name):
    return {line.split()[0]: float(line.split()[1]) for line in client.call("GET", "/metrics", 200).text.splitlines() if line.startswith(name)}


def test_hostile_clients_cost_the_others_little(stack, tmp_path):
    database, emulator = stack.database(), stack.emulator()
    service = stack.service(database, emulator, **LIMITS)
    client = service.client()
    path = f"/v1/prefixes/{client.wait_scan(client.register('videos/')['id'])['id']}"
    answer_file = tmp_path / "answer"
    answer_file.write_bytes(client.call("GET", path, 200).content)
    rates = {"alone": [], "beside": []}
    times = {}
    share = 0
    # Each round beside is held against the one just before it, for the machine may do other things; what these disturb is repeated.
    while len(rates["beside"]) < ROUNDS or (share < max(LEAST_SHARE, 0.8) and len(rates["beside"]) < MOST_ROUNDS):
        rates["alone"].append(load(service, path, answer_file))
        hostile = [Hostile(i + 1, service.port, harm) for i, harm in enumerate(HARMS)]
        wait_until("each to have done harm", lambda: all(h.times for h in hostile))
        rates["beside"].append(load(service, path, answer_file))
        for h in hostile:
            h.stop()
            times[h.harm.__name__] = times.get(h.harm.__name__, 0) + h.times
        share = statistics.median(rate(beside) / rate(alone) for alone, beside in zip(rates["alone"], rates["beside"]))
    cost = {name: sum(r["cpu_s"] for r in rounds) / sum(r["requests"] for r in rounds) * 1e6 for name, rounds in rates.items()}
    usual = {name: statistics.median(map(rate, rounds)) for name, rounds in rates.items()}
    p99 = {name: min(r["p99_ms"] for r in rounds) for name, rounds in rates.items()}
    answers = sum(r["requests"] for rounds in rates.values() for r in rounds)
    print(f"{answers} answers, all right; {usual['alone']:.0f}/s alone, {usual['beside']:.0f}/s beside {len(HARMS)} hostile clients: {share:.2f}; "
          f"{cost['alone']:.0f} and {cost['beside']:.0f} us of processor an answer; slowest 1 % {p99['alone']:.0f} and {p99['beside']:.0f} ms; {times}")
    cuts, refused = counted(client, "vidbatch_http_cut_total"), counted(client, "vidbatch_http_refused_total")
    print(cuts, refused)
    assert all(count > 0 for count in times.values())
    if not SANITIZED:
        assert share >= LEAST_SHARE
        for deadline in ("head", "body", "send"):
            assert cuts[f'vidbatch_http_cut_total{{deadline="{deadline}"}}'] > 0
        assert refused['vidbatch_http_refused_total{limit="address"}'] > 0
    # nothing of them stays but the connection that asks
    wait_until("all to be gone", lambda: counted(client, "vidbatch_http_connections")["vidbatch_http_connections"] == 1)
    assert counted(client, "vidbatch_http_streams") == {"vidbatch_http_streams": 0}
    assert counted(client, "vidbatch_http_in_flight") == {"vidbatch_http_in_flight": 1}
