"""A consumer's life: whatever goes wrong in it is said, and doesn't end it."""

import threading
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any, cast

import pytest

from domain.consumer import Consumer, Step
from domain.errors import DatabaseUnavailable, Misconfigured
from domain.log import EVENTS_TAXONOMY, LogPartition
from domain.ports import Listener
from domain.reading import Reading
from domain.records import ConsumerName
from entrypoints.runner import ConsumerRunner
from tests.samples import LOG

PATIENCE = 30.0


class Part:
    """A consumer and its listener in one. The second call of one kind fails, and no other."""

    is_waiting = False
    readings: Collection[Reading] = ()

    def __init__(self, fails_in: str, error: Exception) -> None:
        self._fails_in = fails_in
        self._error = error
        self.calls: Counter[str] = Counter()
        self.restarts = 0
        self.turned = threading.Event()

    def _call(self, name: str) -> None:
        self.calls[name] += 1
        if name == self._fails_in and self.calls[name] == 2:
            raise self._error

    def turn(self, *, idle: float) -> Iterator[Step]:
        self._call("turn")
        if self.restarts:
            self.turned.set()
        yield Step.COMMITTED

    def wait(self, timeout: float) -> bool:
        self._call("wait")
        return False

    def restart(self) -> None:
        self.restarts += 1

    def close(self) -> None:
        pass


@pytest.mark.parametrize("call", ["turn", "wait"])
@pytest.mark.parametrize("error", [DatabaseUnavailable("away"), ValueError("a fault of ours")])
def test_it_goes_on_whatever_fails(call: str, error: Exception) -> None:
    part, stop = Part(call, error), threading.Event()
    runner = ConsumerRunner(
        ConsumerName.BET_WRITER,
        make=lambda: cast("Consumer", cast("Any", part)),
        listen=lambda: cast("Listener", cast("Any", part)),
        stop=stop,
        close=part.close,
    )
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    assert part.turned.wait(PATIENCE)
    stop.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert part.restarts == 1
    assert runner.trouble is None


def test_what_is_told_is_heard_while_it_cannot_go_on() -> None:
    """PostgreSQL keeps for every listener what it has not heard, and that holds up all others."""
    listener, stop = Part("none", ValueError()), threading.Event()

    def missing() -> Consumer:
        if listener.calls["wait"] == 3:
            stop.set()
        raise Misconfigured("the topic bets.state does not exist")

    runner = ConsumerRunner(
        ConsumerName.BET_WRITER,
        make=missing,
        listen=lambda: cast("Listener", cast("Any", listener)),
        stop=stop,
        close=listener.close,
    )
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    stop.set()
    assert listener.calls["wait"] >= 3


def test_what_is_known_is_told_while_it_cannot_go_on() -> None:
    """A lag doesn't vanish from the metrics just when nothing goes on."""
    part = Part("turn", DatabaseUnavailable("away"))
    runner = ConsumerRunner(
        ConsumerName.BET_WRITER,
        make=lambda: cast("Consumer", cast("Any", part)),
        listen=lambda: cast("Listener", cast("Any", part)),
        stop=threading.Event(),
        close=part.close,
    )
    reading = Reading(LogPartition(EVENTS_TAXONOMY, 0, LOG), 3, end=10)
    runner.consumer = runner._make()
    runner.trouble = None
    part.readings = (reading,)
    assert runner.readings() == (reading,)
    part.readings = ()
    runner.trouble = "away"
    assert runner.readings() == (reading,)
    runner.trouble = None
    assert runner.readings() == ()
