"""The load of the tests that break things: clients that play matches and note what they were told.

Most matches are left standing: nothing that comes later puts right what a fault has lost.
"""

import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import cycle, islice
from typing import Any
from uuid import uuid4

import httpx

MARKETS = ("team_1", "draw", "team_2")
SCORES = ("1-0", "1-1", "0-1", "2-1", "2-2")
BETS = 9
"""On each match, before one is withdrawn and one comes after an update."""

LATE = "late"
"""Who bets only after the kick-off."""

NO_ANSWER = 0
UNDECIDED = {NO_ANSWER, 202, 503}

THINKING = 0.02
"""Seconds between two requests of a client: the machine also has others to work for."""

PAUSE = 0.1
"""Seconds until what is undecided is asked for again."""

Body = Mapping[str, str]


class Kind(StrEnum):
    """How far a match is played. There it stands for good."""

    OPEN = "open"
    KICKED_OFF = "kicked off"
    ONE_GOAL = "one goal"
    WHOLE = "whole"


@dataclass(kw_only=True)
class MatchEvent:
    """What a client was told of an event that nobody else changes."""

    id: str
    told: list[dict[str, Any]]
    """Its 200s and 201s, in the order in which they were asked for."""
    is_deleted: bool | None = False
    """None: a deletion is undecided."""


@dataclass(kw_only=True)
class MatchBet:
    """What a client was told of its bet."""

    id: str
    body: Body
    """As it was asked for, with this key."""
    key: str
    event_version: int
    """The event's version at the bet's place in the story, as it was answered."""
    users: set[str]
    """Who may hold it: two, while a change is undecided."""
    is_deleted: bool | None = False
    """None: a withdrawal is undecided."""


@dataclass
class Notes:
    """All that clients were told. Each writes of its own matches; what they share has a lock."""

    events: dict[str, MatchEvent] = field(default_factory=dict)
    bets: dict[str, MatchBet] = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)
    """How many answers had which status, or NO_ANSWER."""
    surprises: list[str] = field(default_factory=list)
    """Answers for which no fault is an excuse."""
    errors: list[str] = field(default_factory=list)
    """Those with another 5xx than 503."""
    slowest: float = 0.0
    """Seconds until the slowest answer."""
    slowest_refusal: float = 0.0
    """Seconds until the slowest 503."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, status: int, seconds: float) -> None:
        with self._lock:
            self.answers[status] = self.answers.get(status, 0) + 1
            self.slowest = max(self.slowest, seconds)
            if status == 503:
                self.slowest_refusal = max(self.slowest_refusal, seconds)


class GivenUpError(Exception):
    """The match stays as it is: the load has ended, or a surprise has ended it."""


class Player:
    """One client; its matches come one after the other."""

    def __init__(
        self, notes: Notes, urls: tuple[str, str], stop: threading.Event, *, deletes: bool
    ) -> None:
        """`urls`: of the events API and of the bets API."""
        self._notes = notes
        self._events_url, self._bets_url = urls
        self._stop = stop
        self._deletes = deletes
        self._http = httpx.Client(timeout=30)

    def play_on(self, kinds: Iterator[Kind]) -> None:
        """Match after match until told to stop."""
        while not self._stop.is_set():
            try:
                self.play(next(kinds))
            except GivenUpError:
                continue

    def play(self, kind: Kind) -> MatchEvent:
        """One match."""
        event = self._create()
        bets = [self._place(event, market) for market in islice(cycle(MARKETS), BETS)]
        self._place_again(bets[0])
        self._hand_over(bets[0])
        self._change(event, {"type": "friendly"})
        bets.append(self._place(event, MARKETS[0]))
        if self._deletes:
            self._withdraw(bets[1])
            self._delete(self._create())
        if kind is Kind.OPEN:
            return event
        self._change(event, {"state": "active"})
        self._place_late(event)
        self._place_again(bets[0])
        scores = SCORES[: {Kind.KICKED_OFF: 0, Kind.ONE_GOAL: 1}.get(kind)]
        for score in scores:
            self._change(event, {"score": score})
        if kind is Kind.WHOLE:
            self._change(event, {"state": "finished", "score": "3-2"})
            self._place_again(bets[-1])
        return event

    def push(self, event: MatchEvent, change: Body) -> None:
        """Ask for a change once, whatever the answer."""
        answer = self._ask_once("PATCH", f"{self._events_url}/events/{event.id}", change, {})
        if answer is not None and answer.status_code == 200:
            event.told.append(answer.json())

    def close(self) -> None:
        self._http.close()

    # Events

    def _create(self) -> MatchEvent:
        body = {
            "type": "football",
            "team_1": "Milan",
            "team_2": "Liverpool",
            "event_date": "2005-05-25T18:45:00Z",
        }
        url, key = f"{self._events_url}/events", str(uuid4())
        found = self._ask("POST", url, body, key=key).json()
        event = self._notes.events[found["id"]] = MatchEvent(id=found["id"], told=[found])
        return event

    def _change(self, event: MatchEvent, change: Body) -> None:
        answer = self._ask("PATCH", f"{self._events_url}/events/{event.id}", change)
        event.told.append(answer.json())

    def _delete(self, event: MatchEvent) -> None:
        """One on which nobody has bet."""
        event.is_deleted = None
        self._ask("DELETE", f"{self._events_url}/events/{event.id}", right={204})
        event.is_deleted = True
        self._ask("GET", f"{self._events_url}/events/{event.id}", right={404})

    # Bets

    def _place(self, event: MatchEvent, market: str) -> MatchBet:
        body = {"userId": f"user-{uuid4()}", "eventId": event.id, "market": market}
        key = str(uuid4())
        found = self._ask("POST", f"{self._bets_url}/bets", body, key=key).json()
        bet = self._notes.bets[found["id"]] = MatchBet(
            id=found["id"],
            body=body,
            key=key,
            event_version=found["event_version"],
            users={body["userId"]},
        )
        if {name: found[name] for name in body} != body or found["state"] != "none":
            self._surprise(f"POST {body}", found)
        return bet

    def _place_again(self, bet: MatchBet) -> None:
        """The same bet is the answer, whatever has happened since."""
        url = f"{self._bets_url}/bets"
        found = self._ask("POST", url, bet.body, key=bet.key).json()
        if found["id"] != bet.id or found["userId"] not in bet.users:
            self._surprise(f"POST {bet.body} again", found)

    def _place_late(self, event: MatchEvent) -> None:
        body = {"userId": LATE, "eventId": event.id, "market": "draw"}
        self._ask("POST", f"{self._bets_url}/bets", body, key=str(uuid4()), right={409})

    def _hand_over(self, bet: MatchBet) -> None:
        user = f"friend-{uuid4()}"
        bet.users.add(user)
        found = self._ask("PATCH", f"{self._bets_url}/bets/{bet.id}", {"userId": user}).json()
        if (found["id"], found["userId"]) != (bet.id, user):
            self._surprise(f"PATCH {bet.id} to {user}", found)
        bet.users = {user}

    def _withdraw(self, bet: MatchBet) -> None:
        bet.is_deleted = None
        self._ask("DELETE", f"{self._bets_url}/bets/{bet.id}", right={204})
        bet.is_deleted = True
        self._ask("POST", f"{self._bets_url}/bets", bet.body, key=bet.key, right={409})

    # Requests

    def _ask(
        self,
        method: str,
        url: str,
        body: Body | None = None,
        *,
        key: str | None = None,
        right: Collection[int] = (200, 201),
    ) -> httpx.Response:
        """Ask until it is decided; POSTs with a key, so that asking again is harmless."""
        self._stop.wait(THINKING)
        headers = {} if key is None else {"Idempotency-Key": key}
        was_undecided = False
        while True:
            answer = self._ask_once(method, url, body, headers)
            if answer is None or answer.status_code in UNDECIDED:
                if self._stop.wait(PAUSE):
                    raise GivenUpError
                was_undecided = True
            elif answer.status_code in right or (
                # It was deleted when no answer came.
                method == "DELETE" and was_undecided and answer.status_code == 404
            ):
                return answer
            else:
                self._surprise(f"{method} {url} {body}", answer.text)
                raise GivenUpError(self._notes.surprises[-1])

    def _ask_once(
        self, method: str, url: str, body: Body | None, headers: Mapping[str, str]
    ) -> httpx.Response | None:
        """The answer, noted; None if there is none."""
        try:
            answer = self._http.request(method, url, json=body, headers=headers)
        except httpx.TransportError:
            self._notes.note(NO_ANSWER, 0.0)
            return None
        self._notes.note(answer.status_code, answer.elapsed.total_seconds())
        if answer.status_code >= 500 and answer.status_code != 503:
            self._notes.errors.append(f"{method} {url} {body}: {answer.text}")
        return answer

    def _surprise(self, asked: str, told: object) -> None:
        self._notes.surprises.append(f"{asked}: {told}")
