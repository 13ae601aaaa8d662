"""What each view sees, and which changes touch it."""

from datetime import timedelta
from uuid import UUID

from domain.bets import BetState, Market
from domain.events import EventState
from domain.ports import UnitOfWork
from domain.records import ConsumerName, DeadLetter, Position, Standing
from domain.views import (
    BetsView,
    Board,
    BoardView,
    EventInSight,
    EventView,
    StandingsView,
    Standpoint,
    View,
    Work,
    WorkView,
    touched,
)
from tests.samples import (
    EVENT,
    LATER_LOG,
    OTHER_EVENT,
    SOURCE,
    a_bet,
    a_database,
    a_record,
    a_version,
    active,
    an_event,
    an_id,
    holding,
    with_bets,
)

EVENT_WRITER, BET_WRITER, BET_SCORER = ConsumerName
ANNS, BOBS = an_id(1), an_id(2)
BETS = [
    a_bet(id=ANNS, at=1),
    a_bet(id=BOBS, at=2, user_id="bob", market=Market.TEAM_1),
    a_bet(id=an_id(3), at=3, event_id=OTHER_EVENT),
]
VERSIONS = [
    a_version(an_event(), at=0),
    a_version(active("0-0"), at=10),
    a_version(an_event(id=OTHER_EVENT), at=1),
]


def fill(uow: UnitOfWork) -> None:
    holding(active("0-0"))(uow)
    holding(an_event(id=OTHER_EVENT))(uow)
    uow.event_versions.add(VERSIONS)
    with_bets(*BETS)(uow)


DATABASE = a_database(fill)


def test_an_event_is_seen_with_its_versions_and_its_bets() -> None:
    with DATABASE.transaction() as uow:
        seen = EventView(event_id=EVENT).look(uow)
        assert EventView(event_id=UUID(int=404)).look(uow) is None
    tally = {(Market.DRAW, BetState.NONE): 1, (Market.TEAM_1, BetState.NONE): 1}
    assert seen == EventInSight(active("0-0"), VERSIONS[:2], tally)


def test_a_users_bets_are_seen_with_their_ways() -> None:
    with DATABASE.transaction() as uow:
        all_of_ann = BetsView(user_id="ann").look(uow)
        here = BetsView(user_id="ann", event_id=EVENT).look(uow)
        assert BetsView(user_id="nobody").look(uow) == []
    assert [each.bet.id for each in all_of_ann] == [an_id(3), ANNS]
    assert [each.bet.id for each in here] == [ANNS]
    assert here[0].event == active("0-0")
    assert [change.state for change in here[0].changes] == [BetState.NONE]


def test_a_bet_whose_event_is_just_being_deleted_is_left_out() -> None:
    """The event went between two looks: so did the bet."""

    class Gone:
        def __init__(self, uow: UnitOfWork) -> None:
            self._uow = uow

        def __getattr__(self, name: str) -> object:
            return getattr(self._uow, name)

        class events:  # noqa: N801 - in the place of a repository
            @staticmethod
            def among(ids: object) -> dict[UUID, object]:
                return {}

    with DATABASE.transaction() as uow:
        assert BetsView(user_id="ann").look(Gone(uow)) == []  # type: ignore[arg-type]


def test_the_board_has_the_events_by_state() -> None:
    with DATABASE.transaction() as uow:
        seen = BoardView().look(uow)
    assert seen == Board(
        events={
            EventState.ACTIVE: [active("0-0")],
            EventState.CREATED: [an_event(id=OTHER_EVENT)],
            EventState.FINISHED: [],
        },
        tallies={EVENT: {(Market.DRAW, BetState.NONE): 1, (Market.TEAM_1, BetState.NONE): 1}},
        latest={EVENT: VERSIONS[:2]},
    )


def test_the_standings() -> None:
    with DATABASE.transaction() as uow:
        assert StandingsView(event_id=EVENT).look(uow) == [
            Standing(1, "ann", wins=0, losses=0, open=1, winning=0),
            Standing(1, "bob", wins=0, losses=0, open=1, winning=0),
        ]
        assert [each.open for each in StandingsView().look(uow)] == [2, 1]


def test_which_views_a_change_touches() -> None:
    here, there = EventView(event_id=EVENT), EventView(event_id=OTHER_EVENT)
    ann, bob = BetsView(user_id="ann"), BetsView(user_id="bob")
    ann_here, bob_there = (
        BetsView(user_id="ann", event_id=EVENT),
        BetsView(user_id="bob", event_id=OTHER_EVENT),
    )
    board, standings = BoardView(), StandingsView()
    views: list[View] = [here, there, ann, bob, ann_here, bob_there, board, standings]
    with DATABASE.transaction() as uow:
        seen = dict.fromkeys(views)
        assert set(touched(uow, seen, {EVENT})) == {here, ann, bob, ann_here, board, standings}
        assert (
            set(
                touched(
                    uow, {BetsView(user_id="carl", event_id=EVENT): [], WorkView(): None}, {EVENT}
                )
            )
            == set()
        )
        everywhere = {there, ann, board, standings}
        assert set(touched(uow, seen, {OTHER_EVENT})) == everywhere
        assert set(touched(uow, seen, {UUID(int=404)})) == {board, standings}
        assert touched(uow, seen, set()) == []


def test_a_bet_that_is_no_longer_the_users_touches_the_view() -> None:
    """It was withdrawn, or handed over: only what was seen before tells."""
    ann = BetsView(user_id="ann")
    with DATABASE.transaction() as uow:
        seen: dict[View, object] = {ann: ann.look(uow)}
    with a_database().transaction() as uow:
        assert set(touched(uow, seen, {OTHER_EVENT})) == {ann}
        assert touched(uow, {BetsView(user_id="bob"): []}, {OTHER_EVENT}) == set()


def test_the_work_behind() -> None:
    def fill(uow: UnitOfWork) -> None:
        sources = [SOURCE._replace(partition=each, log_id=LATER_LOG) for each in range(3)]
        for consumer, offsets in {EVENT_WRITER: (5, 2, 0), BET_WRITER: (3, 2, 0)}.items():
            places = zip(sources, offsets, strict=True)
            uow.positions.save(
                [Position(consumer=consumer, source=s, next_offset=n) for s, n in places]
            )
        uow.positions.mark_caught_up(EVENT_WRITER, sources, ago=timedelta(seconds=1))
        uow.positions.mark_caught_up(BET_WRITER, sources[:2], ago=timedelta(seconds=1))
        uow.dead_letters.add([DeadLetter(record=a_record(7), reason="not JSON")])

    with a_database(fill).transaction() as uow:
        seen = WorkView().look(uow)
    assert isinstance(seen, Work)
    assert list(seen.standpoints) == [
        Standpoint(EVENT_WRITER, "events.taxonomy", timedelta(seconds=1), None),
        Standpoint(BET_WRITER, "events.taxonomy", None, 2),
        Standpoint(BET_SCORER, "events.taxonomy", None, 5),
        Standpoint(BET_WRITER, "bets.state", None, None),
    ]
    assert [letter.reason for letter in seen.letters] == ["not JSON"]
