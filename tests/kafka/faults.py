"""What the tests of faults share."""

from collections.abc import Iterable, Sequence

from domain.log import EVENTS_TAXONOMY, PARTITIONS, NewRecord, Record
from domain.ports import MessageBus
from tests.contracts.message_bus_member import DEADLINE, attempts, new_key

ANSWER_SECONDS = 3.0
"""Within this an API that publishes has to answer."""


def on_each(value: bytes, topic: str = EVENTS_TAXONOMY, *, count: int = 1) -> list[NewRecord]:
    """So many records for each partition."""
    return [NewRecord(topic, new_key(n), value) for n in range(PARTITIONS) for _ in range(count)]


def acknowledged(bus: MessageBus, records: Sequence[NewRecord]) -> None:
    """Publish, again until all are taken."""
    for _ in attempts():
        if not any(future.exception(timeout=DEADLINE) for future in bus.publish(records)):
            return


def values(records: Iterable[Record]) -> set[bytes | None]:
    return {record.value for record in records}
