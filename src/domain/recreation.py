"""What happens when a topic is found to be another log than before.

Everything in the earlier log precedes everything in the new one. So nobody may apply a record of
the earlier log once the new one is known; and what was told in the earlier log and not yet read is
gone with it. Bets that wait for such an outcome get it from the tables.
"""

from collections.abc import Collection

from domain.log import PARTITIONS, LogPartition
from domain.ports import UnitOfWork
from domain.records import READERS
from domain.repair import correct, corrections


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
        correct(uow, corrections(uow, to_now=True))


def superseded(uow: UnitOfWork, sources: Collection[LogPartition]) -> set[LogPartition]:
    """Those of these, whose positions are locked, that lie in an earlier log of their topic."""
    newest = {topic: uow.logs.incarnations(topic)[-1:] for topic in {s.topic for s in sources}}
    return {source for source in sources if source.log_id not in newest[source.topic]}
