"""What must be true of every running Touchline, whatever carries its messages.

A subclass gives a fixture `system`. All events are the test's own; nothing else is assumed.
"""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import pytest

from tests.integration.system import Client, System, eventually

MARKETS = ("team_1", "draw", "team_2")


class MatchContract:
    """A match from its creation to its end, and the races on the way."""

    @pytest.fixture
    def client(self, system: System) -> Client:
        return system.client

    def test_every_bet_follows_the_match(self, system: System, client: Client) -> None:
        event = client.event()["id"]
        for market, user in product(MARKETS, ("ann", "bob")):
            assert client.bet(event, market, user=user)["state"] == "none"
        assert client.tally(event) == {market: {"none": 2} for market in MARKETS}
        for change, team_1, draw, team_2 in (
            ({"state": "active"}, "losing", "winning", "losing"),
            ({"score": "1-0"}, "winning", "losing", "losing"),
            ({"score": "2-0"}, "winning", "losing", "losing"),
            ({"score": "2-2"}, "losing", "winning", "losing"),
            ({"score": "2-3"}, "losing", "losing", "winning"),
            ({"score": "2-2"}, "losing", "winning", "losing"),
            ({"state": "finished", "score": "3-2"}, "win", "lose", "lose"),
        ):
            client.update(event, **change)
            client.becomes(event, team_1={team_1: 2}, draw={draw: 2}, team_2={team_2: 2})
            late = client.post_bet(event, "draw")
            assert (late.status_code, late.json()["type"]) == (409, "/problems/event-not-open")
        system.verify()

    def test_start_race(self, system: System, client: Client) -> None:
        """Each accepted bet is scored, each other one gets 409, none is stuck."""
        event = client.event()["id"]
        with ThreadPoolExecutor(16) as pool:
            posted = [
                pool.submit(client.post_bet, event, MARKETS[number % 3], user=f"u{number}")
                for number in range(300)
            ]
            # Half-way through, while requests are under way on both sides of it.
            posted[100].result()
            client.update(event, state="active")
        answers = [each.result() for each in posted]
        statuses = Counter(answer.status_code for answer in answers)
        assert set(statuses) == {201, 409}, statuses
        accepted = Counter(a.json()["market"] for a in answers if a.status_code == 201)
        client.becomes(
            event,
            team_1={"losing": accepted["team_1"]},
            draw={"winning": accepted["draw"]},
            team_2={"losing": accepted["team_2"]},
        )
        assert all(a.json()["state"] == "none" for a in answers if a.status_code == 201)
        system.verify()

    def test_concurrent_updates(self, client: Client, system: System) -> None:
        """One wins per version, the others get 409, or 412 with If-Match."""
        event = client.event()["id"]
        client.bet(event, "team_1")
        client.update(event, state="active")
        with ThreadPoolExecutor(12) as pool:
            answers = list(
                pool.map(
                    lambda n: client.patch(
                        event,
                        score=f"{n}-0",
                        headers={"If-Match": '"2"'} if n % 2 else None,
                    ),
                    range(1, 13),
                )
            )
        won = [a.json() for a in answers if a.status_code == 200]
        assert won
        assert len({each["version"] for each in won}) == len(won)
        for number, answer in enumerate(answers, 1):
            assert answer.status_code in ({200, 412} if number % 2 else {200, 409}), answer.text
        history = client.http.get(f"{client.events_url}/events/{event}/history").json()["items"]
        assert [each["version"] for each in history] == list(range(1, len(won) + 3))
        assert {each["score"] for each in history[2:]} == {each["score"] for each in won}
        client.becomes(event, team_1={"winning": 1})
        system.verify()

    def test_a_hundred_equal_requests_with_one_key(self, client: Client, system: System) -> None:
        event = client.event()["id"]
        with ThreadPoolExecutor(16) as pool:
            posted = pool.map(lambda _: client.post_bet(event, "draw", key="k"), range(100))
            answers = [each for each in posted if each.status_code == 201]
        assert len(answers) == 100
        assert len({answer.json()["id"] for answer in answers}) == 1
        client.update(event, state="active")
        client.becomes(event, draw={"winning": 1})
        # A retry after kick-off is answered as the first was, by the bet as it now is.
        again = client.post_bet(event, "draw", key="k")
        assert (again.status_code, again.json()["state"]) == (201, "winning")
        other = client.post_bet(event, "team_1", key="k")
        assert (other.status_code, other.json()["type"]) == (
            422,
            "/problems/idempotency-key-reused",
        )
        system.verify()

    def test_histories_name_the_causes(self, client: Client) -> None:
        event = client.event()["id"]
        bet = client.bet(event, "draw")["id"]
        for change in ({"state": "active"}, {"score": "1-0"}, {"score": "2-0"}, {"score": "2-2"}):
            client.update(event, **change)
        url = f"{client.bets_url}/bets/{bet}/history"
        items: list[dict[str, Any]] = eventually(
            lambda: found if len(found := client.http.get(url).json()["items"]) == 4 else None
        )
        assert [(i["event_version"], i["event_state"], i["score"], i["state"]) for i in items] == [
            (1, "created", "0-0", "none"),
            (2, "active", "0-0", "winning"),
            (3, "active", "1-0", "losing"),
            (5, "active", "2-2", "winning"),
        ]
