"""A partition whose log is found, while it is read, to be not what it was: it costs nothing, is
never called caught up, and is read again once the database goes back to before the loss."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from adapters.memory.bus import MemorySubscription
from domain.consumer import Consumer
from domain.log import EVENTS_TAXONOMY
from domain.ports import Poll
from domain.records import ConsumerName, Position
from tests.unit.bench import Bench, Noting, a_message, reading_of, started, turn, work

EVENT_WRITER, BET_WRITER, BET_SCORER = ConsumerName


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Its bus says nothing of a loss."""
    bench = Bench()
    monkeypatch.setattr(bench.log, "cuts", lambda _: ())
    monkeypatch.setattr(MemorySubscription, "_misplaced", lambda _: set())
    return bench


def read_another(bench: Bench, name: ConsumerName, next_offset: int) -> None:
    """Let the consumer have read another record before this offset than the one that lies there."""
    position = Position(
        consumer=name,
        source=bench.source(),
        next_offset=next_offset,
        last_record_digest=b"of another one",
    )
    with bench.database.transaction() as uow:
        uow.positions.save([position])
        uow.commit()


def lost_by_its_digest(bench: Bench, member: Consumer) -> None:
    read_another(bench, BET_WRITER, 2)
    turn(member)


def lost_by_its_end(bench: Bench, member: Consumer) -> None:
    """Before the consumer ahead has come further: the next record is held."""
    turn(member)
    bench.log.truncate(EVENTS_TAXONOMY, 0, end=0)
    bench.seconds += 1


@pytest.mark.parametrize("lose", [lost_by_its_digest, lost_by_its_end])
def test_what_waits_in_a_lost_partition_makes_nobody_busy(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, lose: Callable[[Bench, Consumer], None]
) -> None:
    member = started(bench, Noting(name=BET_SCORER, behind=BET_WRITER))
    bench.append(a_message(), a_message())
    bench.stand(BET_WRITER, 1)
    lose(bench, member)
    turn(member)
    assert reading_of(member).lost
    assert reading_of(member).buffer
    assert not member.is_waiting
    timeouts = []
    poll = MemorySubscription.poll

    def noting(self: MemorySubscription, *, timeout: float, most: int) -> Poll:
        timeouts.append(timeout)
        return poll(self, timeout=0, most=most)

    monkeypatch.setattr(MemorySubscription, "poll", noting)
    list(member.turn(idle=0.5))
    list(member.turn(idle=0.5))
    assert timeouts == [0.5, 0.5]
    bench.append(a_message(1))
    list(member.turn(idle=0.5))
    list(member.turn(idle=0.5))
    assert member.is_waiting
    assert timeouts == [0.5, 0.5, 0.5, 0]


def test_who_has_just_lost_its_tail_is_not_caught_up(bench: Bench) -> None:
    """A bet may be withdrawn while its event's partition was caught up lately; and the kick-off may
    have been in what was lost."""
    member = started(bench, Noting())
    bench.append(a_message(), a_message())
    work(member)
    bench.log.truncate(EVENTS_TAXONOMY, 0, end=1)
    bench.seconds += 5
    turn(member)
    assert reading_of(member).lost
    with bench.database.transaction() as uow:
        marks = uow.positions.caught_up_ago(EVENT_WRITER, EVENTS_TAXONOMY)
    assert marks[0] == timedelta(seconds=5)
    assert marks[1] == marks[2] == timedelta()
