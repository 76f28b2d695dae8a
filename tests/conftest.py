"""Fixtures of the tests that run the whole program."""

import pytest

from tests.support.vidbatch import Database, Emulator, Service


@pytest.fixture
def counted(record_property):
    """counted("text"): what a test says it has counted, printed at the end of the run whichever process the test ran in."""
    return lambda text: record_property("counted", text)


def pytest_terminal_summary(terminalreporter):
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == "counted" and report.when == "call":
                terminalreporter.write_line(text)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    running = Emulator(tmp_path_factory.mktemp("emulator")).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def database():
    made = Database()
    yield made
    made.drop()


@pytest.fixture(scope="module")
def service(tmp_path_factory, database, emulator):
    running = Service(tmp_path_factory.mktemp("service"), database, emulator).start()
    yield running
    assert running.stop() == 0, running.log()[-3000:]


@pytest.fixture(scope="module")
def client(service):
    return service.client()


@pytest.fixture
def stack(tmp_path):
    """Makes an emulator, a database and services that only this test uses; all are ended with it."""
    made = []

    class Stack:
        def emulator(self, *flags, **options):
            made.append(Emulator(tmp_path / f"emulator{len(made)}", *flags, **options).start())
            return made[-1]

        def database(self):
            made.append(Database())
            return made[-1]

        def service(self, database, emulator, start=True, **settings):
            service = Service(tmp_path / f"service{len(made)}", database, emulator, **settings)
            made.append(service)
            return service.start() if start else service

    yield Stack()
    for thing in reversed(made):
        if isinstance(thing, Database):
            thing.drop()
        elif isinstance(thing, Service):
            thing.kill()
        else:
            thing.stop()
