"""Log lines by which one request can be followed through a server: published, and told to streams.

Requests for bets are told at DEBUG: they are many.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from uuid import UUID

import structlog

from domain.log import EVENTS_TAXONOMY, Placed
from domain.messages import MESSAGE_TYPES, EventMessage, TaxonomyMessage, event_of, subject_of
from domain.records import EventVersion

MOST_LINES = 20
"""At once; of more, one line says how many."""

_NAME = "story.server"
_plain_log = logging.getLogger(_NAME)
_log = structlog.get_logger(_NAME)


def tell_published(message: TaxonomyMessage, placed: Placed) -> None:
    """The request lies in the log, acknowledged."""
    about: dict[str, object] = {"bet_id": str(subject_of(message))}
    level = logging.DEBUG
    if isinstance(message, EventMessage):
        about, level = {"event_version": message.event.version}, logging.INFO
    if _plain_log.isEnabledFor(level):
        _log.log(
            level,
            "published",
            request_id=str(message.id),
            type=MESSAGE_TYPES[type(message)],
            event_id=str(event_of(message)),
            **about,
            **placed._asdict(),
        )


def tell_streams(told: Iterable[tuple[UUID | None, Sequence[EventVersion]]]) -> None:
    """These versions go to streams, of which each watches one event or (None) all; they share the
    lists of what is new to all of them."""
    if not _plain_log.isEnabledFor(logging.INFO):
        return
    news = [(event_id, versions) for event_id, versions in told if versions]
    streams = Counter(event_id for event_id, _ in news)
    lists = {id(versions): versions for _, versions in news}
    found = {version.position: version for versions in lists.values() for version in versions}
    watched = [v for v in found.values() if streams[None] or streams[v.event_id]]
    for version in watched[:MOST_LINES]:
        _log.info(
            "told",
            request_id=str(version.message_id),
            event_id=str(version.event_id),
            event_version=version.version,
            streams=streams[None] + streams[version.event_id],
            topic=EVENTS_TAXONOMY,
            partition=version.position.partition,
            offset=version.position.offset,
        )
    if len(watched) > MOST_LINES:
        _log.info("and more", lines=len(watched) - MOST_LINES)
