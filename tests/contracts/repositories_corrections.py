"""Groups of bets and their correction, on every Database."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

from domain.bets import BetState, Market
from domain.events import EventState
from domain.ports import Database
from domain.records import BetGroup, BetKind, Cause, Correction, StateRange
from domain.score import Score
from tests.contracts.repositories_samples import (
    DatabaseCases,
    add_bets,
    alone,
    bet,
    event_version,
    stored_event,
)

ONE, TWO = UUID(int=1), UUID(int=2)


class CorrectionContract(DatabaseCases):
    """What a repair asks and does."""

    def test_bets_of_a_group_are_named(self, database: Database) -> None:
        won = [bet(n, market=Market.DRAW, state=BetState.WIN, version=3) for n in (9, 7, 8)]
        older = bet(4, market=Market.DRAW, state=BetState.WIN, version=2)
        other = bet(3, market=Market.TEAM_2, state=BetState.WIN, version=3)
        add_bets(database, [*won, older, other, bet(5), bet(6, event=2)])
        group = BetGroup(ONE, Market.DRAW, BetState.WIN, 3, 3)
        assert alone(database).audit.bets_in(group, most=9) == [UUID(int=n) for n in (7, 8, 9)]
        assert alone(database).audit.bets_in(group, most=2) == [UUID(int=7), UUID(int=8)]

    def test_bets_are_counted_by_what_their_state_follows_from(self, database: Database) -> None:
        active = EventState.ACTIVE
        alone(database).events.write(
            [stored_event(1, state=active, score="1-0", version=3), stored_event(2)]
        )
        alone(database).event_versions.add(
            [
                event_version(1, 1),
                event_version(1, 2, state=active),
                event_version(1, 3, state=active, score="1-0"),
                event_version(2, 1),
            ]
        )
        losing = [bet(n, state=BetState.LOSING, version=2) for n in (1, 2)]
        strays = [bet(3, version=7), bet(4, event=2, version=0)]
        alone(database).bets.add([*losing, *strays, bet(5, event=2), bet(6)])
        now = Cause(active, Score.parse("1-0"))
        start = Cause(EventState.CREATED, Score.parse("0-0"))
        behind = BetKind(
            market=Market.TEAM_1,
            state=BetState.LOSING,
            own=Cause(active, Score.parse("0-0")),
            now=now,
            is_ahead=False,
        )
        none = behind._replace(state=BetState.NONE, own=start)
        ahead = none._replace(own=None, is_ahead=True)
        lost = none._replace(own=None, now=start)
        settled = none._replace(now=start)
        groups = {
            behind: BetGroup(ONE, Market.TEAM_1, BetState.LOSING, 2, 2),
            none: BetGroup(ONE, Market.TEAM_1, BetState.NONE, 1, 1),
            ahead: BetGroup(ONE, Market.TEAM_1, BetState.NONE, 7, 1),
            lost: BetGroup(TWO, Market.TEAM_1, BetState.NONE, 0, 1),
            settled: BetGroup(TWO, Market.TEAM_1, BetState.NONE, 1, 1),
        }
        for kind, group in groups.items():
            assert alone(database).audit.groups(kind.__eq__) == [(group, kind)]
        found = sorted((group, kind) for kind, group in groups.items())
        assert alone(database).audit.groups(lambda kind: True) == found
        assert alone(database).audit.groups(lambda kind: False) == []

    def test_bets_are_found_although_all_moves_meanwhile(self, database: Database) -> None:
        before, after = (stored_event(1, score=score) for score in ("1-0", "1-1"))
        alone(database).events.write([before])
        alone(database).bets.add([bet(1, version=7)])
        moved = StateRange(ONE, Market.TEAM_1, ONE, ONE, BetState.WIN, 8)

        def is_ahead(kind: BetKind) -> bool:
            if alone(database).events.among([ONE]) != {ONE: after}:
                with database.transaction() as uow:
                    uow.events.write([after])
                    uow.bets.write_states([moved])
                    uow.commit()
            return kind.is_ahead

        [(group, kind)] = alone(database).audit.groups(is_ahead)
        seen = (kind.now.score, kind.state, group.event_version)
        assert seen in [
            (before.event.score, BetState.NONE, 7),
            (after.event.score, BetState.WIN, 8),
        ]

    def test_bets_that_are_as_they_were_found_are_corrected(self, database: Database) -> None:
        wrong = [bet(n, market=Market.DRAW, state=BetState.LOSING, version=2) for n in (3, 4, 5)]
        others = [
            replace(wrong[0], placement=bet(6).placement),
            replace(wrong[0], placement=bet(7, event=2, market=Market.DRAW).placement),
            bet(8, market=Market.DRAW, state=BetState.LOSING, version=1),
            bet(9, market=Market.DRAW, state=BetState.WINNING, version=2),
        ]
        strays = [bet(2, version=9)]
        add_bets(database, [*wrong, *others, *strays])
        found = [
            Correction(BetGroup(TWO, Market.TEAM_2, BetState.NONE, 1, 5), BetState.WIN, 3),
            Correction(BetGroup(ONE, Market.DRAW, BetState.LOSING, 2, 99), BetState.WINNING, 3),
            Correction(BetGroup(ONE, Market.TEAM_1, BetState.NONE, 9, 1), BetState.LOSING, 3),
        ]
        assert alone(database).audit.correct(found, most=2) == [0, 2, 0]
        assert alone(database).audit.correct(found, most=99) == [0, 1, 1]
        assert alone(database).audit.correct(found, most=99) == [0, 0, 0]
        now = alone(database).bets.among([UUID(int=n) for n in range(10)])
        right = [replace(each, state=BetState.WINNING, event_version=3) for each in wrong]
        right += [replace(strays[0], state=BetState.LOSING, event_version=3), *others]
        assert now == {each.id: each for each in right}

    def test_a_bet_that_moves_meanwhile_is_left_alone(
        self, database: Database, threads: ThreadPoolExecutor
    ) -> None:
        wrong = [bet(n, state=BetState.LOSING, version=2) for n in (1, 2)]
        add_bets(database, wrong)
        found = [Correction(BetGroup(ONE, Market.TEAM_1, BetState.LOSING, 2, 2), BetState.LOSE, 3)]
        moved = StateRange(ONE, Market.TEAM_1, ONE, ONE, BetState.WIN, 4)
        with database.transaction() as uow:
            uow.bets.write_states([moved])
            corrected = threads.submit(alone(database).audit.correct, found, most=9)
            self.await_waiting(database, corrected)
            uow.commit()
        assert corrected.result() == [1]
        now = alone(database).bets.among([ONE, TWO])
        assert {each.id: each.event_version for each in now.values()} == {ONE: 4, TWO: 3}
