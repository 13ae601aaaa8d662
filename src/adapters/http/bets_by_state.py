"""How many bets have each state, for Prometheus: counted beside the scrapes, and seldom.

Counting reads every bet. So no scrape waits for it: each is told the last count, and makes the next
one begin when the last is old enough; where nobody scrapes, nobody counts.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from threading import Lock, Thread
from time import monotonic

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from domain.bets import BetState
from domain.errors import TouchlineError
from domain.ports import Database

COUNT_SECONDS = 15.0
"""Between the beginnings of two counts, at least."""

REST = 50
"""And a rest of so many times as long as the last one took."""

_log = logging.getLogger(__name__)


class BetsByState(Collector):
    """`touchline_bets`; without a sample until the first count is done."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._counted: Mapping[BetState, int] | None = None
        self._not_before = float("-inf")
        self._is_counting = False

    def describe(self) -> Iterator[Metric]:
        yield self._family()

    def collect(self) -> Iterator[Metric]:
        self._count_if_due()
        family, counted = self._family(), self._counted
        if counted is not None:
            for state in BetState:
                family.add_metric([state.value], counted.get(state, 0))
        yield family

    def _family(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(
            "touchline_bets", "Bets in each state, as they were last counted.", labels=["state"]
        )

    def _count_if_due(self) -> None:
        with self._lock:
            if self._is_counting or monotonic() < self._not_before:
                return
            with suppress(RuntimeError):  # no thread to be had: the next one to ask tries again
                Thread(target=self._count, name="bets-by-state", daemon=True).start()
                self._is_counting = True

    def _count(self) -> None:
        began = monotonic()
        try:
            with self._database.transaction() as uow:
                self._counted = uow.audit.bets_by_state()
        except TouchlineError as away:
            self._counted = None  # an old count would be taken for a new one
            _log.warning("bets can't be counted: %s", away)
        finally:
            took = monotonic() - began
            with self._lock:
                self._not_before = began + max(COUNT_SECONDS, took + REST * took)
                self._is_counting = False
