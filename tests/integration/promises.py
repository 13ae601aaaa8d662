"""What clients were promised while things broke, held against what is there afterwards.

The oracle below knows the rules by itself: it shares no code with Touchline.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any
from uuid import uuid4

import httpx

from tests.integration.system import Client, System, eventually

MARKETS = ("team_1", "draw", "team_2")
SCORES = ("1-0", "1-1", "0-1", "2-1", "2-2")

NO_ANSWER = 0

IN_TIME = 3.0
"""Seconds within which a 503 was promised."""

OVERHEAD = 0.5
"""Seconds that a client at work beside all others on a small machine may take for itself."""


def expected_state(market: str, state: str, score: str) -> str:
    """How a bet must stand."""
    if state == "created":
        return "none"
    home, away = map(int, score.split("-"))
    leads = {"team_1": home > away, "draw": home == away, "team_2": home < away}[market]
    words = {"active": ("losing", "winning"), "finished": ("lose", "win")}
    return words[state][leads]


@dataclass
class Promises:
    """Requests that go on through every fault, and the answers that were given."""

    client: Client
    bets: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Every bet that was answered with 201, by id."""
    versions: dict[str, int] = field(default_factory=dict)
    """The highest version of each event that was answered with 2xx."""
    answers: dict[int, int] = field(default_factory=dict)
    """How many answers had which status, or NO_ANSWER."""
    slowest_refusal: float = 0.0
    """Seconds until the slowest 503."""

    @contextmanager
    def kept_busy(self) -> Iterator[None]:
        """Clients at work meanwhile: each plays matches of its own, one after the other."""
        stop = threading.Event()
        players = [threading.Thread(target=self._play, args=(stop,)) for _ in range(3)]
        for player in players:
            player.start()
        try:
            yield
        finally:
            stop.set()
            for player in players:
                player.join()

    def after(self, more: int) -> None:
        """Wait until clients were promised this many more bets."""
        wanted = len(self.bets) + more
        eventually(lambda: len(self.bets) >= wanted or None)

    def after_refusals(self, more: int) -> None:
        """Wait until clients were told this many more times to come again."""
        wanted = self.answers.get(503, 0) + more
        eventually(lambda: self.answers.get(503, 0) >= wanted or None)

    def check_answers(self) -> None:
        """Nobody was left without an answer, or had to wait for being refused. For faults in which
        the servers live."""
        assert NO_ANSWER not in self.answers, self.answers
        assert self.slowest_refusal < IN_TIME + OVERHEAD

    def check(self, system: System) -> None:
        """Everything that was answered with 2xx is there, and right."""
        system.verify()
        assert self.bets
        assert not {status for status in self.answers if status >= 500} - {503}, self.answers
        events = {
            event: self._get(f"{self.client.events_url}/events/{event}") for event in self.versions
        }
        for event_id, version in self.versions.items():
            assert events[event_id]["version"] >= version
        for bet_id, promised in self.bets.items():
            bet = self._get(f"{self.client.bets_url}/bets/{bet_id}")
            event = events[bet["eventId"]]
            assert (bet["userId"], bet["market"]) == (promised["userId"], promised["market"])
            assert bet["state"] == expected_state(bet["market"], event["state"], event["score"])

    def _get(self, url: str) -> dict[str, Any]:
        response = self.client.http.get(url)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    def _play(self, stop: threading.Event) -> None:
        with httpx.Client(timeout=10) as http:
            while not stop.is_set():
                self._play_match(http, stop)

    def _play_match(self, http: httpx.Client, stop: threading.Event) -> None:
        body = {
            "type": "football",
            "team_1": "Milan",
            "team_2": "Liverpool",
            "event_date": "2005-05-25T18:45:00Z",
        }
        event = self._ask(http, stop, "POST", f"{self.client.events_url}/events", body)
        if event is None:
            return
        for market, _ in zip(cycle(MARKETS), range(12), strict=False):
            wager = {"userId": f"user-{uuid4()}", "eventId": event["id"], "market": market}
            self._ask(http, stop, "POST", f"{self.client.bets_url}/bets", wager)
        changes = [{"state": "active"}, *({"score": score} for score in SCORES)]
        for change in [*changes, {"state": "finished", "score": "3-2"}]:
            url = f"{self.client.events_url}/events/{event['id']}"
            self._ask(http, stop, "PATCH", url, change)

    def _ask(
        self, http: httpx.Client, stop: threading.Event, method: str, url: str, body: object
    ) -> dict[str, Any] | None:
        """Ask until it is decided; POSTs with a key, so that a retry is harmless."""
        headers = {"Idempotency-Key": str(uuid4())} if method == "POST" else {}
        while True:
            try:
                response = http.request(method, url, json=body, headers=headers)
                status = response.status_code
            except httpx.TransportError:
                status = NO_ANSWER
            self.answers[status] = self.answers.get(status, 0) + 1
            if status == 503:
                took = response.elapsed.total_seconds()
                self.slowest_refusal = max(self.slowest_refusal, took)
            if status in {200, 201}:
                found: dict[str, Any] = response.json()
                self._remember(found)
                return found
            if status not in {NO_ANSWER, 202, 503} or stop.is_set():
                return None
            stop.wait(0.1)

    def _remember(self, found: dict[str, Any]) -> None:
        if "market" in found:
            self.bets[found["id"]] = found
        else:
            self.versions[found["id"]] = max(self.versions.get(found["id"], 0), found["version"])
