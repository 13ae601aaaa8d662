"""An event from its creation to its deletion, when every request is right."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.integration.over_http.asking import Web, problem, unique
from tests.integration.over_http.story import Story
from tests.integration.over_http.wrong_values import ID

STATES = ["created", "active", "finished"]
FIELDS = ["id", "type", "team_1", "team_2", "event_date", "score", "state", "version"]


def test_an_event_is_created(web: Web) -> None:
    response = web.post_event(team_1="Argentina", team_2="France", type="football")
    event = response.json()
    assert response.status_code == 201
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Location"] == f"/events/{event['id']}"
    assert response.headers["ETag"] == '"1"'
    assert list(event) == FIELDS
    assert UUID(event["id"]).version == 7
    assert event == {
        "id": event["id"],
        "type": "football",
        "team_1": "Argentina",
        "team_2": "France",
        "event_date": "2022-12-18T15:00:00Z",
        "score": "0-0",
        "state": "created",
        "version": 1,
    }
    got = web.ask("events", "GET", response.headers["Location"])
    assert got.json() == event
    assert got.headers["ETag"] == '"1"'


def test_a_match_from_kick_off_to_the_end(web: Web) -> None:
    event = web.event()
    changes: list[dict[str, Any]] = [
        {"type": "soccer"},
        {"team_1": "Les Bleus", "team_2": "La Albiceleste"},
        {"event_date": "2022-12-18T16:00:00+01:00", "type": "football"},
        {"event_date": "2022-12-18T18:00:00Z"},
        {"state": "active"},
        {"score": "0-1"},
        {"score": "0-0"},
        {"score": "999-999"},
        {"state": "finished", "score": "3-3"},
    ]
    for version, change in enumerate(changes, start=2):
        response = web.patch(event["id"], **change)
        if "event_date" in change:
            change["event_date"] = response.json()["event_date"]
        event = event | change | {"version": version}
        assert response.status_code == 200
        assert response.json() == event
        assert list(response.json()) == FIELDS
        assert response.headers["ETag"] == f'"{version}"'
        assert "Location" not in response.headers
        assert web.get_event(event["id"]) == event


def test_the_history_of_an_event(web: Web) -> None:
    started = datetime.now(UTC)
    event = web.event()
    for change in ({"type": "soccer"}, {"state": "active"}, {"score": "1-0"}):
        web.update(event["id"], **change)
    web.update(event["id"], state="finished", score="2-0")
    items = web.event_history(event["id"])
    assert [list(item) for item in items] == [["version", "state", "score", "at", "message_id"]] * 5
    assert [(item["version"], item["state"], item["score"]) for item in items] == [
        (1, "created", "0-0"),
        (2, "created", "0-0"),
        (3, "active", "0-0"),
        (4, "active", "1-0"),
        (5, "finished", "2-0"),
    ]
    assert len({UUID(item["message_id"]) for item in items}) == 5
    times = [datetime.fromisoformat(item["at"]) for item in items]
    assert all(item["at"].endswith("Z") for item in items)
    in_between = [started, *times, datetime.now(UTC)]
    assert in_between == sorted(in_between)


@pytest.mark.parametrize("state", STATES)
def test_what_changes_nothing_is_answered_with_the_event(
    web: Web, story: Story, state: str
) -> None:
    """In every state, whatever version the client expects, and nothing is published."""
    event = web.event()
    for step in STATES[1 : STATES.index(state) + 1]:
        event = web.update(event["id"], state=step)
    before = story.length()
    everything = {name: event[name] for name in FIELDS if name not in {"id", "version"}}
    for headers in ({}, {"If-Match": f'"{event["version"]}"'}, {"If-Match": '"77"'}):
        for same in (everything, *({name: value} for name, value in everything.items())):
            response = web.patch(event["id"], headers=headers, **same)
            assert response.status_code == 200
            assert response.json() == event
            assert response.headers["ETag"] == f'"{event["version"]}"'
    same_time = web.patch(event["id"], event_date="2022-12-18T18:00:00+03:00")
    assert same_time.json() == event
    assert story.length() == before
    assert len(web.event_history(event["id"])) == event["version"]


def test_an_event_without_bets_is_deleted_for_good(web: Web) -> None:
    event = web.event()
    path = f"/events/{event['id']}"
    bet = web.bet(event["id"], "draw")
    refused = web.ask("events", "DELETE", path)
    assert problem(refused, "event-has-bets")["bets"] == 1
    web.bet(event["id"], "draw")
    assert problem(web.ask("events", "DELETE", path), "event-has-bets")["bets"] == 2
    assert web.get_event(event["id"]) == event
    assert web.get_bet(bet["id"]).json() == bet


@pytest.mark.parametrize("state", STATES)
def test_an_event_is_deleted_in_any_state(web: Web, state: str) -> None:
    event = web.event(type=unique())
    for step in STATES[1 : STATES.index(state) + 1]:
        web.update(event["id"], state=step)
    path = f"/events/{event['id']}"
    deleted = web.ask("events", "DELETE", path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    for response in _everything_about(web, event["id"]):
        problem(response, "event-not-found")
    assert web.listed("events", "/events", type=event["type"]) == []


def _everything_about(web: Web, event_id: str) -> list[httpx.Response]:
    path = f"/events/{event_id}"
    return [
        web.ask("events", "GET", path),
        web.ask("events", "GET", f"{path}/history"),
        web.ask("events", "DELETE", path),
        web.patch(event_id, state="active"),
        web.post_bet(event_id, "draw"),
        web.ask("bets", "GET", f"{path}/tally"),
    ]


def test_an_unknown_event(web: Web, story: Story) -> None:
    before = story.length()
    for response in _everything_about(web, ID):
        problem(response, "event-not-found")
    assert story.length() == before
