"""From the goal to the last bet written: follows what the Bet Scorer told until it is in the table.

A thread asks how far the Bet Writer has come, only while something is on its way, and the less
often the longer the newest takes: its measurement is late by a tenth of itself at most, or by 10
ms; that of an older one by a second. It holds up nobody, and what a restart makes it forget is not
measured.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from threading import Condition, Thread
from typing import Protocol

from domain.errors import TouchlineError
from domain.log import BETS_STATE
from domain.messages import EventMessage
from domain.observing import Told
from domain.ports import Database
from domain.records import ConsumerName
from domain.rulings import Fate, Request, Ruling

SHORTEST_LOOK = 0.01
LONGEST_LOOK = 1.0
SHARE = 0.1
"""Seconds between two looks: this share of how long it has been waited for already."""

MOST_FOLLOWED = 100_000
"""Versions on their way; of more the newest are not measured."""

GIVEN_UP = 3600.0
"""Seconds after which a version is no longer followed: its log may be gone."""

_log = logging.getLogger(__name__)


class Goals(Protocol):
    """Where it is noted."""

    def goal(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """Versions that were scored together, and where the Bet Writer must have come."""

    asked_at: tuple[datetime, ...]
    next_offsets: Mapping[int, int]
    told_at: float

    def is_written(self, reached: Mapping[tuple[ConsumerName, int], int]) -> bool:
        return all(
            reached.get((ConsumerName.BET_WRITER, partition), 0) >= offset
            for partition, offset in self.next_offsets.items()
        )


class LastBets:
    """Follows every version that moved bets. Versions of an event that were scored together are
    written together, and each counts."""

    def __init__(
        self,
        database: Database,
        goals: Goals,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._database = database
        self._goals = goals
        self._now = now
        self._monotonic = monotonic
        self._batches: list[_Batch] = []
        self._reached: Mapping[tuple[ConsumerName, int], int] = {}
        self._looked_at = monotonic()
        self._is_closed = False
        self._thread: Thread | None = None
        self._news = Condition()

    def follow(
        self, told: Sequence[Told], requests: Sequence[Request], rulings: Sequence[Ruling]
    ) -> None:
        """These slices were told for those of the requests that made a version."""
        moved = {each.event_id for each in told}
        next_offsets: dict[int, int] = {}
        for _, _, placed in told:
            reached = next_offsets.get(placed.partition, 0)
            next_offsets[placed.partition] = max(reached, placed.offset + 1)
        asked_at = tuple(
            message.time
            for (_, message), ruling in zip(requests, rulings, strict=True)
            if ruling is Fate.APPLIED
            and isinstance(message, EventMessage)
            and message.event.id in moved
        )
        batch = _Batch(asked_at=asked_at, next_offsets=next_offsets, told_at=self._monotonic())
        with self._news:
            if self._is_closed or self.followed + len(asked_at) > MOST_FOLLOWED:
                return
            self._batches.append(batch)
            if self._thread is None:
                thread = Thread(target=self._run, name="last-bets", daemon=True)
                with suppress(
                    RuntimeError
                ):  # no thread to be had: the next one to come tries again
                    thread.start()
                    self._thread = thread
            self._news.notify()

    @property
    def followed(self) -> int:
        """Versions that are on their way."""
        return sum(len(batch.asked_at) for batch in self._batches)

    def close(self) -> None:
        with self._news:
            self._is_closed = True
            self._news.notify()

    def look(self) -> None:
        """See which of them have arrived. Raises Unavailable when nobody can tell."""
        with self._database.transaction() as uow:
            reached = uow.positions.reached(BETS_STATE)
        now, moment = self._now(), self._monotonic()
        with self._news:
            batches, self._batches = self._batches, []
            if any(reached.get(each, 0) < offset for each, offset in self._reached.items()):
                batches = []  # of another log: the topic was made anew, or the database restored
            self._reached = reached
            for batch in batches:
                if batch.is_written(reached):
                    for asked_at in batch.asked_at:
                        self._goals.goal(max((now - asked_at).total_seconds(), 0.0))
                elif moment - batch.told_at < GIVEN_UP:
                    self._batches.append(batch)

    def _run(self) -> None:
        while self._is_time():
            try:
                self.look()
            except TouchlineError:
                # Away: what is on its way is still on its way.
                continue
            except Exception:  # noqa: BLE001 - whatever it is: the next look may succeed
                _log.exception("following goals failed")

    def _is_time(self) -> bool:
        """Wait until it is time for a look; False once closed."""
        with self._news:
            self._news.wait_for(lambda: self._is_closed or self._batches)
            while not self._is_closed and (left := self._due_at() - self._monotonic()) > 0:
                if not self._news.wait(left):
                    break
            self._looked_at = self._monotonic()
            return not self._is_closed

    def _due_at(self) -> float:
        """When the next look is due: soon, if there is something new."""
        waited = self._looked_at - self._batches[-1].told_at
        return self._looked_at + min(max(SHARE * waited, SHORTEST_LOOK), LONGEST_LOOK)
