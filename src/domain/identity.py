"""Ids that follow from content, so that a repeat is known as one.

All are UUIDs of version 5; random and time-ordered ids come in as arguments instead.
"""

import json
from datetime import UTC
from hashlib import blake2b
from uuid import NAMESPACE_DNS, UUID, uuid5

from domain.events import Event

_BETS = uuid5(NAMESPACE_DNS, "bets.touchline")
_EVENTS = uuid5(NAMESPACE_DNS, "events.touchline")
_SLICES = uuid5(NAMESPACE_DNS, "slices.touchline")


def _name(*parts: object) -> str:
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))


def bet_id_of_key(*, user_id: str, event_id: UUID, key: str) -> UUID:
    """The bet of an Idempotency-Key. The event is part of it: otherwise one id could be judged on
    two partitions, in racing order."""
    return uuid5(_BETS, _name(user_id, str(event_id), key))


def event_id_of_key(key: str) -> UUID:
    """The event of an Idempotency-Key."""
    return uuid5(_EVENTS, _name(key))


def slice_message_id(*, event_id: UUID, version: int, key: str) -> UUID:
    """The message id of a slice: a slice published again after a crash has the same one."""
    return uuid5(_SLICES, _name(str(event_id), version, key))


def origin_of(event: Event) -> bytes:
    """16 bytes over what an event was created with: tells a retried creation from another one."""
    when = event.event_date.astimezone(UTC).isoformat()
    name = _name(event.type, event.team_1, event.team_2, when)
    return blake2b(name.encode(), digest_size=16).digest()
