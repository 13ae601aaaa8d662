"""Runs one consumer until it is told to stop: no error ends it, and none is kept silent."""

import random
import threading
import time
from collections.abc import Callable, Collection

import structlog

from domain.consumer import Consumer, Step
from domain.errors import TouchlineError, Unavailable
from domain.ports import Listener
from domain.reading import Reading
from domain.records import ConsumerName

IDLE = 0.5
"""Seconds that a turn waits for records."""

HELD = 0.02
"""Seconds between two looks while another consumer has to come further first; it also wakes us."""

KEEP_ALIVE = 5.0
"""Seconds of work after which the group is told that this member is still there."""

SHORTEST_BACKOFF, LONGEST_BACKOFF = 0.1, 5.0
"""Seconds between two attempts while something is away."""

WELL_AFTER = 1.0
"""Seconds of turns without another error after which trouble is over. A single one tells nothing:
perhaps what failed wasn't tried again yet."""


class ConsumerRunner:
    """One member's life: made, run, restarted from the stored positions after errors, closed."""

    def __init__(
        self,
        name: ConsumerName,
        *,
        make: Callable[[], Consumer],
        listen: Callable[[], Listener],
        stop: threading.Event,
        close: Callable[[], None],
    ) -> None:
        self.name = name
        self.consumer: Consumer | None = None
        self._listener: Listener | None = None
        self.trouble: str | None = "starting"
        """Why it makes no progress right now; None while all is well."""
        self._make = make
        self._listen = listen
        self._stop = stop
        self._close = close
        self._log = structlog.get_logger(name)
        self._lost: set[str] = set()
        self._stepped_at = time.monotonic()
        self._tries_since = float("-inf")
        """When it began to try again, after the last error."""
        self._last_readings: Collection[Reading] = ()

    def run(self) -> None:
        """Until stopped. An unfinished batch is abandoned; it is repeated later."""
        try:
            self._run()
        finally:
            if self.consumer is not None:
                self.consumer.close()
            if self._listener is not None:
                self._listener.close()
            self._close()
            self._log.info("stopped")

    def _run(self) -> None:
        backoff, pause = SHORTEST_BACKOFF, 0.0
        while not self._stop.is_set():
            self._stepped_at = time.monotonic()
            try:
                if self._listener is None:
                    self._listener = self._listen()
                # Also when there is nothing to wait for, and when nothing goes on: a listener that
                # takes no notice blocks PostgreSQL, once its socket is full.
                self._listener.wait(pause)
                if self._stop.is_set():  # an attempt to connect takes its time
                    return
                pause = 0.0
                if self.consumer is None:
                    self.consumer = self._make()
                progressed = self._turn(self.consumer)
                self._look_how_it_goes()
                if self.consumer.is_waiting and not progressed:
                    pause = HELD
            except TouchlineError as error:
                self._fail(error)
            except Exception as error:  # noqa: BLE001 - whatever it is: say it, and go on
                self._log.exception("unexpected error")
                self._fail(error)
            else:
                if progressed or self.trouble is None:
                    backoff = SHORTEST_BACKOFF
                continue
            self._stop.wait(backoff * random.uniform(0.5, 1.5))  # noqa: S311 - only jitter
            backoff = min(backoff * 2, LONGEST_BACKOFF)
            self._tries_since = time.monotonic()

    def _turn(self, consumer: Consumer) -> bool:
        """One turn of the loop; whether it recorded anything."""
        progressed = False
        last_poll = time.monotonic()
        turn = consumer.turn(idle=IDLE)
        for step in turn:
            progressed |= step is Step.COMMITTED
            self._stepped_at = time.monotonic()
            if self._stop.is_set():
                turn.close()
                break
            if self._stepped_at - last_poll > KEEP_ALIVE:
                consumer.keep_alive()
                last_poll = time.monotonic()
        return progressed

    def _fail(self, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        if text != self.trouble:
            say = self._log.warning if isinstance(error, Unavailable) else self._log.error
            say("can't go on, trying again", reason=text)
        self.trouble = text
        if self.consumer is not None:
            self.consumer.restart()

    def _look_how_it_goes(self) -> None:
        """After a turn without an error."""
        if self.trouble is not None and time.monotonic() - self._tries_since >= WELL_AFTER:
            self._log.info("running")
            self.trouble = None
        for reason in self.lost() - self._lost:
            self._log.critical("history was lost; this partition stops", reason=reason)
        self._lost = self.lost()

    def lost(self) -> set[str]:
        """Partitions that stand still because the log is not what it was, and how."""
        return {
            f"{reading.source.topic}/{reading.source.partition}: {reading.lost}"
            for reading in self.readings()
            if reading.lost is not None
        }

    @property
    def turn_age(self) -> float:
        """Seconds since the loop took a step, or tried again: while it is stuck, ever more."""
        return time.monotonic() - self._stepped_at

    def readings(self) -> Collection[Reading]:
        """How it stands, partition by partition; while it can't go on, how it stood before."""
        found = () if self.consumer is None else self.consumer.readings
        if found or self.trouble is None:
            self._last_readings = found
        return self._last_readings

    def health(self) -> dict[str, str]:
        """How this consumer is, for `/readyz`."""
        lost = self.lost()
        return {"consumer": "; ".join(sorted(lost)) if lost else (self.trouble or "up")}
