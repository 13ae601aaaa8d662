"""The loop that all three consumers share: poll, decode, decide, write once, record the position.

The loop is a generator: it yields after each step, so that whoever runs it can stop, keep the
group membership alive, or (a simulation) crash between any two steps. Wherever it is abandoned,
the stored position says where to go on, and what is done twice changes nothing.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from domain.errors import MalformedRecord
from domain.log import EVENTS_TAXONOMY, LogPartition, Placed, Record
from domain.messages import MESSAGE_TYPES, Message, Other, subject_of
from domain.observing import Observer, Part, Stopwatch, Told, Unobserved, bets_in
from domain.ports import Codec, Database, MessageBus, UnitOfWork
from domain.reader import Reader
from domain.reading import Reading
from domain.records import (
    ConsumerName,
    DeadLetter,
    Position,
    Refusal,
    RefusalReason,
    Tally,
)
from domain.recreation import superseded
from domain.rulings import Batch, Decoded, Handler, Lane, Request, Ruling, place_in

MOST_UNACKNOWLEDGED = 100
"""Published records that may wait for their acknowledgement: bounds the memory."""


class Step(StrEnum):
    """The numbered steps of one turn; a crash after any of them is harmless."""

    POLLED = "polled"
    PUBLISHED = "published"
    ACKNOWLEDGED = "acknowledged"
    DECIDED = "decided"
    WRITTEN = "written"
    COMMITTED = "committed"


class Consumer:
    """One member of one consumer group."""

    def __init__(
        self,
        handler: Handler,
        *,
        bus: MessageBus,
        codec: Codec,
        database: Database,
        monotonic: Callable[[], float],
        observer: Observer | None = None,
    ) -> None:
        self.handler = handler
        self._bus = bus
        self._codec = codec
        self._database = database
        self._observer = observer or Unobserved()
        self._watch = Stopwatch(self._observer, monotonic)
        self._subscription = bus.subscribe(handler.name, [lane.topic for lane in handler.lanes])
        self._reader = Reader(
            handler,
            subscription=self._subscription,
            codec=codec,
            database=database,
            monotonic=monotonic,
            observer=self._observer,
        )

    @property
    def readings(self) -> Collection[Reading]:
        """How this member stands, partition by partition."""
        return self._reader.readings

    @property
    def is_waiting(self) -> bool:
        """Whether there is work that only waits for another consumer."""
        return any(reading.held and reading.lost is None for reading in self.readings)

    def close(self) -> None:
        """Leave the group."""
        self._subscription.close()

    def restart(self) -> None:
        """After an error: forget what was read, and go on from the stored positions."""
        self._reader.restart_all()

    def keep_alive(self) -> None:
        """During long work: poll, so that the group keeps this member."""
        self._reader.receive(timeout=0)

    def turn(self, *, idle: float) -> Generator[Step]:
        """One turn, a batch of each lane; wait up to `idle` seconds for records when there is
        nothing to do."""
        self._reader.read(idle=idle)
        yield Step.POLLED
        for lane in self.handler.lanes:
            if batch := self._reader.batch(lane):
                yield from self._work(batch, lane)

    def _work(self, batch: Batch, lane: Lane) -> Iterator[Step]:
        """Take a batch, or what of it need not wait, through outputs, decision, effect and
        position."""
        self._watch.start()
        if self.handler.publishes:
            with self._database.transaction() as uow:
                admitted = self._admit(uow, batch, uow.positions.read)
            batch = admitted.taken
            if admitted.fresh:
                yield from self._publish(_requests(admitted.fresh))
                self._watch.stop(Part.PUBLISH)
        with self._database.transaction() as uow:
            admitted = self._admit(uow, batch, uow.positions.lock)
            if not admitted.fresh and not admitted.duplicates:
                return
            requests = _requests(admitted.fresh)
            rulings = self.handler.decide(uow, requests)
            self._watch.stop(Part.DECIDE)
            positions = self._record(uow, admitted, rulings)
            self._watch.stop(Part.WRITE)
            yield Step.DECIDED
            self._watch.start()
            uow.commit(lazily=lane.lazy)
            self._watch.stop(Part.COMMIT)
        yield Step.WRITTEN
        self._reader.advance(positions)
        taken = {source: len(run) for source, run in admitted.taken.items()}
        self._observer.did(taken, requests, rulings)
        yield Step.COMMITTED

    def _admit(
        self,
        uow: UnitOfWork,
        batch: Batch,
        read: Callable[[ConsumerName, Collection[LogPartition]], Mapping[LogPartition, Position]],
    ) -> "_Admitted":
        """Cut the batch to what lies between the stored position and the consumer before."""
        sources = sorted(batch)
        found = read(self.handler.name, sources)
        positions = {source: found.get(source) or self._origin(source) for source in sources}
        ahead = self._ahead(uow, sources)
        self._reader.compare(batch, [*positions.values(), *ahead.values()])
        past = superseded(uow, sources)
        admitted = _Admitted(positions)
        for source, run in batch.items():
            reading = self._reader.get(source)
            if reading is None or reading.lost is not None:
                continue
            if source in past or reading.is_ahead_of(positions[source]):
                self._reader.restart(source)
                continue
            if positions[source].next_offset > run[-1].record.offset + 1:
                # Somebody else has gone on past all of this. What it read must be what lies there.
                self._reader.restart(source)
                continue
            done = place_in(run, positions[source].next_offset)
            reach = place_in(run, ahead[source].next_offset) if source in ahead else len(run)
            taken = max(done, reach)
            if taken:
                admitted.taken[source] = run[:taken]
            if done:
                admitted.duplicates[source] = done
            if done < reach:
                admitted.fresh[source] = run[done:reach]
            reading.held |= taken < len(run)
        return admitted

    def _origin(self, source: LogPartition) -> Position:
        return Position(consumer=self.handler.name, source=source)

    def _ahead(
        self, uow: UnitOfWork, sources: Sequence[LogPartition]
    ) -> Mapping[LogPartition, Position]:
        """Where the consumer before this one stands; what only this one reads has no limit."""
        behind = self.handler.behind
        if behind is None:
            return {}
        limited = [source for source in sources if source.topic == EVENTS_TAXONOMY]
        found = uow.positions.read(behind, limited)
        return {s: found.get(s) or Position(consumer=behind, source=s) for s in limited}

    def _publish(self, requests: Sequence[Request]) -> Iterator[Step]:
        """Publish what the requests move; return once every record is acknowledged."""
        unacknowledged: deque[_Sent] = deque()
        told: list[Told] = []
        for messages in self.handler.outputs(self._database, requests):
            records = [self._codec.encode(message) for message in messages]
            futures = self._bus.publish(records)
            unacknowledged.extend(map(_Sent.of, messages, futures))
            yield Step.PUBLISHED
            while len(unacknowledged) > MOST_UNACKNOWLEDGED:
                told.append(unacknowledged.popleft().told())
        told.extend(sent.told() for sent in unacknowledged)
        self._observer.told(told)
        yield Step.ACKNOWLEDGED

    def _record(
        self, uow: UnitOfWork, admitted: "_Admitted", rulings: Sequence[Ruling]
    ) -> list[Position]:
        """Write refusals, dead letters and positions; return the positions."""
        refusals: list[Refusal] = []
        letters: list[DeadLetter] = []
        tallies = {
            source: Counter(read=number, duplicate=number)
            for source, number in admitted.duplicates.items()
        }
        last: dict[LogPartition, Record] = {}
        remaining = iter(rulings)
        for source, run in admitted.fresh.items():
            last[source] = run[-1].record
            tally = tallies.setdefault(source, Counter())
            tally["read"] += len(run)
            for record, message in run:
                if message is Other.OTHER:
                    tally["unchanged"] += 1
                    continue
                if isinstance(message, MalformedRecord):
                    tally["dead_lettered"] += 1
                    letters.append(DeadLetter(record=record, reason=str(message)))
                    continue
                ruling = next(remaining)
                if isinstance(ruling, RefusalReason):
                    tally["refused"] += 1
                    refusals.append(_refusal(Request(record, message), ruling))
                else:
                    tally[ruling] += 1
        if refusals:
            uow.refusals.add(refusals)
        if letters:
            uow.dead_letters.add(letters)
        positions = [
            _advanced(admitted.positions[source], last.get(source), Tally(**tally))
            for source, tally in sorted(tallies.items())
        ]
        uow.positions.save(positions)
        return positions


class _Sent(NamedTuple):
    """A record on its way, and of what is in it only what is told of it."""

    event_id: UUID
    bets: int
    future: "Future[Placed]"

    @classmethod
    def of(cls, message: Message, future: "Future[Placed]") -> "_Sent":
        return cls(subject_of(message), bets_in(message), future)

    def told(self) -> Told:
        """Waits for the acknowledgement; raises if there is none."""
        return Told(self.event_id, self.bets, self.future.result())


@dataclass(slots=True)
class _Admitted:
    """The part of a batch that may be worked on now."""

    positions: Mapping[LogPartition, Position]
    taken: dict[LogPartition, Sequence[Decoded]] = field(default_factory=dict)
    fresh: dict[LogPartition, Sequence[Decoded]] = field(default_factory=dict)
    duplicates: dict[LogPartition, int] = field(default_factory=dict)
    """How many of them were done before."""


def _requests(batch: Batch) -> list[Request]:
    return [
        Request(record, message)
        for run in batch.values()
        for record, message in run
        if message is not Other.OTHER and not isinstance(message, MalformedRecord)
    ]


def _refusal(request: Request, reason: RefusalReason) -> Refusal:
    return Refusal(
        source=request.record.source,
        offset=request.record.offset,
        message_id=request.message.id,
        type=MESSAGE_TYPES[type(request.message)],
        subject=subject_of(request.message),
        reason=reason,
    )


def _advanced(position: Position, last: Record | None, tally: Tally) -> Position:
    if last is None:
        return replace(position, tally=position.tally.plus(tally))
    return replace(
        position,
        next_offset=last.offset + 1,
        last_record_digest=last.digest(),
        tally=position.tally.plus(tally),
    )
