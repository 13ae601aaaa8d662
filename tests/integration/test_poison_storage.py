"""Whatever decodes can be stored: random stories, through the real consumers, into PostgreSQL.

The same story goes through the same consumers into the database in memory. A value that PostgreSQL
refuses would stop its whole batch for ever; one that it changes would make the two differ.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, make_url

from adapters.memory.bus import MemoryBus
from adapters.memory.database import MemoryDatabase
from adapters.memory.log import MemoryLog
from adapters.postgres.database import PostgresDatabase
from adapters.postgres.migrate import migrate
from adapters.postgres.schema import metadata
from domain.bets import LONGEST_USER_ID, BetColumns, BetState, Market, Placement
from domain.events import LONGEST_TEAM, LONGEST_TYPE, Event, EventState
from domain.log import NewRecord
from domain.messages import (
    BetPlaced,
    BetsStateChanged,
    BetUpdated,
    EventCreated,
    EventUpdated,
    Message,
)
from domain.ports import Database
from domain.score import GOALLESS
from domain.text import fold
from tests.contracts.poison import CODEC, Site, a_bet, a_slice_record, poison, poisonous_slices
from tests.contracts.repositories_samples import HIGHEST, LOWEST, TEXTS
from tests.samples import LARGEST_VERSION, close_scores, messages, texts, times

EXAMPLES = 40

EVENTS = (LOWEST, UUID("0199aaaa-0000-7000-8000-00000000000e"), HIGHEST)
BETS = (LOWEST, *(UUID(int=2**100 + number) for number in range(4)), HIGHEST)

EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
moments = st.sampled_from([EARLIEST, LATEST, datetime(1582, 10, 10, tzinfo=UTC)]) | times


def names(longest: int) -> st.SearchStrategy[str]:
    """Texts that careless SQL breaks, the longest ones, those that grow when they are folded, and
    any others that are allowed."""
    hard = [text for text in TEXTS if len(text) <= longest]
    grows = "\N{GREEK SMALL LETTER IOTA WITH DIALYTIKA AND TONOS}"
    long = [character * longest for character in ("\U0010ffff", grows, "'", "\\", "%", "x")]
    return st.sampled_from([*hard, *long]) | texts(longest)


teams = st.tuples(
    st.just("Argentina") | names(LONGEST_TEAM), st.just("France") | names(LONGEST_TEAM)
).filter(lambda pair: fold(pair[0]) != fold(pair[1]))


@st.composite
def told_events(draw: st.DrawFn) -> Event:
    """An event of a few, near the start of its story or at its utmost end."""
    team_1, team_2 = draw(teams)
    state = draw(st.sampled_from(EventState))
    return Event(
        id=draw(st.sampled_from(EVENTS)),
        type=draw(names(LONGEST_TYPE)),
        team_1=team_1,
        team_2=team_2,
        event_date=draw(moments),
        state=state,
        score=GOALLESS if state is EventState.CREATED else draw(close_scores),
        version=draw(st.integers(1, 4) | st.just(LARGEST_VERSION)),
    )


@st.composite
def stories(draw: st.DrawFn) -> list[Message]:
    """What the event's own life could be, so that something is accepted at all."""
    event = draw(told_events())
    event = replace(event, version=1, state=EventState.CREATED, score=GOALLESS)
    told: list[Message] = [EventCreated(id=draw(ids), time=draw(moments), event=event)]
    for state in draw(st.sampled_from([[], ["active"], ["active"] * 3, ["active", "finished"]])):
        score = event.score if event.state is EventState.CREATED else draw(close_scores)
        event = replace(event, version=event.version + 1, state=EventState(state), score=score)
        told += draw(st.lists(bet_messages, max_size=3))
        told.append(EventUpdated(id=draw(ids), time=draw(moments), event=event))
    return told


ids = st.sampled_from([LOWEST, HIGHEST]) | st.uuids()
told_placements = st.builds(
    Placement,
    id=st.sampled_from(BETS),
    date_created=moments,
    user_id=names(LONGEST_USER_ID),
    event_id=st.sampled_from(EVENTS),
    market=st.sampled_from(Market),
)
bet_messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(BetPlaced, id=ids, time=moments, placement=told_placements),
    st.builds(BetUpdated, id=ids, time=moments, placement=told_placements),
)
told_slices = st.builds(
    BetsStateChanged,
    id=ids,
    time=moments,
    event_id=st.sampled_from(EVENTS),
    event_version=st.integers(1, 4) | st.just(LARGEST_VERSION),
    market=st.sampled_from(Market),
    state=st.sampled_from(BetState),
    number=st.sampled_from([0, 1, 999_999_999]),
    bets=st.sets(st.sampled_from(BETS), min_size=1).map(
        lambda chosen: BetColumns.of((bet_id, "ann") for bet_id in sorted(chosen))
    ),
)
told_messages = st.one_of(
    st.builds(EventCreated, id=ids, time=moments, event=told_events()),
    st.builds(EventUpdated, id=ids, time=moments, event=told_events()),
    bet_messages,
    bet_messages,
    told_slices,
    messages,
)
GARBAGE = [
    record
    for bad in (poison(a_bet(EVENTS[1], 0)), poisonous_slices(a_slice_record(a_bet(EVENTS[1], 0))))
    for record in bad.values()
    if len(record.value or b"") < 200_000
]
headers = st.lists(st.tuples(st.text(st.characters(), max_size=5), st.binary(max_size=5)))


@st.composite
def records(draw: st.DrawFn) -> list[NewRecord]:
    """Stories with anything in between, as bytes; some of them mutated, some plain garbage."""
    told = [message for story in draw(st.lists(stories(), max_size=3)) for message in story]
    for message in draw(st.lists(told_messages, max_size=12)):
        told.insert(draw(st.integers(0, len(told))), message)
    found = [CODEC.encode(message) for message in told]
    if found:
        for at in draw(st.sets(st.sampled_from(range(len(found))), max_size=3)):
            found[at] = draw(mutations(found[at]))
    found += draw(st.lists(st.sampled_from(GARBAGE), max_size=4))
    return [
        record._replace(headers=tuple(draw(headers))) if draw(st.booleans()) else record
        for record in found
    ]


@st.composite
def mutations(draw: st.DrawFn, record: NewRecord) -> NewRecord:
    """Another byte, another key, another member: often malformed, sometimes not."""
    value = bytearray(record.value or b"")
    if draw(st.booleans()):
        value[draw(st.integers(0, len(value) - 1))] = draw(st.integers(0, 255))
        return record._replace(value=bytes(value))
    body = json.loads(bytes(value))
    holder = draw(st.sampled_from([body, body["data"]]))
    holder[draw(st.sampled_from(sorted(holder)))] = draw(
        st.text(st.characters(), max_size=9)
        | st.integers()
        | st.sampled_from(["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "999-999", "\0"])
    )
    return record._replace(value=json.dumps(body).encode())


# The two databases


@pytest.fixture(scope="module")
def stored(postgres_url: str) -> Iterator[PostgresDatabase]:
    """A database for all examples."""
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE anything")
    engine.dispose()
    database = PostgresDatabase(
        make_url(postgres_url).set(database="anything").render_as_string(hide_password=False)
    )
    migrate(database.engine)
    yield database
    database.close()


def empty(database: PostgresDatabase) -> None:
    with database.engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())


def told_to(database: Database, told: Sequence[NewRecord]) -> Site:
    """The story, read to its end by all three; log ids are the same for both databases."""
    numbers = count(1)
    log = MemoryLog(new_id=lambda: UUID(int=next(numbers)))
    site = Site(lambda: MemoryBus(log), database, idle=0)
    site.append(told)
    site.settle()
    return site


def contents(site: Site) -> dict[str, Any]:
    """All that the database holds, in one form."""
    for next_offset, tally in site.positions().values():
        assert tally.read == sum(tally[1:])
        assert tally.read - tally.duplicate == next_offset
    with site.database.transaction() as uow:
        events = uow.events.page(most=10**6)
        bets = uow.bets.page(most=10**6)
        subjects = {*BETS, *(bet.id for bet in bets)}
        return {
            "positions": site.positions(),
            "events": events,
            "bets": bets,
            "versions": [list(uow.event_versions.history(each.event.id)) for each in events],
            "refusals": uow.refusals.of_subjects(subjects),
            "letters": {each.record.position: each.record for each in site.letters()},
            "reasons": {each.record.position: each.reason for each in site.letters()},
        }


@given(told=records())
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_whatever_decodes_is_stored_as_it_was_told(
    stored: PostgresDatabase, told: list[NewRecord]
) -> None:
    empty(stored)
    in_postgres, in_memory = told_to(stored, told), told_to(MemoryDatabase(), told)
    found, expected = contents(in_postgres), contents(in_memory)
    for name, value in expected.items():
        assert found[name] == value, name
