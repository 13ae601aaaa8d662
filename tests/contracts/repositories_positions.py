"""Logs and positions, on every Database."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from domain.log import BETS_STATE, EVENTS_TAXONOMY
from domain.ports import Database
from domain.records import ConsumerName, Position, Tally
from tests.contracts.repositories_samples import (
    DEADLINE,
    HIGHEST,
    LATER_LOG,
    LOG,
    LOWEST,
    OTHER_LOG,
    DatabaseCases,
    alone,
    position,
    run,
    source,
)

WRITER, SCORER = ConsumerName.EVENT_WRITER, ConsumerName.BET_SCORER
MINUTE = timedelta(minutes=1)


class PositionsContract(DatabaseCases):
    """Which logs were seen, and how far each consumer has come."""

    def test_generations_follow_the_order_of_registration(self, database: Database) -> None:
        assert alone(database).logs.generations() == {}
        for log_id in (LOG, LATER_LOG, HIGHEST, LOWEST):
            alone(database).logs.register(EVENTS_TAXONOMY, log_id)
        alone(database).logs.register(EVENTS_TAXONOMY, LOWEST)
        generations = alone(database).logs.generations()
        in_order = sorted(generations, key=generations.__getitem__)
        assert in_order == [LOG, LATER_LOG, HIGHEST, LOWEST]
        assert len(set(generations.values())) == 4

    def test_incarnations_are_those_of_one_topic(self, database: Database) -> None:
        assert alone(database).logs.incarnations(EVENTS_TAXONOMY) == []
        for log_id in (LATER_LOG, LOWEST):
            alone(database).logs.register(EVENTS_TAXONOMY, log_id)
        alone(database).logs.register(BETS_STATE, OTHER_LOG)
        alone(database).logs.register(EVENTS_TAXONOMY, LOG)
        assert alone(database).logs.incarnations(EVENTS_TAXONOMY) == [LATER_LOG, LOWEST, LOG]

    def test_an_earlier_log_that_is_there_again_is_the_newest(self, database: Database) -> None:
        # Registered late by somebody who had seen it before the newer one was there.
        for log_id in (LATER_LOG, LOG, LATER_LOG):
            alone(database).logs.register(EVENTS_TAXONOMY, log_id)
        assert alone(database).logs.incarnations(EVENTS_TAXONOMY) == [LOG, LATER_LOG]

    def test_a_known_log_is_registered_without_waiting(
        self, database: Database, threads: ThreadPoolExecutor
    ) -> None:
        alone(database).logs.register(EVENTS_TAXONOMY, LOG)
        with database.transaction() as uow:
            uow.logs.register(EVENTS_TAXONOMY, LATER_LOG)
            other = threads.submit(
                run, database, lambda uow: uow.logs.register(EVENTS_TAXONOMY, LOG)
            )
            other.result(DEADLINE)

    def test_logs_registered_at_once_have_generations_of_their_own(
        self, database: Database, threads: ThreadPoolExecutor
    ) -> None:
        with database.transaction() as uow:
            uow.logs.register(EVENTS_TAXONOMY, LOG)
            others = [
                threads.submit(
                    run, database, lambda uow, log_id=log_id: uow.logs.register(BETS_STATE, log_id)
                )
                for log_id in (LATER_LOG, OTHER_LOG)
            ]
            self.await_waiting(database, *others)
            uow.commit()
        for other in others:
            other.result(DEADLINE)
        generations = alone(database).logs.generations()
        assert generations.keys() == {LOG, LATER_LOG, OTHER_LOG}
        assert generations[LOG] < min(generations[LATER_LOG], generations[OTHER_LOG])
        assert generations[LATER_LOG] != generations[OTHER_LOG]

    def test_positions_are_kept_whole(self, database: Database) -> None:
        stored = [
            Position(
                consumer=WRITER,
                source=source(2, log_id=HIGHEST),
                next_offset=2**62,
                last_record_digest=bytes(range(240, 256)),
                tally=Tally(6, 1, 2, 3, 4, 2**40),
            ),
            position(1, source(0, topic=BETS_STATE, log_id=LOWEST), ConsumerName.BET_WRITER),
        ]
        alone(database).positions.save(stored)
        assert sorted(alone(database).positions.all(), key=repr) == sorted(stored, key=repr)
        where = [stored[0].source, stored[1].source]
        assert alone(database).positions.read(WRITER, where) == {where[0]: stored[0]}

    def test_a_position_is_its_consumers_topics_partitions_and_logs(
        self, database: Database
    ) -> None:
        stored = [
            position(number, where, consumer)
            for number, (where, consumer) in enumerate(
                (where, consumer)
                for where in (
                    source(),
                    source(1),
                    source(topic=BETS_STATE),
                    source(log_id=LATER_LOG),
                )
                for consumer in ConsumerName
            )
        ]
        alone(database).positions.save(stored[::-1])
        for each in stored:
            for found in (
                alone(database).positions.read(each.consumer, [each.source]),
                alone(database).positions.lock(each.consumer, [each.source]),
            ):
                assert found == {each.source: each}

    def test_saving_again_replaces(self, database: Database) -> None:
        first = position(5, source(), WRITER)
        after = replace(first, next_offset=9, last_record_digest=b"9", tally=Tally(1, 1))
        alone(database).positions.save([first, position(1, source(1), WRITER)])
        alone(database).positions.save([after])
        found = alone(database).positions.read(WRITER, [source(), source(1)])
        assert found == {source(): after, source(1): position(1, source(1), WRITER)}

    def test_missing_positions_are_not_read_and_begin_when_locked(self, database: Database) -> None:
        sources = [source(1), source(0)]
        origin = {each: Position(consumer=WRITER, source=each) for each in sources}
        assert alone(database).positions.read(WRITER, sources) == {}
        assert alone(database).positions.lock(WRITER, sources) == origin
        assert alone(database).positions.read(WRITER, sources) == origin
        more = [*sources, source(2)]
        assert alone(database).positions.lock(WRITER, more).keys() == set(more)

    def test_nothing_asked_is_nothing_done(self, database: Database) -> None:
        with database.transaction() as uow:
            assert uow.positions.lock(WRITER, []) == {}
            assert uow.positions.read(WRITER, []) == {}
            uow.positions.save([])
            uow.positions.mark_caught_up(WRITER, [], ago=MINUTE)
            assert uow.positions.all() == []
            assert uow.positions.reached(EVENTS_TAXONOMY) == {}
            assert uow.positions.caught_up_ago(WRITER, EVENTS_TAXONOMY) == {}
            uow.commit()

    def test_caught_up_is_as_long_ago_as_was_said(self, database: Database) -> None:
        alone(database).logs.register(EVENTS_TAXONOMY, LOG)
        alone(database).positions.save([position(3, source(1), WRITER)])
        alone(database).positions.mark_caught_up(WRITER, [source(2), source(0)], ago=MINUTE)
        ago = alone(database).positions.caught_up_ago(WRITER, EVENTS_TAXONOMY)
        assert ago.keys() == {0, 2}
        assert all(MINUTE <= each < 2 * MINUTE for each in ago.values())
        assert alone(database).positions.caught_up_ago(SCORER, EVENTS_TAXONOMY) == {}
        assert alone(database).positions.caught_up_ago(WRITER, BETS_STATE) == {}

    def test_a_later_mark_replaces_and_a_position_keeps_it(self, database: Database) -> None:
        alone(database).logs.register(EVENTS_TAXONOMY, LOG)
        alone(database).positions.save([position(3, source(), WRITER)])
        for ago in (60 * MINUTE, MINUTE):
            alone(database).positions.mark_caught_up(WRITER, [source()], ago=ago)
        found = alone(database).positions.read(WRITER, [source()])
        assert found == {source(): position(3, source(), WRITER)}
        alone(database).positions.save([position(4, source(), WRITER)])
        alone(database).positions.lock(WRITER, [source()])
        ago_now = alone(database).positions.caught_up_ago(WRITER, EVENTS_TAXONOMY)
        assert MINUTE <= ago_now[0] < 2 * MINUTE

    def test_a_mark_from_the_future_proves_nothing(self, database: Database) -> None:
        alone(database).logs.register(EVENTS_TAXONOMY, LOG)
        alone(database).positions.mark_caught_up(WRITER, [source()], ago=-60 * MINUTE)
        assert alone(database).positions.caught_up_ago(WRITER, EVENTS_TAXONOMY) == {}

    def test_a_mark_does_not_grow_young_while_it_waits(
        self, database: Database, threads: ThreadPoolExecutor
    ) -> None:
        def mark(partition: int) -> None:
            alone(database).positions.mark_caught_up(WRITER, [source(partition)], ago=timedelta())

        alone(database).logs.register(EVENTS_TAXONOMY, LOG)
        with database.transaction() as uow:
            uow.positions.lock(WRITER, [source(0)])
            earlier = threads.submit(mark, 0)
            self.await_waiting(database, earlier)
            mark(1)
            uow.commit()
        earlier.result(DEADLINE)
        ago = alone(database).positions.caught_up_ago(WRITER, EVENTS_TAXONOMY)
        assert ago[0] >= ago[1] >= timedelta()

    def test_a_mark_does_not_grow_young_while_its_transaction_stands_still(
        self, database: Database
    ) -> None:
        alone(database).logs.register(EVENTS_TAXONOMY, LOG)
        with database.transaction() as uow:
            uow.positions.read(WRITER, [source(0)])
            alone(database).positions.mark_caught_up(WRITER, [source(1)], ago=timedelta())
            uow.positions.mark_caught_up(WRITER, [source(0)], ago=timedelta())
            uow.commit()
        ago = alone(database).positions.caught_up_ago(WRITER, EVENTS_TAXONOMY)
        assert ago[0] >= ago[1] >= timedelta()

    def test_reached_tells_the_newest_log_only(self, database: Database) -> None:
        with database.transaction() as uow:
            uow.logs.register(EVENTS_TAXONOMY, LOG)
            uow.logs.register(EVENTS_TAXONOMY, LATER_LOG)
            uow.logs.register(BETS_STATE, OTHER_LOG)
            uow.positions.save(
                [
                    position(100, source(0), WRITER),
                    position(7, source(0, log_id=LATER_LOG), WRITER),
                    position(5, source(0, log_id=LATER_LOG), SCORER),
                    position(6, source(2, log_id=LATER_LOG), WRITER),
                    position(8, source(0, topic=BETS_STATE, log_id=OTHER_LOG), WRITER),
                ]
            )
            uow.commit()
        reached = alone(database).positions.reached(EVENTS_TAXONOMY)
        assert reached == {(WRITER, 0): 7, (SCORER, 0): 5, (WRITER, 2): 6}
        assert alone(database).positions.reached(BETS_STATE) == {(WRITER, 0): 8}
        assert alone(database).positions.reached("unknown") == {}

    def test_caught_up_tells_the_newest_log_only(self, database: Database) -> None:
        with database.transaction() as uow:
            uow.logs.register(EVENTS_TAXONOMY, LOG)
            uow.positions.mark_caught_up(WRITER, [source(0), source(1)], ago=MINUTE)
            uow.logs.register(EVENTS_TAXONOMY, LATER_LOG)
            assert uow.positions.caught_up_ago(WRITER, EVENTS_TAXONOMY) == {}
            uow.positions.mark_caught_up(WRITER, [source(1, log_id=LATER_LOG)], ago=MINUTE)
            uow.commit()
        ago = alone(database).positions.caught_up_ago(WRITER, EVENTS_TAXONOMY)
        assert ago.keys() == {1}
