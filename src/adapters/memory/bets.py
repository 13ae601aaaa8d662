"""Bets that stand."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from uuid import UUID

from adapters.memory.events import newest_first
from adapters.memory.transaction import Transaction
from domain.bets import Bet, BetColumns, BetState, Market
from domain.ports import EventLock
from domain.records import BetRun, BetTally, Cursor, MarketOfEvent, Standing, StateRange


class MemoryBets:
    """Bets. Each names an event that is there: to add one is to hold its event."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def among(self, ids: Collection[UUID]) -> Mapping[UUID, Bet]:
        with self._transaction.statement():
            rows = {bet_id: self._transaction.bets.get(bet_id) for bet_id in ids}
        return {bet_id: row for bet_id, row in rows.items() if row is not None}

    def add(self, bets: Collection[Bet]) -> None:
        added = {bet.id: bet for bet in reversed([*bets])}
        for bet_id in sorted(added):
            self._transaction.hold("bets", bet_id)
        known = self.among(added)
        new = [bet for bet_id, bet in added.items() if bet_id not in known]
        for event_id in sorted({bet.event_id for bet in new}):
            self._transaction.hold("events", event_id, mode=EventLock.REFERENCE)
        with self._transaction.statement():
            for bet in new:
                if bet.event_id not in self._transaction.events:
                    self._transaction.fail("a bet's event is there")
                self._transaction.bets.put(bet.id, bet)

    def change_users(self, user_ids: Mapping[UUID, str]) -> None:
        for bet in self._hold(user_ids):
            placement = replace(bet.placement, user_id=user_ids[bet.id])
            with self._transaction.statement():
                self._transaction.bets.put(bet.id, replace(bet, placement=placement))

    def write_states(self, ranges: Collection[StateRange]) -> int:
        wanted: dict[MarketOfEvent, list[StateRange]] = defaultdict(list)
        for each in ranges:
            wanted[MarketOfEvent(each.event_id, each.market)].append(each)
        with self._transaction.statement():
            found = {
                bet.id: each
                for bet in self._transaction.bets.rows()
                for each in wanted.get(_market_of(bet), ())
                if each.first <= bet.id <= each.last and bet.event_version < each.event_version
            }
        changed = 0
        for bet in self._hold(found):
            target = found[bet.id]
            if bet.event_version < target.event_version:
                changed += 1
                after = replace(bet, state=target.state, event_version=target.event_version)
                with self._transaction.statement():
                    self._transaction.bets.put(bet.id, after)
        return changed

    def runs(
        self, markets: Sequence[MarketOfEvent], *, after: BetRun | None, most: int
    ) -> Sequence[BetRun]:
        ranks = {market: rank for rank, market in enumerate(markets)}
        with self._transaction.statement():
            found = [bet for bet in self._transaction.bets.rows() if _market_of(bet) in ranks]
        ranked = sorted((ranks[_market_of(bet)], bet.id, bet) for bet in found)
        if after is not None:
            last = (ranks[after.market], after.bets.last)
            ranked = [each for each in ranked if each[:2] > last]
        return [
            BetRun(markets[rank], BetColumns.of((b.id, b.placement.user_id) for _, _, b in run))
            for rank, run in groupby(ranked[:most], key=itemgetter(0))
        ]

    def remove(self, bet_id: UUID) -> None:
        self._transaction.hold("bets", bet_id)
        with self._transaction.statement():
            self._transaction.bets.remove(bet_id)

    def count(self, event_id: UUID) -> int:
        return sum(self.tallies([event_id])[event_id].values())

    def tallies(self, event_ids: Collection[UUID]) -> Mapping[UUID, BetTally]:
        found: dict[UUID, Counter[tuple[Market, BetState]]] = {
            each: Counter() for each in event_ids
        }
        with self._transaction.statement():
            for bet in self._transaction.bets.rows():
                if bet.event_id in found:
                    found[bet.event_id][bet.placement.market, bet.state] += 1
        return found

    def held_by(
        self, user_ids: Collection[str], event_ids: Collection[UUID], *, most: int
    ) -> Mapping[str, list[Bet]]:
        found: dict[str, list[Bet]] = {each: [] for each in user_ids}
        with self._transaction.statement():
            for bet in self._transaction.bets.rows():
                if bet.placement.user_id in found and bet.event_id in event_ids:
                    found[bet.placement.user_id].append(bet)
        return {
            user_id: newest_first(bets, _cursor, after=None, most=most)
            for user_id, bets in found.items()
            if bets
        }

    def standings(self, *, event_id: UUID | None, most: int) -> Sequence[Standing]:
        states: dict[str, Counter[BetState]] = defaultdict(Counter)
        with self._transaction.statement():
            for bet in self._transaction.bets.rows():
                if event_id in (None, bet.event_id):
                    states[bet.placement.user_id][bet.state] += 1
        ranked = sorted(
            states.items(),
            key=lambda item: (-item[1][BetState.WIN], item[1][BetState.LOSE], item[0]),
        )
        results = [(-counts[BetState.WIN], counts[BetState.LOSE]) for _, counts in ranked]
        return [
            Standing(
                rank=results.index(result) + 1,
                user_id=user_id,
                wins=counts[BetState.WIN],
                losses=counts[BetState.LOSE],
                open=counts.total() - counts[BetState.WIN] - counts[BetState.LOSE],
                winning=counts[BetState.WINNING],
            )
            for (user_id, counts), result in zip(ranked[:most], results, strict=False)
        ]

    def page(
        self,
        *,
        user_id: str | None = None,
        event_id: UUID | None = None,
        market: Market | None = None,
        state: BetState | None = None,
        after: Cursor | None = None,
        most: int,
    ) -> Sequence[Bet]:
        def is_wanted(bet: Bet) -> bool:
            return (
                (user_id is None or bet.placement.user_id == user_id)
                and (event_id is None or bet.event_id == event_id)
                and (market is None or bet.placement.market is market)
                and (state is None or bet.state is state)
            )

        with self._transaction.statement():
            found = [bet for bet in self._transaction.bets.rows() if is_wanted(bet)]
        return newest_first(found, _cursor, after=after, most=most)

    def _hold(self, ids: Collection[UUID]) -> list[Bet]:
        """Lock those bets that are there, in id order; return them as they then are."""
        for bet_id in sorted(self.among(ids)):
            self._transaction.hold("bets", bet_id)
        return list(self.among(ids).values())


def _cursor(bet: Bet) -> Cursor:
    return Cursor(bet.placement.date_created, bet.id)


def _market_of(bet: Bet) -> MarketOfEvent:
    return MarketOfEvent(bet.event_id, bet.placement.market)
