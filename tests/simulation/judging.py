"""Runs seeds, and makes a failing plan small enough to be read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar
from unittest.mock import patch

from tests.simulation.oracle import Oracle
from tests.simulation.plan import Ask, Plan
from tests.simulation.simulation import Counts, Simulation

Item = TypeVar("Item")
SLICE_SIZE, PAGE = 2, 4
"""Bets in a slice, and in one query: small, so that a dozen bets make several."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was wrong with a run; nothing, if it was right."""

    plan: Plan
    wrongs: tuple[str, ...]
    counts: Counts
    trace: tuple[str, ...] = ()
    broke: bool = False
    """Whether the run itself came to an end by an error: wrong, but a promise that nobody checked.
    A deliberate fault that does no more than that has only grown out of date."""

    @property
    def finds(self) -> bool:
        """Whether something was seen that must not be."""
        return bool(self.wrongs) and not self.broke


def judge(plan: Plan, *, tracing: bool = False) -> Verdict:
    """Run a plan to its end."""
    simulation = Simulation(plan, tracing=tracing)
    broke = False
    with _small_slices():
        try:
            simulation.run()
            wrongs = list(Oracle(simulation).wrongs())
        except AssertionError as seen:
            wrongs = [f"AssertionError: {seen}"]
        except Exception as error:  # noqa: BLE001 - whatever it is, it is wrong
            wrongs, broke = [f"{type(error).__name__}: {error}"], True
    counts = simulation.counts
    counts.bets = len(simulation.database.snapshot().bets)
    return Verdict(plan, tuple(wrongs), counts, tuple(simulation.chronicle.trace), broke)


def shrink(plan: Plan, *, fails: Callable[[Plan], bool]) -> Plan:
    """A smaller plan that fails, too: without each break, each client and each request that it
    doesn't need."""
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(plan):
            if fails(candidate):
                plan, smaller = candidate, True
                break
    return plan


def _smaller(plan: Plan) -> Iterator[Plan]:
    for number in range(len(plan.clients)):
        yield replace(plan, clients=_without(plan.clients, number))
    for number in range(len(plan.breaks)):
        yield replace(plan, breaks=_without(plan.breaks, number))
    if plan.members > 1:
        yield replace(plan, members=1)
    if plan.duplicated:
        yield replace(plan, duplicated=0.0)
    if plan.unacknowledged:
        yield replace(plan, unacknowledged=0.0)
    if plan.given_up:
        yield replace(plan, given_up=0.0)
    for number, asks in enumerate(plan.clients):
        for which in range(len(asks)):
            fewer = _without(asks, which)
            yield replace(plan, clients=_with(plan.clients, number, fewer))


def _without(items: tuple[Item, ...], number: int) -> tuple[Item, ...]:
    return items[:number] + items[number + 1 :]


def _with(
    clients: tuple[tuple[Ask, ...], ...], number: int, asks: tuple[Ask, ...]
) -> tuple[tuple[Ask, ...], ...]:
    return (*clients[:number], asks, *clients[number + 1 :])


@contextmanager
def _small_slices() -> Iterator[None]:
    with (
        patch("domain.bet_scorer.SLICE_SIZE", SLICE_SIZE),
        patch("domain.bet_scorer.PAGE", PAGE),
    ):
        yield
