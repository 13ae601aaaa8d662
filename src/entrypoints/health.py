"""How a process is: what it depends on, for `/readyz`; whether it is stuck, for `/livez`. Asked
now, and answered in time."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, wait
from functools import partial
from threading import Lock, Thread
from time import monotonic

from domain.errors import TouchlineError
from domain.ports import Database, MessageBus
from domain.reading import Loop
from domain.records import READERS

PATIENCE = 2.0
"""Seconds until what gives no answer is taken for down."""


class Dependencies:
    """Each dependency: `up`, or why not; all are asked at once. Whatever hangs holds up one thread,
    and no answer."""

    def __init__(self, database: Database, bus: MessageBus) -> None:
        self._database = _Question(lambda: _ask_database(database))
        self._bus = _Question(lambda: _ask_bus(bus))

    def __call__(self) -> dict[str, str]:
        of_database, of_bus = self._database.ask(), self._bus.ask()
        wait([of_database, of_bus], PATIENCE)
        database = of_database.result() if of_database.done() else "down: it doesn't answer"
        # The API has `down` and nothing else for the bus; what is known of why stands beside.
        bus, _, reason = (of_bus.result() if of_bus.done() else "down").partition(": ")
        return {"database": database, "bus": bus} | ({"bus_reason": reason} if reason else {})


STUCK_SECONDS = 200.0
"""Without a step a loop is stuck. PostgreSQL ends a statement after 60 s, and up to three of them
follow one another in a step: one that waits for a lock ends first, and is tried again. (Only those
that take up a topic that was made anew have longer.)"""


LATE_COUNTS_SECONDS = 60.0
"""For so long an answer that came too late is the next look's: several probes' intervals, and less
than STUCK_SECONDS, so that a loop that is stuck now was so when it was given."""


class Liveness:
    """Which consumers are stuck: blocked in a call, or their thread has died, and records wait.

    Whoever tries again because something is away, waits for another consumer, or stands still
    because history was lost, comes round all the same; to start it anew would help nobody.
    """

    def __init__(
        self,
        loops: Collection[Loop],
        database: Database,
        bus: MessageBus,
        *,
        stuck_seconds: float = STUCK_SECONDS,
    ) -> None:
        self._stuck_seconds = stuck_seconds
        self._waiting: Mapping[Loop, _Question] = {
            loop: _Question(
                partial(_waiting, loop, database, bus), late_counts_seconds=LATE_COUNTS_SECONDS
            )
            for loop in loops
        }

    def __call__(self) -> dict[str, str]:
        """How each of them is stuck; those that are well are left out."""
        found: dict[str, str] = {}
        for loop, waiting in self._waiting.items():
            age = loop.turn_age
            # The loop knows no longer what waits. Where nobody can tell, something is away.
            if age > self._stuck_seconds and (records := waiting.answer()):
                found[loop.name] = f"stuck: no step for {age:.0f} s, and {records} records wait"
        return found


def _waiting(loop: Loop, database: Database, bus: MessageBus) -> str:
    """How many records of its partitions the loop has not done; nothing where there are none."""
    topics = [topic for topic, readers in READERS.items() if loop.name in readers]
    own = {reading.source[:2] for reading in loop.readings()}
    records = 0
    try:
        with database.transaction() as uow:
            reached = {topic: uow.positions.reached(topic) for topic in topics}
        for topic in topics:
            for source, bounds in bus.bounds(topic).items():
                if source[:2] in own or not own:
                    done = reached[topic].get((loop.name, source.partition), 0)
                    records += max(0, bounds.end - max(done, bounds.start))
    except TouchlineError:
        return ""
    return str(records or "")


class _Question:
    """Asked again once there was an answer; who comes meanwhile waits for the same one. An answer
    that came too late is the next one's, if that comes within `late_counts_seconds`."""

    def __init__(self, ask: Callable[[], str], *, late_counts_seconds: float = 0.0) -> None:
        self._ask = ask
        self._late_counts_seconds = late_counts_seconds
        self._late_until = float("-inf")
        self._lock = Lock()
        self._asked: Future[str] | None = None

    def answer(self) -> str | None:
        """None if there is none in time."""
        asked = self.ask()
        is_late = bool(wait([asked], PATIENCE).not_done)
        self._late_until = monotonic() + self._late_counts_seconds if is_late else float("-inf")
        return None if is_late else asked.result()

    def ask(self) -> "Future[str]":
        with self._lock:
            asked = self._asked
            if asked is None or (asked.done() and monotonic() >= self._late_until):
                asked = Future()
                Thread(target=self._wait, args=(asked,), name="health", daemon=True).start()
                self._asked = asked  # only now: without a thread nobody would settle it
            return asked

    def _wait(self, asked: "Future[str]") -> None:
        try:
            asked.set_result(self._ask())
        except Exception as error:  # noqa: BLE001 - it belongs to who asked
            asked.set_exception(error)


def _ask_database(database: Database) -> str:
    try:
        database.check()
    except TouchlineError as error:
        return f"down: {error}"
    return "up"


def _ask_bus(bus: MessageBus) -> str:
    try:
        return "up" if bus.is_up() else "down"
    except TouchlineError as error:
        return f"down: {error}"
