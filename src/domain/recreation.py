"""What happens when a topic is found to be another log than before.

Everything in the earlier log precedes everything in the new one. So nobody may apply a record of
the earlier log once the new one is known; and what was told in the earlier log and not yet read is
gone with it. Bets that wait for such an outcome get it from the tables.
"""

from collections.abc import Collection
from uuid import UUID

from domain.evaluator import evaluate
from domain.log import PARTITIONS, LogPartition
from domain.ports import EventLock, UnitOfWork
from domain.records import READERS, MarketOfEvent, StateRange

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
        _bring_up_to_date(uow)


def superseded(uow: UnitOfWork, sources: Collection[LogPartition]) -> set[LogPartition]:
    """Those of these, whose positions are locked, that lie in an earlier log of their topic."""
    newest = {topic: uow.logs.incarnations(topic)[-1:] for topic in {s.topic for s in sources}}
    return {source for source in sources if source.log_id not in newest[source.topic]}


def _bring_up_to_date(uow: UnitOfWork) -> None:
    """Give every bet the state that its event has by now. What a consumer says later of an earlier
    version changes nothing any more."""
    groups = uow.audit.bet_groups()
    events = uow.events.among({group.event_id for group in groups})
    waiting = {
        MarketOfEvent(group.event_id, group.market)
        for group in groups
        for event in [events[group.event_id].event]
        if group.state is not evaluate(group.market, event.state, event.score)
    }
    still = uow.events.lock({market.event_id for market in waiting}, EventLock.CHANGE)
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
            for event_id, market in sorted(waiting)
            for event in [still[event_id].event]
        ]
    )
