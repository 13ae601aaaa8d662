"""What a client is told once the judge of its request has passed it."""

from dataclasses import replace
from typing import Any, cast

import pytest

from domain.bets import Bet, BetState, Market
from domain.errors import (
    BetDeleted,
    BetNotFound,
    EventConflict,
    EventDeleted,
    EventNotFound,
    EventNotOpen,
    FieldFrozen,
    IdempotencyKeyReused,
    RuleBroken,
    VersionMismatch,
)
from domain.log import EVENTS_TAXONOMY, Placed
from domain.messages import MESSAGE_TYPES, TaxonomyMessage, subject_of
from domain.ports import UnitOfWork
from domain.records import ConsumerName, Refusal, RefusalReason
from domain.verdicts import Publication, Verdict, refusal_error, verdicts
from tests.samples import (
    LATER_LOG,
    OTHER_BET,
    OTHER_EVENT,
    SOURCE,
    Spy,
    a_bet,
    a_database,
    a_placement,
    a_position,
    a_version,
    active,
    an_event,
    an_id,
    created,
    handed_over,
    placed,
    stored,
    updated,
)

REASONS: dict[RefusalReason, type[RuleBroken]] = {
    RefusalReason.EVENT_NOT_FOUND: EventNotFound,
    RefusalReason.EVENT_DELETED: EventNotFound,
    RefusalReason.EVENT_NOT_OPEN: EventNotOpen,
    RefusalReason.EVENT_CONFLICT: EventConflict,
    RefusalReason.NOT_A_NEW_EVENT: EventNotFound,
    RefusalReason.ILLEGAL_TRANSITION: EventConflict,
    RefusalReason.FIELD_FROZEN: FieldFrozen,
    RefusalReason.SCORE_NOT_ALLOWED: EventConflict,
    RefusalReason.IDEMPOTENCY_KEY_REUSED: IdempotencyKeyReused,
    RefusalReason.BET_NOT_FOUND: BetNotFound,
    RefusalReason.BET_DELETED: BetDeleted,
    RefusalReason.STATE_NOT_OF_VERSION: EventConflict,
}


def publication(message: TaxonomyMessage, **fields: Any) -> Publication:
    return replace(
        Publication(message=message, judge=ConsumerName.EVENT_WRITER, event_version=1), **fields
    )


# Refusals


@pytest.mark.parametrize("reason", RefusalReason)
def test_every_reason_has_its_error(reason: RefusalReason) -> None:
    assert type(refusal_error(reason)) is REASONS[reason]
    assert type(refusal_error(reason, publication(placed(a_placement())))) is REASONS[reason]


@pytest.mark.parametrize("reason", RefusalReason)
def test_a_conditional_update_that_lost_is_a_mismatch(reason: RefusalReason) -> None:
    conditional = publication(updated(active()), conditional=True)
    lost = REASONS[reason] is EventConflict or reason is RefusalReason.FIELD_FROZEN
    assert type(refusal_error(reason, conditional)) is (
        VersionMismatch if lost else REASONS[reason]
    )


def test_a_creation_whose_event_was_deleted_is_no_404() -> None:
    asked = publication(created(an_event()))
    assert type(refusal_error(RefusalReason.EVENT_DELETED, asked)) is EventDeleted
    assert type(refusal_error(RefusalReason.EVENT_NOT_FOUND, asked)) is EventNotFound


def test_what_is_frozen_of_a_bet_is_its_market() -> None:
    assert refusal_error(RefusalReason.FIELD_FROZEN).details() == {"field": "market"}
    # An event's update was checked before it was published: it met another version than it knew.
    late = publication(updated(active()))
    assert type(refusal_error(RefusalReason.FIELD_FROZEN, late)) is EventConflict


# Looked up


def at(offset: int, partition: int = 0) -> Placed:
    return Placed(EVENTS_TAXONOMY, partition, offset)


def told(
    uow: UnitOfWork, *asked: TaxonomyMessage, offset: int = 7, partition: int = 0
) -> list[Verdict | None]:
    """The verdicts on messages that lie at `offset` and after it."""
    found = verdicts(
        uow, [(publication(m), at(offset + n, partition)) for n, m in enumerate(asked)]
    )
    return [found.get(message.id) for message in asked]


def a_refusal(message: TaxonomyMessage, reason: RefusalReason) -> Refusal:
    return Refusal(
        source=SOURCE,
        offset=7,
        message_id=message.id,
        type=MESSAGE_TYPES[type(message)],
        subject=subject_of(message),
        reason=reason,
    )


CREATION = created(an_event(), message_id=an_id(1))
RENAMED = updated(an_event(type="rugby", version=2), message_id=an_id(2))
KICK_OFF = updated(active(version=3), message_id=an_id(3))


def a_match(uow: UnitOfWork) -> None:
    """Created at 5, renamed at 6, kicked off at 20."""
    uow.events.write([stored(KICK_OFF.event)])
    for offset, message in ((5, CREATION), (6, RENAMED), (20, KICK_OFF)):
        version = a_version(message.event, at=offset)
        uow.event_versions.add([replace(version, message_id=message.id)])


def test_an_applied_request_is_answered_with_what_it_made() -> None:
    # Whatever has happened since.
    with a_database(a_match).transaction() as uow:
        assert told(uow, CREATION, RENAMED, KICK_OFF) == [
            CREATION.event,
            RENAMED.event,
            KICK_OFF.event,
        ]
        assert told(uow, RENAMED) == [RENAMED.event]


def test_a_repeated_update_is_answered_with_the_event_as_it_is() -> None:
    with a_database(a_match).transaction() as uow:
        again = updated(replace(KICK_OFF.event, version=9), message_id=an_id(8))
        assert told(uow, again) == [KICK_OFF.event]


def test_a_repeated_creation_is_answered_with_the_event_as_it_is() -> None:
    with a_database(a_match).transaction() as uow:
        assert told(uow, created(an_event(), message_id=an_id(8))) == [KICK_OFF.event]


def test_what_left_no_trace_has_no_verdict() -> None:
    other = updated(active("1-0", version=4), message_id=an_id(8))
    gone = created(an_event(id=OTHER_EVENT), message_id=an_id(9))
    with a_database(a_match).transaction() as uow:
        assert told(uow, other, gone, placed(a_placement())) == [None, None, None]
        assert verdicts(uow, []) == {}


SCORED = updated(active("2-0", version=4), message_id=an_id(4))
SCORED_AGAIN = updated(active("3-0", version=5), message_id=an_id(5))
TAKEN_BACK = updated(active("1-0", version=6), message_id=an_id(6))


def a_match_that_went_on(uow: UnitOfWork) -> None:
    """After its kick-off three changes of the score, at 21, 22 and 23."""
    a_match(uow)
    uow.events.write([stored(TAKEN_BACK.event)])
    for offset, message in ((21, SCORED), (22, SCORED_AGAIN), (23, TAKEN_BACK)):
        version = a_version(message.event, at=offset)
        uow.event_versions.add([replace(version, message_id=message.id)])


def test_a_repeated_update_is_answered_also_when_the_event_has_moved_on() -> None:
    """Two operators told of one goal; the second one's verdict was looked up after the next."""
    second = replace(SCORED, id=an_id(8))
    third = replace(SCORED_AGAIN, id=an_id(9))
    late = updated(replace(SCORED_AGAIN.event, version=4), message_id=an_id(10))
    with a_database(a_match_that_went_on).transaction() as uow:
        assert told(uow, second) == [SCORED.event]
        assert told(uow, third, second, late) == [
            SCORED_AGAIN.event,
            SCORED.event,
            SCORED_AGAIN.event,
        ]


def test_what_the_event_never_was_since_the_request_has_no_verdict() -> None:
    """It lay in a log that is gone."""
    never = updated(active("7-0", version=4), message_id=an_id(8))
    before = updated(replace(SCORED.event, version=5), message_id=an_id(9))
    otherwise = updated(replace(SCORED.event, type="rugby"), message_id=an_id(10))
    renamed = updated(an_event(team_1="Brazil", version=2), message_id=an_id(11))
    with a_database(a_match_that_went_on).transaction() as uow:
        assert told(uow, never, before, otherwise, renamed) == [None] * 4


def test_how_the_event_was_is_asked_for_only_where_it_has_moved_on() -> None:
    again = updated(replace(TAKEN_BACK.event, version=9), message_id=an_id(8))
    with a_database(a_match_that_went_on).transaction() as uow:
        spy = Spy(uow)
        assert told(cast("UnitOfWork", spy), again, TAKEN_BACK) == [TAKEN_BACK.event] * 2
        assert spy.calls.count("event_versions.between") == 1


def test_a_refused_request_is_answered_with_the_reason() -> None:
    lost = updated(active("1-0", version=3), message_id=an_id(8))
    late = placed(a_placement(), message_id=an_id(9))
    database = a_database(
        a_match,
        lambda uow: uow.refusals.add([a_refusal(lost, RefusalReason.EVENT_CONFLICT)]),
        lambda uow: uow.refusals.add(
            [replace(a_refusal(late, RefusalReason.EVENT_NOT_OPEN), offset=8)]
        ),
    )
    with database.transaction() as uow:
        conflict, not_open, applied = told(uow, lost, late, KICK_OFF)
        assert isinstance(conflict, EventConflict)
        assert isinstance(not_open, EventNotOpen)
        assert applied == KICK_OFF.event
        found = verdicts(uow, [(publication(lost, conditional=True), at(7))])
        assert isinstance(found[lost.id], VersionMismatch)


def test_what_was_applied_is_not_refused_because_it_lies_in_the_log_twice() -> None:
    refusal = replace(a_refusal(RENAMED, RefusalReason.EVENT_CONFLICT), offset=21)
    with a_database(a_match, lambda uow: uow.refusals.add([refusal])).transaction() as uow:
        assert told(uow, RENAMED) == [RENAMED.event]


# Bets


AS_PLACED = a_bet(at=7, event_version=2)
AS_IT_IS = replace(AS_PLACED, state=BetState.WINNING, event_version=3)


def with_bet(uow: UnitOfWork) -> None:
    """One bet: placed when the event was at version 2, and since then told of kick-off."""
    uow.bets.add([AS_IT_IS])


@pytest.mark.parametrize(
    ("offset", "partition", "expected"),
    [(7, 0, AS_PLACED), (8, 0, AS_IT_IS), (6, 0, AS_IT_IS), (7, 1, AS_IT_IS)],
)
def test_a_bet_is_answered_as_placed_by_the_record_that_placed_it(
    offset: int, partition: int, expected: Bet
) -> None:
    with a_database(a_match, with_bet).transaction() as uow:
        asked = placed(a_placement())
        assert told(uow, asked, offset=offset, partition=partition) == [expected]


def test_a_bet_still_in_none_is_answered_as_it_is() -> None:
    bet = a_bet(at=7, event_version=2)
    with a_database(a_match, lambda uow: uow.bets.add([bet])).transaction() as uow:
        assert told(uow, placed(a_placement())) == [bet]


def test_a_bet_older_than_its_events_versions_keeps_its_own() -> None:
    def early(uow: UnitOfWork) -> None:
        bet = replace(AS_IT_IS, position=a_position(2))
        uow.bets.add([bet])

    with a_database(a_match, early).transaction() as uow:
        assert told(uow, placed(a_placement()), offset=2) == [
            replace(AS_PLACED, position=a_position(2), event_version=3)
        ]


def test_the_version_at_its_place_counts_across_logs() -> None:
    def in_the_later_log(uow: UnitOfWork) -> None:
        uow.bets.add([replace(AS_IT_IS, position=a_position(7, log=LATER_LOG))])

    with a_database(a_match, in_the_later_log).transaction() as uow:
        (bet,) = told(uow, placed(a_placement()))
        assert isinstance(bet, Bet)
        assert (bet.state, bet.event_version) == (BetState.NONE, 3)


def test_a_hand_over_is_answered_with_the_bet() -> None:
    with a_database(a_match, with_bet).transaction() as uow:
        assert told(uow, handed_over(a_placement())) == [AS_IT_IS]


def test_a_hand_over_that_left_no_trace_has_no_verdict() -> None:
    """Its place may be in a log that nobody reads yet, or any more, and the position is of another
    one: that it was not refused says nothing then."""
    with a_database(a_match, with_bet).transaction() as uow:
        assert told(uow, handed_over(a_placement(user_id="bob"))) == [None]


def test_a_lost_request_is_not_answered_with_what_its_key_was_used_for_since() -> None:
    """It lay in a log that is gone. Another one with its key came after it, with other content."""
    same: list[TaxonomyMessage] = [
        replace(CREATION, id=an_id(8)),
        placed(a_placement(), message_id=an_id(8)),
    ]
    creation = created(an_event(team_1="Brazil"), message_id=an_id(8))
    other = placed(a_placement(market=Market.TEAM_2), message_id=an_id(8))
    assert other.placement.market is not AS_IT_IS.placement.market
    with a_database(a_match, with_bet).transaction() as uow:
        assert [told(uow, each, partition=1) for each in same] == [[KICK_OFF.event], [AS_IT_IS]]
        assert [told(uow, each, partition=1) for each in (creation, other)] == [[None], [None]]


def test_bets_and_events_are_looked_up_together() -> None:
    missing = placed(a_placement(id=OTHER_BET), message_id=an_id(9))
    with a_database(a_match, with_bet).transaction() as uow:
        assert told(uow, placed(a_placement()), missing, RENAMED) == [
            AS_PLACED,
            None,
            RENAMED.event,
        ]
        assert told(uow, missing, placed(a_placement()), offset=6) == [None, AS_PLACED]
