"""What all transactions of one database share."""

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from threading import Condition
from uuid import UUID

from adapters.memory.locks import Locks, Wait
from adapters.memory.tables import Tables


class CommitFault(Enum):
    """How a commit fails; the caller can't tell which it was."""

    BEFORE = "before"
    """Nothing was written."""
    AFTER = "after"
    """Everything was written, but the answer was lost."""


class Store:
    """The committed tables, the row locks, and the clock. `monitor` guards everything in here."""

    def __init__(self, *, now: Callable[[], datetime], wait: Wait | None) -> None:
        self.now = now
        self.monitor = Condition()
        self.tables = Tables()
        self.locks = Locks(self.monitor, wait)
        self.moves = 0
        """How many commits moved positions."""
        self.changed: list[frozenset[UUID] | None] = []
        """The events that each commit told of; None where any may have changed: they
        were too many, or a backup was restored."""
        self.fault: CommitFault | None = None
        """How the next commit fails."""
        self._last_letter_id = 0

    def next_letter_id(self) -> int:
        """The next number of the dead letters' sequence, which no rollback turns back."""
        with self.monitor:
            self._last_letter_id += 1
            return self._last_letter_id
