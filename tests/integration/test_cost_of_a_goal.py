"""What a goal costs, counted: statements and records as a function of the bets that it moves. Times
are for `make bench`; that they grow as they should is known by this."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast
from uuid import UUID

import pytest
from sqlalchemy import event

from adapters.memory.database import MemoryDatabase
from adapters.postgres.database import PostgresDatabase
from adapters.postgres.migrate import migrate
from domain.bet_scorer import PAGE
from domain.bets import Market
from domain.events import EventPatch
from domain.log import BETS_STATE
from domain.messages import SLICE_SIZE
from domain.records import ConsumerName
from tests.world import KICK_OFF, World, goal

MARKETS = 3
SLICES_AT_ONCE = 20

FILL = """
INSERT INTO bets (id, event_id, date_created, "offset", log_id, partition, event_version, market,
    state, user_id)
SELECT uuidv7(), event.id, now(), number, version.log_id, version.partition, 1,
    (enum_range(NULL::market))[1 + number %% 3], 'none', 'user-' || number
FROM events AS event JOIN event_versions AS version ON version.event_id = event.id,
    generate_series(1, %(bets)s) AS number
WHERE event.id = %(event)s
"""


@dataclass(frozen=True)
class Cost:
    statements: dict[ConsumerName, int]
    records: int


class WorldOnPostgres(World):
    """The same, with its tables in PostgreSQL."""

    def __init__(self, url: str) -> None:
        self._url = url
        super().__init__()

    def new_database(self) -> MemoryDatabase:
        self.postgres = PostgresDatabase(self._url)
        migrate(self.postgres.engine)
        return cast("MemoryDatabase", self.postgres)  # nobody takes it back here


@pytest.fixture
def world(fresh_database: str) -> Iterator[WorldOnPostgres]:
    world = WorldOnPostgres(fresh_database)
    yield world
    world.postgres.close()


@pytest.fixture
def counted(world: WorldOnPostgres) -> list[str]:
    """Every statement that PostgreSQL was sent, as it comes."""
    statements: list[str] = []

    @event.listens_for(world.postgres.engine, "before_cursor_execute")
    def _note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    return statements


def an_event(world: WorldOnPostgres, bets: int) -> UUID:
    """One with a third of the bets on each market, kicked off and settled."""
    event_id = world.create().id
    with world.postgres.engine.begin() as connection:
        connection.exec_driver_sql(FILL, {"bets": bets, "event": str(event_id)})
    world.update(event_id, KICK_OFF)
    return event_id


def cost(world: WorldOnPostgres, counted: list[str], event_id: UUID, patch: EventPatch) -> Cost:
    """Of one update: each consumer works alone until nothing is left for it."""
    world.submit(world.updating(event_id, patch))
    told = len(list(world.bus.read(BETS_STATE)))
    statements = {}
    for name in (*ConsumerName, ConsumerName.BET_WRITER):
        before = len(counted)
        while world.turn(name):
            pass
        statements[name] = len(counted) - before
    return Cost(statements, len(list(world.bus.read(BETS_STATE))) - told)


def per(pieces: int, size: int) -> int:
    return -(-pieces // size)


def test_a_goal_costs_what_it_moves(world: WorldOnPostgres, counted: list[str]) -> None:
    """A record for each slice; a query for each page; a transaction for each twenty slices."""
    costs = {}
    for bets in (30, 3_000, 30_000, 90_000):
        costs[bets] = cost(world, counted, an_event(world, bets), goal("1-0"))
    idle = costs[30]
    for bets, found in costs.items():
        moved = bets // MARKETS * 2
        assert found.records == 2 * per(bets // MARKETS, SLICE_SIZE)
        pages = found.statements[ConsumerName.BET_SCORER] - idle.statements[ConsumerName.BET_SCORER]
        assert pages == moved // PAGE
        portions = per(found.records, SLICES_AT_ONCE)
        of_one = idle.statements[ConsumerName.BET_WRITER]
        assert found.statements[ConsumerName.BET_WRITER] <= portions * of_one
        assert (
            found.statements[ConsumerName.EVENT_WRITER]
            == idle.statements[ConsumerName.EVENT_WRITER]
        )


def test_telling_more_bets_takes_no_more_memory(world: WorldOnPostgres) -> None:
    """Beyond what lies in the log afterwards, which here is in memory, too."""
    beyond = {}
    for bets in (30_000, 90_000):
        event_id = an_event(world, bets)
        world.submit(world.updating(event_id, goal("1-0")))
        for name in (ConsumerName.EVENT_WRITER, ConsumerName.BET_WRITER):
            while world.turn(name):
                pass
        tracemalloc.start()
        while world.turn(ConsumerName.BET_SCORER):
            pass
        left, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        beyond[bets] = peak - left
    assert beyond[90_000] < 1.5 * beyond[30_000], beyond


def test_a_goal_that_moves_nobody_costs_nothing_more(
    world: WorldOnPostgres, counted: list[str]
) -> None:
    costs = []
    for bets in (0, 30_000):
        event_id = an_event(world, bets)
        cost(world, counted, event_id, goal("1-0"))
        del counted[:]
        costs.append(cost(world, counted, event_id, goal("2-0")))
        assert not [statement for statement in counted if "FROM bets" in statement]
    assert costs[0] == costs[1]
    assert costs[0].records == 0


def test_placing_many_bets_costs_no_more_statements_than_placing_one(
    world: WorldOnPostgres, counted: list[str]
) -> None:
    found = []
    for bets in (1, 500):
        event_id = world.create().id
        for number in range(bets):
            world.submit(world.placing(event_id, Market.DRAW, user_id=f"user-{number}"))
        world.turn(ConsumerName.EVENT_WRITER)
        before = len(counted)
        world.turn(ConsumerName.BET_WRITER)
        found.append(len(counted) - before)
        world.settle()
        with world.database.transaction() as uow:
            assert uow.bets.count(event_id) == bets
    assert found[0] == found[1]
