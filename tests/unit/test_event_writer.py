"""What the Event Writer makes of each request, one by one and in batches."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from domain.event_writer import EventWriter, judge_event
from domain.events import Event
from domain.identity import origin_of
from domain.log import EVENTS_TAXONOMY
from domain.messages import EventCreated, EventUpdated, Message
from domain.ports import EventLock, UnitOfWork
from domain.records import ConsumerName, EventVersion, RefusalReason, StoredEvent
from domain.rulings import Fate, Lane, Ruling
from tests.samples import (
    EVENT,
    NOW,
    OTHER_EVENT,
    MustWait,
    Spy,
    a_database,
    a_version,
    active,
    an_event,
    an_id,
    created,
    finished,
    request,
    score,
    stored,
    updated,
)

APPLIED, UNCHANGED = Fate

# name: what is there, was it deleted, what is asked for, the ruling
CREATIONS: dict[str, tuple[StoredEvent | None, bool, Event, Ruling]] = {
    "new": (None, False, an_event(), APPLIED),
    "again": (stored(an_event()), False, an_event(), UNCHANGED),
    "again, under way": (stored(active("2-1")), False, an_event(), UNCHANGED),
    "again, renamed since": (
        stored(an_event(type="rugby", version=2), origin=origin_of(an_event())),
        False,
        an_event(),
        UNCHANGED,
    ),
    "another one": (
        stored(an_event()),
        False,
        an_event(type="rugby"),
        RefusalReason.IDEMPOTENCY_KEY_REUSED,
    ),
    "back to the first name": (
        stored(an_event(type="rugby", version=2), origin=origin_of(an_event())),
        False,
        an_event(type="rugby"),
        RefusalReason.IDEMPOTENCY_KEY_REUSED,
    ),
    "deleted": (None, True, an_event(), RefusalReason.EVENT_DELETED),
    "with a score": (None, False, an_event(score=score("1-0")), RefusalReason.NOT_A_NEW_EVENT),
    "version 2": (None, False, an_event(version=2), RefusalReason.NOT_A_NEW_EVENT),
    "under way": (None, False, active(version=1), RefusalReason.NOT_A_NEW_EVENT),
    "over": (None, False, finished(version=1), RefusalReason.NOT_A_NEW_EVENT),
    "deleted, version 2": (None, True, an_event(version=2), RefusalReason.EVENT_DELETED),
}

UPDATES: dict[str, tuple[Event | None, bool, Event, Ruling]] = {
    "kick-off": (an_event(), False, active(), APPLIED),
    "renamed": (an_event(), False, an_event(type="rugby", version=2), APPLIED),
    "a goal": (active("1-0"), False, active("2-0", version=3), APPLIED),
    "a goal taken back": (active("1-0"), False, active(version=3), APPLIED),
    "the end": (active(), False, finished(), APPLIED),
    "the end, with a goal": (active(), False, finished("1-0"), APPLIED),
    "again": (active(), False, active(), UNCHANGED),
    "same content, any version": (active(), False, active(version=9), UNCHANGED),
    "not there": (None, False, active(), RefusalReason.EVENT_NOT_FOUND),
    "deleted": (None, True, active(), RefusalReason.EVENT_DELETED),
    "same version": (active(), False, active("1-0"), RefusalReason.EVENT_CONFLICT),
    "one version ahead": (an_event(), False, active(version=3), RefusalReason.EVENT_CONFLICT),
    "one version behind": (
        finished(),
        False,
        active("1-0", version=2),
        RefusalReason.EVENT_CONFLICT,
    ),
    "a step left out": (
        an_event(),
        False,
        finished(version=2),
        RefusalReason.ILLEGAL_TRANSITION,
    ),
    "a step back": (active(), False, an_event(version=3), RefusalReason.ILLEGAL_TRANSITION),
    "renamed under way": (
        active(),
        False,
        active(type="rugby", version=3),
        RefusalReason.FIELD_FROZEN,
    ),
    "a goal after the end": (
        finished(),
        False,
        finished("1-0", version=4),
        RefusalReason.SCORE_NOT_ALLOWED,
    ),
    "kick-off with a goal": (an_event(), False, active("1-0"), RefusalReason.SCORE_NOT_ALLOWED),
}


@pytest.mark.parametrize(
    ("current", "deleted", "event", "ruling"), CREATIONS.values(), ids=CREATIONS
)
def test_creations(
    current: StoredEvent | None, deleted: bool, event: Event, ruling: Ruling
) -> None:
    found = judge_event(created(event), current, deleted=deleted)
    if ruling is APPLIED:
        assert found == StoredEvent(event=event, created_at=NOW, origin=origin_of(event))
    else:
        assert found is ruling


@pytest.mark.parametrize(("current", "deleted", "event", "ruling"), UPDATES.values(), ids=UPDATES)
def test_updates(current: Event | None, deleted: bool, event: Event, ruling: Ruling) -> None:
    # What was true at the creation stays, whatever changes.
    before = None
    if current is not None:
        before = stored(current, created_at=NOW - timedelta(days=1), origin=b"first")
    found = judge_event(updated(event), before, deleted=deleted)
    if ruling is APPLIED:
        assert before is not None
        assert found == replace(before, event=event)
    else:
        assert found is ruling


# In batches


def decide(uow: UnitOfWork, *messages: Message) -> list[Ruling]:
    """Judge messages that lie at offsets 10, 11, …"""
    requests = [request(message, at=10 + n) for n, message in enumerate(messages)]
    return EventWriter().decide(uow, requests)


def current(uow: UnitOfWork) -> Event:
    return uow.events.among([EVENT])[EVENT].event


def history(uow: UnitOfWork) -> Sequence[EventVersion]:
    return uow.event_versions.history(EVENT)


def test_it_waits_for_nobody_and_reads_only_the_story() -> None:
    writer = EventWriter()
    assert (writer.name, writer.behind) == (ConsumerName.EVENT_WRITER, None)
    assert list(writer.lanes) == [Lane(EVENTS_TAXONOMY, 5000)]
    assert not writer.publishes
    assert list(writer.outputs(a_database(), [])) == []


def test_a_batch_builds_on_itself() -> None:
    story: list[Message] = [
        created(an_event(), message_id=an_id(1)),
        updated(active(), message_id=an_id(2)),
        updated(active("1-0"), message_id=an_id(3)),
        updated(active("1-0", version=3), message_id=an_id(4)),
        updated(finished("1-0", version=4), message_id=an_id(5)),
        updated(active("2-0", version=5), message_id=an_id(6)),
    ]
    with a_database().transaction() as uow:
        assert decide(uow, *story) == [
            APPLIED,
            APPLIED,
            RefusalReason.EVENT_CONFLICT,
            APPLIED,
            APPLIED,
            RefusalReason.ILLEGAL_TRANSITION,
        ]
        assert current(uow) == finished("1-0", version=4)
        assert [(v.version, v.position.offset, v.message_id) for v in history(uow)] == [
            (1, 10, an_id(1)),
            (2, 11, an_id(2)),
            (3, 13, an_id(4)),
            (4, 14, an_id(5)),
        ]


def test_a_version_says_what_it_was_and_which_record_made_it() -> None:
    later = replace(updated(active()), time=NOW + timedelta(hours=1))
    with a_database().transaction() as uow:
        decide(uow, created(an_event()), later)
        assert history(uow) == [
            a_version(an_event(), at=10),
            replace(a_version(active(), at=11), at=later.time),
        ]


def test_a_batch_goes_on_from_the_table() -> None:
    database = a_database(
        lambda uow: uow.events.write([stored(active(), origin=b"first")]),
        lambda uow: uow.deletions.add(OTHER_EVENT),
    )
    with database.transaction() as uow:
        assert decide(
            uow,
            updated(active("0-1", version=3)),
            created(an_event(id=OTHER_EVENT)),
            updated(active(id=OTHER_EVENT)),
            updated(active(id=an_id(9))),
        ) == [
            APPLIED,
            RefusalReason.EVENT_DELETED,
            RefusalReason.EVENT_DELETED,
            RefusalReason.EVENT_NOT_FOUND,
        ]
        after = uow.events.among([EVENT, OTHER_EVENT, an_id(9)])
        assert after == {EVENT: stored(active("0-1", version=3), origin=b"first")}


def test_events_do_not_mix() -> None:
    other = an_event(id=OTHER_EVENT)
    with a_database().transaction() as uow:
        assert decide(
            uow,
            created(an_event()),
            created(other),
            updated(active()),
            updated(active("1-0", id=OTHER_EVENT)),
            updated(active(id=OTHER_EVENT)),
        ) == [APPLIED, APPLIED, APPLIED, RefusalReason.SCORE_NOT_ALLOWED, APPLIED]


def test_without_requests_nothing_is_asked() -> None:
    with a_database().transaction() as uow:
        spy = Spy(uow)
        assert decide(cast("UnitOfWork", spy)) == []
        assert spy.calls == []


def test_what_was_refused_or_changed_nothing_writes_nothing() -> None:
    database = a_database(lambda uow: uow.events.write([stored(active())]))
    with database.transaction() as uow:
        spy = Spy(uow)
        decide(cast("UnitOfWork", spy), created(an_event()), updated(active("1-0")))
        assert spy.calls == ["events.lock", "deletions.among"]


def test_it_reads_nothing_before_the_events_are_locked() -> None:
    with a_database().transaction() as uow:
        spy = Spy(uow)
        decide(cast("UnitOfWork", spy), created(an_event()))
        assert spy.calls[:2] == ["events.lock", "deletions.among"]
        assert spy.calls[2:] == ["events.write", "event_versions.add", "changes.tell"]


@pytest.mark.parametrize("how", EventLock)
def test_nobody_else_changes_or_deletes_the_event_meanwhile(how: EventLock) -> None:
    database = a_database(lambda uow: uow.events.write([stored(an_event())]))
    with database.transaction() as uow, database.transaction() as other:
        decide(uow, created(an_event()))
        if how is EventLock.REFERENCE:
            assert other.events.lock([EVENT], how)
        else:
            with pytest.raises(MustWait):
                other.events.lock([EVENT], how)


@pytest.mark.parametrize("message", [created(an_event()), updated(active())])
def test_records_of_both_kinds_hold_their_event(message: EventCreated | EventUpdated) -> None:
    database = a_database(lambda uow: uow.events.write([stored(an_event())]))
    with database.transaction() as uow, database.transaction() as other:
        decide(uow, message)
        with pytest.raises(MustWait):
            other.events.lock([EVENT], EventLock.CHANGE)


def test_a_goal_in_the_same_batch_as_kick_off_is_a_version_of_its_own() -> None:
    database = a_database(lambda uow: uow.events.write([stored(an_event())]))
    with database.transaction() as uow:
        decide(uow, updated(active()), updated(active("0-1", version=3)))
        assert [(v.version, v.score) for v in history(uow)] == [
            (2, score("0-0")),
            (3, score("0-1")),
        ]
