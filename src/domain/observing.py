"""What the consumers' loop tells whoever observes it: how long its parts took, and what it did.

It tells this batch by batch and decides nothing by it; an observer is quick and never raises.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol
from uuid import UUID

from domain.log import LogPartition, Placed
from domain.messages import BetsStateChanged, Message
from domain.rulings import Request, Ruling


class Part(StrEnum):
    """The parts of one turn of the loop."""

    POLL = "poll"
    """Waiting for records is part of it."""
    DECODE = "decode"
    PUBLISH = "publish"
    """Of the Bet Scorer: find the bets, publish their states, have each record acknowledged."""
    DECIDE = "decide"
    """Cut the batch, judge it, and write its effects."""
    WRITE = "write"
    """Refusals, dead letters, positions."""
    COMMIT = "commit"


class Told(NamedTuple):
    """A slice that was published and acknowledged, without its bets."""

    event_id: UUID
    bets: int
    placed: Placed


class Observer(Protocol):
    """Who observes one consumer."""

    def took(self, part: Part, seconds: float) -> None:
        """A part of a turn is over."""
        ...

    def told(self, slices: Sequence[Told]) -> None:
        """All that the batch in hand moves is acknowledged; its position is not recorded yet, and
        where that fails all is told again."""
        ...

    def did(
        self,
        taken: Mapping[LogPartition, int],
        requests: Sequence[Request],
        rulings: Sequence[Ruling],
    ) -> None:
        """A batch of so many records is committed; one ruling for each of its requests."""
        ...


class Unobserved:
    """Nobody looks."""

    def took(self, part: Part, seconds: float) -> None:
        """Not noted."""

    def told(self, slices: Sequence[Told]) -> None:
        """Not noted."""

    def did(
        self,
        taken: Mapping[LogPartition, int],
        requests: Sequence[Request],
        rulings: Sequence[Ruling],
    ) -> None:
        """Not noted."""


class Stopwatch:
    """Times parts that follow one another."""

    def __init__(self, observer: Observer, monotonic: Callable[[], float]) -> None:
        self._observer = observer
        self._monotonic = monotonic
        self._since = 0.0

    def start(self) -> None:
        self._since = self._monotonic()

    def stop(self, part: Part) -> None:
        """The part ends here, and the next one begins."""
        now = self._monotonic()
        self._observer.took(part, now - self._since)
        self._since = now


def bets_in(message: Message) -> int:
    """How many bets a message tells of, if it is a slice."""
    return len(message.bets) if isinstance(message, BetsStateChanged) else 0
