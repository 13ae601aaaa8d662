"""Where a member begins, and that the log is what it was."""

from collections.abc import Callable

import pytest

from adapters.memory.bus import MemorySubscription
from domain.log import EVENTS_TAXONOMY
from domain.ports import Poll
from domain.records import ConsumerName, Position, Tally
from domain.rulings import Lane
from tests.unit.bench import (
    Bench,
    Noting,
    a_message,
    junk,
    read_before,
    reading_of,
    started,
    turn,
    work,
)

EVENT_WRITER, BET_WRITER, BET_SCORER = ConsumerName


@pytest.fixture
def bench() -> Bench:
    return Bench()


def lost_at(bench: Bench, handler: Noting) -> str | None:
    """How a new member finds its log; read on, whatever it is."""
    member = bench.member(handler)
    work(member)
    return reading_of(member).lost


# Where it begins


def test_it_begins_at_the_start(bench: Bench) -> None:
    handler = Noting()
    bench.append(a_message(), a_message())
    work(bench.member(handler))
    assert handler.offsets == [0, 1]


def test_it_goes_on_from_the_stored_position(bench: Bench) -> None:
    handler = read_before(bench)
    bench.append(a_message(), a_message())
    member = bench.member(handler)
    work(member)
    assert handler.offsets == [3, 4]
    assert bench.tally(handler) == Tally(read=5, applied=5)
    assert reading_of(member).tally == Tally(read=5, applied=5)
    assert not reading_of(member).anchors


def test_what_lag_tools_are_told_is_never_asked_for(bench: Bench) -> None:
    handler = read_before(bench)
    with bench.log.condition:
        bench.log.commit(EVENT_WRITER, {bench.source(): 99})
    bench.append(a_message())
    work(bench.member(handler))
    assert handler.offsets == [3]


def test_it_begins_with_a_new_log_at_its_start(bench: Bench) -> None:
    handler = Noting()
    member = started(bench, handler)
    bench.append(a_message(), a_message())
    work(member)
    first = bench.source()
    bench.log.recreate(EVENTS_TAXONOMY)
    bench.append(a_message())
    work(member)
    assert handler.offsets == [0, 1, 0]
    with bench.database.transaction() as uow:
        generations = uow.logs.generations()
        assert uow.positions.read(EVENT_WRITER, [first])[first].next_offset == 2
    assert generations[first.log_id] < generations[bench.source().log_id]


def after_poll(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen, once, between a poll and what follows."""
    poll = MemorySubscription.poll

    def poll_first(self: MemorySubscription, *, timeout: float, most: int) -> Poll:
        polled = poll(self, timeout=timeout, most=most)
        monkeypatch.setattr(MemorySubscription, "poll", poll)
        happens()
        return polled

    monkeypatch.setattr(MemorySubscription, "poll", poll_first)


def test_a_log_that_is_gone_is_never_taken_for_the_newest(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bench.source()

    def recreate() -> None:
        bench.log.recreate(EVENTS_TAXONOMY)
        work(bench.member(Noting(name=BET_WRITER)))

    handler = Noting()
    member = bench.member(handler)
    after_poll(monkeypatch, recreate)
    turn(member)
    assert list(member.readings) == []
    with bench.database.transaction() as uow:
        assert set(uow.logs.generations()) == {bench.source().log_id} != {first.log_id}
    bench.append(a_message())
    work(member)
    assert handler.offsets == [0]


def test_what_is_begun_again_is_read_in_the_same_turn(bench: Bench) -> None:
    """An error in it comes back at once, then, and not after an idle turn that went well."""
    handler = Noting()
    member = started(bench, handler)
    bench.append(a_message())
    work(member)
    bench.append(a_message())
    member.restart()
    turn(member)
    assert handler.offsets == [0, 1]


def test_what_went_meanwhile_is_not_begun_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bus may refuse to move in a partition that is another member's by now."""
    first = started(bench, Noting())
    first.restart()
    bench.member(Noting())
    sought = []
    monkeypatch.setattr(MemorySubscription, "seek", lambda _, source, __: sought.append(source))
    turn(first)
    assert sorted(sought) == sorted(reading.source for reading in first.readings)
    assert len(sought) == 2


def test_a_log_that_is_gone_makes_nobody_busy(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = started(bench, Noting())
    timeouts = []

    def poll(self: MemorySubscription, *, timeout: float, most: int) -> Poll:
        timeouts.append(timeout)
        return Poll((), frozenset(), frozenset())

    monkeypatch.setattr(MemorySubscription, "poll", poll)
    monkeypatch.setattr(MemorySubscription, "bounds", lambda *_: {})
    member.restart()
    list(member.turn(idle=0.5))
    assert timeouts == [0, 0.5]


# That the log is what it was


def test_a_log_that_ends_at_the_position_is_sound(bench: Bench) -> None:
    assert lost_at(bench, read_before(bench)) is None


def test_a_log_that_lost_what_was_read_is_sound(bench: Bench) -> None:
    handler = read_before(bench)
    bench.append(a_message())
    bench.log.drop_head(EVENTS_TAXONOMY, 0, start=3)
    assert lost_at(bench, handler) is None
    assert handler.offsets == [3]


def test_a_log_that_ends_below_the_position_is_lost(bench: Bench) -> None:
    handler = read_before(bench)
    bench.log.truncate(EVENTS_TAXONOMY, 0, end=2)
    assert lost_at(bench, handler) == "the log ends at 2, below position 3 of event-writer"


def test_a_log_that_ends_below_the_position_of_the_consumer_before_is_lost(bench: Bench) -> None:
    """What this one has read is all there; but it would wait for ever, and say nothing."""
    handler = Noting(behind=BET_WRITER)
    bench.append(a_message(), a_message(), a_message())
    bench.stand(BET_WRITER, 1)
    first = bench.member(handler)
    work(first)
    first.close()
    bench.stand(BET_WRITER, 3)
    bench.log.truncate(EVENTS_TAXONOMY, 0, end=2)
    assert lost_at(bench, handler) == "the log ends at 2, below position 3 of bet-writer"
    assert handler.offsets == [0]


def test_a_log_that_starts_above_the_position_is_lost(bench: Bench) -> None:
    handler = read_before(bench)
    bench.append(a_message(), a_message())
    bench.log.drop_head(EVENTS_TAXONOMY, 0, start=4)
    assert lost_at(bench, handler) == "the log starts at 4, above position 3"
    assert handler.decided == []


@pytest.mark.parametrize("more", [0, 2])
def test_a_log_with_another_record_before_the_position_is_lost(bench: Bench, more: int) -> None:
    handler = read_before(bench)
    bench.log.truncate(EVENTS_TAXONOMY, 0, end=2)
    bench.append(junk(), *(a_message() for _ in range(more)))
    assert (
        lost_at(bench, handler)
        == "the record before offset 3 is not the one that event-writer read"
    )
    assert handler.decided == []


def test_a_tail_lost_while_reading_is_noticed_by_the_bus(bench: Bench) -> None:
    member = started(bench, Noting())
    bench.append(a_message(), a_message())
    work(member)
    bench.log.truncate(EVENTS_TAXONOMY, 0, end=1)
    turn(member)
    assert reading_of(member).lost == "the log ends at 1, below position 2 of event-writer"


def test_a_tail_lost_while_reading_is_noticed_within_a_second(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Even by a bus that says nothing of it.
    monkeypatch.setattr(bench.log, "cuts", lambda _: ())
    member = started(bench, Noting())
    bench.append(a_message(), a_message())
    work(member)
    after_poll(monkeypatch, lambda: bench.log.truncate(EVENTS_TAXONOMY, 0, end=1))
    bench.seconds += 0.9
    turn(member)
    assert reading_of(member).lost is None
    bench.append(a_message())
    after_poll(monkeypatch, lambda: bench.log.truncate(EVENTS_TAXONOMY, 0, end=1))
    bench.seconds += 0.1
    turn(member)
    assert reading_of(member).lost == "the log ends at 1, below position 2 of event-writer"
    assert reading_of(member).paused is False
    turn(member)
    assert reading_of(member).paused


def test_a_lost_tail_stays_lost_though_the_log_grows_again(bench: Bench) -> None:
    handler = read_before(bench)
    member = started(bench, handler)
    bench.log.truncate(EVENTS_TAXONOMY, 0, end=0)
    bench.seconds += 1
    turn(member)
    bench.append(a_message(), a_message(), a_message(), a_message())
    work(member)
    assert reading_of(member).lost is not None
    assert handler.decided == []


def test_what_another_member_had_polled_before_it_was_lost_is_noticed(bench: Bench) -> None:
    """It wrote after the heir had begun, further than the log now goes."""
    member = started(bench, Noting())
    bench.append(a_message())
    work(member)
    bench.stand(EVENT_WRITER, 3)
    bench.seconds += 1
    work(member)
    assert reading_of(member).lost == "the log ends at 1, below position 3 of event-writer"


def test_what_lies_in_the_place_of_what_another_member_had_read_is_not_skipped(
    bench: Bench,
) -> None:
    """It had polled a record that was lost then, and wrote: the one that lies there now is new."""
    handler = Noting(lanes=[Lane(EVENTS_TAXONOMY, 2)])
    member = started(bench, handler)
    bench.append(a_message(), a_message(), a_message())
    member.keep_alive()
    past = Position(
        consumer=EVENT_WRITER,
        source=bench.source(0),
        next_offset=3,
        last_record_digest=b"of another one",
    )
    with bench.database.transaction() as uow:
        uow.positions.save([past])
        uow.commit()
    work(member)
    lost = "the record before offset 3 is not the one that event-writer read"
    assert (reading_of(member).lost, handler.decided) == (lost, [])


def fill_again(bench: Bench) -> None:
    bench.log.truncate(EVENTS_TAXONOMY, 0, end=2)
    bench.append(junk(), a_message())


def end_below(bench: Bench) -> None:
    bench.log.truncate(EVENTS_TAXONOMY, 0, end=1)


def start_above(bench: Bench) -> None:
    bench.append(a_message(), a_message())
    bench.log.drop_head(EVENTS_TAXONOMY, 0, start=4)


@pytest.mark.parametrize("lose", [fill_again, end_below, start_above])
def test_a_lost_partition_stops_and_the_others_go_on(
    bench: Bench, lose: Callable[[Bench], None]
) -> None:
    handler = read_before(bench)
    lose(bench)
    member = bench.member(handler)
    work(member)
    bench.append(a_message(), a_message(1), a_message(), a_message(2))
    for _ in range(5):
        bench.seconds += 1
        work(member)
    assert sorted(batch for batches in handler.decided for batch in batches) == [(1, 0), (2, 0)]
    assert bench.reached(handler) == 3
    assert bench.tally(handler) == Tally(read=3, applied=3)
    assert reading_of(member).lost is not None
    assert not reading_of(member).buffer


def test_what_was_in_the_buffer_of_a_lost_partition_is_not_worked_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.log, "cuts", lambda _: ())
    handler = Noting(behind=BET_WRITER)
    member = started(bench, handler)
    bench.append(a_message(), a_message(), a_message())
    bench.stand(BET_WRITER, 2)
    work(member)
    bench.log.truncate(EVENTS_TAXONOMY, 0, end=1)
    bench.seconds += 1
    turn(member)
    bench.stand(BET_WRITER, 3)
    work(member)
    assert handler.offsets == [0, 1]
    assert not member.is_waiting


# Changes of the assignment


def test_what_is_revoked_is_forgotten(bench: Bench) -> None:
    first = started(bench, Noting())
    second = bench.member(Noting())
    for _ in range(3):
        turn(second)
        turn(first)
    held = [{reading.source for reading in member.readings} for member in (first, second)]
    assert sorted(len(sources) for sources in held) == [1, 2]
    assert not held[0] & held[1]


def test_a_record_that_the_consumer_before_did_not_read(bench: Bench) -> None:
    """It had the log before the loss, this one has it after: only the digest tells."""
    handler = Noting(behind=BET_WRITER)
    member = started(bench, handler)
    bench.append(a_message(), a_message())
    with bench.database.transaction() as uow:
        read = Position(
            consumer=BET_WRITER, source=bench.source(), next_offset=2, last_record_digest=b"another"
        )
        uow.positions.save([read])
        uow.commit()
    work(member)
    assert handler.decided == []
    assert reading_of(member).lost == (
        "the record before offset 2 is not the one that bet-writer read"
    )


def test_a_lost_partition_is_read_again_from_a_backup_before_the_loss(bench: Bench) -> None:
    handler = Noting()
    member = started(bench, handler)
    bench.append(a_message())
    work(member)
    backup = bench.database.snapshot()
    bench.append(a_message(), a_message())
    work(member)
    bench.log.truncate(EVENTS_TAXONOMY, 0, end=1)
    work(member)
    assert reading_of(member).lost is not None
    bench.database.restore(backup)
    bench.append(a_message())
    bench.seconds += 1
    work(member)
    assert reading_of(member).lost is None
    assert bench.reached(handler) == 2
