"""What reading and writing messages costs in processor time.

Run by `.venv/bin/python -m benchmarks.hot_path`; nothing else has to run. The
figures are those of docs/decisions/hot-path.md and kafka-python.md.
"""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from adapters.canonical import ALL_KINDS
from adapters.cloudevents import CloudEventsCodec
from adapters.kafka.batches import _FetchedRecords
from benchmarks.backlog import placed
from domain.bets import BetColumns, BetState, Market
from domain.log import EVENTS_TAXONOMY, LogPartition, NewRecord, Record
from domain.messages import SLICE_SIZE, BetPlaced, BetsStateChanged, Message
from entrypoints.bootstrap import new_id

CODEC = CloudEventsCodec()
EVENTS, RECORDS, SLICES, ROUNDS = 300, 10_000, 100, 5
OTHERS = ALL_KINDS - {BetPlaced}
"""What somebody decides on who only looks at placed bets."""


def main() -> None:
    for name, (times, work) in works().items():
        print(f"{name:<52}{1e6 * _best(work) / times:>10,.1f} µs", flush=True)


def works() -> Mapping[str, tuple[int, Callable[[], object]]]:
    """Pieces of work by name: how often each is done in one go, and how."""
    events = [new_id() for _ in range(EVENTS)]
    bets = [CODEC.encode(placed(events)) for _ in range(RECORDS)]
    records, fetched = _read_back(bets), _a_fetch(bets)
    slices = [_a_slice() for _ in range(SLICES)]
    told = _read_back([CODEC.encode(each) for each in slices])
    return {
        "read a bet.placed": (RECORDS, lambda: [*map(CODEC.decode, records)]),
        "read a bet.placed, carefully": (
            RECORDS,
            lambda: [*map(CODEC.decode_carefully, records)],
        ),
        "only look at a bet.placed": (RECORDS, lambda: [CODEC.sift(r, OTHERS) for r in records]),
        f"read a slice of {SLICE_SIZE:,} bets": (SLICES, lambda: [*map(CODEC.decode, told)]),
        f"read a slice of {SLICE_SIZE:,} bets, carefully": (
            SLICES,
            lambda: [*map(CODEC.decode_carefully, told)],
        ),
        f"write a slice of {SLICE_SIZE:,} bets as JSON": (
            SLICES,
            lambda: [*map(CODEC.encode, slices)],
        ),
        "take a record out of a fetch": (RECORDS, lambda: _take(fetched, _FetchedRecords)),
        "take a record out of a fetch, as kafka-python does": (
            RECORDS,
            lambda: _take(fetched, Fetcher.PartitionRecords),
        ),
    }


def _best(work: Callable[[], object]) -> float:
    """Seconds of processor time, the best of some rounds."""
    found = []
    for _ in range(ROUNDS):
        gc.collect()
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def _read_back(records: Sequence[NewRecord]) -> list[Record]:
    return [
        Record(LogPartition(new.topic, 0, new_id()), offset, new.key, new.value, new.headers)
        for offset, new in enumerate(records)
    ]


def _a_slice() -> Message:
    ids = sorted(new_id() for _ in range(SLICE_SIZE))
    return BetsStateChanged(
        id=new_id(),
        time=datetime.now(UTC),
        event_id=new_id(),
        event_version=3,
        market=Market.DRAW,
        state=BetState.LOSING,
        number=0,
        bets=BetColumns.of((bet_id, f"user-{n:06}") for n, bet_id in enumerate(ids)),
    )


def _a_fetch(records: Sequence[NewRecord]) -> bytes:
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=2**26)
    for new in records:
        builder.append(timestamp=0, key=new.key, value=new.value, headers=list(new.headers))
    builder.close()
    return bytes(builder.buffer())


def _take(content: bytes, kind: Any) -> object:
    return kind(0, TopicPartition(EVENTS_TAXONOMY, 0), MemoryRecords(content)).take()


if __name__ == "__main__":
    main()
