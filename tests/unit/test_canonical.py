"""What is read in one go is what would be read carefully, and nearly everything is read so."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.canonical import ALL_KINDS
from adapters.canonical import read_canonical as read
from domain.errors import MalformedRecord
from domain.log import EVENTS_TAXONOMY, LogPartition, NewRecord, Record
from domain.messages import BetPlaced, BetsStateChanged, Message, Other
from tests.samples import LOG, messages
from tests.unit.malformed import CODEC, SAMPLES


def read_canonical(record: Record) -> Message | Other | None:
    return read(record, ALL_KINDS)


def record_of(new: NewRecord, *, value: bytes | None = None, key: bytes | None = None) -> Record:
    source = LogPartition(new.topic, 0, LOG)
    return Record(source, 7, key or new.key, new.value if value is None else value)


def carefully(record: Record) -> Message | None:
    try:
        return CODEC.decode_carefully(record)
    except MalformedRecord:
        return None


@pytest.mark.parametrize("kind", SAMPLES)
def test_our_own_spelling_is_read_in_one_go(kind: str) -> None:
    assert read_canonical(record_of(CODEC.encode(SAMPLES[kind]))) == SAMPLES[kind]


@given(messages)
def test_whatever_is_read_so_is_what_was_written(message: Message) -> None:
    record = CODEC.encode(message)
    found = read_canonical(record_of(record))
    # What JSON escapes is read carefully.
    assert found == message or (found is None and b"\\" in (record.value or b""))


PIECES = st.sampled_from(
    [
        *("", " ", '"', "\\", "{", "}", "[", "]", ",", ":", "0", "9", "-", "Z", "A", "null"),
        *("\u00a0", "\u2028", "\x7f", "\u0085", "\n", "\\u0041", "\u0663"),
        *("T24", "13-", "-31", "a" * 70, '"x":1,'),
    ]
)
"""What looks harmless, and what is."""


@given(messages, PIECES, st.integers(0, 2000), st.integers(0, 40))
@example(SAMPLES["bet.placed"], "", 0, 0)
def test_a_change_anywhere(message: Message, piece: str, at: int, length: int) -> None:
    """It may be read in one go or not; but never as another message, nor when it is none."""
    new = CODEC.encode(message)
    text = (new.value or b"").decode()
    at %= len(text)
    changed = record_of(new, value=(text[:at] + piece + text[at + length :]).encode())
    found = read_canonical(changed)
    assert found is None or found == carefully(changed)


@given(messages, messages)
def test_under_another_key(message: Message, other: Message) -> None:
    found = record_of(CODEC.encode(message), key=CODEC.encode(other).key)
    if found.key == CODEC.encode(message).key:
        assert read_canonical(found) in (message, None)
    else:
        assert read_canonical(found) is None


@pytest.mark.parametrize("kind", SAMPLES)
def test_without_key_or_value(kind: str) -> None:
    whole = record_of(CODEC.encode(SAMPLES[kind]))
    assert read_canonical(whole._replace(key=None)) is None
    assert read_canonical(whole._replace(value=None)) is None


@pytest.mark.parametrize(
    "number", [b"", b"00", b"-1", b"1 ", b"x", b"1000000000", "\u0663".encode()]
)
def test_a_slice_of_no_number(number: bytes) -> None:
    new = CODEC.encode(SAMPLES["bets.state_changed"])
    key = (new.key or b"").rpartition(b":")[0] + b":" + number
    assert read_canonical(record_of(new, key=key)) is None


def test_a_message_of_another_topic() -> None:
    for kind in (BetPlaced, BetsStateChanged):
        (sample,) = (each for each in SAMPLES.values() if isinstance(each, kind))
        new = CODEC.encode(sample)
        other = "bets.state" if new.topic == EVENTS_TAXONOMY else EVENTS_TAXONOMY
        assert read_canonical(record_of(new._replace(topic=other))) is None


@pytest.mark.parametrize("bets", ["", ",", "{}", '{"id":1}', "null"])
def test_bets_that_are_none(bets: str) -> None:
    new = CODEC.encode(SAMPLES["bets.state_changed"])
    head, _, _ = (new.value or b"").partition(b'"bets":[')
    value = head + b'"bets":[' + bets.encode() + b"]}}"
    assert read_canonical(record_of(new, value=value)) is None


def test_more_bets_than_a_slice_holds_and_bets_out_of_order() -> None:
    new = CODEC.encode(SAMPLES["bets.state_changed"])
    head, _, _ = (new.value or b"").partition(b'"bets":[')

    def told(numbers: range) -> Message | Other | None:
        bets = ",".join(
            f'{{"id":"00000000-0000-0000-0000-{number:012}","userId":"ann"}}' for number in numbers
        )
        value = head + f'"bets":[{bets}]}}}}'.encode()
        found = read_canonical(record_of(new, value=value))
        assert found == carefully(record_of(new, value=value))
        return found

    assert told(range(1000)) is not None
    assert told(range(1001)) is None
    assert told(range(2, 0, -1)) is None


@given(messages, PIECES, st.integers(0, 2000), st.integers(0, 40))
@example(SAMPLES["bet.placed"], "", 0, 0)
@example(SAMPLES["event.updated"], "", 0, 0)
def test_what_nobody_asked_for_is_only_looked_at(
    message: Message, piece: str, at: int, length: int
) -> None:
    """But as closely: it is malformed when it would be if somebody had asked for it."""
    new = CODEC.encode(message)
    text = (new.value or b"").decode()
    at %= len(text)
    changed = record_of(new, value=(text[:at] + piece + text[at + length :]).encode())
    for kinds in (ALL_KINDS, frozenset({type(message)}), ALL_KINDS - {type(message)}):
        try:
            found = CODEC.sift(changed, kinds)
        except MalformedRecord:
            assert carefully(changed) is None
        else:
            expected = carefully(changed)
            assert found == (expected if type(expected) in kinds else Other.OTHER)
            assert expected is not None
