"""What both APIs must answer, and why: Touchline in small, without log, tables and waiting.

It shares no code with Touchline. Every method that asks for something returns the problem that must
be the answer, as (code, members), or None when the request is granted; then it has happened here.
"""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from tests.integration.players import MARKETS
from tests.integration.promises import expected_state

Json = dict[str, Any]
Problem = tuple[str, Json] | None

STATES = ("created", "active", "finished")
FROZEN = ("type", "team_1", "team_2", "event_date")
DATES = {
    "2022-12-18T15:00:00Z": "2022-12-18T15:00:00Z",
    "2022-12-18T16:00:00+01:00": "2022-12-18T15:00:00Z",
    "2022-12-18T10:30:00.5-04:30": "2022-12-18T15:00:00.500000Z",
}
"""As they are sent, and as they are shown."""


def shown(sent: Json) -> Json:
    """The fields of an event as they are answered."""
    return sent | ({"event_date": DATES[sent["event_date"]]} if "event_date" in sent else {})


def content(sent: Json) -> Json:
    """What makes one new event differ from another."""
    return {name: value for name, value in shown(sent).items() if name in FROZEN}


def same_team(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


@dataclass
class Event:
    """An event as it now is, and all that it was."""

    now: Json
    was: list[Json] = field(default_factory=list)
    created_with: Json = field(default_factory=dict)

    @property
    def versions(self) -> list[Json]:
        """Oldest first."""
        return [*self.was, self.now]


@dataclass(frozen=True)
class Bet:
    """A bet, without how it stands: that follows from its event."""

    id: str
    date_created: str
    user: str
    event: str
    market: str
    placed_at: int
    """The event's version then."""


class Model:
    """The events and bets of one run."""

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}
        self.bets: dict[str, Bet] = {}
        self.deleted: set[str] = set()
        self.event_keys: dict[str, str] = {}
        self.bet_keys: dict[tuple[str, str, str], str] = {}

    # Events

    def event_of_key(self, key: str | None, sent: Json) -> tuple[Problem, str | None]:
        """What an earlier request with the key made of this one, and its event."""
        event_id = None if key is None else self.event_keys.get(key)
        if event_id is None:
            return None, None
        if event_id in self.deleted:
            return ("event-deleted", {}), None
        if self.events[event_id].created_with != content(sent):
            return ("idempotency-key-reused", {}), None
        return None, event_id

    def create_event(self, event_id: str, key: str | None, sent: Json) -> None:
        now = {"score": "0-0", "state": "created", "version": 1} | shown(sent)
        self.events[event_id] = Event({"id": event_id} | now, created_with=content(sent))
        if key is not None:
            self.event_keys[key] = event_id

    def patch_event(self, event_id: str, sent: Json, expected: set[int] | None) -> Problem:
        event = self.events.get(event_id)
        named = shown(sent)
        if same_team(named.get("team_1", "1"), named.get("team_2", "2")):
            return "validation-error", {"loc": ["body", "team_2"]}
        if event is None:
            return "event-not-found", {}
        now = event.now
        changed = {name for name, value in named.items() if now[name] != value}
        if not changed:
            return None
        problem = self._wrong_change(now, named, changed, expected)
        if problem is None:
            event.was.append(now)
            event.now = now | named | {"version": now["version"] + 1}
        return problem

    @staticmethod
    def _wrong_change(
        now: Json, named: Json, changed: set[str], expected: set[int] | None
    ) -> Problem:
        after = now | named
        if same_team(after["team_1"], after["team_2"]):
            # The one that was sent, or else the second.
            team = "team_2" if "team_2" in named else "team_1"
            return "validation-error", {"loc": ["body", team]}
        if expected is not None and now["version"] not in expected:
            return "version-mismatch", {}
        step = (now["state"], after["state"])
        if "state" in changed and step not in pairwise(STATES):
            return "illegal-transition", {"from": step[0], "to": step[1]}
        # A step carries no other field, be it as it was; once it has started nothing may change.
        held = set(named) if "state" in changed else changed if step[0] != "created" else set()
        for name in FROZEN:
            if name in held:
                return "field-frozen", {"field": name}
        may_score = step[0] == "active" or "score" not in (named if "state" in changed else changed)
        return None if may_score else ("score-not-allowed", {})

    def delete_event(self, event_id: str) -> Problem:
        if event_id not in self.events:
            return "event-not-found", {}
        bets = len(self.bets_of(event_id))
        if bets:
            return "event-has-bets", {"bets": bets}
        del self.events[event_id]
        self.deleted.add(event_id)
        return None

    def history(self, event_id: str) -> list[Json]:
        """Without `at` and `message_id`."""
        versions = self.events[event_id].versions
        return [{name: each[name] for name in ("version", "state", "score")} for each in versions]

    # Bets

    def bet_of_key(
        self, user: str, event: str, market: str, key: str | None
    ) -> tuple[Problem, str]:
        """What an earlier request with the key made of this one, and its bet, or nothing."""
        bet_id = "" if key is None else self.bet_keys.get((user, event, key), "")
        if bet_id in self.deleted:
            return ("bet-deleted", {}), ""
        if bet_id and self.bets[bet_id].market != market:
            return ("idempotency-key-reused", {}), ""
        return None, bet_id

    def may_bet(self, event_id: str) -> Problem:
        if event_id not in self.events:
            return "event-not-found", {}
        if self.events[event_id].now["state"] != "created":
            return "event-not-open", {}
        return None

    def place_bet(self, bet: Bet, key: str | None) -> None:
        self.bets[bet.id] = bet
        if key is not None:
            self.bet_keys[bet.user, bet.event, key] = bet.id

    def patch_bet(self, bet_id: str, user: str) -> Problem:
        bet = self.bets.get(bet_id)
        if bet is None:
            return "bet-not-found", {}
        problem = None if bet.user == user else self.may_bet(bet.event)
        if problem is None:
            self.bets[bet_id] = replace(bet, user=user)
        return problem

    def delete_bet(self, bet_id: str) -> Problem:
        bet = self.bets.get(bet_id)
        if bet is None:
            return "bet-not-found", {}
        problem = self.may_bet(bet.event)
        if problem is None:
            del self.bets[bet_id]
            self.deleted.add(bet_id)
        return problem

    def bets_of(self, event_id: str) -> list[Bet]:
        """Newest first."""
        return [bet for bet in reversed(self.bets.values()) if bet.event == event_id]

    def changes(self, bet_id: str) -> list[Json]:
        """The bet's history, without `at`."""
        bet = self.bets[bet_id]
        found: list[Json] = []
        for version in self.events[bet.event].versions[bet.placed_at - 1 :]:
            state = expected_state(bet.market, version["state"], version["score"])
            if not found or found[-1]["state"] != state:
                event = {"event_state": version["state"], "score": version["score"]}
                found.append({"event_version": version["version"], "state": state} | event)
        return found

    def shown_bet(self, bet_id: str) -> Json:
        bet = self.bets[bet_id]
        last = self.changes(bet_id)[-1]
        return {
            "id": bet.id,
            "date_created": bet.date_created,
            "userId": bet.user,
            "eventId": bet.event,
            "market": bet.market,
            "state": last["state"],
            "event_version": last["event_version"],
        }

    def tally(self, event_id: str) -> Json:
        states = ("none", "winning", "losing", "win", "lose")
        markets = {market: dict.fromkeys(states, 0) for market in MARKETS}
        for bet in self.bets_of(event_id):
            markets[bet.market][self.changes(bet.id)[-1]["state"]] += 1
        return {"event_version": self.events[event_id].now["version"], "markets": markets}
