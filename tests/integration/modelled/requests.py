"""What is asked of both APIs: few different values, so that they meet often."""

from uuid import UUID

from hypothesis import strategies as st

from tests.integration.modelled.model import DATES, STATES, Json
from tests.integration.over_http.asking import ASYNC
from tests.integration.players import MARKETS

NOBODY = str(UUID(int=0))
"""The id of no event and no bet."""

TEAMS = st.sampled_from(["Argentina", "Chile", "France", "Straße", "STRASSE"])
KEYS = st.sampled_from([None, "key"])
USERS = st.sampled_from(["ann", "bob"])
MARKET = st.sampled_from(MARKETS)
SCORES = st.sampled_from(["0-0", "1-0", "1-1", "0-1", "12-3"])
PREFER = st.sampled_from([{}, {}, {}, ASYNC])
KINDS = st.sampled_from(["football", "chess"])
NEW_EVENTS = st.fixed_dictionaries(
    {"type": KINDS, "team_1": TEAMS, "team_2": TEAMS, "event_date": st.sampled_from([*DATES])},
    optional={"score": st.just("0-0"), "state": st.just("created")},
)
FIRST_EVENTS = NEW_EVENTS.map(lambda sent: sent | {"team_1": "Argentina", "team_2": "France"})
CHANGES = st.one_of(
    st.just({"state": "active"}),
    st.just({"state": "finished"}),
    st.builds(lambda score: {"score": score}, SCORES),
    st.builds(lambda kind: {"type": kind}, KINDS),
    st.fixed_dictionaries(
        {},
        optional={
            "type": KINDS,
            "team_1": TEAMS,
            "team_2": TEAMS,
            "event_date": st.sampled_from([*DATES]),
            "score": SCORES,
            "state": st.sampled_from(STATES),
        },
    ).filter(bool),
)
IF_MATCH: st.SearchStrategy[str | None] = st.sampled_from(
    [*[None] * 6, "*", '"{now}"', 'W/"{now}"', '"99", "{now}"', '"99"']
)
WRONG_EVENT_CHANGES: st.SearchStrategy[tuple[Json, list[str]]] = st.sampled_from(
    [
        ({}, ["body"]),
        ({"score": None}, ["body", "score"]),
        ({"score": "01-0"}, ["body", "score"]),
        ({"version": 2}, ["body", "version"]),
    ]
)
WRONG_BET_CHANGES: st.SearchStrategy[tuple[Json, list[str]]] = st.sampled_from(
    [
        ({"userId": "eve", "market": "draw"}, ["body", "market"]),
        ({"userId": "eve", "state": "win"}, ["body", "state"]),
        ({"userId": " eve"}, ["body", "userId"]),
    ]
)
