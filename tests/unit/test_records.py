"""What is said, and what is kept: whose story a message belongs to, digests, tallies."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.log import BETS_STATE, EVENTS_TAXONOMY, PARTITIONS, TOPICS, LogPartition, Record
from domain.messages import (
    MESSAGE_TYPES,
    BetsStateChanged,
    Message,
    event_of,
    slice_key,
    subject_of,
)
from domain.records import NOTHING_READ, ConsumerName, RefusalReason, Tally
from tests.samples import (
    BET,
    EVENT,
    LATER_LOG,
    SOURCE,
    a_placement,
    a_record,
    a_slice,
    a_version,
    active,
    an_event,
    created,
    handed_over,
    placed,
    updated,
)

MESSAGES: list[tuple[Message, str, UUID]] = [
    (created(an_event()), "event.created", EVENT),
    (updated(an_event()), "event.updated", EVENT),
    (placed(a_placement()), "bet.placed", BET),
    (handed_over(a_placement()), "bet.updated", BET),
    (a_slice(version=a_version(active(), at=0)), "bets.state_changed", EVENT),
]


@pytest.mark.parametrize(("message", "name", "subject"), MESSAGES)
def test_what_a_message_is_about(message: Message, name: str, subject: UUID) -> None:
    assert MESSAGE_TYPES[type(message)] == name
    assert subject_of(message) == subject
    if not isinstance(message, BetsStateChanged):
        assert event_of(message) == EVENT


def test_every_message_has_a_name_of_its_own() -> None:
    assert list(MESSAGE_TYPES.values()) == [name for _, name, _ in MESSAGES]


def test_the_key_of_a_slice() -> None:
    piece = a_slice(version=a_version(active(), at=0), number=7)
    assert piece.key == f"{EVENT}:draw:7" == slice_key(EVENT, piece.market, 7)


# Names that are said to the outside, or lie in databases


def test_topics_and_groups_are_the_contracts() -> None:
    assert (EVENTS_TAXONOMY, BETS_STATE, PARTITIONS) == ("events.taxonomy", "bets.state", 3)
    assert TOPICS == (EVENTS_TAXONOMY, BETS_STATE)
    assert [*ConsumerName] == ["event-writer", "bet-writer", "bet-scorer"]


def test_reasons_stay_what_they_were_in_earlier_releases() -> None:
    assert [*RefusalReason] == [
        "event-not-found",
        "event-deleted",
        "event-not-open",
        "event-conflict",
        "not-a-new-event",
        "illegal-transition",
        "field-frozen",
        "score-not-allowed",
        "idempotency-key-reused",
        "bet-not-found",
        "bet-deleted",
        "state-not-of-version",
    ]


# Digests

contents = st.tuples(st.none() | st.binary(max_size=4), st.none() | st.binary(max_size=4))


def digest_of(key: bytes | None, value: bytes | None) -> bytes:
    return Record(SOURCE, 0, key, value).digest()


@given(st.lists(contents, unique=True, min_size=2))
def test_other_content_has_another_digest(pairs: list[tuple[bytes | None, bytes | None]]) -> None:
    digests = {digest_of(key, value) for key, value in pairs}
    assert len(digests) == len(pairs)
    assert {len(digest) for digest in digests} == {16}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((None, b"a"), (b"", b"a")),
        ((b"a", None), (b"a", b"")),
        ((b"a", b"bc"), (b"ab", b"c")),
        ((b"a", None), (None, b"a")),
        ((None, None), (b"", b"")),
    ],
)
def test_where_the_key_ends_matters(
    one: tuple[bytes | None, bytes | None], other: tuple[bytes | None, bytes | None]
) -> None:
    assert digest_of(*one) != digest_of(*other)


def test_a_digest_stays_what_it_was_in_earlier_releases() -> None:
    # It lies in databases: should it change, every partition would be taken for lost.
    assert digest_of(b"key", b"value").hex() == "c829793080d91bc5eca4ed6ba04f015a"


def test_a_place_is_known_by_log_partition_and_offset() -> None:
    record = a_record(7, source=LogPartition("events.taxonomy", 2, LATER_LOG))
    assert record.position == (LATER_LOG, 2, 7)


# Tallies

tallies = st.builds(Tally, *[st.integers(0, 9)] * 6)


@given(tallies, tallies)
def test_tallies_add_up(one: Tally, other: Tally) -> None:
    assert tuple(one.plus(other)) == tuple(a + b for a, b in zip(one, other, strict=True))
    assert one.plus(NOTHING_READ) == one


def test_a_tally_names_every_fate() -> None:
    assert Tally._fields == (
        "read",
        "applied",
        "unchanged",
        "duplicate",
        "refused",
        "dead_lettered",
    )
    assert Tally(read=1) != Tally(applied=1)
