"""The queue in front of Bedrock's quota of concurrent jobs: never more than there are slots, by the other side's own log; fair between
jobs; refusals put a shard back and are remembered by all replicas."""

import time

import pytest

from tests.support.vidbatch import log_entries, wait_until

SLOTS = 3
VIDEOS = 505  # three shards of at most 200


def story(emulator):
    """What the emulator logged of its jobs, in its order: ("created" | "ended", name)."""
    lines = log_entries(emulator.request_log)
    return [(line["event"].removeprefix("job."), line["name"]) for line in lines if line["event"].startswith("job.")]


def most_at_once(emulator):
    running, most = 0, 0
    for event, _ in story(emulator):
        running += 1 if event == "created" else -1
        most = max(most, running)
    return most


def creates(emulator):
    return emulator.requests("Bedrock.CreateModelInvocationJob")


def two_replicas(stack, database, emulator, **settings):
    settings = {"VIDBATCH_SHARD_RECORDS": "200", **settings}
    replicas = [stack.service(database, emulator, name="a", **settings), stack.service(database, emulator, name="b", **settings)]
    return [replica.client() for replica in replicas]


def prefixes(client, emulator, count):
    made = []
    for n in range(count):
        emulator.put_videos(f"in{n}/", VIDEOS)
        made.append(client.register(f"in{n}/")["id"])
    return [client.wait_scan(prefix)["id"] for prefix in made]


def positions(client, job):
    return [shard["waiting"]["position"] for shard in client.pages(f"/v1/jobs/{job}/shards") if shard["waiting"] and shard["waiting"]["for"] == "slot"]


def assert_exactly_once(database, emulator, clients, jobs, shards=3):
    for n, job in enumerate(jobs):
        ended = clients[n % len(clients)].wait_job(job, timeout_s=240)
        assert (ended["outcome"], ended["shards"], ended["counts"]["succeeded"]) == ("success", shards, VIDEOS), ended
    created = [name for event, name in story(emulator) if event == "created"]
    assert sorted(created) == sorted(row[0] for row in database.query("SELECT bedrock_name FROM shard")), "one Bedrock job a shard"
    assert database.value("SELECT count(*) FROM shard WHERE error IS NOT NULL") == 0
    assert all(shard["waiting"] is None for job in jobs for shard in clients[0].pages(f"/v1/jobs/{job}/shards"))


def test_three_slots_three_jobs_two_replicas(stack):
    database, emulator = stack.database(), stack.emulator("--concurrent-jobs", str(SLOTS), job_seconds=0.5)
    clients = two_replicas(stack, database, emulator, VIDBATCH_CONCURRENT_JOBS=str(SLOTS))
    a, b, c = prefixes(clients[0], emulator, 3)
    emulator.fault(job={"hold": True, "count": SLOTS})  # the first job takes all slots, until it is let go
    jobs = [clients[0].launch(a)["id"]]
    wait_until("the first job to take all slots", lambda: len(story(emulator)) == SLOTS)
    jobs.append(clients[1].launch(b)["id"])
    wait_until("the second job to wait", lambda: positions(clients[0], jobs[1]) == [1, 2, 3])
    jobs.append(clients[0].launch(c)["id"])
    wait_until("the third job to wait between", lambda: positions(clients[1], jobs[2]) == [2, 4, 6])
    assert positions(clients[1], jobs[1]) == [1, 3, 5] and positions(clients[0], jobs[0]) == []
    emulator.clear_faults()
    emulator.control("POST", "release", {"name_contains": ""})
    assert_exactly_once(database, emulator, clients, jobs)
    assert most_at_once(emulator) == SLOTS
    owner = {name: job for name, job in database.query("SELECT bedrock_name, job_id FROM shard")}
    later = [owner[name] for event, name in story(emulator) if event == "created"][SLOTS:]
    for taken in range(1, len(later) + 1):  # neither gets far ahead of the other
        counts = [later[:taken].count(job) for job in set(later)]
        assert max(counts) - (min(counts) if len(counts) > 1 else 0) <= 2, later
    refused = [r for r in creates(emulator) if r["status"] != 200]
    assert refused == [], "our own count of slots is Bedrock's"


def test_a_quota_that_is_smaller_than_ours(stack):
    """AWS takes 2 although the table says 100: every shard has its turn, and AWS is not asked over and over."""
    database, emulator = stack.database(), stack.emulator("--concurrent-jobs", "2", job_seconds=0.5)
    clients = two_replicas(stack, database, emulator)
    jobs = [clients[n % 2].launch(prefix)["id"] for n, prefix in enumerate(prefixes(clients[0], emulator, 3))]
    assert_exactly_once(database, emulator, clients, jobs)
    assert most_at_once(emulator) == 2
    refused = [r for r in creates(emulator) if r.get("code") == "ServiceQuotaExceededException"]
    print(f"{len(refused)} refusals for 9 jobs")
    # at first all that are staged may ask at once; afterwards one asks at a time, with pauses that grow up to half a second here
    assert 1 <= len(refused) <= 20


def test_throttled_creates_are_put_back(stack):
    database, emulator = stack.database(), stack.emulator("--concurrent-jobs", str(SLOTS), job_seconds=0.2)
    emulator.fault(op="Bedrock.CreateModelInvocationJob", count=12, action={"status": 429, "code": "ThrottlingException", "message": "Too many requests"})
    clients = two_replicas(stack, database, emulator, VIDBATCH_CONCURRENT_JOBS=str(SLOTS))
    jobs = [clients[n % 2].launch(prefix)["id"] for n, prefix in enumerate(prefixes(clients[0], emulator, 2))]
    assert_exactly_once(database, emulator, clients, jobs)
    assert most_at_once(emulator) <= SLOTS
    throttled = [r for r in creates(emulator) if r.get("code") == "ThrottlingException"]
    assert len(throttled) == 12
    assert database.value("SELECT count(*) FROM slot_refusal") == 0


def test_a_refusal_is_shared_by_replicas(stack):
    """While nobody may ask, nobody asks: neither the replica that was refused nor the other."""
    database, emulator = stack.database(), stack.emulator(job_seconds=0.2)
    clients = two_replicas(stack, database, emulator)
    prefix = prefixes(clients[0], emulator, 1)[0]
    database.query("INSERT INTO slot_refusal VALUES ('amazon.nova-lite-v1:0', 'throttled', 0, 1, now(), now() + interval '1 hour'), ('', 'throttled', 0, 1, now(), now() + interval '1 hour')")
    job = clients[1].launch(prefix)["id"]
    wait_until("all shards to wait", lambda: positions(clients[0], job) == [1, 2, 3])
    looks = "SELECT sum(attempt) FROM task WHERE kind = 'submit'"
    attempts = database.value(looks)
    database.query("UPDATE task SET run_at = now() WHERE kind = 'submit'")
    wait_until("every shard to have looked again", lambda: database.value(looks) >= attempts + 3)
    assert creates(emulator) == []
    database.query("UPDATE slot_refusal SET until = now()")
    database.query("UPDATE task SET run_at = now() WHERE kind = 'submit'")
    assert_exactly_once(database, emulator, clients, [job])


def test_those_behind_sleep_and_no_wake_is_lost(stack):
    """Shards that wait cost nothing; a slot that nobody saw become free, here because the quota was raised, is found by the watch."""
    database, emulator = stack.database(), stack.emulator(job_seconds=0.2)
    settings = {"VIDBATCH_SHARD_RECORDS": "200", "VIDBATCH_WATCH_INTERVAL": "100ms", "VIDBATCH_WATCH_INTERVAL_MAX": "500ms"}
    service = stack.service(database, emulator, **settings, VIDBATCH_CONCURRENT_JOBS="1")
    client = service.client()
    emulator.fault(job={"hold": True, "count": 1})
    job = client.launch(prefixes(client, emulator, 1)[0])["id"]
    wait_until("all but one to wait", lambda: positions(client, job) == [1, 2])
    looks = "SELECT sum(attempt) FROM task WHERE kind = 'submit'"
    wait_until("all to have looked", lambda: database.value("SELECT min(attempt) FROM task WHERE kind = 'submit'") >= 1)
    attempts = database.value(looks)
    time.sleep(3)  # six times the longest pause of the watch
    assert database.value(looks) == attempts
    assert service.stop() == 0
    client = stack.service(database, emulator, name="later", **settings, VIDBATCH_CONCURRENT_JOBS="3").client()
    wait_until("the others to run", lambda: client.get(f"/v1/jobs/{job}")["counts"]["succeeded"] > 300, timeout_s=10)
    emulator.control("POST", "release", {"name_contains": ""})
    assert_exactly_once(database, emulator, [client], [job])


@pytest.mark.parametrize("victim", [0, 1])
def test_kill_9_does_not_lose_a_slot(stack, victim):
    """A replica dies between taking a slot and Bedrock's answer: the slot is neither lost nor given twice."""
    database, emulator = stack.database(), stack.emulator("--concurrent-jobs", str(SLOTS), job_seconds=0.3)
    settings = {"VIDBATCH_SHARD_RECORDS": "200", "VIDBATCH_CONCURRENT_JOBS": str(SLOTS), "VIDBATCH_LEASE": "600ms", "VIDBATCH_HEARTBEAT": "150ms", "VIDBATCH_LOOKUP_GRACE": "2s"}
    replicas = [stack.service(database, emulator, name=name, **settings) for name in ("a", "b")]
    clients = [replica.client() for replica in replicas]
    made = prefixes(clients[0], emulator, 2)
    emulator.fault(op="Bedrock.CreateModelInvocationJob", count=3, action={"delay_ms": 1000})
    jobs = [clients[0].launch(prefix)["id"] for prefix in made]
    wait_until("Bedrock to be asked", lambda: database.value("SELECT count(*) FROM shard WHERE create_sent_at IS NOT NULL") > 0)
    replicas[victim].kill()
    replicas[victim].start()
    assert_exactly_once(database, emulator, clients, jobs)
    assert most_at_once(emulator) <= SLOTS
