"""Each field of each body, wrong in each way: 422 that names it, and nothing has happened."""

from collections.abc import Iterator, Sequence

import pytest

from tests.integration.over_http.asking import (
    ABSENT,
    Web,
    invalid,
    new_bet_body,
    new_event_body,
    unique,
)
from tests.integration.over_http.documented import Json
from tests.integration.over_http.wrong_values import (
    ID,
    LONGEST,
    RIGHT_SCORES,
    WRONG_IDS,
    WRONG_SCORES,
    WRONG_TIMES,
    wrong_texts,
    wrong_words,
)

pytestmark = pytest.mark.usefixtures("nothing_is_published")

EVENT_TEXTS = ("type", "team_1", "team_2")
WRONG_STATES = wrong_words("created", "active", "finished")
WRONG_EVENT_FIELDS = {
    **{field: wrong_texts(LONGEST[field]) for field in EVENT_TEXTS},
    "event_date": WRONG_TIMES,
    "score": WRONG_SCORES,
    "state": WRONG_STATES,
}
WRONG_NEW_EVENT_FIELDS = {
    **WRONG_EVENT_FIELDS,
    "score": [*WRONG_SCORES, *(score for score in RIGHT_SCORES if score != "0-0")],
    "state": [*WRONG_STATES, "active", "finished"],
}
WRONG_BET_FIELDS: dict[str, list[object]] = {
    "userId": wrong_texts(LONGEST["userId"]),
    "eventId": [None, True, 1, 1.5, 2**127, [], [ID], {}, "", "\ud800", *WRONG_IDS],
    "market": [*wrong_words("team_1", "draw", "team_2"), "team_3", "team-1", "Argentina"],
}


def each_field(wrong: dict[str, list[object]]) -> pytest.MarkDecorator:
    """A test for each field with all its wrong values."""
    return pytest.mark.parametrize(("field", "values"), wrong.items(), ids=list(wrong))


@pytest.fixture(scope="module")
def event(web: Web) -> Json:
    """An event that must stay as it is; its bets too."""
    event = web.event(type=unique())
    return event | {"bet": web.bet(event["id"], "draw")}


@pytest.fixture(autouse=True)
def nothing_has_changed(web: Web, event: Json) -> Iterator[None]:
    yield
    assert web.listed("events", "/events", type=event["type"]) == [
        {name: value for name, value in event.items() if name != "bet"}
    ]
    assert web.listed("bets", "/bets", eventId=event["id"]) == [event["bet"]]


@each_field(WRONG_NEW_EVENT_FIELDS)
def test_an_event_is_not_created(
    web: Web, event: Json, field: str, values: Sequence[object]
) -> None:
    for value in values:
        body = new_event_body(**{"type": event["type"], field: value})
        invalid(web.ask("events", "POST", "/events", json=body), "body", field)


@each_field(WRONG_EVENT_FIELDS)
def test_an_event_is_not_changed(
    web: Web, event: Json, field: str, values: Sequence[object]
) -> None:
    for value in values:
        response = web.ask("events", "PATCH", f"/events/{event['id']}", json={field: value})
        invalid(response, "body", field)


@each_field(WRONG_BET_FIELDS)
def test_a_bet_is_not_placed(web: Web, event: Json, field: str, values: Sequence[object]) -> None:
    for value in values:
        body = new_bet_body(event["id"], **{field: value})
        invalid(web.ask("bets", "POST", "/bets", json=body), "body", field)


def test_a_bet_is_not_changed(web: Web, event: Json) -> None:
    for value in wrong_texts(LONGEST["userId"]):
        response = web.ask("bets", "PATCH", f"/bets/{event['bet']['id']}", json={"userId": value})
        invalid(response, "body", "userId")


@pytest.mark.parametrize("field", [*EVENT_TEXTS, "event_date"])
def test_a_new_event_has_all_fields(web: Web, event: Json, field: str) -> None:
    body = new_event_body(**{"type": event["type"], field: ABSENT})
    invalid(web.ask("events", "POST", "/events", json=body), "body", field)


@pytest.mark.parametrize("field", ["userId", "eventId", "market"])
def test_a_new_bet_has_all_fields(web: Web, event: Json, field: str) -> None:
    body = new_bet_body(event["id"], **{field: ABSENT})
    invalid(web.ask("bets", "POST", "/bets", json=body), "body", field)


def test_changes_name_something(web: Web, event: Json) -> None:
    """`{}` is no change; the same for a bet, whose only field is missing then."""
    invalid(web.ask("events", "PATCH", f"/events/{event['id']}", json={}), "body")
    invalid(web.ask("bets", "PATCH", f"/bets/{event['bet']['id']}", json={}), "body", "userId")


@pytest.mark.parametrize("also", [{}, {"userId": "bob"}, {"userId": "ann"}])
@pytest.mark.parametrize("field", ["market", "state", "eventId", "id", "date_created"])
def test_nobody_writes_the_rest_of_a_bet(
    web: Web, event: Json, field: str, also: dict[str, str]
) -> None:
    """Not even what it is already."""
    path = f"/bets/{event['bet']['id']}"
    for value in (event["bet"][field], "team_1", "win", None):
        response = web.ask("bets", "PATCH", path, json={field: value} | also)
        assert response.status_code == 422
        assert ["body", field] in [error["loc"] for error in response.json()["errors"]]


@pytest.mark.parametrize("field", ["id", "version", "extra", "", "Type", "team_1 ", "\x00", "é"])
def test_unknown_fields_are_refused(web: Web, event: Json, field: str) -> None:
    for api, method, path, body in (
        ("events", "POST", "/events", new_event_body(type=event["type"])),
        ("events", "PATCH", f"/events/{event['id']}", {"team_1": "Chile"}),
        ("bets", "POST", "/bets", new_bet_body(event["id"])),
        ("bets", "PATCH", f"/bets/{event['bet']['id']}", {"userId": "bob"}),
    ):
        invalid(web.ask(api, method, path, json=body | {field: 1}), "body", field)


@pytest.mark.parametrize("other", ["Argentina", "ARGENTINA", "argentina"])
def test_the_teams_differ(web: Web, event: Json, other: str) -> None:
    body = new_event_body(type=event["type"], team_2=other)
    invalid(web.ask("events", "POST", "/events", json=body), "body", "team_2")
    invalid(web.patch(event["id"], team_2=other), "body", "team_2")
    invalid(web.patch(ID, team_1="argentina", team_2=other), "body", "team_2")


def test_a_team_is_wrong_where_it_is_named(web: Web, event: Json) -> None:
    response = web.patch(event["id"], team_1="france")
    invalid(response, "body", "team_1")
    assert response.json()["detail"] == "body.team_1: must differ from team_2"
    response = web.ask("events", "GET", f"/events/{event['id']}/preview?team_1=france")
    invalid(response, "query", "team_1")


def test_teams_are_compared_case_folded(web: Web, event: Json) -> None:
    body = new_event_body(type=event["type"], team_1="Straße", team_2="STRASSE")
    invalid(web.ask("events", "POST", "/events", json=body), "body", "team_2")


def test_several_wrong_fields_are_all_named(web: Web, event: Json) -> None:
    body = {"type": "", "team_1": 1, "event_date": "now", "extra": None}
    response = web.ask("events", "POST", "/events", json=body)
    assert response.status_code == 422
    named = {error["loc"][1] for error in response.json()["errors"]}
    assert named == {"type", "team_1", "team_2", "event_date", "extra"}
