"""The tables against the story, in one pass over both, in the order of the records' places.

Nothing is remembered of a bet that is where it was told. What is not is looked up in portions:
most often it is no fault, but a retry, or it was deleted or refused before.

Only what the newest log tells whole can be compared: an event that began in an earlier log, and a
log that has lost its start, are left out.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, islice
from operator import attrgetter
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from domain.bet_writer import Known, judge_update
from domain.bets import Bet
from domain.counting import Counting
from domain.events import FIRST_VERSION
from domain.fold import Fold, HandOver, Made
from domain.log import EVENTS_TAXONOMY, Bounds, LogPartition, LogPosition, Record
from domain.ports import Codec, MessageBus, UnitOfWork
from domain.records import ConsumerName, EventVersion, PlacedBet, Position

PORTION = 5000
"""Ids that one query asks for."""

Row = TypeVar("Row")


class Violation(NamedTuple):
    """Something that is not as it must be."""

    text: str
    rows: int = 1
    when_quiet: bool = False
    """Whether it is one only if every consumer has read everything."""


class Comparison:
    """Follows events.taxonomy as far as the tables do."""

    def __init__(
        self,
        uow: UnitOfWork,
        bus: MessageBus,
        codec: Codec,
        positions: Collection[Position],
        bounds: Mapping[LogPartition, Bounds],
    ) -> None:
        self._uow = uow
        self._bus = bus
        self._fold = Fold(codec)
        self._whole = {s for s, b in bounds.items() if s.topic == EVENTS_TAXONOMY and b.start == 0}
        self._limits = {
            p.source: p.next_offset for p in positions if p.consumer is ConsumerName.BET_WRITER
        }
        self._digests: dict[tuple[LogPartition, int], set[bytes | None]] = defaultdict(set)
        for p in positions:
            self._digests[p.source, p.next_offset - 1].add(p.last_record_digest)
        self._counting = Counting(positions)
        self._absent_bets: list[Bet] = []
        self._absent_versions: list[EventVersion] = []
        self._strays: list[_Stray] = []
        self._hand_overs: dict[UUID, list[HandOver]] = defaultdict(list)
        self._other_users: dict[UUID, str] = {}
        """Who was told to hold a bet that somebody else holds, before any hand-over."""

    def run(self) -> Iterator[Violation]:
        told = self._bus.read(EVENTS_TAXONOMY)
        for source, records in groupby(told, key=attrgetter("source")):
            if source in self._whole:
                yield from self._partition(source, records)
        yield from self._look_up(at_least=1)
        yield from self._compare_users()
        yield from self._compare_events()

    def miscounted(self) -> Iterator[Violation]:
        """Who has skipped a record, or counted one twice. To be asked after the run."""
        for position, records in self._counting.miscounted(self._bus.bounds(EVENTS_TAXONOMY)):
            where = f"{position.consumer} at {place_text(position.source, position.next_offset)}"
            yield Violation(f"{where} counted {position.tally}, but {records} records lie below")

    def _partition(self, source: LogPartition, records: Iterator[Record]) -> Iterator[Violation]:
        limit = self._limits.get(source, 0)
        audit = self._uow.audit
        bets = _InOrder(audit.placed_in(source, below=limit), attrgetter("offset"))
        versions = _InOrder(audit.made_in(source, below=limit), attrgetter("position.offset"))
        for record in self._counting.follow(source, records):
            read = self._digests.get((source, record.offset))
            if read and read != {record.digest()}:
                place = place_text(source, record.offset)
                yield Violation(f"at {place} lies another record than the one that was read")
            if record.offset % PORTION == 0:
                # A transaction that asks nothing for long is taken for dead.
                self._uow.logs.generations()
            if record.offset < limit:
                told = self._fold.judge(record)
                yield from self._compare_bet(source, told, bets.until(record.offset))
                yield from self._compare_version(told, versions.until(record.offset))
                yield from self._look_up(at_least=PORTION)
        yield from self._compare_bet(source, None, bets.until(limit))
        yield from self._compare_version(None, versions.until(limit))

    def _compare_bet(
        self, source: LogPartition, told: Made, rows: Sequence[PlacedBet]
    ) -> Iterator[Violation]:
        if isinstance(told, HandOver):
            self._hand_overs[told.placement.id].append(told)
        expected = told if isinstance(told, Bet) else None
        for row in rows:
            if expected is None or (row.offset, row.id) != (expected.position.offset, expected.id):
                yield from self._stray(f"bet {row.id}", row.event_id, source.log_id)
                continue
            placement, expected = expected.placement, None
            if row[2:4] != (placement.event_id, placement.market) or (
                row.date_created != placement.date_created
            ):
                yield Violation(f"bet {row.id} is {row}, told {placement}")
            if row.user_id != placement.user_id:
                self._other_users[row.id] = placement.user_id
        if expected is not None:
            self._absent_bets.append(expected)

    def _compare_version(self, told: Made, rows: Sequence[EventVersion]) -> Iterator[Violation]:
        expected = told if isinstance(told, EventVersion) else None
        for row in rows:
            if expected is not None and row.position == expected.position:
                if row != expected:
                    yield Violation(f"event {row.event_id} has {row}, told {expected}")
                expected = None
            else:
                name = f"version {row.version} of event {row.event_id}"
                yield from self._stray(name, row.event_id, row.position.log_id)
        if expected is not None:
            self._absent_versions.append(expected)
            if expected.version == FIRST_VERSION:
                # Deleted since, or begun in an earlier log: the rest of its story means nothing.
                self._fold.forget(expected.event_id)

    def _stray(self, name: str, event_id: UUID, log_id: UUID) -> Iterator[Violation]:
        """It is there, and was not told. That is right if its event began in an earlier log."""
        if event_id in self._fold.events:
            yield Violation(f"{name} is there, but not told")
        else:
            self._strays.append(_Stray(name, event_id, log_id))

    # Looked up in portions

    def _look_up(self, *, at_least: int) -> Iterator[Violation]:
        if len(self._absent_bets) >= at_least:
            absent, self._absent_bets = self._absent_bets, []
            yield from self._look_up_bets(absent)
        if len(self._absent_versions) >= at_least:
            versions, self._absent_versions = self._absent_versions, []
            yield from self._look_up_versions(versions)
        if len(self._strays) >= at_least:
            strays, self._strays = self._strays, []
            yield from self._look_up_strays(strays)

    def _look_up_bets(self, told: Sequence[Bet]) -> Iterator[Violation]:
        """A bet that is not where it was told was told before, or is deleted with or without its
        event, or was refused before and is refused for good."""
        ids = {bet.id for bet in told}
        standing = self._uow.bets.among(ids)
        refused = self._uow.refusals.of_subjects(ids - standing.keys())
        deleted = self._uow.deletions.among(ids | {bet.event_id for bet in told})
        for bet in told:
            earlier = [standing[bet.id].position] if bet.id in standing else []
            if bet.id in refused:
                refusal = refused[bet.id]
                source = refusal.source
                earlier.append(LogPosition(source.log_id, source.partition, refusal.offset))
            if not any(_may_precede(place, bet.position) for place in earlier) and not (
                deleted & {bet.id, bet.event_id}
            ):
                yield Violation(f"bet {bet.id} is told, but not there")

    def _look_up_versions(self, told: Sequence[EventVersion]) -> Iterator[Violation]:
        """A version that is not where it was told was told in an earlier log, or its event is
        deleted."""
        ids = {version.event_id for version in told}
        there = self._uow.events.among(ids)
        first = self._uow.event_versions.between(dict.fromkeys(ids, (FIRST_VERSION,) * 2))
        deleted = self._uow.deletions.among(ids)
        for version in told:
            event_id = version.event_id
            begun = {each.position.log_id for each in first.get(event_id, ())}
            if event_id not in deleted and begun <= {version.position.log_id}:
                name = f"version {version.version} of event {event_id}"
                gone = name if event_id in there else f"event {event_id}"
                yield Violation(f"{gone} is told, but not there")

    def _look_up_strays(self, strays: Sequence["_Stray"]) -> Iterator[Violation]:
        events = {stray.event_id for stray in strays}
        first = self._uow.event_versions.between(dict.fromkeys(events, (FIRST_VERSION,) * 2))
        deleted = self._uow.deletions.among(events)
        for name, event_id, log_id in strays:
            begun = [version.position.log_id for version in first.get(event_id, ())]
            if event_id not in deleted and begun in ([], [log_id]):
                yield Violation(f"{name} is there, but its event is not told")

    def _compare_users(self) -> Iterator[Violation]:
        for ids in _portions({*self._other_users, *self._hand_overs}):
            for bet_id, bet in self._uow.bets.among(ids).items():
                told = self._told_user(bet)
                if bet.placement.user_id != told:
                    yield Violation(
                        f"bet {bet_id} is {bet.placement.user_id!r}'s, told {told!r}",
                        when_quiet=True,
                    )

    def _told_user(self, bet: Bet) -> str:
        """Who holds the bet after all that was asked for it."""
        first = self._other_users.get(bet.id, bet.placement.user_id)
        held = replace(bet, placement=replace(bet.placement, user_id=first))
        for placement, position, at_place in self._hand_overs.get(bet.id, ()):
            known = Known(
                standing=held,
                deleted=False,
                refused=None,
                event_deleted=False,
                at_place=at_place,
            )
            after = judge_update(placement, known)
            if isinstance(after, Bet) and _may_precede(bet.position, position):
                held = after
        return held.placement.user_id

    def _compare_events(self) -> Iterator[Violation]:
        for ids in _portions(self._fold.events):
            stored = self._uow.events.among(ids)
            deleted = self._uow.deletions.among(ids - stored.keys())
            for event_id in ids - deleted:
                told, there = self._fold.events[event_id], stored.get(event_id)
                if there is None:
                    yield Violation(f"event {event_id} is told, but not there")
                elif there != told:
                    text = f"event {event_id} is {there.event}, told {told.event}"
                    yield Violation(text, when_quiet=True)


def partition_text(source: LogPartition) -> str:
    return f"{source.topic} {source.partition}"


def place_text(source: LogPartition, offset: int) -> str:
    return f"{partition_text(source)}, offset {offset}"


class _Stray(NamedTuple):
    """What is there without being told, of an event that was not told yet."""

    name: str
    event_id: UUID
    log_id: UUID


class _InOrder(Generic[Row]):
    """Rows in order of their offsets, taken up to one offset after the other."""

    def __init__(self, rows: Iterator[Row], offset_of: Callable[[Row], int]) -> None:
        self._rows = rows
        self._offset_of = offset_of
        self._next = next(rows, None)

    def until(self, offset: int) -> Sequence[Row]:
        """The rows up to this offset that were not taken yet."""
        taken: list[Row] = []
        while self._next is not None and self._offset_of(self._next) <= offset:
            taken.append(self._next)
            self._next = next(self._rows, None)
        return taken


def _may_precede(place: LogPosition, later: LogPosition) -> bool:
    """Whether one place may be before the other; of two partitions or logs nobody knows here."""
    return place[:2] != later[:2] or place.offset < later.offset


def _portions(ids: Collection[UUID]) -> Iterator[set[UUID]]:
    left = iter(ids)
    while portion := set(islice(left, PORTION)):
        yield portion
