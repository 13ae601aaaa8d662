"""A goal on an event of many bets takes no more memory than one on an event of few."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from domain.bets import Market
from tests.contracts.poison import a_bet
from tests.integration.system import Processes, running_on_kafka

MEASURED = ("event-writer-0", "bet-writer-0", "bet-scorer-0")
MARKETS = [market.value for market in Market]
FEW, MANY = 12_000, 60_000
"""Bets. Both are more than a page and a batch of slices: what grows from here, grows for ever."""

MOST_MORE = 10.0
"""MB that the larger event may take beyond the other one."""

STEPS = ({"state": "active"}, {"score": "1-0"}, {"score": "0-1"}, {"score": "1-1"})


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Processes]:
    with running_on_kafka(tmp_path) as system:
        yield system


@pytest.mark.long
def test_memory_stays_flat(system: Processes) -> None:
    events = {bets: an_event_with(system, bets) for bets in (FEW, MANY)}
    peaks = {}
    for bets, event in events.items():
        # What they took while bets were placed would hide what they take now.
        for name in MEASURED:
            assert system.stop_one(name) == 0
            system.start_one(name)
        system.are_ready()
        rescore(system, event, bets)
        peaks[bets] = {name: peak(system, name) for name in MEASURED}
    for name in MEASURED:
        assert peaks[MANY][name] - peaks[FEW][name] < MOST_MORE, peaks


def an_event_with(system: Processes, bets: int) -> str:
    event: str = system.client.event()["id"]
    system.append(*(a_bet(UUID(event), number) for number in range(bets)))
    system.client.becomes(
        event,
        **{market: {"none": len(range(rank, bets, 3))} for rank, market in enumerate(MARKETS)},
    )
    return event


def rescore(system: Processes, event: str, bets: int) -> None:
    """Move all of its bets, several times."""
    for step in STEPS:
        system.client.update(event, **step)
        home, away = map(int, step.get("score", "0-0").split("-"))
        leads = [home > away, home == away, home < away]
        system.client.becomes(
            event,
            **{
                market: {"winning" if leads[rank] else "losing": len(range(rank, bets, 3))}
                for rank, market in enumerate(MARKETS)
            },
        )


def peak(system: Processes, name: str) -> float:
    """The most memory that the process has held since it was started, in MB."""
    status = Path(f"/proc/{system.running[name].process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024
