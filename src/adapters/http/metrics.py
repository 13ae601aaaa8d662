"""A consumer's counters and lag as Prometheus metrics, read when they are asked for."""

from collections.abc import Callable, Collection, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from domain.reading import Reading
from domain.records import ConsumerName, Tally


class ConsumerMetrics(Collector):
    """By partition: records by what became of them (read = the sum of the others), and lag."""

    def __init__(self, name: ConsumerName, readings: Callable[[], Collection[Reading]]) -> None:
        self._name = name
        self._readings = readings

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
        for reading in self._readings():
            place = [self._name, reading.source.topic, str(reading.source.partition)]
            for outcome, count in zip(Tally._fields, reading.tally, strict=True):
                records.add_metric([*place, outcome], count)
            position.add_metric(place, reading.next_offset)
            lag.add_metric(place, reading.lag)
            lost.add_metric(place, reading.lost is not None)
        yield from (records, position, lag, lost)
