"""Telling those who watch which events changed."""

from collections.abc import Collection, Iterable
from uuid import UUID

from adapters.postgres.session import Session
from domain.ports import MOST_TOLD

CHANGES = "touchline_changes"
"""Channel: events changed, or bets on them did. The payload has their ids, or says any."""

ANY = "any"
"""No id."""


class PostgresChanges:
    """Changes."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def tell(self, event_ids: Collection[UUID]) -> None:
        if event_ids:
            many = len(event_ids) > MOST_TOLD
            payload = ANY if many else ",".join(each.hex for each in event_ids)
            self._session.query(f"SELECT pg_notify('{CHANGES}', %(payload)s)", {"payload": payload})


def events_told(payloads: Iterable[str]) -> frozenset[UUID] | None:
    """The events that these payloads tell of; None when it may be any, as also where somebody says
    what we don't understand."""
    try:
        return frozenset(UUID(each) for payload in payloads for each in payload.split(","))
    except ValueError:
        return None
