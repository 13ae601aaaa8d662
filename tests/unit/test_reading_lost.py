"""A partition whose log is found, while it is read, to be not what it was: it costs nothing, is
never called caught up, and is read again once the database goes back to before the loss."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from adapters.memory.bus import MemorySubscription
from adapters.memory.database import Snapshot
from domain.consumer import Consumer
from domain.log import BETS_STATE, EVENTS_TAXONOMY
from domain.ports import Poll
from domain.records import ConsumerName, Position
from domain.rulings import Lane
from tests.unit.bench import Bench, Noting, a_message, a_slice_of, reading_of, started, turn, work

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


def goes_back(bench: Bench, member: Consumer, backup: Snapshot) -> None:
    """A backup is restored, and there is time to notice."""
    bench.database.restore(backup)
    bench.seconds += 1
    work(member)


def test_one_that_lost_what_it_read_since_it_began_is_read_again(bench: Bench) -> None:
    handler = Noting()
    member = started(bench, handler)
    bench.append(a_message())
    work(member)
    backup = bench.database.snapshot()
    bench.append(a_message(), a_message())
    work(member)
    bench.log.truncate(EVENTS_TAXONOMY, 0, end=1)
    bench.seconds += 1
    work(member)
    assert reading_of(member).lost == "the log ends at 1, below position 3 of event-writer"
    goes_back(bench, member, backup)
    bench.append(a_message())
    work(member)
    assert reading_of(member).lost is None
    assert bench.reached(handler) == 2


@pytest.mark.parametrize("other", [BET_WRITER, BET_SCORER])
def test_one_where_another_record_was_read_since_it_began_is_read_again(
    bench: Bench, other: ConsumerName
) -> None:
    """By the consumer before it, or by another member of its own."""
    handler = Noting(name=BET_SCORER, behind=BET_WRITER)
    member = started(bench, handler)
    bench.append(a_message(), a_message(), a_message())
    bench.stand(BET_WRITER, 1)
    work(member)
    backup = bench.database.snapshot()
    member.keep_alive()
    read_another(bench, other, 3)
    work(member)
    assert reading_of(member).lost == (
        f"the record before offset 3 is not the one that {other} read"
    )
    goes_back(bench, member, backup)
    bench.stand(BET_WRITER, 3)
    work(member)
    assert reading_of(member).lost is None
    assert handler.offsets == [0, 1, 2]


def test_of_two_logs_only_the_lost_one_is_read_again(bench: Bench) -> None:
    lanes = (Lane(EVENTS_TAXONOMY, 100), Lane(BETS_STATE, 100))
    member = started(bench, Noting(name=BET_WRITER, behind=EVENT_WRITER, lanes=lanes))
    number = bench.append(a_slice_of())[0].partition
    bench.append(a_message(number))
    bench.stand(EVENT_WRITER, 1, partition=number)
    work(member)
    backup = bench.database.snapshot()
    bench.append(a_slice_of())
    work(member)
    bench.log.truncate(BETS_STATE, number, end=1)
    bench.seconds += 1
    work(member)
    story = reading_of(member, number)
    assert (reading_of(member, number, BETS_STATE).lost, story.lost) == (
        "the log ends at 1, below position 2 of bet-writer",
        None,
    )
    goes_back(bench, member, backup)
    assert reading_of(member, number, BETS_STATE).lost is None
    assert reading_of(member, number) is story


def test_how_far_others_were_read_does_not_count(bench: Bench) -> None:
    """Otherwise it would be begun again every second."""
    member = started(bench, Noting(name=BET_SCORER, behind=BET_WRITER))
    bench.append(a_message(), *(a_message(1) for _ in range(3)))
    bench.stand(BET_WRITER, 3, partition=1)
    read_another(bench, BET_WRITER, 1)
    work(member)
    lost = reading_of(member)
    assert lost.lost
    bench.seconds += 1
    work(member)
    assert reading_of(member) is lost


def test_one_that_is_lost_in_the_backup_too_is_looked_at_once(bench: Bench) -> None:
    member = started(bench, Noting())
    bench.append(a_message(), a_message())
    work(member)
    backup = bench.database.snapshot()
    bench.append(a_message())
    work(member)
    bench.log.truncate(EVENTS_TAXONOMY, 0, end=1)
    bench.seconds += 1
    work(member)
    goes_back(bench, member, backup)
    lost = reading_of(member)
    assert lost.lost == "the log ends at 1, below position 2 of event-writer"
    bench.seconds += 1
    work(member)
    assert reading_of(member) is lost
