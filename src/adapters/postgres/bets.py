# ruff: noqa: S608 - what is put into the statements are this file's own constants
"""Bets that stand: placed, moved and read in bulk."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import select, tuple_

from adapters.postgres import schema
from adapters.postgres.arrays import moments, texts, uuids, words
from adapters.postgres.session import Row, Session
from domain.bets import Bet, BetColumns, BetState, Market, Placement
from domain.log import LogPosition
from domain.records import BetRun, Cursor, MarketOfEvent, StateRange

_LOWEST, _HIGHEST = UUID(int=0), UUID(int=2**128 - 1)

_BET = (
    'id, date_created, user_id, event_id, market, state, event_version, log_id, partition, "offset"'
)

_AMONG = f"SELECT {_BET} FROM unnest(%(ids)s::uuid[]) AS wanted (id) JOIN bets USING (id)"

_ADD = f"""
INSERT INTO bets ({_BET})
SELECT * FROM unnest(
    %(ids)s::uuid[], %(dates)s::timestamptz[], %(user_ids)s::text[], %(event_ids)s::uuid[],
    %(markets)s::market[], %(states)s::bet_state[], %(versions)s::int[], %(log_ids)s::uuid[],
    %(partitions)s::int[], %(offsets)s::bigint[]
) AS added (id)
ORDER BY id
ON CONFLICT (id) DO NOTHING
"""

_CHANGE_USERS = """
WITH wanted AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(user_ids)s::text[]) AS wanted (id, user_id)
), held AS MATERIALIZED (
    SELECT bets.id, wanted.user_id FROM bets JOIN wanted USING (id)
    ORDER BY bets.id FOR NO KEY UPDATE OF bets
)
UPDATE bets SET user_id = held.user_id FROM held WHERE bets.id = held.id
"""

# Both statements below name market and id as a row, so that they fit bets_by_market and no other
# index: between two ids, or from an id on, lie the bets of all events.

# Range by range, each by that index: so the locks come in order, and no table with few events (the
# planner takes a range for a ninth of its event) is read whole.
_WRITE_STATES = """
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
UPDATE bets SET state = target.state, event_version = target.event_version
FROM unnest(
    %(event_ids)s::uuid[], %(markets)s::market[], %(firsts)s::uuid[], %(lasts)s::uuid[],
    %(states)s::bet_state[], %(versions)s::int[]
) AS target (event_id, market, first, last, state, event_version)
WHERE bets.event_id = target.event_id
    AND (bets.market, bets.id) >= (target.market, target.first)
    AND (bets.market, bets.id) <= (target.market, target.last)
    AND bets.event_version < target.event_version
"""

# The numbers come in order, so that rows are sorted market by market, and the markets after the
# page are never looked at. A row for each market, not for each bet: rows cost more than bets.
_RUNS = """
SELECT number, array_agg(id::text ORDER BY id), array_agg(user_id ORDER BY id)
FROM (
    SELECT wanted.number, place.id, place.user_id
    FROM unnest(%(event_ids)s::uuid[], %(markets)s::market[], %(firsts)s::uuid[])
        WITH ORDINALITY AS wanted (event_id, market, first, number)
    CROSS JOIN LATERAL (
        SELECT id, user_id FROM bets
        WHERE event_id = wanted.event_id
            AND (market, id) >= (wanted.market, wanted.first)
            AND (market, id) <= (wanted.market, %(highest)s)
        ORDER BY market, id LIMIT %(most)s
    ) AS place
    ORDER BY wanted.number, place.id LIMIT %(most)s
) AS page
GROUP BY number ORDER BY number
"""


class PostgresBets:
    """Bets."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def among(self, ids: Collection[UUID]) -> Mapping[UUID, Bet]:
        if not ids:
            return {}
        rows = self._session.query(_AMONG, {"ids": uuids(set(ids))})
        return {row[0]: _bet(row) for row in rows}

    def add(self, bets: Collection[Bet]) -> None:
        if not bets:
            return
        placements = [bet.placement for bet in bets]
        self._session.execute(
            _ADD,
            {
                "ids": uuids(each.id for each in placements),
                "dates": moments(each.date_created for each in placements),
                "user_ids": texts(each.user_id for each in placements),
                "event_ids": uuids(each.event_id for each in placements),
                "markets": words(each.market for each in placements),
                "states": words(bet.state for bet in bets),
                "versions": words(bet.event_version for bet in bets),
                "log_ids": uuids(bet.position.log_id for bet in bets),
                "partitions": words(bet.position.partition for bet in bets),
                "offsets": words(bet.position.offset for bet in bets),
            },
        )

    def change_users(self, user_ids: Mapping[UUID, str]) -> None:
        if user_ids:
            changed = {"ids": uuids(user_ids), "user_ids": texts(user_ids.values())}
            self._session.execute(_CHANGE_USERS, changed)

    def write_states(self, ranges: Collection[StateRange]) -> int:
        if not ranges:
            return 0
        ordered = sorted(ranges)
        return self._session.execute(
            _WRITE_STATES,
            {
                "event_ids": uuids(each.event_id for each in ordered),
                "markets": words(each.market for each in ordered),
                "firsts": uuids(each.first for each in ordered),
                "lasts": uuids(each.last for each in ordered),
                "states": words(each.state for each in ordered),
                "versions": words(each.event_version for each in ordered),
            },
        )

    def runs(
        self, markets: Sequence[MarketOfEvent], *, after: BetRun | None, most: int
    ) -> Sequence[BetRun]:
        first = _LOWEST
        if after is not None:
            markets, first = markets[markets.index(after.market) :], _next(after.bets.last)
            if first == _LOWEST:
                markets = markets[1:]
        if not markets:
            return []
        rows = self._session.query(
            _RUNS,
            {
                "event_ids": uuids(each.event_id for each in markets),
                "markets": words(each.market for each in markets),
                "firsts": uuids([first, *[_LOWEST] * (len(markets) - 1)]),
                "highest": str(_HIGHEST),
                "most": most,
            },
        )
        return [
            BetRun(markets[number - 1], BetColumns(ids=tuple(ids), user_ids=tuple(user_ids)))
            for number, ids, user_ids in rows
        ]

    def remove(self, bet_id: UUID) -> None:
        self._session.execute("DELETE FROM bets WHERE id = %(id)s", {"id": str(bet_id)})

    def count(self, event_id: UUID) -> int:
        rows = self._session.query(
            "SELECT count(*) FROM bets WHERE event_id = %(id)s", {"id": str(event_id)}
        )
        return int(rows[0][0])

    def tally(self, event_id: UUID) -> Mapping[tuple[Market, BetState], int]:
        rows = self._session.query(
            "SELECT market, state, count(*) FROM bets WHERE event_id = %(id)s"
            " GROUP BY market, state",
            {"id": str(event_id)},
        )
        return {(Market(market), BetState(state)): count for market, state, count in rows}

    def page(
        self,
        *,
        user_id: str | None = None,
        event_id: UUID | None = None,
        market: Market | None = None,
        state: BetState | None = None,
        after: Cursor | None = None,
        most: int,
    ) -> Sequence[Bet]:
        columns = schema.bets.c
        filters = {"user_id": user_id, "event_id": event_id, "market": market, "state": state}
        query = select(*(columns[name.strip('"')] for name in _BET.split(", ")))
        for name, value in filters.items():
            if value is not None:
                query = query.where(columns[name] == value)
        if after is not None:
            query = query.where(tuple_(columns.date_created, columns.id) < tuple_(*after))
        query = query.order_by(columns.date_created.desc(), columns.id.desc()).limit(most)
        return [_bet(row) for row in self._session.query(query)]


def _next(bet_id: UUID) -> UUID:
    """The id after this one; after the highest comes the lowest."""
    return UUID(int=(bet_id.int + 1) % 2**128)


def _bet(row: Row) -> Bet:
    bet_id, date_created, user_id, event_id, market, state, version, *position = row
    return Bet(
        placement=Placement(
            id=bet_id,
            date_created=date_created,
            user_id=user_id,
            event_id=event_id,
            market=Market(market),
        ),
        position=LogPosition(*position),
        state=BetState(state),
        event_version=version,
    )
