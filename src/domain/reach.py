"""How far the story has been told, and which versions were made since an earlier place in it."""

from collections.abc import Sequence
from uuid import UUID

from domain.log import EVENTS_TAXONOMY, PARTITIONS
from domain.ports import UnitOfWork
from domain.records import ConsumerName, EventVersion, Reach


def reach_now(uow: UnitOfWork) -> Reach | None:
    """How far the Event Writer has come in the story's newest log; None before there is one."""
    logs = uow.logs.incarnations(EVENTS_TAXONOMY)
    if not logs:
        return None
    reached = uow.positions.reached(EVENTS_TAXONOMY)
    offsets = [reached.get((ConsumerName.EVENT_WRITER, each), 0) for each in range(PARTITIONS)]
    return Reach(logs[-1], tuple(offsets))


def made_between(
    uow: UnitOfWork, first: Reach, last: Reach, *, event_id: UUID | None = None, most: int
) -> Sequence[EventVersion] | None:
    """The versions made from one reach to a later one, in order; None when that can't be told: the
    log is another one by now, or they are more than `most`; or `last` is not later, for tables and
    log went back to a backup, and another story may lie below `first` by now."""
    if first.log_id != last.log_id or len(first.next_offsets) != len(last.next_offsets):
        return None
    if any(one > other for one, other in zip(first.next_offsets, last.next_offsets, strict=True)):
        return None
    if first == last:
        return []
    versions = uow.event_versions.made_from(first, last, event_id=event_id, most=most + 1)
    return versions if len(versions) <= most else None
