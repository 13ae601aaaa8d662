"""Messages as CloudEvents 1.0 in structured JSON, exactly as docs/api spells them.

Whatever the bytes of a record are, `decode` gives a message or raises MalformedRecord.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NoReturn, TypeVar
from uuid import UUID

from adapters.canonical import ALL_KINDS, CAUSE, cause_in, read_canonical, spell_columns
from adapters.wire import event_data, format_time, parse_time, placement_data
from domain.bets import BetColumns, BetState, Market, Placement, check_user_id
from domain.errors import InvalidValue, MalformedRecord
from domain.events import Event, EventState
from domain.log import BETS_STATE, EVENTS_TAXONOMY, Headers, NewRecord, Record
from domain.messages import (
    MESSAGE_TYPES,
    SLICE_SIZE,
    BetPlaced,
    BetsStateChanged,
    BetUpdated,
    EventCreated,
    EventUpdated,
    Kinds,
    Message,
    Other,
    event_of,
    subject_of,
)
from domain.score import Score

CONTENT_TYPE = "application/cloudevents+json"
_HEADERS = (("content-type", CONTENT_TYPE.encode()),)
SOURCES: Mapping[type[Message], str] = {
    EventCreated: "/touchline/events-api",
    EventUpdated: "/touchline/events-api",
    BetPlaced: "/touchline/bets-api",
    BetUpdated: "/touchline/bets-api",
    BetsStateChanged: "/touchline/bet-scorer",
}
"""Who says what. Readers take any text: a message counts by what it says."""

Choice = TypeVar("Choice", bound=StrEnum)
LARGEST_NUMBER = 2**31 - 1
"""Of versions: what fits into PostgreSQL's integer."""

DEEPEST = 100
"""Levels of objects and lists. Far below what any stack takes: whether a record can be read must
not depend on how deep in its own calls the reader is."""

LONGEST_QUOTE = 40
"""Characters of a record that its reason repeats: a reason is read by people."""


class CloudEventsCodec:
    """Domain messages to records and back."""

    def encode(self, message: Message) -> NewRecord:
        body = {
            "specversion": "1.0",
            "id": str(message.id),
            "source": SOURCES[type(message)],
            "type": MESSAGE_TYPES[type(message)],
            "subject": str(subject_of(message)),
            "time": format_time(message.time),
            "data": _data(message),
        }
        if isinstance(message, BetsStateChanged):
            topic, key = BETS_STATE, message.key
        else:
            topic, key = EVENTS_TAXONOMY, str(event_of(message))
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        if isinstance(message, BetsStateChanged):
            text = text.removesuffix("]}}") + spell_columns(message.bets) + "]}}"
        return NewRecord(topic, key.encode(), text.encode(), _headers(message))

    def decode(self, record: Record) -> Message:
        found = read_canonical(record, ALL_KINDS)
        return self.decode_carefully(record) if isinstance(found, Other | None) else found

    def sift(self, record: Record, kinds: Kinds) -> Message | Other:
        found = read_canonical(record, kinds)
        if found is None:
            message = self.decode_carefully(record)
            found = message if type(message) in kinds else Other.OTHER
        return found

    def decode_carefully(self, record: Record) -> Message:
        """As `decode`, however the message is spelt."""
        try:
            return _message(record)
        except MalformedRecord:
            raise
        except InvalidValue as invalid:
            raise MalformedRecord(str(invalid)) from invalid
        except RecursionError as too_deep:
            raise MalformedRecord(_TOO_DEEP) from too_deep
        except ValueError as unreadable:
            raise MalformedRecord(f"not JSON in UTF-8: {unreadable}") from unreadable


def _headers(message: Message) -> Headers:
    if isinstance(message, BetsStateChanged) and message.cause is not None:
        return (*_HEADERS, (CAUSE, str(message.cause).encode()))
    return _HEADERS


def _data(message: Message) -> dict[str, object]:
    match message:
        case EventCreated(event=event) | EventUpdated(event=event):
            return event_data(event)
        case BetPlaced(placement=placement) | BetUpdated(placement=placement):
            return placement_data(placement)
        case BetsStateChanged():
            return {
                "eventId": str(message.event_id),
                "event_version": message.event_version,
                "market": message.market.value,
                "state": message.state.value,
                "bets": [],  # and then all of them at once
            }


# Reading


def _message(record: Record) -> Message:
    if record.value is None:
        raise MalformedRecord("the record has no value")
    if record.key is None:
        raise MalformedRecord("the record has no key")
    body = _Fields("", _parsed(record.value))
    if body.text("specversion") != "1.0":
        raise MalformedRecord('specversion: must be "1.0"')
    body.text("source")
    message = _of_type(record, body, record.key)
    if body.uuid("subject") != subject_of(message):
        raise MalformedRecord("subject: must be the id that data names")
    return message


def _of_type(record: Record, body: "_Fields", key: bytes) -> Message:
    topic = record.source.topic
    kind, data = body.text("type"), body.fields("data")
    message_id, time = body.uuid("id"), body.time("time")
    message: Message
    match topic, kind:
        case "events.taxonomy", "event.created":
            message = EventCreated(id=message_id, time=time, event=_event(data))
        case "events.taxonomy", "event.updated":
            message = EventUpdated(id=message_id, time=time, event=_event(data))
        case "events.taxonomy", "bet.placed":
            message = BetPlaced(id=message_id, time=time, placement=_placement(data))
        case "events.taxonomy", "bet.updated":
            message = BetUpdated(id=message_id, time=time, placement=_placement(data))
        case "bets.state", "bets.state_changed":
            return _bets_state_changed(message_id, time, data, key, cause_in(record.headers))
        case _:
            raise MalformedRecord(f"type: unknown on {topic}: {_quoted(kind)}")
    if key != str(event_of(message)).encode():
        raise MalformedRecord("the record's key is not its event's id")
    return message


_TOO_DEEP = f"nested deeper than {DEEPEST} levels"


def _parsed(value: bytes) -> object:
    body = json.loads(value.decode(), parse_constant=_not_json, object_pairs_hook=_members)
    # What has fewer openings than levels are allowed needs no closer look: nearly everything.
    if value.count(b"{") + value.count(b"[") > DEEPEST and _depth(body) > DEEPEST:
        raise MalformedRecord(_TOO_DEEP)
    return body


def _not_json(constant: str) -> NoReturn:
    raise MalformedRecord(f"not JSON: {constant}")


def _members(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """An object's members. Of two with one name some readers take the first, others the last: who
    says two things is not understood at all."""
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise MalformedRecord(f"{_quoted(twice)}: there is more than one in the same object")
    return members


def _depth(value: object) -> int:
    """Levels of objects and lists, counted without recursion."""
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return depth


def _quoted(text: str) -> str:
    """A piece of the record, fit to be shown: escaped where it must be, cut where it is long."""
    return repr(text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "…")


class _Fields:
    """A JSON object whose members are read by name and type; errors name the member."""

    __slots__ = ("_members", "_path")

    def __init__(self, path: str, members: object) -> None:
        if not isinstance(members, dict):
            raise MalformedRecord(f"{path or 'the message'}: must be an object")
        self._path = path
        self._members: Mapping[str, Any] = members

    def _name(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def _get(self, name: str, kind: type) -> Any:
        value = self._members.get(name)
        if type(value) is not kind:
            shown = "missing" if name not in self._members else f"must be {_KINDS[kind]}"
            raise MalformedRecord(f"{self._name(name)}: {shown}")
        return value

    def text(self, name: str) -> str:
        value: str = self._get(name, str)
        return value

    def number(self, name: str) -> int:
        value: int = self._get(name, int)
        if not 1 <= value <= LARGEST_NUMBER:
            raise MalformedRecord(f"{self._name(name)}: must be from 1 to {LARGEST_NUMBER}")
        return value

    def uuid(self, name: str) -> UUID:
        text = self.text(name)
        try:
            value = UUID(text)
        except ValueError as invalid:
            raise MalformedRecord(f"{self._name(name)}: must be a UUID") from invalid
        if str(value) != text.lower():
            raise MalformedRecord(f"{self._name(name)}: must be a UUID with hyphens")
        return value

    def time(self, name: str) -> datetime:
        return parse_time(self._name(name), self.text(name))

    def choice(self, name: str, choices: type[Choice]) -> Choice:
        text = self.text(name)
        try:
            return choices(text)
        except ValueError as unknown:
            allowed = ", ".join(choices)
            reason = f"{self._name(name)}: {_quoted(text)} is not one of {allowed}"
            raise MalformedRecord(reason) from unknown

    def fields(self, name: str) -> "_Fields":
        return _Fields(self._name(name), self._get(name, dict))

    def items(self, name: str) -> "list[_Fields]":
        value: list[object] = self._get(name, list)
        return [_Fields(f"{self._name(name)}[{i}]", item) for i, item in enumerate(value)]


_KINDS = {str: "text", int: "a whole number", dict: "an object", list: "a list"}


def _event(data: _Fields) -> Event:
    return Event(
        id=data.uuid("id"),
        type=data.text("type"),
        team_1=data.text("team_1"),
        team_2=data.text("team_2"),
        event_date=data.time("event_date"),
        score=Score.parse(data.text("score")),
        state=data.choice("state", EventState),
        version=data.number("version"),
    )


def _placement(data: _Fields) -> Placement:
    return Placement(
        id=data.uuid("id"),
        date_created=data.time("date_created"),
        user_id=data.text("userId"),
        event_id=data.uuid("eventId"),
        market=data.choice("market", Market),
    )


def _bets_state_changed(
    message_id: UUID, time: datetime, data: _Fields, key: bytes, cause: UUID | None
) -> BetsStateChanged:
    event_id, market = data.uuid("eventId"), data.choice("market", Market)
    prefix = f"{event_id}:{market}:".encode()
    number = key.removeprefix(prefix)
    if not key.startswith(prefix) or not re.fullmatch(rb"0|[1-9][0-9]{0,8}", number):
        raise MalformedRecord("the record's key is not EVENT:MARKET:N of its data")
    bets = [(bet.uuid("id"), check_user_id(bet.text("userId"))) for bet in data.items("bets")]
    if not 1 <= len(bets) <= SLICE_SIZE:
        raise MalformedRecord(f"data.bets: must be 1 to {SLICE_SIZE}")
    return BetsStateChanged(
        id=message_id,
        time=time,
        event_id=event_id,
        event_version=data.number("event_version"),
        market=market,
        state=data.choice("state", BetState),
        number=int(number),
        bets=_columns(bets),
        cause=cause,
    )


def _columns(bets: Sequence[tuple[UUID, str]]) -> BetColumns:
    try:
        return BetColumns.of(bets)
    except InvalidValue as invalid:
        raise MalformedRecord(f"data.{invalid}") from invalid
