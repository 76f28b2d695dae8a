"""The running parts of a test: a database of its own, the stand-in for AWS, replicas of the service, and a client that judges every answer
by openapi.yaml."""

import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.parse
import uuid

import boto3
import botocore.config
import psycopg
import requests

from tests.support.contract import Contract

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VIDBATCH_BUILD", ROOT / "build/release"))
SANITIZED = bool(os.environ.get("VIDBATCH_SANITIZED"))
ACCESS_KEY = "AKIDVIDBATCHTEST"
SECRET_KEY = "test-secret-of-no-value"
REGION = "us-east-1"
ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/vidbatch-test"
KEPT_BYTES = 64 * 1024  # of an answer of the API
# An ASan build starts and works several times slower: only deadlines that end a hang are stretched, nothing is measured by them.
PATIENCE_S = 240 if SANITIZED else 90


def wait_until(what, check, timeout_s=PATIENCE_S, pause_s=0.05):
    """Polls until check() is true and returns its value; fails with what was awaited."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s} s in vain for {what}")
        time.sleep(pause_s)


def log_entries(path):
    """The stand-in's log. It writes on meanwhile: a line is there when its line feed is."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def remember_secret(*values):
    """What secrets_check.py looks for at the end of all tests. Nothing else may keep it but what a test gives to a program."""
    folder = ROOT / "build/secrets-in-use"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / str(os.getpid()), "a") as file:
        file.writelines(value + "\n" for value in values if value)


def remember_secrets_of(environment):
    for name, value in environment.items():
        if any(word in name for word in ("SECRET", "TOKEN", "PASSWORD", "BOOTSTRAP_KEY")) and not name.endswith(("_FILE", "_TTL")):
            remember_secret(value)
        elif name == "VIDBATCH_DATABASE_URL":
            remember_secret(urllib.parse.unquote(urllib.parse.urlsplit(value).password or ""))


def clip():
    """A small real video."""
    return (ROOT / "tests/data/front.mp4").read_bytes()


class Process:
    """A child in its own process group, ended by its pid."""

    def __init__(self, arguments, env, log_path, port_file):
        self.arguments = arguments
        self.env = {**{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "VIDBATCH_"))}, **env}
        remember_secrets_of(env)
        self.log_path = pathlib.Path(log_path)
        self.port_file = pathlib.Path(port_file)
        self.child = None
        self.port = None

    def spawn(self):
        self.port_file.unlink(missing_ok=True)
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(
                self.arguments, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        return self

    def start(self):
        self.spawn()
        wait_until(f"{self.arguments[0]} to listen (log: {self.log_path})", self._listens)
        return self

    def _listens(self):
        if self.child.poll() is not None:
            raise AssertionError(f"{self.arguments[0]} ended with {self.child.returncode}:\n{self.log()[-3000:]}")
        try:
            self.port = int(self.port_file.read_text())
        except (FileNotFoundError, ValueError):
            return False
        return True

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def kill(self):
        """kill -9: what a power cut leaves."""
        if self.child and self.child.poll() is None:
            self.child.kill()
        if self.child:
            self.child.wait()

    def stop(self, timeout_s=30):
        """SIGTERM; gives the exit status."""
        if self.child is None:
            return None
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"{self.arguments[0]} did not end within {timeout_s} s of SIGTERM:\n{self.log()[-3000:]}")
        return self.child.returncode

    def status_kib(self, field):
        """A line of /proc/PID/status, such as VmHWM or VmRSS, in KiB."""
        for line in pathlib.Path(f"/proc/{self.child.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise AssertionError(f"no {field}")


class Database:
    """A database of its own in the cluster of the test run."""

    def __init__(self):
        self.server = os.environ["VIDBATCH_TEST_DATABASE_URL"]
        self.name = "t" + uuid.uuid4().hex[:16]
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {self.name}")
        parts = urllib.parse.urlsplit(self.server)
        self.url = urllib.parse.urlunsplit(parts._replace(path="/" + self.name))

    def query(self, sql, *parameters):
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else None

    def value(self, sql, *parameters):
        return self.query(sql, *parameters)[0][0]

    def drop(self):
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")


class Emulator(Process):
    def __init__(self, folder, *options, job_seconds=0, buckets=("videos",)):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.request_log = folder / "emulator-requests.jsonl"
        arguments = [str(BUILD / "bin/vidbatch-emulator"), "--listen", "127.0.0.1:0", "--port-file", str(folder / "emulator.port")]
        arguments += ["--data", str(folder / "s3"), "--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY, "--region", REGION]
        arguments += ["--account", ACCOUNT, "--log", str(self.request_log), "--job-seconds", str(job_seconds)]
        for bucket in buckets:
            arguments += ["--create-bucket", bucket]
        super().__init__(arguments + list(options), {}, folder / "emulator.log", folder / "emulator.port")

    def control(self, method, path, body=None):
        if isinstance(body, dict):
            remember_secret(body.get("secret_key"), body.get("session_token"))
        answer = requests.request(method, f"{self.url}/_emulator/{path}", json=body, timeout=120)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def fault(self, **what):
        self.control("POST", "faults", what)

    def clear_faults(self):
        self.control("DELETE", "faults")

    def jobs(self):
        answer = self.control("GET", "jobs")
        return answer["jobs"] if isinstance(answer, dict) else answer

    def requests(self, op=None):
        """The log of what was asked, as it was answered."""
        lines = log_entries(self.request_log)
        return [line for line in lines if op is None or line.get("op") == op]

    def s3(self):
        return boto3.client(
            "s3", endpoint_url=self.url, region_name=REGION, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
            config=botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 3}),
        )

    def put_videos(self, prefix, count, bucket="videos", suffix=".mp4"):
        """One real clip under many keys."""
        template = f"templates/{uuid.uuid4().hex}{suffix}"
        self.s3().put_object(Bucket=bucket, Key=template, Body=clip(), ContentType="video/mp4")
        self.control("POST", "objects", {"bucket": bucket, "prefix": prefix, "count": count, "template_key": template})

    def environment(self):
        return {"AWS_ENDPOINT_URL": self.url, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}


# Every pause short, so that tests wait for events and not for timers; real settings are tested where they matter.
QUICK = {
    "VIDBATCH_LEASE": "3s", "VIDBATCH_HEARTBEAT": "500ms", "VIDBATCH_WATCH_INTERVAL": "100ms", "VIDBATCH_WATCH_INTERVAL_MAX": "500ms",
    "VIDBATCH_POLL": "500ms", "VIDBATCH_RETRY_BASE": "50ms", "VIDBATCH_RETRY_CAP": "1s",
}


class Service(Process):
    def __init__(self, folder, database, emulator, name="service", **settings):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        env = {
            "VIDBATCH_DATABASE_URL": database.url, "VIDBATCH_LISTEN": "127.0.0.1:0", "VIDBATCH_PORT_FILE": str(folder / f"{name}.port"),
            "VIDBATCH_ROLE_ARN": ROLE, "VIDBATCH_STAGING_URI": "s3://videos/staging", "VIDBATCH_OUTPUT_URI": "s3://videos/output",
            "VIDBATCH_LOG_LEVEL": "debug", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
            **QUICK, **emulator.environment(), **settings,
        }
        super().__init__([str(BUILD / "bin/vidbatchd")], env, folder / f"{name}.log", folder / f"{name}.port")

    def client(self, key=None):
        return Client(self, key)


def key_command(database, *words):
    """`vidbatchd key ...` at a database."""
    env = {"VIDBATCH_DATABASE_URL": database.url, "PATH": os.environ["PATH"]}
    return subprocess.run([BUILD / "bin/vidbatchd", "key", *words], env=env, capture_output=True, text=True, timeout=PATIENCE_S)


def make_key(database, scopes="admin", name="test", *options):
    """A key as an operator makes it, past the service; gives its text."""
    made = key_command(database, "create", "--name", name, "--scopes", scopes, *options)
    assert made.returncode == 0, made.stderr
    remember_secret(made.stdout.strip())
    return made.stdout.strip()


def key_id(key):
    """The public id of a key."""
    return "key_" + key[3:14]


class Client:
    """HTTP as a user sends it; every answer is held against openapi.yaml. With a key, each request carries it."""

    contract = None

    def __init__(self, service, key=None):
        self.service = service
        self.answers = service.log_path.parent / "answers.log"
        self.session = requests.Session()
        if key:
            self.session.headers["Authorization"] = "Bearer " + key
        if Client.contract is None:
            Client.contract = Contract(ROOT / "openapi.yaml")

    def call(self, method, path, want=None, judge=True, **options):
        options.setdefault("timeout", PATIENCE_S)
        options.setdefault("allow_redirects", False)
        answer = self.session.request(method, self.service.url + path, **options)
        if not options.get("stream"):
            self.keep(method, path, answer)
        if judge:
            self.contract.check(method, path, answer)
        if want is not None:
            assert answer.status_code == want, f"{method} {path}: {answer.status_code} instead of {want}: {answer.text[:2000]}"
        return answer

    def keep(self, method, path, answer):
        """For secrets_check.py. In the answer that makes a key, and nowhere else, it may stand."""
        body = answer.content[:KEPT_BYTES]
        if method == "POST" and path.startswith("/v1/keys") and answer.ok and answer.json().get("key"):
            remember_secret(answer.json()["key"])
            body = body.replace(answer.json()["key"].encode(), b"(the key)")
        with open(self.answers, "ab") as file:
            file.write(f"{method} {path}\n{answer.status_code} {dict(answer.headers)}\n".encode() + body + b"\n")

    def get(self, path, want=200, **options):
        answer = self.call("GET", path, want, **options)
        return answer.json() if "json" in answer.headers.get("Content-Type", "") and "ndjson" not in answer.headers["Content-Type"] else answer

    def post(self, path, body=None, want=None, **options):
        return self.call("POST", path, want, json=body, **options) if body is not None else self.call("POST", path, want, **options)

    def pages(self, path):
        """All items of a list, page by page."""
        items, after = [], None
        while True:
            query = {"after": after} if after else {}
            joined = path + ("&" if "?" in path else "?") + urllib.parse.urlencode(query) if query else path
            page = self.get(joined)
            items += page["data"]
            after = page["next"]
            if not after:
                return items

    def register(self, prefix, bucket="videos", **more):
        return self.post("/v1/prefixes", {"bucket": bucket, "prefix": prefix, **more}, 201).json()

    def wait_scan(self, prefix_id, timeout_s=PATIENCE_S):
        def done():
            prefix = self.get(f"/v1/prefixes/{prefix_id}")
            return prefix if prefix["scan"]["state"] in ("done", "failed") else None

        return wait_until(f"the scan of {prefix_id}", done, timeout_s)

    def launch(self, prefix_id, prompt="Describe the video.", **more):
        # By copies unless the test says otherwise: that way has the most steps that can break.
        return self.post("/v1/jobs", {"prefix_id": prefix_id, "prompt": prompt, "staging": "copy", **more}, 202).json()

    def wait_job(self, job_id, states=("completed", "failed", "cancelled"), timeout_s=PATIENCE_S):
        def done():
            job = self.get(f"/v1/jobs/{job_id}")
            counts = job["counts"]
            assert counts["total"] == counts["pending"] + counts["succeeded"] + counts["failed"] + counts["missing"], counts
            return job if job["state"] in states else None

        return wait_until(f"{job_id} to be one of {states}", done, timeout_s)
