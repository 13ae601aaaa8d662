"""What the Bet Writer makes of each request, and which new states it writes."""

from dataclasses import replace
from typing import Any, cast

import pytest

from domain.bet_writer import BetWriter, Known, judge_placement, judge_update
from domain.bets import Bet, BetState, Market
from domain.log import BETS_STATE, EVENTS_TAXONOMY
from domain.messages import BetPlaced, BetUpdated, Message
from domain.ports import EventLock, UnitOfWork
from domain.records import ConsumerName, Refusal, RefusalReason
from domain.rulings import Fate, Lane, Ruling
from tests.samples import (
    BET,
    EVENT,
    LATER_LOG,
    MESSAGE,
    OTHER_BET,
    OTHER_EVENT,
    SOURCE,
    MustWait,
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
    finished,
    handed_over,
    placed,
    request,
    stored,
)

APPLIED, UNCHANGED = Fate
NOT_OPEN, REUSED = RefusalReason.EVENT_NOT_OPEN, RefusalReason.IDEMPOTENCY_KEY_REUSED
OPEN = a_version(an_event(version=3), at=0)
CLOSED = a_version(active(), at=0)
NOTHING_KNOWN: dict[str, Any] = {
    "standing": None,
    "deleted": False,
    "refused": None,
    "event_deleted": False,
    "at_place": OPEN,
}


def known(**facts: Any) -> Known:
    return Known(**NOTHING_KNOWN | facts)


# name: what is known, the ruling; later rows hold against more that speaks otherwise
PLACEMENTS: dict[str, tuple[Known, Ruling]] = {
    "new": (known(), APPLIED),
    "before its event": (known(at_place=None), RefusalReason.EVENT_NOT_FOUND),
    "after kick-off": (known(at_place=CLOSED), NOT_OPEN),
    "after the end": (known(at_place=a_version(finished(), at=0)), NOT_OPEN),
    "event deleted": (known(event_deleted=True, at_place=None), RefusalReason.EVENT_DELETED),
    "refused before": (known(refused=NOT_OPEN), NOT_OPEN),
    "refused before its event was deleted": (known(refused=NOT_OPEN, event_deleted=True), NOT_OPEN),
    "deleted": (known(deleted=True), RefusalReason.BET_DELETED),
    "deleted, and refused": (known(deleted=True, refused=NOT_OPEN), RefusalReason.BET_DELETED),
    "again": (known(standing=a_bet()), UNCHANGED),
    "again, after kick-off": (known(standing=a_bet(), at_place=CLOSED), UNCHANGED),
    "again, with another user since": (known(standing=a_bet(user_id="bob")), UNCHANGED),
    "another market": (known(standing=a_bet(market=Market.TEAM_1)), REUSED),
    "another event": (known(standing=a_bet(event_id=OTHER_EVENT)), REUSED),
    "another market, after kick-off": (
        known(standing=a_bet(market=Market.TEAM_1), at_place=CLOSED),
        REUSED,
    ),
}

# name: what is known, the ruling on giving the bet to bob
UPDATES: dict[str, tuple[Known, Ruling]] = {
    "another user": (known(standing=a_bet()), APPLIED),
    "the same user": (known(standing=a_bet(user_id="bob")), UNCHANGED),
    "the same user, after kick-off": (
        known(standing=a_bet(user_id="bob"), at_place=CLOSED),
        UNCHANGED,
    ),
    "after kick-off": (known(standing=a_bet(), at_place=CLOSED), NOT_OPEN),
    "before its event": (known(standing=a_bet(), at_place=None), NOT_OPEN),
    "another market": (
        known(standing=a_bet(market=Market.TEAM_1)),
        RefusalReason.FIELD_FROZEN,
    ),
    "another event": (
        known(standing=a_bet(event_id=OTHER_EVENT)),
        RefusalReason.FIELD_FROZEN,
    ),
    "another market, same user": (
        known(standing=a_bet(market=Market.TEAM_1, user_id="bob")),
        RefusalReason.FIELD_FROZEN,
    ),
    "not there": (known(), RefusalReason.BET_NOT_FOUND),
    "refused": (known(refused=NOT_OPEN), NOT_OPEN),
    "deleted": (known(deleted=True), RefusalReason.BET_DELETED),
    "deleted, and refused": (known(deleted=True, refused=NOT_OPEN), RefusalReason.BET_DELETED),
}


@pytest.mark.parametrize(("facts", "ruling"), PLACEMENTS.values(), ids=PLACEMENTS)
def test_placements(facts: Known, ruling: Ruling) -> None:
    found = judge_placement(a_placement(), a_position(7), facts)
    expected = a_bet(at=7, event_version=3) if ruling is APPLIED else ruling
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("facts", "ruling"), UPDATES.values(), ids=UPDATES)
def test_updates(facts: Known, ruling: Ruling) -> None:
    found = judge_update(a_placement(user_id="bob"), facts)
    expected = a_bet(user_id="bob") if ruling is APPLIED else ruling
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("user_id", ["ann", "bob"])
def test_an_update_changes_nothing_but_the_user(user_id: str) -> None:
    standing = replace(a_bet(at=4, event_version=2), state=BetState.NONE)
    asked = replace(a_placement(user_id=user_id), date_created=an_event().event_date)
    assert judge_update(asked, known(standing=standing)) is RefusalReason.FIELD_FROZEN


# In batches: the event is created at offset 0, and kicks off at 20


def a_story(uow: UnitOfWork) -> None:
    uow.events.write([stored(active())])
    uow.event_versions.add([a_version(an_event(), at=0), a_version(active(), at=20)])


def decide(uow: UnitOfWork, *messages: Message, at: int = 10) -> list[Ruling]:
    """Judge messages that lie at `at` and the offsets after it."""
    requests = [request(message, at=at + n) for n, message in enumerate(messages)]
    return BetWriter().decide(uow, requests)


def bets(uow: UnitOfWork) -> dict[Any, Bet]:
    return dict(uow.bets.among([BET, OTHER_BET]))


def test_it_stays_behind_the_event_writer_and_takes_few_slices_at_once() -> None:
    writer = BetWriter()
    assert (writer.name, writer.behind) == (ConsumerName.BET_WRITER, ConsumerName.EVENT_WRITER)
    assert list(writer.lanes) == [Lane(EVENTS_TAXONOMY, 5000), Lane(BETS_STATE, 20_000, lazy=True)]
    assert not writer.publishes
    assert list(writer.outputs(a_database(), [])) == []


@pytest.mark.parametrize(
    ("offset", "ruling"), [(1, APPLIED), (19, APPLIED), (21, NOT_OPEN), (99, NOT_OPEN)]
)
def test_a_bet_is_judged_at_its_place(offset: int, ruling: Ruling) -> None:
    with a_database(a_story).transaction() as uow:
        assert decide(uow, placed(a_placement()), at=offset) == [ruling]
        assert bets(uow) == ({BET: a_bet(at=offset)} if ruling is APPLIED else {})


def test_a_bet_before_its_event_is_refused() -> None:
    def later_story(uow: UnitOfWork) -> None:
        uow.events.write([stored(an_event())])
        uow.event_versions.add([a_version(an_event(), at=50)])

    with a_database(later_story).transaction() as uow:
        assert decide(uow, placed(a_placement())) == [RefusalReason.EVENT_NOT_FOUND]


def test_an_earlier_log_precedes_a_later_one() -> None:
    def two_logs(uow: UnitOfWork) -> None:
        uow.events.write([stored(active())])
        uow.event_versions.add(
            [a_version(an_event(), at=90), a_version(active(), at=5, log=LATER_LOG)]
        )

    later = SOURCE._replace(log_id=LATER_LOG)
    for source, offset, ruling in (
        (SOURCE, 99, APPLIED),
        (later, 1, APPLIED),
        (later, 6, NOT_OPEN),
    ):
        with a_database(two_logs).transaction() as uow:
            asked = request(placed(a_placement()), at=offset, source=source)
            assert BetWriter().decide(uow, [asked]) == [ruling]


def test_a_bet_says_which_version_it_found() -> None:
    def renamed(uow: UnitOfWork) -> None:
        second = an_event(type="rugby", version=2)
        uow.events.write([stored(second)])
        uow.event_versions.add([a_version(an_event(), at=0), a_version(second, at=12)])

    with a_database(renamed).transaction() as uow:
        decide(uow, placed(a_placement()), created(an_event()), placed(a_placement(id=OTHER_BET)))
        assert [bets(uow)[bet].event_version for bet in (BET, OTHER_BET)] == [1, 1]
        assert decide(uow, placed(a_placement(id=an_id(9))), at=13) == [APPLIED]
        assert uow.bets.among([an_id(9)])[an_id(9)].event_version == 2


def test_a_batch_builds_on_itself() -> None:
    bob, eve = a_placement(user_id="bob"), a_placement(user_id="eve")
    with a_database(a_story).transaction() as uow:
        assert decide(
            uow,
            handed_over(bob),
            placed(a_placement()),
            placed(a_placement()),
            handed_over(bob),
            handed_over(eve),
            placed(a_placement()),
            placed(a_placement(market=Market.TEAM_2)),
            created(an_event()),
        ) == [
            RefusalReason.BET_NOT_FOUND,
            APPLIED,
            UNCHANGED,
            APPLIED,
            APPLIED,
            UNCHANGED,
            REUSED,
            UNCHANGED,
        ]
        assert bets(uow) == {BET: a_bet(at=11, user_id="eve")}


def test_a_bet_that_stands_gets_its_new_user() -> None:
    def with_bets(uow: UnitOfWork) -> None:
        uow.bets.add([a_bet(), a_bet(id=OTHER_BET)])

    bob = a_placement(user_id="bob")
    with a_database(a_story, with_bets).transaction() as uow:
        assert decide(uow, handed_over(bob), handed_over(a_placement())) == [APPLIED, APPLIED]
        assert decide(uow, handed_over(bob), at=21) == [NOT_OPEN]
        assert decide(uow, handed_over(bob), handed_over(bob), at=15) == [APPLIED, UNCHANGED]
        assert bets(uow) == {BET: a_bet(user_id="bob"), OTHER_BET: a_bet(id=OTHER_BET)}


def test_refused_once_is_refused_for_good() -> None:
    with a_database(a_story).transaction() as uow:
        other_event = placed(a_placement(event_id=OTHER_EVENT))
        open_one = placed(a_placement())
        assert (
            decide(uow, other_event, open_one, handed_over(a_placement(user_id="bob")))
            == [RefusalReason.EVENT_NOT_FOUND] * 3
        )
        assert bets(uow) == {}


def test_what_earlier_batches_refused_stays_refused() -> None:
    def refuse(uow: UnitOfWork) -> None:
        refusal = Refusal(
            source=SOURCE,
            offset=3,
            message_id=MESSAGE,
            type="bet.placed",
            subject=BET,
            reason=NOT_OPEN,
        )
        uow.refusals.add([refusal])

    with a_database(a_story, refuse).transaction() as uow:
        assert decide(uow, placed(a_placement()), placed(a_placement(id=OTHER_BET))) == [
            NOT_OPEN,
            APPLIED,
        ]


def test_what_was_deleted_stays_deleted() -> None:
    gone = an_event(id=OTHER_EVENT)
    database = a_database(
        a_story, lambda uow: uow.deletions.add(BET), lambda uow: uow.deletions.add(OTHER_EVENT)
    )
    with database.transaction() as uow:
        assert decide(
            uow,
            placed(a_placement()),
            handed_over(a_placement(user_id="bob")),
            placed(a_placement(id=OTHER_BET, event_id=gone.id)),
        ) == [
            RefusalReason.BET_DELETED,
            RefusalReason.BET_DELETED,
            RefusalReason.EVENT_DELETED,
        ]


@pytest.mark.parametrize("message", [placed(a_placement()), handed_over(a_placement())])
def test_it_reads_nothing_before_the_events_are_locked(message: BetPlaced | BetUpdated) -> None:
    with a_database(a_story).transaction() as uow:
        spy = Spy(uow)
        decide(cast("UnitOfWork", spy), message)
        assert spy.calls[0] == "events.lock"


@pytest.mark.parametrize("how", EventLock)
def test_the_event_is_not_deleted_meanwhile(how: EventLock) -> None:
    database = a_database(a_story)
    with database.transaction() as uow, database.transaction() as other:
        decide(uow, placed(a_placement()), at=99)
        if how is EventLock.DELETE:
            with pytest.raises(MustWait):
                other.events.lock([EVENT], how)
        else:
            other.events.lock([EVENT], how)


def test_what_changes_nothing_writes_nothing() -> None:
    with a_database(a_story).transaction() as uow:
        spy = Spy(uow)
        decide(cast("UnitOfWork", spy), placed(a_placement()), created(an_event()), at=99)
        decide(cast("UnitOfWork", spy), created(an_event()))
        assert not {"bets.add", "bets.change_users", "bets.write_states"} & set(spy.calls)
