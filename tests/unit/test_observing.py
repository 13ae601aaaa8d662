"""What the loop tells its observer: how long its parts took, what was told, and what it did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from adapters.memory.log import Delivery
from domain.consumer import Consumer
from domain.errors import BusUnavailable
from domain.log import LogPartition
from domain.observing import Part, Told, Unobserved, bets_in
from domain.records import ConsumerName
from domain.rulings import Fate, Request, Ruling
from tests.samples import a_slice, a_version, active, an_event, created
from tests.unit.bench import CODEC, Bench, Noting, a_message, junk, turn, work


@dataclass
class Notebook:
    """An observer that writes down what it is told."""

    parts: list[tuple[Part, float]] = field(default_factory=list)
    slices: list[Sequence[Told]] = field(default_factory=list)
    batches: list[tuple[Mapping[LogPartition, int], int, Sequence[Ruling]]] = field(
        default_factory=list
    )

    def took(self, part: Part, seconds: float) -> None:
        self.parts.append((part, seconds))

    def told(self, slices: Sequence[Told]) -> None:
        self.slices.append(slices)

    def did(
        self,
        taken: Mapping[LogPartition, int],
        requests: Sequence[Request],
        rulings: Sequence[Ruling],
    ) -> None:
        self.batches.append((taken, len(requests), rulings))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def observed(bench: Bench, handler: Noting) -> tuple[Consumer, Notebook]:
    """A member that has its partitions; each look at the clock takes a second."""
    notebook = Notebook()

    def monotonic() -> float:
        bench.seconds += 1
        return bench.seconds

    member = Consumer(
        handler,
        bus=bench.bus,
        codec=CODEC,
        database=bench.database,
        monotonic=monotonic,
        observer=notebook,
    )
    turn(member)
    notebook.parts.clear()
    return member, notebook


def test_each_part_takes_its_time(bench: Bench) -> None:
    member, notebook = observed(bench, Noting())
    bench.append(a_message())
    turn(member)
    parts = [Part.POLL, Part.DECODE, Part.DECIDE, Part.WRITE, Part.COMMIT]
    assert notebook.parts == [(part, 1.0) for part in parts]


def test_what_others_do_between_two_steps_is_no_part(bench: Bench) -> None:
    member, notebook = observed(bench, Noting())
    bench.append(a_message())
    for _ in member.turn(idle=0):
        bench.seconds += 100
    assert {seconds for _, seconds in notebook.parts} == {1.0}


def test_a_turn_without_records_only_polls(bench: Bench) -> None:
    member, notebook = observed(bench, Noting())
    turn(member)
    assert [part for part, _ in notebook.parts] == [Part.POLL]
    assert notebook.batches == []


def test_who_polls_during_its_work_times_both(bench: Bench) -> None:
    told = [[a_slice(version=a_version(active(), at=0))]]
    handler = Noting(name=ConsumerName.BET_SCORER, publishes=True, told=told)
    member, notebook = observed(bench, handler)
    bench.append(a_message())
    for _ in member.turn(idle=0):
        member.keep_alive()
    found = dict(notebook.parts)
    assert found.keys() == set(Part)
    assert found[Part.PUBLISH] > found[Part.POLL]


def test_a_batch_with_what_became_of_it(bench: Bench) -> None:
    member, notebook = observed(bench, Noting())
    bench.append(a_message(0), junk(0), a_message(1), a_message(0))
    work(member)
    assert notebook.batches == [({bench.source(0): 3, bench.source(1): 1}, 3, [Fate.APPLIED] * 3)]


def test_what_was_told_is_told_before_the_batch_is_done(bench: Bench) -> None:
    version = a_version(active(), at=0)
    told = [[a_slice(version=version, number=n)] for n in range(2)]
    handler = Noting(name=ConsumerName.BET_SCORER, publishes=True, told=told)
    member, notebook = observed(bench, handler)
    bench.append(a_message())
    work(member)
    (slices,) = notebook.slices
    assert [(each.event_id, each.bets) for each in slices] == [(version.event_id, 1)] * 2
    places = {(each.placed.partition, each.placed.offset) for each in slices}
    assert {r.position[1:] for r in bench.bus.read("bets.state")} == places
    assert len(notebook.batches) == 1


def test_nothing_is_told_of_what_was_not_acknowledged(bench: Bench) -> None:
    told = [[a_slice(version=a_version(active(), at=0))]]
    handler = Noting(name=ConsumerName.BET_SCORER, publishes=True, told=told)
    member, notebook = observed(bench, handler)
    bench.append(a_message())
    bench.log.deliver = lambda _: Delivery.UNACKNOWLEDGED
    with pytest.raises(BusUnavailable):
        turn(member)
    assert (notebook.slices, notebook.batches) == ([], [])


def test_only_slices_tell_of_bets() -> None:
    assert bets_in(a_slice(version=a_version(active(), at=0))) == 1
    assert bets_in(created(an_event())) == 0


def test_nobody_has_to_look() -> None:
    nobody = Unobserved()
    nobody.took(Part.POLL, 1.0)
    nobody.told([])
    nobody.did({}, [], [])
