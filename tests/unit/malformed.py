"""Records that are no message, and why they are said to be none."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from adapters.cloudevents import CloudEventsCodec
from domain.errors import MalformedRecord
from domain.log import EVENTS_TAXONOMY, LogPartition, Record
from domain.messages import Message
from tests.samples import (
    BET,
    LOG,
    OTHER_BET,
    a_placement,
    a_slice,
    a_version,
    active,
    an_event,
    created,
    handed_over,
    placed,
    updated,
)

CODEC = CloudEventsCodec()
SAMPLES: dict[str, Message] = {
    "event.created": created(an_event()),
    "event.updated": updated(active("2-1")),
    "bet.placed": placed(a_placement()),
    "bet.updated": handed_over(a_placement()),
    "bets.state_changed": a_slice([BET, OTHER_BET], version=a_version(active(), at=0)),
}


def decode(
    value: bytes | None, *, key: bytes | None = b"k", topic: str = EVENTS_TAXONOMY
) -> Message:
    return CODEC.decode(Record(LogPartition(topic, 0, LOG), 7, key, value))


def why(value: bytes | None, *, key: bytes | None = b"k", topic: str = EVENTS_TAXONOMY) -> str:
    """The reason that the record is malformed, fit to be stored."""
    with pytest.raises(MalformedRecord) as malformed:
        decode(value, key=key, topic=topic)
    reason = str(malformed.value)
    assert_storable(reason)
    return reason


def assert_storable(reason: str) -> None:
    """PostgreSQL takes it: UTF-8, so no lone surrogates; no U+0000."""
    assert reason
    assert "\0" not in reason
    reason.encode()


def why_changed(kind: str, change: Callable[[dict[str, Any]], object]) -> str:
    """The reason, when the sample of a type is changed so."""
    record = CODEC.encode(SAMPLES[kind])
    body = json.loads(record.value or b"")
    change(body)
    return why(json.dumps(body).encode(), key=record.key, topic=record.topic)


def holder_of(body: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    """The object that holds the member at a path such as `data.bets[0].id`, and its name there."""
    *parents, name = path.replace("[", ".").replace("]", "").split(".")
    for parent in parents:
        body = body[int(parent)] if parent.isdigit() else body[parent]  # type: ignore[index]
    return body, name


def why_with(kind: str, path: str, value: object) -> str:
    def change(body: dict[str, Any]) -> None:
        holder, name = holder_of(body, path)
        holder[name] = value

    return why_changed(kind, change)
