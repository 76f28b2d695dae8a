"""Worlds for trouble: an emulator, a database and a service that is started again whenever it dies."""

import concurrent.futures
import contextlib
import traceback

from tests.sabotage import scenarios
from tests.sabotage.saboteur import Sabotaged
from tests.support.vidbatch import Database, Emulator


@contextlib.contextmanager
def world_in(folder, points, **settings):
    """A world of its own, whose service is started again whenever it dies. Afterwards all must have come out right."""
    # A repeat that AWS would not know for one makes a second job, and is found out.
    forgetful = ("--token-seconds", "0.1", "--free-names")
    database, emulator = Database(), Emulator(folder, *forgetful, job_seconds=0.2).start()
    service = Sabotaged(folder, database, emulator, points, **settings)
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
