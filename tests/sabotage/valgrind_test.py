"""One whole job, from the registration of a prefix to the search in its summaries, under valgrind: no wrong access, nothing uninitialized used, no leak."""

import pytest

from tests.sabotage import scenarios
from tests.support.vidbatch import BUILD

pytestmark = pytest.mark.long
VALGRIND = ["valgrind", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect",
            "--num-callers=30", "--fair-sched=yes"]


def test_a_whole_job(stack):
    database, emulator = stack.database(), stack.emulator(job_seconds=1)
    service = stack.service(database, emulator, start=False, VIDBATCH_LEASE="60s", VIDBATCH_HEARTBEAT="10s")
    service.arguments = [*VALGRIND, str(BUILD / "bin/vidbatchd")]
    service.start()
    world = scenarios.World(service, emulator, database)
    prefix, few = world.prefix("videos", 110), world.prefix("few", 3)
    job = world.run(prefix, {"succeeded": 110})
    world.run(few, {"succeeded": 3}, below_minimum="on_demand")
    for path in ("summaries?format=csv", "records", "shards", "failures", "report"):
        world.client.call("GET", f"/v1/jobs/{job['id']}/{path}", 200)
    world.client.get("/v1/summaries?q=emulated")
    world.client.call("DELETE", f"/v1/prefixes/{prefix['id']}", 204)
    scenarios.settle(world)
    scenarios.assert_exactly_once(world)
    assert service.stop(120) == 0, service.log()[-6000:]
    assert "ERROR SUMMARY: 0 errors" in service.log()
