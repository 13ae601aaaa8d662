"""A bet from its placing to its end: states, history, tally, withdrawal."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest

from tests.integration.over_http.asking import Web, problem, unique
from tests.integration.over_http.documented import Json
from tests.integration.over_http.story import Story
from tests.integration.over_http.wrong_values import ID
from tests.integration.system import eventually

FIELDS = ["id", "date_created", "userId", "eventId", "market", "state", "event_version"]
MARKETS = ["team_1", "draw", "team_2"]
STATES = ["none", "winning", "losing", "win", "lose"]


def withdrawn(web: Web, bet_id: str) -> httpx.Response:
    """DELETE; 503 is no answer yet: the Event Writer says only once a second that it is there."""

    def answer() -> httpx.Response | None:
        response = web.ask("bets", "DELETE", f"/bets/{bet_id}")
        return None if response.status_code == 503 else response

    found = eventually(answer)
    assert found is not None
    return found


@pytest.mark.parametrize("market", MARKETS)
def test_a_bet_is_placed(web: Web, market: str) -> None:
    event_id = web.event()["id"]
    response = web.post_bet(event_id, market, user="ann")
    bet = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/bets/{bet['id']}"
    assert "ETag" not in response.headers
    assert list(bet) == FIELDS
    assert UUID(bet["id"]).version == 7
    assert bet == {
        "id": bet["id"],
        "date_created": bet["date_created"],
        "userId": "ann",
        "eventId": event_id,
        "market": market,
        "state": "none",
        "event_version": 1,
    }
    assert bet["date_created"].endswith("Z")
    age = datetime.now(UTC) - datetime.fromisoformat(bet["date_created"])
    assert timedelta(0) <= age < timedelta(minutes=2)
    assert web.ask("bets", "GET", response.headers["Location"]).json() == bet


def test_every_request_is_a_bet_of_its_own(web: Web) -> None:
    event_id = web.event()["id"]
    ids = {web.bet(event_id, "draw")["id"] for _ in range(3)}
    assert len(ids) == 3
    assert web.tally(event_id) == {"draw": {"none": 3}}


def test_bets_flip_with_the_score(web: Web) -> None:
    event_id = web.event()["id"]
    web.update(event_id, type=unique())
    bets = {market: web.bet(event_id, market) for market in MARKETS}
    assert {bet["event_version"] for bet in bets.values()} == {2}
    for change in (
        {"state": "active"},
        {"score": "1-0"},
        {"score": "2-0"},
        {"score": "1-0"},
        {"score": "1-1"},
        {"score": "1-2"},
        {"state": "finished", "score": "2-2"},
    ):
        web.update(event_id, **change)
    web.becomes(event_id, team_1={"lose": 1}, draw={"win": 1}, team_2={"lose": 1})
    assert _changes(web, bets["team_1"]) == [
        (2, "created", "0-0", "none"),
        (3, "active", "0-0", "losing"),
        (4, "active", "1-0", "winning"),
        (7, "active", "1-1", "losing"),
        (9, "finished", "2-2", "lose"),
    ]
    assert _changes(web, bets["draw"]) == [
        (2, "created", "0-0", "none"),
        (3, "active", "0-0", "winning"),
        (4, "active", "1-0", "losing"),
        (7, "active", "1-1", "winning"),
        (8, "active", "1-2", "losing"),
        (9, "finished", "2-2", "win"),
    ]
    assert _changes(web, bets["team_2"]) == [
        (2, "created", "0-0", "none"),
        (3, "active", "0-0", "losing"),
        (8, "active", "1-2", "winning"),
        (9, "finished", "2-2", "lose"),
    ]
    for bet in bets.values():
        last = web.bet_history(bet["id"])[-1]
        final = {"state": last["state"], "event_version": 9}
        assert web.get_bet(bet["id"]).json() == bet | final


def _changes(web: Web, bet: Json) -> list[tuple[int, str, str, str]]:
    history = web.bet_history(bet["id"])
    times = [item["at"] for item in history]
    assert times[0] == bet["date_created"]
    assert times == sorted(times)
    assert all(
        list(item) == ["event_version", "event_state", "score", "state", "at"] for item in history
    )
    assert history[-1]["event_version"] <= web.get_bet(bet["id"]).json()["event_version"]
    return [
        (item["event_version"], item["event_state"], item["score"], item["state"])
        for item in history
    ]


def test_a_history_never_runs_ahead_of_its_bet(web: Web) -> None:
    """Whenever one looks: the scorer and the writer may be behind the event."""
    event_id = web.event()["id"]
    bet = web.bet(event_id, "draw")
    for change in ({"state": "active"}, {"score": "1-0"}, {"score": "1-1"}, {"state": "finished"}):
        web.update(event_id, **change)
        history = web.bet_history(bet["id"])
        now = web.get_bet(bet["id"]).json()
        assert history[-1]["event_version"] <= now["event_version"]
        if history[-1]["event_version"] == now["event_version"]:
            assert history[-1]["state"] == now["state"]
    web.becomes(event_id, draw={"win": 1})
    assert [item["state"] for item in web.bet_history(bet["id"])] == [
        *("none", "winning", "losing", "winning", "win")
    ]


def test_the_tally(web: Web) -> None:
    event_id = web.event()["id"]
    path = f"/events/{event_id}/tally"
    nobody = {market: dict.fromkeys(STATES, 0) for market in MARKETS}
    assert web.get("bets", path) == {"event_version": 1, "markets": nobody}
    assert list(web.get("bets", path)["markets"]) == MARKETS
    for market, count in (("team_1", 1), ("draw", 2), ("team_2", 3)):
        for _ in range(count):
            web.bet(event_id, market)
    placed = web.get("bets", path)
    assert {market: states["none"] for market, states in placed["markets"].items()} == {
        "team_1": 1,
        "draw": 2,
        "team_2": 3,
    }
    web.update(event_id, state="active")
    web.update(event_id, score="0-1")
    web.becomes(event_id, team_1={"losing": 1}, draw={"losing": 2}, team_2={"winning": 3})
    scored = web.get("bets", path)
    assert scored["event_version"] == 3
    assert all(list(states) == STATES for states in scored["markets"].values())


def test_a_bet_is_given_to_another_user(web: Web, story: Story) -> None:
    event_id = web.event()["id"]
    bet = web.bet(event_id, "draw", user="ann")
    before = story.length()
    response = web.ask("bets", "PATCH", f"/bets/{bet['id']}", json={"userId": "bob"})
    assert response.status_code == 200
    assert response.json() == bet | {"userId": "bob"}
    assert story.length() == before + 1
    assert web.get_bet(bet["id"]).json() == bet | {"userId": "bob"}
    again = web.ask("bets", "PATCH", f"/bets/{bet['id']}", json={"userId": "bob"})
    assert (again.status_code, again.json()) == (200, bet | {"userId": "bob"})
    assert story.length() == before + 1
    web.update(event_id, state="active")
    refused = web.ask("bets", "PATCH", f"/bets/{bet['id']}", json={"userId": "cid"})
    problem(refused, "event-not-open")


@pytest.mark.parametrize("steps", [["active"], ["active", "finished"]])
def test_after_kick_off_bets_stand(web: Web, story: Story, steps: list[str]) -> None:
    event_id = web.event()["id"]
    bet = web.bet(event_id, "team_1")
    for step in steps:
        web.update(event_id, state=step)
    before = story.length()
    problem(web.post_bet(event_id, "team_1"), "event-not-open")
    problem(withdrawn(web, bet["id"]), "event-not-open")
    assert story.length() == before
    assert len(web.listed("bets", "/bets", eventId=event_id)) == 1


def test_a_bet_is_withdrawn_for_good(web: Web) -> None:
    event_id = web.event()["id"]
    bet, other = web.bet(event_id, "draw"), web.bet(event_id, "draw")
    response = withdrawn(web, bet["id"])
    assert (response.status_code, response.content) == (204, b"")
    path = f"/bets/{bet['id']}"
    problem(web.get_bet(bet["id"]), "bet-not-found")
    problem(web.ask("bets", "GET", f"{path}/history"), "bet-not-found")
    problem(web.ask("bets", "PATCH", path, json={"userId": "bob"}), "bet-not-found")
    problem(withdrawn(web, bet["id"]), "bet-not-found")
    assert web.listed("bets", "/bets", eventId=event_id) == [other]
    assert web.tally(event_id) == {"draw": {"none": 1}}


def test_an_unknown_event_takes_no_bet(web: Web, story: Story) -> None:
    before = story.length()
    problem(web.post_bet(ID, "draw"), "event-not-found")
    assert story.length() == before
