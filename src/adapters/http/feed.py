"""What open pages and streams are fed with: one thread for each server process hears what changed,
looks at it once for all who watch it, and hands out what it saw.

What a view sees is whole: a slow client gets the newest sight, and misses nothing by missing the
ones before it. Versions of events come one by one, and who was away gets those made meanwhile.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from time import monotonic, time
from typing import Any, NamedTuple
from uuid import UUID

from adapters.http.access import ANYBODY, Caller
from adapters.http.desk import DATABASE_WAIT
from adapters.http.limits import RateLimited
from adapters.http.story import tell_streams
from domain.errors import TouchlineError, Unavailable
from domain.ports import Database, UnitOfWork, Watcher
from domain.reach import made_between, reach_now
from domain.records import EventVersion, Reach
from domain.views import View, touched

ROUND_SECONDS = 0.2
"""Between two rounds, at least: what changes faster is seen once."""

REST = 4
"""A view is not looked at again before so many times as long as its last look took: a tally of a
million bets must not keep the database from writing them."""

SLOW_SECONDS = 0.05
"""Whoever waits for the others is handed theirs before a look that took so long last time."""

MOST_VERSIONS = 5000
"""Told one by one to who was away, or is slow; of more it is only told that they are too many."""

MOST_STREAMS = 1000
MOST_OF_ONE = 50
"""Streams of one token's subject: nobody can take all that there are."""

RETRY_SECONDS = 1.0
"""After a round that failed."""

CHECK_SECONDS = 0.5
"""Between two looks whether the thread itself is held up."""

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


class Feed:
    """Feeds the streams of one server process; opened and closed with the server."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._streams: dict[Stream, Caller] = {}
        self._closing = threading.Event()
        self._checks = ThreadPoolExecutor(1, "feed check")

    def open(self) -> None:
        """Start; call it in the server's event loop."""
        self._loop = asyncio.get_running_loop()
        self._watcher = self._database.watch()
        self._lookout = Lookout(self._database, self._watcher, self._hand_out)
        self._check = self._loop.create_task(self._check_thread())
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._thread.start()

    @property
    def open_streams(self) -> int:
        return len(self._streams)

    def end_streams(self) -> None:
        """Let every stream end, so that the server can."""
        self._closing.set()
        for stream in self._streams:
            stream.end()

    def close(self) -> None:
        self.end_streams()
        self._check.cancel()
        self._checks.shutdown(wait=False, cancel_futures=True)
        self._watcher.wake()
        self._thread.join(RETRY_SECONDS)
        self._watcher.close()

    @asynccontextmanager
    async def joined(
        self,
        views: Collection[View],
        *,
        event_id: UUID | None = None,
        since: Reach | None = None,
        caller: Caller = ANYBODY,
    ) -> AsyncIterator[Stream]:
        """A stream that begins with what there is, and the versions made from `since` on; it ends
        with its caller's token. Raises Unavailable when there are too many, or the server ends,
        RateLimited when the caller alone has too many."""
        if self._closing.is_set():
            raise Unavailable("the server is about to end")
        if len(self._streams) >= MOST_STREAMS:
            raise Unavailable(f"no more than {MOST_STREAMS} streams can be open")
        if caller.subject is not None and self._open_of(caller) >= MOST_OF_ONE:
            raise RateLimited(1, f"no more than {MOST_OF_ONE} streams of one user can be open")
        stream = Stream(views, event_id=event_id, since=since)
        self._streams[stream] = caller
        self._watcher.wake()
        end = None
        if caller.until is not None:
            end = self._loop.call_later(caller.until - time(), stream.end)
        try:
            yield stream
        finally:
            del self._streams[stream]
            if end is not None:
                end.cancel()

    def _open_of(self, caller: Caller) -> int:
        return sum(each.subject == caller.subject for each in self._streams.values())

    def _run(self) -> None:
        """The thread: round after round, whatever happens in one."""
        while not self._closing.is_set():
            try:
                self._lookout.turn(lambda: list(self._streams))
            except Exception as error:  # noqa: BLE001 - whoever watches must be served again
                if isinstance(error, TouchlineError):
                    # Away, or not migrated. What is new will be seen once it is back.
                    _log.warning("who watches can't be served: %s", error)
                else:
                    _log.exception("looking for those who watch failed")
                self._lookout.has_failed()
                self._hand_out(self._away())
                self._closing.wait(RETRY_SECONDS)

    async def _check_thread(self) -> None:
        """A database that hangs is away, too: who watches is told so, which the thread can't. While
        it answers others, the thread waits for no more than a look that takes long."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            stepped_at = self._lookout.stepped_at
            try:
                if monotonic() - stepped_at <= DATABASE_WAIT or await self._answers_others():
                    continue
            except RuntimeError:
                # No thread to be had just now: nobody knows.
                _log.exception("the database can't be asked whether it answers")
                continue
            if stepped_at == self._lookout.stepped_at:
                # Once it goes on it looks at all, and so tells everybody, whatever held it up.
                self._lookout.has_failed()
                _take_all(self._away())

    async def _answers_others(self) -> bool:
        """Whether the database answers a question of another thread, in time."""
        asked = self._loop.run_in_executor(self._checks, self._database.check)
        try:
            await asyncio.wait([asked], timeout=DATABASE_WAIT)
        finally:
            # One that hangs keeps its thread: the next one waits behind it, and is late as well.
            was_late = asked.cancel()
        return not was_late and asked.exception() is None

    def _away(self) -> Sequence["_Handed"]:
        return [(stream, Portion(is_away=True), False) for stream in list(self._streams)]

    def _hand_out(self, portions: Sequence["_Handed"]) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody watches
            self._loop.call_soon_threadsafe(_take_all, portions)


_Handed = tuple[Stream, Portion, bool]
"""A portion for a stream, and whether it is its first."""


def _take_all(portions: Sequence[_Handed]) -> None:
    for stream, portion, is_first in portions:
        stream.take(portion, is_first=is_first)


class Lookout:
    """Keeps in sight what the streams watch. One thread's own."""

    def __init__(
        self,
        database: Database,
        watcher: Watcher,
        hand_out: Callable[[Sequence[_Handed]], None],
    ) -> None:
        self._database = database
        self._watcher = watcher
        self._hand_out = hand_out
        self._seen: dict[View, Sight] = {}
        """What is in sight, as it was last looked at."""
        self._untold: set[View] = set()
        """Seen anew, and not handed out yet."""
        self._dirty: set[View] = set()
        """To be looked at again."""
        self._took: dict[View, float] = {}
        """Seconds of the last look."""
        self._not_before: dict[View, float] = {}
        self._changed: set[UUID] | None = set()
        """Events that changed since the last round; None: any may have."""
        self._last_round = 0.0
        self.stepped_at = monotonic()
        """When it last began to ask, or to hear: others may see by it that there is no answer."""

    def turn(self, open_streams: Callable[[], Sequence[Stream]]) -> None:
        """Hear, and look if there is reason to."""
        self._hear(self._patience())
        streams = open_streams()
        if not streams:
            # Nobody watches, so nobody looks; who comes is told from then on.
            self._keep(set())
            self._changed = set()
        elif self._has_work(streams):
            while (left := self._last_round + ROUND_SECONDS - monotonic()) > 0:
                self._hear(left)
            self._last_round = monotonic()
            self._round(streams)

    def has_failed(self) -> None:
        """Nothing that was heard is known to have been looked at."""
        self._changed = None

    def _has_work(self, streams: Sequence[Stream]) -> bool:
        is_touched = self._changed is None or bool(self._changed)
        return is_touched or bool(self._dirty) or any(each.is_new for each in streams)

    def _hear(self, timeout: float) -> None:
        self.stepped_at = monotonic()
        heard = self._watcher.wait(timeout)
        if heard is None or self._changed is None:
            self._changed = None
        else:
            self._changed |= heard

    def _patience(self) -> float:
        """Seconds until there is something to do if nothing is heard."""
        if self._changed is None:
            return 0.0
        due = (self._not_before.get(view, 0) - monotonic() for view in self._dirty)
        return max(min(due, default=1.0), 0.0)

    def _keep(self, wanted: Collection[View]) -> None:
        """Forget the views that nobody watches any more."""
        for kept in (self._seen, self._took, self._not_before):
            for gone in kept.keys() - set(wanted):
                del kept[gone]
        self._dirty &= set(wanted)
        self._untold &= set(wanted)

    def _round(self, streams: Sequence[Stream]) -> None:
        """Look at what is touched; whoever waits for it is handed it, the quick views first."""
        wanted = {view for stream in streams for view in stream.views}
        self._keep(wanted)
        self.stepped_at = monotonic()
        with self._database.transaction() as uow:
            reach = reach_now(uow)
            made = self._made(uow, streams, reach)
            if self._changed is None:
                self._dirty = set(wanted)
            else:
                seen = {view: sight.value for view, sight in self._seen.items()}
                self._dirty |= set(touched(uow, seen, self._changed))
            self._changed = set()
            now = monotonic()
            due = {view for view in self._dirty if self._not_before.get(view, 0) <= now}
            due |= wanted - self._seen.keys()
            for view in sorted(due, key=lambda each: self._took.get(each, 0)):
                if self._untold and self._took.get(view, 0) > SLOW_SECONDS:
                    self._tell(streams, made, reach)
                self._look(uow, view)
        self._tell(streams, made, reach)

    def _look(self, uow: UnitOfWork, view: View) -> None:
        self.stepped_at = began = monotonic()
        sight = Sight(view.look(uow))
        now = monotonic()
        self._took[view], self._not_before[view] = now - began, now + REST * (now - began)
        self._dirty.discard(view)
        before = self._seen.get(view)
        if before is None or before.value != sight.value:
            self._seen[view] = sight
            self._untold.add(view)

    def _tell(
        self, streams: Sequence[Stream], made: Mapping[Stream, Portion], reach: Reach | None
    ) -> None:
        """Hand out what is new: versions only once. A new stream waits until all is looked at."""
        portions: list[_Handed] = []
        for stream in streams:
            if stream.is_new and not self._seen.keys() >= set(stream.views):
                continue
            news = [view for view in stream.views if stream.is_new or view in self._untold]
            portion = made[stream] if stream.since != reach or stream.is_new else Portion(reach)
            sights = {view: self._seen[view] for view in news}
            portions.append((stream, portion._replace(sights=sights), stream.is_new))
            stream.since, stream.is_new = reach, False
        self._untold.clear()
        self._hand_out(portions)
        # Who comes (back) is told what others were told before.
        tell_streams((s.event_id, p.versions) for s, p, is_first in portions if not is_first)

    def _made(
        self, uow: UnitOfWork, streams: Sequence[Stream], reach: Reach | None
    ) -> Mapping[Stream, Portion]:
        """The versions that are new to each stream. All who are up to date share one question."""
        answers: dict[object, Portion] = {}
        found: dict[Stream, Portion] = {}
        for stream in streams:
            key = stream.since, stream.is_new, stream.event_id if stream.is_new else None
            if key not in answers:
                answers[key] = _made(uow, stream, reach, only=stream.is_new)
            if answers[key].is_gap and not stream.is_new and stream.event_id is not None:
                key = stream.since, True, stream.event_id
                if key not in answers:
                    answers[key] = _made(uow, stream, reach, only=True)
            found[stream] = answers[key]
        return found


def _made(uow: UnitOfWork, stream: Stream, reach: Reach | None, *, only: bool) -> Portion:
    """The versions made since a stream was last told: `only` of its event, or of all."""
    since = stream.since
    if reach is None or (since is None and stream.is_new):
        return Portion(reach)
    since = since or Reach(reach.log_id, (0,) * len(reach.next_offsets))
    event_id = stream.event_id if only else None
    versions = made_between(uow, since, reach, event_id=event_id, most=MOST_VERSIONS)
    return Portion(reach, versions or [], versions is None)
