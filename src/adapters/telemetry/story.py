"""Log lines by which one request can be followed through the consumers: what became of it where.

The request's id is the id of its message. Placed bets are told at DEBUG: they are many.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog

from domain.log import LogPartition, Record
from domain.messages import (
    BetMessage,
    BetPlaced,
    BetsStateChanged,
    BetUpdated,
    EventCreated,
    EventMessage,
    EventUpdated,
    Message,
    subject_of,
)
from domain.observing import Told
from domain.records import ConsumerName, RefusalReason
from domain.rulings import Fate, Request, Ruling

STORY = "story"
"""Where these lines' loggers hang, so that they can be turned down together."""

MOST_LINES = 20
"""Of one batch at one level; of more, one line says how many."""

_Judged = Sequence[tuple[Request, Ruling]]
_Line = tuple[str, Mapping[str, Any]]


def tell(
    name: ConsumerName,
    requests: Sequence[Request],
    rulings: Sequence[Ruling],
    told: Sequence[Told],
) -> None:
    """What one consumer did with a batch."""
    log = logging.getLogger(f"{STORY}.{name}")
    if not requests or not log.isEnabledFor(logging.INFO):
        return
    match name:
        case ConsumerName.EVENT_WRITER:
            events = _about(EventMessage, requests, rulings)
            _write(name, logging.INFO, map(_ruled, events[:MOST_LINES]), len(events))
        case ConsumerName.BET_SCORER:
            events = _about(EventMessage, requests, rulings)
            accepted = [each for each in events if each[1] is Fate.APPLIED]
            _write(name, logging.INFO, _scored(accepted[:MOST_LINES], told), len(accepted))
        case ConsumerName.BET_WRITER:
            written = _by_version(_about(BetsStateChanged, requests, rulings))
            _write(name, logging.INFO, map(_slices, written[:MOST_LINES]), len(written))
            if log.isEnabledFor(logging.DEBUG):
                bets = _about(BetMessage, requests, rulings)
                _write(name, logging.DEBUG, map(_ruled, bets[:MOST_LINES]), len(bets))


def _about(kind: Any, requests: Sequence[Request], rulings: Sequence[Ruling]) -> _Judged:
    judged = zip(requests, rulings, strict=True)
    return [each for each in judged if isinstance(each[0].message, kind)]


def _write(name: ConsumerName, level: int, lines: Iterable[_Line], number: int) -> None:
    log = structlog.get_logger(f"{STORY}.{name}")
    for event, fields in lines:
        log.log(level, event, **fields)
    if number > MOST_LINES:
        log.log(level, "and more", lines=number - MOST_LINES)


def _ruled(judged: tuple[Request, Ruling]) -> _Line:
    request, ruling = judged
    fields = _fields(request)
    if isinstance(ruling, RefusalReason):
        return "refused", fields | {"reason": ruling.value}
    return "accepted" if ruling is Fate.APPLIED else "unchanged", fields


def _scored(accepted: _Judged, told: Sequence[Told]) -> Iterator[_Line]:
    """Of each version what was told of its event."""
    slices: Counter[UUID] = Counter()
    bets: Counter[UUID] = Counter()
    for each in told:
        slices[each.event_id] += 1
        bets[each.event_id] += each.bets
    for request, _ in accepted:
        event_id = subject_of(request.message)
        moved = {"slices": slices[event_id], "bets": bets[event_id]}
        yield "scored", _fields(request) | moved


_Slices = Sequence[tuple[Record, BetsStateChanged]]


def _by_version(judged: _Judged) -> list[tuple[str, _Slices]]:
    """What became of the slices of each version, by partition."""
    found: dict[tuple[str, UUID, int, LogPartition], list[tuple[Record, BetsStateChanged]]] = {}
    for (record, message), ruling in judged:
        if isinstance(message, BetsStateChanged):
            event = "written" if ruling is Fate.APPLIED else "refused"
            key = (event, message.event_id, message.event_version, record.source)
            found.setdefault(key, []).append((record, message))
    return [(event, slices) for (event, *_), slices in found.items()]


def _slices(written: tuple[str, _Slices]) -> _Line:
    """Its offset is that of the last slice."""
    event, slices = written
    record, last = slices[-1]
    return event, {
        "request_id": None if last.cause is None else str(last.cause),
        "event_id": str(last.event_id),
        "event_version": last.event_version,
        "slices": len(slices),
        "bets": sum(len(message.bets) for _, message in slices),
        **_place(record),
    }


def _fields(request: Request) -> dict[str, Any]:
    record, message = request
    return {"request_id": str(message.id), **_subject(message), **_place(record)}


def _subject(message: Message) -> dict[str, Any]:
    match message:
        case EventCreated(event=event) | EventUpdated(event=event):
            return {"event_id": str(event.id), "event_version": event.version}
        case BetPlaced(placement=placement) | BetUpdated(placement=placement):
            return {"event_id": str(placement.event_id), "bet_id": str(placement.id)}
        case BetsStateChanged(event_id=event_id, event_version=version):
            return {"event_id": str(event_id), "event_version": version}


def _place(record: Record) -> dict[str, Any]:
    return {
        "topic": record.source.topic,
        "partition": record.source.partition,
        "offset": record.offset,
    }
