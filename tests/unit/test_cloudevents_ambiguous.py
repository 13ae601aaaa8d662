"""Records that one reader could take otherwise than the next: all of them are refused by all."""

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.cloudevents import DEEPEST, LONGEST_QUOTE
from domain.errors import MalformedRecord
from domain.log import BETS_STATE, EVENTS_TAXONOMY, LogPartition, Record
from domain.messages import Message
from tests.samples import EVENT, LOG, messages
from tests.unit.malformed import CODEC, SAMPLES, assert_storable, decode, why, why_with

# The same member twice


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("again", ["type", "data", "id", "subject"])
def test_a_member_said_twice(kind: str, again: str) -> None:
    record = CODEC.encode(SAMPLES[kind])
    body = json.loads(record.value or b"")
    first = f'{{"{again}":{json.dumps(body[again])},'.encode()
    value = (record.value or b"").replace(b"{", first, 1)
    reason = why(value, key=record.key, topic=record.topic)
    assert reason == f"{again!r}: there is more than one in the same object"


def test_a_member_of_data_said_twice_even_if_nobody_needs_it() -> None:
    record = CODEC.encode(SAMPLES["bet.placed"])
    value = (record.value or b"").replace(b'"data":{', b'"data":{"odds":1,"odds":[],')
    assert why(value, key=record.key) == "'odds': there is more than one in the same object"


def test_one_name_in_two_objects_is_no_repetition() -> None:
    record = CODEC.encode(SAMPLES["bet.placed"])
    value = (record.value or b"").replace(b'"data":{', b'"data":{"pad":[{"a":1},{"a":{"a":2}}],')
    assert decode(value, key=record.key) == SAMPLES["bet.placed"]


def test_a_name_is_the_same_however_it_is_escaped() -> None:
    record = CODEC.encode(SAMPLES["bet.placed"])
    value = (record.value or b"").replace(b'"type"', b'"\\u0074ype":"x","type"')
    assert why(value, key=record.key) == "'type': there is more than one in the same object"


# Depth: what can be read must not depend on how deep the reader itself is in its calls


def nested(levels: int, *, opening: str = "[", closing: str = "]") -> bytes:
    """A `bet.placed` of so many levels."""
    record = CODEC.encode(SAMPLES["bet.placed"])
    pad = (opening * (levels - 2) + closing * (levels - 2)).encode()
    return (record.value or b"").replace(b'"data":{', b'"data":{"pad":' + pad + b",")


def at_depth(calls: int, act: Callable[[], Any]) -> Any:
    """What `act` gives, so many calls further down."""
    return act() if calls == 0 else at_depth(calls - 1, act)


def read(value: bytes) -> Message | str:
    record = Record(LogPartition(EVENTS_TAXONOMY, 0, LOG), 7, str(EVENT).encode(), value)
    try:
        return CODEC.decode(record)
    except MalformedRecord as malformed:
        return str(malformed)


@pytest.mark.parametrize(
    ("levels", "is_read"), [(3, True), (DEEPEST, True), (DEEPEST + 1, False), (900, False)]
)
@pytest.mark.parametrize("calls", [0, sys.getrecursionlimit() - 400])
def test_every_reader_takes_the_same_depth(levels: int, is_read: bool, calls: int) -> None:
    found = at_depth(calls, lambda: read(nested(levels)))
    expected = SAMPLES["bet.placed"] if is_read else f"nested deeper than {DEEPEST} levels"
    assert found == expected


def test_depth_is_not_width() -> None:
    record = CODEC.encode(SAMPLES["bet.placed"])
    wide = b'"data":{"pad":[' + b",".join([b"[{}]"] * 5000) + b"],"
    value = (record.value or b"").replace(b'"data":{', wide)
    assert decode(value, key=record.key) == SAMPLES["bet.placed"]
    brackets = b'"data":{"pad":"' + b"[{" * 5000 + b'",'
    value = (record.value or b"").replace(b'"data":{', brackets)
    assert decode(value, key=record.key) == SAMPLES["bet.placed"]


def test_objects_are_levels_too() -> None:
    deep = nested(DEEPEST + 1, opening='{"a":[', closing="]}").replace(b"[]", b"[0]")
    assert read(deep) == f"nested deeper than {DEEPEST} levels"


# Reasons are for people, however long what they quote


@pytest.mark.parametrize(
    ("kind", "path"),
    [("event.created", "type"), ("bet.placed", "data.market"), ("event.updated", "data.state")],
)
@pytest.mark.parametrize("character", ["x", "\0", "\ud800", "\U0001f600", "\x1b[2J", "'\"\\"])
def test_a_reason_is_short(kind: str, path: str, character: str) -> None:
    reason = why_with(kind, path, character * 1_000_000)
    assert reason.startswith(f"{path}: ")
    assert len(reason) < 200 + 10 * LONGEST_QUOTE
    assert reason.isprintable()


# Anything at all, once more: whole JSON documents, and keys and headers of every kind


class _Pairs(list[tuple[str, Any]]):
    """An object that may say a name twice."""


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**30, max_value=10**60)
    | st.floats()
    | st.text(st.characters(), max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(st.tuples(st.text(st.characters(), max_size=3), inner), max_size=3).map(_Pairs)
    ),
    max_leaves=8,
)


def spelt(value: object) -> str:
    if isinstance(value, _Pairs):
        return "{" + ",".join(f"{json.dumps(name)}:{spelt(each)}" for name, each in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(spelt(each) for each in value) + "]"
    return json.dumps(value)


topics = st.sampled_from([EVENTS_TAXONOMY, BETS_STATE])
headers = st.lists(st.tuples(st.text(st.characters(), max_size=5), st.binary(max_size=5)))
names = ["specversion", "id", "source", "type", "subject", "time", "data"]


def assert_read_or_malformed(record: Record) -> None:
    try:
        message = CODEC.decode(record)
    except MalformedRecord as malformed:
        reason = str(malformed)
    else:
        # What was read is a message like any other: told again, it is the same.
        again = CODEC.encode(message)
        source = LogPartition(again.topic, 0, LOG)
        reason = "it is the same"
        assert again.topic == record.source.topic
        assert CODEC.decode(Record(source, 0, again.key, again.value)) == message
    assert_storable(reason)
    assert len(reason) < 1000


@given(json_values, topics, st.none() | st.binary(max_size=40), headers)
def test_any_json_is_a_message_or_malformed(
    value: object, topic: str, key: bytes | None, more: list[tuple[str, bytes]]
) -> None:
    record = Record(LogPartition(topic, 0, LOG), 7, key, spelt(value).encode(), tuple(more))
    assert_read_or_malformed(record)


@given(messages, st.data())
@example(SAMPLES["bet.placed"], None)
def test_any_member_anywhere_may_be_any_json(message: Message, data: Any) -> None:
    record = CODEC.encode(message)
    body = json.loads(record.value or b"")
    if data is not None:
        holder = data.draw(st.sampled_from([body, body["data"], *body["data"].get("bets", [])]))
        name = data.draw(st.sampled_from([*holder, *names]) | st.text(st.characters(), max_size=3))
        mark = "c0ffee-here"
        holder[name] = mark
        text = json.dumps(body).replace(json.dumps(mark), spelt(data.draw(json_values)))
        key = data.draw(st.just(record.key) | st.binary(max_size=80))
        source = LogPartition(data.draw(st.just(record.topic) | topics), 0, LOG)
        assert_read_or_malformed(Record(source, 7, key, text.encode()))


@given(messages, st.data())
def test_bytes_cut_copied_and_inserted_anywhere(message: Message, data: st.DataObject) -> None:
    record = CODEC.encode(message)
    value = record.value or b""
    places = st.integers(0, len(value))
    for _ in range(data.draw(st.integers(1, 3))):
        start, end = sorted((data.draw(places), data.draw(places)))
        piece = data.draw(st.just(value[start:end]) | st.binary(max_size=4))
        at = data.draw(places)
        value = value[:at] + piece + value[at + data.draw(st.integers(0, 4)) :]
    assert_read_or_malformed(Record(LogPartition(record.topic, 0, LOG), 7, record.key, value))


@given(messages, headers)
def test_headers_mean_nothing(message: Message, more: list[tuple[str, bytes]]) -> None:
    record = CODEC.encode(message)
    source = LogPartition(record.topic, 0, LOG)
    assert CODEC.decode(Record(source, 7, record.key, record.value, tuple(more))) == message
