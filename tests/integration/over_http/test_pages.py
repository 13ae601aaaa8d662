"""The pages as HTML: forms, errors, escaping, and what they are allowed to load. (How they behave
in a browser is tested in `tests/browser`.)"""

import gzip
import re
from collections.abc import Iterator
from html import unescape

import httpx
import pytest

from tests.integration.over_http.asking import Web, problem, unique
from tests.integration.over_http.wrong_values import ID
from tests.integration.system import eventually

HTMX = {"HX-Request": "true"}


class Pages:
    """A browser without scripts, on one server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=30)

    def get(self, path: str, status: int = 200, **query: str) -> str:
        response = self.http.get(path, params=query or None)
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        return unescape(response.text)

    def part(self, path: str, status: int = 200, **query: str) -> str:
        """What htmx gets."""
        response = self.http.get(path, params=query, headers=HTMX)
        assert response.status_code == status, response.text
        return unescape(response.text)

    def send(self, path: str, status: int = 200, **fields: str) -> str:
        response = self.http.post(path, data=fields, headers=HTMX)
        assert response.status_code == status, response.text
        return unescape(response.text)


@pytest.fixture
def players(web: Web) -> Iterator[Pages]:
    pages = Pages(web.bets_url)
    yield pages
    pages.http.close()


@pytest.fixture
def operators(web: Web) -> Iterator[Pages]:
    pages = Pages(web.events_url)
    yield pages
    pages.http.close()


def as_user(pages: Pages) -> str:
    user = f"Ann & <Co> {unique()[:8]}"
    pages.send("/pages/user", 204, userId=user)
    return user


def test_every_page_loads_only_what_is_ours(web: Web, players: Pages, operators: Pages) -> None:
    event_id = web.event()["id"]
    as_user(players)
    seen = set()
    for pages, paths in (
        (players, ["/", f"/pages/events/{event_id}", "/pages/bets", "/pages/leaderboard"]),
        (operators, ["/", f"/pages/events/{event_id}"]),
    ):
        for path in paths:
            response = pages.http.get(path)
            policy = response.headers["content-security-policy"]
            assert "default-src 'none'; script-src 'self'" in policy
            assert response.headers["cache-control"] == "no-store"
            loaded = re.findall(r'(?:src|href)="([^"]*)"', response.text)
            assert all(each.startswith(("/", "#")) for each in loaded), loaded
            seen |= {(pages.url, each) for each in loaded if each.startswith("/static/")}
    for url, each in seen:
        found = httpx.get(url + each)
        assert found.status_code == 200
        assert "immutable" in found.headers["cache-control"]
        assert "immutable" not in httpx.get(url + each.partition("?")[0]).headers["cache-control"]


@pytest.mark.parametrize("path", ["/pages/nowhere", "/nowhere", "/static/nowhere.css"])
def test_who_has_lost_the_way(players: Pages, operators: Pages, path: str) -> None:
    """Is shown the way home; a program is told by a problem."""
    for pages in (players, operators):
        found = pages.http.get(path, headers={"Accept": "text/html, */*;q=0.8"})
        assert found.status_code == 404
        assert "There is nothing at this address." in found.text
        assert 'href="/"' in found.text
        problem(pages.http.get(path, headers={"Accept": "*/*"}), "not-found")


@pytest.mark.parametrize("wanted", ["bytes=0-9", "bytes=999999999-", "lines=1", "nonsense"])
def test_static_files_are_sent_whole(web: Web, wanted: str) -> None:
    """They are small, and a part of one that is compressed would be nothing."""
    whole = web.ask("bets", "GET", "/static/touchline.css")
    part = web.ask("bets", "GET", "/static/touchline.css", headers={"Range": wanted})
    assert (part.status_code, part.content) == (200, whole.content)
    assert part.headers["Accept-Ranges"] == "none"


def test_a_page_is_small(web: Web, players: Pages) -> None:
    """Everything that the largest page loads, as it is sent."""
    event_id = web.event()["id"]
    as_user(players)
    page = players.http.get(f"/pages/events/{event_id}").text
    size = len(gzip.compress(page.encode()))
    for each in set(re.findall(r'(?:src|href)="(/static/[^"]*)"', page)):
        with players.http.stream("GET", each, headers={"Accept-Encoding": "gzip"}) as sent:
            assert sent.headers.get("content-encoding") == "gzip" or "svg" in each
            size += sum(len(chunk) for chunk in sent.iter_raw())
    assert size < 150_000


def test_what_people_wrote_is_text(web: Web, players: Pages, operators: Pages) -> None:
    wrong = f"<script>alert(1)</script> {unique()[:8]}"
    event_id = web.event(team_1=wrong, team_2="</script><b>")["id"]
    user = as_user(players)
    web.bet(event_id, "team_1", user=user)
    web.update(event_id, state="active")
    for pages in (players, operators):
        for path in ("/", f"/pages/events/{event_id}"):
            raw = pages.http.get(path).text
            assert "<script>alert" not in raw
            assert "</script><b>" not in raw
            assert wrong in unescape(raw)
    assert user in players.get("/pages/bets")


def test_a_match_is_played_by_forms(web: Web, players: Pages, operators: Pages) -> None:
    name = unique()[:8]
    fields = {"type": "football", "team_1": f"One {name}", "team_2": f"Two {name}"}
    made = operators.send(
        "/pages/events",
        201,
        **fields,
        key=unique(),
        event_date="2026-12-01T16:00",
        offset="+01:00",
    )
    event_id = re.findall(r"/pages/events/([0-9a-f-]{36})", made)[0]
    assert web.get_event(event_id)["event_date"] == "2026-12-01T15:00:00Z"
    path = f"/pages/events/{event_id}"
    user = as_user(players)
    assert "Place a bet" in players.get(path)
    bet = {"eventId": event_id, "market": "team_1", "key": "one"}
    assert f"Your bet on One {name} stands" in players.send("/pages/bets", 201, **bet)
    players.send("/pages/bets", 201, **bet)
    assert [each["userId"] for each in web.listed("bets", "/bets", eventId=event_id)] == [user]

    asked = operators.part(f"{path}/preview", version="1", state="active")
    assert "Kick off?" in asked
    assert "1 bet flips: 1 to losing." in asked
    assert "Done" in operators.send(path, version="1", state="active")
    late = players.send("/pages/bets", 409, eventId=event_id, market="draw", key="two")
    assert "Too late: the match has kicked off" in late
    asked = operators.part(f"{path}/preview", version="2", home="1", away="0")
    assert "0\u20130 becomes 1\u20130? 1 bet flips: 1 to winning." in re.sub(r"</?b>", "", asked)
    operators.send(path, version="2", score="1-0")
    conflict = operators.send(path, 412, version="2", score="0-1")
    assert "Somebody else changed the match first" in conflict
    assert "Somebody else" in operators.part(f"{path}/preview", 412, version="2", score="0-1")
    operators.send(path, version="3", state="finished", home="1", away="0")
    web.becomes(event_id, team_1={"win": 1})
    assert "1 of 1 bet won" in players.get(path)
    assert "It is over" in operators.get(path)
    assert user in players.get("/pages/leaderboard")


def test_renaming_warns_of_the_bets_that_stand(web: Web, operators: Pages) -> None:
    event = web.event()
    web.bet(event["id"], "draw")
    path = f"/pages/events/{event['id']}"
    asked = operators.part(
        f"{path}/preview", version="1", team_1=event["team_2"], team_2=event["team_1"]
    )
    assert "1 bet stands on it as it was: the players see new names." in asked
    swapped = operators.send(path, version="1", team_1=event["team_2"], team_2=event["team_1"])
    assert "France 0\u20130 Argentina" in swapped
    assert "It has bets" in operators.send(f"{path}/delete", 409, version="2")


def test_deleting_leads_to_all_matches(web: Web, operators: Pages) -> None:
    path = f"/pages/events/{web.event()['id']}"
    response = operators.http.post(f"{path}/delete", data={"version": "1"}, headers=HTMX)
    assert (response.status_code, response.headers["hx-redirect"]) == (204, "/")
    assert "There is no such match" in operators.get(path, 404)


@pytest.mark.parametrize(
    ("path", "status", "fields", "said"),
    [
        ("/pages/events", 422, {"type": "football", "team_1": "A"}, "team_2: Field required"),
        (
            "/pages/events",
            422,
            {"type": "x", "team_1": "A", "team_2": "a", "event_date": "2026-12-01T15:00"},
            "team_2: must differ from team_1",
        ),
        (
            "/pages/events",
            422,
            {"type": "x", "team_1": "A", "team_2": "B", "event_date": "tomorrow"},
            "event_date: ",
        ),
        (f"/pages/events/{ID}", 422, {"score": "1-0"}, "version: must be the version"),
        (f"/pages/events/{ID}", 422, {"version": "1"}, "at least one field"),
        (f"/pages/events/{ID}", 422, {"version": "1", "home": "x", "away": "1"}, "score: must be"),
        (f"/pages/events/{ID}", 404, {"version": "1", "score": "1-0"}, "no such match"),
        ("/pages/events/x", 422, {"version": "1"}, "event_id: must be a UUID"),
    ],
)
def test_a_wrong_form_of_an_operator_is_told_why(
    operators: Pages, path: str, status: int, fields: dict[str, str], said: str
) -> None:
    assert said in operators.send(path, status, **fields)


@pytest.mark.parametrize(
    ("path", "status", "fields", "said"),
    [
        ("/pages/user", 422, {"userId": ""}, "userId: must have 1 to 64 characters"),
        ("/pages/user", 422, {"userId": "x" * 65}, "userId: must have 1 to 64 characters"),
        ("/pages/bets", 422, {"eventId": ID, "market": "left"}, "market: "),
        ("/pages/bets", 422, {"eventId": "x", "market": "draw"}, "eventId: must be a UUID"),
        ("/pages/bets", 404, {"eventId": ID, "market": "draw"}, "no such match"),
        ("/pages/bets", 422, {"eventId": ID, "market": "draw", "state": "win"}, "state: "),
    ],
)
def test_a_wrong_form_of_a_player_is_told_why(
    players: Pages, path: str, status: int, fields: dict[str, str], said: str
) -> None:
    as_user(players)
    assert said in players.send(path, status, **fields)


def test_who_is_nobody_places_no_bet(web: Web, players: Pages) -> None:
    event_id = web.event()["id"]
    said = players.send("/pages/bets", 422, eventId=event_id, market="draw")
    assert "say who you are first" in said
    players.http.cookies.set("touchline_user", "%00")
    players.send("/pages/bets", 422, eventId=event_id, market="draw")
    assert "Who are you?" in players.get("/")


def test_other_sites_can_send_no_form(web: Web, players: Pages) -> None:
    """A form of another site can't have htmx's header, for browsers ask us before they send it."""
    event_id = web.event()["id"]
    as_user(players)
    fields = {"eventId": event_id, "market": "draw"}
    assert players.http.post("/pages/bets", data=fields).status_code == 403
    as_json = players.http.post("/pages/bets", json=fields, headers=HTMX)
    assert as_json.status_code == 415
    asked = players.http.options(
        "/pages/bets",
        headers={"Origin": "http://evil", "Access-Control-Request-Method": "POST"},
    )
    assert "access-control-allow-origin" not in asked.headers
    assert web.listed("bets", "/bets", eventId=event_id) == []


@pytest.mark.parametrize("body", [b"\xff", b"a", b"a=1&a=2", b"&".join([b"a=1"] * 60)])
def test_what_is_no_form(players: Pages, body: bytes) -> None:
    headers = {**HTMX, "Content-Type": "application/x-www-form-urlencoded"}
    assert players.http.post("/pages/user", content=body, headers=headers).status_code == 422


def test_what_is_not_there_is_a_page_too(players: Pages, operators: Pages) -> None:
    for pages in (players, operators):
        assert "There is no such match" in pages.get(f"/pages/events/{ID}", 404)
        assert "must be a UUID" in pages.get("/pages/events/x", 422)
    for page in ("x", "event", ""):
        assert players.http.get("/pages/stream", params={"page": page}).status_code == 422
    assert players.http.get("/pages/stream?page=home&since=x").status_code == 422


def test_all_of_a_list(web: Web, players: Pages, operators: Pages) -> None:
    """What the first page has no room for is a link away."""
    ids = [web.event(team_1=f"Team {number}")["id"] for number in range(31)]
    for pages in (players, operators):
        assert ids[0] not in pages.get("/")
        assert 'href="/pages/events?state=created"' in pages.get("/")
        listed = pages.get("/pages/events", state="created")
        assert ids[0] in listed or "cursor=" in listed
        assert "no such list" in pages.get("/pages/events", 422, state="x")
        assert "cursor: " in pages.get("/pages/events", 422, state="created", cursor="x")


def test_older_bets(web: Web, players: Pages) -> None:
    event_id = web.event()["id"]
    user = as_user(players)
    bets = [web.bet(event_id, "draw", user=user)["id"] for _ in range(51)]
    page = players.get("/pages/bets")
    assert f"mine-{bets[0]}" not in page
    (link,) = re.findall(r'href="(/pages/bets/older\?cursor=[^"]+)"', page)
    older = players.get(link)
    assert f"mine-{bets[0]}" in older, older
    assert "cursor: " in players.get("/pages/bets/older", 422, cursor="x")


def test_errors_are_for_people(players: Pages) -> None:
    as_user(players)
    assert "Send application" in players.http.post("/pages/bets", json={}, headers=HTMX).text
    too_large = players.send("/pages/user", 413, userId="x" * 70_000)
    assert too_large.startswith('<p class="problem">')


def test_the_desk_tells_how_the_consumers_stand(operators: Pages) -> None:
    def all_at_the_end() -> bool:
        return operators.part("/pages/work").count("at the end</td>") == 4

    eventually(all_at_the_end)
    assert "event-writer" in operators.get("/")
