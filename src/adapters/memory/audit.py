"""Questions about all rows at once."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from uuid import UUID

from adapters.memory.bookkeeping import MemoryLogs
from adapters.memory.transaction import Transaction
from domain.bets import Bet
from domain.events import EventState
from domain.history import precedes, version_at
from domain.records import BetGroup, EventVersion


class MemoryAudit:
    """An Audit."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def bet_groups(self) -> Sequence[BetGroup]:
        counts = Counter(map(_group_of, self._bets()))
        return [group._replace(bets=bets) for group, bets in counts.items()]

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
