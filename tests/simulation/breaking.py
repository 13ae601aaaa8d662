"""Breaks things as the plan says, and mends them."""

from typing import TYPE_CHECKING

from adapters.memory.store import CommitFault
from domain.log import BETS_STATE, LogPartition
from domain.records import READERS, ConsumerName
from tests.simulation.chronicle import Loss
from tests.simulation.plan import Break, Fault, Moment
from tests.simulation.processes import Member

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

SESSION_TIMEOUT = 1.5
"""Seconds after which a group gives a silent member up."""

FOLLOWED = {
    ConsumerName.BET_WRITER: ConsumerName.EVENT_WRITER,
    ConsumerName.BET_SCORER: ConsumerName.BET_WRITER,
}
"""Who never passes whom."""

_AT_A_MOMENT = {Fault.CRASH, Fault.STATEMENT_FAILS, Fault.STALL}
_AT_A_COMMIT = {
    Fault.COMMIT_FAILS: CommitFault.BEFORE,
    Fault.COMMIT_UNKNOWN: CommitFault.AFTER,
}


class Breaking:
    """What is broken now, and what waits for its moment."""

    def __init__(self, simulation: "Simulation") -> None:
        self._simulation = simulation
        self._armed: list[list[Break | int]] = []
        self._database_away = self._bus_away = 0

    def happen(self, what: Break) -> None:
        """Let it happen now, or arm it for its moment."""
        simulation = self._simulation
        simulation.say(f"BREAK {what.fault} {what}")
        simulation.counts.faults[what.fault] += 1
        if what.fault in _AT_A_MOMENT or what.fault in _AT_A_COMMIT:
            self._armed.append([what, what.skip])
            return
        match what.fault:
            case Fault.EXPIRE | Fault.JOIN | Fault.LEAVE:
                self._membership(what)
            case Fault.RECREATE | Fault.LOSE_TAIL | Fault.LOSE_HEAD:
                self._history(what)
            case Fault.BACKUP | Fault.RESTORE:
                self._backup(what)
            case _:
                self._outage(what)

    def mend(self) -> None:
        """From now on nothing is struck any more; what is on its way may still be lost."""
        self._armed.clear()

    def struck(self, group: ConsumerName, number: int, moment: Moment) -> Break | None:
        """What befalls a consumer at this moment."""
        for armed in self._armed:
            what, skip = armed
            assert isinstance(what, Break)
            assert isinstance(skip, int)
            if what.fault not in _AT_A_MOMENT or (what.consumer, what.moment) != (group, moment):
                continue
            if what.member % self._simulation.plan.members != number:
                continue
            if skip:
                armed[1] = skip - 1
                continue
            self._armed.remove(armed)
            return what
        return None

    def stall(self, member: Member, what: Break) -> None:
        """Let it stand still where it is (SIGSTOP, then SIGCONT), longer than its group waits."""
        self._simulation.say(f"{member.name} stalls at {what.moment}")
        self._expire(member, after=SESSION_TIMEOUT, unaware_polls=what.records - 1)
        member.task.sleep(min(SESSION_TIMEOUT + what.lasts, 8.0))

    def struck_commit(self, group: ConsumerName) -> CommitFault | None:
        for armed in self._armed:
            what = armed[0]
            assert isinstance(what, Break)
            if what.fault in _AT_A_COMMIT and what.consumer is group:
                self._armed.remove(armed)
                return _AT_A_COMMIT[what.fault]
        return None

    def _membership(self, what: Break) -> None:
        simulation = self._simulation
        members = [m for m in simulation.members if m.group is what.consumer and not m.dead]
        if not members:
            return
        member = members[what.member % len(members)]
        match what.fault:
            case Fault.EXPIRE:
                self._expire(member, after=0, unaware_polls=what.records)
            case Fault.JOIN if len(members) < 4:
                simulation.add_member(what.consumer, max(m.number for m in members) + 1)
            case Fault.LEAVE if len([m for m in members if not m.leaving]) > 1:
                member.leaving = True

    def _expire(self, member: Member, *, after: float, unaware_polls: int) -> None:
        member_id = member.id_in_group
        if member_id is not None:
            self._simulation.scheduler.call_in(
                after, lambda: self._simulation.log.expire(member_id, unaware_polls=unaware_polls)
            )

    def _set_database_away(self, change: int) -> None:
        self._database_away += change
        self._simulation.database_away = self._database_away > 0
        if change > 0:
            self._simulation.database.disconnect()

    def _set_bus_away(self, change: int) -> None:
        self._bus_away += change
        self._simulation.bus_away = self._bus_away > 0

    def _outage(self, what: Break) -> None:
        simulation = self._simulation
        match what.fault:
            case Fault.SERVER_CRASH:
                for server in (simulation.events_api, simulation.bets_api):
                    server.generation += 1
            case Fault.DATABASE_AWAY:
                self._set_database_away(1)
                simulation.scheduler.call_in(what.lasts, lambda: self._set_database_away(-1))
            case Fault.DISCONNECT:
                simulation.database.disconnect()
            case Fault.BUS_AWAY:
                self._set_bus_away(1)
                simulation.scheduler.call_in(what.lasts, lambda: self._set_bus_away(-1))

    def _backup(self, what: Break) -> None:
        simulation = self._simulation
        if what.fault is Fault.BACKUP:
            backup = (simulation.scheduler.now, simulation.database.snapshot())
            simulation.backups.append(backup)
        elif simulation.backups:
            made_at, tables = simulation.scheduler.random.choice(simulation.backups)
            simulation.database.restore(tables)
            simulation.chronicle.restored_to.append(made_at)
            simulation.watch.forget()
            simulation.watch.look()

    def _history(self, what: Break) -> None:
        match what.fault:
            case Fault.RECREATE:
                self._recreate(what.topic)
            case Fault.LOSE_TAIL:
                self._lose_tail(what)
            case _:
                self._lose_head(what)

    def _recreate(self, topic: str) -> None:
        """A backup from before is of no use after it: its log is no longer there."""
        simulation = self._simulation
        simulation.log.recreate(topic)
        simulation.note_logs(topic)
        simulation.backups.clear()

    def _lose_tail(self, what: Break) -> None:
        simulation = self._simulation
        source = self._source(what)
        records = simulation.chronicle.story.get(source, [])
        end = len(records) - what.records
        if end < 0 or any(loss.source == source for loss in simulation.chronicle.losses):
            return
        reached = self._reached(source)
        beyond = {name for name, offset in reached.items() if offset > end}
        if what.topic == BETS_STATE and not beyond:
            # Slices that nobody has read leave no trace: `verify` finds the bets, no consumer can.
            return
        simulation.log.truncate(what.topic, what.partition, end=end)
        noticed_by = beyond | {
            name for name in READERS[source.topic] if FOLLOWED.get(name) in beyond
        }
        until = max(reached.values(), default=0)
        simulation.chronicle.losses.append(
            Loss(source, simulation.scheduler.now, end, until, noticed_by)
        )
        # A broker that lost its disk comes back without its groups: everybody joins again.
        for group in ConsumerName:
            for member in simulation.log.members(group):
                simulation.log.expire(member)

    def _lose_head(self, what: Break) -> None:
        simulation = self._simulation
        source = self._source(what)
        start = max(0, len(simulation.chronicle.story.get(source, [])) - what.records)
        simulation.log.drop_head(what.topic, what.partition, start=start)
        simulation.chronicle.heads[source] = start

    def _source(self, what: Break) -> LogPartition:
        return LogPartition(
            what.topic, what.partition, self._simulation.chronicle.logs[what.topic][-1]
        )

    def _reached(self, source: LogPartition) -> dict[ConsumerName, int]:
        tables = self._simulation.database.snapshot()
        return {
            key.consumer: row.position.next_offset
            for key, row in tables.positions.items()
            if key.source == source
        }
