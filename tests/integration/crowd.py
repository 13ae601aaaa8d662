"""Clients that ask both APIs all at once, and remember what they were told."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import httpx

from tests.integration.system import Client

POOLS = 20
"""Of connections: one looks through all that it has for each request."""

REFUSED = (409, "/problems/event-not-open")
DELETED = (409, "/problems/bet-deleted")

LIMITS = httpx.Limits(max_keepalive_connections=0)
"""Each request has a connection of its own: one that is kept may be closed, by either side, just
when it is used again."""

Json = dict[str, Any]
Job = Callable[[], Coroutine[Any, Any, None]]


@dataclass
class Wager:
    """A bet that somebody wants, and what was answered to each time it was asked for."""

    user: str
    event: str
    market: str
    key: str | None
    answers: list[tuple[int, str]] = field(default_factory=list)
    """(201, id) or (409, type); what was left open by 503 is none."""
    unknown: bool = False
    taker: str | None = None
    """Who may hold it by now: a first answer was that nobody can tell, and then it was too late."""
    deleted: bool = False

    @property
    def bet(self) -> str | None:
        """The id that was promised."""
        return next((found for status, found in self.answers if status == 201), None)


class Crowd:
    """Clients that ask all at once, each until it is told."""

    def __init__(self, client: Client) -> None:
        self.events_url, self.bets_url = client.events_url, client.bets_url
        self.wagers: list[Wager] = []
        self.twins: defaultdict[str, set[str]] = defaultdict(set)
        """The events that each key made."""
        self.moves: defaultdict[str, list[Json]] = defaultdict(list)
        """The updates of each event that were answered with 200."""
        self.statuses: Counter[int] = Counter()
        self.has_bets: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.has_kicked_off: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def ask_all(self, jobs: Sequence[Job]) -> None:
        """Begin them in this order, all at once."""
        asyncio.run(self._ask_all(jobs))

    async def _ask_all(self, jobs: Sequence[Job]) -> None:
        async with AsyncExitStack() as stack:
            made = [
                httpx.AsyncClient(timeout=60, verify=False, limits=LIMITS) for _ in range(POOLS)
            ]
            self._pools = cycle([await stack.enter_async_context(http) for http in made])
            async with asyncio.TaskGroup() as group:
                for job in jobs:
                    group.create_task(job())

    async def ask(self, method: str, url: str, **more: Any) -> httpx.Response:
        response = await next(self._pools).request(method, url, **more)
        self.statuses[response.status_code] += 1
        return response

    async def insist(self, method: str, url: str, **more: Any) -> httpx.Response:
        """Ask again what may be asked again, until it is decided."""
        response = await self.ask(method, url, **more)
        while response.status_code in {202, 503}:
            await asyncio.sleep(0.05)
            response = await self.ask(method, url, **more)
        return response

    async def place(self, wager: Wager) -> None:
        body = {"userId": wager.user, "eventId": wager.event, "market": wager.market}
        url = f"{self.bets_url}/bets"
        if wager.key is not None:
            headers = {"Idempotency-Key": wager.key}
            response = await self.insist("POST", url, json=body, headers=headers)
        else:
            response = await self.ask("POST", url, json=body)
            if response.status_code == 202:
                response = await self._outcome(response.headers["Location"])
        told = response.json()
        if response.status_code == 503:
            wager.unknown = True
        elif response.status_code in {200, 201}:
            assert (told["userId"], told["market"]) == (wager.user, wager.market)
            wager.answers.append((201, told["id"]))
            self.has_bets[wager.event].set()
        elif told["type"] == "/problems/bet-refused":
            wager.answers.append(REFUSED)
        else:
            assert response.status_code == 409, response.text
            wager.answers.append((409, told["type"]))

    async def _outcome(self, location: str) -> httpx.Response:
        while True:
            response = await self.ask("GET", self.bets_url + location)
            if response.status_code != 404 or response.json()["type"] != "/problems/bet-not-found":
                return response
            await asyncio.sleep(0.05)

    async def place_and_give_away(self, wager: Wager) -> None:
        """PATCH: the bet is another user's, if the event is still open."""
        await self.place(wager)
        if wager.bet is not None:
            url = f"{self.bets_url}/bets/{wager.bet}"
            given = f"{wager.user}-the-second"
            response = await self.ask("PATCH", url, json={"userId": given})
            if response.status_code in {202, 503}:
                wager.taker = given
                response = await self.insist("PATCH", url, json={"userId": given})
            assert response.status_code in {200, 409}, response.text
            if response.status_code == 200:
                wager.user = given

    async def place_and_withdraw(self, wager: Wager) -> None:
        """DELETE, and then the same key again: it has been deleted, or it stands."""
        await self.place(wager)
        if wager.bet is not None:
            url = f"{self.bets_url}/bets/{wager.bet}"
            response = await self.ask("DELETE", url)
            right = {204, 409}
            if response.status_code == 503:  # perhaps it was deleted, though nobody said so
                response = await self.insist("DELETE", url)
                right |= {404}
            assert response.status_code in right, response.text
            wager.deleted = response.status_code != 409
        await self.place(wager)
        first, second = wager.answers
        assert second == (DELETED if wager.deleted else first)

    async def create(self, key: str, type: str) -> None:
        body = {
            "type": type,
            "team_1": "A",
            "team_2": f"B{key}",
            "event_date": "2030-01-01T00:00:00Z",
        }
        url, headers = f"{self.events_url}/events", {"Idempotency-Key": key}
        response = await self.insist("POST", url, json=body, headers=headers)
        assert response.status_code == 201, response.text
        self.twins[key].add(response.json()["id"])

    async def move(self, event: str, change: Json) -> None:
        response = await self.insist("PATCH", f"{self.events_url}/events/{event}", json=change)
        if response.status_code == 200:
            self.moves[event].append(response.json())
        else:
            expected = {"/problems/event-conflict", "/problems/score-not-allowed"}
            assert response.json()["type"] in expected, response.text

    async def kick_off(self, event: str) -> None:
        """Once somebody has a bet on it: others come too late."""
        await self.has_bets[event].wait()
        await self.move(event, {"state": "active"})
        self.has_kicked_off[event].set()

    async def place_too_late(self, wager: Wager) -> None:
        await self.has_kicked_off[wager.event].wait()
        await self.place(wager)

    async def read(self, event: str) -> None:
        for url in (
            f"{self.events_url}/events/{event}",
            f"{self.bets_url}/events/{event}/tally",
            f"{self.bets_url}/bets?eventId={event}&limit=10",
        ):
            assert (await self.insist("GET", url)).status_code == 200
