"""The parts of open pages, as server-sent events: each is sent when it looks different."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from hashlib import blake2b
from time import time
from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.sse import ServerSentEvent

from adapters.http.app import was_head
from adapters.http.pages import words
from adapters.http.pages.rendering import render
from adapters.http.sights import Portion, Sight, Stream
from adapters.http.streams import RETRY_MS, id_of
from domain.bets import BetState
from domain.views import (
    BetsView,
    BoardView,
    EventView,
    StandingsView,
    View,
    WorkView,
)

BEAT_SECONDS = 10
"""A page that hears nothing for longer knows that it is cut off."""

Parts = Mapping[type[View], Sequence[str]]
"""The parts that show a view, each a template of that name."""

PLAYERS: Parts = {
    BoardView: ["board"],
    EventView: ["head", "betting", "markets", "timeline"],
    BetsView: ["mine"],
    StandingsView: ["leaders"],
}
OPERATORS: Parts = {
    BoardView: ["desk"],
    EventView: ["head", "controls", "markets", "timeline"],
    WorkView: ["work"],
}


def part(name: str, value: Any) -> str:
    """A part of a page as HTML; `value` is what its view saw. It begins with its digest, so that a
    page leaves alone what it shows already: a button must not be replaced under somebody's finger.
    """
    html = render(f"parts/{name}.html", sight=value)
    return f"<!--{blake2b(html.encode(), digest_size=8).hexdigest()}-->{html}"


async def live(request: Request, stream: Stream, parts: Parts) -> AsyncIterator[ServerSentEvent]:
    """What a page is sent: its parts as they change, and what happened in words. `gone` is the
    last: there is nothing to be shown any more."""
    sent: dict[str, str] = {}
    news = _News()
    is_away = False
    yield ServerSentEvent(comment="welcome", retry=RETRY_MS)
    if was_head(request):
        return
    async for portion in stream.portions(beat=BEAT_SECONDS):
        if portion is None:
            yield ServerSentEvent(event="beat", raw_data="")
            continue
        if portion.is_away is not is_away:
            is_away = portion.is_away
            yield ServerSentEvent(event="away" if is_away else "back", raw_data="")
        if _is_gone(portion):
            yield ServerSentEvent(event="gone", raw_data=render("parts/gone.html"))
            return
        for name, text in _parts(portion, parts):
            if sent.get(name) != text:
                sent[name] = text
                yield ServerSentEvent(event=name, raw_data=text)
        told = news.of(portion)
        if told:
            yield ServerSentEvent(event="news", raw_data=render("parts/news.html", told=told))
        yield ServerSentEvent(event="reached", raw_data="", id=id_of(portion.reach))
    if _has_expired(request):
        yield ServerSentEvent(event="expired", raw_data="")


def _has_expired(request: Request) -> bool:
    """Whether it is the token that has ended, and not the server that ends."""
    until: float | None = request.state.caller.until
    return until is not None and time() > until - 1


def _is_gone(portion: Portion) -> bool:
    return any(
        sight.value is None for view, sight in portion.sights.items() if isinstance(view, EventView)
    )


def _parts(portion: Portion, parts: Parts) -> Iterator[tuple[str, str]]:
    for view, sight in portion.sights.items():
        for name in parts[type(view)]:
            yield name, _made(name, sight)


def _made(name: str, sight: Sight) -> str:
    return str(sight.made(name, lambda value: part(name, value)))


class _News:
    """What happened since the last portion, in words: for who doesn't see the page, or slept."""

    def __init__(self) -> None:
        self._states: dict[UUID, BetState] | None = None
        """How the user's bets stood; None before they were seen."""

    def of(self, portion: Portion) -> list[str]:
        new = {(each.event_id, each.version) for each in portion.versions}
        told = ["You missed much; the page shows how it is now."] if portion.is_gap else []
        for view, sight in portion.sights.items():
            if isinstance(view, EventView):
                told += words.news_of_event(sight.value, new)
            elif isinstance(view, BetsView):
                told += self._of_bets(view, sight, new)
        return told

    def _of_bets(self, view: BetsView, sight: Sight, new: set[tuple[UUID, int]]) -> list[str]:
        before, self._states = self._states, {e.bet.id: e.bet.state for e in sight.value}
        flipped = [
            each
            for each in sight.value
            if (
                (each.event.id, each.changes[-1].event_version) in new
                if before is None
                else before.get(each.bet.id, each.bet.state) is not each.bet.state
            )
        ]
        return [words.news_of_bet(each, with_match=view.event_id is None) for each in flipped]
