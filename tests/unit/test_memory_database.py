"""The database in memory: the contract, and what a simulation needs beyond it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from adapters.memory.database import MemoryDatabase
from adapters.memory.store import CommitFault
from domain.errors import DatabaseUnavailable
from domain.log import EVENTS_TAXONOMY
from domain.ports import Database, EventLock
from domain.records import ConsumerName
from tests.contracts.repositories import DatabaseContract
from tests.contracts.repositories_samples import (
    LOG,
    add_event,
    alone,
    dead_letter,
    position,
    run,
    source,
)

ONE, TWO = UUID(int=1), UUID(int=2)


class TestMemoryDatabase(DatabaseContract):
    @pytest.fixture
    def database(self) -> Iterator[Database]:
        database = MemoryDatabase()
        yield database
        database.close()

    def waiting(self, database: Database) -> int:
        assert isinstance(database, MemoryDatabase)
        return database.waiting


def deleted(database: Database) -> frozenset[UUID]:
    return alone(database).deletions.among([ONE, TWO])


def test_a_commit_that_fails_before_writes_nothing() -> None:
    database = MemoryDatabase()
    database.fail_next_commit(CommitFault.BEFORE)
    with pytest.raises(DatabaseUnavailable):
        alone(database).deletions.add(ONE)
    assert deleted(database) == frozenset()
    alone(database).deletions.add(ONE)
    assert deleted(database) == {ONE}


def test_a_commit_that_fails_after_has_written_everything() -> None:
    database = MemoryDatabase()
    listener = database.listen()
    database.fail_next_commit(CommitFault.AFTER)
    with pytest.raises(DatabaseUnavailable):
        alone(database).positions.save([position(1, source(), ConsumerName.BET_WRITER)])
    assert listener.wait(0)
    assert run(database, lambda uow: len(uow.positions.all())) == 1


def test_a_backup_is_what_was_committed_at_its_moment() -> None:
    database = MemoryDatabase()
    alone(database).deletions.add(ONE)
    with database.transaction() as uow:
        uow.deletions.add(TWO)
        backup = database.snapshot()
        uow.commit()
    assert deleted(database) == {ONE, TWO}
    for _ in range(2):
        database.restore(backup)
        assert deleted(database) == {ONE}
        alone(database).deletions.add(TWO)


def test_restoring_ends_open_transactions_and_wakes_listeners() -> None:
    database = MemoryDatabase()
    add_event(database, 1)
    backup, listener = database.snapshot(), database.listen()
    with database.transaction() as uow:
        uow.events.lock([ONE], EventLock.DELETE)
        uow.deletions.add(ONE)
        database.restore(backup)
        assert alone(database).events.lock([ONE], EventLock.DELETE)
        with pytest.raises(DatabaseUnavailable):
            uow.commit()
    assert deleted(database) == frozenset()
    assert listener.wait(0)


def test_a_simulation_runs_its_other_tasks_while_one_waits() -> None:
    tasks: list[Callable[[], None]] = []

    def wait(predicate: Callable[[], bool]) -> None:
        assert not predicate()
        tasks.pop()()
        assert predicate()

    database = MemoryDatabase(wait=wait)
    add_event(database, 1)
    with database.transaction() as first:
        first.events.lock([ONE], EventLock.DELETE)
        tasks.append(first.commit)
        with database.transaction() as second:
            assert second.events.lock([ONE], EventLock.CHANGE).keys() == {ONE}
    assert database.waiting == 0


def test_a_simulation_may_end_the_one_that_waits() -> None:
    def wait(predicate: Callable[[], bool]) -> None:
        raise KeyboardInterrupt

    database = MemoryDatabase(wait=wait)
    add_event(database, 1)
    with database.transaction() as first:
        first.events.lock([ONE], EventLock.DELETE)
        with pytest.raises(KeyboardInterrupt), database.transaction() as second:
            second.events.lock([ONE], EventLock.CHANGE)
        assert database.waiting == 0


def test_times_are_by_its_own_clock() -> None:
    moment = datetime(2026, 6, 1, tzinfo=UTC)
    database = MemoryDatabase(now=lambda: moment)
    alone(database).dead_letters.add([dead_letter(1)])
    alone(database).logs.register(EVENTS_TAXONOMY, LOG)
    alone(database).positions.mark_caught_up(
        ConsumerName.EVENT_WRITER, [source(1)], ago=timedelta(seconds=3)
    )
    (letter,) = alone(database).dead_letters.page(after=None, most=1)
    assert letter.seen_at == moment
    moment += timedelta(seconds=4)
    assert alone(database).positions.caught_up_ago(ConsumerName.EVENT_WRITER, EVENTS_TAXONOMY) == {
        1: timedelta(seconds=7)
    }
