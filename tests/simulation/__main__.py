"""`python -m tests.simulation`: many seeds, or one of them to be read."""

import argparse
import re
import sys
from collections.abc import Iterator
from functools import partial
from multiprocessing import Pool
from time import monotonic

from tests.simulation.judging import Verdict, judge, shrink
from tests.simulation.mutants import MUTANTS
from tests.simulation.plan import Plan, draw
from tests.simulation.simulation import Counts

REPORTED_EVERY = 5000
"""Seeds between two lines that say how far it is."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many to try (1000)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (0)")
    parser.add_argument("--processes", type=int, help="how many run at once (one per core)")
    parser.add_argument("--seed", type=int, help="only this one: made smaller, with its trace")
    parser.add_argument(
        "--mutants", action="store_true", help="for each deliberate fault the first seed to find it"
    )
    asked = parser.parse_args()
    if asked.seed is not None:
        return _show(asked.seed)
    seeds = range(asked.first, asked.first + asked.seeds)
    with Pool(asked.processes) as pool:
        if asked.mutants:
            rows = pool.imap(partial(_hunt, seeds=seeds), MUTANTS, chunksize=1)
            return max([_print_hunt(*row) for row in rows])
        return _print_all(pool.imap_unordered(_judge, seeds, chunksize=20))


def _judge(seed: int) -> Verdict:
    return judge(draw(seed))


def _print_all(verdicts: Iterator[Verdict]) -> int:
    total, wrong, began = Counts(), 0, monotonic()
    for verdict in verdicts:
        total.add(verdict.counts)
        if verdict.wrongs:
            wrong += 1
            print(f"seed {verdict.plan.seed}: {verdict.wrongs[0]}", flush=True)
        if total.seeds % REPORTED_EVERY == 0:
            print(f"{total.seeds} seeds, {wrong} wrong", flush=True)
    print(
        f"{total.seeds} seeds, {total.steps} steps, {total.records} records, {total.bets} bets"
        f" that stood at the end, {total.crashes} crashes of consumers,"
        f" in {monotonic() - began:.0f} s: {wrong} wrong"
    )
    print("faults:", ", ".join(f"{n} {fault}" for fault, n in total.faults.most_common()))
    if wrong:
        print("read one with: .venv/bin/python -m tests.simulation --seed N")
    return int(wrong > 0)


def _hunt(name: str, seeds: range) -> tuple[str, int | None, str]:
    """The first seed that finds a deliberate fault, and what it says."""
    with MUTANTS[name]():
        for seed in seeds:
            verdict = judge(draw(seed))
            if verdict.finds:
                return name, seed, verdict.wrongs[0]
    return name, None, ""


def _print_hunt(name: str, seed: int | None, wrong: str) -> int:
    print(f"{name}: {'NOT FOUND' if seed is None else seed}  {wrong[:100]}", flush=True)
    return int(seed is None)


def _show(seed: int) -> int:
    plan = draw(seed)
    found = judge(plan).wrongs
    if found:
        kind = _kind(found[0])
        plan = shrink(plan, fails=lambda plan: kind in map(_kind, judge(plan).wrongs))
    verdict = judge(plan, tracing=True)
    _print_plan(plan)
    print("\n".join(verdict.trace))
    print("\n".join(verdict.wrongs) or "nothing is wrong")
    return int(bool(found))


def _kind(wrong: str) -> str:
    """What is wrong, without whom it befell."""
    return re.sub(r"[0-9a-f-]{36}|\d+", "#", wrong)[:40]


def _print_plan(plan: Plan) -> None:
    for number, asks in enumerate(plan.clients):
        print(f"client-{number}:", ", ".join(map(str, asks)))
    for each in plan.breaks:
        print(each)
    print(f"{plan.members} members of each group, batches of {plan.batch}, {plan.slices} slices")


if __name__ == "__main__":
    sys.exit(main())
