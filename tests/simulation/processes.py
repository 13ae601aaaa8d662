"""What runs: consumers, and the clients with the servers that they ask."""

from collections.abc import Callable
from concurrent.futures import Future
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

from adapters.memory.bus import MemoryBus
from adapters.memory.store import CommitFault
from domain.bets import Bet
from domain.consumer import Consumer, Step
from domain.errors import BusUnavailable, DatabaseUnavailable, RuleBroken, TouchlineError
from domain.events import Event
from domain.log import EVENTS_TAXONOMY, NewRecord, Placed
from domain.ports import UnitOfWork
from domain.records import ConsumerName
from domain.verdicts import Publication, verdicts
from tests.simulation.chronicle import Entry, Outcome
from tests.simulation.parts import SimulatedBus, SimulatedDatabase
from tests.simulation.plan import Ask, Fault, Moment
from tests.simulation.scheduler import INSTANT, Killed, Task

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

IDLE, BACKOFF, ANSWER_WAIT = 0.1, 0.2, 2.0
"""Seconds: between two looks for work, after an error, and for a verdict."""

LONG = 0.02
"""Seconds between two looks whether something that takes its time has happened."""

_MOMENTS = {each.value: each for each in Moment}


class Process:
    """One operating system process: its connections, and its life. Surroundings of its parts."""

    def __init__(self, simulation: "Simulation", name: str) -> None:
        self.simulation = simulation
        self.name = name
        self.dead = False
        self.line_free_at = 0.0
        """When the last record that it sent arrives: the next one doesn't overtake it."""
        self.database = SimulatedDatabase(simulation.database, self)
        self.bus = SimulatedBus(MemoryBus(simulation.log), self)

    def step(self, what: str) -> None:
        simulation = self.simulation
        simulation.running.pause(LONG if what.startswith("wait") else INSTANT)
        self.suffer(_MOMENTS.get(what, Moment.STATEMENT))
        if simulation.database_away and "." in what:
            raise DatabaseUnavailable(f"the connection was lost at {what}")

    def suffer(self, moment: Moment) -> None:
        """Die here, or let the statement fail, when the plan says so."""

    def committed(self) -> None:
        self.simulation.watch.look()

    def commit_fault(self) -> CommitFault | None:
        return CommitFault.BEFORE if self.simulation.database_away else None

    def database_is_away(self) -> bool:
        return self.simulation.database_away

    def bus_is_away(self) -> bool:
        return self.simulation.bus_away

    def send(self, record: NewRecord, future: "Future[Placed]") -> None:
        self.simulation.send(self, record, future)


class Member(Process):
    """One member of a consumer group."""

    def __init__(self, simulation: "Simulation", group: ConsumerName, number: int) -> None:
        super().__init__(simulation, f"{group}-{number}")
        self.group = group
        self.number = number
        self.leaving = False
        self.trouble: str | None = None
        self.consumer: Consumer | None = None
        self.task = Task(
            simulation.scheduler, self.name, self._run, slowness=simulation.some_slowness()
        )

    @property
    def id_in_group(self) -> UUID | None:
        return None if self.bus.subscription is None else self.bus.subscription.inner.member

    def suffer(self, moment: Moment) -> None:
        found = self.simulation.breaking.struck(self.group, self.number, moment)
        match found and found.fault:
            case Fault.CRASH:
                self.simulation.say(f"{self.name} dies at {moment}")
                self.simulation.counts.crashes += 1
                raise Killed
            case Fault.STATEMENT_FAILS:
                raise DatabaseUnavailable("the connection was lost")
            case Fault.STALL if found is not None:
                self.simulation.breaking.stall(self, found)

    def commit_fault(self) -> CommitFault | None:
        return super().commit_fault() or self.simulation.breaking.struck_commit(self.group)

    def _run(self) -> None:
        try:
            while not self.leaving:
                self._turn()
            if self.consumer is not None:
                self.consumer.close()
            self.dead = True
            self.simulation.members.remove(self)
        except Killed:
            self.dead = True
            self.simulation.bury(self)

    def _turn(self) -> None:
        progressed = False
        try:
            if self.consumer is None:
                self.consumer = self.simulation.consumer(self)
            for step in self.consumer.turn(idle=0):
                progressed |= step is Step.COMMITTED
                if step is not Step.POLLED:
                    self.simulation.say(f"{self.name} {step}")
                self.step(step.value)
                if self.simulation.scheduler.random.random() < 0.05:
                    self.consumer.keep_alive()
        except TouchlineError as error:
            self.trouble = f"{type(error).__name__}: {error}"
            self.simulation.say(f"{self.name} fails: {self.trouble}")
            if self.consumer is not None:
                self.consumer.restart()
            self.simulation.running.pause(BACKOFF)
        else:
            self.trouble = None
            if not progressed:
                self.simulation.running.pause(IDLE)


class ServerDied(Exception):
    """The connection to the server broke."""


class Server(Process):
    """The events API or the bets API; `generation` rises when it dies and comes back."""

    def __init__(self, simulation: "Simulation", name: str) -> None:
        super().__init__(simulation, name)
        self.generation = 0

    def suffer(self, moment: Moment) -> None:
        client = self.simulation.clients_by_task.get(self.simulation.running)
        if client is not None and client.generation != self.generation:
            raise ServerDied

    def submit(self, entry: Entry, ask: Callable[[UnitOfWork], Any], *, publish: bool) -> None:
        """A request from its quick checks to its verdict; what became of it goes into `entry`."""
        with self.database.transaction() as uow:
            asked = ask(uow)
            if not publish:
                uow.commit()
        if not isinstance(asked, Publication):
            self._answered(entry, asked)
            return
        entry.message = asked.message.id
        entry.published = True
        (future,) = self.bus.publish([self.simulation.codec.encode(asked.message)])
        placed = future.result()
        verdict = self._verdict(asked, placed)
        if isinstance(verdict, RuleBroken):
            entry.outcome, entry.reason = Outcome.REFUSED, verdict.code
        elif verdict is not None:
            self._answered(entry, verdict)

    def _verdict(self, asked: Publication, placed: Placed) -> Event | Bet | RuleBroken | None:
        simulation = self.simulation
        deadline = simulation.scheduler.now + ANSWER_WAIT
        while simulation.scheduler.now < deadline:
            try:
                with self.database.transaction() as uow:
                    reached = uow.positions.reached(EVENTS_TAXONOMY)
                    if placed.offset < reached.get((asked.judge, placed.partition), 0):
                        return verdicts(uow, [(asked, placed)]).get(asked.message.id)
            except DatabaseUnavailable:
                pass
            simulation.running.pause(0.05)
        return None

    def _answered(self, entry: Entry, resource: object) -> None:
        entry.outcome = Outcome.OK
        match resource:
            case Event():
                entry.answered_event = resource
            case Bet():
                entry.answered_bet = resource


class Client:
    """Asks one thing after the other."""

    def __init__(self, simulation: "Simulation", number: int, asks: tuple[Ask, ...]) -> None:
        self.number = number
        self.generation = 0
        self._simulation = simulation
        self._asks = asks
        self.task = Task(simulation.scheduler, f"client-{number}", self._run)
        random = Random(f"{simulation.plan.seed} client {number}")
        self._slowness = random.choice((1.0, 1.0, 1.0, 10.0))
        """Of its server: much may happen between two statements of a request."""

    def _run(self) -> None:
        for ask in self._asks:
            self._simulation.running.pause(ask.pause)
            for _ in range(ask.tries):
                entry = self._try(ask)
                if entry is None or entry.outcome is not Outcome.UNKNOWN:
                    break

    def _try(self, ask: Ask) -> Entry | None:
        simulation = self._simulation
        request = simulation.requests.prepare(ask)
        if request is None:
            return None
        entry, server, submit = request
        self.generation = server.generation
        simulation.chronicle.entries.append(entry)
        self.task.slowness = self._slowness
        try:
            submit()
        except RuleBroken as broken:
            entry.outcome, entry.reason = Outcome.TURNED_AWAY, broken.code
        except (DatabaseUnavailable, BusUnavailable, ServerDied, TouchlineError) as error:
            entry.outcome, entry.reason = Outcome.UNKNOWN, type(error).__name__
        finally:
            self.task.slowness = 1.0
        entry.answered_at = simulation.scheduler.now
        simulation.say(f"client-{self.number} {entry.deed} {entry.outcome} {entry.reason or ''}")
        return entry
