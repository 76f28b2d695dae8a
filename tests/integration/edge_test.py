"""The edge of the service: TLS and its certificate, proxies, other origins, limits, and how it ends."""

import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
import requests

from tests.support.vidbatch import BUILD, make_key, wait_until


def certificate(folder, name):
    """A certificate of its own for 127.0.0.1, and its key."""
    folder.mkdir(exist_ok=True)
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3", "-subj", f"/CN={name}"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


class Tls:
    """What a test needs of a service that speaks TLS."""

    def __init__(self, stack, tmp_path):
        self.folder = tmp_path / "tls"
        self.folder.mkdir()
        self.cert, self.key = self.folder / "now.pem", self.folder / "now.key"
        self.install(*certificate(self.folder, "first"))
        self.service = stack.service(stack.database(), stack.emulator(), VIDBATCH_TLS_CERT=str(self.cert), VIDBATCH_TLS_KEY=str(self.key))
        self.url = f"https://127.0.0.1:{self.service.port}"

    def install(self, cert, key):
        self.cert.write_bytes(cert.read_bytes())
        self.key.write_bytes(key.read_bytes())

    def reload(self):
        lines = self.service.log().count("reload.")
        self.service.child.send_signal(signal.SIGHUP)
        wait_until("the reload", lambda: self.service.log().count("reload.") > lines)
        return [line for line in self.service.log().splitlines() if "reload." in line][-1]


def test_tls_with_a_certificate_that_changes(stack, tmp_path):
    tls = Tls(stack, tmp_path)
    second = certificate(tls.folder, "second")
    with requests.Session() as kept:
        kept.trust_env = False  # it may name other authorities
        kept.verify = str(tls.folder / "first.pem")
        answer = kept.get(f"{tls.url}/v1/jobs", timeout=30)
        assert answer.status_code == 200 and answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        metric = re.search(r"^vidbatch_tls_certificate_expires_at_seconds (\d+)$", kept.get(f"{tls.url}/metrics", timeout=30).text, re.M)
        assert 0 < int(metric[1]) - time.time() < 4 * 86400
        # a wrong pair changes nothing, and the log says why
        tls.install(second[0], tls.folder / "first.key")
        assert "reload.failed" in tls.reload() and "is not that of the first certificate" in tls.service.log()
        assert requests.get(f"{tls.url}/livez", verify=kept.verify, timeout=30).status_code == 200
        tls.install(*second)
        assert "reload.done" in tls.reload()
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{tls.url}/livez", verify=kept.verify, timeout=30)
        assert requests.get(f"{tls.url}/livez", verify=str(second[0]), timeout=30).status_code == 200
        kept.get(f"{tls.url}/v1/jobs", timeout=30)  # on the connection of the first one: it would not be trusted now


def test_health_speaks_tls(stack, tmp_path):
    tls = Tls(stack, tmp_path)
    asked = subprocess.run([BUILD / "bin/vidbatchd", "health"], env={**tls.service.env}, capture_output=True, text=True, timeout=60)
    assert asked.returncode == 0, asked.stderr
    plain = {name: value for name, value in tls.service.env.items() if "TLS" not in name}
    assert subprocess.run([BUILD / "bin/vidbatchd", "health"], env=plain, capture_output=True, timeout=60).returncode == 1


@pytest.mark.parametrize("settings, says", [
    ({"VIDBATCH_TLS_CERT": "/nowhere"}, "VIDBATCH_TLS_KEY=: VIDBATCH_TLS_CERT and VIDBATCH_TLS_KEY must be set together"),
    ({"VIDBATCH_TLS_CERT": "/nowhere", "VIDBATCH_TLS_KEY": "/nowhere"}, "VIDBATCH_TLS_CERT=/nowhere: /nowhere cannot be read"),
    ({"VIDBATCH_TRUSTED_PROXIES": "10.0.0.1/8"}, "VIDBATCH_TRUSTED_PROXIES=10.0.0.1/8: 10.0.0.1/8 has bits set behind the first 8"),
    ({"VIDBATCH_CORS_ORIGINS": "*"}, "VIDBATCH_CORS_ORIGINS=*: * is no origin"),
    ({"VIDBATCH_RATE_BURST": "5"}, "VIDBATCH_RATE_BURST=5: is of no use without VIDBATCH_RATE_LIMIT"),
])
def test_settings_that_are_wrong_are_explained(settings, says):
    env = {"VIDBATCH_DATABASE_URL": "postgresql://nowhere/none", "AWS_REGION": "us-east-1", "HOME": "/nowhere", **settings}
    judged = subprocess.run([BUILD / "bin/vidbatchd", "--check"], env=env, capture_output=True, text=True, timeout=60)
    assert judged.returncode == 2 and says in judged.stderr, judged.stderr


def until_status(status, ask):
    """Asks until the answer has this status, and gives that one."""
    answers = []
    wait_until(f"an answer {status}", lambda: answers.append(ask()) or answers[-1].status_code == status, pause_s=0.01)
    return answers[-1]


def test_limits_are_settings(stack):
    database, emulator = stack.database(), stack.emulator()
    service = stack.service(database, emulator, VIDBATCH_RATE_LIMIT="1", VIDBATCH_RATE_BURST="3", VIDBATCH_MAX_HEADER_BYTES="2KiB",
                            VIDBATCH_MAX_BODY_BYTES="1KiB", VIDBATCH_HEAD_TIMEOUT="300ms", VIDBATCH_DENIED_LIMIT="1",
                            VIDBATCH_TRUSTED_PROXIES="127.0.0.1", VIDBATCH_CORS_ORIGINS="https://app.example")
    first, second = (service.client(make_key(database, name=name)) for name in ("one", "two"))
    answer = until_status(429, lambda: first.call("GET", "/v1/jobs"))
    assert answer.json()["code"] == "rate_limited" and answer.headers["Retry-After"] == "1"
    assert answer.headers["RateLimit-Policy"] == '"requests";q=3;w=3' and re.fullmatch(r'"requests";r=0;t=[123]', answer.headers["RateLimit"])
    assert second.call("GET", "/v1/jobs", 200).headers["RateLimit"] == '"requests";r=2;t=1'
    assert second.call("GET", "/v1/models", headers={"X-Long": "x" * 3000}).json()["code"] == "headers_too_large"
    large = {"bucket": "videos", "prefix": "x" * 1024}
    assert second.call("POST", "/v1/prefixes", 413, json=large).json()["code"] == "body_too_large"
    # wrong keys count against the address that the proxy tells, and there only
    wrong = service.client()
    there = {"X-Forwarded-For": "198.51.100.9", "x-api-key": "vb_none"}
    wait_until("too many", lambda: wrong.call("GET", "/v1/jobs", headers=there).status_code == 429, pause_s=0)
    assert wrong.call("GET", "/v1/jobs", headers={"X-Forwarded-For": "198.51.100.10", "x-api-key": "vb_none"}).status_code == 401
    assert wrong.call("GET", "/livez", 200, headers={"Origin": "https://app.example"}).headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert wrong.call("POST", "/v1/imports", headers={"Origin": "https://evil.example"}).json()["code"] == "origin_not_allowed"
    with socket.create_connection(("127.0.0.1", service.port), 20) as silent:
        started = time.monotonic()
        assert silent.recv(1) == b""
        assert 0.2 < time.monotonic() - started < 10


def test_readiness_falls_first(stack):
    service = stack.service(stack.database(), stack.emulator(), VIDBATCH_DRAIN_DELAY="700ms")
    client = service.client()
    client.call("GET", "/readyz", 200)
    service.child.send_signal(signal.SIGTERM)
    answer = until_status(503, lambda: client.call("GET", "/readyz"))
    assert answer.json()["code"] == "not_ready"
    assert requests.get(f"{service.url}/v1/jobs", timeout=30).status_code == 200  # a new connection, and all else as before
    assert service.child.wait(20) == 0


def test_a_second_signal_quits_at_once(stack):
    service = stack.service(stack.database(), stack.emulator(), VIDBATCH_DRAIN_DELAY="60s")
    service.child.send_signal(signal.SIGTERM)
    wait_until("the stop to begin", lambda: "stop.begins" in service.log())
    started = time.monotonic()
    wait_until("the end", lambda: service.child.send_signal(signal.SIGTERM) or service.child.poll() is not None)
    assert service.child.returncode == 130 and time.monotonic() - started < 5


def test_open_files_are_asked_for(stack):
    service = stack.service(stack.database(), stack.emulator(), start=False)
    service.arguments = ["prlimit", "--nofile=128:500", *service.arguments]
    service.start()
    limits = re.search(r"Max open files +(\d+) +(\d+)", pathlib.Path(f"/proc/{service.child.pid}/limits").read_text())
    assert limits.groups() == ("500", "500")
    assert "start.few_files" in service.log() and "open_files=500 wanted=2048" in service.log()


class Asking(threading.Thread):
    """Asks again and again on connections that it keeps; counts what it got."""

    def __init__(self, service, path):
        super().__init__(daemon=True)
        self.service, self.path = service, path
        self.answered = self.refused = 0
        self.trouble = []
        self.start()

    def run(self):
        while True:
            try:
                it = socket.create_connection(("127.0.0.1", self.service.port), 30)
            except OSError:
                return  # nobody listens any more
            with it:
                if not self.use(it):
                    return

    def use(self, it):
        """False: it was cut where it should not have been."""
        asked = 0
        while True:
            try:
                it.sendall(f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                head, rest = self.read_head(it)
            except OSError:
                head = rest = b""
            if not head and asked == 0:
                return True  # a connection that came too late: nothing of it was ever answered
            if not head:
                self.trouble.append("a request on a connection that was kept got no answer")
                return False
            asked += 1
            length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
            while len(rest) < length:
                more = it.recv(65536)
                if not more:
                    self.trouble.append("half an answer")
                    return False
                rest += more
            self.answered += b" 200 " in head[:20]
            self.refused += b" 503 " in head[:20]
            if b"connection: close" in head.lower():
                return True

    @staticmethod
    def read_head(it):
        got = b""
        while b"\r\n\r\n" not in got:
            more = it.recv(65536)
            if not more:
                return b"", b""
            got += more
        return got.split(b"\r\n\r\n", 1)


def test_a_stop_under_load_loses_nothing(stack):
    service = stack.service(stack.database(), stack.emulator(), VIDBATCH_LOG_LEVEL="info")
    asking = [Asking(service, path) for path in ("/v1/jobs", "/openapi.yaml", "/v1/models", "/livez") for _ in range(4)]
    wait_until("all to be answered", lambda: all(a.answered > 20 for a in asking))
    started = time.monotonic()
    assert service.stop() == 0
    took = time.monotonic() - started
    for a in asking:
        a.join(30)
    print(f"{took:.1f} s; {sum(a.answered for a in asking)} answered, {sum(a.refused for a in asking)} told to come again")
    assert not any(a.is_alive() for a in asking) and took < 10
    assert [t for a in asking for t in a.trouble] == []
    assert "http.stop_cut" not in service.log()
