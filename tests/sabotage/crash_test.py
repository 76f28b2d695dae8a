"""kill -9 right before and right after whatever makes something true: every commit of every step and request, and every call that changes something
at AWS. The points are found by the program itself as it runs (libpq.c, libcurl.c), so a new step or query brings its own. At each it dies once."""

import collections
import random
import threading

import pytest

from tests.sabotage import scenarios
from tests.sabotage.saboteur import KILL, POINTS, inventory
from tests.sabotage.worlds import in_parallel, world_in

pytestmark = pytest.mark.long

STREAMS = (
    (scenarios.copies, scenarios.plans, scenarios.keys),
    (scenarios.in_place, scenarios.on_demand, scenarios.imports, scenarios.waits),
    (scenarios.refusals, scenarios.cancels, scenarios.trouble),
)
SETTINGS = {"VIDBATCH_SHARD_RECORDS": "220", "VIDBATCH_WORKERS": "3"}
KILLS = 100  # at random, in each of three worlds


# Statements that need more than these small worlds surely have: 50,000 keys, another Region, refusals of the quota, a failure that stays, a cancel
# that AWS forbids, an answer of the database that is lost, a lease that runs out under a slow worker, a plan and a launch by different keys. Each
# has its test elsewhere.
SELDOM = {"prefix_scan_progress", "prefix_region", "slot_probe", "slot_refuse", "task_dead", "shard_submit_unsent", "task_progress", "task_survived", "task_release_orphans",
          "shard_file_rewind", "shard_move", "job_begun_by"}


def die_at_points(folder, points, stream):
    with world_in(folder, points, **SETTINGS) as world:
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
    with world_in(folder, folder.parent / f"points{seed}", **SETTINGS) as world:
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
