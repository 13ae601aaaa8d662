"""Both servers in a few lines, as the contract has them, for tests of what calls them.

A test may prepare answers that come before the real ones, let requests be decided only later,
and break the scoring.
"""

import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx

from domain.bets import BetState, Market
from domain.errors import RuleBroken
from domain.evaluator import evaluate
from domain.events import Event, EventPatch, EventState, patch_event
from domain.score import Score

EVENTS_URL = "http://events.test:8001"
BETS_URL = "http://bets.test:8002"

Answer = httpx.Response | Exception
Json = dict[str, Any]


def unavailable(retry_after: str = "0") -> httpx.Response:
    return problem(503, "unavailable", headers={"Retry-After": retry_after})


def problem(
    status: int, code: str, *, headers: Mapping[str, str] | None = None, **members: object
) -> httpx.Response:
    body = {"type": f"/problems/{code}", "status": status, "detail": f"because {code}"} | members
    content_type = {"content-type": "application/problem+json"}
    return httpx.Response(
        status, content=json.dumps(body).encode(), headers=content_type | dict(headers or {})
    )


def rightly(market: Market, event: Event) -> BetState:
    return evaluate(market, event.state, event.score)


@dataclass
class StoredBet:
    id: str
    user_id: str
    market: Market
    undecided: int = 0
    """How many GETs still find nothing."""
    refused: bool = False


@dataclass
class DemoServer:
    """`prepared[route]` are answered (or raised) first; `score` is how bets are scored."""

    prepared: defaultdict[str, deque[Answer]] = field(default_factory=lambda: defaultdict(deque))
    lost: Counter[str] = field(default_factory=Counter)
    """By route, how many requests are carried out without the answer reaching the client."""
    undecided: int = 0
    """How many GETs find nothing yet, of what was answered with 202; 0: all is decided at once."""
    score: Callable[[Market, Event], BetState] = rightly
    page: int = 500
    accepts_late_bets: bool = False
    requests: list[tuple[str, Json]] = field(default_factory=list)
    """Route and body (or query) of each, in order."""
    versions: list[Event] = field(default_factory=list)
    bets: dict[str, StoredBet] = field(default_factory=dict)
    """By Idempotency-Key."""
    _unseen_updates: int = 0
    _watchers: dict[str, Callable[[], object]] = field(default_factory=dict)

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._handle)

    @property
    def event(self) -> Event:
        return self.versions[-1]

    def routes(self) -> list[str]:
        return [route for route, _ in self.requests]

    def bodies(self, route: str) -> list[Json]:
        return [body for found, body in self.requests if found == route]

    def watch(self, route: str, watcher: Callable[[], object]) -> None:
        """Call `watcher` at each request to the route, before it is answered."""
        self._watchers[route] = watcher

    def _handle(self, request: httpx.Request) -> httpx.Response:
        server = "events" if str(request.url).startswith(EVENTS_URL) else "bets"
        parts = ["ID" if _is_id(part) else part for part in request.url.path.split("/")]
        route = f"{request.method} {server}:{'/'.join(parts)}"
        body = json.loads(request.content) if request.content else dict(request.url.params)
        self.requests.append((route, body))
        self._watchers.get(route, lambda: None)()
        if self.prepared[route]:
            prepared = self.prepared[route].popleft()
            if isinstance(prepared, Exception):
                raise prepared
            return prepared
        key = request.headers.get("idempotency-key", "")
        subject = next((part for part in request.url.path.split("/") if _is_id(part)), "")
        try:
            answer = self._answer(route, body, key, subject)
        except RuleBroken as broken:
            answer = problem(409, broken.code)
        if self.lost[route]:
            self.lost[route] -= 1
            raise httpx.ReadError("connection reset")
        return answer

    def _answer(self, route: str, body: Json, key: str, subject: str) -> httpx.Response:
        match route:
            case "GET events:/readyz" | "GET bets:/readyz":
                return httpx.Response(200, json={"status": "ok"})
            case "POST events:/events":
                return self._create_event(body)
            case "PATCH events:/events/ID":
                return self._update_event(body)
            case "GET events:/events/ID":
                return self._show_event()
            case "POST bets:/bets":
                return self._place_bet(body, key)
            case "GET bets:/bets":
                return self._page(body)
            case "GET bets:/bets/ID":
                return self._show_bet(self._bet(subject))
            case "GET bets:/bets/ID/history":
                return httpx.Response(200, json={"items": self._history(self._bet(subject))})
            case "GET bets:/events/ID/tally":
                return httpx.Response(200, json=self._tally())
        return problem(404, "not-found")

    def _create_event(self, body: Json) -> httpx.Response:
        if not self.versions:
            made = {**body, "event_date": datetime.fromisoformat(body["event_date"])}
            self.versions.append(Event(id=uuid4(), **made))
            self._unseen_updates = self.undecided
        return self._written(201, _event_json(self.event), f"/events/{self.event.id}")

    def _update_event(self, body: Json) -> httpx.Response:
        patch = EventPatch(
            state=EventState(body["state"]) if "state" in body else None,
            score=Score.parse(body["score"]) if "score" in body else None,
        )
        after = patch_event(self.event, patch)
        if after is not self.event:
            self.versions.append(after)
            self._unseen_updates = self.undecided
        return self._written(200, _event_json(after), f"/events/{after.id}")

    def _show_event(self) -> httpx.Response:
        if self._unseen_updates:
            self._unseen_updates -= 1
            if len(self.versions) == 1:
                return problem(404, "event-not-found")
            return httpx.Response(200, json=_event_json(self.versions[-2]))
        return httpx.Response(200, json=_event_json(self.event))

    def _place_bet(self, body: Json, key: str) -> httpx.Response:
        if key not in self.bets:
            late = self.event.state is not EventState.CREATED
            refused = late and not self.accepts_late_bets
            if refused and not self.undecided:
                return problem(409, "event-not-open")
            self.bets[key] = StoredBet(
                str(uuid4()), body["userId"], Market(body["market"]), self.undecided, refused
            )
        bet = self.bets[key]
        return self._written(201, self._bet_json(bet), f"/bets/{bet.id}")

    def _show_bet(self, bet: StoredBet) -> httpx.Response:
        if bet.undecided:
            bet.undecided -= 1
            return problem(404, "bet-not-found")
        if bet.refused:
            return problem(404, "bet-refused", reason="event-not-open")
        return httpx.Response(200, json=self._bet_json(bet))

    def _written(self, status: int, shown: Json, location: str) -> httpx.Response:
        if self.undecided:
            headers = {"Location": location, "Retry-After": "0"}
            return httpx.Response(202, json=shown | {"message_id": str(uuid4())}, headers=headers)
        return httpx.Response(status, json=shown)

    def _page(self, query: Json) -> httpx.Response:
        first = int(query.get("cursor", 0))
        after = first + min(self.page, int(query["limit"]))
        standing = self._standing()
        items = [self._bet_json(bet) for bet in standing[first:after]]
        following = str(after) if after < len(standing) else None
        return httpx.Response(200, json={"items": items, "next": following})

    def _tally(self) -> Json:
        counts = Counter(
            (bet.market, self.score(bet.market, self.event)) for bet in self._standing()
        )
        markets = {m: {s: counts[m, s] for s in BetState} for m in Market}
        return {"event_version": self.event.version, "markets": markets}

    def _history(self, bet: StoredBet) -> list[Json]:
        items: list[Json] = []
        for event in self.versions:
            state = self.score(bet.market, event)
            if not items or items[-1]["state"] != state:
                items.append(
                    {
                        "event_version": event.version,
                        "event_state": event.state,
                        "score": str(event.score),
                        "state": state,
                        "at": datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
                    }
                )
        return items

    def _standing(self) -> list[StoredBet]:
        return [bet for bet in self.bets.values() if not bet.refused]

    def _bet(self, bet_id: str) -> StoredBet:
        return next(bet for bet in self.bets.values() if bet.id == bet_id)

    def _bet_json(self, bet: StoredBet) -> Json:
        return {
            "id": bet.id,
            "userId": bet.user_id,
            "eventId": str(self.event.id),
            "market": bet.market,
            "state": self.score(bet.market, self.event),
        }


def _event_json(event: Event) -> Json:
    return {
        "id": str(event.id),
        "type": event.type,
        "team_1": event.team_1,
        "team_2": event.team_2,
        "event_date": event.event_date.isoformat(),
        "score": str(event.score),
        "state": event.state,
        "version": event.version,
    }


def _is_id(part: str) -> bool:
    try:
        UUID(part)
    except ValueError:
        return False
    return True
