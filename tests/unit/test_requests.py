"""What each request is answered at once, refused, or published as."""

from collections.abc import Collection
from typing import Any

import pytest

from domain.bets import Bet, Market
from domain.errors import (
    BetDeleted,
    BetNotFound,
    BetRefused,
    EventDeleted,
    EventNotFound,
    EventNotOpen,
    FieldFrozen,
    IdempotencyKeyReused,
    IllegalTransition,
    RuleBroken,
    VersionMismatch,
)
from domain.events import Event, EventPatch, EventState
from domain.log import LogPartition
from domain.ports import UnitOfWork
from domain.records import ConsumerName, Position, RefusalReason
from domain.requests import (
    create_event,
    place_bet,
    update_bet,
    update_event,
)
from domain.verdicts import Publication
from tests.samples import (
    BET,
    EVENT,
    LATER_LOG,
    MESSAGE,
    NOW,
    SOURCE,
    Fill,
    a_bet,
    a_database,
    a_placement,
    a_version,
    active,
    an_event,
    created,
    finished,
    handed_over,
    having_deleted,
    having_refused,
    holding,
    placed,
    score,
    updated,
    with_bets,
)

STAMP: dict[str, Any] = {"message_id": MESSAGE, "now": NOW}

# Creating an event


def create(event: Event, *filled: Fill, keyed: bool = True) -> Event | Publication:
    with a_database(*filled).transaction() as uow:
        return create_event(uow, event, keyed=keyed, **STAMP)


@pytest.mark.parametrize("keyed", [True, False])
def test_a_new_event_is_published(keyed: bool) -> None:
    assert create(an_event(), keyed=keyed) == Publication(
        message=created(an_event()), judge=ConsumerName.EVENT_WRITER, event_version=1
    )


@pytest.mark.parametrize("now", [an_event(), an_event(type="rugby", version=2), active("1-0")])
def test_a_keys_event_is_answered_as_it_now_is(now: Event) -> None:
    assert create(an_event(), holding(now)) == now


def test_a_keys_other_event_is_refused() -> None:
    with pytest.raises(IdempotencyKeyReused):
        create(an_event(type="rugby"), holding(an_event(type="rugby", version=2)))


def test_a_keys_deleted_event_stays_deleted() -> None:
    with pytest.raises(EventDeleted):
        create(an_event(), having_deleted(EVENT))


def test_without_a_key_nothing_is_looked_for() -> None:
    assert isinstance(create(an_event(), having_deleted(EVENT), keyed=False), Publication)


# Updating an event


def update(
    event: Event | None, expected: Collection[int] | None = None, **named: Any
) -> Event | Publication:
    filled = [] if event is None else [holding(event)]
    with a_database(*filled).transaction() as uow:
        return update_event(uow, EVENT, EventPatch(**named), expected_versions=expected, **STAMP)


@pytest.mark.parametrize("expected", [None, [1], [7, 1]])
def test_an_update_is_published(expected: list[int] | None) -> None:
    assert update(an_event(), expected, state=EventState.ACTIVE) == Publication(
        message=updated(active()),
        judge=ConsumerName.EVENT_WRITER,
        event_version=2,
        conditional=expected is not None,
    )


@pytest.mark.parametrize("expected", [None, [1], [2], []])
def test_what_changes_nothing_is_answered_at_once(expected: list[int] | None) -> None:
    assert update(active(), expected, state=EventState.ACTIVE) == active()


@pytest.mark.parametrize(
    ("event", "expected", "named", "broken"),
    [
        (None, None, {"state": EventState.ACTIVE}, EventNotFound),
        (None, [2], {"state": EventState.ACTIVE}, EventNotFound),
        (active(), [1], {"score": score("1-0")}, VersionMismatch),
        (active(), [], {"score": score("1-0")}, VersionMismatch),
        (active(), [1], {"state": EventState.CREATED}, VersionMismatch),
        (active(), [2], {"state": EventState.CREATED}, IllegalTransition),
        (active(), None, {"type": "rugby"}, FieldFrozen),
    ],
)
def test_what_of_an_update_is_refused_first(
    event: Event | None,
    expected: list[int] | None,
    named: dict[str, Any],
    broken: type[RuleBroken],
) -> None:
    with pytest.raises(broken):
        update(event, expected, **named)


# Placing a bet


def place(
    *filled: Fill, keyed: bool = True, owner: str | None = None, **fields: Any
) -> Bet | Publication:
    with a_database(*filled).transaction() as uow:
        return place_bet(uow, a_placement(**fields), keyed=keyed, owner=owner, **STAMP)


@pytest.mark.parametrize("keyed", [True, False])
def test_a_bet_is_published(keyed: bool) -> None:
    assert place(holding(an_event(version=4)), keyed=keyed) == Publication(
        message=placed(a_placement()), judge=ConsumerName.BET_WRITER, event_version=4
    )


@pytest.mark.parametrize(
    ("filled", "keyed", "broken"),
    [
        ([], False, EventNotFound),
        ([], True, EventNotFound),
        ([holding(active())], False, EventNotOpen),
        ([holding(finished())], False, EventNotOpen),
        # Its versions are gone: it was deleted since it was read.
        ([holding(active())], True, EventNotFound),
    ],
)
def test_a_bet_needs_an_open_event(
    filled: list[Fill], keyed: bool, broken: type[RuleBroken]
) -> None:
    with pytest.raises(broken):
        place(*filled, keyed=keyed)


@pytest.mark.parametrize("event", [an_event(), active(), finished()])
def test_a_keys_bet_is_answered_as_it_now_is(event: Event) -> None:
    handed_on = a_bet(user_id="bob")
    assert place(holding(event), with_bets(handed_on)) == handed_on
    assert place(holding(event), with_bets(handed_on), owner="bob") == handed_on


@pytest.mark.parametrize("market", Market)
def test_a_keys_bet_that_was_given_away_is_not_there(market: Market) -> None:
    """Whatever is asked for now: its new user's market is nobody else's to know."""
    with pytest.raises(BetNotFound):
        place(holding(an_event()), with_bets(a_bet(user_id="bob")), market=market, owner="ann")


@pytest.mark.parametrize("event", [an_event(), active()])
@pytest.mark.parametrize(
    ("filled", "broken"),
    [
        ([with_bets(a_bet(market=Market.TEAM_1))], IdempotencyKeyReused),
        ([having_deleted(BET)], BetDeleted),
        ([having_deleted(BET), having_refused()], BetDeleted),
        ([having_refused()], EventNotOpen),
        ([having_refused(RefusalReason.EVENT_NOT_FOUND)], EventNotFound),
        ([having_refused(RefusalReason.EVENT_DELETED)], EventNotFound),
    ],
)
def test_a_keys_earlier_verdict_comes_before_the_events_state(
    event: Event, filled: list[Fill], broken: type[RuleBroken]
) -> None:
    with pytest.raises(broken):
        place(holding(event), *filled)


def test_without_a_key_no_earlier_verdict_is_looked_for() -> None:
    for filled in (having_refused(), having_deleted(BET)):
        assert isinstance(place(holding(an_event()), filled, keyed=False), Publication)


# A keyed bet after kick-off: an earlier request with its key may still wait in the log


def kicked_off(uow: UnitOfWork) -> None:
    """Renamed at 7, kicked off at 20."""
    holding(active(version=3))(uow)
    renamed = an_event(type="rugby", version=2)
    story = [(0, an_event()), (7, renamed), (20, active(version=3))]
    uow.event_versions.add([a_version(event, at=offset) for offset, event in story])


def standing_at(
    offset: int,
    consumer: ConsumerName = ConsumerName.BET_WRITER,
    source: LogPartition = SOURCE,
) -> Fill:
    position = Position(consumer=consumer, source=source, next_offset=offset)
    return lambda uow: uow.positions.save([position])


@pytest.mark.parametrize(
    "filled",
    [
        [],
        [standing_at(0)],
        [standing_at(8)],
        [standing_at(20)],
        [standing_at(99, ConsumerName.EVENT_WRITER)],
        [standing_at(99, source=SOURCE._replace(partition=1))],
        [standing_at(99, source=SOURCE._replace(log_id=LATER_LOG))],
    ],
)
def test_only_the_log_can_answer_while_the_kick_off_is_not_passed(filled: list[Fill]) -> None:
    asked = place(kicked_off, *filled)
    assert asked == Publication(
        message=placed(a_placement()), judge=ConsumerName.BET_WRITER, event_version=3
    )


@pytest.mark.parametrize("offset", [21, 99])
def test_once_the_kick_off_is_passed_nothing_waits(offset: int) -> None:
    with pytest.raises(EventNotOpen):
        place(kicked_off, standing_at(offset))
    with pytest.raises(EventNotOpen):
        place(kicked_off, keyed=False)


@pytest.mark.parametrize("refused", [False, True])
def test_what_was_decided_between_two_looks_counts(
    refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = a_database(kicked_off, standing_at(21))
    decided = having_refused(RefusalReason.BET_NOT_FOUND) if refused else with_bets(a_bet())
    with database.transaction() as uow:
        read = uow.positions.read

        def decide_and_read(*of: Any) -> Any:
            with database.transaction() as writer:
                decided(writer)
                writer.commit()
            return read(*of)

        monkeypatch.setattr(uow.positions, "read", decide_and_read)
        if refused:
            with pytest.raises(BetNotFound):
                place_bet(uow, a_placement(), keyed=True, **STAMP)
        else:
            assert place_bet(uow, a_placement(), keyed=True, **STAMP) == a_bet()


def test_a_bet_that_was_added_between_two_looks_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its key was used for another market too, and only that request was refused."""
    database = a_database(holding(an_event()))
    with database.transaction() as uow:
        look = uow.refusals.of_subjects

        def decide_and_look(ids: Collection[Any]) -> Any:
            with database.transaction() as writer:
                with_bets(a_bet())(writer)
                having_refused(RefusalReason.IDEMPOTENCY_KEY_REUSED)(writer)
                writer.commit()
            return look(ids)

        monkeypatch.setattr(uow.refusals, "of_subjects", decide_and_look)
        assert place_bet(uow, a_placement(), keyed=True, **STAMP) == a_bet()


# Another user on a bet


def hand_over(user_id: str, *filled: Fill) -> Bet | Publication:
    with a_database(*filled).transaction() as uow:
        return update_bet(uow, BET, user_id, **STAMP)


def test_another_user_is_published() -> None:
    assert hand_over("bob", holding(an_event()), with_bets(a_bet(event_version=3))) == Publication(
        message=handed_over(a_placement(user_id="bob")),
        judge=ConsumerName.BET_WRITER,
        event_version=3,
    )


@pytest.mark.parametrize("event", [an_event(), active(), finished()])
def test_the_same_user_is_answered_at_once(event: Event) -> None:
    assert hand_over("ann", holding(event), with_bets(a_bet())) == a_bet()


@pytest.mark.parametrize(
    ("filled", "broken"),
    [
        ([], BetNotFound),
        ([having_refused()], BetRefused),
        ([holding(active()), with_bets(a_bet())], EventNotOpen),
        ([holding(finished()), with_bets(a_bet())], EventNotOpen),
    ],
)
def test_another_user_needs_a_bet_on_an_open_event(
    filled: list[Fill], broken: type[RuleBroken]
) -> None:
    with pytest.raises(broken):
        hand_over("bob", *filled)
