"""The message schemas and the codec say the same of every record.

What a schema refuses, the codec refuses: so whatever counts in the topics is as the document says.
What the codec refuses beyond that is named here, for no JSON Schema can say it.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, ValidationError
from jsonschema.validators import extend

from docs.contracts import schemas
from domain.errors import MalformedRecord
from domain.log import BETS_STATE, EVENTS_TAXONOMY
from domain.messages import MESSAGE_TYPES, BetsStateChanged, Message
from tests.samples import BET, messages
from tests.unit.malformed import CODEC, SAMPLES, decode, holder_of

each_kind = pytest.mark.parametrize("kind", SAMPLES)

BEYOND = {
    "the record's key is not": "the key fits the data",
    "subject: must be the id that data names": "the subject fits the data",
    "team_2: must differ from team_1": "there are two teams",
    "data.bets: must be in rising order": "bets are in order",
    "must be an RFC 3339 time": "the day is in the calendar",
    "must lie in the years 1 to 9999 in UTC": "the moment is in its range",
    "must be a whole number": "JSON Schema takes 1.0 for a whole number",
    "must not hold control characters or lone surrogates": "half a character is no text",
}
"""What only the codec can tell, by its reason."""


def _pattern(
    validator: Any, pattern: str, instance: object, schema: object
) -> Iterator[ValidationError]:
    """As ECMA-262 has it: `$` is the end, and not before a last line break, too."""
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


Validator = extend(Draft7Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
VALIDATORS: Mapping[type[Message], Any] = {
    kind: Validator(schemas.payload(kind) | {"components": {"schemas": schemas.components()}})
    for kind in MESSAGE_TYPES
}


def is_valid(body: object, topic: str) -> bool:
    """Whether it is valid as one of the topic's messages."""
    of_topic = [k for k in MESSAGE_TYPES if (k is BetsStateChanged) is (topic == BETS_STATE)]
    return any(VALIDATORS[kind].is_valid(body) for kind in of_topic)


def reason(value: bytes, key: bytes, topic: str) -> str | None:
    """Why the codec refuses it, if it does."""
    try:
        decode(value, key=key, topic=topic)
    except MalformedRecord as malformed:
        return str(malformed)
    return None


def check(body: object, key: bytes, topic: str) -> None:
    """Fail unless schema and codec agree, but for what only the codec can tell."""
    why = reason(json.dumps(body).encode(), key, topic)
    if not is_valid(body, topic):
        assert why, f"the codec takes what the schema refuses: {body}"
    elif why:
        assert any(each in why for each in BEYOND), f"the schema takes what is refused: {why}"


# Every message that is written


@given(messages)
def test_what_is_written_is_valid(message: Message) -> None:
    record = CODEC.encode(message)
    VALIDATORS[type(message)].validate(json.loads(record.value or b""))
    Validator(schemas.key(type(message))).validate((record.key or b"").decode())
    Validator(schemas.headers(type(message))).validate({n: v.decode() for n, v in record.headers})


# Every member in many ways

ARABIC = "\N{ARABIC-INDIC DIGIT ONE}"
TEXTS = [
    *("", " ", "a", "ann", " a", "a ", "a\n", "a\0b", "a\x85b", "a\u2028", "\u3000a", "a\ud800b"),
    *("x" * length for length in (50, 51, 64, 65, 100, 101)),
    *("é" * 64, "\U0001f600" * 64, "\U0001f600" * 65, "1.0", "0.3"),
    *("team_1", "draw", "team_2", "Draw", "home", "created", "active", "finished", "none", "win"),
    *("0-0", "1-0", "999-0", "1000-0", "01-0", "1:0", "1-0\n", ARABIC + "-0", "-1-0"),
    *(str(BET), str(BET).upper(), str(BET)[:-1], str(BET).replace("-", ""), f"{{{BET}}}"),
    *(f"{BET}\n", f"urn:uuid:{BET}", str(BET)[:-1] + "g", str(BET)[:-1] + ARABIC),
    *("2022-12-18T15:00:00Z", "2022-12-18t15:00:00.123456789+23:59", "2022-12-18T15:00:00-00:00"),
    *("2022-12-18T15:00:00", "2022-12-18 15:00:00Z", "2022-12-18T15:00Z", "2022-12-18T24:00:00Z"),
    *("2022-12-18T23:59:60Z", "2022-12-18T15:00:00+24:00", "2022-12-18T15:00:00.Z", "2022-12-18"),
    *(
        "2022-02-29T15:00:00Z",
        "2022-13-18T15:00:00Z",
        "0000-01-01T00:00:00Z",
        f"{ARABIC}022-12-18T15:00:00Z",
    ),
    *MESSAGE_TYPES.values(),
]
OTHERS: list[object] = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        1.0,
        1.5,
        2,
        2**31 - 1,
        2**31,
        10**40,
        {},
        [],
        [1],
        [{}],
        {"a": 1},
    ),
    [{"id": str(BET), "userId": "ann"}],
    [{"id": str(BET), "userId": "ann", "odds": 2}] * 2,
    [{"id": f"{number:08x}{str(BET)[8:]}", "userId": "ann"} for number in range(1000)],
    [{"id": f"{number:08x}{str(BET)[8:]}", "userId": "ann"} for number in range(1001)],
]


def paths(body: object, path: str = "") -> Iterator[str]:
    """Of every member, however deep."""
    if isinstance(body, dict):
        for name, value in body.items():
            inner = f"{path}.{name}" if path else name
            yield inner
            yield from paths(value, inner)
    elif isinstance(body, list):
        for number, value in enumerate(body):
            yield from paths(value, f"{path}[{number}]")


def changed(kind: str, path: str, change: Callable[[dict[str, Any], str], object]) -> object:
    """The sample's body, after a change of the member at a path."""
    body = json.loads(CODEC.encode(SAMPLES[kind]).value or b"")
    change(*holder_of(body, path))
    return body


@pytest.mark.parametrize("kind", ["event.updated", "bet.placed", "bets.state_changed"])
def test_a_member_may_be_anything(kind: str) -> None:
    """In one message of each shape."""
    record = CODEC.encode(SAMPLES[kind])
    for path in paths(json.loads(record.value or b"")):
        for value in [*TEXTS, *OTHERS]:
            body = changed(kind, path, lambda holder, name, v=value: holder.update({name: v}))  # type: ignore[misc]
            check(body, record.key or b"", record.topic)


@each_kind
def test_a_member_may_be_missing(kind: str) -> None:
    record = CODEC.encode(SAMPLES[kind])
    for path in paths(json.loads(record.value or b"")):
        body = changed(kind, path, lambda holder, name: holder.pop(name))
        assert not is_valid(body, record.topic), path
        check(body, record.key or b"", record.topic)


@each_kind
def test_there_may_be_more_members(kind: str) -> None:
    record = CODEC.encode(SAMPLES[kind])
    for path in paths(json.loads(record.value or b"")):
        body = changed(kind, path, lambda holder, _: holder.update(odds=[1, None, {}]))
        assert is_valid(body, record.topic), path
        assert reason(json.dumps(body).encode(), record.key or b"", record.topic) is None


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(messages, st.data())
def test_any_message_with_anything_in_it(message: Message, data: st.DataObject) -> None:
    record = CODEC.encode(message)
    body = json.loads(record.value or b"")
    holder, name = holder_of(body, data.draw(st.sampled_from(sorted(paths(body)))))
    if data.draw(st.booleans()) and isinstance(holder[name], str):
        at = data.draw(st.integers(0, len(holder[name])))
        put = data.draw(st.text(st.characters(), max_size=2))
        cut = data.draw(st.integers(0, 2))
        holder[name] = holder[name][:at] + put + holder[name][at + cut :]
    else:
        holder[name] = data.draw(values)
    check(body, record.key or b"", record.topic)


# Keys


@given(messages, st.data())
def test_any_key(message: Message, data: st.DataObject) -> None:
    record = CODEC.encode(message)
    key = (record.key or b"").decode()
    at = data.draw(st.integers(0, len(key)))
    put = data.draw(st.text("0123456789abcdefABC:-_teamdrw\n ", max_size=2))
    key = key[:at] + put + key[at + data.draw(st.integers(0, 2)) :]
    if not Validator(schemas.key(type(message))).is_valid(key):
        assert reason(record.value or b"", key.encode(), record.topic)


# What only the codec can tell


@pytest.mark.parametrize(
    ("kind", "path", "value", "why"),
    [
        ("bet.placed", "data.eventId", str(BET), "the record's key is not"),
        ("bet.placed", "subject", str(BET)[:-1] + "f", "subject: must be the id that data names"),
        ("event.created", "data.team_2", "ARGENTINA", "team_2: must differ from team_1"),
        ("event.created", "time", "2022-02-29T15:00:00Z", "must be an RFC 3339 time"),
        (
            "event.created",
            "time",
            "0001-01-01T00:00:00+00:01",
            "must lie in the years 1 to 9999 in UTC",
        ),
        ("event.created", "data.version", 1.0, "must be a whole number"),
        (
            "bet.placed",
            "data.userId",
            "a\ud800b",
            "must not hold control characters or lone surrogates",
        ),
        (
            "bets.state_changed",
            "data.bets",
            [{"id": str(BET), "userId": "ann"}] * 2,
            "data.bets: must be in rising order",
        ),
    ],
)
def test_what_no_schema_can_say(kind: str, path: str, value: object, why: str) -> None:
    record = CODEC.encode(SAMPLES[kind])
    body = changed(kind, path, lambda holder, name: holder.update({name: value}))
    assert is_valid(body, record.topic)
    assert why in (reason(json.dumps(body).encode(), record.key or b"", record.topic) or "")
    assert why in BEYOND


def test_all_of_it_is_named() -> None:
    """Each entry of `BEYOND` has its case above."""
    (cases,) = test_what_no_schema_can_say.pytestmark  # type: ignore[attr-defined]
    assert {why for *_, why in cases.args[1]} == BEYOND.keys()


def test_topics_have_their_own_messages() -> None:
    for kind, message in SAMPLES.items():
        record = CODEC.encode(message)
        body = json.loads(record.value or b"")
        other = EVENTS_TAXONOMY if record.topic == BETS_STATE else BETS_STATE
        assert is_valid(body, record.topic), kind
        assert not is_valid(body, other), kind
