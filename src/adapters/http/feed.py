"""What open pages and streams are fed with: one thread for each server process hears what changed,
looks at it once for all who watch it, and hands out what it saw.

What a view sees is whole: a slow client gets the newest sight, and misses nothing by missing the
ones before it. Versions of events come one by one, and who was away gets those made meanwhile.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, NamedTuple
from uuid import UUID

from domain.errors import TouchlineError, Unavailable
from domain.ports import Database, UnitOfWork
from domain.records import EventVersion, Reach
from domain.views import View, touched
from domain.watching import made_between, reach_now

ROUND_SECONDS = 0.2
"""Between two rounds, at least: what changes faster is seen once."""

REST = 4
"""A view is not looked at again before so many times as long as its last look took: a tally of a
million bets must not keep the database from writing them."""

MOST_VERSIONS = 500
"""Told one by one to who was away; of more it is only told that they are too many."""

MOST_STREAMS = 1000

_log = logging.getLogger(__name__)


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

    reach: Reach | None
    """Up to here it has been told of every version; None before there is a log."""
    versions: Sequence[EventVersion]
    is_gap: bool
    """Whether versions were left out: too many, or of a log that is no longer the newest."""
    sights: Mapping[View, Sight]


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
        self._waiting = Portion(since, [], is_gap=False, sights={})
        self._news = asyncio.Event()
        self._is_ending = False

    async def portions(self) -> AsyncIterator[Portion]:
        """Whatever is new, as soon as the client takes it; ends with the server."""
        while True:
            await self._news.wait()
            self._news.clear()
            if self._is_ending:
                return
            portion, self._waiting = self._waiting, Portion(self._waiting.reach, [], False, {})
            yield portion

    def take(self, portion: Portion, *, is_first: bool) -> None:
        """Add what a round brought; of a view only the newest sight stays."""
        new = [each for each in portion.versions if self.event_id in (None, each.event_id)]
        versions = [*self._waiting.versions, *new]
        too_many = len(versions) > MOST_VERSIONS
        self._waiting = Portion(
            portion.reach,
            [] if too_many else versions,
            self._waiting.is_gap or portion.is_gap or too_many,
            {**self._waiting.sights, **portion.sights},
        )
        if new or portion.is_gap or portion.sights or is_first:
            self._news.set()

    def end(self) -> None:
        self._is_ending = True
        self._news.set()


class Feed:
    """Feeds the streams of one server process; opened and closed with the server."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._streams: set[Stream] = set()
        self._seen: dict[View, Sight] = {}
        """What is in sight, as it was last looked at."""
        self._not_before: dict[View, float] = {}
        self._dirty: set[View] = set()
        """To be looked at again."""
        self._changed: set[UUID] | None = set()
        """Events that changed since the last round; None: any may have."""
        self._is_closing = False

    def open(self) -> None:
        """Start; call it in the server's event loop."""
        self._loop = asyncio.get_running_loop()
        self._watcher = self._database.watch()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._thread.start()

    def end_streams(self) -> None:
        """Let every stream end, so that the server can."""
        self._is_closing = True
        for stream in self._streams:
            stream.end()

    def close(self) -> None:
        self.end_streams()
        self._watcher.wake()
        self._thread.join(1)
        self._watcher.close()

    def join(
        self, views: Collection[View], *, event_id: UUID | None = None, since: Reach | None = None
    ) -> Stream:
        """A stream that begins with what there is, and the versions made from `since` on. Who joins
        must leave. Raises Unavailable when there are too many."""
        if self._is_closing or len(self._streams) >= MOST_STREAMS:
            raise Unavailable(f"no more than {MOST_STREAMS} streams can be open")
        stream = Stream(views, event_id=event_id, since=since)
        self._streams.add(stream)
        self._watcher.wake()
        return stream

    def leave(self, stream: Stream) -> None:
        self._streams.discard(stream)

    @property
    def streams(self) -> int:
        """How many are open."""
        return len(self._streams)

    # In the thread

    def _run(self) -> None:
        last_round = 0.0
        while not self._is_closing:
            self._hear(self._patience())
            streams = list(self._streams)
            if not streams:
                self._forget()
                continue
            if self._changed == set() and not self._dirty and not any(s.is_new for s in streams):
                continue
            while (left := last_round + ROUND_SECONDS - monotonic()) > 0 and not self._is_closing:
                self._hear(left)
            last_round = monotonic()
            try:
                self._round(streams)
            except TouchlineError:
                # Away, or not migrated. What is new will be seen once it is back.
                self._changed = None
                self._hear(1.0)
            except Exception:  # noqa: BLE001 - whoever watches must be served again
                _log.exception("looking for those who watch failed")
                self._changed = None
                self._hear(1.0)

    def _hear(self, timeout: float) -> None:
        heard = self._watcher.wait(timeout)
        if heard is None or self._changed is None:
            self._changed = None
        else:
            self._changed |= heard

    def _patience(self) -> float:
        """Seconds until there is something to do if nothing is heard."""
        due = (self._not_before.get(view, 0) - monotonic() for view in self._dirty)
        return max(min(due, default=1.0), 0.0)

    def _forget(self) -> None:
        """Nobody watches, so nobody looks; who comes is told from then on."""
        self._seen, self._not_before = {}, {}
        self._dirty, self._changed = set(), set()

    def _round(self, streams: Sequence[Stream]) -> None:
        """Look at what is touched, and hand it out to all at once."""
        wanted = {view for stream in streams for view in stream.views}
        self._seen = {view: sight for view, sight in self._seen.items() if view in wanted}
        with self._database.transaction() as uow:
            reach = reach_now(uow)
            made = self._versions(uow, streams, reach)
            if self._changed is None:
                self._dirty = set(wanted)
            else:
                seen = {view: sight.value for view, sight in self._seen.items()}
                self._dirty |= set(touched(uow, seen, self._changed))
            self._changed = set()
            now = monotonic()
            due = {v for v in self._dirty & wanted if self._not_before.get(v, 0) <= now}
            due |= wanted - self._seen.keys()
            fresh = {view for view in due if self._look(uow, view)}
        self._dirty = (self._dirty & wanted) - due
        portions = []
        for stream in streams:
            versions, is_gap = made[_cursor(stream)]
            news = [view for view in stream.views if stream.is_new or view in fresh]
            sights = {view: self._seen[view] for view in news}
            portions.append((stream, Portion(reach, versions, is_gap, sights), stream.is_new))
            stream.since, stream.is_new = reach, False
        with suppress(RuntimeError):  # the loop has ended, and nobody watches
            self._loop.call_soon_threadsafe(_hand_out, portions)

    def _versions(
        self, uow: UnitOfWork, streams: Sequence[Stream], reach: Reach | None
    ) -> dict["_Cursor", tuple[Sequence[EventVersion], bool]]:
        """The versions that are new to each stream, and whether some were left out. All who are up
        to date share one question."""
        found: dict[_Cursor, tuple[Sequence[EventVersion], bool]] = {}
        for cursor in {_cursor(stream) for stream in streams}:
            since = cursor.since
            if reach is None or (since is None and cursor.is_new):
                found[cursor] = [], False
                continue
            since = since or Reach(reach.log_id, (0,) * len(reach.next_offsets))
            versions = made_between(uow, since, reach, event_id=cursor.event_id, most=MOST_VERSIONS)
            found[cursor] = versions or [], versions is None
        return found

    def _look(self, uow: UnitOfWork, view: View) -> bool:
        """Whether the view sees something else than before."""
        began = monotonic()
        sight = Sight(view.look(uow))
        self._not_before[view] = monotonic() + REST * (monotonic() - began)
        before = self._seen.get(view)
        if before is not None and before.value == sight.value:
            return False
        self._seen[view] = sight
        return True


class _Cursor(NamedTuple):
    """Who asks for the same versions."""

    since: Reach | None
    is_new: bool
    event_id: UUID | None


def _cursor(stream: Stream) -> _Cursor:
    return _Cursor(stream.since, stream.is_new, stream.event_id if stream.is_new else None)


def _hand_out(portions: Sequence[tuple[Stream, Portion, bool]]) -> None:
    for stream, portion, is_first in portions:
        stream.take(portion, is_first=is_first)
