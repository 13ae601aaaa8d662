"""A thousand seeds; and that the simulation sees what it should, the same way each time."""

import os
import subprocess
import sys
from dataclasses import replace
from unittest.mock import patch

import pytest

from domain.consumer import Consumer
from tests.simulation.judging import judge, shrink
from tests.simulation.mutants import FOUND_BY, MUTANTS
from tests.simulation.plan import Break, Fault, Moment, draw

SEEDS, AT_ONCE = 1000, 50
MOST = 4000
"""Seeds after which a deliberate fault counts as unseen."""


TELL = """
from tests.simulation.judging import judge
from tests.simulation.plan import draw
print(*judge(draw(3), tracing=True).trace, sep="\\n")
"""


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_seeds(first: int) -> None:
    wrong = {}
    for seed in range(first, first + AT_ONCE):
        wrongs = judge(draw(seed)).wrongs
        if wrongs:
            wrong[seed] = wrongs[0]
    assert not wrong, (
        f"read one with: .venv/bin/python -m tests.simulation --seed {next(iter(wrong))}"
    )


@pytest.mark.parametrize("name", MUTANTS)
def test_a_deliberate_fault_is_found(name: str) -> None:
    # First with the seed that is known to find it; after a change of the interleaving by search.
    known = FOUND_BY[name]
    assert not judge(draw(known)).wrongs
    with MUTANTS[name]():
        assert any(judge(draw(seed)).finds for seed in (known, *range(MOST)))


@pytest.mark.parametrize("error", [TypeError, AttributeError, NameError, KeyError, ValueError])
def test_a_fault_that_only_breaks_the_run_is_not_found(error: type[Exception]) -> None:
    def rotten(*_: object, **__: object) -> None:
        raise error

    with patch.object(Consumer, "turn", rotten):
        verdict = judge(draw(0))
    assert verdict.wrongs
    assert not verdict.finds


def test_a_seed_replays_exactly() -> None:
    one, other = (judge(draw(3), tracing=True) for _ in range(2))
    assert one.trace == other.trace
    assert len(one.trace) > 20
    assert (one.counts.steps, one.wrongs) == (other.counts.steps, other.wrongs)


def test_another_process_replays_a_seed_exactly() -> None:
    """Whatever the hashes of its strings are."""
    told = [
        subprocess.run(
            [sys.executable, "-c", TELL],
            env=os.environ | {"PYTHONHASHSEED": str(hash_seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in (1, 2)
    ]
    assert told[0] == told[1]
    assert len(told[0].splitlines()) > 20


def test_only_what_was_done_to_it_is_counted() -> None:
    plan = draw(next(seed for seed in range(MOST) if not draw(seed).breaks))
    assert judge(plan).counts.crashes == 0
    crash = Break(Fault.CRASH, at=1.0, moment=Moment.POLLED)
    assert judge(replace(plan, breaks=(crash,))).counts.crashes == 1


def test_a_failing_plan_is_made_smaller() -> None:
    name = "no waiting for the bet writer"
    plan = draw(FOUND_BY[name])
    with MUTANTS[name]():
        smaller = shrink(plan, fails=lambda plan: bool(judge(plan).wrongs))
        assert judge(smaller, tracing=True).wrongs
    assert sum(map(len, smaller.clients)) < sum(map(len, plan.clients))
    assert len(smaller.breaks) <= len(plan.breaks)
