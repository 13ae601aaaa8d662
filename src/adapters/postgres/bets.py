# ruff: noqa: S608 - what is put into the statements are this file's own constants
"""Bets that stand: placed, moved and read in bulk."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import select, tuple_

from adapters.postgres import schema
from adapters.postgres.arrays import moments, texts, uuids, words
from adapters.postgres.session import Row, Session
from domain.bets import Bet, BetColumns, BetState, Market, Placement
from domain.log import LogPosition
from domain.records import BetRun, BetTally, Cursor, MarketOfEvent, Standing, StateRange

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


# Each user's newest bets by the index that has them in that order.
_HELD_BY = f"""
SELECT bet.* FROM unnest(%(user_ids)s::text[]) AS wanted (user_id)
CROSS JOIN LATERAL (
    SELECT {_BET} FROM bets
    WHERE bets.user_id = wanted.user_id AND event_id = ANY(%(event_ids)s::uuid[])
    ORDER BY date_created DESC, id DESC LIMIT %(most)s
) AS bet
"""

_STANDINGS = """
SELECT rank() OVER (ORDER BY wins DESC, losses), user_id, wins, losses, open, winning
FROM (
    SELECT user_id,
        count(*) FILTER (WHERE state = 'win') AS wins,
        count(*) FILTER (WHERE state = 'lose') AS losses,
        count(*) FILTER (WHERE state IN ('none', 'winning', 'losing')) AS open,
        count(*) FILTER (WHERE state = 'winning') AS winning
    FROM bets {only} GROUP BY user_id
) AS by_user
ORDER BY wins DESC, losses, user_id COLLATE "C" LIMIT %(most)s
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

    def tallies(self, event_ids: Collection[UUID]) -> Mapping[UUID, BetTally]:
        found: dict[UUID, dict[tuple[Market, BetState], int]] = {each: {} for each in event_ids}
        if found:
            for event_id, market, state, count in self._session.query(
                "SELECT event_id, market, state, count(*) FROM bets"
                " WHERE event_id = ANY(%(ids)s::uuid[]) GROUP BY event_id, market, state",
                {"ids": uuids(found)},
            ):
                found[event_id][Market(market), BetState(state)] = count
        return found

    def held_by(
        self, user_ids: Collection[str], event_ids: Collection[UUID], *, most: int
    ) -> Mapping[str, list[Bet]]:
        found: dict[str, list[Bet]] = defaultdict(list)
        if user_ids and event_ids:
            wanted = {"user_ids": texts(set(user_ids)), "event_ids": uuids(event_ids), "most": most}
            for row in self._session.query(_HELD_BY, wanted):
                bet = _bet(row)
                found[bet.placement.user_id].append(bet)
        return dict(found)

    def standings(self, *, event_id: UUID | None, most: int) -> Sequence[Standing]:
        only = "" if event_id is None else "WHERE event_id = %(event_id)s"
        wanted = {"event_id": None if event_id is None else str(event_id), "most": most}
        return [Standing(*row) for row in self._session.query(_STANDINGS.format(only=only), wanted)]

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
