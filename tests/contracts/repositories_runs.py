"""Reading the bets of markets by keyset, on every Database."""

from dataclasses import replace
from random import Random
from uuid import UUID

from domain.bets import BetColumns, Market
from domain.ports import Database
from domain.records import BetRun, MarketOfEvent
from tests.contracts.repositories_samples import (
    HIGHEST,
    LOWEST,
    DatabaseCases,
    add_bets,
    alone,
    bet,
)

ONE = UUID(int=1)


class RunsContract(DatabaseCases):
    """The bets of some markets, page by page."""

    def test_runs_follow_the_given_order_across_markets_and_pages(self, database: Database) -> None:
        sizes = {(1, Market.TEAM_1): 5, (1, Market.DRAW): 1, (2, Market.TEAM_2): 7}
        sizes |= {(2, Market.TEAM_1): 3, (3, Market.DRAW): 2}
        homes = [home for home, size in sizes.items() for _ in range(size)]
        Random(7).shuffle(homes)
        bets = [
            bet(number, event=event, market=market, user=f"user {number}")
            for number, (event, market) in enumerate(homes)
        ]
        add_bets(database, bets)
        markets = [
            MarketOfEvent(UUID(int=event), market)
            for event, market in (
                (2, Market.TEAM_2),
                (1, Market.TEAM_1),
                (3, Market.TEAM_1),
                (2, Market.TEAM_1),
                (1, Market.DRAW),
                (404, Market.DRAW),
            )
        ]
        expected = [
            (market, str(each.id), each.placement.user_id)
            for market in markets
            for each in bets
            if MarketOfEvent(each.event_id, each.placement.market) == market
        ]
        assert len(expected) == 16
        for most in range(1, 18):
            found: list[tuple[MarketOfEvent, str, str]] = []
            last: BetRun | None = None
            while True:
                page = alone(database).bets.runs(markets, after=last, most=most)
                assert all(len(run.bets) for run in page)
                read = [
                    (run.market, *each)
                    for run in page
                    for each in zip(run.bets.ids, run.bets.user_ids, strict=True)
                ]
                found += read
                if len(read) < most:
                    break
                last = page[-1]
            assert found == expected, most
        assert alone(database).bets.runs([], after=None, most=9) == []

    def test_runs_begin_and_end_at_the_extremes(self, database: Database) -> None:
        ends = [
            replace(bet(1), placement=replace(bet(1).placement, id=each))
            for each in (LOWEST, HIGHEST)
        ]
        add_bets(database, ends)
        markets = [MarketOfEvent(ONE, Market.TEAM_1)]
        lowest, highest, both = (
            BetRun(markets[0], BetColumns.of((each, "ann") for each in ids))
            for ids in ([LOWEST], [HIGHEST], [LOWEST, HIGHEST])
        )
        for after, expected in ((None, [both]), (lowest, [highest]), (highest, []), (both, [])):
            found = alone(database).bets.runs(markets, after=after, most=9)
            assert found == expected
