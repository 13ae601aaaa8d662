"""Checks the design's invariants on the live tables and topics; changes nothing.

While consumers lag only what must hold at every moment is asked for: a bet's state is then held
to its own version, and not to the event's newest.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from domain.bets import Bet
from domain.evaluator import evaluate
from domain.fold import Fold
from domain.log import BETS_STATE, EVENTS_TAXONOMY, TOPICS, Bounds, LogPartition, Record
from domain.ports import Codec, Database, MessageBus, UnitOfWork
from domain.records import ConsumerName, Cursor, Position, StoredEvent

EXAMPLES = 10
"""Violations that are shown of each invariant."""

PAGE = 5000
"""Rows read in one query."""

ORDER = (ConsumerName.BET_SCORER, ConsumerName.BET_WRITER, ConsumerName.EVENT_WRITER)
"""No consumer passes the next one."""

Found = Iterator[tuple[int, str]]
"""(How many violations, and what they are)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """One invariant and how often it is violated."""

    name: str
    violations: int
    examples: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What `verify` found. `quiet`: every consumer stood at the end of its topics."""

    quiet: bool
    invariants: list[Invariant]

    @property
    def holds(self) -> bool:
        return not any(invariant.violations for invariant in self.invariants)


def verify(database: Database, bus: MessageBus, codec: Codec) -> Report:
    """Check everything. Raises Unavailable or Misconfigured when it could not be checked."""
    seen = _look(database, bus)
    report = _check(database, bus, codec, *seen, quiet=is_quiet(*seen))
    now = _look(database, bus)
    if report.quiet and now != seen:
        # Something moved under the checks: only what must always hold can be held to.
        return _check(database, bus, codec, *now, quiet=False)
    return report


def _look(
    database: Database, bus: MessageBus
) -> tuple[list[Position], Mapping[LogPartition, Bounds]]:
    """Where everybody stands, and where the logs end."""
    with database.transaction() as uow:
        positions = list(uow.positions.all())
    return positions, {s: bound for topic in TOPICS for s, bound in bus.bounds(topic).items()}


def _check(
    database: Database,
    bus: MessageBus,
    codec: Codec,
    positions: list[Position],
    bounds: Mapping[LogPartition, Bounds],
    *,
    quiet: bool,
) -> Report:
    checks: dict[str, Callable[[UnitOfWork], Found]] = {
        "bet-states": lambda uow: _bet_states(uow, quiet=quiet),
        "standing-bets": _standing_bets,
        "event-versions": _event_versions,
        "accounting": lambda _: _accounting(positions),
        "fold": lambda uow: _Comparison(uow, bus, codec, positions, bounds, quiet=quiet).run(),
        "positions-order": lambda _: _positions_order(positions),
    }
    invariants = []
    for name, check in checks.items():
        with database.transaction() as uow:
            found = list(check(uow))
        invariants.append(
            Invariant(
                name=name,
                violations=sum(count for count, _ in found),
                examples=[text for _, text in found[:EXAMPLES]],
            )
        )
    return Report(quiet=quiet, invariants=invariants)


def is_quiet(positions: list[Position], bounds: Mapping[LogPartition, Bounds]) -> bool:
    """Whether everybody has read everything."""
    reached = {(p.consumer, p.source): p.next_offset for p in positions}
    readers = {EVENTS_TAXONOMY: ORDER, BETS_STATE: (ConsumerName.BET_WRITER,)}
    return all(
        reached.get((consumer, source), 0) == bound.end
        for source, bound in bounds.items()
        for consumer in readers[source.topic]
    )


def _bet_states(uow: UnitOfWork, *, quiet: bool) -> Found:
    """1. state = f(market, event state, score)."""
    groups = uow.audit.bet_groups()
    ranges: dict[UUID, tuple[int, int]] = {}
    for group in groups:
        first, last = ranges.get(group.event_id, (group.event_version, group.event_version))
        version = group.event_version
        ranges[group.event_id] = (min(first, version), max(last, version))
    events = uow.events.among(ranges.keys())
    versions = {} if quiet else uow.event_versions.between(ranges)
    made = {(v.event_id, v.version): (v.state, v.score) for vs in versions.values() for v in vs}
    for group in groups:
        stored = events.get(group.event_id)
        if quiet and stored is not None:
            cause = (stored.event.state, stored.event.score)
        else:
            cause = made.get((group.event_id, group.event_version))  # type: ignore[assignment]
        if cause is None or group.state is not evaluate(group.market, *cause):
            for bet_id in uow.audit.bets_in(group, most=EXAMPLES):
                yield 0, f"bet {bet_id} on {group.market} is {group.state}"
            yield group.bets, f"{group.bets} bets on {group.market} of event {group.event_id}"


def _standing_bets(uow: UnitOfWork) -> Found:
    """2. A bet stands only if its record precedes the end of `created`, and it was not deleted."""
    for bet_id in uow.audit.late_bets():
        yield 1, f"bet {bet_id} stands, but should not"


def _event_versions(uow: UnitOfWork) -> Found:
    """3. Versions have no gaps and end in the event as it is."""
    for event_id in uow.audit.version_faults():
        yield 1, f"event {event_id} and its versions don't fit"


def _accounting(positions: list[Position]) -> Found:
    """4. Every record read is accounted for exactly once."""
    for position in positions:
        tally = position.tally
        fresh = tally.read - tally.duplicate
        if tally.read != sum(tally[1:]) or fresh > position.next_offset:
            yield 1, f"{position.consumer} on {position.source}: {tally} at {position.next_offset}"


def _positions_order(positions: list[Position]) -> Found:
    """6. Bet Scorer ≤ Bet Writer ≤ Event Writer, per partition."""
    reached = {(p.consumer, p.source): p.next_offset for p in positions}
    for source in sorted({p.source for p in positions if p.source.topic == EVENTS_TAXONOMY}):
        offsets = [reached.get((consumer, source), 0) for consumer in ORDER]
        if offsets != sorted(offsets):
            yield 1, f"{source}: {dict(zip(ORDER, offsets, strict=True))}"


class _Comparison:
    """5. Folding the topic from its start gives the tables, less what `deletions` names.

    Only what the newest log tells whole can be compared: an event that began in an earlier log,
    and a log that has lost its start, are left out.
    """

    def __init__(
        self,
        uow: UnitOfWork,
        bus: MessageBus,
        codec: Codec,
        positions: list[Position],
        bounds: Mapping[LogPartition, Bounds],
        *,
        quiet: bool,
    ) -> None:
        self._uow = uow
        self._bus = bus
        self._codec = codec
        self._quiet = quiet
        self._whole = {s for s, b in bounds.items() if s.topic == EVENTS_TAXONOMY and b.start == 0}
        self._limits = {
            p.source: p.next_offset for p in positions if p.consumer is ConsumerName.BET_WRITER
        }

    def run(self) -> Found:
        fold = Fold(self._codec)
        fold.take(self._told())
        # Before the deletions: what was deleted while we read is no violation.
        stored = self._uow.events.among(fold.events.keys())
        deleted = self._uow.deletions.among(fold.events.keys() | fold.bets.keys())
        for event_id in deleted & fold.events.keys():
            del fold.events[event_id]
        bets = {
            bet_id: bet
            for bet_id, bet in fold.bets.items()
            if bet_id not in deleted and bet.event_id in fold.events
        }
        yield from self._compare_events(fold.events, stored)
        yield from self._compare_bets(bets, fold.events)

    def _told(self) -> Iterator[Record]:
        """The story, as far as all writers have come."""
        return (
            record
            for record in self._bus.read(EVENTS_TAXONOMY)
            if record.source in self._whole and record.offset < self._limits.get(record.source, 0)
        )

    def _compare_events(
        self, told: Mapping[UUID, StoredEvent], stored: Mapping[UUID, StoredEvent]
    ) -> Found:
        for event_id, event in told.items():
            there = stored.get(event_id)
            if there is None:
                yield 1, f"event {event_id} is told, but not there"
            elif self._quiet and there != event:
                yield 1, f"event {event_id} is {there.event}, told {event.event}"

    def _compare_bets(self, told: dict[UUID, Bet], events: Mapping[UUID, StoredEvent]) -> Found:
        elsewhere: list[Bet] = []
        for bet in self._standing():
            source = LogPartition(EVENTS_TAXONOMY, bet.position.partition, bet.position.log_id)
            expected = told.pop(bet.id, None)
            if source not in self._whole or bet.position.offset >= self._limits.get(source, 0):
                continue
            if expected is None and bet.event_id not in events:
                elsewhere.append(bet)
            elif expected is None:
                yield 1, f"bet {bet.id} is there, but not told"
            elif self._quiet and expected.placement != bet.placement:
                yield 1, f"bet {bet.id} is {bet.placement}, told {expected.placement}"
        first = self._uow.event_versions.between({bet.event_id: (1, 1) for bet in elsewhere})
        for bet in elsewhere:
            versions = first.get(bet.event_id)
            if not versions or versions[0].position.log_id == bet.position.log_id:
                yield 1, f"bet {bet.id} is there, but its event is not told"
        # What was withdrawn while we read is no violation.
        gone = self._uow.deletions.among(told.keys())
        for bet_id in told.keys() - gone:
            yield 1, f"bet {bet_id} is told, but not there"

    def _standing(self) -> Iterator[Bet]:
        after: Cursor | None = None
        while page := self._uow.bets.page(after=after, most=PAGE):
            yield from page
            after = Cursor(page[-1].placement.date_created, page[-1].id)
