"""The message bus on a real PostgreSQL: the contract, and what its log does beyond it."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable
from threading import Timer
from threading import enumerate as threads
from time import monotonic

import pytest
from sqlalchemy import Engine, create_engine

from adapters.postgres.log_bus import PostgresLogBus
from adapters.postgres.log_connection import OwnConnection
from adapters.postgres.log_rows import MOST_BYTES
from adapters.postgres.log_schema import LOG_MOVED, create_log_topics, delete_log_topics
from domain.errors import BusUnavailable, Misconfigured
from domain.log import EVENTS_TAXONOMY, PARTITIONS, TOPICS, LogPartition, NewRecord, Record
from tests.contracts.message_bus import MessageBusContract, OpenBus, Recreate
from tests.contracts.message_bus_member import (
    DEADLINE,
    Member,
    attempts,
    joined,
    new_key,
    one_on_each,
    place,
)
from tests.standstill import MachineWatch

LEASE_SECONDS = 6.0
"""A machine may stand still for half of it, and nobody loses his lease."""

Script = Callable[..., "Popen[str]"]


@pytest.fixture
def buses(log_url: str) -> Iterator[OpenBus]:
    opened: list[tuple[Engine, PostgresLogBus]] = []

    def open_bus() -> PostgresLogBus:
        engine = create_engine(log_url)
        bus = PostgresLogBus(engine, lease_seconds=DEADLINE, delivery_timeout=DEADLINE)
        opened.append((engine, bus))
        return bus

    yield open_bus
    for engine, bus in opened:
        bus.close()
        engine.dispose()


@pytest.fixture
def recreate(engine: Engine) -> Recreate:
    def delete_and_create(topic: str, partitions: int = PARTITIONS) -> None:
        with engine.begin() as connection:
            delete_log_topics(connection, [topic])
            create_log_topics(connection, [topic], partitions)

    return delete_and_create


@pytest.fixture
def script(log_url: str) -> Iterator[Script]:
    """Starts bus_process.py; the URL follows its command."""
    started: list[Popen[str]] = []

    def start(command: str, *arguments: str) -> "Popen[str]":
        line = [executable, str(Path(__file__).with_name("bus_process.py")), command, log_url]
        started.append(Popen([*line, *arguments], stdin=PIPE, stdout=PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        with process:
            process.kill()


class TestPostgresLogBus(MessageBusContract):
    """The shared suite."""


class TestTopics:
    def test_they_are_created_once(self, engine: Engine) -> None:
        with engine.begin() as connection:
            created = create_log_topics(connection, [*TOPICS, "new"], PARTITIONS)
        assert created == {**dict.fromkeys(TOPICS, False), "new": True}

    def test_another_number_of_partitions_is_refused(self, engine: Engine) -> None:
        with pytest.raises(Misconfigured), engine.begin() as connection:
            create_log_topics(connection, ["new", EVENTS_TAXONOMY], PARTITIONS + 1)
        with pytest.raises(Misconfigured):
            PostgresLogBus(engine).bounds("new")


class TestSeveralProcesses:
    def test_a_killed_one_is_replaced_when_its_lease_ends(
        self, engine: Engine, script: Script
    ) -> None:
        holder = script("hold", "killed", "2")
        assert _answer(holder) == str(PARTITIONS)
        bus = PostgresLogBus(engine, lease_seconds=2)
        heir = Member(bus.subscribe("killed", [EVENTS_TAXONOMY]))
        with MachineWatch() as machine:
            heir.poll_until(lambda: len(heir.owned) == 1)
            holder.kill()
            killed = monotonic()
            heir.poll_until(lambda: len(heir.owned) == PARTITIONS)
            took = monotonic() - killed
        assert 1 - machine.held_up < took < 5 + machine.held_up
        bus.close()

    def test_they_publish_without_gaps(self, engine: Engine, script: Script) -> None:
        publishers = [script("publish", name, "2000") for name in "ab"]
        for publisher in publishers:
            _say(publisher)
        assert [_answer(publisher) for publisher in publishers] == ["2000", "2000"]
        records = list(PostgresLogBus(engine).read(EVENTS_TAXONOMY))
        assert len({record.value for record in records}) == len(records) == 4000
        for partition in range(PARTITIONS):
            of_partition = [r for r in records if r.source.partition == partition]
            assert [r.offset for r in of_partition] == list(range(len(of_partition)))
            for name in "ab":
                numbers = [
                    [int(value[2:]) for value in _values(of_partition, key) if value[:1] == name]
                    for key in range(7)
                ]
                assert numbers == [sorted(numbers_of_key) for numbers_of_key in numbers]

    def test_long_work_does_not_lose_the_lease(self, engine: Engine) -> None:
        bus = PostgresLogBus(engine, lease_seconds=LEASE_SECONDS)
        working = joined(bus, EVENTS_TAXONOMY, group="busy")
        idle = Member(bus.subscribe("busy", [EVENTS_TAXONOMY]))
        began = monotonic()
        while monotonic() - began < 1.5 * LEASE_SECONDS:
            assert not idle.turn().assigned
        idle.subscription.close()
        assert not working.turn().revoked
        bus.close()


class TestReading:
    @pytest.fixture
    def bus(self, engine: Engine) -> Iterator[PostgresLogBus]:
        """Its members look at their groups by themselves only every 30 s."""
        bus = PostgresLogBus(engine, lease_seconds=300, delivery_timeout=DEADLINE)
        yield bus
        bus.close()

    @pytest.fixture
    def member(self, bus: PostgresLogBus) -> Member:
        """It has read 10 records on partition 0."""
        member = joined(bus, EVENTS_TAXONOMY, group="readers")
        member.seek_to_end()
        place(bus, one_on_each([0] * 10))
        member.gather(10)
        return member

    def test_a_sleeping_member_hears_of_its_group(
        self, bus: PostgresLogBus, member: Member
    ) -> None:
        other = Member(bus.subscribe("readers", [EVENTS_TAXONOMY]))
        assert not other.turn().assigned
        assert member.turn(timeout=20).revoked
        assert other.turn(timeout=20).assigned
        other.subscription.close()
        began = monotonic()
        assert member.turn(timeout=20).assigned
        assert monotonic() - began < 10

    def test_a_sleeping_member_hears_of_records(self, bus: PostgresLogBus, member: Member) -> None:
        timer = Timer(0.2, place, (bus, one_on_each([0])))
        timer.start()
        began = monotonic()
        assert member.turn(timeout=20).records
        assert monotonic() - began < 10
        timer.join()

    def test_what_a_query_heard_is_not_slept_through(self, engine: Engine) -> None:
        connection = OwnConnection(engine, f"LISTEN {LOG_MOVED}")
        with engine.begin() as other:
            other.exec_driver_sql(f"NOTIFY {LOG_MOVED}, 'readers'")
        connection.query("SELECT pg_sleep(0.2)", {})
        began = monotonic()
        connection.wait(20)
        assert monotonic() - began < 10
        assert connection.notices() == [(LOG_MOVED, "readers")]
        connection.close()

    def test_partitions_take_turns(self, bus: PostgresLogBus, member: Member) -> None:
        place(bus, one_on_each([0, 1, 2] * 5))
        member.records.clear()
        for _ in range(PARTITIONS):
            member.turn(most=1)
        assert {record.source for record in member.records} == member.owned

    def test_large_values_come_in_parts(self, bus: PostgresLogBus, member: Member) -> None:
        size = MOST_BYTES // 4
        place(bus, [NewRecord(EVENTS_TAXONOMY, new_key(0), bytes(size))] * 9)
        assert len(member.turn().records) == 4
        assert len(member.turn().records) == 4
        assert len(member.turn().records) == 1

    @pytest.mark.parametrize("damage", ["lost head", "lost tail", "lost all"])
    def test_a_log_that_lost_records_is_reported(
        self, engine: Engine, member: Member, damage: str
    ) -> None:
        source = member.partition(0)
        member.subscription.seek(source, 9 if damage == "lost tail" else 3)
        start, end = {"lost head": (5, 10), "lost tail": (0, 5), "lost all": (10, 10)}[damage]
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE log_heads SET start_offset = %s, next_offset = %s WHERE partition = 0",
                (start, end),
            )
            connection.exec_driver_sql(
                'DELETE FROM log_records WHERE "offset" NOT BETWEEN %s AND %s', (start, end - 1)
            )
        assert member.turn().assigned == {source}
        assert member.subscription.bounds([source]) == {source: (start, end)}
        assert not member.turn().records

    def test_progress_is_there_for_lag_tools(self, engine: Engine, member: Member) -> None:
        source = member.partition(0)
        member.subscription.commit({source: 7})
        member.subscription.commit({source: 8, member.partition(1): 0})
        with engine.connect() as connection:
            rows = connection.exec_driver_sql(
                "SELECT topic, partition, log_id, next_offset FROM log_commits"
                " WHERE group_name = 'readers' ORDER BY partition"
            )
            committed = {LogPartition(*row[:3]): row[3] for row in rows}
        assert committed == {source: 8, member.partition(1): 0}


def test_close_frees_everything(engine: Engine) -> None:
    # A test before may have left some to a server that hung.
    others, other_backends = set(threads()), backends(engine)
    bus = PostgresLogBus(engine, delivery_timeout=DEADLINE)
    member = joined(bus, EVENTS_TAXONOMY)
    place(bus, one_on_each([0]))
    bus.close()
    engine.dispose()
    left = set(threads()) - others
    assert not [thread for thread in left if thread.name.startswith("log-")]
    with pytest.raises(BusUnavailable):
        member.subscription.poll(timeout=0, most=1)
    for _ in attempts():  # PostgreSQL's processes take a moment to end
        if backends(engine) <= other_backends:
            break


def backends(engine: Engine) -> set[int]:
    """PostgreSQL's processes for clients of this database, but for the one that is asked."""
    with engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return set(found.scalars())


def _say(process: "Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def _answer(process: "Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _values(records: Sequence[Record], key: int) -> list[str]:
    return [(r.value or b"").decode() for r in records if r.key == b"%d" % key]
