"""Two ways to tell a match: a live picture on a terminal, a line per happening elsewhere."""

from collections.abc import Sequence
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from domain.bets import BetState, Market
from domain.events import EventState
from entrypoints.demo_picture import STYLES, BetWay, Counts, Outcomes, Picture, Scene, way_table

HIGHLIGHT_SECONDS = 0.8


class Narrator(Protocol):
    """Tells a match while it goes on. Nothing is left half-drawn after `close`."""

    def tell(self, text: str) -> None:
        """One line that is about no moment of the match."""

    def show(self, scene: Scene) -> None:
        """How things are now; called many times a second."""

    def tell_happening(self, scene: Scene, what: str) -> None:
        """Something happened, and the bets have followed."""

    def tell_aside(self, scene: Scene, what: str) -> None:
        """Something happened that moves no bet."""

    def tell_ways(self, ways: Sequence[BetWay]) -> None:
        """How some bets fared, after the end."""

    def close(self) -> None:
        """Nothing more is shown; lines may still be told."""


def new_narrator(console: Console) -> Narrator:
    """The narrator that suits the console."""
    live = console.is_terminal and not console.is_dumb_terminal
    return LiveNarrator(console) if live else PlainNarrator(console)


class PlainNarrator:
    """Lines of ASCII, for pipes, logs and tests."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def tell(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show(self, scene: Scene) -> None:
        """A picture is not for lines."""

    def tell_happening(self, scene: Scene, what: str) -> None:
        standing = "  ".join(
            " ".join([market, *_standing(scene.counts, market)]) for market in Market
        )
        self.tell_aside(scene, f"{standing}  {what}")

    def tell_aside(self, scene: Scene, what: str) -> None:
        self.tell(f"{int(scene.minute)}' {scene.score}  {what}")

    def tell_ways(self, ways: Sequence[BetWay]) -> None:
        for way in ways:
            steps = ", ".join(
                state if minute is None else f"{minute}' {score} {state}"
                for minute, score, state in way.steps
            )
            self.tell(f"{way.title}: {steps}")

    def close(self) -> None:
        """Nothing is open."""


def _standing(counts: Counts, market: Market) -> list[str]:
    return [f"{n} {state}" for state in BetState if (n := counts.get((market, state), 0))]


class LiveNarrator:
    """A picture that is drawn anew many times a second, with the lines scrolling above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False)
        self._last: Scene | None = None
        self._told: Outcomes = dict.fromkeys(Market, BetState.NONE)
        self._changed_at: dict[tuple[Market, BetState], float] = {}

    def tell(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)

    def show(self, scene: Scene) -> None:
        now = self._console.get_time()
        before = {} if self._last is None else self._last.counts
        for cell, count in scene.counts.items():
            if scene.state is not EventState.CREATED and count != before.get(cell, 0):
                self._changed_at[cell] = now
        self._last = scene
        fresh = {c for c, at in self._changed_at.items() if now - at < HIGHLIGHT_SECONDS}
        self._draw(Picture(scene, fresh))

    def _draw(self, picture: "Picture") -> None:
        self._live.start()
        self._live.update(picture, refresh=True)

    def tell_happening(self, scene: Scene, what: str) -> None:
        outcomes = scene.outcomes()
        flips = [m for m in Market if outcomes[m] is not self._told[m]]
        self._told = outcomes
        arrow = "->" if self._console.options.ascii_only else "→"
        line = _dated(scene, f"{what}: ")
        for number, market in enumerate(flips):
            line.append(f"{', ' if number else ''}{market} {arrow} ")
            line.append(outcomes[market], STYLES[outcomes[market]])
        self._console.print(line if flips else line.append("no bet changes"))

    def tell_aside(self, scene: Scene, what: str) -> None:
        self._console.print(_dated(scene, what))

    def tell_ways(self, ways: Sequence[BetWay]) -> None:
        side_by_side = Table.grid(padding=(0, 6, 0, 1))
        side_by_side.add_row(*map(way_table, ways))
        self._console.print(Padding(side_by_side, (1, 0)))

    def close(self) -> None:
        if self._live.is_started:
            if self._last is not None:
                self._draw(Picture(self._last, set()))
            self._live.stop()


def _dated(scene: Scene, what: str) -> Text:
    return Text.assemble((f"{int(scene.minute):4}'  {scene.score}", "bold"), f"  {what}")
