"""One run of a plan: the whole system in one thread, broken and mended, until all is quiet."""

from collections import Counter
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, fields
from random import Random
from uuid import UUID

from adapters.cloudevents import CloudEventsCodec
from adapters.memory.bus import MemoryBus
from adapters.memory.database import MemoryDatabase, Snapshot
from adapters.memory.log import MemoryLog
from domain.consumer import Consumer
from domain.errors import BusUnavailable
from domain.log import EVENTS_TAXONOMY, TOPICS, LogPartition, NewRecord, Placed
from domain.records import READERS, ConsumerName
from domain.rulings import LIGHTEST_SLICE, Lane
from tests.simulation.breaking import Breaking
from tests.simulation.chronicle import Chronicle, Kept
from tests.simulation.plan import CHAOS_LASTS, Plan
from tests.simulation.processes import Client, Member, Process, Server
from tests.simulation.requests import Requests
from tests.simulation.scheduler import Scheduler, Task
from tests.simulation.watch import Watch
from tests.world import HANDLERS

PATIENCE = 120.0
"""Seconds after everything was mended in which all must come to rest."""

GIVEN_UP_AFTER = 2.0
"""Seconds after which a bus gives a record up."""


@dataclass(slots=True)
class Counts:
    """What a run, or many, tried."""

    seeds: int = 0
    steps: int = 0
    crashes: int = 0
    """Consumers that died of a fault, not those that were ended with their run."""
    bets: int = 0
    records: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Counts") -> None:
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            setattr(self, each.name, mine + theirs)


class Simulation:
    """The system, its clients, and what they suffer."""

    def __init__(self, plan: Plan, *, tracing: bool = False) -> None:
        self.plan = plan
        self.scheduler = Scheduler(Random(f"{plan.seed} interleaving"))
        self._ids = Random(f"{plan.seed} ids")
        self._tracing = tracing
        self.chronicle = Chronicle()
        self.lost: set[tuple[ConsumerName, LogPartition]] = set()
        """Who says at the end that a partition's history was lost."""
        self.codec = CloudEventsCodec()
        self.requests = Requests(self)
        self.log = MemoryLog(new_id=self.new_id)
        self.database = MemoryDatabase(now=self.requests.now, wait=self._wait_for_lock)
        self.database_away = self.bus_away = False
        self.garbage: set[bytes] = set()
        self.backups: list[tuple[float, Snapshot]] = []
        """Each with the moment when it was made."""
        self.counts = Counts(seeds=1)
        for topic in TOPICS:
            self.note_logs(topic)
        self.watch = Watch(self)
        self.breaking = Breaking(self)
        self.tasks: dict[object, Task] = {}
        self.members: list[Member] = []
        for group in ConsumerName:
            for number in range(plan.members):
                self.add_member(group, number)
        self.events_api = Server(self, "events-api")
        self.bets_api = Server(self, "bets-api")
        self.clients = [Client(self, n, asks) for n, asks in enumerate(plan.clients)]
        self.clients_by_task = {client.task: client for client in self.clients}
        for each in plan.breaks:
            self.scheduler.call_in(each.at, lambda each=each: self.breaking.happen(each))  # type: ignore[misc]

    def run(self) -> None:
        """All of it. Raises AssertionError when it doesn't come to rest."""
        self.scheduler.run(until=CHAOS_LASTS)
        self.breaking.mend()
        deadline = self.scheduler.now + PATIENCE
        while True:
            rested = self._is_quiet()
            self.scheduler.run(until=self.scheduler.now + (1.5 if rested else 0.25))
            if rested and self._is_quiet():
                break
            if self.scheduler.now > deadline:
                raise AssertionError(f"it doesn't come to rest: {self._unrest()}")
        self.watch.look()
        self.lost = self._lost_readings()
        for member in list(self.members):
            member.task.kill()
        self.counts.steps = self.scheduler.steps
        self.counts.records = sum(map(len, self.chronicle.story.values()))

    # What processes ask for

    @property
    def running(self) -> Task:
        return self.scheduler.running

    def new_id(self) -> UUID:
        return UUID(int=self._ids.getrandbits(128), version=4)

    def some_slowness(self) -> float:
        return self.scheduler.random.choice((0.3, 1.0, 1.0, 3.0, 15.0))

    def consumer(self, member: Member) -> Consumer:
        handler = HANDLERS[member.group]()
        handler.lanes = [
            Lane(
                topic,
                self.plan.batch if topic == EVENTS_TAXONOMY else self.plan.slices * LIGHTEST_SLICE,
            )
            for topic, *_ in handler.lanes
        ]
        return Consumer(
            handler,
            bus=member.bus,
            codec=self.codec,
            database=member.database,
            monotonic=lambda: self.scheduler.now,
        )

    def say(self, what: str) -> None:
        if self._tracing:
            self.chronicle.trace.append(f"{self.scheduler.now:8.3f} {what}")

    def send(self, process: Process, record: NewRecord, future: "Future[Placed]") -> None:
        """Under way for a while, in order; then there, lost, or there without an answer."""
        now = self.scheduler.now
        process.line_free_at = max(
            process.line_free_at, now + self.scheduler.random.expovariate(500)
        )
        give_up_at = now + GIVEN_UP_AFTER
        life = process.generation if isinstance(process, Server) else 0

        def arrive() -> None:
            random = self.scheduler.random
            died = process.dead or (isinstance(process, Server) and process.generation != life)
            if died and random.random() < 0.5:
                return
            if self.bus_away and self.scheduler.now < give_up_at:
                self.scheduler.call_in(0.1, arrive)
                return
            if self.bus_away or random.random() < self.plan.given_up:
                future.set_exception(BusUnavailable("it was given up"))
                return
            placed = self.append(record)
            if random.random() < self.plan.duplicated:
                self.scheduler.call_in(random.expovariate(5), lambda: self._append_again(record))
            if random.random() < self.plan.unacknowledged:
                future.set_exception(BusUnavailable("it was not acknowledged"))
            else:
                future.set_result(placed)

        self.scheduler.call_in(process.line_free_at - now, arrive)

    def append(self, record: NewRecord) -> Placed:
        with self.log.condition:
            placed = self.log.append(record)
        source = LogPartition(placed.topic, placed.partition, self.chronicle.logs[placed.topic][-1])
        self.say(f"{placed.topic}/{placed.partition}@{placed.offset} {_short(record)}")
        kept = Kept(
            record.key, record.value, self.scheduler.now, (record.value or b"") in self.garbage
        )
        self.chronicle.append(source, placed.offset, kept)
        return placed

    def note_logs(self, topic: str) -> None:
        self.chronicle.logs.setdefault(topic, []).append(self.log.sources(topic)[0].log_id)

    # Consumers

    def add_member(self, group: ConsumerName, number: int) -> None:
        self.members.append(Member(self, group, number))

    def bury(self, member: Member) -> None:
        """A consumer died: its group notices in a while, and it is started again."""
        random = self.scheduler.random
        dead_id = member.id_in_group
        if dead_id is not None:
            self.scheduler.call_in(random.uniform(0, 3), lambda: self.log.expire(dead_id))
        self.members.remove(member)
        self.scheduler.call_in(
            random.uniform(0.05, 2), lambda: self.add_member(member.group, member.number)
        )

    def _append_again(self, record: NewRecord) -> None:
        with suppress(BusUnavailable):
            self.append(record)

    def _wait_for_lock(self, is_free: "object") -> None:
        while not is_free():  # type: ignore[operator]
            self.running.pause()

    # Rest

    def _is_quiet(self) -> bool:
        return not self._unrest()

    def _unrest(self) -> list[str]:
        """Who has something left to do."""
        tables = self.database.snapshot()
        positions = {key: row.position.next_offset for key, row in tables.positions.items()}
        lost = self._lost_readings()
        stopped = {source for _, source in lost}
        read = {
            (member.group, reading.source)
            for member in self.members
            if member.consumer is not None
            for reading in member.consumer.readings
        }
        busy = [client.task.name for client in self.clients if client.task.alive]
        for topic in TOPICS:
            for source, bounds in MemoryBus(self.log).bounds(topic).items():
                for consumer in READERS[topic]:
                    if (consumer, source) not in read:
                        busy.append(f"nobody of {consumer} reads {source[:2]}")
                    reached = positions.get((consumer, source), 0)  # type: ignore[call-overload]
                    if reached != bounds.end and source not in stopped:
                        busy.append(f"{consumer} at {source[:2]} {reached} of {bounds.end}")
        busy += [
            f"{name} has not noticed a loss"
            for loss in self.chronicle.unhealed()
            for name in loss.noticed_by
            if (name, loss.source) not in lost
        ]
        busy += [f"{m.name}: {m.trouble}" for m in self.members if m.trouble is not None]
        return busy

    def _lost_readings(self) -> set[tuple[ConsumerName, LogPartition]]:
        return {
            (member.group, reading.source)
            for member in self.members
            if member.consumer is not None
            for reading in member.consumer.readings
            if reading.lost is not None
        }


def _short(record: NewRecord) -> str:
    text = (record.value or b"").decode(errors="replace")
    at = text.find('"data"')
    kind = text.find('"type":"')
    return f"{text[kind + 8 : kind + 30].partition(chr(34))[0]} {text[at : at + 160]}"
