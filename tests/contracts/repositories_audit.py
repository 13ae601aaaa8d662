"""Questions about all rows at once, on every Database."""

from dataclasses import replace
from uuid import UUID

from domain.bets import Bet, BetState, Market
from domain.events import EventState
from domain.log import EVENTS_TAXONOMY, LogPosition
from domain.ports import Database
from domain.records import BetGroup
from tests.contracts.repositories_samples import (
    LATER_LOG,
    LOG,
    DatabaseCases,
    add_bets,
    alone,
    bet,
    event_version,
    stored_event,
)

ONE, TWO = UUID(int=1), UUID(int=2)


def placed(number: int, offset: int, *, log_id: UUID = LOG, event: int = 1) -> Bet:
    return replace(bet(number, event=event), position=LogPosition(log_id, 0, offset))


class AuditContract(DatabaseCases):
    """What `verify` asks."""

    def test_an_empty_database_has_nothing_to_say(self, database: Database) -> None:
        assert alone(database).audit.bet_groups() == []
        assert alone(database).audit.late_bets() == []
        assert alone(database).audit.version_faults() == []

    def test_bets_are_counted_by_event_market_state_and_version(self, database: Database) -> None:
        won = [bet(n, market=Market.DRAW, state=BetState.WIN, version=3) for n in (9, 7, 8)]
        older = bet(4, market=Market.DRAW, state=BetState.WIN, version=2)
        add_bets(database, [*won, older, bet(5), bet(6, event=2)])
        groups = alone(database).audit.bet_groups()
        group = BetGroup(ONE, Market.DRAW, BetState.WIN, 3, 3)
        assert sorted(groups) == sorted(
            [
                group,
                group._replace(event_version=2, bets=1),
                BetGroup(ONE, Market.TEAM_1, BetState.NONE, 1, 1),
                BetGroup(TWO, Market.TEAM_1, BetState.NONE, 1, 1),
            ]
        )
        assert alone(database).audit.bets_in(group, most=9) == [UUID(int=n) for n in (7, 8, 9)]
        assert alone(database).audit.bets_in(group, most=2) == [UUID(int=7), UUID(int=8)]

    def test_a_bet_stands_between_creation_and_kick_off(self, database: Database) -> None:
        for log_id in (LOG, LATER_LOG):
            alone(database).logs.register(EVENTS_TAXONOMY, log_id)
        bets = [placed(1, 9), placed(2, 11), placed(3, 500), placed(4, 1, log_id=LATER_LOG)]
        bets += [placed(5, 6, log_id=LATER_LOG), placed(6, 3, event=2), placed(7, 12)]
        add_bets(database, bets)
        alone(database).event_versions.add(
            [
                event_version(1, 1, offset=10),
                event_version(1, 2, state=EventState.ACTIVE, offset=5, log_id=LATER_LOG),
                event_version(1, 3, state=EventState.FINISHED, offset=9, log_id=LATER_LOG),
            ]
        )
        alone(database).deletions.add(UUID(int=7))
        # One before its event, one after kick-off, one of an event that never began, one deleted.
        late = [UUID(int=number) for number in (1, 5, 6, 7)]
        assert alone(database).audit.late_bets() == late

    def test_versions_have_no_gap_and_end_in_the_event(self, database: Database) -> None:
        active = EventState.ACTIVE
        alone(database).events.write(
            [
                stored_event(1),
                stored_event(2, state=active, score="1-0", version=2),
                stored_event(3, state=active, version=3),
                stored_event(4, state=active, version=2),
                stored_event(5, state=active, score="1-0", version=2),
                stored_event(6),
                stored_event(7),
            ]
        )
        alone(database).event_versions.add(
            [
                event_version(1, 1),
                event_version(2, 1),
                event_version(2, 2, state=active, score="1-0"),
                event_version(3, 1),
                event_version(3, 3, state=active),
                event_version(4, 1),
                event_version(4, 2),
                event_version(5, 1),
                event_version(5, 2, state=active, score="0-1"),
                event_version(7, 1),
                event_version(7, 2),
                event_version(8, 1),
            ]
        )
        faults = [UUID(int=number) for number in (3, 4, 5, 6, 7, 8)]
        assert alone(database).audit.version_faults() == faults
