"""What the consumers of one process are measured by, for as many registries as ask for it."""

from collections.abc import Iterator, Mapping

from prometheus_client import Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from domain.log import LogPartition
from domain.observing import Part
from domain.records import ConsumerName

STEP_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
GOAL_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
"""In seconds."""

BATCH_BUCKETS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000)
"""In records."""


class Measures(Collector):
    """Histograms of the loop; one of a process, whatever number of consumers it runs."""

    def __init__(self) -> None:
        self._steps = Histogram(
            "touchline_consumer_step_seconds",
            "Time in each part of a turn; of poll, waiting for records is part.",
            ["consumer", "step"],
            buckets=STEP_BUCKETS,
            registry=None,
        )
        self._batches = Histogram(
            "touchline_consumer_batch_records",
            "Records of a partition that were committed in one transaction.",
            ["consumer", "topic", "partition"],
            buckets=BATCH_BUCKETS,
            registry=None,
        )
        self._goals = Histogram(
            "touchline_goal_to_last_bet_seconds",
            "From the request for a version that moved bets until the last of them was written.",
            buckets=GOAL_BUCKETS,
            registry=None,
        )

    def took(self, consumer: ConsumerName, part: Part, seconds: float) -> None:
        self._steps.labels(consumer, part).observe(seconds)

    def batch(self, consumer: ConsumerName, taken: Mapping[LogPartition, int]) -> None:
        for source, records in taken.items():
            self._batches.labels(consumer, source.topic, str(source.partition)).observe(records)

    def goal(self, seconds: float) -> None:
        self._goals.observe(seconds)

    def collect(self) -> Iterator[Metric]:
        for each in (self._steps, self._batches, self._goals):
            yield from each.collect()
