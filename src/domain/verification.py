"""Checks the invariants on the live tables and topics; changes nothing.

While anything moves, only what must hold at every moment is asked for: a bet's state is then held
to its own version, and not to the event's newest. Each answer is of one snapshot; where two are
compared, what only grows is read last.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

from domain.comparison import Comparison, Violation, partition_text, place_text
from domain.log import TOPICS, Bounds, LogPartition
from domain.ports import Codec, Database, MessageBus, UnitOfWork
from domain.records import READERS, ConsumerName, Correction, Faults, Position
from domain.repair import corrections, is_wrong, repair

EXAMPLES = 10
"""Violations that are shown of each invariant."""

IDS = 3
"""Ids of bets in one example."""

ORDER = (ConsumerName.BET_SCORER, ConsumerName.BET_WRITER, ConsumerName.EVENT_WRITER)
"""No consumer passes the next one."""

Found = Iterator[Violation]


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


class Look(NamedTuple):
    """Where everybody stood, and then where the logs ended."""

    positions: Sequence[Position]
    bounds: Mapping[LogPartition, Bounds]
    known: Mapping[str, Sequence[UUID]]
    """The logs of each topic that the consumers know, oldest first."""

    @property
    def is_quiet(self) -> bool:
        """Whether everybody had read everything, and of no log but the newest that they know."""
        return all(
            bound.end == self.reached(consumer, source)
            and source.log_id in (self.known[source.topic] or [source.log_id])[-1:]
            for source, bound in self.bounds.items()
            for consumer in READERS[source.topic]
        )

    def reached(self, consumer: ConsumerName, source: LogPartition) -> int:
        return _reached(self.positions, consumer, source)


def look(database: Database, bus: MessageBus) -> Look:
    """See where everybody stands."""
    with database.transaction() as uow:
        positions = uow.positions.all()
        known = {topic: uow.logs.incarnations(topic) for topic in TOPICS}
    bounds = {s: bound for topic in TOPICS for s, bound in bus.bounds(topic).items()}
    return Look(positions, bounds, known)


def verify(database: Database, bus: MessageBus, codec: Codec, *, with_fold: bool = True) -> Report:
    """Check everything; without the fifth, which reads the whole log, if so asked. Raises
    Unavailable or Misconfigured when it could not be checked."""
    seen = look(database, bus)
    miscounted: list[Violation] = []

    def fold(uow: UnitOfWork) -> Found:
        comparison = Comparison(uow, bus, codec, seen.positions, seen.bounds)
        yield from comparison.run()
        miscounted.extend(comparison.miscounted())

    checks: dict[str, Callable[[UnitOfWork], Found]] = {
        "bet-states": lambda uow: _bet_states(uow, quiet=seen.is_quiet),
        "standing-bets": _standing_bets,
        "event-versions": _event_versions,
        "accounting": _accounting,
        "fold": fold,
        "positions-order": lambda uow: _positions_order(uow, seen),
    }
    if not with_fold:
        del checks["fold"]
    found: dict[str, _Summary] = {}
    for name, check in checks.items():
        with database.transaction() as uow:
            found[name] = _Summary(check(uow))
    found["accounting"].take(miscounted)
    quiet = seen.is_quiet and look(database, bus) == seen
    return Report(quiet=quiet, invariants=[f.invariant(n, quiet=quiet) for n, f in found.items()])


def mend(database: Database, bus: MessageBus, *, dry_run: bool) -> tuple[bool, list[Correction]]:
    """Correct the bets that are wrong, or say in a `dry_run` what would be corrected; and whether
    they were held to the events as they are now, or (somebody lags) each to its own version."""
    seen = look(database, bus)
    found = corrections(database, to_now=seen.is_quiet)
    quiet = seen.is_quiet and look(database, bus) == seen
    if quiet != seen.is_quiet:
        # A goal was scored meanwhile: bets that only lag may have been taken for wrong.
        found = corrections(database, to_now=False)
    return quiet, found if dry_run else repair(database, found)


def _bet_states(uow: UnitOfWork, *, quiet: bool) -> Found:
    """1. state = f(market, event state, score)."""
    shown: Counter[bool] = Counter()
    for group, kind in uow.audit.groups(lambda kind: is_wrong(kind, to_now=quiet)):
        text = (
            f"{group.bets} bets on {group.market} of event {group.event_id} are {group.state} "
            f"by its version {group.event_version}"
        )
        when_quiet = not is_wrong(kind, to_now=False)
        # They may have moved since they were counted.
        if shown[when_quiet] < EXAMPLES and (ids := uow.audit.bets_in(group, most=IDS + 1)):
            text += f": {_listed(ids)}"
        shown[when_quiet] += 1
        yield Violation(text, group.bets, when_quiet)


def _listed(ids: Sequence[UUID]) -> str:
    return ", ".join([*map(str, ids[:IDS]), *(["…"] if ids[IDS:] else [])])


def _standing_bets(uow: UnitOfWork) -> Found:
    """2. A bet stands only if its record precedes the end of `created`, and it was neither refused
    nor deleted."""
    return _named(uow.audit.late_bets(most=EXAMPLES), "bet {} stands, but should not")


def _event_versions(uow: UnitOfWork) -> Found:
    """3. Versions have no gaps, follow one another in the story and end in the event as it is."""
    return _named(uow.audit.version_faults(most=EXAMPLES), "event {} and its versions don't fit")


def _named(faults: Faults, text: str) -> Found:
    for example in faults.examples:
        yield Violation(text.format(example))
    if faults.total > len(faults.examples):
        yield Violation("and more", faults.total - len(faults.examples))


def _accounting(uow: UnitOfWork) -> Found:
    """4. Every record read is accounted for exactly once, and nothing is kept of one that was not
    read: each effect has its position. How many lie below a position, only the log tells: those
    are counted while the fold reads it."""
    for position in uow.positions.all():
        tally = position.tally
        fresh = tally.read - tally.duplicate
        if tally.read != sum(tally[1:]) or fresh > position.next_offset:
            where = f"{position.consumer} at {place_text(position.source, position.next_offset)}"
            yield Violation(f"{where} counted {tally}")
    for book in uow.audit.books():
        where = partition_text(book.source)
        if book.refusals != book.refused:
            yield Violation(f"{where}: {book.refused} refused, but {book.refusals} refusals kept")
        if book.dead_letters != book.dead_lettered:
            letters = f"{book.dead_lettered} dead-lettered, but {book.dead_letters} kept"
            yield Violation(f"{where}: {letters}")
        for what, last, until in (
            ("an event's version", book.last_version, book.versions_until),
            ("a bet", book.last_bet, book.bets_until),
            ("a refusal or dead letter", book.last_verdict, book.verdicts_until),
        ):
            if last >= until:
                yield Violation(f"{where}: {what} of offset {last}, but read is only up to {until}")


def _positions_order(uow: UnitOfWork, seen: Look) -> Found:
    """6. Bet Scorer ≤ Bet Writer ≤ Event Writer ≤ the log's end, and the log's start ≤ all."""
    now = uow.positions.all()
    for source, bound in sorted(seen.bounds.items()):
        readers = [name for name in ORDER if name in READERS[source.topic]]
        for consumer in readers:
            reached = seen.reached(consumer, source)
            if reached > bound.end:
                where = f"{consumer} at {place_text(source, reached)}"
                yield Violation(f"{where}: the log ends at {bound.end}, its tail was lost")
            reached = _reached(now, consumer, source)
            if reached < bound.start:
                where = f"{consumer} at {place_text(source, reached)}"
                yield Violation(
                    f"{where}: the log begins at {bound.start}, unread records are gone"
                )
    for source in sorted({position.source for position in seen.positions}):
        readers = [name for name in ORDER if name in READERS[source.topic]]
        for consumer, before in pairwise(readers):
            one, other = seen.reached(consumer, source), seen.reached(before, source)
            if one > other:
                where = f"{consumer} at {place_text(source, one)}"
                yield Violation(f"{where}: it has passed {before} at {other}")


def _reached(positions: Iterable[Position], consumer: ConsumerName, source: LogPartition) -> int:
    """How far the consumer had come."""
    for position in positions:
        if (position.consumer, position.source) == (consumer, source):
            return position.next_offset
    return 0


class _Summary:
    """How many violations there are, and some of them; the others are forgotten as they come."""

    def __init__(self, found: Found) -> None:
        self._counts = {False: 0, True: 0}
        self._texts: dict[bool, list[str]] = {False: [], True: []}
        self.take(found)

    def take(self, found: Iterable[Violation]) -> None:
        for violation in found:
            self._counts[violation.when_quiet] += violation.rows
            if len(self._texts[violation.when_quiet]) < EXAMPLES:
                self._texts[violation.when_quiet].append(violation.text)

    def invariant(self, name: str, *, quiet: bool) -> Invariant:
        hold = [False, True] if quiet else [False]
        return Invariant(
            name=name,
            violations=sum(self._counts[when_quiet] for when_quiet in hold),
            examples=[text for when_quiet in hold for text in self._texts[when_quiet]][:EXAMPLES],
        )
