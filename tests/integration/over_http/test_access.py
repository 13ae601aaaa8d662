"""Who may do what: every operation, by every role, on one's own and on another's bets."""

import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from adapters.http.access import MAY, OPEN, Role
from adapters.http.bets_api import create_bets_api
from adapters.http.bodies import StrictRoute
from adapters.http.events_api import create_events_api
from adapters.http.feed import Feed
from adapters.http.pages.route import PageRoute
from adapters.http.tokens import JsonWebTokens
from tests.integration.over_http.asking import Web, new_event_body, problem, unique
from tests.integration.over_http.conftest import SECRET
from tests.integration.over_http.wrong_values import ID
from tests.integration.system import Up, eventually

READER = JsonWebTokens(
    key=SECRET.encode(), algorithm="HS256", issuer="touchline", audience="touchline"
)
NOBODY, OWNER, OTHER, OPERATOR, AUDITOR = "nobody", "owner", "other", "operator", "auditor"
ROLES = {OWNER: Role.PLAYER, OTHER: Role.PLAYER, OPERATOR: Role.OPERATOR, AUDITOR: Role.AUDITOR}


def token(subject: str, role: Role, *, hours: float = 1) -> str:
    return READER.sign(subject, role, now=datetime.now(UTC), lifetime=timedelta(hours=hours))


@dataclass(frozen=True)
class Scene:
    """An event before its kick-off with a bet of the owner, and the callers' names."""

    event: str
    bet: str
    owner: str
    other: str

    def subject(self, who: str) -> str:
        return {OWNER: self.owner, OTHER: self.other}.get(who, who)


@dataclass(frozen=True)
class Call:
    """One operation, and the status for owner, another player, operator and auditor."""

    api: str
    method: str
    path: str
    statuses: tuple[int, int, int, int]
    body: Callable[[Scene, str], Mapping[str, Any]] | None = None
    """What is sent, given who sends it."""

    def expected(self, who: str) -> int:
        return dict(zip(ROLES, self.statuses, strict=True))[who]


ALL = (200, 200, 200, 200)
STAFF = (403, 403, 200, 200)
OPERATOR_ONLY = (403, 403, 200, 403)
OWN = (200, 404, 200, 200)


def _event(scene: Scene, who: str) -> Mapping[str, Any]:
    return new_event_body(team_1=unique())


def _event_form(scene: Scene, who: str) -> Mapping[str, Any]:
    return {"type": "x", "team_1": unique(), "team_2": "B", "event_date": "2026-12-01T20:45"}


def _owners_bet(scene: Scene, who: str) -> Mapping[str, Any]:
    return {"userId": scene.owner, "eventId": scene.event, "market": "draw"}


def _own_bet_form(scene: Scene, who: str) -> Mapping[str, Any]:
    return {"eventId": scene.event, "market": "draw"}


CALLS = {
    "create_event": Call("events", "POST", "/events", (403, 403, 201, 403), _event),
    "list_events": Call("events", "GET", "/events", ALL),
    "get_event": Call("events", "GET", "/events/{event}", ALL),
    "update_event": Call(
        "events", "PATCH", "/events/{event}", OPERATOR_ONLY, lambda *_: {"type": "tennis"}
    ),
    "delete_event": Call("events", "DELETE", "/events/{event}", (403, 403, 409, 403)),
    "get_event_history": Call("events", "GET", "/events/{event}/history", ALL),
    "preview_event": Call("events", "GET", "/events/{event}/preview?state=active", STAFF),
    "stream events": Call("events", "HEAD", "/stream?eventId={event}", ALL),
    "place_bet": Call("bets", "POST", "/bets", (201, 403, 403, 403), _owners_bet),
    "list_bets of owner": Call("bets", "GET", "/bets?userId={owner}", (200, 403, 200, 200)),
    "list_bets": Call("bets", "GET", "/bets?eventId={event}", ALL),
    "get_bet": Call("bets", "GET", "/bets/{bet}", OWN),
    "update_bet": Call(
        "bets", "PATCH", "/bets/{bet}", OPERATOR_ONLY, lambda *_: {"userId": "somebody"}
    ),
    "delete_bet": Call("bets", "DELETE", "/bets/{bet}", (204, 404, 403, 403)),
    "get_bet_history": Call("bets", "GET", "/bets/{bet}/history", OWN),
    "get_tally": Call("bets", "GET", "/events/{event}/tally", ALL),
    "get_leaderboard": Call("bets", "GET", "/leaderboard", ALL),
    "stream bets": Call("bets", "HEAD", "/stream?eventId={event}", ALL),
    "stream of owner": Call("bets", "HEAD", "/stream?userId={owner}", (200, 403, 200, 200)),
    "page_desk": Call("events", "GET", "/", STAFF),
    "page_desk_event": Call("events", "GET", "/pages/events/{event}", STAFF),
    "page_desk_events": Call("events", "GET", "/pages/events?state=created", STAFF),
    "page_work": Call("events", "GET", "/pages/work", STAFF),
    "page_preview": Call(
        "events", "GET", "/pages/events/{event}/preview?state=active&version=1", STAFF
    ),
    "desk_stream": Call("events", "HEAD", "/pages/stream", STAFF),
    "take_event": Call("events", "POST", "/pages/events", (403, 403, 201, 403), _event_form),
    "take_changes": Call(
        "events",
        "POST",
        "/pages/events/{event}",
        OPERATOR_ONLY,
        lambda *_: {"version": "1", "state": "active"},
    ),
    "take_deletion": Call(
        "events",
        "POST",
        "/pages/events/{event}/delete",
        (403, 403, 409, 403),
        lambda *_: {"version": "1"},
    ),
    "page_home": Call("bets", "GET", "/", ALL),
    "page_event": Call("bets", "GET", "/pages/events/{event}", ALL),
    "page_events": Call("bets", "GET", "/pages/events?state=created", ALL),
    "page_bets": Call("bets", "GET", "/pages/bets", ALL),
    "page_older_bets": Call("bets", "GET", "/pages/bets/older", ALL),
    "page_leaderboard": Call("bets", "GET", "/pages/leaderboard", ALL),
    "player_stream": Call("bets", "HEAD", "/pages/stream?page=home", ALL),
    "take_user": Call(
        "bets", "POST", "/pages/user", (403, 403, 403, 403), lambda *_: {"userId": "x"}
    ),
    "take_bet": Call("bets", "POST", "/pages/bets", (201, 201, 403, 403), _own_bet_form),
}


def is_page(call: Call) -> bool:
    return call.path == "/" or call.path.startswith("/pages")


def sent(web: Web, call: Call, scene: Scene, who: str) -> httpx.Response:
    """The call by who; pages by cookie, as htmx asks, the APIs by a bearer's header."""
    shown = None if who == NOBODY else token(scene.subject(who), ROLES[who])
    path = call.path.format(**vars(scene))
    body = None if call.body is None else dict(call.body(scene, who))
    if is_page(call):
        headers = {"HX-Request": "true"} | ({"Cookie": f"touchline_token={shown}"} if shown else {})
        return web.ask(call.api, call.method, path, headers=headers, data=body)
    headers = {"Authorization": f"Bearer {shown}"} if shown else {}
    more = {} if body is None else {"json": body}
    return web.ask(call.api, call.method, path, headers=headers, **more)


@pytest.fixture
def scene(guarded_web: Web) -> Scene:
    return new_scene(guarded_web)


def new_scene(web: Web) -> Scene:
    owner, other = unique(), unique()
    by_operator = {"Authorization": f"Bearer {token('op', Role.OPERATOR)}"}
    event = web.ask("events", "POST", "/events", json=new_event_body(), headers=by_operator)
    body = {"userId": owner, "eventId": event.json()["id"], "market": "team_1"}
    by_owner = {"Authorization": f"Bearer {token(owner, Role.PLAYER)}"}
    bet = web.ask("bets", "POST", "/bets", json=body, headers=by_owner)
    assert bet.status_code == 201
    return Scene(event.json()["id"], bet.json()["id"], owner, other)


def flat(routes: Iterable[Any]) -> Iterator[Any]:
    """All routes, also those of routers that were included."""
    for route in routes:
        router = getattr(route, "original_router", None)
        if router is None:
            yield route
        else:
            yield from flat(router.routes)


UNGUARDED = {"/docs", "/openapi.json", "/static"}


@pytest.mark.parametrize("create", [create_events_api, create_bets_api])
def test_every_operation_is_in_the_table(create: Any) -> None:
    """And every route is one that looks there."""
    anything: Any = object()
    app = create(anything, Feed(anything), health=dict, registry=CollectorRegistry())
    routes = list(flat(app.routes))
    guarded = [route for route in routes if isinstance(route, StrictRoute | PageRoute)]
    assert {route.path for route in routes if route not in guarded} == UNGUARDED
    operations = {route.operation_id or route.name for route in guarded}
    assert operations <= MAY.keys()
    tried = {name.partition(" ")[0] for name in CALLS}
    assert {name for name in operations if MAY[name] is not OPEN} <= tried
    assert tried <= MAY.keys()


@pytest.mark.parametrize("name", CALLS)
def test_by_every_role(guarded_web: Web, name: str) -> None:
    call, scene = CALLS[name], new_scene(guarded_web)
    found = {}
    for who in ROLES:
        found[who] = sent(guarded_web, call, scene, who).status_code
        if call.body is not None or call.method == "DELETE":
            scene = new_scene(guarded_web)
    assert found == {who: call.expected(who) for who in ROLES}


@pytest.mark.parametrize("name", CALLS)
def test_without_a_token(guarded_web: Web, name: str) -> None:
    call = CALLS[name]
    response = sent(guarded_web, call, Scene(ID, ID, unique(), unique()), NOBODY)
    assert response.status_code == 401
    if is_page(call):
        assert response.headers["HX-Redirect"] == "/pages/sign-in"
        assert response.content == b""
    else:
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="touchline"'


def test_it_is_asked_before_anything_else(guarded_web: Web) -> None:
    """Who has no token is told nothing of what is wrong, nor whether something is there."""
    for api, method, path in [
        ("bets", "GET", f"/bets/{unique()}"),
        ("bets", "GET", "/bets?nonsense=1"),
        ("events", "PATCH", "/events/x"),
        ("bets", "POST", "/bets"),
    ]:
        problem(guarded_web.ask(api, method, path, content=b"{" * 100_000), "unauthenticated")


def test_what_needs_no_token(guarded_web: Web) -> None:
    for api in ("events", "bets"):
        for path in ("/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/pages/sign-in"):
            assert guarded_web.ask(api, "GET", path).status_code == 200, path


WRONG = {
    "another scheme": "Basic YW5uOnNlY3JldA==",
    "no token": "Bearer",
    "nonsense": "Bearer nonsense",
    "an old one": f"Bearer {token('ann', Role.PLAYER, hours=-1)}",
    "of another key": "Bearer "
    + JsonWebTokens(
        key=b"?" * 32, algorithm="HS256", issuer="touchline", audience="touchline"
    ).sign("ann", Role.PLAYER, now=datetime.now(UTC), lifetime=timedelta(hours=1)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_token_that_does_not_count(guarded_web: Web, wrong: str) -> None:
    response = guarded_web.ask("bets", "GET", "/bets", headers={"Authorization": WRONG[wrong]})
    problem(response, "unauthenticated")
    is_told = wrong != "another scheme"
    assert ('error="invalid_token"' in response.headers["WWW-Authenticate"]) is is_told


def test_a_cookie_is_no_token_of_the_apis(guarded_web: Web) -> None:
    """So that no page of elsewhere can use it: a browser sends cookies by itself."""
    cookie = {"Cookie": f"touchline_token={token('ann', Role.OPERATOR)}"}
    problem(guarded_web.ask("bets", "GET", "/bets", headers=cookie), "unauthenticated")
    problem(
        guarded_web.ask("events", "POST", "/events", json={}, headers=cookie), "unauthenticated"
    )


def test_forms_of_other_pages_are_refused(guarded_web: Web, scene: Scene) -> None:
    """They can't say that htmx asks, for that the browser would ask us first."""
    cookie = {"Cookie": f"touchline_token={token(scene.owner, Role.PLAYER)}"}
    form = {"eventId": scene.event, "market": "draw"}
    response = guarded_web.ask("bets", "POST", "/pages/bets", headers=cookie, data=form)
    assert response.status_code == 403
    asked = {
        "Origin": "https://pool.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "hx-request",
    }
    preflight = httpx.options(f"{guarded_web.bets_url}/pages/bets", headers=asked)
    assert preflight.status_code == 400
    assert preflight.headers["Content-Type"] == "application/problem+json"
    assert problem(preflight, "bad-request")["detail"] == "Disallowed CORS headers"
    assert preflight.headers["Vary"].startswith("Origin")
    assert preflight.headers["X-Content-Type-Options"] == "nosniff"
    assert "X-Request-ID" in preflight.headers


def test_a_player_sees_own_bets_only(guarded_web: Web, scene: Scene) -> None:
    by_other = {"Authorization": f"Bearer {token(scene.other, Role.PLAYER)}"}
    by_owner = {"Authorization": f"Bearer {token(scene.owner, Role.PLAYER)}"}
    path = f"/bets?eventId={scene.event}"
    assert guarded_web.ask("bets", "GET", path, headers=by_other).json()["items"] == []
    (found,) = guarded_web.ask("bets", "GET", path, headers=by_owner).json()["items"]
    assert found["id"] == scene.bet


def test_a_key_does_not_show_what_was_given_to_another(guarded_web: Web, scene: Scene) -> None:
    by_owner = {"Authorization": f"Bearer {token(scene.owner, Role.PLAYER)}"}
    by_operator = {"Authorization": f"Bearer {token('op', Role.OPERATOR)}"}
    body = {"userId": scene.owner, "eventId": scene.event, "market": "draw"}
    place = {"json": body, "headers": by_owner | {"Idempotency-Key": "once"}}
    bet = guarded_web.ask("bets", "POST", "/bets", **place).json()
    assert guarded_web.ask("bets", "POST", "/bets", **place).json() == bet
    path, given = f"/bets/{bet['id']}", {"userId": scene.other}
    guarded_web.ask("bets", "PATCH", path, json=given, headers=by_operator)
    problem(guarded_web.ask("bets", "GET", path, headers=by_owner), "bet-not-found")
    for market in ("draw", "team_1"):
        place["json"] = body | {"market": market}
        problem(guarded_web.ask("bets", "POST", "/bets", **place), "bet-not-found")


def test_a_name_of_before_is_no_token(guarded_web: Web, scene: Scene) -> None:
    """Pages go by the token, whatever a cookie of a Touchline without tokens says."""
    shown = token(scene.other, Role.PLAYER)
    cookie = {"Cookie": f"touchline_token={shown}; touchline_user={scene.owner}"}
    for path in ("/pages/bets", "/pages/bets/older", f"/pages/events/{scene.event}"):
        page = guarded_web.ask("bets", "GET", path, headers=cookie)
        assert page.status_code == 200
        assert scene.owner not in page.text


def test_a_stream_ends_with_its_token(guarded_web: Web, scene: Scene) -> None:
    """Half a minute after its end, as long as it counts."""
    soon = {"Authorization": f"Bearer {token(scene.owner, Role.PLAYER, hours=-22 / 3600)}"}
    url = f"{guarded_web.bets_url}/stream"
    with httpx.stream("GET", url, headers=soon, timeout=30) as response:
        assert response.status_code == 200
        assert b"reached" in response.read()


class TestSigningIn:
    def test_once_on_both_servers(self, guarded_web: Web) -> None:
        shown = token("ann", Role.OPERATOR)
        with httpx.Client(headers={"HX-Request": "true"}) as browser:
            page = f"{guarded_web.bets_url}/pages/sign-in"
            response = browser.post(page, data={"token": shown})
            assert (response.status_code, response.headers["HX-Redirect"]) == (204, "/")
            cookie = response.headers["Set-Cookie"]
            assert re.search(r"; HttpOnly;.*; SameSite=lax", cookie)
            assert 3500 <= int(re.findall(r"Max-Age=(\d+)", cookie)[0]) <= 3630
            assert "Sign out" in browser.get(guarded_web.bets_url).text
            assert "New match" in browser.get(guarded_web.events_url).text
            response = browser.post(f"{guarded_web.events_url}/pages/sign-out", data={"": ""})
            assert response.headers["HX-Redirect"] == "/pages/sign-in"
            assert browser.get(guarded_web.bets_url).status_code == 401

    def test_by_a_secure_connection(self, guarded_web: Web) -> None:
        """As a proxy on this machine says it."""
        headers = {"HX-Request": "true", "X-Forwarded-Proto": "https"}
        form = {"token": token("ann", Role.PLAYER)}
        url = f"{guarded_web.bets_url}/pages/sign-in"
        response = httpx.post(url, headers=headers, data=form)
        assert "; Secure" in response.headers["Set-Cookie"]

    def test_with_a_wrong_token(self, guarded_web: Web) -> None:
        url = f"{guarded_web.bets_url}/pages/sign-in"
        response = httpx.post(url, headers={"HX-Request": "true"}, data={"token": "nonsense"})
        assert response.status_code == 422
        assert "token: the token is not valid here" in response.text
        assert "Set-Cookie" not in response.headers

    def test_a_page_leads_to_it(self, guarded_web: Web) -> None:
        response = httpx.get(f"{guarded_web.bets_url}/pages/bets")
        assert (response.status_code, response.headers["Location"]) == (303, "/pages/sign-in")
        response = httpx.get(f"{guarded_web.bets_url}/pages/sign-in")
        assert 'name="token"' in response.text

    @pytest.mark.parametrize("api", ["events", "bets"])
    def test_an_open_page_is_led_to_it(self, guarded_web: Web, api: str) -> None:
        """Its stream says so: a script isn't told its status."""
        response = guarded_web.ask(api, "GET", "/pages/stream")
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.text == "event: expired\ndata:\n\n"

    def test_an_auditor_looks_and_has_no_buttons(self, guarded_web: Web, scene: Scene) -> None:
        cookie = {"Cookie": f"touchline_token={token('aud', Role.AUDITOR)}"}
        pages = [
            guarded_web.ask("events", "GET", "/", headers=cookie).text,
            guarded_web.ask("events", "GET", f"/pages/events/{scene.event}", headers=cookie).text,
            guarded_web.ask("bets", "GET", f"/pages/events/{scene.event}", headers=cookie).text,
        ]
        for page in pages:
            assert re.findall(r'hx-post="([^"]+)"', page) == ["/pages/sign-out"]

    def test_where_nobody_is_asked_there_is_nothing_to_sign(self, web: Web) -> None:
        response = httpx.get(f"{web.bets_url}/pages/sign-in")
        assert (response.status_code, response.headers["Location"]) == (303, "/")


class TestOtherSites:
    def test_a_named_one_may_use_the_api(self, guarded_web: Web) -> None:
        asked = {
            "Origin": "https://pool.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
        }
        response = httpx.options(f"{guarded_web.bets_url}/bets", headers=asked)
        assert response.status_code == 200
        assert response.headers["Access-Control-Allow-Origin"] == "https://pool.example"
        assert "Access-Control-Allow-Credentials" not in response.headers
        bearer = {"Authorization": f"Bearer {token('ann', Role.PLAYER)}"}
        got = httpx.get(
            f"{guarded_web.bets_url}/bets", headers=bearer | {"Origin": asked["Origin"]}
        )
        assert got.headers["Access-Control-Allow-Origin"] == "https://pool.example"
        assert "ETag" in got.headers["Access-Control-Expose-Headers"]

    @pytest.mark.parametrize("kind", ["guarded_web", "web"])
    def test_others_may_not(self, request: pytest.FixtureRequest, kind: str) -> None:
        web: Web = request.getfixturevalue(kind)
        response = httpx.get(f"{web.bets_url}/livez", headers={"Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("path", ["/bets", "/livez", "/nowhere", "/", "/docs", "/static/live.js"])
def test_browsers_are_told_to_be_careful(web: Web, path: str) -> None:
    headers = web.ask("bets", "GET", path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'unsafe" not in policy
    assert headers["Referrer-Policy"] in {"no-referrer", "same-origin"}


def test_docs_load_nothing_from_elsewhere(web: Web) -> None:
    page = web.ask("bets", "GET", "/docs").text
    found = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert found
    for address in found:
        assert address.startswith("/static/")
        assert web.ask("bets", "GET", address).status_code == 200


def test_no_token_is_logged(guarded_web: Web, guarded_up: Up, scene: Scene) -> None:
    """Nor the secret, whatever is asked and however much is logged."""
    shown = token("a-subject-to-look-for", Role.PLAYER)
    headers = {"Authorization": f"Bearer {shown}", "Cookie": f"touchline_token={shown}"}
    for path in ("/bets", f"/bets?token={shown}", f"/bets/{shown}", "/pages/bets", f"/{shown}"):
        guarded_web.ask("bets", "GET", path, headers=headers)
    guarded_web.ask("bets", "POST", "/pages/sign-in", data={"token": shown}, headers=headers)
    port = httpx.URL(guarded_web.bets_url).port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(f"GET /{shown} HTTP/9\r\nAuthorization: Bearer {shown}\r\n\r\n".encode())
        assert raw.recv(1000)
    # What comes later in the log is written, too.
    eventually(lambda: guarded_web.ask("bets", "GET", "/livez").status_code == 200)
    log = guarded_up.log_file.read_text()
    assert log
    for secret in (shown, shown.partition(".")[2], SECRET):
        assert secret not in log


class TestTokenCommand:
    def test_what_it_makes_counts(self, guarded_up: Up, guarded_web: Web) -> None:
        made = guarded_up.command("token", "ann", "--role", "auditor").stdout.strip()
        found = READER.caller(made)
        assert (found.subject, found.role) == ("ann", Role.AUDITOR)

    def test_a_link(self, guarded_up: Up) -> None:
        done = guarded_up.command("token", "ann", "--link", "http://pool.example:8002/")
        address, _, made = done.stdout.strip().partition("#")
        assert address == "http://pool.example:8002/pages/sign-in"
        assert READER.caller(made).role is Role.PLAYER

    def test_without_a_key(self, touchline: Up) -> None:
        done = touchline.command("token", "ann")
        assert done.returncode == 1
        assert "TOUCHLINE_AUTH_SECRET" in done.stderr

    def test_the_commands_show_one(self, guarded_up: Up, guarded_web: Web, scene: Scene) -> None:
        place = ["bets", "place", scene.event, "draw", "--user", scene.other]
        place += ["--bets-url", guarded_web.bets_url]
        refused = guarded_up.command(*place)
        assert refused.returncode == 1
        assert refused.stderr.startswith("error: a token is needed: put one into TOUCHLINE_TOKEN")
        guarded_up.environment["TOUCHLINE_TOKEN"] = token(scene.other, Role.PLAYER)
        try:
            placed = guarded_up.command(*place)
        finally:
            del guarded_up.environment["TOUCHLINE_TOKEN"]
        assert placed.returncode == 0, placed.stderr

    def test_a_token_that_is_none(self, touchline: Up) -> None:
        touchline.environment["TOUCHLINE_TOKEN"] = "two words"
        try:
            done = touchline.command("events", "list")
        finally:
            del touchline.environment["TOUCHLINE_TOKEN"]
        assert done.returncode == 2
        assert done.stderr.startswith("error: wrong settings:\nTOUCHLINE_TOKEN: ")

    def test_the_other_server(self, touchline: Up) -> None:
        done = touchline.command("events", "list", "--events-url", touchline.client.bets_url)
        assert done.returncode == 1
        assert done.stderr.endswith("/events?limit=50: Not Found; is this API on another server?\n")

    def test_the_demo_signs_for_all_who_play(self, guarded_up: Up, guarded_web: Web) -> None:
        urls = ["--events-url", guarded_web.events_url, "--bets-url", guarded_web.bets_url]
        done = guarded_up.command("demo", "--speed", "1000", "--bets", "12", *urls)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "each one as the rules say" in done.stdout
