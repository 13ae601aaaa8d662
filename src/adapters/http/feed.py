"""What open pages and streams are fed with: one thread for each server process hears what changed,
looks at it once for all who watch it, and hands out what it saw."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from time import monotonic, time
from uuid import UUID

from adapters.http.access import ANYBODY, Caller
from adapters.http.desk import DATABASE_WAIT
from adapters.http.limits import RateLimited
from adapters.http.lookout import Lookout
from adapters.http.sights import Handed, Portion, Stream
from domain.errors import TouchlineError, Unavailable
from domain.ports import Database
from domain.records import Reach
from domain.views import View

MOST_STREAMS = 1000
MOST_OF_ONE = 50
"""Streams of one token's subject: nobody can take all that there are."""

RETRY_SECONDS = 1.0
"""After a round that failed."""

CHECK_SECONDS = 0.5
"""Between two looks whether the thread itself is held up."""

_log = logging.getLogger(__name__)


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

    def _away(self) -> Sequence[Handed]:
        return [(stream, Portion(is_away=True), False) for stream in list(self._streams)]

    def _hand_out(self, portions: Sequence[Handed]) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody watches
            self._loop.call_soon_threadsafe(_take_all, portions)


def _take_all(portions: Sequence[Handed]) -> None:
    for stream, portion, is_first in portions:
        stream.take(portion, is_first=is_first)
