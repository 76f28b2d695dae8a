"""kill -9 right before and right after whatever makes something true: every commit of every step and request, and every call that changes something
at AWS. The points are found by the program itself as it runs (libpq.c, libcurl.c), so a new step or query brings its own. At each it dies once."""

import collections
import concurrent.futures
import contextlib
import random
import time
import uuid

import boto3
import psycopg
import pytest

from tests.sabotage import asked, scenarios
from tests.sabotage.saboteur import KILL, POINTS, inventory
from tests.sabotage.worlds import in_parallel, world_in
from tests.support.vidbatch import ACCESS_KEY, REGION, ROLE, SECRET_KEY

pytestmark = pytest.mark.long

STREAMS = (
    (scenarios.copies, scenarios.plans, scenarios.keys),
    (scenarios.in_place, scenarios.on_demand, scenarios.imports, scenarios.waits, scenarios.requeues),
    (scenarios.refusals, scenarios.cancels, scenarios.trouble),
)
SETTINGS = {"VIDBATCH_SHARD_RECORDS": "220", "VIDBATCH_WORKERS": "3"}
BRISK = {"VIDBATCH_WATCH_INTERVAL": "50ms", "VIDBATCH_WATCH_INTERVAL_MAX": "100ms", "VIDBATCH_POLL": "100ms", "VIDBATCH_RETRY_BASE": "20ms"}
WORLDS, KILLS = 6, 50  # at random, in each of them
PARTS = 4  # of a life


# Statements that need more than these small worlds surely have: 50,000 keys, another Region, refusals of the quota, a cancel that AWS forbids, an
# answer of the database that is lost, a lease that runs out under a slow worker, a plan and a launch by different keys, a part that a backup forgot.
# Each has its test elsewhere.
SELDOM = {"prefix_scan_progress", "prefix_region", "slot_probe", "slot_refuse", "shard_submit_unsent", "task_progress", "task_survived", "task_release_orphans",
          "shard_file_rewind", "shard_move", "job_begun_by", "shard_adopt"}


class DoctoredWorld(Exception):
    """It is not judged at its end as others are."""


def die_at_points(folder, points, stream):
    with world_in(folder, points, **SETTINGS) as world:
        world.service.control.arm(POINTS, KILL)
        world.service.keep()
        for scenario in stream:
            scenario(world)
    return world.service.deaths


def test_kill_9_at_every_commit_point(tmp_path, counted):
    points = tmp_path / "points"
    deaths = sum(in_parallel(die_at_points, *((tmp_path / f"stream{n}", points, stream) for n, stream in enumerate(STREAMS))))
    lines = points.read_text().splitlines()
    found = [line for line in lines if not line.startswith("writes ")]
    written = {line.split()[1] for line in lines if line.startswith("writes ")}
    by_scope = collections.Counter(point.split()[0] for point in found)
    program = inventory()
    counted(f"{len(found)} points, {deaths} deaths: {dict(by_scope)}; {len(written)} of {len(program['writes'])} statements that write")
    assert len(found) == len(set(found)) == deaths
    assert len(program["kind"]) > 10 and [kind for kind in program["kind"] if not by_scope[kind]] == []
    assert set(program["writes"]) - written - SELDOM == set()
    changing = [route for route in asked.routes() if not route.startswith("GET ")]
    spared = [route for route in changing if by_scope[route.replace(" ", ":")] < 2]
    assert len(changing) > 10 and spared == [], "routes that change something, in whose commits nobody has died"


def die_at_random(folder, seed):
    dice = random.Random(seed)
    with world_in(folder, folder.parent / f"points{seed}", **SETTINGS, **BRISK) as world:
        world.service.keep()
        few, many = world.prefix("few", 6), world.prefix("many", 110)

        def work():
            world.run(few, {"succeeded": 6}, below_minimum="on_demand", select="all")
            world.run(many, {"succeeded": 110}, staging=dice.choice(["copy", "in_place"]), select="all", preflight=dice.choice(["full", "listing"]))
            world.rescan(many)

        begun = time.monotonic()
        work()
        life_s = time.monotonic() - begun
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            killer = pool.submit(world.service.kill_at_random, dice, KILLS, life_s)
            rounds = 1
            while not killer.done():
                work()
                rounds += 1
        parts = collections.Counter(int(PARTS * moment / life_s) for moment in killer.result())
    return world.service.caught, parts, life_s, 2 * rounds


def test_kill_9_at_random(tmp_path, counted):
    made = in_parallel(die_at_random, *((tmp_path / f"world{n}", 20261127 + n) for n in range(WORLDS)))
    caught = [steps for world, _, _, _ in made for steps in world]
    by_step = collections.Counter(step for steps in caught for step in set(steps) or {"none"})
    parts = sum((parts for _, parts, _, _ in made), collections.Counter())
    counted(f"{len(caught)} kills at random, {sum(jobs for _, _, _, jobs in made)} jobs, undisturbed {', '.join(f'{life_s:.1f}' for _, _, life_s, _ in made)} s; by quarter of "
            f"that {[parts[n] for n in range(PARTS)]}; while these steps ran: {dict(by_step.most_common())}")
    assert len(caught) >= 300 and all(parts[n] >= len(caught) / PARTS / 2 for n in range(PARTS))
    assert len(by_step.keys() - {"none", "watch"}) >= 8, "most kinds of steps were never caught"


def bedrock_of(world):
    return boto3.client("bedrock", endpoint_url=world.emulator.url, region_name=REGION, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY)


def another_job(world, token):
    """As a service makes it that has forgotten the first."""
    bedrock_of(world).create_model_invocation_job(
        jobName=uuid.uuid4().hex, roleArn=ROLE, modelId=scenarios.MODEL, clientRequestToken=token, inputDataConfig={"s3InputDataConfig": {"s3Uri": "s3://videos/doctored/"}},
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://videos/doctored-out/"}})


def doctored(world):
    """Each judgement, and what it must find: (what is done, what is undone)."""
    query, s3 = world.database.query, world.emulator.s3()
    (first, arn), (second, _) = query("SELECT id, bedrock_arn FROM shard WHERE route = 'batch' ORDER BY id LIMIT 2")
    (record, video), (_, other) = query("SELECT record_id, video_id FROM summary WHERE shard_id = %s ORDER BY record_id LIMIT 2", first)
    own = query("SELECT bedrock_arn FROM shard WHERE id = %s", second)[0][0]
    upload, connection = {}, psycopg.connect(world.database.url)
    yield scenarios.shards_of_one_bedrock_job, lambda: query("UPDATE shard SET bedrock_arn = %s WHERE id = %s", arn, second), lambda: query(
        "UPDATE shard SET bedrock_arn = %s WHERE id = %s", own, second)
    yield scenarios.bedrock_jobs_of_nobody, lambda: query("UPDATE shard SET bedrock_arn = bedrock_arn || 'x' WHERE id = %s", first), lambda: query(
        "UPDATE shard SET bedrock_arn = %s WHERE id = %s", arn, first)
    yield scenarios.videos_answered_twice_in_a_job, lambda: query("UPDATE summary SET video_id = %s WHERE record_id = %s", other, record), lambda: query(
        "UPDATE summary SET video_id = %s WHERE record_id = %s", video, record)
    yield scenarios.shards_that_do_not_add_up, lambda: query("CREATE TABLE kept AS SELECT * FROM summary WHERE record_id = %s", record) or query(
        "DELETE FROM summary WHERE record_id = %s", record), lambda: query("INSERT INTO summary SELECT * FROM kept")
    yield scenarios.folders_still_held, lambda: query("INSERT INTO folder_lock VALUES (%s, 'videos', 'x/')", first), lambda: query("DELETE FROM folder_lock")
    yield scenarios.uploads_left_open, lambda: upload.update(s3.create_multipart_upload(Bucket="videos", Key="open")), lambda: s3.abort_multipart_upload(
        Bucket="videos", Key="open", UploadId=upload["UploadId"])
    yield scenarios.objects_left_in_staging, lambda: s3.put_object(Bucket="videos", Key="staging/left", Body=b"x"), lambda: s3.delete_object(Bucket="videos", Key="staging/left")
    yield scenarios.transactions_left_open, lambda: connection.execute("SELECT 1"), connection.close
    # Bedrock forgets no job: these are left.
    s3.put_object(Bucket="videos", Key="doctored/input.jsonl", Body=b"{}")
    yield scenarios.bedrock_jobs_of_nobody, lambda: another_job(world, uuid.uuid4().hex), lambda: setattr(world, "foreign", world.foreign + 1)
    yield scenarios.tokens_of_two_bedrock_jobs, lambda: [another_job(world, "the-same") or time.sleep(0.2) for _ in range(2)], None


def test_each_judgement_can_fail(tmp_path, counted):
    """A world in which nothing is wrong, doctored: what happened twice, never, or halfway is found, and by its name."""
    found = collections.Counter()
    with contextlib.suppress(DoctoredWorld), world_in(tmp_path, tmp_path / "points", **SETTINGS) as world:
        world.service.keep()
        prefix = world.prefix("videos", 110)
        for n in range(2):
            world.run(prefix, {"succeeded": 110}, select="all", prompt=f"Question {n}?")
        scenarios.settle(world)
        for check, do, undo in doctored(world):
            assert scenarios.what_is_wrong(world) == {}, check.__name__
            do()
            wrong = scenarios.what_is_wrong(world)
            assert check.__name__ in wrong, (check.__name__, wrong)
            with pytest.raises(AssertionError):
                scenarios.assert_exactly_once(world)
            found[check] += 1
            if undo:
                undo()
        raise DoctoredWorld
    assert set(found) == set(scenarios.EXACTLY_ONCE)
    counted(f"{found.total()} doctored worlds, found by all {len(found)} judgements")
