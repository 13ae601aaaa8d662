"""How what a process depends on is, for `/readyz`: asked now, and answered in time."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Lock, Thread

from domain.errors import TouchlineError
from domain.ports import Database, MessageBus

PATIENCE = 2.0
"""Seconds until what gives no answer is taken for down."""


class Dependencies:
    """Each dependency: `up`, or why not. Whatever hangs holds up one thread, and no answer."""

    def __init__(self, database: Database, bus: MessageBus) -> None:
        self._database = _Question(lambda: _ask_database(database))
        self._bus = _Question(lambda: _ask_bus(bus))

    def __call__(self) -> dict[str, str]:
        return {
            "database": self._database.answer() or "down: it doesn't answer",
            "bus": self._bus.answer() or "down",
        }


class _Question:
    """Asked again once there was an answer; who comes meanwhile waits for the same one."""

    def __init__(self, ask: Callable[[], str]) -> None:
        self._ask = ask
        self._lock = Lock()
        self._asked: Future[str] | None = None

    def answer(self) -> str | None:
        """None if there is none in time."""
        with self._lock:
            if self._asked is None or self._asked.done():
                self._asked = Future()
                Thread(target=self._wait, args=(self._asked,), name="health", daemon=True).start()
            asked = self._asked
        return None if wait([asked], PATIENCE).not_done else asked.result()

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
