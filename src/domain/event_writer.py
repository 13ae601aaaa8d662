"""The Event Writer's decisions: folds the story's `event.*` into events and their versions."""

from collections.abc import Iterator, Sequence

from domain.errors import RuleBroken
from domain.events import FIRST_VERSION, EventState, check_change
from domain.identity import origin_of
from domain.log import EVENTS_TAXONOMY
from domain.messages import EVENT_KINDS, EventCreated, EventMessage, Kinds, Message
from domain.ports import Database, EventLock, UnitOfWork
from domain.records import ConsumerName, EventVersion, RefusalReason, StoredEvent
from domain.rulings import Fate, Lane, Request, Ruling
from domain.score import GOALLESS

NEW = (FIRST_VERSION, EventState.CREATED, GOALLESS)
"""Version, state and score of every event at its creation."""


class EventWriter:
    """Judges every event request at its place in the log. Waits for nobody."""

    name: ConsumerName = ConsumerName.EVENT_WRITER
    behind: ConsumerName | None = None
    kinds: Kinds = EVENT_KINDS
    publishes: bool = False
    lanes: Sequence[Lane] = (Lane(EVENTS_TAXONOMY, 5000),)

    def outputs(self, database: Database, requests: Sequence[Request]) -> Iterator[list[Message]]:
        """Nothing: what it writes is all that it has to say."""
        return iter(())

    def decide(self, uow: UnitOfWork, requests: Sequence[Request]) -> list[Ruling]:
        told = [(r.record, r.message) for r in requests if isinstance(r.message, EventMessage)]
        ids = {message.event.id for _, message in told}
        if not ids:
            return []
        current = dict(uow.events.lock(ids, EventLock.CHANGE))
        deleted = uow.deletions.among(ids - current.keys())
        versions: list[EventVersion] = []
        rulings: list[Ruling] = []
        for record, message in told:
            event_id = message.event.id
            after = judge_event(message, current.get(event_id), deleted=event_id in deleted)
            if not isinstance(after, StoredEvent):
                rulings.append(after)
                continue
            current[event_id] = after
            rulings.append(Fate.APPLIED)
            versions.append(
                EventVersion(
                    event_id=event_id,
                    version=after.event.version,
                    state=after.event.state,
                    score=after.event.score,
                    at=message.time,
                    position=record.position,
                    message_id=message.id,
                )
            )
        if versions:
            uow.events.write([current[event_id] for event_id in {v.event_id for v in versions}])
            uow.event_versions.add(versions)
            uow.changes.tell({version.event_id for version in versions})
        return rulings


def judge_event(
    message: EventMessage, current: StoredEvent | None, *, deleted: bool
) -> StoredEvent | Ruling:
    """The event as `message` makes it, or the ruling that leaves it as it is."""
    event = message.event
    if isinstance(message, EventCreated):
        if current is not None:
            same = origin_of(event) == current.origin
            return Fate.UNCHANGED if same else RefusalReason.IDEMPOTENCY_KEY_REUSED
        if deleted:
            return RefusalReason.EVENT_DELETED
        if (event.version, event.state, event.score) != NEW:
            return RefusalReason.NOT_A_NEW_EVENT
        return StoredEvent(event=event, created_at=message.time, origin=origin_of(event))
    if current is None:
        return RefusalReason.EVENT_DELETED if deleted else RefusalReason.EVENT_NOT_FOUND
    if event.same_content(current.event):
        return Fate.UNCHANGED
    if event.version != current.event.version + 1:
        return RefusalReason.EVENT_CONFLICT
    try:
        check_change(current.event, event)
    except RuleBroken as broken:
        return RefusalReason(broken.code)
    return StoredEvent(event=event, created_at=current.created_at, origin=current.origin)
