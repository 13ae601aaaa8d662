"""`touchline dead-letters`: what people see of what could not be read, and putting it back."""

import base64
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pytest_mock import MockerFixture

from adapters.postgres.bookkeeping import PostgresDeadLetters
from adapters.postgres.log_bus import PostgresLogBus
from domain.errors import BusUnavailable, DatabaseUnavailable
from domain.log import EVENTS_TAXONOMY, PARTITIONS, LogPartition, NewRecord, Record, partition_of
from domain.records import DeadLetter
from entrypoints import bootstrap, dead_letters
from entrypoints.dead_letters import NoSuchLetter
from entrypoints.settings import Settings
from tests.integration.system import run

LOG = UUID("0199aaaa-0000-7000-8000-000000000001")
TEXT = NewRecord(EVENTS_TAXONOMY, b"key", '{"é": 1}'.encode(), (("content-type", b"text/plain"),))
BYTES = NewRecord(EVENTS_TAXONOMY, b"\xff", b"\x00\xfe", (("\udcff", b"\xff"), ("", b"")))
NOTHING = NewRecord(EVENTS_TAXONOMY, None, None)


@pytest.fixture
def settings(fresh_database: str) -> Settings:
    """A database and a log, without anybody who works on them."""
    settings = Settings(database_url=fresh_database)
    bootstrap.migrate(fresh_database)
    bootstrap.create_topics(settings, fresh_database)
    return settings


def kept(settings: Settings, *records: NewRecord) -> list[int]:
    """Make dead letters of these; their ids."""
    source = LogPartition(EVENTS_TAXONOMY, 0, LOG)
    with bootstrap.database(settings.database_url, name="test") as database:
        with database.transaction() as uow:
            letters = [
                DeadLetter(record=Record(source, at, *record[1:]), reason="not JSON")
                for at, record in enumerate(records)
            ]
            uow.dead_letters.add(letters)
            uow.commit()
        with database.transaction() as uow:
            return [letter.id or 0 for letter in uow.dead_letters.page(after=None, most=99)]


def log_of(settings: Settings) -> list[Record]:
    with bootstrap.connected(settings, settings.database_url, name="test") as (_, bus):
        return list(bus.read(EVENTS_TAXONOMY))


def listed(settings: Settings, *, after: int | None = None, most: int = 50) -> Any:
    found = dead_letters.page(settings.database_url, after=after, most=most)
    return json.loads(dead_letters.shown(found, as_json=True))


def shown(settings: Settings, letter: int) -> Any:
    found = dead_letters.one(settings.database_url, letter)
    assert f"id: {letter}\n" in dead_letters.shown(found, as_json=False)
    return json.loads(dead_letters.shown(found, as_json=True))


def requeued(settings: Settings, letter: int) -> Any:
    found = dead_letters.requeue(settings, settings.database_url, letter)
    return json.loads(dead_letters.shown(found, as_json=True))


def test_the_list(settings: Settings) -> None:
    assert listed(settings) == []
    first, second, third = kept(settings, TEXT, BYTES, NOTHING)
    found = listed(settings)
    assert [letter["id"] for letter in found] == [first, second, third]
    assert found[1] == {
        "id": second,
        "topic": EVENTS_TAXONOMY,
        "partition": 0,
        "offset": 1,
        "log_id": str(LOG),
        "reason": "not JSON",
        "seen_at": found[1]["seen_at"],
        "requeued_at": None,
    }
    assert [letter["id"] for letter in listed(settings, most=2)] == [first, second]
    assert [letter["id"] for letter in listed(settings, after=first)] == [second, third]
    for_people = dead_letters.shown(found, as_json=False).splitlines()
    assert for_people[0] == f"{first}\tevents.taxonomy/0@0\tnot JSON"
    assert len(for_people) == 3


def test_a_letter_is_shown_with_every_byte(settings: Settings) -> None:
    text, raw, nothing = kept(settings, TEXT, BYTES, NOTHING)
    found = shown(settings, text)
    value = base64.b64encode(TEXT.value or b"").decode()
    assert found["value"] == {"text": '{"é": 1}', "base64": value}
    assert found["headers"] == [
        {"name": "content-type", "text": "text/plain", "base64": "dGV4dC9wbGFpbg=="}
    ]
    found = shown(settings, raw)
    assert found["key"] == {"text": None, "base64": "/w=="}
    assert found["value"] == {"text": None, "base64": "AP4="}
    assert found["headers"] == [
        {"name": "\udcff", "text": None, "base64": "/w=="},
        {"name": "", "text": "", "base64": ""},
    ]
    found = shown(settings, nothing)
    assert (found["key"], found["value"], found["headers"]) == (None, None, [])


@pytest.mark.parametrize("letter", [-1, 0, 1, 2**63 - 1, 2**63, 10**30])
def test_an_unknown_letter(settings: Settings, letter: int) -> None:
    with pytest.raises(NoSuchLetter, match=f"^there is no dead letter {letter}$"):
        dead_letters.one(settings.database_url, letter)
    with pytest.raises(NoSuchLetter, match=f"^there is no dead letter {letter}$"):
        dead_letters.requeue(settings, settings.database_url, letter)
    assert log_of(settings) == []


def test_the_list_after_any_number(settings: Settings) -> None:
    (letter,) = kept(settings, TEXT)
    for after, expected in ((-(10**30), [letter]), (-1, [letter]), (2**63, []), (10**30, [])):
        assert [each["id"] for each in listed(settings, after=after)] == expected


def test_as_a_command(settings: Settings, tmp_path: Path) -> None:
    """What is wrong is said in one line."""
    environment = {"TOUCHLINE_DATABASE_URL": settings.database_url}

    def command(*arguments: str) -> tuple[int, str, str]:
        done = run("dead-letters", *arguments, environment=environment, cwd=tmp_path)
        return done.returncode, done.stdout, done.stderr

    assert command("list") == (0, "no dead letters\n", "")
    assert command("list", "--json") == (0, "[]\n", "")
    for name in ("show", "requeue"):
        assert command(name, "7", "--json") == (1, "", "error: there is no dead letter 7\n")


@pytest.mark.parametrize("record", [TEXT, BYTES, NOTHING], ids=["text", "bytes", "nothing"])
def test_a_letter_is_appended_once_as_it_was(settings: Settings, record: NewRecord) -> None:
    (letter,) = kept(settings, record)
    first = requeued(settings, letter)
    assert first["requeued"] is True
    (appended,) = log_of(settings)
    assert NewRecord(EVENTS_TAXONOMY, *appended[2:]) == record
    assert first["appended"] == {"partition": appended.source.partition, "offset": appended.offset}
    if record.key is not None:
        assert appended.source.partition == partition_of(record.key, PARTITIONS)
    again = requeued(settings, letter)
    assert again["requeued"] is False
    assert "appended" not in again
    assert again["requeued_at"] == first["requeued_at"]
    assert len(log_of(settings)) == 1
    assert dead_letters.shown(listed(settings), as_json=False).endswith("(requeued)")


# What happens when it ends in the middle


def test_a_bus_that_is_away_leaves_the_letter_as_it_was(
    settings: Settings, mocker: MockerFixture
) -> None:
    (letter,) = kept(settings, TEXT)
    away = mocker.patch.object(PostgresLogBus, "publish", side_effect=BusUnavailable("away"))
    with pytest.raises(BusUnavailable):
        requeued(settings, letter)
    mocker.stop(away)
    assert log_of(settings) == []
    assert requeued(settings, letter)["requeued"] is True
    assert len(log_of(settings)) == 1


def test_a_crash_between_appending_and_marking_leaves_the_letter_open(
    settings: Settings, mocker: MockerFixture
) -> None:
    """So nothing is lost; who requeues it once more appends it twice, which changes nothing."""
    (letter,) = kept(settings, TEXT)
    crash = mocker.patch.object(
        PostgresDeadLetters, "mark_requeued", side_effect=DatabaseUnavailable("crashed")
    )
    with pytest.raises(DatabaseUnavailable):
        requeued(settings, letter)
    mocker.stop(crash)
    assert listed(settings)[0]["requeued_at"] is None
    assert requeued(settings, letter)["requeued"] is True
    first, second = log_of(settings)
    assert first[2:] == second[2:]
