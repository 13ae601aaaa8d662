"""What the simulation itself has seen: every record that was ever in a log, and every answer."""

from dataclasses import dataclass, field
from enum import StrEnum, auto
from uuid import UUID

from domain.bets import Bet
from domain.events import Event
from domain.log import LogPartition
from domain.records import ConsumerName


class Outcome(StrEnum):
    """How a request ended for its client."""

    OK = auto()
    REFUSED = auto()
    """Refused by a verdict, at its place in the log: for good."""
    TURNED_AWAY = auto()
    """Refused by the quick checks: nothing was published."""
    UNKNOWN = auto()
    """No answer, 202 or 503: it may have happened or not."""


@dataclass(slots=True)
class Entry:
    """One request. `deed` and the ids are the simulation's words, not the handlers'."""

    deed: str
    outcome: Outcome
    asked_at: float
    answered_at: float
    event: UUID | None = None
    bet: UUID | None = None
    market: str | None = None
    user: str | None = None
    wanted: dict[str, object] = field(default_factory=dict)
    """What an update asks of its event."""
    message: UUID | None = None
    published: bool = False
    answered_event: Event | None = None
    answered_bet: Bet | None = None
    reason: str | None = None


@dataclass(slots=True)
class Kept:
    """A record as it was appended."""

    key: bytes | None
    value: bytes | None
    at: float
    garbage: bool


@dataclass(slots=True)
class Loss:
    """A tail that was lost, and who has to notice it: who had read beyond its beginning, and who
    follows one that had."""

    source: LogPartition
    at: float
    end: int
    until: int
    """Somebody had read what lay before this offset."""
    noticed_by: set[ConsumerName]


@dataclass(slots=True)
class Chronicle:
    """All of it, in the order in which it happened."""

    entries: list[Entry] = field(default_factory=list)
    story: dict[LogPartition, list[Kept]] = field(default_factory=dict)
    """What was first at each place, whatever became of it."""
    rewritten: dict[LogPartition, list[Kept]] = field(default_factory=dict)
    """What was appended to a partition after it had lost its tail, from the loss's `end` on."""
    logs: dict[str, list[UUID]] = field(default_factory=dict)
    """Each topic's incarnations, oldest first."""
    losses: list[Loss] = field(default_factory=list)
    heads: dict[LogPartition, int] = field(default_factory=dict)
    """Where retention let a partition begin."""
    restored_to: list[float] = field(default_factory=list)
    """When the backups were made to which the database went back."""
    trace: list[str] = field(default_factory=list)

    def unhealed(self) -> list[Loss]:
        """The losses that can be told: of the others all that anybody had read lies there again,
        byte for byte, as slices do that the Bet Scorer had to repeat."""
        return [loss for loss in self.losses if not self._is_healed(loss)]

    def _is_healed(self, loss: Loss) -> bool:
        lost = self.story[loss.source][loss.end : loss.until]
        again = self.rewritten.get(loss.source, [])[: len(lost)]
        return bool(lost) and [(k.key, k.value) for k in lost] == [(k.key, k.value) for k in again]

    def append(self, source: LogPartition, offset: int, kept: Kept) -> None:
        if any(loss.source == source for loss in self.losses):
            self.rewritten.setdefault(source, []).append(kept)
            return
        records = self.story.setdefault(source, [])
        assert offset == len(records), "the memory log gave an offset twice, or left one out"
        records.append(kept)
