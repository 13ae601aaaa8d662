"""Outputs are acknowledged before the position is recorded; whatever fails, they are repeated."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future

import pytest

from adapters.memory.bus import MemoryBus
from adapters.memory.log import Delivery
from domain.consumer import MOST_UNACKNOWLEDGED, Consumer, Step
from domain.errors import BusUnavailable
from domain.log import BETS_STATE, NewRecord, Placed
from domain.messages import Message
from domain.ports import Database
from domain.records import ConsumerName, Tally
from domain.rulings import Request
from tests.samples import a_slice, a_version, active
from tests.unit.bench import CODEC, Bench, Noting, a_message, junk, started, turn, work

SCORER = ConsumerName.BET_SCORER


@pytest.fixture
def bench() -> Bench:
    return Bench()


def pieces(first: int, count: int) -> list[Message]:
    version = a_version(active(), at=0)
    return [a_slice(version=version, number=first + n) for n in range(count)]


def publishing(*sizes: int) -> Noting:
    """Publishes portions of these sizes for any batch."""
    told = [pieces(100 * n, size) for n, size in enumerate(sizes)]
    return Noting(name=SCORER, publishes=True, told=told)


def published(bench: Bench) -> list[Message]:
    return [CODEC.decode(record) for record in bench.bus.read(BETS_STATE)]


def failing(bench: Bench, number: int, delivery: Delivery) -> None:
    """Let the publication of this number (from 0) go wrong, once."""
    deliveries = iter([Delivery.ACKNOWLEDGED] * number + [delivery])
    bench.log.deliver = lambda _: next(deliveries, Delivery.ACKNOWLEDGED)


@pytest.mark.parametrize("delivery", [Delivery.LOST, Delivery.UNACKNOWLEDGED])
@pytest.mark.parametrize("number", range(4))
def test_without_every_acknowledgement_the_position_stays(
    bench: Bench, delivery: Delivery, number: int
) -> None:
    handler = publishing(2, 2)
    member = started(bench, handler)
    bench.append(a_message(), junk())
    failing(bench, number, delivery)
    with pytest.raises(BusUnavailable):
        turn(member)
    assert bench.reached(handler) == 0
    assert bench.tally(handler) == Tally()
    assert handler.decided == []


@pytest.mark.parametrize("delivery", [Delivery.LOST, Delivery.UNACKNOWLEDGED])
def test_what_failed_is_repeated_with_the_same_ids(bench: Bench, delivery: Delivery) -> None:
    handler = publishing(2, 2)
    member = started(bench, handler)
    bench.append(a_message())
    failing(bench, 3, delivery)
    with pytest.raises(BusUnavailable):
        turn(member)
    member.restart()
    work(member)
    expected = {message.id for message in pieces(0, 2) + pieces(100, 2)}
    assert {message.id for message in published(bench)} == expected
    assert len(published(bench)) == (7 if delivery is Delivery.LOST else 8)
    assert bench.tally(handler) == Tally(read=1, applied=1)


def test_nothing_is_published_for_what_has_to_wait(bench: Bench) -> None:
    handler = publishing(1)
    handler.behind = ConsumerName.BET_WRITER
    member = started(bench, handler)
    bench.append(a_message(), a_message())
    assert work(member) == []
    assert published(bench) == []
    bench.stand(ConsumerName.BET_WRITER, 1)
    work(member)
    assert len(published(bench)) == 1
    assert handler.offsets == [0]


def test_nothing_is_published_for_poison(bench: Bench) -> None:
    handler = publishing(1)
    member = started(bench, handler)
    bench.append(junk())
    work(member)
    assert published(bench) == []
    assert bench.tally(handler) == Tally(read=1, dead_lettered=1)


def test_who_does_not_publish_is_not_asked_for_outputs(bench: Bench) -> None:
    handler = publishing(1)
    handler.publishes = False
    member = started(bench, handler)
    bench.append(a_message())
    work(member)
    assert published(bench) == []
    assert handler.offsets == [0]


def test_no_transaction_is_open_while_it_publishes(bench: Bench) -> None:
    # A batch may take minutes: another member waits for nothing meanwhile.
    handler = publishing(1, 1)
    member = started(bench, handler)
    bench.append(a_message())
    for step in member.turn(idle=0):
        if step in {Step.PUBLISHED, Step.ACKNOWLEDGED}:
            with bench.database.transaction() as uow:
                uow.positions.lock(SCORER, [bench.source()])


def test_only_what_was_published_for_is_recorded(bench: Bench) -> None:
    # The consumer before this one comes further while this one publishes.
    handler = publishing(1)
    handler.behind = ConsumerName.BET_WRITER
    member = started(bench, handler)
    bench.append(a_message(), a_message())
    bench.stand(ConsumerName.BET_WRITER, 1)
    for step in member.turn(idle=0):
        if step is Step.PUBLISHED:
            bench.stand(ConsumerName.BET_WRITER, 2)
    assert bench.reached(handler) == 1


# Acknowledgements that take their time


class SlowFuture(Future[Placed]):
    """Acknowledged only when it is asked for its result."""

    def __init__(self, waiting: list["SlowFuture"], placed: Placed) -> None:
        super().__init__()
        self._waiting = waiting
        waiting.append(self)
        self.set_result(placed)

    def result(self, timeout: float | None = None) -> Placed:
        self._waiting.remove(self)
        return super().result(timeout)


class SlowBus(MemoryBus):
    """Counts the records whose acknowledgement nobody has asked for yet."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench.log)
        self.waiting: list[SlowFuture] = []

    def publish(self, records: Sequence[NewRecord]) -> Sequence[Future[Placed]]:
        return [SlowFuture(self.waiting, f.result()) for f in super().publish(records)]


class Watching(Noting):
    """Sees how many acknowledgements are open when the next portion is asked for."""

    bus: SlowBus

    def outputs(self, database: Database, requests: Sequence[Request]) -> Iterator[list[Message]]:
        self.open: list[int] = []
        for portion in self.told:
            self.open.append(len(self.bus.waiting))
            yield list(portion)


def test_few_acknowledgements_are_open_and_none_is_forgotten(bench: Bench) -> None:
    handler = Watching(name=SCORER, publishes=True, told=[pieces(0, 60)] * 6)
    handler.bus = SlowBus(bench)
    member = Consumer(
        handler, bus=handler.bus, codec=CODEC, database=bench.database, monotonic=lambda: 0.0
    )
    turn(member)
    bench.append(a_message())
    steps = member.turn(idle=0)
    for step in steps:
        assert (step in {Step.POLLED, Step.PUBLISHED}) or not handler.bus.waiting
    assert handler.open == [0, 60, *[MOST_UNACKNOWLEDGED] * 4]
    assert len(published(bench)) == 360
