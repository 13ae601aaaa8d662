"""What the clients of a server process are handed: sights of views, and versions of events.

What a view sees is whole: a slow client gets the newest sight, and misses nothing by missing the
ones before it. Versions of events come one by one, and who was away gets those made meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import UUID

from domain.records import EventVersion, Reach
from domain.views import View

MOST_VERSIONS = 5000
"""Told one by one to who was away, or is slow; of more it is only told that they are too many."""


class Sight:
    """What a view saw, and what was made of it, once for all who are sent the same."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self._made: dict[object, Any] = {}

    def made(self, key: object, make: Callable[[Any], Any]) -> Any:
        if key not in self._made:
            self._made[key] = make(self.value)
        return self._made[key]


class Portion(NamedTuple):
    """What is new to a stream."""

    reach: Reach | None = None
    """Up to here it has been told of every version; None before there is a log."""
    versions: Sequence[EventVersion] = ()
    is_gap: bool = False
    """Whether versions were left out: too many, or of a log that is no longer the newest, or went
    back to a backup."""
    sights: Mapping[View, Sight] = {}
    is_away: bool = False
    """Whether nothing can be seen just now: the database is away."""


class Stream:
    """One client: what it watches, and what it has not been sent yet."""

    def __init__(
        self, views: Collection[View], *, event_id: UUID | None, since: Reach | None
    ) -> None:
        self.views = views
        self.event_id = event_id
        """Whose versions it is told of; None: of all."""
        self.since = since
        """Up to where it knows of all versions; None: of none before now."""
        self.is_new = True
        """Whether it must be told what there is. The feed's thread keeps these two."""
        self._waiting = Portion(since)
        self._news = asyncio.Event()
        self._is_ending = False
        self._is_away = False

    async def portions(self, *, beat: float | None = None) -> AsyncIterator[Portion | None]:
        """Whatever is new, as soon as the client takes it, and None after `beat` seconds without
        anything; ends with the server."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(beat):
                    await self._news.wait()
            if self._is_ending:
                return
            if not self._news.is_set():
                yield None
                continue
            self._news.clear()
            portion, self._waiting = self._waiting, Portion(self._waiting.reach)
            yield portion

    def take(self, portion: Portion, *, is_first: bool) -> None:
        """Add what a round brought; of a view only the newest sight stays."""
        new = [each for each in portion.versions if self.event_id in (None, each.event_id)]
        versions = [*self._waiting.versions, *new]
        too_many = len(versions) > MOST_VERSIONS
        is_turn = portion.is_away is not self._is_away
        self._is_away = portion.is_away
        self._waiting = Portion(
            portion.reach or self._waiting.reach,
            [] if too_many else versions,
            self._waiting.is_gap or portion.is_gap or too_many,
            {**self._waiting.sights, **portion.sights},
            portion.is_away,
        )
        if new or portion.is_gap or portion.sights or is_first or is_turn:
            self._news.set()

    def end(self) -> None:
        self._is_ending = True
        self._news.set()


Handed = tuple[Stream, Portion, bool]
"""A portion for a stream, and whether it is its first."""
