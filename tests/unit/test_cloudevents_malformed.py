"""What is no message: whatever the bytes are, MalformedRecord says why, and nothing else comes."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.errors import MalformedRecord
from domain.log import BETS_STATE, EVENTS_TAXONOMY
from domain.messages import SLICE_SIZE, Message
from tests.samples import (
    BET,
    EVENT,
    OTHER_BET,
    OTHER_EVENT,
    a_slice,
    a_version,
    active,
    an_id,
    messages,
)
from tests.unit.malformed import CODEC, SAMPLES, assert_storable, decode, why, why_with

# Not even an object


@pytest.mark.parametrize("topic", [EVENTS_TAXONOMY, BETS_STATE])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "the record has no value"),
        (b"", "not JSON in UTF-8: "),
        (b" ", "not JSON in UTF-8: "),
        (b"{", "not JSON in UTF-8: "),
        (b"{}}", "not JSON in UTF-8: "),
        (b"{'a': 1}", "not JSON in UTF-8: "),
        (b"\xff\xfe", "not JSON in UTF-8: "),
        (b'"\xed\xa0\x80"', "not JSON in UTF-8: "),
        (b'"\x00"', "not JSON in UTF-8: "),
        ("{}".encode("utf-16"), "not JSON in UTF-8: "),
        ("\ufeff{}".encode(), "not JSON in UTF-8: "),
        (b"[" * 100_000, "nested deeper than 100 levels"),
        (b'{"a":' * 100_000, "nested deeper than 100 levels"),
        (b"9" * 5000, "not JSON in UTF-8: "),
        (b"NaN", "not JSON: NaN"),
        (b'{"id": Infinity}', "not JSON: Infinity"),
        (b"[-Infinity]", "not JSON: -Infinity"),
        (b"null", "the message: must be an object"),
        (b"[]", "the message: must be an object"),
        (b'"text"', "the message: must be an object"),
        (b"1e999", "the message: must be an object"),
        (b"{}", "specversion: missing"),
    ],
    ids=lambda value: repr(value and value[:12]),
)
def test_no_object(value: bytes | None, reason: str, topic: str) -> None:
    assert why(value, topic=topic).startswith(reason)


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_record_needs_a_key(kind: str) -> None:
    record = CODEC.encode(SAMPLES[kind])
    assert why(record.value, key=None, topic=record.topic) == "the record has no key"


# What must fit together


@pytest.mark.parametrize("kind", SAMPLES)
def test_the_subject_is_what_data_names(kind: str) -> None:
    assert why_with(kind, "subject", str(an_id(9))) == "subject: must be the id that data names"


@pytest.mark.parametrize("kind", ["event.created", "event.updated", "bet.placed", "bet.updated"])
@pytest.mark.parametrize(
    "key",
    [b"", str(OTHER_EVENT).encode(), f"{EVENT} ".encode(), str(EVENT).upper().encode(), b"\xff"],
)
def test_the_key_is_the_events_id(kind: str, key: bytes) -> None:
    value = CODEC.encode(SAMPLES[kind]).value
    assert why(value, key=key) == "the record's key is not its event's id"


@pytest.mark.parametrize("kind", ["bet.placed", "bet.updated"])
def test_the_key_is_not_the_bets_id(kind: str) -> None:
    assert why(CODEC.encode(SAMPLES[kind]).value, key=str(BET).encode())


@pytest.mark.parametrize(
    "key",
    [
        "",
        f"{EVENT}",
        f"{EVENT}:draw",
        f"{EVENT}:draw:",
        f"{EVENT}:draw:x",
        f"{EVENT}:draw:-1",
        f"{EVENT}:draw:00",
        f"{EVENT}:draw:01",
        f"{EVENT}:draw:1 ",
        f"{EVENT}:draw:0\n",
        f"{EVENT}:draw:1000000000",
        f"{EVENT}:draw:\N{ARABIC-INDIC DIGIT ZERO}",
        f"{EVENT}:team_1:0",
        f"{OTHER_EVENT}:draw:0",
        f" {EVENT}:draw:0",
        "0",
    ],
)
def test_the_key_of_a_slice_is_event_market_and_number(key: str) -> None:
    value = CODEC.encode(SAMPLES["bets.state_changed"]).value
    assert (
        why(value, key=key.encode(), topic=BETS_STATE)
        == "the record's key is not EVENT:MARKET:N of its data"
    )


@pytest.mark.parametrize("bets", [[OTHER_BET, BET], [BET, BET], [an_id(1), an_id(3), an_id(2)]])
def test_bets_of_a_slice_rise(bets: list[Any]) -> None:
    told = [{"id": str(bet), "userId": "ann"} for bet in bets]
    assert (
        why_with("bets.state_changed", "data.bets", told)
        == "data.bets: must be in rising order of their ids"
    )


@pytest.mark.parametrize(("count", "fits"), [(SLICE_SIZE, True), (SLICE_SIZE + 1, False)])
def test_a_slice_has_a_largest_size(count: int, fits: bool) -> None:
    large = a_slice([an_id(n) for n in range(count)], version=a_version(active(), at=0))
    record = CODEC.encode(large)
    if fits:
        assert decode(record.value, key=record.key, topic=BETS_STATE) == large
    else:
        assert why(record.value, key=record.key, topic=BETS_STATE) == "data.bets: must be 1 to 1000"


@pytest.mark.parametrize(
    "name", ["", "event.deleted", "Event.created", "bet.placed ", "\0", "\ud800"]
)
@pytest.mark.parametrize("kind", SAMPLES)
def test_unknown_types(kind: str, name: str) -> None:
    assert why_with(kind, "type", name).startswith("type: unknown on ")


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_message_on_the_wrong_topic(kind: str) -> None:
    record = CODEC.encode(SAMPLES[kind])
    other = EVENTS_TAXONOMY if record.topic == BETS_STATE else BETS_STATE
    reason = why(record.value, key=record.key, topic=other)
    assert reason == f"type: unknown on {other}: {kind!r}"


# Anything at all

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
keys = st.none() | st.binary(max_size=9) | st.just(str(EVENT).encode())


def assert_read_or_malformed(value: bytes | None, key: bytes | None, topic: str) -> None:
    try:
        decode(value, key=key, topic=topic)
    except MalformedRecord as malformed:
        assert_storable(str(malformed))


@given(
    st.binary() | st.text().map(str.encode), keys, st.sampled_from([EVENTS_TAXONOMY, BETS_STATE])
)
@example(b"\xef\xbb\xbf{}", b"", EVENTS_TAXONOMY)
def test_any_bytes_are_a_message_or_malformed(value: bytes, key: bytes | None, topic: str) -> None:
    assert_read_or_malformed(value, key, topic)


@given(messages, st.data())
def test_any_member_may_be_anything(message: Message, data: st.DataObject) -> None:
    record = CODEC.encode(message)
    body = json.loads(record.value or b"")
    holder = data.draw(st.sampled_from([body, body["data"]]))
    holder[data.draw(st.sampled_from(sorted(holder)))] = data.draw(values)
    assert_read_or_malformed(json.dumps(body).encode(), record.key, record.topic)


@given(messages, st.data())
def test_any_part_of_a_message_is_a_message_or_malformed(
    message: Message, data: st.DataObject
) -> None:
    record = CODEC.encode(message)
    value = bytearray(record.value or b"")
    value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    assert_read_or_malformed(bytes(value), record.key, record.topic)
    cut = data.draw(st.integers(0, len(value) - 1))
    with pytest.raises(MalformedRecord):
        decode((record.value or b"")[:cut], key=record.key, topic=record.topic)
