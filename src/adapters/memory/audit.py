"""Questions about all rows at once."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from operator import itemgetter
from uuid import UUID

from adapters.memory.bookkeeping import MemoryLogs
from adapters.memory.tables import Place
from adapters.memory.transaction import Transaction
from domain.bets import Bet, BetState
from domain.events import EventState
from domain.history import precedes, version_at
from domain.log import EVENTS_TAXONOMY, LogPartition, LogPosition
from domain.messages import MESSAGE_TYPES, BetPlaced
from domain.records import (
    BetGroup,
    BetKind,
    Book,
    Cause,
    ConsumerName,
    Correction,
    EventVersion,
    Faults,
    PlacedBet,
    RefusalReason,
)

BET_PLACED = MESSAGE_TYPES[BetPlaced]


class MemoryAudit:
    """An Audit."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def bets_by_state(self) -> Mapping[BetState, int]:
        return Counter(bet.state for bet in self._bets())

    def groups(self, which: Callable[[BetKind], bool]) -> Sequence[tuple[BetGroup, BetKind]]:
        counts = Counter((_group_of(bet), kind) for bet, kind in self._judged() if which(kind))
        found = [(group._replace(bets=bets), kind) for (group, kind), bets in counts.items()]
        return sorted(found, key=itemgetter(0))

    def correct(self, corrections: Sequence[Correction], *, most: int) -> Sequence[int]:
        numbers = {each.wrong._replace(bets=0): n for n, each in enumerate(corrections)}
        wrong = [bet for bet in self._bets() if _group_of(bet) in numbers]
        counts = [0] * len(corrections)
        for bet in sorted(wrong, key=lambda bet: (bet.event_id, bet.placement.market, bet.id)):
            if sum(counts) == most:
                break
            self._transaction.hold("bets", bet.id)
            with self._transaction.statement():
                found = self._transaction.bets.get(bet.id)
                number = None if found is None else numbers.get(_group_of(found))
                if found is None or number is None:
                    continue
                right = corrections[number]
                after = replace(found, state=right.state, event_version=right.event_version)
                self._transaction.bets.put(bet.id, after)
                counts[number] += 1
        return counts

    def bets_in(self, group: BetGroup, *, most: int) -> Sequence[UUID]:
        return sorted(bet.id for bet in self._bets() if _group_of(bet)[:-1] == group[:-1])[:most]

    def late_bets(self, *, most: int) -> Faults:
        with self._transaction.statement():
            generations = MemoryLogs(self._transaction).generations()
            versions, bets = self._versions(), self._bets()
            deleted = {gone for gone, _ in self._transaction.deletions.items()}
            unwanted = self._refused() | deleted
        late = []
        for bet in bets:
            story = versions[bet.event_id]
            at_place = version_at(story, bet.position, generations)
            started = any(
                version.state is not EventState.CREATED
                and precedes(version.position, bet.position, generations)
                for version in story
            )
            if at_place is None or started or bet.id in unwanted:
                late.append(bet.id)
        return Faults(len(late), sorted(late)[:most])

    def version_faults(self, *, most: int) -> Faults:
        with self._transaction.statement():
            generations = MemoryLogs(self._transaction).generations()
            events = {row.event.id: row.event for row in self._transaction.events.rows()}
            deleted = {gone for gone, _ in self._transaction.deletions.items()}
            versions = self._versions()
        faults = [event_id for event_id in versions if event_id not in events]
        for event in events.values():
            story = versions[event.id]
            numbers = [version.version for version in story]
            in_order = all(
                precedes(one.position, other.position, generations)
                for one, other in pairwise(story)
            )
            if (
                event.id in deleted
                or not in_order
                or numbers != list(range(1, event.version + 1))
                or (story[-1].state, story[-1].score) != (event.state, event.score)
            ):
                faults.append(event.id)
        return Faults(len(faults), sorted(faults)[:most])

    def books(self) -> Sequence[Book]:
        tables = self._transaction
        with tables.statement():
            positions = [row.position for row in tables.positions.rows()]
            refusals = [place for place, _ in tables.refusals.items()]
            letters = [place for place, _ in tables.dead_letters.items()]
            versions = [_told_at(row.position) for row in tables.event_versions.rows()]
            bets = [_told_at(row.position) for row in tables.bets.rows()]
        told = [*refusals, *letters, *versions, *bets]
        sources = {position.source for position in positions} | {place.source for place in told}

        def last(places: Iterable[Place], source: LogPartition) -> int:
            return max((place.offset for place in places if place.source == source), default=-1)

        def until(source: LogPartition, *consumers: ConsumerName) -> int:
            reached = (p for p in positions if p.source == source and p.consumer in consumers)
            return max((position.next_offset for position in reached), default=0)

        return [
            Book(
                source=source,
                refusals=sum(place.source == source for place in refusals),
                refused=sum(p.tally.refused for p in positions if p.source == source),
                dead_letters=sum(place.source == source for place in letters),
                dead_lettered=max(
                    (p.tally.dead_lettered for p in positions if p.source == source), default=0
                ),
                last_version=last(versions, source),
                versions_until=until(source, ConsumerName.EVENT_WRITER),
                last_bet=last(bets, source),
                bets_until=until(source, ConsumerName.BET_WRITER),
                last_verdict=last([*refusals, *letters], source),
                verdicts_until=until(source, *ConsumerName),
            )
            for source in sorted(sources)
        ]

    def placed_in(self, source: LogPartition, *, below: int) -> Iterator[PlacedBet]:
        placed = [
            PlacedBet(
                offset=bet.position.offset,
                id=bet.id,
                event_id=bet.event_id,
                market=bet.placement.market,
                user_id=bet.placement.user_id,
                date_created=bet.placement.date_created,
            )
            for bet in self._bets()
            if bet.position[:2] == (source.log_id, source.partition) and bet.position.offset < below
        ]
        yield from sorted(placed, key=lambda bet: (bet.offset, bet.id))

    def made_in(self, source: LogPartition, *, below: int) -> Iterator[EventVersion]:
        with self._transaction.statement():
            made = [
                version
                for version in self._transaction.event_versions.rows()
                if version.position[:2] == (source.log_id, source.partition)
                and version.position.offset < below
            ]
        yield from sorted(made, key=lambda version: version.position.offset)

    def _judged(self) -> list[tuple[Bet, BetKind]]:
        """Every bet with its kind."""
        with self._transaction.statement():
            events = {row.event.id: row.event for row in self._transaction.events.rows()}
            versions = {
                (row.event_id, row.version): Cause(row.state, row.score)
                for row in self._transaction.event_versions.rows()
            }
            return [
                (
                    bet,
                    BetKind(
                        market=bet.placement.market,
                        state=bet.state,
                        own=versions.get((event.id, bet.event_version)),
                        now=Cause(event.state, event.score),
                        is_ahead=bet.event_version > event.version,
                    ),
                )
                for bet in self._transaction.bets.rows()
                for event in [events[bet.event_id]]
            ]

    def _refused(self) -> set[UUID]:
        with self._transaction.statement():
            return {
                refusal.subject
                for refusal in self._transaction.refusals.rows()
                if refusal.type == BET_PLACED
                and refusal.reason is not RefusalReason.IDEMPOTENCY_KEY_REUSED
            }

    def _bets(self) -> list[Bet]:
        with self._transaction.statement():
            return list(self._transaction.bets.rows())

    def _versions(self) -> defaultdict[UUID, list[EventVersion]]:
        versions: defaultdict[UUID, list[EventVersion]] = defaultdict(list)
        with self._transaction.statement():
            rows = sorted(self._transaction.event_versions.rows(), key=lambda row: row.version)
        for row in rows:
            versions[row.event_id].append(row)
        return versions


def _group_of(bet: Bet) -> BetGroup:
    """Its group, not counted yet."""
    return BetGroup(bet.event_id, bet.placement.market, bet.state, bet.event_version, 0)


def _told_at(position: LogPosition) -> Place:
    """A place on the only topic that tells of events and bets."""
    return Place(
        LogPartition(EVENTS_TAXONOMY, position.partition, position.log_id), position.offset
    )
