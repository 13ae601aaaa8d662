"""Lists: pages, cursors and filters of both APIs, and queries that are refused."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.over_http.asking import Web, invalid, unique
from tests.integration.over_http.documented import Json
from tests.integration.over_http.wrong_values import BLANKS, ID
from tests.integration.system import eventually

LISTS = [("events", "/events"), ("bets", "/bets")]
both_lists = pytest.mark.parametrize(("api", "path"), LISTS)

Add = Callable[[], Json]


@pytest.fixture(params=["events", "bets"])
def listed(request: pytest.FixtureRequest, web: Web) -> tuple[str, dict[str, str], Add]:
    """A list of a test's own: its API, the filter that makes it so, and how to add to it."""
    if request.param == "events":
        type_ = unique()
        return "events", {"type": type_}, lambda: web.event(type=type_)
    event_id = web.event()["id"]
    return "bets", {"eventId": event_id}, lambda: web.bet(event_id, "draw")


def test_the_newest_come_first(web: Web, listed: tuple[str, dict[str, str], Add]) -> None:
    api, query, add = listed
    assert web.get(api, f"/{api}", **query) == {"items": [], "next": None}
    added = [add() for _ in range(5)]
    assert web.get(api, f"/{api}", **query) == {"items": added[::-1], "next": None}


@pytest.mark.parametrize("limit", [1, 2, 4, 5, 6, 500])
def test_pages_make_up_the_list(
    web: Web, listed: tuple[str, dict[str, str], Add], limit: int
) -> None:
    api, query, add = listed
    added = [add() for _ in range(5)]
    pages = web.pages(api, f"/{api}", **query, limit=limit)
    assert [item for page in pages for item in page] == added[::-1]
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert 1 <= len(pages[-1]) <= limit


def test_pages_are_stable_while_rows_are_added(
    web: Web, listed: tuple[str, dict[str, str], Add]
) -> None:
    api, query, add = listed
    added = [add() for _ in range(5)]
    first = web.get(api, f"/{api}", **query, limit=2)
    add()
    second = web.get(api, f"/{api}", **query, limit=2, cursor=first["next"])
    add()
    third = web.get(api, f"/{api}", **query, limit=2, cursor=second["next"])
    assert first["items"] + second["items"] + third["items"] == added[::-1]
    assert third["next"] is None


def test_a_page_has_50_items_unless_more_are_asked_for(web: Web) -> None:
    event_id = web.event()["id"]
    for number in range(51):
        web.ask(
            "bets",
            "POST",
            "/bets",
            json={"userId": f"user {number}", "eventId": event_id, "market": "draw"},
            headers={"Prefer": "respond-async"},
        )
    eventually(lambda: web.tally(event_id) == {"draw": {"none": 51}})
    bets = web.listed("bets", "/bets", eventId=event_id, limit=500)
    page = web.get("bets", "/bets", eventId=event_id)
    assert page["items"] == bets[:50]
    assert web.get("bets", "/bets", eventId=event_id, cursor=page["next"])["items"] == bets[50:]
    assert [bet["userId"] for bet in bets] == [f"user {number}" for number in range(50, -1, -1)]


@both_lists
def test_limits(web: Web, api: str, path: str) -> None:
    for limit in ("1", "500"):
        assert web.ask(api, "GET", path, params={"limit": limit}).status_code == 200
    for limit in (
        *(
            "",
            "0",
            "501",
            "-1",
            "+1",
            "1.5",
            "1.0",
            "1e2",
            "abc",
            "0x10",
            "1_0",
            "null",
            "true",
            "ten",
        ),
        *("9" * 5000, " 5", "5 ", "5\n", "\x00", "\u0663", "\uff15", "\u00b2", "1,2"),
    ):
        invalid(web.ask(api, "GET", path, params={"limit": limit}), "query", "limit")


@both_lists
def test_cursors_that_no_page_gave(web: Web, api: str, path: str) -> None:
    web.bet(web.event()["id"], "draw")
    web.bet(web.event()["id"], "draw")
    cursor = web.get(api, path, limit=1)["next"]
    other = "bets" if api == "events" else "events"
    other_list = web.get(other, f"/{other}", limit=1)["next"]
    told = [_told(text) for text in (f"{api} {ID}", f"{api} 2022-12-18T15:00:00 {ID}", api, "  ")]
    for wrong in (
        *("", "0", "null", "next", "x" * 10_000, "\x00", "\u00e9", ID, "====", " ", "!!!!"),
        *(cursor[:-1], cursor[1:], cursor + "A", cursor + "=", f" {cursor}", cursor.swapcase()),
        *(other_list, *told),
    ):
        invalid(web.ask(api, "GET", path, params={"cursor": wrong}), "query", "cursor")


def _told(text: str) -> str:
    """A cursor that somebody made who looked into one."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_filters_of_events(web: Web) -> None:
    type_, home, away = unique(), f"Straße {unique()}", f"Ōsaka {unique()}"
    created = web.event(type=type_, team_1=home, team_2=away)
    active = web.event(type=type_, team_1=away, team_2=home)
    active = web.update(active["id"], state="active")
    other = web.event(type=unique(), team_1=home)

    def found(**query: str) -> list[Json]:
        return web.listed("events", "/events", **query)

    assert found(type=type_) == [active, created]
    assert found(type=type_.upper()) == []
    assert found(team=home) == [other, active, created]
    for spelt in (home.upper(), home.lower(), home.casefold(), home.replace("ß", "ẞ")):
        assert found(team=spelt) == [other, active, created]
    assert found(team=away.swapcase()) == [active, created]
    assert found(team=home[:-1]) == []
    assert found(team="%") == []
    assert found(type=type_, state="created") == [created]
    assert found(type=type_, state="active", team=away) == [active]
    assert found(type=type_, state="finished") == []
    assert found(team=home, type=other["type"], state="created") == [other]


def test_filters_of_bets(web: Web) -> None:
    event_id, other_event_id, user = web.event()["id"], web.event()["id"], unique()
    home = web.bet(event_id, "team_1", user=user)
    draw = web.bet(event_id, "draw", user=user)
    theirs = web.bet(event_id, "draw", user=user.upper())
    elsewhere = web.bet(other_event_id, "draw", user=user)

    def found(**query: str) -> list[str]:
        return [bet["id"] for bet in web.listed("bets", "/bets", **query)]

    assert found(userId=user) == [elsewhere["id"], draw["id"], home["id"]]
    assert found(eventId=event_id) == [theirs["id"], draw["id"], home["id"]]
    assert found(eventId=event_id.upper(), userId=user) == [draw["id"], home["id"]]
    assert found(eventId=event_id, market="draw") == [theirs["id"], draw["id"]]
    assert found(eventId=event_id, market="team_2") == []
    web.update(event_id, state="active")
    web.becomes(event_id, team_1={"losing": 1}, draw={"winning": 2})
    assert found(userId=user, state="none") == [elsewhere["id"]]
    assert found(userId=user, state="winning") == [draw["id"]]
    assert found(eventId=event_id, state="losing", market="team_1") == [home["id"]]
    assert found(eventId=event_id, state="win") == []
    assert found(eventId=ID) == []


WRONG_FILTERS: dict[tuple[str, str], list[str]] = {
    ("events", "state"): ["", "Created", "open", "created ", "none", "\x00"],
    ("events", "type"): ["", "x" * 51, "a\x00b", "\x85", *(f"x{blank}" for blank in BLANKS)],
    ("events", "team"): ["", "x" * 101, "a\x00b", "\x1b", *(f"{blank}x" for blank in BLANKS)],
    ("bets", "userId"): ["", "x" * 65, "a\x00b", "\x7f", *(f"x{blank}" for blank in BLANKS)],
    ("bets", "eventId"): ["", "1", ID[:-1], f" {ID}", "null", "\x00"],
    ("bets", "market"): ["", "Draw", "team_3", "draw\n", "1"],
    ("bets", "state"): ["", "None", "won", "created", "null"],
}


@pytest.mark.parametrize(("api", "name"), WRONG_FILTERS)
def test_filters_that_nothing_can_have(web: Web, api: str, name: str) -> None:
    for value in WRONG_FILTERS[api, name]:
        invalid(web.ask(api, "GET", f"/{api}", params={name: value}), "query", name)


def _parameters() -> list[Any]:
    right = {"state": "none", "limit": "5", "market": "draw", "eventId": ID}
    named = [*WRONG_FILTERS, *((api, "limit") for api, _ in LISTS)]
    return [
        pytest.param(api, name, right.get(name, "x"), id=f"{api} {name}")
        for api, name in named
        if (api, name) != ("events", "state")
    ]


@pytest.mark.parametrize(("api", "name", "value"), _parameters())
def test_parameters_are_given_once(web: Web, api: str, name: str, value: str) -> None:
    assert web.ask(api, "GET", f"/{api}", params={name: value}).status_code == 200
    response = web.ask(api, "GET", f"/{api}", params=[(name, value), (name, value)])
    invalid(response, "query", name)


@both_lists
def test_queries_are_utf_8(web: Web, api: str, path: str) -> None:
    for query in ("limit=%FF", "%C3=1", "x=%ED%A0%80", "type=%C0%AF", "userId=%80"):
        invalid(web.ask(api, "GET", f"{path}?{query}"), "query")
    for query in ("", "&", "&&"):
        assert web.ask(api, "GET", f"{path}?{query}").status_code == 200
