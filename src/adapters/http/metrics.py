"""What Prometheus is told: requests as they are answered, and consumers when they are asked for."""

import time
from collections.abc import Collection, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.reading import Loop, Reading
from domain.records import ConsumerName, Tally


class ConsumerMetrics(Collector):
    """By partition: records by what became of them (read = the sum of the others), and lag."""

    def __init__(self, loops: Collection[Loop]) -> None:
        self._loops = loops

    def collect(self) -> Iterator[Metric]:
        labels = ["consumer", "topic", "partition"]
        records = CounterMetricFamily(
            "touchline_consumer_records",
            "Records of this log by what became of them, counted with their effect.",
            labels=[*labels, "outcome"],
        )
        position = GaugeMetricFamily(
            "touchline_consumer_next_offset", "Everything below is done.", labels=labels
        )
        lag = GaugeMetricFamily(
            "touchline_consumer_lag",
            "Records between the position and the log's end.",
            labels=labels,
        )
        lost = GaugeMetricFamily(
            "touchline_consumer_history_lost",
            "1 where the partition stands still because the log is not what it was.",
            labels=labels,
        )
        for name, reading in self._by_consumer():
            place = [name, reading.source.topic, str(reading.source.partition)]
            for outcome, count in zip(Tally._fields, reading.tally, strict=True):
                records.add_metric([*place, outcome], count)
            position.add_metric(place, reading.next_offset)
            lag.add_metric(place, reading.lag)
            lost.add_metric(place, reading.lost is not None)
        ages = GaugeMetricFamily(
            "touchline_consumer_turn_age_seconds",
            "Since the consumer's loop last took a step, or tried again.",
            labels=["consumer"],
        )
        troubled = GaugeMetricFamily(
            "touchline_consumer_troubled",
            "1 while the consumer can't go on, and tries again.",
            labels=["consumer"],
        )
        for loop in self._loops:
            ages.add_metric([loop.name], loop.turn_age)
            troubled.add_metric([loop.name], loop.trouble is not None)
        yield from (records, position, lag, lost, ages, troubled)

    def _by_consumer(self) -> Iterator[tuple[ConsumerName, Reading]]:
        for loop in self._loops:
            for reading in loop.readings():
                yield loop.name, reading


METHODS = frozenset({"GET", "POST", "PATCH", "DELETE"})
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10)
"""In seconds. After two of them an answer is 202, by default; an alert asks for that."""

ELSE = "else"
"""The label of whatever clients make up: methods and paths that nobody serves."""


class RequestMetrics:
    """Counts and times requests by method, route (as its template) and status."""

    def __init__(self, app: ASGIApp, *, registry: CollectorRegistry) -> None:
        self._app = app
        self._requests = Counter(
            "touchline_http_requests",
            "Requests that were answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "touchline_http_request_seconds",
            "Time until the answer was sent, waiting for the decision included.",
            ["method", "route"],
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, is_stream = time.perf_counter(), 500, False

        async def noting(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                media_type = dict(message["headers"]).get(b"content-type", b"")
                is_stream = media_type.startswith(b"text/event-stream")
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            method = scope["method"] if scope["method"] in METHODS else ELSE
            route = getattr(scope.get("route"), "path", ELSE)
            self._requests.labels(method, route, str(status)).inc()
            if not is_stream:  # it lasts as long as its client likes
                self._seconds.labels(method, route).observe(time.perf_counter() - began)
