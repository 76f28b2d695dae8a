"""Fixtures of the emulator's own tests."""

import pytest

from tests.emulator.harness import Emulator


@pytest.fixture(scope="module")
def emu(tmp_path_factory):
    emulator = Emulator(tmp_path_factory.mktemp("emulator"))
    yield emulator
    emulator.stop()


@pytest.fixture(autouse=True)
def nothing_left_over(emu):
    yield
    emu.control("DELETE", "faults")
    emu.control("POST", "clock", {"offset_ms": 0})
