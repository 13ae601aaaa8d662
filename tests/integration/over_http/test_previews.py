"""What a change would do, and who has won most."""

import pytest

from tests.integration.over_http.asking import Web, invalid, problem, unique
from tests.integration.over_http.wrong_values import ID


def test_a_preview_tells_what_then_happens(web: Web) -> None:
    event = web.event()
    for market, count in (("team_1", 3), ("draw", 2), ("team_2", 1)):
        for _ in range(count):
            web.bet(event["id"], market)
    steps = [
        ({"state": "active"}, {"winning": 2, "losing": 4}),
        ({"score": "1-0"}, {"winning": 3, "losing": 2}),
        ({"score": "2-0"}, {}),
        ({"score": "2-3"}, {"winning": 1, "losing": 3}),
        ({"state": "finished", "score": "3-3"}, {"win": 2, "lose": 4}),
    ]
    for changes, flips in steps:
        found = web.get("events", f"/events/{event['id']}/preview", **changes)
        assert (found["bets"], found["flips"]) == (6, flips)
        assert web.get_event(event["id"]) == event, "it changes nothing"
        event = web.update(event["id"], **changes)
        assert found["event"] == event


def test_a_preview_of_nothing_tells_how_many_bets_stand(web: Web) -> None:
    event = web.event()
    web.bet(event["id"], "draw")
    found = web.get("events", f"/events/{event['id']}/preview")
    assert found == {"event": event, "bets": 1, "flips": {}}


def test_a_preview_refuses_what_the_change_would_meet(web: Web) -> None:
    event_id = web.event()["id"]
    path = f"/events/{event_id}/preview"
    problem(web.ask("events", "GET", path, params={"score": "1-0"}), "score-not-allowed")
    problem(web.ask("events", "GET", path, params={"state": "finished"}), "illegal-transition")
    invalid(web.ask("events", "GET", path, params={"score": "1:0"}), "query", "score")
    invalid(web.ask("events", "GET", path, params={"version": "1"}), "query", "version")
    invalid(web.ask("events", "GET", path, params={"team_2": "argentina"}), "query", "team_2")
    problem(web.ask("events", "GET", f"/events/{ID}/preview"), "event-not-found")
    web.update(event_id, state="active")
    problem(web.ask("events", "GET", path, params={"team_1": "Milan"}), "field-frozen")


def test_the_leaderboard_of_an_event(web: Web) -> None:
    event_id = web.event()["id"]
    ann, bob, cid = (f"{name} {unique()}" for name in ("ann", "bob", "cid"))
    for user, markets in {bob: ["draw"], ann: ["draw", "team_1"], cid: ["draw"]}.items():
        for market in markets:
            web.bet(event_id, market, user=user)
    web.update(event_id, state="active")
    web.becomes(event_id, draw={"winning": 3}, team_1={"losing": 1})
    found = web.get("bets", "/leaderboard", eventId=event_id)["items"]
    assert [(each["userId"], each["rank"], each["winning"]) for each in found] == [
        (ann, 1, 1),
        (bob, 1, 1),
        (cid, 1, 1),
    ]
    web.update(event_id, state="finished")
    web.becomes(event_id, draw={"win": 3}, team_1={"lose": 1})
    found = web.get("bets", "/leaderboard", eventId=event_id)["items"]
    assert found == [
        {"rank": 1, "userId": bob, "wins": 1, "losses": 0, "open": 0, "winning": 0},
        {"rank": 1, "userId": cid, "wins": 1, "losses": 0, "open": 0, "winning": 0},
        {"rank": 3, "userId": ann, "wins": 1, "losses": 1, "open": 0, "winning": 0},
    ]
    assert web.get("bets", "/leaderboard", eventId=event_id, limit=1)["items"] == found[:1]
    assert {bob, cid} <= {each["userId"] for each in web.listed("bets", "/leaderboard", limit=500)}


@pytest.mark.parametrize(
    ("query", "wrong"),
    [({"eventId": "x"}, "eventId"), ({"limit": "0"}, "limit"), ({"cursor": "x"}, "cursor")],
)
def test_a_wrong_question_for_the_leaderboard(web: Web, query: dict[str, str], wrong: str) -> None:
    invalid(web.ask("bets", "GET", "/leaderboard", params=query), "query", wrong)


def test_the_leaderboard_of_an_event_that_nobody_bets_on(web: Web) -> None:
    assert web.get("bets", "/leaderboard", eventId=ID) == {"items": []}
