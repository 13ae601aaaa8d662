"""The demo's story: an event, bets, a late bet, every goal at its minute, and what became of it."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import NamedTuple
from uuid import uuid4

from domain.bets import BET_TRANSITIONS, BetState, Market
from domain.events import EventState
from domain.score import Score
from entrypoints.demo_client import DemoFailed, Refused, Servers, StandingBet
from entrypoints.demo_narrator import Narrator
from entrypoints.demo_picture import BetWay, Outcomes, Scene
from entrypoints.matches import Match, ScoreChange

PLACING_AT_ONCE = 16
TICK_SECONDS = 0.1
LOOK_SECONDS = 0.25
"""How often the tally is asked for while nothing is expected to change."""
NOT_OPEN = "event-not-open"
LATE_USER = "larry"
USERS = (  # noqa: SIM905 - a name on each line is no easier to read
    "ada amir anouk bela bruno carmen chidi dana diego elif emeka fatou finn greta hana hugo "
    "ines ivan jonas kaia kofi lena luca maja mila nadia nils noor omar paula ravi sofia"
).split()
"""Invented. Their number isn't divisible by that of the markets, so all bet on all markets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long the demo is patient, in seconds."""

    for_servers: float = 3
    """At the start, until they are ready."""
    for_an_answer: float = 30
    """From then on, retries included."""
    for_a_flip: float = 10
    """Until the bets have followed the score; then the match goes on without them."""
    for_the_end: float = 30
    """Until every bet has ended."""
    between_tries: float = 0.1
    """Before the first retry; where the server says how long, that counts."""


class Wager(NamedTuple):
    user_id: str
    market: Market


class Player:
    """Plays one match, from the event's creation until its last bet has ended."""

    def __init__(
        self,
        servers: Servers,
        narrator: Narrator,
        match: Match,
        *,
        bets: int,
        speed: float,
        waits: Waits,
    ) -> None:
        self._servers = servers
        self._narrator = narrator
        self._match = match
        self._speed = speed
        self._waits = waits
        self._key = str(uuid4())
        """Makes the Idempotency-Keys this run's own."""
        self._scene = Scene(match=match, bets=bets)
        self._placed: dict[str, Wager] = {}
        """By bet id."""
        self._minutes: dict[int, int] = {}
        """In which one the event came to each version."""
        self._version_seen = 0
        """The event's version in the newest tally."""
        self._next_look = 0.0
        self._wrong: list[str] = []

    async def play(self) -> bool:
        """Whether everything went as the rules say; lines say what didn't."""
        await self._servers.greet(patience=self._waits.for_servers)
        await self._create_event()
        await self._place_bets()
        await self._update(0, "kick-off", state=EventState.ACTIVE)
        self._kicked_off_at = _now()
        await self._try_a_late_bet()
        for change in self._match.score_changes():
            await self._until_minute(change.minute)
            await self._change_score(change)
        await self._until_minute(self._match.length)
        await self._update(
            self._match.length,
            "full time",
            state=EventState.FINISHED,
            score=self._match.final_score,
        )
        self._narrator.close()
        await self._tell_ways()
        return await self._judge()

    async def _create_event(self) -> None:
        match = self._match
        event = {
            "type": match.type,
            "team_1": match.team_1,
            "team_2": match.team_2,
            "event_date": match.kick_off.isoformat(),
        }
        self._event_id = await self._servers.create_event(event, key=self._key)
        self._narrator.tell(match.title)
        self._narrator.tell(
            f"{match.team_1} v {match.team_2}, {match.kick_off:%Y-%m-%d}; "
            f"{match.length} minutes in {match.length / self._speed:.0f} s"
        )
        self._narrator.tell(f"event {self._event_id}")

    async def _place_bets(self) -> None:
        wagers = islice(map(Wager, cycle(USERS), cycle(Market)), self._scene.bets)
        numbered = enumerate(wagers)
        try:
            async with asyncio.TaskGroup() as tasks:
                placing = [tasks.create_task(self._place(numbered)) for _ in range(PLACING_AT_ONCE)]
                while not all(task.done() for task in placing):
                    await self._look()
                    await asyncio.wait(placing, timeout=TICK_SECONDS)
        except ExceptionGroup as group:
            # They fail alike, and one line is to say it.
            raise group.exceptions[0] from None
        self._next_look = 0
        await self._look()
        players = len({wager.user_id for wager in self._placed.values()})
        self._narrator.tell(
            f"{_several(len(self._placed), 'bet')} by {_several(players, 'player')}"
        )

    async def _place(self, wagers: Iterator[tuple[int, Wager]]) -> None:
        """Place bets until none are left; several of these share the wagers."""
        for number, wager in wagers:
            key = f"{self._key}-{number}"
            bet_id = await self._servers.place_bet(self._event_id, *wager, key=key)
            self._placed[bet_id] = wager

    async def _try_a_late_bet(self) -> None:
        key = f"{self._key}-late"
        try:
            await self._servers.place_bet(self._event_id, LATE_USER, Market.TEAM_1, key=key)
        except Refused as refused:
            if refused.code != NOT_OPEN:
                raise
            self._narrator.tell_aside(self._scene, f"{LATE_USER} bets too late: {NOT_OPEN}")
        else:
            self._wrong.append("a bet was accepted after kick-off")

    async def _change_score(self, change: ScoreChange) -> None:
        self._scene = replace(self._scene, so_far=(*self._scene.so_far, change))
        team = self._match.team(change.team)
        what = f"goal of {team} taken back" if change.taken_back else f"goal for {team}"
        await self._update(change.minute, what, score=change.score)

    async def _update(
        self, minute: int, what: str, *, state: EventState | None = None, score: Score | None = None
    ) -> None:
        """Update the event, and tell it once the bets have followed."""
        named = {"state": state, "score": score}
        changes = {name: str(value) for name, value in named.items() if value is not None}
        version = await self._servers.update_event(self._event_id, changes)
        self._minutes[version] = minute
        self._scene = replace(
            self._scene,
            minute=minute,
            state=state or self._scene.state,
            score=score or self._scene.score,
        )
        followed = await self._until_bets_follow(version)
        self._narrator.tell_happening(self._scene, what if followed else f"{what} (bets lag)")

    async def _until_minute(self, minute: int) -> None:
        due = self._kicked_off_at + minute / self._speed
        while (left := due - _now()) > 0:
            self._scene = replace(self._scene, minute=minute - left * self._speed)
            await self._look()
            await asyncio.sleep(min(left, TICK_SECONDS))

    async def _until_bets_follow(self, version: int) -> bool:
        """Whether all bets came to stand as the event's version says, in good time."""
        ending = self._scene.state is EventState.FINISHED
        deadline = _now() + (self._waits.for_the_end if ending else self._waits.for_a_flip)
        while True:
            self._next_look = 0
            await self._look()
            strays = self._scene.strays()
            if self._version_seen >= version and not strays:
                return True
            # What is final and wrong will never be right.
            hopeless = any(not BET_TRANSITIONS[state] for _, state in strays)
            if hopeless or _now() + TICK_SECONDS > deadline:
                return False
            await asyncio.sleep(TICK_SECONDS)

    async def _look(self) -> None:
        """Show how things are, and ask for the tally unless that was just done."""
        if _now() >= self._next_look:
            with suppress(DemoFailed):
                # It is a glance: when the server is away the picture waits, not the match.
                tally = await self._servers.tally(self._event_id, patience=0)
                self._scene = replace(self._scene, counts=tally.counts)
                self._version_seen = tally.event_version
            self._next_look = _now() + LOOK_SECONDS
        self._narrator.show(self._scene)

    async def _tell_ways(self) -> None:
        """The longest way to a win, and the longest one to a loss."""
        firsts = {wager.market: bet_id for bet_id, wager in reversed(self._placed.items())}
        ways = [await self._way(bet_id) for bet_id in firsts.values()]
        by_end: dict[BetState, BetWay] = {}
        for way in sorted(ways, key=lambda way: len(way.steps)):
            by_end[way.end] = way
        self._narrator.tell_ways([by_end[state] for state in BetState if state in by_end])

    async def _way(self, bet_id: str) -> BetWay:
        wager = self._placed[bet_id]
        steps = [
            (self._minutes.get(step.event_version), step.score, step.state)
            for step in await self._servers.bet_steps(bet_id)
        ]
        return BetWay(user_id=wager.user_id, market=wager.market, steps=steps)

    async def _judge(self) -> bool:
        bets = await self._servers.bets(self._event_id)
        wrong = [*self._wrong, *_what_is_wrong(self._placed, bets, self._scene.outcomes())]
        ends = Counter(bet.state.value for bet in bets)
        told = _several(len(bets), "bet")
        verdict = "not all is as the rules say" if wrong else "each one as the rules say"
        self._narrator.tell(f"{told}: {ends['win']} win, {ends['lose']} lose; {verdict}")
        for line in wrong:
            self._narrator.tell(f"wrong: {line}")
        return not wrong


def _what_is_wrong(
    placed: Mapping[str, Wager], bets: Sequence[StandingBet], outcomes: Outcomes
) -> Iterator[str]:
    """A line for each way in which bets differ from what was placed and what the rules say."""
    standing = {bet.id: bet for bet in bets}
    missing = len(placed.keys() - standing.keys())
    if missing:
        yield f"{_several(missing, 'accepted bet')} can't be found"
    moved = sum(
        standing[bet_id].market is not wager.market
        for bet_id, wager in placed.items()
        if bet_id in standing
    )
    if moved:
        yield f"{_several(moved, 'bet')} on another market than asked for"
    strays = Counter((bet.market, bet.state) for bet in bets)
    for (market, state), count in sorted(strays.items()):
        if state is not outcomes[market]:
            found = f"{_several(count, 'bet')} on {market}: {state}"
            yield f"{found}; the rules say {outcomes[market]}"


def _several(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _now() -> float:
    return asyncio.get_running_loop().time()
