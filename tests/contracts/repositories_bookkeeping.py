"""Refusals, deletions and dead letters, on every Database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.log import BETS_STATE, EVENTS_TAXONOMY, Headers, Record
from domain.ports import Database
from domain.records import DeadLetter, RefusalReason
from tests.contracts.repositories_samples import (
    HIGHEST,
    LATER_LOG,
    LOG,
    LOWEST,
    TEXTS,
    DatabaseCases,
    alone,
    at,
    dead_letter,
    refusal,
    source,
)

ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))


def letters(database: Database) -> list[DeadLetter]:
    return list(alone(database).dead_letters.page(after=None, most=10_000))


def offsets(found: list[DeadLetter]) -> list[int]:
    return [letter.record.offset for letter in found]


class BookkeepingContract(DatabaseCases):
    """What was refused, what was deleted, what could not be read."""

    def test_refusals_are_kept_whole(self, database: Database) -> None:
        refusals = [
            refusal(2**62 + number, subject=number, where=source(2, log_id=HIGHEST), reason=reason)
            for number, reason in enumerate(RefusalReason)
        ]
        alone(database).refusals.add(refusals)
        subjects = [each.subject for each in refusals]
        found = alone(database).refusals.of_subjects([*subjects, HIGHEST])
        assert found == {each.subject: each for each in refusals}
        messages = [each.message_id for each in refusals]
        found = alone(database).refusals.of_messages([*messages, HIGHEST])
        assert found == {each.message_id: each for each in refusals}
        for nothing in (
            alone(database).refusals.of_messages([]),
            alone(database).refusals.of_subjects([]),
            alone(database).refusals.of_subjects([LOWEST, HIGHEST]).get(HIGHEST),
        ):
            assert not nothing
        alone(database).refusals.add([])

    def test_a_refusal_that_is_there_is_left_as_it_is(self, database: Database) -> None:
        first = refusal(1, subject=1)
        alone(database).refusals.add([first])
        again = replace(first, subject=TWO, reason=RefusalReason.BET_DELETED)
        alone(database).refusals.add([refusal(2, subject=3), again])
        found = alone(database).refusals.of_subjects([ONE, TWO, THREE])
        assert found.keys() == {ONE, THREE}
        assert found[ONE] == first

    def test_places_differ_in_topic_partition_and_log(self, database: Database) -> None:
        places = [
            source(),
            source(1),
            source(topic=BETS_STATE),
            source(log_id=LATER_LOG),
        ]
        refusals = [
            refusal(5, subject=number, where=where, message=number)
            for number, where in enumerate(places, start=1)
        ]
        alone(database).refusals.add(refusals)
        ids = [each.message_id for each in refusals]
        found = alone(database).refusals.of_messages(ids)
        assert found == {each.message_id: each for each in refusals}

    def test_the_first_refused_placement_of_a_bet_counts(self, database: Database) -> None:
        for log_id in (LOG, LATER_LOG):
            alone(database).logs.register(EVENTS_TAXONOMY, log_id)
        later = source(log_id=LATER_LOG)
        updated = refusal(1, subject=1, type="bet.updated")
        first, second = refusal(30, subject=1), refusal(200, subject=1)
        third = refusal(2, subject=1, where=later)
        alone(database).refusals.add([third, second, first, updated])
        assert alone(database).refusals.of_subjects([ONE]) == {ONE: first}
        only_updated = refusal(3, subject=2, type="bet.updated")
        alone(database).refusals.add([only_updated])
        assert alone(database).refusals.of_subjects([TWO]) == {}

    def test_the_first_refusal_of_a_message_counts(self, database: Database) -> None:
        for log_id in (LOG, LATER_LOG):
            alone(database).logs.register(EVENTS_TAXONOMY, log_id)
        later = source(log_id=LATER_LOG)
        first, second = (refusal(offset, subject=1, message=7) for offset in (30, 200))
        third = refusal(2, subject=1, where=later, message=7)
        alone(database).refusals.add([third, second, first])
        found = alone(database).refusals.of_messages([UUID(int=7)])
        assert found == {UUID(int=7): first}

    def test_deletions_are_remembered(self, database: Database) -> None:
        ids = [LOWEST, ONE, HIGHEST]
        for deleted in (LOWEST, HIGHEST, HIGHEST):
            alone(database).deletions.add(deleted)
        assert alone(database).deletions.among(ids) == {LOWEST, HIGHEST}
        assert alone(database).deletions.among([ONE]) == frozenset()
        assert alone(database).deletions.among([]) == frozenset()

    def test_dead_letters_are_kept_whole(self, database: Database) -> None:
        headers: Headers = (("a", b"\x00\xff"), ("a", b""), ("", b"2"), ("zoë\x00\ud800", b"3"))
        records = [
            Record(source(1, log_id=HIGHEST), 2**62, b"\x00key", bytes(range(256)), headers),
            Record(source(topic="odd \\ 'topic'"), 0, None, None),
            Record(source(), 7, b"", b""),
        ]
        before = datetime.now(UTC)
        alone(database).dead_letters.add([DeadLetter(record=r, reason="why") for r in records])
        found = letters(database)
        assert {letter.record for letter in found} == set(records)
        for letter in found:
            assert letter.reason == "why"
            assert letter.requeued_at is None
            assert letter.seen_at is not None
            assert abs(letter.seen_at - before) < timedelta(minutes=5)

    def test_any_reason_is_kept(self, database: Database) -> None:
        kept = [dead_letter(number, reason=text) for number, text in enumerate(TEXTS)]
        odd = dead_letter(len(TEXTS), reason="holds \x00 and \ud800")
        alone(database).dead_letters.add([odd, *kept])
        found = letters(database)
        assert [letter.reason for letter in found[:-1]] == list(TEXTS)
        assert found[-1].record == odd.record
        assert found[-1].reason.startswith("holds ")

    def test_a_dead_letter_that_is_there_is_left_as_it_is(self, database: Database) -> None:
        alone(database).dead_letters.add([dead_letter(5, reason="first")])
        again = [dead_letter(offset, reason="again") for offset in (6, 5, 4)]
        alone(database).dead_letters.add(again)
        alone(database).dead_letters.add([])
        found = letters(database)
        assert {letter.record.offset: letter.reason for letter in found} == {
            4: "again",
            5: "first",
            6: "again",
        }

    def test_dead_letters_are_paged_by_id(self, database: Database) -> None:
        for offset in (9, 3, 7, 1):
            alone(database).dead_letters.add([dead_letter(offset)])
        found = letters(database)
        assert offsets(found) == [9, 3, 7, 1]
        ids = [letter.id for letter in found]
        assert all(ids)
        assert alone(database).dead_letters.waiting(most=3) == found[:0:-1]
        for index, after in enumerate([None, *ids]):
            page = alone(database).dead_letters.page(after=after, most=2)
            assert page == found[index : index + 2]

    def test_a_dead_letter_is_locked_and_marked(self, database: Database) -> None:
        alone(database).dead_letters.add([dead_letter(1), dead_letter(2)])
        first, second = letters(database)
        assert first.id is not None
        assert second.id is not None
        with database.transaction() as uow:
            assert uow.dead_letters.lock(first.id) == first
            uow.dead_letters.mark_requeued(first.id, at(1.5))
            assert uow.dead_letters.lock(first.id) == replace(first, requeued_at=at(1.5))
            uow.commit()
        assert letters(database) == [replace(first, requeued_at=at(1.5)), second]
        assert alone(database).dead_letters.waiting(most=9) == [second]
        unknown = second.id + 1000
        assert alone(database).dead_letters.lock(unknown) is None
        alone(database).dead_letters.mark_requeued(unknown, at(1))
        alone(database).dead_letters.add([dead_letter(1)])
        assert offsets(letters(database)) == [1, 2]

    def test_many_rows_at_once(self, database: Database) -> None:
        refusals = [refusal(number, subject=number) for number in range(5000)]
        many = [dead_letter(number, value=b"%d" % number) for number in range(5000)]
        ids = [UUID(int=number) for number in range(5000)]
        with database.transaction() as uow:
            uow.refusals.add(refusals)
            uow.dead_letters.add(many)
            uow.deletions.add(ids[17])
            uow.commit()
        with database.transaction() as uow:
            assert uow.refusals.of_subjects(ids).keys() == set(ids)
            assert len(uow.refusals.of_messages([each.message_id for each in refusals])) == 5000
            assert uow.deletions.among(ids) == {ids[17]}
        assert offsets(letters(database)) == list(range(5000))
