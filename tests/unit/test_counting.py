"""Records are counted below each position, wherever their offsets are."""

from collections.abc import Sequence

import pytest

from domain.counting import Counting
from domain.log import Bounds, Record
from domain.records import ConsumerName, Position, Tally
from tests.samples import LATER_LOG, SOURCE

EVENT_WRITER, BET_WRITER, BET_SCORER = ConsumerName
ALL_THERE = Bounds(0, 9)
WITH_HOLES = (0, 1, 4, 5, 8)
"""Offsets of records: a broker keeps some offsets for marks of its own."""


def position(consumer: ConsumerName, next_offset: int, counted: int, again: int = 0) -> Position:
    tally = Tally(read=counted + again, applied=counted, duplicate=again)
    return Position(consumer=consumer, source=SOURCE, next_offset=next_offset, tally=tally)


def miscounted(
    *positions: Position, offsets: Sequence[int] = WITH_HOLES, now: Bounds | None = ALL_THERE
) -> list[tuple[ConsumerName, int]]:
    counting = Counting(positions)
    records = [Record(SOURCE, offset, b"key", b"value") for offset in offsets]
    assert list(counting.follow(SOURCE, iter(records))) == records
    bounds = {} if now is None else {SOURCE: now}
    return [(found.consumer, below) for found, below in counting.miscounted(bounds)]


def test_every_record_that_was_read_is_counted() -> None:
    assert not miscounted(
        position(BET_SCORER, 0, 0),
        position(BET_WRITER, 5, 3, again=7),
        position(EVENT_WRITER, 9, 5),
    )


def test_it_does_not_matter_on_which_side_of_a_hole_one_stands() -> None:
    assert not miscounted(position(BET_WRITER, 2, 2), position(EVENT_WRITER, 4, 2))


@pytest.mark.parametrize(("next_offset", "below"), [(2, 2), (5, 3), (9, 5)])
def test_one_that_was_skipped_is_seen(next_offset: int, below: int) -> None:
    found = miscounted(position(EVENT_WRITER, next_offset, below - 1, again=1))
    assert found == [(EVENT_WRITER, below)]


def test_one_that_was_counted_twice_is_seen_in_spite_of_holes() -> None:
    assert miscounted(position(EVENT_WRITER, 9, 6)) == [(EVENT_WRITER, 5)]


@pytest.mark.parametrize("now", [None, Bounds(1, 9), Bounds(0, 8)])
def test_what_was_lost_meanwhile_is_left_out(now: Bounds | None) -> None:
    assert not miscounted(position(EVENT_WRITER, 9, 4), now=now)


def test_a_log_that_was_not_followed_is_left_out() -> None:
    other = SOURCE._replace(log_id=LATER_LOG)
    unread = Position(consumer=EVENT_WRITER, source=other, next_offset=3)
    assert not miscounted(unread)
    assert not list(Counting([unread]).miscounted({other: Bounds(0, 3)}))
