"""The log lines by which one request is followed: who says what of it, and how much at most."""

import logging
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from adapters.http.story import tell_published, tell_streams
from adapters.telemetry.story import MOST_LINES, tell
from domain.log import BETS_STATE, EVENTS_TAXONOMY, Placed
from domain.messages import BetPlaced, BetUpdated
from domain.observing import Told
from domain.records import ConsumerName, RefusalReason
from domain.rulings import Fate, Request
from tests.samples import (
    BET,
    EVENT,
    MESSAGE,
    OTHER_EVENT,
    STATES_SOURCE,
    a_placement,
    a_slice,
    a_version,
    active,
    an_event,
    an_id,
    created,
    handed_over,
    placed,
    request,
    updated,
)

EVENT_WRITER, BET_WRITER, BET_SCORER = ConsumerName
GOAL = {"request_id": str(MESSAGE), "event_id": str(EVENT), "event_version": 2}
Lines = list[MutableMapping[str, Any]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    with capture_logs() as found:
        yield found


@pytest.fixture(autouse=True)
def level() -> Iterator[logging.Logger]:
    log = logging.getLogger("story")
    before = log.level
    log.setLevel(logging.INFO)
    yield log
    log.setLevel(before)


def place(offset: int, topic: str = EVENTS_TAXONOMY) -> dict[str, Any]:
    return {"topic": topic, "partition": 0, "offset": offset}


def goal(at: int = 7) -> Request:
    return request(updated(active("1-0", version=2)), at=at)


def test_the_event_writer_says_how_it_ruled(lines: Lines) -> None:
    requests = [goal(7), goal(8), goal(9)]
    tell(EVENT_WRITER, requests, [Fate.APPLIED, Fate.UNCHANGED, RefusalReason.EVENT_CONFLICT], [])
    assert lines == [
        {"event": "accepted", "log_level": "info", **GOAL, **place(7)},
        {"event": "unchanged", "log_level": "info", **GOAL, **place(8)},
        {"event": "refused", "log_level": "info", **GOAL, **place(9), "reason": "event-conflict"},
    ]


def test_the_bet_scorer_says_what_each_version_moved(lines: Lines) -> None:
    other = request(updated(active("0-1", id=OTHER_EVENT), message_id=an_id(9)), at=8)
    told = [Told(EVENT, 1000, Placed(BETS_STATE, 0, 4)), Told(EVENT, 5, Placed(BETS_STATE, 2, 1))]
    tell(BET_SCORER, [goal(7), other, goal(9)], [Fate.APPLIED, Fate.APPLIED, Fate.UNCHANGED], told)
    assert [(line["offset"], line["slices"], line["bets"]) for line in lines] == [
        (7, 2, 1005),
        (8, 0, 0),
    ]
    assert lines[0].items() >= ({"event": "scored"} | GOAL | place(7)).items()


def test_the_bet_writer_names_the_cause_of_what_it_wrote(lines: Lines) -> None:
    version = a_version(active("1-0", version=2), at=7)
    one = a_slice([an_id(1), an_id(2)], version=version, number=0)
    two = a_slice([an_id(3)], version=version, number=1)
    requests = [request(each, at=at, source=STATES_SOURCE) for at, each in enumerate((one, two))]
    tell(BET_WRITER, requests, [Fate.APPLIED] * 2, [])
    (line,) = lines
    written = {"event": "written", "log_level": "info", "slices": 2, "bets": 3}
    assert line == GOAL | written | place(1, BETS_STATE) | {"request_id": str(version.message_id)}


def test_a_slice_that_is_refused_or_of_an_unknown_cause(lines: Lines) -> None:
    version = a_version(active("1-0", version=2), at=7)
    piece = request(replace(a_slice(version=version), cause=None), source=STATES_SOURCE)
    tell(BET_WRITER, [piece], [RefusalReason.STATE_NOT_OF_VERSION], [])
    assert [(line["event"], line["request_id"]) for line in lines] == [("refused", None)]


def test_bets_are_told_only_to_who_wants_to_know_all(lines: Lines, level: logging.Logger) -> None:
    bets: Sequence[BetPlaced | BetUpdated] = [placed(a_placement()), handed_over(a_placement())]
    requests = [request(each, at=at) for at, each in enumerate(bets)]
    tell(BET_WRITER, requests, [Fate.APPLIED, RefusalReason.EVENT_NOT_OPEN], [])
    tell_published(bets[0], Placed(EVENTS_TAXONOMY, 0, 3))
    assert lines == []
    level.setLevel(logging.DEBUG)
    tell(BET_WRITER, requests, [Fate.APPLIED, RefusalReason.EVENT_NOT_OPEN], [])
    tell_published(bets[0], Placed(EVENTS_TAXONOMY, 0, 3))
    assert [line["event"] for line in lines] == ["accepted", "refused", "published"]
    about = {"request_id": str(MESSAGE), "event_id": str(EVENT), "bet_id": str(BET)}
    assert all(line.items() >= about.items() for line in lines)
    assert {line["log_level"] for line in lines} == {"debug"}


@pytest.mark.parametrize(("name", "word"), [(EVENT_WRITER, "accepted"), (BET_SCORER, "scored")])
def test_of_many_only_some_are_told(lines: Lines, name: ConsumerName, word: str) -> None:
    requests = [goal(at) for at in range(MOST_LINES + 5)]
    tell(name, requests, [Fate.APPLIED] * len(requests), [])
    assert [line["event"] for line in lines] == [word] * MOST_LINES + ["and more"]
    assert lines[-1]["lines"] == 5


def test_exactly_as_many_as_may_be_told(lines: Lines) -> None:
    requests = [goal(at) for at in range(MOST_LINES)]
    tell(EVENT_WRITER, requests, [Fate.APPLIED] * MOST_LINES, [])
    assert {line["event"] for line in lines} == {"accepted"}


def test_of_many_slices_only_some_are_told(lines: Lines) -> None:
    versions = [a_version(active(id=an_id(n)), at=n) for n in range(1, MOST_LINES + 3)]
    requests = [request(a_slice(version=each), source=STATES_SOURCE) for each in versions]
    tell(BET_WRITER, requests, [Fate.APPLIED] * len(requests), [])
    assert (len(lines), lines[-1]["lines"]) == (MOST_LINES + 1, 2)


def test_nothing_is_told_where_nobody_listens(lines: Lines, level: logging.Logger) -> None:
    level.setLevel(logging.WARNING)
    tell(EVENT_WRITER, [goal()], [Fate.APPLIED], [])
    tell_published(updated(active("1-0", version=2)), Placed(EVENTS_TAXONOMY, 0, 7))
    tell_streams([(None, [a_version(active(), at=7)])])
    assert lines == []


def test_the_server_says_where_it_published(lines: Lines) -> None:
    tell_published(updated(active("1-0", version=2)), Placed(EVENTS_TAXONOMY, 0, 7))
    tell_published(created(an_event(id=OTHER_EVENT)), Placed(EVENTS_TAXONOMY, 1, 8))
    assert lines[0] == {
        "event": "published",
        "log_level": "info",
        "type": "event.updated",
        **GOAL,
        **place(7),
    }
    assert (lines[1]["type"], lines[1]["partition"]) == ("event.created", 1)


def streams(lines: Lines) -> list[tuple[UUID, int]]:
    return [(UUID(line["event_id"]), line["streams"]) for line in lines if line["event"] == "told"]


def test_the_feed_says_how_many_streams_were_told(lines: Lines) -> None:
    one, other = a_version(active(), at=7), a_version(active(id=OTHER_EVENT), at=8)
    news: Sequence[Any] = [one, other]
    tell_streams([(None, news), (EVENT, news), (EVENT, news), (an_id(5), news), (None, [])])
    assert streams(lines) == [(EVENT, 3), (OTHER_EVENT, 1)]
    about = {"request_id": str(one.message_id), "event_version": 2, **place(7)}
    assert lines[0].items() >= about.items()


def test_the_feed_says_nothing_of_what_nobody_watches(lines: Lines) -> None:
    tell_streams([(OTHER_EVENT, [a_version(active(), at=7)])])
    assert lines == []


def test_the_feed_tells_only_some_of_many(lines: Lines) -> None:
    tell_streams([(None, [a_version(active(), at=at) for at in range(MOST_LINES + 2)])])
    assert len(lines) == MOST_LINES + 1
    assert lines[-1]["lines"] == 2
