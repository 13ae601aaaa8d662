"""A consumer's life: whatever goes wrong in it is said, and doesn't end it."""

import errno
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
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


def runner_of(
    part: Part,
    stop: threading.Event,
    *,
    make: Callable[[], Consumer] | None = None,
    listen: Callable[[], Listener] | None = None,
) -> ConsumerRunner:
    """Its consumer and its listener are this part, unless they are made in another way."""
    return ConsumerRunner(
        ConsumerName.BET_WRITER,
        make=make or (lambda: cast("Consumer", cast("Any", part))),
        listen=listen or (lambda: cast("Listener", cast("Any", part))),
        stop=stop,
        close=part.close,
    )


@pytest.mark.parametrize("call", ["turn", "wait"])
@pytest.mark.parametrize("error", [DatabaseUnavailable("away"), ValueError("a fault of ours")])
def test_it_goes_on_whatever_fails(
    call: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrypoints.runner.WELL_AFTER", 0)
    part, stop = Part(call, error), threading.Event()
    runner = runner_of(part, stop)
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    assert part.turned.wait(PATIENCE)
    stop.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert part.restarts == 1
    assert runner.trouble is None


def test_it_goes_on_once_it_can_listen() -> None:
    part, stop = Part("none", ValueError()), threading.Event()
    part.restart()
    refusals = iter([OSError(errno.EMFILE, "Too many open files")])

    def listen() -> Listener:
        for error in refusals:
            raise error
        return cast("Listener", cast("Any", part))

    runner = runner_of(part, stop, listen=listen)
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    assert part.turned.wait(PATIENCE)
    stop.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_what_is_told_is_heard_while_it_cannot_go_on() -> None:
    """PostgreSQL keeps for every listener what it has not heard, and that holds up all others."""
    listener, stop = Part("none", ValueError()), threading.Event()

    def missing() -> Consumer:
        if listener.calls["wait"] == 3:
            stop.set()
        raise Misconfigured("the topic bets.state does not exist")

    runner = runner_of(listener, stop, make=missing)
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    stop.set()
    assert listener.calls["wait"] >= 3


def test_what_is_known_is_told_while_it_cannot_go_on() -> None:
    """A lag doesn't vanish from the metrics just when nothing goes on."""
    part = Part("turn", DatabaseUnavailable("away"))
    runner = runner_of(part, threading.Event())
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


# How long it waits after an error, and when it is well again


Outcome = tuple[float, Step | Exception]
"""How many seconds a turn takes, and how it ends."""


class Script(Part, threading.Event):
    """A consumer with such turns; and the clock and the end of it."""

    def __init__(self, *turns: Outcome) -> None:
        Part.__init__(self, "none", ValueError())
        threading.Event.__init__(self)
        self._turns = iter(turns)
        self.seconds = 0.0
        self.pauses: list[float] = []
        self.troubled: list[bool] = []
        """Whether the runner was, before each turn but the first."""
        self.runner = runner_of(self, self)

    def turn(self, *, idle: float) -> Iterator[Step]:
        self.troubled.append(self.runner.trouble is not None)
        seconds, outcome = next(self._turns, (0, None))
        self.seconds += seconds
        yield Step.POLLED
        match outcome:
            case None:
                self.set()
            case Exception():
                raise outcome
            case _:
                yield outcome

    def wait(self, timeout: float | None = None) -> bool:
        if timeout:
            self.pauses.append(timeout)
            self.seconds += timeout
        return False

    def play(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patch:
            patch.setattr("entrypoints.runner.time.monotonic", lambda: self.seconds)
            patch.setattr("entrypoints.runner.random.uniform", lambda *_: 1)
            self.runner.run()
        del self.troubled[0]


READS: Outcome = (0.0, Step.POLLED)
IDLES: Outcome = (0.5, Step.POLLED)
COMMITS: Outcome = (0.0, Step.COMMITTED)
FAILS: Outcome = (0.0, DatabaseUnavailable("away"))


def test_it_waits_longer_and_longer_though_it_can_begin_to_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error lies in a batch, and that is not the first thing that is tried again."""
    script = Script(*[READS, FAILS] * 8)
    script.play(monkeypatch)
    assert script.pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5]
    assert script.troubled == [False] + [True] * 15


def test_who_gets_on_is_not_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(*[COMMITS, FAILS] * 4)
    script.play(monkeypatch)
    assert script.pauses == [0.1] * 4
    assert script.troubled == [False] + [True] * 7


def test_it_is_well_again_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(READS, FAILS, FAILS, IDLES, IDLES, IDLES, FAILS)
    script.play(monkeypatch)
    assert script.pauses == [0.1, 0.2, 0.1]
    assert script.troubled == [False, True, True, True, False, False, True]
