"""What must be true of every bus and database when garbage lies between the records.

A subclass gives fixtures `open_bus`, which opens one more bus on the same empty log, and
`database`, which is empty.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from prometheus_client import CollectorRegistry

from adapters.cloudevents import CloudEventsCodec
from adapters.http.metrics import ConsumerMetrics
from domain.bet_scorer import BetScorer
from domain.bet_writer import BetWriter
from domain.bets import BetState, Market
from domain.consumer import Consumer, Step
from domain.event_writer import EventWriter
from domain.events import Event
from domain.log import BETS_STATE, EVENTS_TAXONOMY, TOPICS, LogPartition, NewRecord, Placed
from domain.messages import SLICE_SIZE
from domain.ports import Database, MessageBus, Subscription
from domain.reading import Reading
from domain.records import ConsumerName, DeadLetter, Tally
from domain.rulings import Handler
from domain.verification import verify
from tests.samples import a_placement, a_slice, a_version, active, an_event, an_id, created
from tests.samples import placed as a_bet_placed
from tests.samples import updated as an_event_updated

CODEC = CloudEventsCodec()
EVENT_WRITER, BET_WRITER, BET_SCORER = ConsumerName
HANDLERS: Mapping[ConsumerName, Callable[[], Handler]] = {
    EVENT_WRITER: EventWriter,
    BET_WRITER: BetWriter,
    BET_SCORER: BetScorer,
}
READERS = {EVENTS_TAXONOMY: tuple(ConsumerName), BETS_STATE: (BET_WRITER,)}
BATCH = 5000
PATIENCE = 120.0
OpenBus = Callable[[], MessageBus]

# The garbage


def spoilt(record: NewRecord, spoil: Callable[[dict[str, Any]], object]) -> NewRecord:
    """The record with another body."""
    body = json.loads(record.value or b"")
    spoil(body)
    return record._replace(value=json.dumps(body).encode())


def with_data(record: NewRecord, **members: object) -> NewRecord:
    return spoilt(record, lambda body: body["data"].update(members))


def with_text(record: NewRecord, found: bytes, text: bytes) -> NewRecord:
    """The record with other bytes at one place."""
    assert found in (record.value or b"")
    return record._replace(value=(record.value or b"").replace(found, text, 1))


def poison(bet: NewRecord) -> dict[str, NewRecord]:
    """Records that nobody can read, by what is wrong with them, among the bets of one event."""
    odd = (
        ("", b""),
        ("ünï\n", b"\x00\xff"),
        ("content-type", b"text/plain"),
        ("x" * 99, b"y" * 99),
    )
    return {
        "not JSON": bet._replace(value=b"{"),
        "no bytes": bet._replace(value=b""),
        "not UTF-8": bet._replace(value=b"\xff\xfe\x00", headers=odd),
        "UTF-16": bet._replace(value=(bet.value or b"").decode().encode("utf-16")),
        "cut": bet._replace(value=(bet.value or b"")[:-1]),
        "not a number": with_text(bet, b'"data":{', b'"data":{"odds":NaN,'),
        "too long a number": with_text(bet, b'"data":{', b'"data":{"odds":' + b"9" * 5000 + b","),
        "no value": bet._replace(value=None, headers=odd),
        "no key": bet._replace(key=None),
        "neither key nor value": bet._replace(key=None, value=None),
        "the key of another event": bet._replace(key=str(uuid4()).encode()),
        "a key in capitals": bet._replace(key=(bet.key or b"").upper()),
        "a key of any bytes": bet._replace(key=bytes(range(256)), headers=odd),
        "an unknown type": spoilt(bet, lambda body: body.update(type="bet.cancelled")),
        "a list": bet._replace(value=b"[" + (bet.value or b"") + b"]"),
        "no data": spoilt(bet, lambda body: body.pop("data")),
        "an unknown market": with_data(bet, market="both"),
        "U+0000": with_data(bet, userId="a\x00b"),
        "U+0000 in what is quoted": with_data(bet, market="\x00" * 9999),
        "a lone surrogate": with_data(bet, userId="a\ud800b"),
        "a date that is none": with_data(bet, date_created="2022-02-30T00:00:00Z"),
        "a date before all dates": with_data(bet, date_created="0001-01-01T00:00:00+00:01"),
        "a number for an id": with_data(bet, id=10**400),
        "another subject": spoilt(bet, lambda body: body.update(subject=str(uuid4()))),
        "too deep": with_text(bet, b'"data":{', b'"data":{"pad":' + b"[" * 200 + b"]" * 200 + b","),
        "deeper than any stack": bet._replace(value=b"[" * 100_000),
        "a member twice": with_text(bet, b'"data":{', b'"data":{"market":"draw",'),
        "a megabyte": bet._replace(value=b'{"pad":"' + b"x" * 1_000_000 + b'"}'),
        "a slice among the bets": a_slice_record(bet)._replace(topic=EVENTS_TAXONOMY),
    }


def poisonous_slices(good: NewRecord) -> dict[str, NewRecord]:
    """Slices that nobody can read, by what is wrong with them."""
    bets = [{"id": str(an_id(number)), "userId": "ann"} for number in range(SLICE_SIZE + 1)]
    return {
        "not JSON": good._replace(value=b"\x00"),
        "no value": good._replace(value=None),
        "no key": good._replace(key=None),
        "the key of another market": good._replace(key=(good.key or b"").replace(b"draw", b"x")),
        "a key without a number": good._replace(key=(good.key or b"").rpartition(b":")[0]),
        "no bets": with_data(good, bets=[]),
        "too many bets": with_data(good, bets=bets),
        "bets in falling order": with_data(good, bets=bets[1::-1]),
        "a bet twice": with_data(good, bets=[bets[0], bets[0]]),
        "version 0": with_data(good, event_version=0),
        "too high a version": with_data(good, event_version=2**31),
        "an unknown state": with_data(good, state="won"),
        "a bet among the slices": good._replace(
            value=CODEC.encode(a_bet_placed(a_placement())).value
        ),
    }


def a_slice_record(bet: NewRecord) -> NewRecord:
    """A slice that says what version 2 of the bet's event says, as everybody can read it."""
    event_id = UUID((bet.key or b"").decode())
    return CODEC.encode(a_slice(version=a_version(active(id=event_id), at=0)))


def lying_slices(event_id: UUID) -> list[NewRecord]:
    """Well-formed, and refused: what they say is not what their version makes of the market."""
    kick_off = a_version(active(id=event_id), at=0)
    never = a_version(active(id=event_id, version=2**31 - 1), at=0)
    return [
        CODEC.encode(a_slice(version=kick_off, state=state, number=number))
        for number, state in enumerate((BetState.LOSE, BetState.NONE))
    ] + [CODEC.encode(a_slice(version=never, number=9))]


def a_bet(event_id: UUID, number: int) -> NewRecord:
    market = tuple(Market)[number % 3]
    placement = a_placement(id=uuid4(), event_id=event_id, market=market)
    return CODEC.encode(a_bet_placed(placement, message_id=uuid4()))


def strewn(good: Sequence[NewRecord], bad: Collection[NewRecord]) -> list[NewRecord]:
    """The good ones in order, the bad ones all over among them; the first and the last are bad."""
    every = max(1, len(good) // (len(bad) - 1))
    mixed, waiting = [], list(bad)
    for at, record in enumerate(good):
        if at % every == 0 and len(waiting) > 1:
            mixed.append(waiting.pop(0))
        mixed.append(record)
    return [*mixed, *waiting]


# Those who read it


class Site:
    """The three consumers in one thread, on a log and a database. `idle`: seconds that a turn
    waits for records."""

    def __init__(self, open_bus: OpenBus, database: Database, *, idle: float = 0.02) -> None:
        self._idle = idle
        self.open_bus = open_bus
        self.database = database
        self.bus = open_bus()
        self.consumers = {name: self.consumer(name) for name in ConsumerName}

    def consumer(self, name: ConsumerName, bus: MessageBus | None = None) -> Consumer:
        return Consumer(
            HANDLERS[name](),
            bus=bus or self.open_bus(),
            codec=CODEC,
            database=self.database,
            monotonic=time.monotonic,
        )

    def append(self, records: Sequence[NewRecord]) -> list[Placed]:
        return [
            future.result(timeout=PATIENCE)
            for start in range(0, len(records), 500)
            for future in self.bus.publish(records[start : start + 500])
        ]

    def restart(self, name: ConsumerName) -> None:
        """The consumer as it is after a crash: it knows nothing but what was stored."""
        self.consumers[name].close()
        self.consumers[name] = self.consumer(name)

    def settle(self, names: Collection[ConsumerName] = tuple(ConsumerName)) -> None:
        """Let these work until they stand at the end of what they read."""
        self.work_until(lambda: self.are_done(names), names)

    def work_until(
        self, done: Callable[[], bool], names: Collection[ConsumerName] = tuple(ConsumerName)
    ) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline, self.positions()
            for name in names:
                for _ in self.consumers[name].turn(idle=self._idle):
                    pass

    def are_done(self, names: Collection[ConsumerName]) -> bool:
        reached = self.positions()
        return all(
            reached.get((name, source), (0,))[0] == bounds.end
            for topic in TOPICS
            for source, bounds in self.bus.bounds(topic).items()
            for name in READERS[topic]
            if name in names
        )

    def positions(self) -> dict[tuple[ConsumerName, LogPartition], tuple[int, Tally]]:
        with self.database.transaction() as uow:
            return {(p.consumer, p.source): (p.next_offset, p.tally) for p in uow.positions.all()}

    def tally(self, name: ConsumerName, topic: str) -> Tally:
        """What became of all that the consumer read of the topic."""
        total = Tally()
        for (consumer, source), (_, tally) in self.positions().items():
            if consumer is name and source.topic == topic:
                total = total.plus(tally)
        return total

    def letters(self) -> list[DeadLetter]:
        with self.database.transaction() as uow:
            return list(uow.dead_letters.page(after=None, most=10**6))

    def check(self) -> None:
        """The equation holds everywhere, nothing was skipped, and `verify` finds the same."""
        for (name, source), (next_offset, tally) in self.positions().items():
            assert tally.read == sum(tally[1:]), (name, source, tally)
            assert tally.read - tally.duplicate == next_offset, (name, source, tally)
        report = verify(self.database, self.bus, CODEC)
        assert report.quiet
        assert report.holds, report

    def close(self) -> None:
        for consumer in self.consumers.values():
            consumer.close()


class OtherGroup:
    """The same bus for a member that all partitions are given to, whoever else has them."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus

    def subscribe(self, group: str, topics: Sequence[str]) -> Subscription:
        return self._bus.subscribe(f"{group}-other", topics)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)


class _Looping:
    """The loop of a consumer, as metrics look at it."""

    turn_age = 0.0
    trouble: str | None = None

    def __init__(self, consumer: Consumer) -> None:
        self.name = consumer.handler.name
        self._consumer = consumer

    def readings(self) -> Collection[Reading]:
        return self._consumer.readings


def counted(consumer: Consumer) -> dict[tuple[str, str], float]:
    """What `/metrics` shows of records, by topic and outcome."""
    registry = CollectorRegistry()
    registry.register(ConsumerMetrics([_Looping(consumer)]))
    shown: Counter[tuple[str, str]] = Counter()
    for family in registry.collect():
        for sample in family.samples:
            if sample.name == "touchline_consumer_records_total":
                shown[sample.labels["topic"], sample.labels["outcome"]] += int(sample.value)
    return dict(shown)


def raw(record: Any) -> tuple[object, ...]:
    """What must come through untouched."""
    return record.key, record.value, record.headers


class PoisonContract:
    """Neighbours are applied, each culprit is one dead letter, every record is accounted for."""

    @pytest.fixture
    def site(self, open_bus: OpenBus, database: Database) -> Iterator[Site]:
        site = Site(open_bus, database)
        yield site
        site.close()

    @pytest.fixture
    def event(self, site: Site) -> Event:
        """An event that is open for bets."""
        event = an_event(id=uuid4())
        site.append([CODEC.encode(created(event, message_id=uuid4()))])
        site.settle()
        return event

    def assert_is_one_letter(self, site: Site, event: Event, size: int) -> None:
        """The record of that size that was appended last; then whatever comes goes on."""
        site.append([a_bet(event.id, 0)])
        site.settle()
        (letter,) = site.letters()
        assert letter.record.key == str(event.id).encode()
        assert letter.record.value == b"x" * size
        assert site.tally(BET_WRITER, EVENTS_TAXONOMY) == Tally(
            read=3, applied=1, unchanged=1, dead_lettered=1
        )
        site.check()

    def test_a_poisoned_batch(self, site: Site, event: Event) -> None:
        bad = poison(a_bet(event.id, 0))
        bets = [a_bet(event.id, number) for number in range(BATCH)]
        told = strewn(bets, bad.values())
        places = site.append(told)
        site.settle()
        n, k = len(bets), len(bad)
        for name, applied, unchanged in (
            (EVENT_WRITER, 1, n),
            (BET_WRITER, n, 1),
            (BET_SCORER, 1, n),
        ):
            expected = Tally(read=1 + n + k, applied=applied, unchanged=unchanged, dead_lettered=k)
            assert site.tally(name, EVENTS_TAXONOMY) == expected, name
            shown = counted(site.consumers[name])
            outcomes = {
                outcome: count
                for (topic, outcome), count in shown.items()
                if topic == EVENTS_TAXONOMY
            }
            assert outcomes == expected._asdict(), name
        site.check()
        with site.database.transaction() as uow:
            assert uow.bets.count(event.id) == n
        self._are_kept(site, told, places, bad.values())

    def test_poison_among_the_slices(self, site: Site, event: Event) -> None:
        bets = [a_bet(event.id, number) for number in range(30)]
        site.append(bets)
        site.append([CODEC.encode(an_event_updated(active(id=event.id), message_id=uuid4()))])
        site.settle()
        applied = site.tally(BET_WRITER, BETS_STATE)
        assert applied == Tally(read=3, applied=3)
        bad = poisonous_slices(a_slice_record(bets[0]))
        lies = lying_slices(event.id)
        (again,) = [r for r in site.bus.read(BETS_STATE) if b":draw:" in (r.key or b"")]
        repeated = NewRecord(BETS_STATE, again.key, again.value, again.headers)
        told = strewn([*lies, *[repeated] * 50], bad.values())
        places = site.append(told)
        site.settle()
        assert site.tally(BET_WRITER, BETS_STATE) == Tally(
            read=3 + len(told), applied=3 + 50, refused=len(lies), dead_lettered=len(bad)
        )
        site.check()
        self._are_kept(site, told, places, bad.values())

    def test_crashes_after_every_step(self, site: Site, event: Event) -> None:
        """A batch is begun, and begun again, by each consumer until it crashed once everywhere."""
        bad = poison(a_bet(event.id, 0))
        bets = [a_bet(event.id, number) for number in range(200)]
        kick_off = CODEC.encode(an_event_updated(active(id=event.id), message_id=uuid4()))
        told = [*strewn(bets, bad.values()), kick_off]
        places = site.append(told)
        crashed: dict[ConsumerName, set[Step]] = {}
        for name in ConsumerName:
            crashed[name] = self._crash_after_every_step(site, name)
        # In one batch or in several: then there is a last step to crash after, too.
        begun = {Step.POLLED, Step.DECIDED, Step.WRITTEN}
        assert {name: steps - {Step.COMMITTED} for name, steps in crashed.items()} == {
            EVENT_WRITER: begun,
            BET_WRITER: begun,
            BET_SCORER: begun | {Step.PUBLISHED, Step.ACKNOWLEDGED},
        }
        site.settle()
        n, k = len(bets), len(bad)
        for name, applied, unchanged in (
            (EVENT_WRITER, 2, n),
            (BET_WRITER, n, 2),
            (BET_SCORER, 2, n),
        ):
            tally = site.tally(name, EVENTS_TAXONOMY)
            assert tally == Tally(
                read=2 + n + k, applied=applied, unchanged=unchanged, dead_lettered=k
            )
        site.check()
        self._are_kept(site, told, places, bad.values())

    def _crash_after_every_step(self, site: Site, name: ConsumerName) -> set[Step]:
        crashed: set[Step] = set()
        deadline = time.monotonic() + PATIENCE
        while not site.are_done([name]):
            assert time.monotonic() < deadline, site.positions()
            steps = site.consumers[name].turn(idle=0.02)
            for step in steps:
                has_work = any(reading.buffer for reading in site.consumers[name].readings)
                if step not in crashed and (has_work or step is not Step.POLLED):
                    crashed.add(step)
                    steps.close()
                    site.restart(name)
                    break
        return crashed

    def test_two_members_on_one_partition(self, site: Site, event: Event) -> None:
        """What a second member reads again is counted as duplicate, and no letter comes twice."""
        bad = poison(a_bet(event.id, 0))
        bets = [a_bet(event.id, number) for number in range(300)]
        told = strewn(bets, bad.values())
        places = site.append(told)
        n, k = len(bets), len(bad)
        for name, applied, unchanged in (
            (EVENT_WRITER, 1, n),
            (BET_WRITER, n, 1),
            (BET_SCORER, 1, n),
        ):
            zombie = site.consumer(name, OtherGroup(site.open_bus()))
            self._buffers_everything(zombie, len(told), site)
            site.settle([name])
            assert site.tally(name, EVENTS_TAXONOMY).duplicate == 0
            duplicates = self._buffered(zombie)
            site.work_until(lambda zombie=zombie: not self._works(zombie), names=())  # type: ignore[misc]
            tally = site.tally(name, EVENTS_TAXONOMY)
            assert tally == Tally(
                read=1 + n + k + duplicates,
                applied=applied,
                unchanged=unchanged,
                duplicate=duplicates,
                dead_lettered=k,
            )
            assert duplicates == len(told)
            zombie.close()
        site.check()
        self._are_kept(site, told, places, bad.values())

    def _buffered(self, consumer: Consumer) -> int:
        return sum(
            len(reading.buffer)
            for reading in consumer.readings
            if reading.source.topic == EVENTS_TAXONOMY
        )

    def _works(self, consumer: Consumer) -> bool:
        for _ in consumer.turn(idle=0):
            pass
        return self._buffered(consumer) > 0

    def _buffers_everything(self, consumer: Consumer, records: int, site: Site) -> None:
        deadline = time.monotonic() + PATIENCE
        next(consumer.turn(idle=0.02))
        while self._buffered(consumer) < records:
            assert time.monotonic() < deadline, site.positions()
            next(consumer.turn(idle=0.02))

    def _are_kept(
        self,
        site: Site,
        told: Sequence[NewRecord],
        places: Sequence[Placed],
        bad: Collection[NewRecord],
    ) -> None:
        """Each culprit is one letter, whole; and nothing else is one."""
        letters = {
            (each.record.source.topic, each.record.source.partition, each.record.offset): each
            for each in site.letters()
        }
        assert len(letters) == len(site.letters())
        culprits = set(map(id, bad))
        expected = {
            (place.topic, place.partition, place.offset): record
            for record, place in zip(told, places, strict=True)
            if id(record) in culprits
        }
        assert letters.keys() == expected.keys()
        for place, record in expected.items():
            assert raw(letters[place].record) == raw(record)
            assert letters[place].reason
            assert len(letters[place].reason) < 500
