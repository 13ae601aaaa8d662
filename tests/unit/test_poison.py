"""Garbage between the records, on the adapters in memory."""

import pytest

from adapters.memory.bus import MemoryBus
from adapters.memory.database import MemoryDatabase
from adapters.memory.log import MemoryLog
from domain.ports import Database
from tests.contracts.poison import OpenBus, PoisonContract


class TestInMemory(PoisonContract):
    """The shared suite."""

    @pytest.fixture
    def open_bus(self) -> OpenBus:
        log = MemoryLog()
        return lambda: MemoryBus(log)

    @pytest.fixture
    def database(self) -> Database:
        return MemoryDatabase()
