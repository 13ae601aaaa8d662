"""What must be true of every running Touchline, whatever carries its messages.

A subclass gives a fixture `system`. All events are the test's own; nothing else is assumed.
"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from typing import Any

import httpx
import pytest

from tests.integration.system import UNDECIDED, Client, System, decided, eventually, left_open

THREADS = 16

MOST_LEFT_OPEN = 2 * THREADS
"""All that is under way at two moments."""

MARKETS = ("team_1", "draw", "team_2")


class MatchContract:
    """A match from its creation to its end, and the races on the way."""

    @pytest.fixture(autouse=True)
    @staticmethod
    def little_is_left_open() -> Iterator[None]:
        """Nothing breaks here: only a machine that stood still is an excuse."""
        before = len(left_open)
        yield
        assert len(left_open) - before <= MOST_LEFT_OPEN, left_open[before:]

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
            late = decided(partial(client.post_bet, event, "draw"))
            assert (late.status_code, late.json()["type"]) == (409, "/problems/event-not-open")
        system.verify()

    def test_start_race(self, system: System, client: Client) -> None:
        """Each accepted bet is scored, each other one gets 409, none is stuck."""
        event = client.event()["id"]

        def place(number: int) -> httpx.Response:
            return client.post_bet(event, MARKETS[number % 3], user=f"u{number}", key="k")

        with ThreadPoolExecutor(THREADS) as pool:
            posted = [pool.submit(place, number) for number in range(300)]
            # Half-way through, while requests are under way on both sides of it.
            posted[100].result()
            client.update(event, state="active")
        first = [each.result() for each in posted]
        assert all(a.json()["state"] == "none" for a in first if a.status_code == 201)
        late = decided(partial(client.post_bet, event, "draw", user="late"))
        assert (late.status_code, late.json()["type"]) == (409, "/problems/event-not-open")
        answers = [
            decided(partial(place, number)) if answer.status_code in UNDECIDED else answer
            for number, answer in enumerate(first)
        ]
        statuses = Counter(answer.status_code for answer in answers)
        assert statuses[201]
        assert set(statuses) <= {201, 409}, statuses
        accepted = Counter(a.json()["market"] for a in answers if a.status_code == 201)
        client.becomes(
            event,
            team_1={"losing": accepted["team_1"]},
            draw={"winning": accepted["draw"]},
            team_2={"losing": accepted["team_2"]},
        )
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
        won = {(a.json()["version"], a.json()["score"]) for a in answers if a.status_code == 200}
        assert won
        left_open = [answer for answer in answers if answer.status_code in UNDECIDED]
        for number, answer in enumerate(answers, 1):
            refused = 412 if number % 2 else 409
            assert answer.status_code in {200, refused, *UNDECIDED}, answer.text
        url = f"{client.events_url}/events/{event}/history"
        history = decided(lambda: client.http.get(url)).json()["items"]
        assert [each["version"] for each in history] == list(range(1, len(history) + 1))
        there = {(each["version"], each["score"]) for each in history[2:]}
        assert won <= there
        assert len(there) <= len(won) + len(left_open)
        client.becomes(event, team_1={"winning": 1})
        system.verify()

    def test_a_hundred_equal_requests_with_one_key(self, client: Client, system: System) -> None:
        event = client.event()["id"]
        with ThreadPoolExecutor(THREADS) as pool:
            place = partial(client.post_bet, event, "draw", key="k")
            answers = list(pool.map(lambda _: decided(place), range(100)))
        assert [answer.status_code for answer in answers] == [201] * 100
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
        read = partial(decided, partial(client.http.get, f"{client.bets_url}/bets/{bet}/history"))
        items: list[dict[str, Any]] = eventually(
            lambda: found if len(found := read().json()["items"]) == 4 else None
        )
        assert [(i["event_version"], i["event_state"], i["score"], i["state"]) for i in items] == [
            (1, "created", "0-0", "none"),
            (2, "active", "0-0", "winning"),
            (3, "active", "1-0", "losing"),
            (5, "active", "2-2", "winning"),
        ]
