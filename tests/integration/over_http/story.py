"""The inside of a running Touchline: what lies in its log, and a hand that holds its writers."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from adapters.cloudevents import CloudEventsCodec
from adapters.postgres.database import PostgresDatabase
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.log_bus import PostgresLogBus
from domain.log import EVENTS_TAXONOMY
from domain.messages import Message
from domain.records import ConsumerName


class Story:
    """events.taxonomy, reached past both servers."""

    def __init__(self, data: Path) -> None:
        self._postgres = EmbeddedPostgres(data)
        self._database = PostgresDatabase(self._postgres.start())
        self._bus = PostgresLogBus(self._database.engine, delivery_timeout=10)

    def length(self) -> int:
        """How many records there are."""
        return sum(bounds.end for bounds in self._bus.bounds(EVENTS_TAXONOMY).values())

    def append(self, *messages: Message) -> None:
        """As a server does whose quick checks knew nothing yet."""
        codec = CloudEventsCodec()
        for acknowledged in self._bus.publish([codec.encode(message) for message in messages]):
            acknowledged.result()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nothing is decided meanwhile: the Event Writer waits for its rows, and all for it."""
        with self._database.transaction() as uow:
            uow.positions.lock(ConsumerName.EVENT_WRITER, self._bus.bounds(EVENTS_TAXONOMY).keys())
            yield

    def caught_up_ago(self) -> timedelta:
        """How old the youngest mark of the Event Writer is."""
        with self._database.transaction() as uow:
            marks = uow.positions.caught_up_ago(ConsumerName.EVENT_WRITER, EVENTS_TAXONOMY)
        return min(marks.values())

    def close(self) -> None:
        self._bus.close()
        self._database.close()
        self._postgres.stop()
