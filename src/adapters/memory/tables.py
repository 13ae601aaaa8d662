"""The committed rows, and a table as one transaction sees it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from domain.bets import Bet
from domain.log import LogPartition
from domain.records import ConsumerName, DeadLetter, EventVersion, Position, Refusal, StoredEvent

Key = TypeVar("Key")
Row = TypeVar("Row")


class LogRow(NamedTuple):
    """A known log. Generations rise over all topics."""

    topic: str
    generation: int


class PositionKey(NamedTuple):
    """Whose position, and where. Sorts in the order in which locks are taken."""

    consumer: ConsumerName
    source: LogPartition


class PositionRow(NamedTuple):
    """A position, and when its consumer last stood at the end."""

    position: Position
    caught_up_at: datetime | None = None


class VersionKey(NamedTuple):
    """One version of one event."""

    event_id: UUID
    version: int


class Place(NamedTuple):
    """The place of one record, with its topic."""

    source: LogPartition
    offset: int


@dataclass(slots=True)
class Tables:
    """Everything that is committed. Rows are immutable; so a copy is a backup."""

    logs: dict[UUID, LogRow] = field(default_factory=dict)
    positions: dict[PositionKey, PositionRow] = field(default_factory=dict)
    events: dict[UUID, StoredEvent] = field(default_factory=dict)
    event_versions: dict[VersionKey, EventVersion] = field(default_factory=dict)
    bets: dict[UUID, Bet] = field(default_factory=dict)
    refusals: dict[Place, Refusal] = field(default_factory=dict)
    deletions: dict[UUID, None] = field(default_factory=dict)
    dead_letters: dict[Place, DeadLetter] = field(default_factory=dict)

    def copy(self) -> "Tables":
        return Tables(**{each.name: dict(getattr(self, each.name)) for each in fields(self)})

    def replace_by(self, other: "Tables") -> None:
        """Hold what `other` holds, in the same dictionaries as before."""
        for each in fields(self):
            mine = getattr(self, each.name)
            mine.clear()
            mine.update(getattr(other, each.name))


class View(Generic[Key, Row]):
    """A table as one transaction sees it: what is committed now, beneath what it wrote itself."""

    def __init__(self, committed: dict[Key, Row]) -> None:
        self._committed = committed
        self._written: dict[Key, Row] = {}
        self._removed: set[Key] = set()

    def __contains__(self, key: Key) -> bool:
        return key in self._written or (key in self._committed and key not in self._removed)

    def get(self, key: Key) -> Row | None:
        if key in self._written:
            return self._written[key]
        return None if key in self._removed else self._committed.get(key)

    def put(self, key: Key, row: Row) -> None:
        self._written[key] = row
        self._removed.discard(key)

    def remove(self, key: Key) -> None:
        self._written.pop(key, None)
        self._removed.add(key)

    def items(self) -> Iterator[tuple[Key, Row]]:
        """All rows, in no order."""
        yield from self._written.items()
        for key, row in self._committed.items():
            if key not in self._written and key not in self._removed:
                yield key, row

    def rows(self) -> Iterator[Row]:
        return (row for _, row in self.items())

    def apply(self) -> None:
        """Commit what was written."""
        for key in self._removed:
            self._committed.pop(key, None)
        self._committed.update(self._written)
        self._written.clear()
        self._removed.clear()
