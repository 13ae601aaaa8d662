"""Garbage between the records, on real Kafka, on the PostgreSQL log, and on whole systems."""

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from uuid import UUID, uuid4

import pytest
from kafka import KafkaProducer
from kafka.errors import MessageSizeTooLargeError
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.event import listen

from adapters.kafka.bus import KafkaBus
from adapters.postgres.database import PostgresDatabase
from adapters.postgres.log_bus import PostgresLogBus
from adapters.postgres.log_schema import create_log_topics
from adapters.postgres.migrate import migrate
from domain.bets import Market
from domain.events import Event
from domain.log import EVENTS_TAXONOMY, PARTITIONS, TOPICS, LogPartition, NewRecord, Record
from domain.records import DeadLetter, Tally
from tests.contracts.message_bus_member import Recreate
from tests.contracts.poison import (
    BATCH,
    BET_WRITER,
    PATIENCE,
    OpenBus,
    PoisonContract,
    Site,
    a_bet,
    poison,
    strewn,
)
from tests.integration.system import (
    CONSUMERS,
    Processes,
    eventually,
    running_on_kafka,
    running_processes,
)
from tests.kafka.broker import KafkaBroker


@pytest.fixture
def database(fresh_database: str) -> Iterator[PostgresDatabase]:
    database = PostgresDatabase(fresh_database, pool_size=9)
    migrate(database.engine)
    yield database
    database.close()


LARGEST_ON_KAFKA = 2**20 - 96
"""Bytes of a value under an event's id. A broker takes batches of 2**20 + 12 bytes by default, and
this is what the head of the batch and of the record leave."""


class TestPostgresLog(PoisonContract):
    """The shared suite on the embedded default's bus."""

    @pytest.fixture
    def open_bus(self, database: PostgresDatabase) -> Iterator[OpenBus]:
        with database.engine.begin() as connection:
            create_log_topics(connection, TOPICS, PARTITIONS)
        opened: list[PostgresLogBus] = []

        def open_one() -> PostgresLogBus:
            opened.append(PostgresLogBus(database.engine, delivery_timeout=PATIENCE))
            return opened[-1]

        yield open_one
        for bus in opened:
            bus.close()

    def test_a_mebibyte(self, site: Site, event: Event) -> None:
        site.append([NewRecord(EVENTS_TAXONOMY, str(event.id).encode(), b"x" * 2**20)])
        self.assert_is_one_letter(site, event, 2**20)


class TestKafka(PoisonContract):
    """The shared suite on Kafka."""

    @pytest.fixture
    def open_bus(
        self, patient_kafka_buses: Callable[[], KafkaBus], recreate_topic: Recreate
    ) -> Callable[[], KafkaBus]:
        for topic in TOPICS:
            recreate_topic(topic)
        return patient_kafka_buses

    def test_a_header_name_of_any_bytes(self, site: Site, event: Event, kafka: KafkaBroker) -> None:
        """Kafka takes it from any program; then it is read, kept, and appended again as it was."""
        bets = [a_bet(event.id, number) for number in range(4)]
        good, bad = bets[1], bets[2]._replace(value=b"\xff")
        site.append(bets[:1])
        producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
        for record in (good, bad):
            headers = [(_RawName("bytes"), b"\x00\xff")]
            sent = producer.send(record.topic, record.value, record.key, headers)
            sent.get(PATIENCE)
        producer.close()
        site.append(bets[3:])
        site.settle()
        assert site.tally(BET_WRITER, EVENTS_TAXONOMY) == Tally(
            read=5, applied=3, unchanged=1, dead_lettered=1
        )
        site.check()
        (letter,) = site.letters()
        assert letter.record.headers == (("\udcff\udcfe", b"\x00\xff"),)
        assert letter.record.value == b"\xff"
        again = NewRecord(EVENTS_TAXONOMY, *letter.record[2:])
        (place,) = site.append([again])
        (found,) = [
            record
            for record in site.bus.read(EVENTS_TAXONOMY)
            if (record.source.partition, record.offset) == (place.partition, place.offset)
        ]
        assert found.headers == letter.record.headers

    def test_the_largest_record_that_the_broker_takes(
        self, site: Site, event: Event, kafka: KafkaBroker
    ) -> None:
        """Touchline's own producer takes less; another program's needn't. Its key is an event's."""
        producer = KafkaProducer(
            bootstrap_servers=kafka.bootstrap, max_request_size=2 << 20, enable_idempotence=False
        )
        key = str(event.id).encode()

        def send(size: int) -> None:
            producer.send(EVENTS_TAXONOMY, b"x" * size, key).get(PATIENCE)

        with pytest.raises(MessageSizeTooLargeError):
            send(LARGEST_ON_KAFKA + 1)
        send(LARGEST_ON_KAFKA)
        producer.close()
        self.assert_is_one_letter(site, event, LARGEST_ON_KAFKA)


class _RawName(str):
    """A header's name that no text is."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        del encoding, errors
        return b"\xff\xfe"


def test_megabytes_of_letters_are_no_gigabyte_of_sql(database: PostgresDatabase) -> None:
    """PostgreSQL takes no text of a gigabyte: 300 such records in one batch would stop it."""
    source = LogPartition(EVENTS_TAXONOMY, 0, uuid4())
    told = [Record(source, offset, b"key", bytes([offset]) * 2**20) for offset in range(20)]
    largest = 0

    def measure(_: object, __: object, statement: str, given: object, *___: object) -> None:
        nonlocal largest
        assert isinstance(given, Mapping)
        largest = max(largest, len(statement) + sum(len(str(value)) for value in given.values()))

    listen(database.engine, "before_cursor_execute", measure)
    with database.transaction() as uow:
        uow.dead_letters.add([DeadLetter(record=record, reason="large") for record in told])
        uow.commit()
    with database.transaction() as uow:
        found = uow.dead_letters.page(after=None, most=100)
    assert [letter.record for letter in found] == told
    assert largest < 16 * 2**20


# Whole systems


class SystemPoison:
    """Every part a process of its own. A subclass gives a fixture `system`."""

    def test_consumers_killed_in_the_midst_of_a_poisoned_batch(self, system: Processes) -> None:
        client = system.client
        event = client.event()["id"]
        system.verify()
        before = {name: records(system, name) for name in CONSUMERS}
        known = {letter["id"] for letter in system.dead_letters()}
        bad = poison(a_bet(UUID(event), 0))
        bets = [a_bet(UUID(event), number) for number in range(BATCH - len(bad))]
        consumers = [f"{name}-0" for name in CONSUMERS]
        system.kill(*consumers)
        told = strewn(bets, bad.values())
        places = system.append(*told)
        system.start()
        eventually(lambda: len(system.dead_letters()) > len(known) or None)
        system.kill(*consumers)
        system.start()
        n, k = len(bets), len(bad)
        for name, applied, unchanged in (
            ("event-writer", 0, n),
            ("bet-writer", n, 0),
            ("bet-scorer", 0, n),
        ):
            expected = Tally(read=n + k, applied=applied, unchanged=unchanged, dead_lettered=k)
            eventually(partial(shows, system, name, before[name], expected))
        found = {each["name"]: each["violations"] for each in system.verify()["invariants"]}
        assert found["accounting"] == 0
        letters = [each for each in system.dead_letters() if each["id"] not in known]
        culprits = {id(record) for record in bad.values()}
        assert {(each["topic"], each["partition"], each["offset"]) for each in letters} == {
            (place.topic, place.partition, place.offset)
            for record, place in zip(told, places, strict=True)
            if id(record) in culprits
        }
        assert len(letters) == k
        client.becomes(
            event, **{market: {"none": len(range(i, n, 3))} for i, market in enumerate(Market)}
        )

    def test_two_requeue_the_same_letter_at_the_same_time(self, system: Processes) -> None:
        event = system.client.event()["id"]
        known = {letter["id"] for letter in system.dead_letters()}
        system.append(a_bet(UUID(event), 0)._replace(value=None, headers=(("ü", b"\xff"),)))
        (letter,) = eventually(
            lambda: [each for each in system.dead_letters() if each["id"] not in known]
        )
        command = ("dead-letters", "requeue", str(letter["id"]), "--json")
        tried = count()

        def requeued() -> "subprocess.CompletedProcess[str] | None":
            """None where the log did not answer in time: the letter stays."""
            next(tried)
            done = system.command(*command)
            return done if done.returncode == 0 else None

        with ThreadPoolExecutor(3) as threads:
            done = list(threads.map(lambda _: eventually(requeued), range(3)))
        told = [json.loads(each.stdout) for each in done]
        assert sorted(each["requeued"] for each in told) == [False, False, True]
        (first,) = [each for each in told if each["requeued"]]
        system.verify()
        new = {
            each["offset"]: each
            for each in system.dead_letters()
            if each["id"] not in known and each["id"] != letter["id"]
        }
        again = new[first["appended"]["offset"]]
        assert len(new) == 1 or next(tried) > len(done)
        shown = json.loads(
            system.command("dead-letters", "show", str(again["id"]), "--json").stdout
        )
        assert shown["value"] is None
        assert shown["key"]["text"] == event
        assert shown["headers"] == [{"name": "ü", "text": None, "base64": "/w=="}]


@pytest.mark.long
class TestProcessesOnThePostgresLog(SystemPoison):
    """Processes that share the embedded PostgreSQL."""

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
        folder = tmp_path_factory.mktemp("poison")
        with running_processes(folder, {"TOUCHLINE_DATA": str(folder / "data")}) as system:
            yield system


@pytest.mark.long
class TestProcessesOnKafka(SystemPoison):
    """Processes on real Kafka."""

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
        with running_on_kafka(tmp_path_factory.mktemp("poison-kafka")) as system:
            yield system


def records(system: Processes, consumer: str) -> Tally:
    """What `/metrics` of the consumer's members says became of events.taxonomy."""
    counts: Counter[str] = Counter()
    for member in system.members(consumer):
        for family in text_string_to_metric_families(system.metrics(member)):
            for sample in family.samples:
                if (
                    sample.name == "touchline_consumer_records_total"
                    and sample.labels["topic"] == EVENTS_TAXONOMY
                ):
                    counts[sample.labels["outcome"]] += int(sample.value)
    found = Tally(**counts)
    assert found.read == sum(found[1:]), found
    return found


def shows(system: Processes, consumer: str, before: Tally, more: Tally) -> bool:
    return less(records(system, consumer), before) == more


def less(after: Tally, before: Tally) -> Tally:
    return Tally(*(now - then for now, then in zip(after, before, strict=True)))
