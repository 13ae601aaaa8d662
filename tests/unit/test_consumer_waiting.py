"""Who waits for whom: lanes, the consumer before, and buffers that don't grow without bound."""

import pytest

from domain.log import BETS_STATE, EVENTS_TAXONOMY
from domain.reader import BUFFERED_BATCHES
from domain.records import ConsumerName, Tally
from domain.rulings import HEAVY_BYTES, LIGHTEST_SLICE, Fate, Lane, Request, Ruling
from tests.unit.bench import (
    Bench,
    Noting,
    a_message,
    a_slice_of,
    junk,
    reading_of,
    started,
    turn,
    work,
)

EVENT_WRITER, BET_WRITER, BET_SCORER = ConsumerName


@pytest.fixture
def bench() -> Bench:
    return Bench()


# Lanes


class TwoLanes(Noting):
    """Reads both topics, as the Bet Writer does, and notes what lay where."""

    def __init__(self, behind: ConsumerName | None = None) -> None:
        lanes = (Lane(EVENTS_TAXONOMY, 100), Lane(BETS_STATE, 20 * LIGHTEST_SLICE))
        super().__init__(name=BET_WRITER, behind=behind, lanes=lanes, rule=self._note)
        self.topics: list[str] = []

    def _note(self, request: Request) -> Ruling:
        self.topics.append(request.record.source.topic)
        return Fate.APPLIED

    def taken(self) -> tuple[int, int]:
        """How many of each topic since the last time."""
        taken = self.topics.count(EVENTS_TAXONOMY), self.topics.count(BETS_STATE)
        self.topics.clear()
        return taken


def test_the_story_comes_first_and_states_in_small_transactions(bench: Bench) -> None:
    handler = TwoLanes()
    member = started(bench, handler)
    bench.append(*(a_slice_of() for _ in range(50)), a_message(), a_message())
    turn(member)
    assert handler.topics[:2] == [EVENTS_TAXONOMY] * 2
    taken = [handler.taken(), *(turn(member) and handler.taken() for _ in range(3))]
    assert taken == [(2, 20), (0, 20), (0, 10), (0, 0)]


def test_a_story_that_never_ends_does_not_hold_up_states(bench: Bench) -> None:
    handler = TwoLanes()
    member = started(bench, handler)
    bench.append(*(a_slice_of() for _ in range(50)), *(a_message() for _ in range(150)))
    taken = []
    for _ in range(4):
        turn(member)
        taken.append(handler.taken())
        bench.append(a_message())
    assert taken == [(100, 20), (51, 20), (1, 10), (1, 0)]


def test_slices_weigh_as_much_as_their_bets(bench: Bench) -> None:
    handler = TwoLanes()
    member = started(bench, handler)
    bench.append(*(a_slice_of(bets=bets) for bets in (450, 450, 450, 1000, 1, 1, 951)))
    taken = [turn(member) and handler.taken() for _ in range(5)]
    assert taken == [(0, 2), (0, 1), (0, 1), (0, 2), (0, 1)]


def test_the_story_comes_between_two_portions_of_states(bench: Bench) -> None:
    handler = TwoLanes()
    member = started(bench, handler)
    bench.append(*(a_slice_of() for _ in range(39)))
    turn(member)
    assert handler.taken() == (0, 20)
    bench.append(a_message(1))
    turn(member)
    assert handler.topics[0] == EVENTS_TAXONOMY
    assert handler.taken() == (1, 19)


def test_a_held_story_does_not_hold_up_states(bench: Bench) -> None:
    handler = TwoLanes(behind=EVENT_WRITER)
    member = started(bench, handler)
    bench.append(a_message(), a_slice_of())
    turn(member)
    assert handler.taken() == (0, 1)
    assert member.is_waiting


# Behind another consumer


def behind(most: int = 100) -> Noting:
    return Noting(name=BET_WRITER, behind=EVENT_WRITER, lanes=[Lane(EVENTS_TAXONOMY, most)])


@pytest.mark.parametrize("publishes", [True, False])
def test_it_never_passes_the_consumer_before_it(bench: Bench, publishes: bool) -> None:
    handler = behind()
    handler.publishes = publishes
    member = started(bench, handler)
    bench.append(*(a_message() for _ in range(4)), junk(), a_message())
    for ahead in range(7):
        bench.stand(EVENT_WRITER, ahead)
        work(member)
        assert bench.reached(handler) == ahead
        assert member.is_waiting == (ahead < 6)
    assert bench.tally(handler) == Tally(read=6, applied=5, dead_lettered=1)


def test_who_never_read_stands_at_the_start(bench: Bench) -> None:
    handler = behind()
    member = started(bench, handler)
    bench.append(a_message())
    assert work(member) == []
    assert handler.decided == []
    assert member.is_waiting


def test_only_its_own_predecessor_counts(bench: Bench) -> None:
    handler = Noting(name=BET_SCORER, behind=BET_WRITER)
    member = started(bench, handler)
    bench.append(a_message())
    bench.stand(EVENT_WRITER, 1)
    bench.stand(BET_SCORER, 0)
    work(member)
    assert bench.reached(handler) == 0
    bench.stand(BET_WRITER, 1)
    work(member)
    assert bench.reached(handler) == 1


def test_each_partition_waits_for_itself(bench: Bench) -> None:
    handler = behind()
    member = started(bench, handler)
    bench.append(*(a_message(partition) for partition in range(3)))
    bench.stand(EVENT_WRITER, 1, partition=1)
    work(member)
    assert [bench.reached(handler, partition) for partition in range(3)] == [0, 1, 0]
    assert [reading_of(member, partition).held for partition in range(3)] == [True, False, True]


def test_the_first_consumer_waits_for_nobody(bench: Bench) -> None:
    handler = Noting()
    member = started(bench, handler)
    bench.append(a_message())
    work(member)
    assert handler.offsets == [0]
    assert not member.is_waiting


@pytest.mark.parametrize("held", range(3))
def test_a_held_partition_does_not_stop_the_others(bench: Bench, held: int) -> None:
    # More waits there than a batch takes: it must not fill every batch.
    handler = behind(most=6)
    member = started(bench, handler)
    bench.append(*(a_message(held) for _ in range(30)))
    work(member, turns=9)
    others = [partition for partition in range(3) if partition != held]
    bench.append(*(a_message(partition) for partition in others for _ in range(9)))
    for partition in others:
        bench.stand(EVENT_WRITER, 9, partition=partition)
    work(member, turns=20)
    assert [bench.reached(handler, partition) for partition in others] == [9, 9]
    assert bench.reached(handler, held) == 0


@pytest.mark.parametrize("counts", [(9, 0, 0), (9, 1, 0), (2, 2, 9), (0, 5, 5), (3, 3, 3)])
def test_a_batch_is_as_full_as_it_can_be(bench: Bench, counts: tuple[int, ...]) -> None:
    handler = Noting(lanes=[Lane(EVENTS_TAXONOMY, 9)])
    member = started(bench, handler)
    bench.append(*(a_message(p) for p, count in enumerate(counts) for _ in range(count)))
    for _ in range(5):
        member.keep_alive()
    turn(member)
    assert len(handler.decided[0]) == min(9, sum(counts))


# Buffers


def test_a_held_partition_is_paused_when_its_buffer_is_full(bench: Bench) -> None:
    handler = behind(most=4)
    member = started(bench, handler)
    bench.append(*(a_message() for _ in range(100)))
    sizes = []
    for _ in range(30):
        work(member, turns=1)
        sizes.append(len(reading_of(member).buffer))
    full = BUFFERED_BATCHES * 4
    assert full <= max(sizes) < full + 4
    assert reading_of(member).paused
    assert work(member) == []


def test_large_records_fill_a_buffer_sooner(bench: Bench) -> None:
    """Whoever may write to the topic would fill the memory otherwise, while a partition is held."""
    handler = behind(most=4)
    member = started(bench, handler)
    sizes = [1, 3, 1, 2, 9, 1, 1]
    large = [junk()._replace(value=b" " * (size * HEAVY_BYTES + 1)) for size in sizes]
    bench.append(*large, junk()._replace(value=None))
    member.keep_alive()
    member.keep_alive()
    reading = reading_of(member)
    assert (len(reading.buffer), reading.buffer.weight, reading.paused) == (8, 19, True)
    ends = []
    bench.stand(EVENT_WRITER, 9)
    for _ in range(6):
        turn(member)
        ends.append(bench.reached(handler))
    assert ends == [2, 4, 5, 8, 8, 8]
    assert reading_of(member).buffer.weight == 0
    assert not reading_of(member).paused
    assert bench.tally(handler) == Tally(read=8, dead_lettered=8)


def test_others_are_read_on_while_one_is_paused(bench: Bench) -> None:
    handler = behind(most=4)
    member = started(bench, handler)
    bench.append(*(a_message() for _ in range(100)), *(a_message(1) for _ in range(50)))
    bench.stand(EVENT_WRITER, 50, partition=1)
    work(member, turns=60)
    assert bench.reached(handler, 1) == 50
    assert not reading_of(member, 1).paused


@pytest.mark.parametrize("restart", [False, True])
def test_a_paused_partition_is_read_to_its_end_once_it_may(bench: Bench, restart: bool) -> None:
    handler = behind(most=4)
    member = started(bench, handler)
    bench.append(*(a_message() for _ in range(100)))
    work(member, turns=30)
    assert reading_of(member).paused
    if restart:
        member.restart()
    bench.stand(EVENT_WRITER, 100)
    work(member, turns=100)
    assert handler.offsets == list(range(100))
    assert not reading_of(member).paused


def test_long_work_does_not_fill_the_buffers_without_bound(bench: Bench) -> None:
    member = started(bench, Noting(lanes=[Lane(EVENTS_TAXONOMY, 4)]))
    bench.append(*(a_message() for _ in range(100)))
    for _ in range(30):
        member.keep_alive()
    assert len(reading_of(member).buffer) < (BUFFERED_BATCHES + 1) * 4
