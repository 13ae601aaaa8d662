"""Both servers as the demo's patient client sees them: it retries, waits and never asks twice.

Everything that is sent may be sent again: placing carries an Idempotency-Key, and an update that
changes nothing changes nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from domain.bets import BetState, Market
from domain.errors import TouchlineError
from entrypoints.credentials import Credentials, no_headers

LONGEST_DELAY = 2.0
"""Seconds between two tries, where the server names none."""
AGAIN = {httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.TOO_MANY_REQUESTS}
"""Answers after which the same may be asked again."""

PAGE = 500
LONGEST_DETAIL = 200

Json = dict[str, Any]
Sleep = Callable[[float], Awaitable[None]]


class DemoFailed(TouchlineError):
    """The demo can't go on; the text says why, and what would help."""


class Refused(DemoFailed):
    """A server understood the request and refused it. `code` is the API's name of why."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many bets of an event stand how."""

    event_version: int
    counts: Mapping[tuple[Market, BetState], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingBet:
    id: str
    market: Market
    state: BetState


@dataclass(frozen=True, slots=True, kw_only=True)
class BetStep:
    """One change of a bet's state, and the event's version that caused it."""

    event_version: int
    score: str
    state: BetState


class Servers:
    """The events API and the bets API. Every call raises DemoFailed once `patience` seconds of
    retries are over, and Refused for an answer that no retry would change. Retries begin after
    `delay` seconds, or those of Retry-After, and slow down."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        events_url: str,
        bets_url: str,
        patience: float,
        delay: float = 0.1,
        credentials: Credentials = no_headers,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._http = http
        self._events_url = _checked_url(events_url)
        self._bets_url = _checked_url(bets_url)
        self._patience = patience
        self._delay = delay
        self._credentials = credentials
        self._sleep = sleep

    async def greet(self, *, patience: float) -> None:
        """Return once both servers are ready."""
        for url in (self._events_url, self._bets_url):
            await self._get(f"{url}/readyz", patience=patience)

    async def create_event(self, event: Mapping[str, str], *, key: str) -> str:
        """The new event's id."""
        url = f"{self._events_url}/events"
        made = await self._ask("POST", url, event, key=key)
        return str(made["id"])

    async def update_event(self, event_id: str, changes: Mapping[str, str]) -> int:
        """The version that the event then has."""
        url = f"{self._events_url}/events/{event_id}"
        event = await self._ask("PATCH", url, changes)
        if any(event[name] != value for name, value in changes.items()):
            raise DemoFailed(f"somebody else changed the event: it is {event}")
        return int(event["version"])

    async def place_bet(self, event_id: str, user_id: str, market: Market, *, key: str) -> str:
        """The new bet's id."""
        body = {"userId": user_id, "eventId": event_id, "market": market.value}
        bet = await self._ask("POST", f"{self._bets_url}/bets", body, key=key, user=user_id)
        return str(bet["id"])

    async def tally(self, event_id: str, *, patience: float = 0) -> Tally:
        """How the event's bets stand now."""
        url = f"{self._bets_url}/events/{event_id}/tally"
        found = await self._get(url, patience=patience)
        counts = {
            (market, state): int(found["markets"][market][state])
            for market in Market
            for state in BetState
        }
        return Tally(event_version=int(found["event_version"]), counts=counts)

    async def bets(self, event_id: str) -> Sequence[StandingBet]:
        """Every bet on the event."""
        bets: list[StandingBet] = []
        query = {"eventId": event_id, "limit": str(PAGE)}
        while True:
            page = await self._get(f"{self._bets_url}/bets", params=query)
            bets += [
                StandingBet(id=b["id"], market=Market(b["market"]), state=BetState(b["state"]))
                for b in page["items"]
            ]
            if page["next"] is None:
                return bets
            query["cursor"] = page["next"]

    async def bet_steps(self, bet_id: str) -> Sequence[BetStep]:
        """A bet's way, oldest first."""
        found = await self._get(f"{self._bets_url}/bets/{bet_id}/history")
        return [
            BetStep(
                event_version=item["event_version"],
                score=item["score"],
                state=BetState(item["state"]),
            )
            for item in found["items"]
        ]

    async def _ask(
        self,
        method: str,
        url: str,
        body: Mapping[str, str],
        *,
        key: str | None = None,
        user: str | None = None,
    ) -> Json:
        """What became of a creating or updating request, of a player or the operator, once it is
        decided."""
        headers = {} if key is None else {"Idempotency-Key": key}
        headers |= self._credentials(user)
        answer = _accepted(await self._call(method, url, json=body, headers=headers))
        asked = _json(answer)
        if answer.status_code != httpx.codes.ACCEPTED:
            return asked
        location = str(answer.url.join(answer.headers["Location"]))
        return await self._follow(location, asked, _retry_after(answer) or self._delay)

    async def _follow(self, location: str, asked: Json, pause: float) -> Json:
        """The resource as soon as it is there, at the version asked for or beyond."""
        deadline = self._now() + self._patience
        while self._now() + pause <= deadline:
            await self._sleep(pause)
            answer = await self._call("GET", location)
            if answer.status_code == httpx.codes.NOT_FOUND:
                _check_not_refused(answer)
                continue
            found = _json(_accepted(answer))
            if found.get("version", 0) >= asked.get("version", 0):
                return found
        raise DemoFailed(f"{location} was still undecided after {self._patience:g} s")

    async def _get(self, url: str, *, patience: float | None = None, **request: Any) -> Json:
        return _json(_accepted(await self._call("GET", url, patience=patience, **request)))

    async def _call(
        self, method: str, url: str, *, patience: float | None = None, **request: Any
    ) -> httpx.Response:
        """The answer, whatever it is; the request is sent again while the server is away."""
        request.setdefault("headers", self._credentials(None))
        deadline = self._now() + (self._patience if patience is None else patience)
        delay = self._delay
        while True:
            pause = delay
            try:
                answer = await self._http.request(method, url, **request)
            except httpx.TransportError as error:
                trouble = _lost(url, error)
            else:
                if answer.status_code not in AGAIN:
                    return answer
                trouble = f"{_origin(url)} is not available: {_detail(answer)}"
                pause = _retry_after(answer) or delay
            if self._now() + pause > deadline:
                raise DemoFailed(trouble)
            await self._sleep(pause)
            delay = min(2 * delay, LONGEST_DELAY)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _accepted(answer: httpx.Response) -> httpx.Response:
    """The answer itself, unless it refuses the request."""
    if answer.is_success:
        return answer
    request = f"{answer.request.method} {answer.request.url}"
    code = str(_problem(answer).get("type", "")).removeprefix("/problems/")
    raise Refused(f"{request} was answered {answer.status_code}: {_detail(answer)}", code)


def _check_not_refused(answer: httpx.Response) -> None:
    """Tell a bet that was refused after its 202 from one that is not decided yet."""
    problem = _problem(answer)
    if problem.get("type") == "/problems/bet-refused":
        raise Refused(_detail(answer), str(problem["reason"]))


def _problem(answer: httpx.Response) -> Json:
    """The members of the problem document; none when the answer is something else."""
    is_problem = answer.headers.get("content-type", "").startswith("application/problem+json")
    return _json(answer) if is_problem else {}


def _detail(answer: httpx.Response) -> str:
    return str(_problem(answer).get("detail", answer.text[:LONGEST_DETAIL]))


def _json(answer: httpx.Response) -> Json:
    """The object in the answer's body."""
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise DemoFailed(f"{_origin(answer.url)} is no Touchline server: it answers without JSON")
    return found


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds; None when the server names none, or a date."""
    seconds = answer.headers.get("retry-after", "")
    return float(seconds) if seconds.isdecimal() else None


def _lost(url: str, error: httpx.TransportError) -> str:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return (
            f"nobody answers at {_origin(url)}: start Touchline with `make run` or `touchline up`"
        )
    return f"lost the connection to {_origin(url)} ({type(error).__name__})"


def _origin(url: str | httpx.URL) -> str:
    """Scheme, host and port."""
    return str(httpx.URL(url).copy_with(raw_path=b"/")).rstrip("/")


def _checked_url(url: str) -> str:
    """`url` without a slash at its end; DemoFailed when it is none."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise DemoFailed(f"{url!r} is no address of a server, such as http://127.0.0.1:8001")
    return url.rstrip("/")
