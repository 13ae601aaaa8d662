"""What publishing on Kafka costs beside the bare library.

Run by `.venv/bin/python -m benchmarks.publishing`, on a broker of its own, gone afterwards. Both
send the same records with the same settings, and wait until all are acknowledged. Processor time is
this process's; the broker's is not in it.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from kafka import KafkaProducer

from adapters.cloudevents import CloudEventsCodec
from adapters.kafka.bus import KafkaBus
from adapters.kafka.producer import producer_config
from adapters.kafka.topics import create_topics
from benchmarks.backlog import placed
from domain.log import PARTITIONS, TOPICS, NewRecord, partition_of
from entrypoints.bootstrap import new_id
from tests.kafka.broker import KafkaBroker
from tests.setup import ensure_kafka

EVENTS, RECORDS, ROUNDS, AT_ONCE = 300, 30_000, 3, 5_000


def main() -> None:
    ensure_kafka()
    codec = CloudEventsCodec()
    events = [new_id() for _ in range(EVENTS)]
    records = [codec.encode(placed(events)) for _ in range(RECORDS)]
    with TemporaryDirectory(prefix="touchline-bench-") as folder:
        broker = KafkaBroker(Path(folder), short_lived=False)
        broker.start()
        try:
            measure(broker, records)
        finally:
            broker.kill()


def measure(broker: KafkaBroker, records: Sequence[NewRecord]) -> None:
    create_topics(
        broker.settings, TOPICS, partitions=PARTITIONS, replication_factor=1, min_insync_replicas=1
    )
    bus = KafkaBus(broker.settings)
    producer = KafkaProducer(**producer_config(broker.settings) | {"max_block_ms": 60_000})

    def ours(portion: Sequence[NewRecord]) -> None:
        for future in bus.publish(portion):
            future.result()

    def bare(portion: Sequence[NewRecord]) -> None:
        sent = [
            producer.send(
                new.topic,
                key=new.key,
                value=new.value,
                headers=list(new.headers),
                partition=partition_of(new.key or b"", PARTITIONS),
            )
            for new in portion
        ]
        for future in sent:
            future.get(timeout=60)

    for _ in range(ROUNDS):
        for name, publish in {"ours": ours, "bare": bare}.items():
            show(name, publish, records)
    producer.close()
    bus.close()


def show(
    name: str, publish: Callable[[Sequence[NewRecord]], None], records: Sequence[NewRecord]
) -> None:
    began, used = time.perf_counter(), time.process_time()
    for start in range(0, len(records), AT_ONCE):
        publish(records[start : start + AT_ONCE])
    seconds, used = time.perf_counter() - began, time.process_time() - used
    rate, each = len(records) / seconds, 1e6 * used / len(records)
    print(f"{name}: {rate:,.0f} records/s, {each:.0f} µs of processor time each", flush=True)


if __name__ == "__main__":
    main()
