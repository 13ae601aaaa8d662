"""Writes docs/state-machines.md from the domain's own tables: `.venv/bin/python -m docs.diagrams`.

Nobody edits that page by hand; a test holds it to what `page` gives.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from domain.bets import BET_TRANSITIONS, BetState, Market
from domain.evaluator import evaluate, leader
from domain.events import EVENT_TRANSITIONS, FROZEN_ONCE_STARTED, EventState
from domain.score import Score

PAGE = Path(__file__).with_name("state-machines.md")

SCORES = tuple(map(Score.parse, ("1-0", "0-0", "0-1")))
"""One for each market to lead at."""

State = TypeVar("State", bound=StrEnum)

TEXT = """\
# State machines

Drawn by `.venv/bin/python -m docs.diagrams` from the tables in
[events.py](../src/domain/events.py) and [bets.py](../src/domain/bets.py): change the tables
and draw again, don't edit this page.

## An event

{events}

While an event is `created`, bets are taken, and these may change: {frozen}.
While it is `active`, the score may change, up or down. The step to `finished` may bring a last
score with it; the step to `active` brings nothing.

## A bet

{bets}

These are the steps from one version of the event to the next. A bet that several versions reach at
once goes straight to the state of the newest one.

## From an event to its bets

No bet is counted up or down. How it stands follows from its market, the event's state and the
score, and from nothing else. At {leaders}.

{outcomes}
"""


def page() -> str:
    """The whole page."""
    return TEXT.format(
        events="\n".join(diagram(EVENT_TRANSITIONS, EventState.CREATED)),
        frozen=", ".join(f"`{name}`" for name in FROZEN_ONCE_STARTED),
        bets="\n".join(diagram(BET_TRANSITIONS, BetState.NONE)),
        leaders=", at ".join(f"{score} the leader is `{leader(score)}`" for score in SCORES),
        outcomes="\n".join(outcomes()),
    )


def diagram(table: Mapping[State, frozenset[State]], first: State) -> Iterator[str]:
    """A state machine in mermaid, from its first state to those without a way out."""
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"    [*] --> {first}"
    for state, steps in table.items():
        # In the table's order: a set has none.
        yield from (f"    {state} --> {after}" for after in table if after in steps)
        if not steps:
            yield f"    {state} --> [*]"
    yield "```"


def outcomes() -> Iterator[str]:
    """How a bet stands, as the evaluator says."""
    yield "| event | bet on the leader | bet on another market |"
    yield "| --- | --- | --- |"
    for state in EventState:
        found: dict[bool, set[str]] = {True: set(), False: set()}
        for score in SCORES:
            for market in Market:
                found[market is leader(score)].add(evaluate(market, state, score))
        yield f"| {state} | {' '.join(found[True])} | {' '.join(found[False])} |"


if __name__ == "__main__":
    PAGE.write_text(page())
