"""All or nothing, and what a transaction sees, on every Database."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest

from domain.errors import DatabaseUnavailable
from domain.ports import Database, EventLock, UnitOfWork
from domain.records import ConsumerName
from tests.contracts.repositories_samples import (
    DEADLINE,
    DatabaseCases,
    add_bets,
    add_event,
    alone,
    bet,
    dead_letter,
    event_version,
    position,
    refusal,
    run,
    source,
    stored_event,
)

WRITER = ConsumerName.EVENT_WRITER


class AbandonedError(Exception):
    """What a test leaves a transaction with."""


def write_everything(uow: UnitOfWork) -> None:
    """One row in each table."""
    uow.logs.register(source().topic, source().log_id)
    uow.positions.save([position(7, source(), WRITER)])
    uow.positions.lock(ConsumerName.BET_WRITER, [source()])
    uow.events.write([stored_event(1)])
    uow.event_versions.add([event_version(1, 1)])
    uow.bets.add([bet(1)])
    uow.refusals.add([refusal(5, subject=2)])
    uow.deletions.add(UUID(int=3))
    uow.dead_letters.add([dead_letter(6)])


def rows(uow: UnitOfWork) -> list[int]:
    """How many rows each table holds of what `write_everything` wrote."""
    return [
        len(uow.logs.generations()),
        len(uow.positions.all()),
        len(uow.events.page(most=9)),
        len(uow.event_versions.history(UUID(int=1))),
        len(uow.bets.page(most=9)),
        len(uow.refusals.of_subjects([UUID(int=2)])),
        len(uow.deletions.among([UUID(int=3)])),
        len(uow.dead_letters.page(after=None, most=9)),
    ]


NOTHING, EVERYTHING = [0] * 8, [1, 2, 1, 1, 1, 1, 1, 1]


def add_a_bet_on_nothing(uow: UnitOfWork) -> None:
    uow.bets.add([bet(8), bet(9, event=404)])


def add_a_version_again(uow: UnitOfWork) -> None:
    uow.event_versions.add([event_version(1, 3), event_version(1, 1, offset=9)])


def add_a_version_at_the_same_place(uow: UnitOfWork) -> None:
    uow.event_versions.add([event_version(1, 3), event_version(2, 1, offset=101)])


def remove_an_event_with_bets(uow: UnitOfWork) -> None:
    uow.events.remove(UUID(int=1))


IMPOSSIBLE = (
    add_a_bet_on_nothing,
    add_a_version_again,
    add_a_version_at_the_same_place,
    remove_an_event_with_bets,
)


class TransactionContract(DatabaseCases):
    """All or nothing, and what a transaction sees."""

    @pytest.mark.parametrize("lazily", [False, True])
    def test_a_commit_makes_everything_everybodys(self, database: Database, lazily: bool) -> None:
        with database.transaction() as uow:
            write_everything(uow)
            uow.commit(lazily=lazily)
        assert run(database, rows) == EVERYTHING

    def test_a_transaction_sees_its_own_writes_and_nobody_else_does(
        self, database: Database
    ) -> None:
        with database.transaction() as uow, database.transaction() as other:
            write_everything(uow)
            assert rows(uow) == EVERYTHING
            assert rows(other) == NOTHING

    def test_what_a_transaction_changed_it_sees_once(self, database: Database) -> None:
        add_bets(database, [bet(1), bet(2)])
        with database.transaction() as uow:
            uow.events.write([stored_event(1, version=2)])
            uow.bets.change_users({UUID(int=1): "new"})
            uow.positions.save([position(1, source(), WRITER)])
            uow.positions.save([position(2, source(), WRITER)])
            assert uow.events.page(most=9) == [stored_event(1, version=2)]
            assert uow.bets.page(most=9) == [bet(2), bet(1, user="new")]
            assert uow.bets.count(UUID(int=1)) == 2
            assert uow.positions.all() == [position(2, source(), WRITER)]

    def test_leaving_without_commit_changes_nothing(self, database: Database) -> None:
        with database.transaction() as uow:
            write_everything(uow)
        assert run(database, rows) == NOTHING

    def test_an_error_changes_nothing(self, database: Database) -> None:
        def abandon(uow: UnitOfWork) -> None:
            write_everything(uow)
            raise AbandonedError

        with pytest.raises(AbandonedError):
            run(database, abandon)
        assert run(database, rows) == NOTHING

    def test_what_follows_a_commit_is_not_part_of_it(self, database: Database) -> None:
        with database.transaction() as uow:
            uow.deletions.add(UUID(int=1))
            uow.commit()
            uow.deletions.add(UUID(int=2))
        ids = [UUID(int=1), UUID(int=2)]
        assert alone(database).deletions.among(ids) == {UUID(int=1)}

    def test_a_removal_is_rolled_back_too(self, database: Database) -> None:
        add_bets(database, [bet(1), bet(2, event=2)])
        with database.transaction() as uow:
            uow.bets.remove(UUID(int=1))
            uow.events.remove(UUID(int=1))
            assert uow.events.among([UUID(int=1)]) == {}
        assert len(alone(database).bets.page(most=9)) == 2
        assert len(alone(database).events.page(most=9)) == 2

    def test_each_method_sees_what_was_committed_before_it(self, database: Database) -> None:
        with database.transaction() as uow:
            assert rows(uow) == NOTHING
            run(database, write_everything)
            assert rows(uow) == EVERYTHING
            alone(database).bets.remove(UUID(int=1))
            assert uow.bets.page(most=9) == []

    @pytest.mark.parametrize("impossible", IMPOSSIBLE)
    def test_a_broken_constraint_fails_the_whole_transaction(
        self, database: Database, impossible: Callable[[UnitOfWork], None]
    ) -> None:
        run(database, write_everything)
        with database.transaction() as uow:
            uow.deletions.add(UUID(int=1))
            with pytest.raises(DatabaseUnavailable):
                impossible(uow)
            with pytest.raises(DatabaseUnavailable):
                uow.deletions.among([UUID(int=1)])
            with pytest.raises(DatabaseUnavailable):
                uow.commit()
        assert run(database, rows) == EVERYTHING
        assert not alone(database).deletions.among([UUID(int=1)])

    def test_one_of_two_that_wait_for_each_other_fails_and_the_other_goes_on(
        self, database: Database, threads: ThreadPoolExecutor
    ) -> None:
        add_event(database, 1, 2)
        both = Barrier(2)

        def lock(first: int, second: int) -> bool:
            try:
                with database.transaction() as uow:
                    uow.events.lock([UUID(int=first)], EventLock.CHANGE)
                    both.wait(DEADLINE)
                    uow.events.lock([UUID(int=second)], EventLock.CHANGE)
                    uow.deletions.add(UUID(int=first))
                    uow.commit()
            except DatabaseUnavailable:
                return False
            return True

        outcomes = [threads.submit(lock, 1, 2), threads.submit(lock, 2, 1)]
        succeeded = [outcome.result(DEADLINE) for outcome in outcomes]
        assert sorted(succeeded) == [False, True]
        winner = UUID(int=1 + succeeded.index(True))
        ids = [UUID(int=1), UUID(int=2)]
        assert alone(database).deletions.among(ids) == {winner}

    def test_transactions_go_on_after_a_failed_one(self, database: Database) -> None:
        for _ in range(30):
            with pytest.raises(DatabaseUnavailable):
                run(database, add_a_bet_on_nothing)
        run(database, write_everything)
        assert run(database, rows) == EVERYTHING
