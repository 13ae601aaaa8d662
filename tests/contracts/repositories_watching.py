"""What those who watch hear and see, on every Database."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from uuid import UUID

from domain.bets import Bet, BetState, Market
from domain.events import EventState
from domain.ports import MOST_TOLD, Database
from domain.records import Reach, Standing
from tests.contracts.repositories_samples import (
    DEADLINE,
    LATER_LOG,
    LOG,
    TEXTS,
    DatabaseCases,
    add_bets,
    add_event,
    alone,
    at,
    bet,
    event_version,
)

MOMENT = 0.05
"""Seconds in which nothing must come."""

ONE, TWO, THREE = UUID(int=1), UUID(int=2), UUID(int=3)
NOTHING: frozenset[UUID] = frozenset()


class WatchingContract(DatabaseCases):
    """Who watches hears which events changed, and reads what is new."""

    def test_what_is_told_is_heard_once_by_everybody(self, database: Database) -> None:
        with closing(database.watch()) as one, closing(database.watch()) as other:
            alone(database).changes.tell([ONE, TWO, ONE])
            for watcher in (one, other):
                assert watcher.wait(DEADLINE) == frozenset([ONE, TWO])
                assert watcher.wait(MOMENT) == NOTHING
            alone(database).changes.tell([])
            assert one.wait(MOMENT) == NOTHING

    def test_what_is_not_committed_is_not_heard(self, database: Database) -> None:
        with closing(database.watch()) as watcher:
            with database.transaction() as uow:
                uow.changes.tell([ONE])
                assert watcher.wait(MOMENT) == NOTHING
            assert watcher.wait(MOMENT) == NOTHING

    def test_all_that_a_transaction_tells_is_heard(self, database: Database) -> None:
        with closing(database.watch()) as watcher:
            with database.transaction() as uow:
                uow.changes.tell([ONE])
                uow.changes.tell([TWO, THREE])
                uow.commit()
            heard = watcher.wait(DEADLINE)
            assert heard == frozenset([ONE, TWO, THREE])

    def test_of_too_many_it_is_only_told_that_any_changed(self, database: Database) -> None:
        most = [UUID(int=number) for number in range(MOST_TOLD)]
        with closing(database.watch()) as watcher:
            alone(database).changes.tell(most)
            assert watcher.wait(DEADLINE) == frozenset(most)
            alone(database).changes.tell([*most, UUID(int=MOST_TOLD)])
            assert watcher.wait(DEADLINE) is None
            assert watcher.wait(MOMENT) == NOTHING

    def test_who_watches_is_woken_by_others(
        self, database: Database, threads: ThreadPoolExecutor
    ) -> None:
        with closing(database.watch()) as watcher:
            waiting = threads.submit(watcher.wait, DEADLINE)
            watcher.wake()
            assert waiting.result(DEADLINE) == NOTHING
            alone(database).changes.tell([ONE])
            watcher.wake()
            heard = watcher.wait(DEADLINE) or watcher.wait(DEADLINE)
            assert heard == frozenset([ONE])
        watcher.close()

    def test_versions_are_found_by_where_they_were_made(self, database: Database) -> None:
        versions = [
            event_version(1, 1, offset=3),
            # By a server whose clock is behind: its place counts.
            replace(event_version(1, 2, offset=7, state=EventState.ACTIVE), at=at(-9)),
            event_version(2, 1, partition=1, offset=0),
            event_version(3, 1, partition=2, offset=8),
            event_version(4, 1, log_id=LATER_LOG, offset=4),
        ]
        alone(database).event_versions.add(versions)
        repository = alone(database).event_versions

        def found(first: tuple[int, ...], last: tuple[int, ...], most: int = 9) -> list[int]:
            made = repository.made_from(
                Reach(LOG, first), Reach(LOG, last), event_id=None, most=most
            )
            return [versions.index(each) for each in made]

        assert found((0, 0, 0), (9, 9, 9)) == [0, 1, 2, 3]
        assert found((3, 0, 8), (7, 1, 9)) == [0, 2, 3]
        assert found((4, 1, 9), (7, 9, 99)) == []
        assert found((0, 0, 0), (9, 9, 9), most=2) == [0, 1]
        only = repository.made_from(
            Reach(LOG, (4, 0, 0)), Reach(LOG, (9, 9, 9)), event_id=ONE, most=9
        )
        assert only == [versions[1]]
        later = repository.made_from(
            Reach(LATER_LOG, (0, 0, 0)), Reach(LATER_LOG, (5, 0, 0)), event_id=None, most=9
        )
        assert later == [versions[4]]

    def test_bets_are_found_by_who_holds_them(self, database: Database) -> None:
        users = ["ann", "bob", *TEXTS]
        bets = [
            bet(number, event=1 + number // 15 % 3, user=users[number % len(users)])
            for number in range(1, 121)
        ]
        add_bets(database, bets)

        def held(
            user_ids: list[str], event_ids: list[UUID], most: int = 99
        ) -> dict[str, list[Bet]]:
            return dict(alone(database).bets.held_by(user_ids, event_ids, most=most))

        expected = {
            user: [
                each
                for each in reversed(bets)
                if each.placement.user_id == user and each.event_id in (ONE, THREE)
            ]
            for user in ("ann", *TEXTS)
        }
        assert held(["ann", *TEXTS, "nobody"], [ONE, THREE, UUID(int=404)]) == expected
        assert held(["ann", "ann"], [ONE, THREE], most=2) == {"ann": expected["ann"][:2]}
        assert held([], [ONE]) == held(["ann"], []) == held(["ann"], [UUID(int=404)]) == {}

    def test_standings_rank_by_wins_then_losses(self, database: Database) -> None:
        ways: list[tuple[str, list[BetState]]] = [
            ("Zoe", [BetState.WIN, BetState.WIN, BetState.LOSE]),
            ("b", [BetState.WIN, BetState.NONE, BetState.WINNING]),
            ("a", [BetState.WIN, BetState.LOSING]),
            ("é", [BetState.LOSE]),
            ("c", [BetState.WIN, BetState.LOSE]),
        ]
        placed = [(user, state) for user, states in ways for state in states]
        bets = [
            bet(number, user=user, state=state, market=Market.DRAW)
            for number, (user, state) in enumerate(placed, start=1)
        ]
        add_bets(database, [*bets, bet(100, event=2, user="é", state=BetState.WIN)])
        standings = alone(database).bets.standings
        assert standings(event_id=ONE, most=9) == [
            Standing(1, "Zoe", wins=2, losses=1, open=0, winning=0),
            Standing(2, "a", wins=1, losses=0, open=1, winning=0),
            Standing(2, "b", wins=1, losses=0, open=2, winning=1),
            Standing(4, "c", wins=1, losses=1, open=0, winning=0),
            Standing(5, "é", wins=0, losses=1, open=0, winning=0),
        ]
        whole = standings(event_id=None, most=5)
        assert [(each.rank, each.user_id) for each in whole] == [
            (1, "Zoe"),
            (2, "a"),
            (2, "b"),
            (4, "c"),
            (4, "é"),
        ]
        assert standings(event_id=None, most=2) == whole[:2]
        assert standings(event_id=UUID(int=404), most=9) == []

    def test_watching_sees_what_was_told(self, database: Database) -> None:
        """Who hears of a change finds it in the tables."""
        add_event(database, 1)
        with closing(database.watch()) as watcher:
            with database.transaction() as uow:
                uow.bets.add([bet(1)])
                uow.changes.tell([ONE])
                uow.commit()
            assert watcher.wait(DEADLINE) == frozenset([ONE])
            assert alone(database).bets.count(ONE) == 1
