"""Bets that stand, on every Database."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from uuid import UUID

from domain.bets import Bet, BetState, Market
from domain.log import LogPosition
from domain.ports import Database
from domain.records import Cursor, MarketOfEvent, StateRange
from tests.contracts.repositories_samples import (
    HIGHEST,
    LATER_LOG,
    LOWEST,
    TEXTS,
    DatabaseCases,
    add_bets,
    alone,
    at,
    bet,
)

ONE, TWO = UUID(int=1), UUID(int=2)


def all_bets(database: Database) -> list[Bet]:
    """Every bet, by id."""
    return sorted(alone(database).bets.page(most=100_000), key=lambda b: b.id)


def range_of(
    first: int,
    last: int,
    state: BetState,
    version: int,
    *,
    event: int = 1,
    market: Market = Market.TEAM_1,
) -> StateRange:
    return StateRange(
        UUID(int=event), market, UUID(int=first), UUID(int=last), state, event_version=version
    )


class BetsContract(DatabaseCases):
    """Bets that stand."""

    def test_bets_are_kept_whole(self, database: Database) -> None:
        bets = [
            bet(number, event=event, market=market, state=state, version=2**31 - 1)
            for number, (event, market, state) in enumerate(product((1, 2), Market, BetState))
        ]
        bets[0] = replace(bets[0], position=LogPosition(LATER_LOG, 2, 2**62))
        add_bets(database, bets)
        ids = [each.id for each in bets]
        found = alone(database).bets.among([*ids, UUID(int=404), *ids])
        assert found == {each.id: each for each in bets}
        assert alone(database).bets.among([]) == {}

    def test_any_text_moment_and_id_is_kept(self, database: Database) -> None:
        bets = [bet(number, user=text) for number, text in enumerate(TEXTS, start=1)]
        first = datetime(1, 1, 2, 0, 0, 0, 1, tzinfo=UTC)
        last = datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=UTC)
        for bet_id, moment in ((LOWEST, first), (HIGHEST, last)):
            placement = replace(bet(1).placement, id=bet_id, date_created=moment)
            bets.append(replace(bet(1), placement=placement))
        add_bets(database, bets)
        assert all_bets(database) == sorted(bets, key=lambda each: each.id)
        for each, text in zip(bets, TEXTS, strict=False):
            page = alone(database).bets.page(user_id=text, most=9)
            assert page == [each]
        alone(database).bets.change_users({LOWEST: TEXTS[3], HIGHEST: TEXTS[2]})
        changed = alone(database).bets.among([LOWEST, HIGHEST])
        assert changed[LOWEST].placement.user_id == TEXTS[3]
        assert changed[HIGHEST].placement.user_id == TEXTS[2]

    def test_an_id_that_is_there_is_left_as_it_is(self, database: Database) -> None:
        first = bet(2, user="first", state=BetState.LOSING, version=4)
        add_bets(database, [first])
        again = [bet(number, user="second", market=Market.DRAW) for number in (3, 2, 1)]
        alone(database).bets.add(again)
        assert all_bets(database) == [again[2], first, again[0]]
        alone(database).bets.add([])

    def test_users_change_and_nothing_else(self, database: Database) -> None:
        bets = [bet(number, state=BetState.WINNING, version=3) for number in (1, 2, 3)]
        add_bets(database, bets)
        new = {UUID(int=3): "c", UUID(int=1): "a", UUID(int=404): "x"}
        alone(database).bets.change_users(new)
        alone(database).bets.change_users({})
        users = [each.placement.user_id for each in all_bets(database)]
        assert users == ["a", "ann", "c"]
        assert [(b.state, b.event_version) for b in all_bets(database)] == [
            (BetState.WINNING, 3)
        ] * 3

    def test_a_range_moves_its_markets_bets_and_no_other(self, database: Database) -> None:
        bets = [
            bet(number, event=event, market=market)
            for number, (event, market) in enumerate(product((1, 2) * 3, Market), start=1)
        ]
        add_bets(database, bets)
        target = range_of(4, 13, BetState.WINNING, 2)
        moved = {
            each.id
            for each in bets
            if each.event_id == ONE
            and each.placement.market is Market.TEAM_1
            and 4 <= each.id.int <= 13
        }
        assert alone(database).bets.write_states([target]) == len(moved) == 2
        for each in all_bets(database):
            expected = (BetState.WINNING, 2) if each.id in moved else (BetState.NONE, 1)
            assert (each.state, each.event_version) == expected

    def test_a_stale_version_changes_nothing(self, database: Database) -> None:
        add_bets(database, [bet(number, version=number) for number in (1, 2, 3, 4)])
        write = range_of(1, 4, BetState.LOSING, 3)
        assert alone(database).bets.write_states([write]) == 2
        assert [each.event_version for each in all_bets(database)] == [3, 3, 3, 4]
        assert [each.state for each in all_bets(database)] == [
            BetState.LOSING,
            BetState.LOSING,
            BetState.NONE,
            BetState.NONE,
        ]
        assert alone(database).bets.write_states([write]) == 0

    def test_many_ranges_are_written_at_once(self, database: Database) -> None:
        add_bets(database, [bet(n, event=1 + n % 2, market=Market.DRAW) for n in range(1, 21)])
        ranges = [
            range_of(9, 12, BetState.WIN, 9, market=Market.DRAW),
            range_of(1, 4, BetState.LOSE, 5, market=Market.DRAW),
            range_of(1, 8, BetState.WINNING, 2, event=2, market=Market.DRAW),
            range_of(1, 99, BetState.WINNING, 2, market=Market.TEAM_2),
            range_of(1, 99, BetState.WINNING, 2, event=404, market=Market.DRAW),
        ]
        assert alone(database).bets.write_states(ranges) == 8
        assert alone(database).bets.write_states([]) == 0
        by_number = {each.id.int: each.event_version for each in all_bets(database)}
        expected = dict.fromkeys(range(1, 21), 1)
        expected |= dict.fromkeys([1, 3, 5, 7], 2) | dict.fromkeys([10, 12], 9)
        expected |= dict.fromkeys([2, 4], 5)
        assert by_number == expected

    def test_a_range_reaches_the_lowest_and_the_highest_id(self, database: Database) -> None:
        ends = [
            replace(bet(1), placement=replace(bet(1).placement, id=each))
            for each in (LOWEST, HIGHEST)
        ]
        add_bets(database, ends)
        whole = StateRange(ONE, Market.TEAM_1, LOWEST, HIGHEST, BetState.LOSING, 2)
        assert alone(database).bets.write_states([whole]) == 2

    def test_removed_bets_are_gone(self, database: Database) -> None:
        add_bets(database, [bet(1), bet(2)])
        alone(database).bets.remove(ONE)
        alone(database).bets.remove(UUID(int=404))
        assert all_bets(database) == [bet(2)]
        assert alone(database).bets.count(ONE) == 1
        alone(database).bets.remove(TWO)
        alone(database).events.remove(ONE)

    def test_tallies_count_by_market_and_state(self, database: Database) -> None:
        add_bets(
            database,
            [
                bet(1),
                bet(2),
                bet(3, state=BetState.WIN),
                bet(4, market=Market.DRAW, state=BetState.LOSE),
                bet(5, event=2, market=Market.DRAW),
            ],
        )
        assert alone(database).bets.tallies([ONE, TWO, UUID(int=404)]) == {
            ONE: {
                (Market.TEAM_1, BetState.NONE): 2,
                (Market.TEAM_1, BetState.WIN): 1,
                (Market.DRAW, BetState.LOSE): 1,
            },
            TWO: {(Market.DRAW, BetState.NONE): 1},
            UUID(int=404): {},
        }
        assert alone(database).bets.tallies([]) == {}
        assert alone(database).bets.count(ONE) == 4
        assert alone(database).bets.count(UUID(int=404)) == 0

    def test_pages_are_newest_first_and_stable_while_bets_are_added(
        self, database: Database
    ) -> None:
        created = {1: 5.0, 2: 5.0, 3: 5.0, 4: 9.0, 5: 1.0, 6: 5.000001}
        add_bets(database, [bet(number, created=when) for number, when in created.items()])
        seen: list[int] = []
        after = None
        for newer in range(100, 110):
            page = alone(database).bets.page(after=after, most=2)
            seen += [each.id.int for each in page]
            if len(page) < 2:
                break
            after = Cursor(page[-1].placement.date_created, page[-1].id)
            alone(database).bets.add([bet(newer)])
        assert seen == [4, 6, 3, 2, 1, 5]

    def test_pages_are_filtered(self, database: Database) -> None:
        bets = [
            bet(number, event=event, market=market, user=user, state=state)
            for number, (event, market, user, state) in enumerate(
                product((1, 2), (Market.DRAW, Market.TEAM_2), ("a", "b"), BetState)
            )
        ]
        add_bets(database, bets)
        options = product(
            (None, "a", "c"), (None, ONE), (None, Market.DRAW), (None, BetState.WIN), (None, at(9))
        )
        for user, event_id, market, state, since in options:
            after = None if since is None else Cursor(since, UUID(int=9))
            page = alone(database).bets.page(
                user_id=user, event_id=event_id, market=market, state=state, after=after, most=11
            )
            expected = [
                each
                for each in reversed(bets)
                if user in (None, each.placement.user_id)
                and event_id in (None, each.event_id)
                and market in (None, each.placement.market)
                and state in (None, each.state)
                and (since is None or each.id.int < 9)
            ]
            assert page == expected[:11]

    def test_many_bets_at_once(self, database: Database) -> None:
        markets = list(Market)
        bets = [
            bet(number, event=1 + number % 7, market=markets[number % 3], user=f"user {number}")
            for number in range(5000)
        ]
        add_bets(database, bets)
        ids = [each.id for each in bets]
        with database.transaction() as uow:
            assert uow.bets.among(ids) == {each.id: each for each in bets}
            uow.bets.add(bets)
            uow.bets.change_users({each: f"new {each.int}" for each in ids})
            ranges = [
                range_of(0, 4999, BetState.WINNING, 2, event=event, market=market)
                for event in range(1, 8)
                for market in Market
            ]
            assert uow.bets.write_states(ranges) == 5000
            uow.commit()
        wanted = [
            MarketOfEvent(UUID(int=event), market) for event in range(1, 8) for market in Market
        ]
        runs = alone(database).bets.runs(wanted, after=None, most=6000)
        users = {user_id for run in runs for user_id in run.bets.user_ids}
        assert users == {f"new {number}" for number in range(5000)}
        assert {(b.state, b.event_version) for b in all_bets(database)} == {(BetState.WINNING, 2)}
