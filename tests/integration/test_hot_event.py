"""A goal takes no more memory than a batch does, however many bets it moves."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from domain.bets import Market
from tests.contracts.poison import a_bet
from tests.integration.system import Processes, running_on_kafka

MEASURED = ("event-writer-0", "bet-writer-0", "bet-scorer-0")
MARKETS = [market.value for market in Market]
BETS = 150_000
"""Several times what is read ahead (40,000 bets) and written at once (20,000): what still grows
then, grows for ever."""

MOST_MORE = 60.0
"""MB beyond what a process takes at rest: room for what is read ahead and written at once."""

STEPS = ({"state": "active"}, {"score": "1-0"}, {"score": "0-1"}, {"score": "1-1"})


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Processes]:
    with running_on_kafka(tmp_path) as system:
        yield system


@pytest.mark.long
def test_memory_stays_flat(system: Processes) -> None:
    event = an_event_with(system, BETS)
    # What they took while bets were placed would hide what they take now.
    for name in MEASURED:
        assert system.stop_one(name) == 0
        system.start_one(name)
    system.are_ready()
    rest = {name: peak(system, name) for name in MEASURED}
    rescore(system, event, BETS)
    more = {name: peak(system, name) - rest[name] for name in MEASURED}
    assert max(more.values()) < MOST_MORE, more


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
