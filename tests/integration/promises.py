"""What clients were promised while things broke, held against what is there afterwards.

The oracle below knows the rules by itself: it shares no code with Touchline.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any

from tests.integration.players import (
    LATE,
    NO_ANSWER,
    Body,
    Kind,
    MatchBet,
    MatchEvent,
    Notes,
    Player,
)
from tests.integration.system import Client, System, decided, eventually
from tests.standstill import MachineWatch

PLAYERS = 3

IN_TIME = 3.0
"""Seconds within which a 503 was promised."""

ANSWERED = 10.0
"""Seconds within which there is an answer, if only that nobody can tell."""

WAYS = 600
"""Bets whose whole history is asked for; of all others the state is."""

STEPS: tuple[tuple[Kind, Body], ...] = (
    (Kind.OPEN, {"state": "active"}),
    (Kind.KICKED_OFF, {"score": "1-0"}),
)
"""How far two matches are played before anything breaks, and the step that is left for later."""

Json = dict[str, Any]


def expected_state(market: str, state: str, score: str) -> str:
    """How a bet must stand."""
    if state == "created":
        return "none"
    home, away = map(int, score.split("-"))
    leads = {"team_1": home > away, "draw": home == away, "team_2": home < away}[market]
    words = {"active": ("losing", "winning"), "finished": ("lose", "win")}
    return words[state][leads]


def expected_way(market: str, placed_at: int, versions: Iterable[Json]) -> list[Json]:
    """A bet's history, from that of its event: `none` at the version at which it was placed, then
    each change of its state with the first version that caused it."""
    way: list[Json] = []
    for version in versions:
        state = expected_state(market, version["state"], version["score"])
        if version["version"] >= placed_at and (not way or way[-1]["state"] != state):
            way.append(
                {
                    "event_version": version["version"],
                    "event_state": version["state"],
                    "score": version["score"],
                    "state": state,
                    "at": version["at"],
                }
            )
    return way


@dataclass
class Promises:
    """Requests that go on through every fault, and the answers that were given."""

    client: Client
    goes_back: bool = False
    """Whether the database will go back to a backup. It forgets what was deleted since, so nothing
    is; and until the log is read again, it answers as if nothing had happened since."""
    notes: Notes = field(default_factory=Notes)
    machine: MachineWatch = field(default_factory=MachineWatch)
    _stop: threading.Event = field(default_factory=threading.Event)
    _bystanders: list[tuple[MatchEvent, Body]] = field(default_factory=list)

    @contextmanager
    def kept_busy(self) -> Iterator[None]:
        """Clients at work meanwhile: each plays matches of its own, one after the other, and leaves
        most of them standing."""
        with ExitStack() as stack:
            own, *players = [stack.enter_context(self._player()) for _ in range(1 + PLAYERS)]
            for kind, change in STEPS:
                self._bystanders.append((own.play(kind), change))
            threads = [
                threading.Thread(target=player.play_on, args=(islice(cycle(Kind), rank, None),))
                for rank, player in enumerate(players)
            ]
            for thread in threads:
                thread.start()
            try:
                with self.machine:
                    yield
            finally:
                self._stop.set()
                for thread in threads:
                    thread.join()

    def push(self) -> None:
        """To be called once, when most is to lose: a match that waited for it kicks off, another
        sees its first goal, and nothing more happens to them."""
        with self._player() as player:
            for event, change in self._bystanders:
                player.push(event, change)

    def after(self, more: int) -> None:
        """Wait until clients were promised this many more bets."""
        wanted = len(self.notes.bets) + more
        eventually(lambda: len(self.notes.bets) >= wanted or None)

    def after_refusals(self, more: int) -> None:
        """Wait until clients were told this many more times to come again."""
        wanted = self.answers.get(503, 0) + more
        eventually(lambda: self.answers.get(503, 0) >= wanted or None)

    @property
    def answers(self) -> Mapping[int, int]:
        """How many answers had which status, or NO_ANSWER."""
        return self.notes.answers

    def check_answers(self) -> None:
        """Nobody was left without an answer, or had to wait for being refused. For faults in which
        the servers live."""
        assert NO_ANSWER not in self.answers, self.answers
        assert self.notes.slowest < ANSWERED + self.machine.held_up
        assert self.notes.slowest_refusal < self.in_time

    @property
    def in_time(self) -> float:
        """Seconds within which a client at work beside all others sees a 503: what was promised,
        and what the machine is known to have added meanwhile."""
        return IN_TIME + self.machine.held_up

    def check(self, system: System) -> None:
        """Everything that was answered with 2xx is there, and right; no answer was a wrong one."""
        system.verify()
        assert self.notes.bets
        assert not self.notes.errors
        assert self.goes_back or not self.notes.surprises
        versions = {}
        for event in self.notes.events.values():
            url = f"{self.client.events_url}/events/{event.id}"
            if event.is_deleted:
                assert self._status(url) == 404
            elif event.is_deleted is False:
                versions[event.id] = self._get(f"{url}/history")["items"]
                check_event(event, self._get(url), versions[event.id])
        bets = [bet for bet in self.notes.bets.values() if bet.is_deleted is not None]
        standing = {event_id: self._bets_on(event_id) for event_id in versions}
        for bet in bets:
            event_id = bet.body["eventId"]
            found = standing[event_id].get(bet.id)
            if bet.is_deleted:
                assert found is None
                assert self._status(f"{self.client.bets_url}/bets/{bet.id}") == 404
            else:
                assert found is not None, f"{bet} is gone"
                check_bet(bet, found, versions[event_id][-1])
        for bet in some_of_each(bet for bet in bets if not bet.is_deleted):
            event_id, market = bet.body["eventId"], bet.body["market"]
            way = expected_way(market, bet.event_version, versions[event_id])
            way[0] |= {"at": standing[event_id][bet.id]["date_created"]}
            assert self._get(f"{self.client.bets_url}/bets/{bet.id}/history")["items"] == way

    @contextmanager
    def _player(self) -> Iterator[Player]:
        urls = (self.client.events_url, self.client.bets_url)
        player = Player(self.notes, urls, self._stop, deletes=not self.goes_back)
        try:
            yield player
        finally:
            player.close()

    def _bets_on(self, event_id: str) -> dict[str, Json]:
        url = f"{self.client.bets_url}/bets?eventId={event_id}&limit=500"
        found = {bet["id"]: bet for bet in self._get(url)["items"]}
        assert not any(bet["userId"] == LATE for bet in found.values()), "a bet after kick-off"
        return found

    def _get(self, url: str) -> Json:
        response = decided(lambda: self.client.http.get(url))
        assert response.status_code == 200, response.text
        found: Json = response.json()
        return found

    def _status(self, url: str) -> int:
        return decided(lambda: self.client.http.get(url)).status_code


def check_event(event: MatchEvent, now: Json, versions: Sequence[Json]) -> None:
    """Its versions have no gap, and lead from its creation to what it is now, in the order in which
    its only client asked; what that client was told of one is what it is."""
    assert [each["version"] for each in versions] == list(range(1, len(versions) + 1))
    assert [each["at"] for each in versions] == sorted(each["at"] for each in versions)
    told = [answer["version"] for answer in event.told]
    assert told == sorted(told)
    for answer in event.told:
        assert answer["version"] <= len(versions), f"{answer} is gone"
    for answer, kept in [
        *((t, versions[t["version"] - 1]) for t in event.told),
        (now, versions[-1]),
    ]:
        for name in ("version", "state", "score"):
            assert answer[name] == kept[name], f"{answer}, but its history says {kept}"


def check_bet(bet: MatchBet, found: Json, version: Json) -> None:
    """It is what was asked for, by who holds it now, and stands as its event does."""
    right = dict(bet.body) | {
        "userId": found["userId"],
        "state": expected_state(bet.body["market"], version["state"], version["score"]),
    }
    assert {name: found[name] for name in right} == right, f"{found}, by {version}"
    assert found["userId"] in bet.users, f"{found}, but held by {bet.users}"


def some_of_each(bets: Iterable[MatchBet]) -> Sequence[MatchBet]:
    """One of all that must have the same history; not too many, from all of the time."""
    alike = {(bet.body["eventId"], bet.body["market"], bet.event_version): bet for bet in bets}
    return list(alike.values())[:: len(alike) // WAYS + 1]
