"""202: what a client sees of a request that is not yet decided, and what becomes of it."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import httpx
import pytest

from domain.requests import FRESH_ENOUGH
from tests.integration.over_http.asking import (
    ASYNC,
    Web,
    new_bet_body,
    new_event_body,
    problem,
    unique,
)
from tests.integration.over_http.documented import Json
from tests.integration.over_http.story import Story
from tests.integration.over_http.wrong_values import ID
from tests.integration.system import eventually


@pytest.fixture
def meanwhile() -> Iterator[Callable[..., "Future[httpx.Response]"]]:
    """Sends a request that waits for its answer."""
    with ThreadPoolExecutor() as threads:
        yield threads.submit


def pending(response: httpx.Response, location: str, *, preferred: bool = True) -> Json:
    """It must be 202 with all that comes with it; the body."""
    assert response.status_code == 202, response.text
    assert response.headers["Location"] == location.format(**response.json())
    assert response.headers["Retry-After"] == "1"
    assert response.headers.get("Preference-Applied") == ("respond-async" if preferred else None)
    assert "ETag" not in response.headers
    body: Json = response.json()
    assert UUID(body["message_id"])
    return body


def test_an_event_that_is_not_yet_there(web: Web, story: Story) -> None:
    sent = new_event_body(type=unique())
    with story.held():
        body = pending(
            web.ask("events", "POST", "/events", json=sent, headers=ASYNC), "/events/{id}"
        )
        path = f"/events/{body['id']}"
        assert body == sent | {
            "id": body["id"],
            "score": "0-0",
            "state": "created",
            "version": 1,
            "message_id": body["message_id"],
        }
        problem(web.ask("events", "GET", path), "event-not-found")
        problem(web.ask("events", "GET", f"{path}/history"), "event-not-found")
        problem(web.patch(body["id"], state="active"), "event-not-found")
        problem(web.post_bet(body["id"], "draw"), "event-not-found")
        assert web.listed("events", "/events", type=sent["type"]) == []
    eventually(lambda: web.ask("events", "GET", path).status_code == 200)
    event = web.get_event(body["id"])
    assert event | {"message_id": body["message_id"]} == body
    assert [item["message_id"] for item in web.event_history(body["id"])] == [body["message_id"]]


def test_an_update_that_is_not_yet_made(web: Web, story: Story) -> None:
    event = web.event()
    with story.held():
        response = web.patch(event["id"], headers=ASYNC, state="active")
        body = pending(response, "/events/{id}")
        assert body == event | {
            "state": "active",
            "version": 2,
            "message_id": body["message_id"],
        }
        assert web.get_event(event["id"]) == event
        assert len(web.event_history(event["id"])) == 1
    eventually(lambda: len(web.event_history(event["id"])) == 2)
    assert web.event_history(event["id"])[1]["message_id"] == body["message_id"]
    assert web.get_event(event["id"]) == event | {"state": "active", "version": 2}


def test_a_bet_that_is_not_yet_there(web: Web, story: Story) -> None:
    event_id = web.event()["id"]
    sent = new_bet_body(event_id)
    with story.held():
        response = web.ask("bets", "POST", "/bets", json=sent, headers=ASYNC)
        body = pending(response, "/bets/{id}")
        assert body == sent | {
            "id": body["id"],
            "date_created": body["date_created"],
            "state": "none",
            "event_version": 1,
            "message_id": body["message_id"],
        }
        problem(web.get_bet(body["id"]), "bet-not-found")
        problem(web.ask("bets", "GET", f"/bets/{body['id']}/history"), "bet-not-found")
        assert web.listed("bets", "/bets", eventId=event_id) == []
        assert web.tally(event_id) == {}
    eventually(lambda: web.get_bet(body["id"]).status_code == 200)
    assert web.get_bet(body["id"]).json() | {"message_id": body["message_id"]} == body


def test_a_bet_that_is_not_yet_given_away(web: Web, story: Story) -> None:
    bet = web.bet(web.event()["id"], "draw", user="ann")
    path = f"/bets/{bet['id']}"
    with story.held():
        response = web.ask("bets", "PATCH", path, json={"userId": "bob"}, headers=ASYNC)
        body = pending(response, "/bets/{id}")
        assert body == bet | {"userId": "bob", "message_id": body["message_id"]}
        assert web.get_bet(bet["id"]).json() == bet
    eventually(lambda: web.get_bet(bet["id"]).json() == bet | {"userId": "bob"})


def test_a_bet_that_came_too_late(
    web: Web, story: Story, meanwhile: Callable[..., "Future[httpx.Response]"]
) -> None:
    """Kick-off lies before it in the log, though the tables said `created` when it was sent."""
    event_id, key = web.event()["id"], unique()
    stood = web.bet(event_id, "draw")
    before = story.length()
    with story.held():
        web.patch(event_id, headers=ASYNC, state="active")
        late = web.ask("bets", "POST", "/bets", json=new_bet_body(event_id), headers=ASYNC)
        body = pending(late, "/bets/{id}")
        problem(web.get_bet(body["id"]), "bet-not-found")
        waiting = meanwhile(web.post_bet, event_id, "draw", user="bob", key=key)
        eventually(lambda: story.length() == before + 3)
    problem(waiting.result(), "event-not-open")
    eventually(lambda: "bet-refused" in web.get_bet(body["id"]).text)
    path = f"/bets/{body['id']}"
    for response in (
        web.ask("bets", "GET", path),
        web.ask("bets", "GET", f"{path}/history"),
        web.ask("bets", "PATCH", path, json={"userId": "bob"}),
        web.ask("bets", "DELETE", path),
    ):
        assert problem(response, "bet-refused")["reason"] == "event-not-open"
    problem(web.post_bet(event_id, "draw", user="bob", key=key), "event-not-open")
    assert [bet["id"] for bet in web.listed("bets", "/bets", eventId=event_id)] == [stood["id"]]


@pytest.mark.parametrize(
    ("headers", "code"), [({}, "event-conflict"), ({"If-Match": '"1"'}, "version-mismatch")]
)
def test_of_two_updates_at_once_the_first_wins(
    web: Web,
    story: Story,
    meanwhile: Callable[..., "Future[httpx.Response]"],
    headers: dict[str, str],
    code: str,
) -> None:
    event = web.event()
    before = story.length()
    with story.held():
        pending(web.patch(event["id"], headers=ASYNC, type="tennis"), "/events/{id}")
        second = meanwhile(web.patch, event["id"], headers=headers, team_1="Chile")
        eventually(lambda: story.length() == before + 2)
        same = meanwhile(web.patch, event["id"], headers=headers, type="tennis")
        eventually(lambda: story.length() == before + 3)
    problem(second.result(), code)
    won = event | {"type": "tennis", "version": 2}
    assert (same.result().status_code, same.result().json()) == (200, won)
    assert web.get_event(event["id"]) == won
    assert len(web.event_history(event["id"])) == 2


def test_the_quick_checks_come_before_202(web: Web, story: Story) -> None:
    event, open_event = web.event(), web.event()
    bet = web.bet(event["id"], "draw")
    event = web.update(event["id"], state="active")
    stale = ASYNC | {"If-Match": '"77"'}
    before = story.length()
    problem(web.ask("events", "POST", "/events", json={}, headers=ASYNC), "validation-error")
    problem(web.patch(ID, headers=ASYNC, state="active"), "event-not-found")
    problem(web.patch(open_event["id"], headers=stale, state="active"), "version-mismatch")
    problem(web.patch(event["id"], headers=ASYNC, state="created"), "illegal-transition")
    body = new_bet_body(event["id"])
    problem(web.ask("bets", "POST", "/bets", json=body, headers=ASYNC), "event-not-open")
    body = new_bet_body(ID)
    problem(web.ask("bets", "POST", "/bets", json=body, headers=ASYNC), "event-not-found")
    path, body = f"/bets/{bet['id']}", {"userId": "bob"}
    problem(web.ask("bets", "PATCH", path, json=body, headers=ASYNC), "event-not-open")
    unchanged = web.patch(event["id"], headers=ASYNC, state="active")
    assert (unchanged.status_code, unchanged.json()) == (200, event)
    assert "Preference-Applied" not in unchanged.headers
    assert story.length() == before


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("respond-async", True),
        ("Respond-Async", True),
        ("wait=5, respond-async", True),
        ("respond-async, wait=5", True),
        ("return=minimal,respond-async;x=y", True),
        ("wait=5", False),
        ("respond-asynchronously", False),
        ("", False),
    ],
)
def test_ways_to_prefer_not_to_wait(web: Web, prefer: str, applied: bool) -> None:
    response = web.ask(
        "events", "POST", "/events", json=new_event_body(), headers={"Prefer": prefer}
    )
    assert response.status_code == (202 if applied else 201)
    assert ("Preference-Applied" in response.headers) == applied


def test_nobody_withdraws_a_bet_while_a_kick_off_may_wait_unread(web: Web, story: Story) -> None:
    bet = web.bet(web.event()["id"], "draw")
    with story.held():
        eventually(lambda: story.caught_up_ago() > FRESH_ENOUGH + timedelta(seconds=0.1))
        response = web.ask("bets", "DELETE", f"/bets/{bet['id']}")
    problem(response, "unavailable")
    assert web.get_bet(bet["id"]).json() == bet


# A server that waits for nothing


def test_without_a_wait_every_request_is_undecided(hasty_web: Web) -> None:
    web = hasty_web
    key = unique()
    event = pending(web.post_event(key=key), "/events/{id}", preferred=False)
    path = f"/events/{event['id']}"
    eventually(lambda: web.ask("events", "GET", path).status_code == 200)
    assert web.post_event(key=key).status_code == 201

    bet = pending(web.post_bet(event["id"], "draw"), "/bets/{id}", preferred=False)
    eventually(lambda: web.get_bet(bet["id"]).status_code == 200)

    given = web.ask("bets", "PATCH", f"/bets/{bet['id']}", json={"userId": "bob"})
    pending(given, "/bets/{id}", preferred=False)
    eventually(lambda: web.get_bet(bet["id"]).json()["userId"] == "bob")

    changed = pending(web.patch(event["id"], state="active"), "/events/{id}", preferred=False)
    web.becomes(event["id"], draw={"winning": 1})
    assert web.event_history(event["id"])[1]["message_id"] == changed["message_id"]


def test_without_a_wait_the_preference_is_still_echoed(hasty_web: Web) -> None:
    body = new_event_body()
    pending(hasty_web.ask("events", "POST", "/events", json=body, headers=ASYNC), "/events/{id}")
