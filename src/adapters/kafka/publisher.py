"""Publishing: a record is acknowledged in time, or given up and never sent later.

One producer is watched at a time. The first record that fails or takes too long ends it, with all
it has not got acknowledged: order is kept, and nothing can be sent later. Another takes over.
"""

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from threading import Event, RLock, Thread
from time import monotonic, sleep

from adapters.kafka.producer import Producer, Waiting, give_up
from adapters.kafka.settings import KafkaSettings
from domain.errors import BusUnavailable, Misconfigured, TouchlineError
from domain.log import NewRecord, Placed

RETRY_SECONDS = 0.01
"""Between two looks at whether a topic that was not known is known by now."""

DOUBT_SECONDS = 5.0
"""After a record was given up Kafka counts as down for so long, though it answers."""

NO_ANSWER = "Kafka does not answer, or the topic does not exist"

_logger = logging.getLogger(__name__)


class Publisher:
    """Hands records to one producer at a time, in order, from any thread. Never waits."""

    def __init__(self, settings: KafkaSettings) -> None:
        """No broker needs to be there. Raises Misconfigured."""
        self._settings = settings
        self._patience = settings.give_up_seconds * 0.85
        self._look_seconds = settings.give_up_seconds * 0.05
        self._lock = RLock()
        self._wake = Event()
        self._closed = False
        self._is_away = False
        self._gave_up_at = float("-inf")
        self._trouble_told = ""
        self._held: dict[str, deque[Waiting]] = {}
        """By topic, what no producer takes yet: the topic is not known, or a producer not there."""
        self._producer: Producer | None = Producer(settings, self._wake.set)
        self._keeper = Thread(target=self._keep, name="kafka-publisher", daemon=True)
        self._keeper.start()

    def is_up(self) -> bool:
        """Ask a broker, now; raise what is known of why none answers, or takes nothing."""
        producer = self._producer
        if self._closed or producer is None or not producer.is_up():
            return False
        if monotonic() - self._gave_up_at < DOUBT_SECONDS:
            raise BusUnavailable("Kafka answers, but does not acknowledge all that is published")
        return True

    def publish(self, records: Sequence[NewRecord]) -> list["Future[Placed]"]:
        """As MessageBus.publish promises."""
        deadline = monotonic() + self._patience
        waiting = [Waiting(record, _running_future(), deadline) for record in records]
        with self._lock:
            closed = self._closed
            if not closed:
                self._send(waiting)
                if self._held:
                    self._wake.set()
        if closed:
            give_up(waiting, "the bus is closed")
        return [each.future for each in waiting]

    def close(self) -> None:
        """Give up what is not acknowledged yet. Idempotent."""
        with self._lock:
            self._closed = True
        self._wake.set()
        self._keeper.join()

    def _send(self, waiting: Iterable[Waiting]) -> None:
        producer = self._producer
        for each in waiting:
            topic = each.record.topic
            if topic in self._held or producer is None or not producer.send(each):
                self._held.setdefault(topic, deque()).append(each)

    def _keep(self) -> None:
        """Runs on a thread of its own: replaces spent producers and gives records up in time."""
        while not self._closed:
            self._wake.wait(RETRY_SECONDS if self._held else self._look_seconds)
            self._wake.clear()
            for step in (self._look_after_producer, self._try_again):
                try:
                    step()
                except Exception:
                    # No thread or file to be had, or whatever it is: no record is held for good.
                    _logger.exception("publishing to Kafka failed, trying on")
                    sleep(self._look_seconds)
        self._end_producer()
        with self._lock:
            held, self._held = self._held, {}
        for waiting in held.values():
            give_up(waiting, "the bus was closed")

    def _look_after_producer(self) -> None:
        with self._lock:
            producer = self._producer
            spent = producer is None or producer.is_spent(monotonic())
        if producer is not None:
            self._say_trouble(producer.trouble)
        if spent:
            self._say(is_away=True, why=NO_ANSWER if producer is None else repr(producer.broken_by))
            self._replace_producer()
        elif producer is not None and producer.has_acknowledged:
            self._say(is_away=False)

    def _say(self, *, is_away: bool, why: str = "") -> None:
        """Once for each change: what fails meanwhile is told to whoever publishes."""
        if is_away and not self._is_away:
            _logger.warning(
                "Kafka does not acknowledge what is published: giving it up, trying on (%s)", why
            )
        if self._is_away and not is_away:
            _logger.info("Kafka acknowledges again")
        if is_away:
            self._gave_up_at = monotonic()
        self._is_away = is_away

    def _say_trouble(self, trouble: TouchlineError | None) -> None:
        """Once until it is over, also while nothing is published."""
        text = "" if trouble is None else str(trouble)
        if text and text != self._trouble_told:
            _logger.error("%s", text)
        self._trouble_told = text

    def _try_again(self) -> None:
        late: list[Waiting] = []
        now = monotonic()
        with self._lock:
            held, self._held = self._held, {}
            for waiting in held.values():
                late += [each for each in waiting if each.deadline <= now]
                self._send(each for each in waiting if each.deadline > now)
        if late:
            if self._producer is not None:
                self._producer.has_acknowledged = False
            self._say(is_away=True, why=NO_ANSWER)
        give_up(late, NO_ANSWER)

    def _replace_producer(self) -> None:
        self._end_producer()
        try:
            producer = Producer(self._settings, self._wake.set)
        except Misconfigured as error:
            self._say_trouble(error)
            return
        with self._lock:
            self._producer = producer

    def _end_producer(self) -> None:
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            producer.end()


def _running_future() -> "Future[Placed]":
    """One that can't be cancelled: the record is on its way."""
    future: Future[Placed] = Future()
    future.set_running_or_notify_cancel()
    return future
