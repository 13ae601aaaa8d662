"""Messages on the wire: exactly the contract's shape, and back again."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given

from adapters.cloudevents import CloudEventsCodec
from domain.bets import BetColumns, BetState, Market, Placement
from domain.events import Event, EventState
from domain.log import BETS_STATE, EVENTS_TAXONOMY, LogPartition, NewRecord, Record
from domain.messages import (
    BetPlaced,
    BetsStateChanged,
    BetUpdated,
    EventCreated,
    EventUpdated,
    Message,
    TaxonomyMessage,
    event_of,
)
from tests.samples import LOG, an_event, created, messages, placements, score, updated

CODEC = CloudEventsCodec()
EVENT = UUID("0199aaaa-0000-7000-8000-000000000001")
BET = UUID("0199aaaa-0000-7000-8000-000000000002")
MESSAGE = UUID("0199aaaa-0000-7000-8000-000000000003")
SLICE = UUID("0199aaaa-0000-5000-8000-000000000004")
TIME = datetime(2022, 12, 18, 15, 0, 0, tzinfo=UTC)


def read_back(record: NewRecord) -> Message:
    source = LogPartition(record.topic, 0, LOG)
    return CODEC.decode(Record(source, 7, record.key, record.value, record.headers))


# One golden example for each type: what clients are written against

MATCH = Event(
    id=EVENT,
    type="football",
    team_1="Malmö FF",
    team_2='"X" \U0001f600',
    event_date=TIME,
    score=score("2-1"),
    state=EventState.ACTIVE,
    version=4,
)
WAGER = Placement(id=BET, date_created=TIME, user_id="ann", event_id=EVENT, market=Market.TEAM_1)
CREATION = Event(id=EVENT, type="football", team_1="Ajax", team_2="PSV", event_date=TIME, version=1)
GOLDEN: dict[str, tuple[Message, str, str, str]] = {
    "event.created": (
        EventCreated(id=MESSAGE, time=TIME, event=CREATION),
        EVENTS_TAXONOMY,
        "0199aaaa-0000-7000-8000-000000000001",
        (
            '{"specversion":"1.0","id":"0199aaaa-0000-7000-8000-000000000003",'
            '"source":"/touchline/events-api","type":"event.created",'
            '"subject":"0199aaaa-0000-7000-8000-000000000001","time":"2022-12-18T15:00:00Z",'
            '"data":{"id":"0199aaaa-0000-7000-8000-000000000001","type":"football","team_1":"Ajax",'
            '"team_2":"PSV","event_date":"2022-12-18T15:00:00Z","score":"0-0","state":"created",'
            '"version":1}}'
        ),
    ),
    "event.updated": (
        EventUpdated(id=MESSAGE, time=TIME, event=MATCH),
        EVENTS_TAXONOMY,
        "0199aaaa-0000-7000-8000-000000000001",
        (
            '{"specversion":"1.0","id":"0199aaaa-0000-7000-8000-000000000003",'
            '"source":"/touchline/events-api","type":"event.updated",'
            '"subject":"0199aaaa-0000-7000-8000-000000000001","time":"2022-12-18T15:00:00Z",'
            '"data":{"id":"0199aaaa-0000-7000-8000-000000000001","type":"football",'
            '"team_1":"Malmö FF","team_2":"\\"X\\" \U0001f600","event_date":"2022-12-18T15:00:00Z",'
            '"score":"2-1","state":"active","version":4}}'
        ),
    ),
    "bet.placed": (
        BetPlaced(id=MESSAGE, time=TIME, placement=WAGER),
        EVENTS_TAXONOMY,
        "0199aaaa-0000-7000-8000-000000000001",
        (
            '{"specversion":"1.0","id":"0199aaaa-0000-7000-8000-000000000003",'
            '"source":"/touchline/bets-api","type":"bet.placed",'
            '"subject":"0199aaaa-0000-7000-8000-000000000002","time":"2022-12-18T15:00:00Z",'
            '"data":{"id":"0199aaaa-0000-7000-8000-000000000002",'
            '"date_created":"2022-12-18T15:00:00Z","userId":"ann",'
            '"eventId":"0199aaaa-0000-7000-8000-000000000001","market":"team_1"}}'
        ),
    ),
    "bet.updated": (
        BetUpdated(id=MESSAGE, time=TIME, placement=WAGER),
        EVENTS_TAXONOMY,
        "0199aaaa-0000-7000-8000-000000000001",
        (
            '{"specversion":"1.0","id":"0199aaaa-0000-7000-8000-000000000003",'
            '"source":"/touchline/bets-api","type":"bet.updated",'
            '"subject":"0199aaaa-0000-7000-8000-000000000002","time":"2022-12-18T15:00:00Z",'
            '"data":{"id":"0199aaaa-0000-7000-8000-000000000002",'
            '"date_created":"2022-12-18T15:00:00Z","userId":"ann",'
            '"eventId":"0199aaaa-0000-7000-8000-000000000001","market":"team_1"}}'
        ),
    ),
    "bets.state_changed": (
        BetsStateChanged(
            id=SLICE,
            time=TIME,
            event_id=EVENT,
            event_version=4,
            market=Market.DRAW,
            state=BetState.LOSING,
            number=12,
            bets=BetColumns.of([(BET, "ann"), (MESSAGE, "bob")]),
        ),
        BETS_STATE,
        "0199aaaa-0000-7000-8000-000000000001:draw:12",
        (
            '{"specversion":"1.0","id":"0199aaaa-0000-5000-8000-000000000004",'
            '"source":"/touchline/bet-scorer","type":"bets.state_changed",'
            '"subject":"0199aaaa-0000-7000-8000-000000000001","time":"2022-12-18T15:00:00Z",'
            '"data":{"eventId":"0199aaaa-0000-7000-8000-000000000001","event_version":4,'
            '"market":"draw","state":"losing","bets":['
            '{"id":"0199aaaa-0000-7000-8000-000000000002","userId":"ann"},'
            '{"id":"0199aaaa-0000-7000-8000-000000000003","userId":"bob"}]}}'
        ),
    ),
}


@pytest.mark.parametrize(("message", "topic", "key", "body"), GOLDEN.values(), ids=GOLDEN)
def test_a_message_is_spelt_as_in_the_contract(
    message: Message, topic: str, key: str, body: str
) -> None:
    assert CODEC.encode(message) == NewRecord(
        topic, key.encode(), body.encode(), (("content-type", b"application/cloudevents+json"),)
    )


@pytest.mark.parametrize(("message", "topic", "key", "body"), GOLDEN.values(), ids=GOLDEN)
def test_the_contracts_spelling_is_read(message: Message, topic: str, key: str, body: str) -> None:
    # The header is sent, but not required.
    assert read_back(NewRecord(topic, key.encode(), body.encode())) == message
    pretty = json.dumps(json.loads(body), indent=2, sort_keys=True)
    assert read_back(NewRecord(topic, key.encode(), pretty.encode())) == message


@given(messages)
def test_every_message_comes_back(message: Message) -> None:
    assert read_back(CODEC.encode(message)) == message


@given(messages)
def test_equal_messages_are_equal_bytes(message: Message) -> None:
    record = CODEC.encode(message)
    assert CODEC.encode(read_back(record)) == record
    assert record.value is not None
    assert b"\0" not in record.value


@given(placements)
def test_everything_of_an_event_has_its_key(placement: Placement) -> None:
    event = an_event(id=placement.event_id)
    told: list[TaxonomyMessage] = [
        created(event),
        updated(event),
        BetPlaced(id=MESSAGE, time=TIME, placement=placement),
        BetUpdated(id=MESSAGE, time=TIME, placement=placement),
    ]
    for message in told:
        record = CODEC.encode(message)
        assert (record.topic, record.key) == (EVENTS_TAXONOMY, str(event_of(message)).encode())


# What may be spelt otherwise


def decoded(kind: str, change: dict[str, Any], data: dict[str, Any] | None = None) -> Message:
    """The golden example of a type with other members."""
    _, topic, key, text = GOLDEN[kind]
    body = json.loads(text) | change
    body["data"] |= data or {}
    return read_back(NewRecord(topic, key.encode(), json.dumps(body).encode()))


@pytest.mark.parametrize("kind", GOLDEN)
def test_extra_members_are_tolerated(kind: str) -> None:
    more = {"traceparent": "00-1", "datacontenttype": "application/json"}
    assert decoded(kind, more, {"odds": [1, None, {}], "": 10**400}) == GOLDEN[kind][0]


@pytest.mark.parametrize("kind", GOLDEN)
def test_another_source_is_tolerated(kind: str) -> None:
    assert decoded(kind, {"source": "/somebody/else"}) == GOLDEN[kind][0]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2022-12-18T15:00:00Z", TIME),
        ("2022-12-18t15:00:00z", TIME),
        ("2022-12-18T15:00:00+00:00", TIME),
        ("2022-12-18T15:00:00-00:00", TIME),
        ("2022-12-18T18:00:00+03:00", TIME),
        ("2022-12-17T15:01:00-23:59", TIME),
        ("2022-12-18T15:00:00.5Z", TIME + timedelta(milliseconds=500)),
        ("2022-12-18T15:00:00.123456Z", TIME + timedelta(microseconds=123456)),
        ("2022-12-18T15:00:00.123456789Z", TIME + timedelta(microseconds=123456)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_times_are_rfc_3339(text: str, time: datetime) -> None:
    message = decoded("event.created", {"time": text}, {"event_date": text})
    assert isinstance(message, EventCreated)
    assert (message.time, message.event.event_date) == (time, time)
    assert message.time.utcoffset() == timedelta(0)


def test_times_are_told_in_utc() -> None:
    elsewhere = TIME.astimezone(timezone(timedelta(hours=-5, minutes=-30)))
    record = CODEC.encode(EventCreated(id=MESSAGE, time=elsewhere, event=CREATION))
    assert record.value == GOLDEN["event.created"][3].encode()


def test_ids_may_be_in_capitals() -> None:
    message = decoded("event.created", {"subject": str(EVENT).upper(), "id": str(MESSAGE).upper()})
    assert message == GOLDEN["event.created"][0]


@pytest.mark.parametrize("number", [0, 1, 10, 999_999_999])
def test_slices_are_numbered(number: int) -> None:
    _, topic, key, body = GOLDEN["bets.state_changed"]
    message = read_back(NewRecord(topic, key[:-2].encode() + b"%d" % number, body.encode()))
    assert isinstance(message, BetsStateChanged)
    assert message.number == number
    assert message.key == key[:-2] + str(number)


# What caused a slice lies in a header, for who follows it through the logs


def with_cause(value: bytes) -> BetsStateChanged:
    """The slice of a record whose header says this, spelt in our way or in another."""
    message, topic, key, body = GOLDEN["bets.state_changed"]
    found = []
    for spelling in (body, json.dumps(json.loads(body), indent=2)):
        headers = (("other", b"x"), ("touchline-cause", value))
        found.append(read_back(NewRecord(topic, key.encode(), spelling.encode(), headers)))
    assert found == [message, message], "whatever the header is, the message is what it was"
    assert isinstance(found[0], BetsStateChanged)
    assert isinstance(found[1], BetsStateChanged)
    assert found[0].cause == found[1].cause
    return found[0]


def test_a_slice_names_its_cause_beside_the_message() -> None:
    message, _, _, body = GOLDEN["bets.state_changed"]
    assert isinstance(message, BetsStateChanged)
    record = CODEC.encode(replace(message, cause=MESSAGE))
    assert record.value == body.encode()
    assert record.headers[1:] == (("touchline-cause", str(MESSAGE).encode()),)
    again = read_back(record)
    assert isinstance(again, BetsStateChanged)
    assert again.cause == MESSAGE
    assert with_cause(str(MESSAGE).encode()).cause == MESSAGE


@pytest.mark.parametrize("value", [b"", b"goal", b"\xff\xfe", b"0199aaaa"])
def test_a_header_that_nobody_can_read_is_no_cause_and_no_harm(value: bytes) -> None:
    assert with_cause(value).cause is None
