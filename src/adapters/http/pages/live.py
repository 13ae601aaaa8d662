"""The parts of open pages, as server-sent events: each is sent when it looks different."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any
from uuid import UUID

from fastapi.sse import ServerSentEvent

from adapters.http.feed import Portion, Sight, Stream
from adapters.http.pages import words
from adapters.http.pages.rendering import render
from adapters.http.streams import RETRY_MS, id_of
from domain.bets import BetState
from domain.views import BetsView, BoardView, EventInSight, EventView, StandingsView, View
from domain.watching import steps

Parts = Mapping[type[View], Sequence[str]]
"""The parts that show a view, each a template of that name."""

PLAYERS: Parts = {
    BoardView: ["board"],
    EventView: ["head", "betting", "markets", "timeline"],
    BetsView: ["mine"],
    StandingsView: ["leaders"],
}
OPERATORS: Parts = {BoardView: ["desk"], EventView: ["head", "controls", "markets", "timeline"]}


def part(name: str, value: Any) -> str:
    """A part of a page as HTML; `value` is what its view saw. It begins with its digest, so that a
    page leaves alone what it shows already: a button must not be replaced under somebody's finger.
    """
    html = render(f"parts/{name}.html", sight=value)
    return f"<!--{blake2b(html.encode(), digest_size=8).hexdigest()}-->{html}"


async def live(stream: Stream, parts: Parts) -> AsyncIterator[ServerSentEvent]:
    """What a page is sent: its parts as they change, and what happened in words."""
    sent: dict[str, str] = {}
    news = _News()
    yield ServerSentEvent(comment="welcome", retry=RETRY_MS)
    async for portion in stream.portions():
        for name, text in [*_parts(portion, parts), *news.of(portion)]:
            if sent.get(name) != text:
                sent[name] = text
                yield ServerSentEvent(event=name, raw_data=text)
        yield ServerSentEvent(event="reached", raw_data="", id=id_of(portion.reach))


def _parts(portion: Portion, parts: Parts) -> Iterator[tuple[str, str]]:
    for view, sight in portion.sights.items():
        for name in parts[type(view)]:
            if sight.value is None:
                yield name, part("gone", None)
            else:
                yield name, _made(name, sight)


def _made(name: str, sight: Sight) -> str:
    return str(sight.made(name, lambda value: part(name, value)))


class _News:
    """What happened since the last portion, in words: for who doesn't see the page."""

    def __init__(self) -> None:
        self._version: int | None = None
        self._bets: dict[UUID, BetState] | None = None

    def of(self, portion: Portion) -> Iterator[tuple[str, str]]:
        told = [text for sight in portion.sights.items() for text in self._of(*sight)]
        if told:
            yield "news", render("parts/news.html", told=told)

    def _of(self, view: View, sight: Sight) -> list[str]:
        if isinstance(view, EventView) and sight.value is not None:
            return self._of_event(sight.value)
        if isinstance(view, BetsView):
            before, self._bets = self._bets, {e.bet.id: e.bet.state for e in sight.value}
            return [] if before is None else words.news_of_bets(before, sight.value)
        return []

    def _of_event(self, seen: EventInSight) -> list[str]:
        before, self._version = self._version, seen.event.version
        if before is None:
            return []
        return [
            f"{words.step_name(step, earlier)}. {words.flipped(step.moved, seen.tally)}."
            for earlier, step in zip([None, *seen.versions], steps(seen.versions), strict=False)
            if step.version.version > before
        ]
