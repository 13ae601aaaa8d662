"""Questions about all rows at once."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from adapters.memory.bookkeeping import MemoryLogs
from adapters.memory.transaction import Transaction
from domain.bets import Bet
from domain.events import EventState
from domain.history import precedes, version_at
from domain.records import BetGroup, BetKind, Cause, Correction, EventVersion


class MemoryAudit:
    """An Audit."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def bet_groups(self) -> Sequence[BetGroup]:
        counts = Counter(map(_group_of, self._bets()))
        return [group._replace(bets=bets) for group, bets in counts.items()]

    def bet_kinds(self) -> Mapping[BetKind, int]:
        return Counter(kind for _, kind in self._judged())

    def groups_of(self, kinds: Collection[BetKind]) -> Sequence[BetGroup]:
        wanted = Counter(_group_of(bet) for bet, kind in self._judged() if kind in kinds)
        return sorted(group._replace(bets=bets) for group, bets in wanted.items())

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

    def late_bets(self) -> Sequence[UUID]:
        generations = MemoryLogs(self._transaction).generations()
        versions = self._versions()
        late = []
        for bet in self._bets():
            story = versions[bet.event_id]
            at_place = version_at(story, bet.position, generations)
            started = any(
                version.state is not EventState.CREATED
                and precedes(version.position, bet.position, generations)
                for version in story
            )
            with self._transaction.statement():
                deleted = bet.id in self._transaction.deletions
            if at_place is None or started or deleted:
                late.append(bet.id)
        return sorted(late)

    def version_faults(self) -> Sequence[UUID]:
        with self._transaction.statement():
            events = {row.event.id: row.event for row in self._transaction.events.rows()}
        versions = self._versions()
        faults = [event_id for event_id in versions if event_id not in events]
        for event in events.values():
            story = versions[event.id]
            numbers = [version.version for version in story]
            if numbers != list(range(1, event.version + 1)) or (
                story[-1].state,
                story[-1].score,
            ) != (event.state, event.score):
                faults.append(event.id)
        return sorted(faults)

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
