"""What happens when a topic is found to be another log than before.

Everything in the earlier log precedes everything in the new one. So nobody may apply a record of
the earlier log once the new one is known; and what was told in the earlier log and not yet read is
gone with it. Bets that wait for such an outcome get it from the tables.
"""

from collections.abc import Collection, Iterable
from uuid import UUID

from domain.evaluator import evaluate
from domain.events import EventState
from domain.log import PARTITIONS, LogPartition
from domain.ports import EventLock, UnitOfWork
from domain.records import READERS, BetGroup, BetKind, MarketOfEvent, StateRange

FIRST_ID, LAST_ID = UUID(int=0), UUID(int=2**128 - 1)


def register(uow: UnitOfWork, source: LogPartition) -> None:
    """Remember the partition's log as its topic's newest, unless it is known as that."""
    known = uow.logs.incarnations(source.topic)
    if source.log_id in known[-1:]:
        return
    for log_id in known[-1:]:
        # Whoever is just applying records of the earlier log comes first; then nobody does.
        earlier = [LogPartition(source.topic, number, log_id) for number in range(PARTITIONS)]
        for consumer in sorted(READERS[source.topic]):
            uow.positions.lock(consumer, earlier)
    if source.log_id in uow.logs.incarnations(source.topic)[-1:]:
        return
    uow.logs.register(source.topic, source.log_id)
    if known:
        _catch_up(uow)


def superseded(uow: UnitOfWork, sources: Collection[LogPartition]) -> set[LogPartition]:
    """Those of these, whose positions are locked, that lie in an earlier log of their topic."""
    newest = {topic: uow.logs.incarnations(topic)[-1:] for topic in {s.topic for s in sources}}
    return {source for source in sources if source.log_id not in newest[source.topic]}


def _catch_up(uow: UnitOfWork) -> None:
    """Give bets that may wait for an outcome the one that their event has by now, with its version:
    whatever is still said of an earlier one changes nothing any more."""
    markets = _waiting(uow, [group for group, _ in uow.audit.groups(_may_wait)])
    events = uow.events.lock({market.event_id for market in markets}, EventLock.CHANGE)
    uow.bets.write_states(
        [
            StateRange(
                event_id=event_id,
                market=market,
                first=FIRST_ID,
                last=LAST_ID,
                state=evaluate(market, event.state, event.score),
                event_version=event.version,
            )
            for event_id, market in sorted(markets)
            for event in [events[event_id].event]
        ]
    )
    uow.changes.tell(events.keys())


def _may_wait(kind: BetKind) -> bool:
    """Whether more could have been told of such bets than they know: nothing before the kick-off,
    and nothing after the end."""
    if kind.now.state is EventState.CREATED or kind.own is None:
        return False
    return kind.own.state is not EventState.FINISHED


def _waiting(uow: UnitOfWork, groups: Iterable[BetGroup]) -> set[MarketOfEvent]:
    """The markets of which another outcome was told since, at *any* step: what is told of the
    first step may still come, and what was told of the last one may be lost."""
    events = uow.events.among({group.event_id for group in groups})
    behind = [g for g in groups if g.event_version < events[g.event_id].event.version]
    ranges = {
        event_id: (1, events[event_id].event.version) for event_id in {g.event_id for g in behind}
    }
    versions = uow.event_versions.between(ranges) if ranges else {}
    return {
        MarketOfEvent(group.event_id, group.market)
        for group in behind
        if any(
            evaluate(group.market, version.state, version.score) is not group.state
            for version in versions[group.event_id][group.event_version :]
        )
    }
