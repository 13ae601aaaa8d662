"""Idempotency-Key: a request that is sent again is answered as the first one was."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx
import pytest

from domain.bets import Market, Placement
from domain.identity import bet_id_of_key, event_id_of_key
from domain.messages import BetPlaced
from tests.integration.over_http.asking import (
    ASYNC,
    Web,
    invalid,
    new_bet_body,
    new_event_body,
    problem,
    unique,
)
from tests.integration.over_http.story import Story
from tests.integration.over_http.test_bets import withdrawn
from tests.integration.system import eventually

WRONG_KEYS = [
    *(b"", b'""', b"a b", b'"a b"', b"a\tb", b"\xe9", b"a\xa0", b"\xa0a", b"\x85", b"\xff"),
    *("\u0663".encode(), b"x" * 256, b'"%s"' % (b"x" * 256), b"\xc3\xa9"),
]
RIGHT_KEYS = ["x", "x" * 255, "!~", "a,b;c=d", "'", "0", "null", '"unfinished', 'mid"dle', "\\"]


def post(web: Web, api: str, key: str | bytes, body: object) -> httpx.Response:
    return web.ask(api, "POST", f"/{api}", json=body, headers={"Idempotency-Key": key})


# Keys


def test_wrong_keys(web: Web, story: Story) -> None:
    event_id = web.event()["id"]
    before = story.length()
    for key in WRONG_KEYS:
        for api, body in (("events", new_event_body()), ("bets", new_bet_body(event_id))):
            invalid(post(web, api, key, body), "header", "Idempotency-Key")
    assert story.length() == before


@pytest.mark.parametrize("api", ["events", "bets"])
def test_two_keys_are_none(web: Web, api: str) -> None:
    body = new_event_body() if api == "events" else new_bet_body(web.event()["id"])
    twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "a")]
    url = web.events_url if api == "events" else web.bets_url
    invalid(web.http.post(f"{url}/{api}", json=body, headers=twice), "header", "Idempotency-Key")


def test_right_keys(web: Web) -> None:
    event_id = web.event()["id"]
    for key in RIGHT_KEYS:
        first = post(web, "bets", key, new_bet_body(event_id))
        assert first.status_code == 201
        assert UUID(first.json()["id"]).version == 5
        assert post(web, "bets", key, new_bet_body(event_id)).json() == first.json()
    assert len(web.listed("bets", "/bets", eventId=event_id)) == len(RIGHT_KEYS)


def test_a_quoted_string_is_its_content(web: Web) -> None:
    event_id = web.event()["id"]
    for spelt, plain in (('"abc"', "abc"), (r'"a\"b\\c"', 'a"b\\c'), ('"x', '"\\"x"')):
        first = post(web, "bets", spelt, new_bet_body(event_id)).json()
        assert post(web, "bets", plain, new_bet_body(event_id)).json() == first
    assert len(web.listed("bets", "/bets", eventId=event_id)) == 3


# Bets


def test_the_same_bet_again(web: Web, story: Story) -> None:
    event_id, key = web.event()["id"], unique()
    first = post(web, "bets", key, new_bet_body(event_id))
    length = story.length()
    for _ in range(2):
        again = post(web, "bets", key, new_bet_body(event_id))
        assert (again.status_code, again.json()) == (201, first.json())
        assert again.headers["Location"] == first.headers["Location"]
    assert story.length() == length


def test_another_user_event_or_key_is_another_bet(web: Web) -> None:
    one, other, key = web.event()["id"], web.event()["id"], unique()
    ids = {
        post(web, "bets", sent, new_bet_body(event_id, userId=user)).json()["id"]
        for event_id in (one, other)
        for user in ("ann", "Ann")
        for sent in (key, key.upper() + "X")
    }
    assert len(ids) == 8


def test_another_market_under_the_key(web: Web, story: Story) -> None:
    event_id, key = web.event()["id"], unique()
    bet = post(web, "bets", key, new_bet_body(event_id)).json()
    length = story.length()
    for market in ("team_1", "team_2"):
        reused = post(web, "bets", key, new_bet_body(event_id, market=market))
        problem(reused, "idempotency-key-reused")
    assert story.length() == length
    assert web.get_bet(bet["id"]).json() == bet


def test_after_kick_off_the_bet_as_it_is_by_then(web: Web) -> None:
    event_id, key = web.event()["id"], unique()
    bet = post(web, "bets", key, new_bet_body(event_id)).json()
    web.update(event_id, state="active")
    web.becomes(event_id, draw={"winning": 1})
    again = post(web, "bets", key, new_bet_body(event_id))
    assert again.status_code == 201
    assert again.json() == bet | {"state": "winning", "event_version": 2}
    other_market = post(web, "bets", key, new_bet_body(event_id, market="team_1"))
    problem(other_market, "idempotency-key-reused")
    problem(post(web, "bets", unique(), new_bet_body(event_id)), "event-not-open")


def test_a_bet_given_away_keeps_its_key(web: Web) -> None:
    event_id, key = web.event()["id"], unique()
    bet = post(web, "bets", key, new_bet_body(event_id, userId="ann")).json()
    web.ask("bets", "PATCH", f"/bets/{bet['id']}", json={"userId": "bob"})
    again = post(web, "bets", key, new_bet_body(event_id, userId="ann"))
    assert (again.status_code, again.json()) == (201, bet | {"userId": "bob"})


def test_a_deleted_bet_does_not_come_back(web: Web, story: Story) -> None:
    event_id, key = web.event()["id"], unique()
    bet = post(web, "bets", key, new_bet_body(event_id)).json()
    assert withdrawn(web, bet["id"]).status_code == 204
    length = story.length()
    problem(post(web, "bets", key, new_bet_body(event_id)), "bet-deleted")
    problem(post(web, "bets", key, new_bet_body(event_id, market="team_1")), "bet-deleted")
    web.update(event_id, state="active")
    problem(post(web, "bets", key, new_bet_body(event_id)), "bet-deleted")
    assert story.length() == length + 1
    assert web.listed("bets", "/bets", eventId=event_id) == []


def test_a_refused_bet_stays_refused(web: Web, story: Story) -> None:
    """It was placed before its event was there; now it could be."""
    event_key, key = unique(), unique()
    event_id = event_id_of_key(event_key)
    bet_id = bet_id_of_key(user_id="bob", event_id=event_id, key=key)
    now = datetime.now(UTC)
    placement = Placement(
        id=bet_id, date_created=now, user_id="bob", event_id=event_id, market=Market.DRAW
    )
    story.append(BetPlaced(id=uuid4(), time=now, placement=placement))
    eventually(lambda: "bet-refused" in web.get_bet(str(bet_id)).text)
    assert post(web, "events", event_key, new_event_body()).json()["id"] == str(event_id)
    length = story.length()
    problem(post(web, "bets", key, new_bet_body(str(event_id))), "event-not-found")
    assert story.length() == length
    assert post(web, "bets", unique(), new_bet_body(str(event_id))).status_code == 201


def test_again_before_the_first_is_decided(web: Web, story: Story) -> None:
    event_id, key = web.event()["id"], unique()
    headers = {"Idempotency-Key": key} | ASYNC
    with story.held():
        undecided = [
            web.ask("bets", "POST", "/bets", json=new_bet_body(event_id), headers=headers)
            for _ in range(2)
        ]
        reused = web.ask(
            "bets", "POST", "/bets", json=new_bet_body(event_id, market="team_1"), headers=headers
        )
    assert {response.status_code for response in (*undecided, reused)} == {202}
    assert len({response.headers["Location"] for response in (*undecided, reused)}) == 1
    bet = post(web, "bets", key, new_bet_body(event_id)).json()
    assert bet["market"] == "draw"
    problem(
        post(web, "bets", key, new_bet_body(event_id, market="team_1")), "idempotency-key-reused"
    )
    assert web.listed("bets", "/bets", eventId=event_id) == [bet]


# Events


def test_the_same_event_again(web: Web, story: Story) -> None:
    key, body = unique(), new_event_body()
    first = post(web, "events", key, body)
    event = first.json()
    assert first.status_code == 201
    assert UUID(event["id"]).version == 5
    length = story.length()
    same_time = {"event_date": "2022-12-18T18:00:00+03:00"}
    for again in (body, body | {"score": "0-0", "state": "created"}, body | same_time):
        response = post(web, "events", f'"{key}"', again)
        assert (response.status_code, response.json()) == (201, event)
        assert response.headers["Location"] == first.headers["Location"]
        assert response.headers["ETag"] == '"1"'
    assert story.length() == length
    assert post(web, "events", unique(), body).json()["id"] != event["id"]


def test_the_event_as_it_is_by_then(web: Web) -> None:
    key = unique()
    event = post(web, "events", key, new_event_body()).json()
    web.update(event["id"], type="soccer")
    event = web.update(event["id"], state="active")
    response = post(web, "events", key, new_event_body())
    assert (response.status_code, response.json()) == (201, event)
    assert response.headers["ETag"] == '"3"'
    problem(post(web, "events", key, new_event_body(type="soccer")), "idempotency-key-reused")


@pytest.mark.parametrize(
    "change",
    [
        {"type": "soccer"},
        {"team_1": "Chile"},
        {"team_1": "ARGENTINA"},
        {"team_1": "France", "team_2": "Argentina"},
        {"event_date": "2022-12-18T15:00:00.000001Z"},
    ],
)
def test_another_event_under_the_key(web: Web, story: Story, change: dict[str, str]) -> None:
    key = unique()
    event = post(web, "events", key, new_event_body()).json()
    length = story.length()
    problem(post(web, "events", key, new_event_body(**change)), "idempotency-key-reused")
    assert story.length() == length
    assert web.get_event(event["id"]) == event


def test_a_deleted_event_does_not_come_back(web: Web, story: Story) -> None:
    key = unique()
    event = post(web, "events", key, new_event_body()).json()
    assert web.ask("events", "DELETE", f"/events/{event['id']}").status_code == 204
    length = story.length()
    problem(post(web, "events", key, new_event_body()), "event-deleted")
    assert story.length() == length
