"""A consumer that is stuck while records wait is not live, and only then. It is made so really: by
a lock on its position that somebody else holds."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import create_engine

from domain.records import ConsumerName
from entrypoints import bootstrap
from entrypoints.runner import ConsumerRunner
from entrypoints.settings import Settings
from tests.contracts.poison import a_bet
from tests.integration.system import eventually
from tests.samples import EVENT

STUCK = 0.2
"""Seconds. One that has nothing to do comes round twice a second: it must be found live all the
same."""


@dataclass
class Consumer:
    """A running Event Writer and its health."""

    runner: ConsumerRunner
    app: FastAPI

    def livez(self) -> tuple[int, dict[str, Any]]:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.get("/livez")

        answer = asyncio.run(ask())
        return answer.status_code, answer.json()

    def livez_of_a_long_turn(self) -> tuple[int, dict[str, Any]] | None:
        """What it says of a turn that lasts, if this one does."""
        return self.livez() if self.runner.turn_age > STUCK else None

    def livez_if_not_ok(self) -> dict[str, Any] | None:
        status, said = self.livez()
        return said if status == 503 else None


@pytest.fixture
def consumer(fresh_database: str) -> Iterator[Consumer]:
    settings = Settings(_env_file=None, database_url=fresh_database)  # type: ignore[call-arg]
    bootstrap.migrate(fresh_database)
    bootstrap.create_topics(settings, fresh_database)
    stop = threading.Event()
    runner = bootstrap.consumer_runner(ConsumerName.EVENT_WRITER, settings, fresh_database, stop)
    app = bootstrap.consumer_health(runner, settings, fresh_database, stuck_seconds=STUCK)
    thread = threading.Thread(target=runner.run)
    thread.start()
    eventually(lambda: runner.trouble is None and len(runner.readings()) == 3)
    yield Consumer(runner, app)
    stop.set()
    thread.join()


def test_stuck_while_records_wait(consumer: Consumer, fresh_database: str) -> None:
    settings = Settings(_env_file=None, database_url=fresh_database)  # type: ignore[call-arg]
    assert eventually(consumer.livez_of_a_long_turn) == (200, {"status": "ok"})
    engine = create_engine(fresh_database)
    eventually(lambda: all(reading.end_reached for reading in consumer.runner.readings()))
    with engine.begin() as holding:
        locked = holding.exec_driver_sql("SELECT FROM positions FOR UPDATE")
        assert locked.rowcount == 3
        # It can't even say any more that it stands at the log's end; but nothing waits for it.
        assert eventually(consumer.livez_of_a_long_turn) == (200, {"status": "ok"})
        with bootstrap.connected(settings, fresh_database, name="test") as (_, bus):
            (future,) = bus.publish([a_bet(EVENT, 0)])
            future.result()
        # One answer: it waits for a record, is given it, and only then waits for the lock. In
        # between it takes a step, and isn't stuck.
        said = eventually(consumer.livez_if_not_ok)
        assert said["status"] == "unavailable"
        assert said["event-writer"].startswith("stuck: no step for ")
        assert said["event-writer"].endswith(" 1 records wait")
    eventually(lambda: sum(reading.lag for reading in consumer.runner.readings()) == 0)
    eventually(lambda: consumer.livez() == (200, {"status": "ok"}))
    engine.dispose()
