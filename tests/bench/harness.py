"""What the sections of `make bench` share: runs that alternate with their peers, medians, the table, and the parts that they start."""

import importlib
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time
import traceback

from tests.support.vidbatch import BUILD, ROOT, Database, Emulator, Service

FOLDER = pathlib.Path(os.environ["BENCH_FOLDER"])
OBJECTS = pathlib.Path(os.environ["BENCH_OBJECTS"])
MEMORY_BOUND_MIB = 96
# As in production: the tests' short pauses would be work of their own.
QUIET = {
    "VIDBATCH_LOG_LEVEL": "info", "VIDBATCH_LEASE": "60s", "VIDBATCH_HEARTBEAT": "15s", "VIDBATCH_POLL": "5s",
    "VIDBATCH_WATCH_INTERVAL": "1s", "VIDBATCH_WATCH_INTERVAL_MAX": "2s",
}


def text_of(command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def machine():
    """What the figures depend on, in one line each."""
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    memory = int(next(line.split()[1] for line in open("/proc/meminfo") if line.startswith("MemTotal")))
    compiler = text_of(["gcc", "--version"]).splitlines()[0]
    return [
        f"{os.cpu_count()} x {cpu}, {memory / 2**20:.0f} GiB, Linux {platform.release()}",
        f"{text_of(['psql', '--version'])}; {compiler}; {text_of(['curl-config', '--version']) or 'libcurl'}; Python {platform.python_version()}",
        ", ".join(f"{name} {version(name)}" for name in ("boto3", "psycopg", "fastapi", "asyncpg", "uvicorn") if version(name)),
    ]


def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


class Bench:
    """Holds the rows of the table and whatever must be stopped in the end."""

    def __init__(self, whole):
        self.scale = float(os.environ.get("BENCH_SCALE", "1"))
        self.runs = int(os.environ.get("BENCH_RUNS", "5"))
        self.whole = whole and self.scale == 1
        self.rows = []
        self.broken = []
        self.things = []
        self.started = time.time()

    # ---- what runs ----

    def size(self, full, least=1):
        """A number of items at this run's scale."""
        return max(least, int(full * self.scale))

    def folder(self, name):
        path = FOLDER / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def emulator(self, name, *options, **more):
        folder, objects = self.folder(name), OBJECTS / name
        objects.mkdir()
        (folder / "s3").symlink_to(objects)
        running = Emulator(folder, "--threads", "2", *options, **more).start()
        running.environment_for_tools = {**os.environ, **running.environment()}
        self.things.append(running)
        return running

    def database(self):
        made = Database()
        self.things.append(made)
        return made

    def service(self, name, database, emulator, **settings):
        running = Service(self.folder(name), database, emulator, **{**QUIET, **settings}).start()
        self.things.append(running)
        return running

    def stop(self):
        for thing in reversed(self.things):
            if isinstance(thing, Database):
                thing.drop()
            else:
                thing.stop()
        self.things = []

    def section(self, name):
        """A section that breaks is a missed bound with its reason, and does not cost the others."""
        print(f"== {name}", flush=True)
        try:
            importlib.import_module(f"tests.bench.{name}").run(self)
        except Exception as failure:  # whatever it is, the table must say so
            traceback.print_exc()
            self.broken.append(f"{name}: {failure}")
        finally:
            self.stop()

    def tool(self, name, *arguments, env):
        """One run of a C program of this folder; what it printed."""
        done = subprocess.run([str(BUILD / "bench" / name), *arguments], env=env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{name} {' '.join(arguments)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def interleave(self, **works):
        """Runs each work `runs` times, in turns, so that what else the machine does hits all alike. A work gives seconds, or a dict with
        "seconds". Gives the medians of the seconds by name."""
        seconds = {name: [] for name in works}
        for turn in range(self.runs):
            names = list(works) if turn % 2 == 0 else list(reversed(works))
            for name in names:
                took = works[name]()
                seconds[name].append(took["seconds"] if isinstance(took, dict) else took)
            print("   run", turn + 1, " ".join(f"{name}={seconds[name][-1]:.3f}s" for name in works), flush=True)
        return {name: statistics.median(values) for name, values in seconds.items()}

    # ---- the table ----

    def at_least(self, name, ratio, bound, ours, peer):
        self._row(name, ratio, bound, ratio >= bound, "at least", ours, peer)

    def at_most(self, name, ratio, bound, ours, peer):
        self._row(name, ratio, bound, ratio <= bound, "at most", ours, peer)

    def memory(self, what, peak_kib):
        mib = peak_kib / 1024
        self._row(f"peak memory: {what}", mib, MEMORY_BOUND_MIB, mib < MEMORY_BOUND_MIB, "below", f"{mib:.1f} MiB", "")

    def _row(self, name, ratio, bound, ok, sense, ours, peer):
        row = {"name": name, "ratio": round(ratio, 3), "bound": bound, "ok": ok, "sense": sense, "ours": ours, "peer": peer}
        self.rows.append(row)
        print(f"   {name}: {ratio:.2f}, {sense} {bound}: {'ok' if ok else 'MISSED'}", flush=True)

    def table(self):
        lines = ["| work | ratio | bound | | this service | measured against |", "| --- | ---: | ---: | --- | --- | --- |"]
        for row in self.rows:
            verdict = "ok" if row["ok"] else "**missed**"
            lines.append(f"| {row['name']} | {row['ratio']:.2f} | {row['sense']} {row['bound']} | {verdict} | {row['ours']} | {row['peer']} |")
        return lines + [f"| {what} | | | **broken** | | |" for what in self.broken]

    def finish(self):
        """Prints and writes; gives the number of bounds that were missed."""
        missed = sum(not row["ok"] for row in self.rows) + len(self.broken)
        head = machine()
        command = "make bench" if self.whole else f"BENCH_SCALE={self.scale:g} make bench ARGS='{' '.join(sys.argv[1:])}'"
        took = f"medians of {self.runs} runs, peers in turns within the same run, {(time.time() - self.started) / 60:.0f} minutes in all"
        print("\n".join(["", *self.table(), "", *head, took]))
        print(f"bench: {len(self.rows) - sum(not row['ok'] for row in self.rows)} bounds kept, {missed} missed")
        rows = self.rows + [{"name": what, "ratio": None, "bound": None, "ok": False} for what in self.broken]
        (ROOT / "build").mkdir(exist_ok=True)
        (ROOT / "build/bench.json").write_text(json.dumps(rows, indent=1) + "\n")
        if self.whole:
            page = (ROOT / "tests/bench/page.md").read_text()
            facts = "\n".join(f"- {line}" for line in [*head, took])
            page = page.replace("{{table}}", "\n".join(self.table())).replace("{{machine}}", facts).replace("{{command}}", command)
            (ROOT / "docs/benchmarks.md").write_text(page)
        return missed
