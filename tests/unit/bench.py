"""A workbench for the consumers' loop: a log, a database, a clock, and members moved by hand."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

from adapters.canonical import ALL_KINDS
from adapters.cloudevents import CloudEventsCodec
from adapters.memory.bus import MemoryBus
from adapters.memory.database import MemoryDatabase
from adapters.memory.log import MemoryLog
from domain.consumer import Consumer, Step
from domain.log import (
    EVENTS_TAXONOMY,
    PARTITIONS,
    LogPartition,
    NewRecord,
    Placed,
    partition_of,
)
from domain.messages import Kinds, Message
from domain.ports import Database, UnitOfWork
from domain.reading import Reading
from domain.records import ConsumerName, Position, Tally
from domain.rulings import Fate, Lane, Request, Ruling
from tests.samples import NOW, a_slice, a_version, active, an_event, an_id, created

CODEC = CloudEventsCodec()
JUNK = b"not a message"


def event_on(partition: int, number: int = 0) -> Any:
    """The id of an event whose story lies on this partition; another one for each number."""
    candidates = (an_id(n) for n in count(10_000))
    fitting = (i for i in candidates if partition_of(str(i).encode(), PARTITIONS) == partition)
    return next(each for n, each in enumerate(fitting) if n == number)


ON = {partition: event_on(partition) for partition in range(PARTITIONS)}


def a_message(partition: int = 0) -> NewRecord:
    """A well-formed record for this partition of events.taxonomy."""
    return CODEC.encode(created(an_event(id=ON[partition])))


def a_slice_of(number: int = 0, *, bets: int = 1) -> NewRecord:
    """A well-formed record for bets.state; equal numbers lie on one partition."""
    version = a_version(active(id=ON[0]), at=0)
    ids = [UUID(int=n) for n in range(1, bets + 1)]
    return CODEC.encode(a_slice(ids, version=version, number=number))


def junk(partition: int = 0, topic: str = EVENTS_TAXONOMY) -> NewRecord:
    """A record that is no message."""
    return NewRecord(topic, str(ON[partition]).encode(), JUNK)


@dataclass
class Noting:
    """A handler that notes what it is given. `rule` says what becomes of each request."""

    name: ConsumerName = ConsumerName.EVENT_WRITER
    behind: ConsumerName | None = None
    kinds: Kinds = ALL_KINDS
    publishes: bool = False
    lanes: Sequence[Lane] = (Lane(EVENTS_TAXONOMY, 100),)
    rule: Callable[[Request], Ruling] = lambda _: Fate.APPLIED
    told: Sequence[Sequence[Message]] = ()
    """What it publishes for any requests, in portions."""
    decided: list[list[tuple[int, int]]] = field(default_factory=list)
    """Of each transaction: partition and offset of its requests."""

    def outputs(self, database: Database, requests: Sequence[Request]) -> Iterator[list[Message]]:
        for portion in self.told if requests else ():
            yield list(portion)

    def decide(self, uow: UnitOfWork, requests: Sequence[Request]) -> list[Ruling]:
        self.decided.append([request.record.position[1:] for request in requests])
        return [self.rule(request) for request in requests]

    @property
    def offsets(self) -> list[int]:
        """All that it decided, in order, wherever it lay."""
        return [offset for batch in self.decided for _, offset in batch]


class Bench:
    """Nothing moves by itself."""

    def __init__(self) -> None:
        self.seconds = 0.0
        numbers = count(1)
        self.log = MemoryLog(new_id=lambda: an_id(next(numbers)))
        self.bus = MemoryBus(self.log)
        self.database = MemoryDatabase(now=lambda: NOW + timedelta(seconds=self.seconds))

    def member(self, handler: Noting) -> Consumer:
        """A new member of the handler's group."""
        return Consumer(
            handler,
            bus=self.bus,
            codec=CODEC,
            database=self.database,
            monotonic=lambda: self.seconds,
        )

    def append(self, *records: NewRecord) -> list[Placed]:
        return [future.result(timeout=0) for future in self.bus.publish(records)]

    def source(self, partition: int = 0, topic: str = EVENTS_TAXONOMY) -> LogPartition:
        return self.log.sources(topic)[partition]

    def stand(self, name: ConsumerName, next_offset: int, partition: int = 0) -> None:
        """Let a consumer stand there."""
        position = Position(consumer=name, source=self.source(partition), next_offset=next_offset)
        with self.database.transaction() as uow:
            uow.positions.save([position])
            uow.commit()

    def position(
        self, handler: Noting, partition: int = 0, topic: str = EVENTS_TAXONOMY
    ) -> Position:
        source = self.source(partition, topic)
        with self.database.transaction() as uow:
            stored = uow.positions.read(handler.name, [source])
        return stored.get(source) or Position(consumer=handler.name, source=source)

    def reached(self, handler: Noting, partition: int = 0, topic: str = EVENTS_TAXONOMY) -> int:
        return self.position(handler, partition, topic).next_offset

    def tally(self, handler: Noting, partition: int = 0) -> Tally:
        return self.position(handler, partition).tally


def started(bench: Bench, handler: Noting) -> Consumer:
    """A member that has its partitions, and has read nothing yet."""
    member = bench.member(handler)
    turn(member)
    return member


def turn(member: Consumer) -> list[Step]:
    """One turn, whole."""
    return list(member.turn(idle=0))


def work(member: Consumer, turns: int = 4) -> list[Step]:
    """Some turns; their steps but the polls."""
    return [step for _ in range(turns) for step in turn(member) if step is not Step.POLLED]


def reading_of(member: Consumer, partition: int = 0, topic: str = EVENTS_TAXONOMY) -> Reading:
    (found,) = [r for r in member.readings if r.source[:2] == (topic, partition)]
    return found


def read_before(bench: Bench, records: int = 3) -> Noting:
    """Some records were read by a member that is gone."""
    handler = Noting()
    member = started(bench, handler)
    bench.append(*(a_message() for _ in range(records)))
    work(member)
    member.close()
    handler.decided.clear()
    return handler
