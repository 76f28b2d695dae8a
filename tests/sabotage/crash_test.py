"""kill -9 right before and right after whatever makes something true: every commit of every step and request, and every call that changes something
at AWS. The points are found by the program itself as it runs (libpq.c, libcurl.c), so a new step or query brings its own. At each it dies once."""

import collections
import concurrent.futures
import contextlib
import random
import threading
import traceback

import pytest

from tests.sabotage import scenarios
from tests.sabotage.saboteur import KILL, POINTS, Sabotaged, inventory
from tests.support.vidbatch import Database, Emulator

pytestmark = pytest.mark.long

STREAMS = (
    (scenarios.copies, scenarios.plans),
    (scenarios.in_place, scenarios.on_demand, scenarios.imports, scenarios.waits),
    (scenarios.refusals, scenarios.cancels, scenarios.trouble),
)
SETTINGS = {"VIDBATCH_SHARD_RECORDS": "220", "VIDBATCH_WORKERS": "3"}
KILLS = 100  # at random, in each of three worlds


# Statements that need more than these small worlds surely have: 50,000 keys, another Region, refusals in a row, a failure that stays, a cancel
# that AWS forbids. Each has its test elsewhere.
SELDOM = {"prefix_scan_progress", "prefix_region", "slot_probe", "task_dead", "task_progress", "shard_file_rewind", "shard_move"}


@contextlib.contextmanager
def world_in(folder, points):
    """A world of its own, whose service is started again whenever it dies. Afterwards all must have come out right."""
    database, emulator = Database(), Emulator(folder, job_seconds=0.2).start()
    service = Sabotaged(folder, database, emulator, points, **SETTINGS)
    world = scenarios.World(service, emulator, database)
    try:
        yield world
        service.rest()
        scenarios.settle(world)
        scenarios.assert_exactly_once(world)
        assert service.stop() == 0 and service.ends == [], service.log()[-3000:]
    finally:
        service.keeping = False
        service.kill()
        emulator.kill()
        database.drop()


def in_parallel(function, *arguments):
    with concurrent.futures.ThreadPoolExecutor(len(arguments)) as pool:
        running = [pool.submit(function, *each) for each in arguments]
    wrong = [error for error in (run.exception() for run in running) if error]
    assert not wrong, "".join("".join(traceback.format_exception(error)) for error in wrong)
    return [run.result() for run in running]


def die_at_points(folder, points, stream):
    with world_in(folder, points) as world:
        world.service.control.arm(POINTS, KILL)
        world.service.keep()
        for scenario in stream:
            scenario(world)
    return world.service.deaths


def test_kill_9_at_every_commit_point(tmp_path):
    points = tmp_path / "points"
    deaths = sum(in_parallel(die_at_points, *((tmp_path / f"stream{n}", points, stream) for n, stream in enumerate(STREAMS))))
    lines = points.read_text().splitlines()
    found = [line for line in lines if not line.startswith("writes ")]
    written = {line.split()[1] for line in lines if line.startswith("writes ")}
    by_scope = collections.Counter(point.split()[0] for point in found)
    program = inventory()
    print(f"{len(found)} points, {deaths} deaths: {dict(by_scope)}; {len(written)} of {len(program['writes'])} statements that write")
    assert len(found) == len(set(found)) == deaths
    assert len(program["kind"]) > 10 and [kind for kind in program["kind"] if not by_scope[kind]] == []
    assert set(program["writes"]) - written - SELDOM == set()


def die_at_random(folder, seed):
    dice = random.Random(seed)
    with world_in(folder, folder.parent / f"points{seed}") as world:
        world.service.keep()
        few, many = world.prefix("few", 6), world.prefix("many", 110)
        killer = threading.Thread(target=world.service.kill_at_random, args=(dice, KILLS))
        killer.start()
        jobs = 0
        while killer.is_alive():
            world.run(few, {"succeeded": 6}, below_minimum="on_demand", select="all")
            world.run(many, {"succeeded": 110}, staging=dice.choice(["copy", "in_place"]), select="all", preflight=dice.choice(["full", "listing"]))
            world.rescan(many)
            jobs += 2
    return world.service.deaths, jobs


def test_kill_9_at_random(tmp_path):
    made = in_parallel(die_at_random, *((tmp_path / f"world{n}", 20261127 + n) for n in range(3)))
    print(f"{sum(deaths for deaths, _ in made)} kills at random, {sum(jobs for _, jobs in made)} jobs")
    assert sum(deaths for deaths, _ in made) >= 300
