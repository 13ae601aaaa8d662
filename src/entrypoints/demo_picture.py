"""The demo's moment, and how it looks on a terminal: the match, its timeline, its bets."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, assert_never

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from domain.bets import BetState, Market
from domain.evaluator import evaluate
from domain.events import EventState
from domain.score import GOALLESS, Score
from entrypoints.matches import Match, ScoreChange

Counts = Mapping[tuple[Market, BetState], int]
Outcomes = Mapping[Market, BetState]

WIDEST = 76
"""Columns of the picture; with its margin it fits a terminal of 80."""
STYLES: Mapping[BetState, str] = {
    BetState.NONE: "",
    BetState.WINNING: "green",
    BetState.LOSING: "red",
    BetState.WIN: "bold green",
    BetState.LOSE: "bold red",
}
"""The terminal's own colours only: its theme makes them right on light and dark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The match and its bets at one moment."""

    match: Match
    bets: int
    """How many shall be placed."""
    state: EventState = EventState.CREATED
    minute: float = 0
    score: Score = GOALLESS
    so_far: Sequence[ScoreChange] = ()
    """What has happened to the score so far."""
    counts: Counts = field(default_factory=dict)

    def outcomes(self) -> Outcomes:
        """How every bet of a market has to stand now."""
        return {market: evaluate(market, self.state, self.score) for market in Market}

    def strays(self) -> Counts:
        """The bets that don't stand so (yet)."""
        outcomes = self.outcomes()
        return {
            (market, state): count
            for (market, state), count in self.counts.items()
            if count and state is not outcomes[market]
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BetWay:
    """A bet from its placing to its end: (minute, score, state) for each change."""

    user_id: str
    market: Market
    steps: Sequence[tuple[int | None, str, BetState]]

    @property
    def title(self) -> str:
        return f"{self.user_id} on {self.market}"

    @property
    def end(self) -> BetState:
        return self.steps[-1][2]


class Glyphs(NamedTuple):
    """What the timeline is drawn with."""

    played: str
    ahead: str
    goal: str
    taken_back: str


UNICODE = Glyphs(played="━", ahead="─", goal="●", taken_back="○")
ASCII = Glyphs(played="=", ahead="-", goal="o", taken_back="x")


class Picture:
    """Who plays, how far the match is, and how many bets stand how; `fresh` cells just changed."""

    def __init__(self, scene: Scene, fresh: Collection[tuple[Market, BetState]]) -> None:
        self._scene = scene
        self._fresh = fresh

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width - 2, WIDEST)
        parts = Group(
            self._headline(width),
            _timeline(self._scene, width, ASCII if options.ascii_only else UNICODE),
            "",
            self._table(),
        )
        yield Padding(parts, (1, 0, 0, 1))

    def _headline(self, width: int) -> Table:
        scene = self._scene
        teams = Text.assemble(scene.match.team_1, (f" {scene.score} ", "bold"), scene.match.team_2)
        line = Table.grid(expand=True)
        line.width = width
        line.add_column()
        line.add_column(justify="right")
        line.add_row(teams, _moment(scene))
        return line

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("bets on", width=28, no_wrap=True)
        for state in BetState:
            table.add_column(state, justify="right", width=8)
        for market in Market:
            table.add_row(self._market(market), *(self._cell(market, state) for state in BetState))
        return table

    def _market(self, market: Market) -> Text:
        match = self._scene.match
        team = {Market.TEAM_1: match.team_1, Market.TEAM_2: match.team_2}.get(market, "")
        return Text(f"{market:<8}{team}")

    def _cell(self, market: Market, state: BetState) -> Text:
        fresh = " reverse" if (market, state) in self._fresh else ""
        count = self._scene.counts.get((market, state), 0)
        if not count and not fresh:
            return Text("-", style="dim")
        return Text(str(count), style=STYLES[state] + fresh)


def _moment(scene: Scene) -> Text:
    match scene.state:
        case EventState.CREATED:
            placed = sum(scene.counts.values())
            return Text(f"{placed} of {scene.bets} bets placed")
        case EventState.ACTIVE:
            return Text(f"{int(scene.minute)}'", style="bold")
        case EventState.FINISHED:
            return Text("full time", style="bold")
        case _:
            assert_never(scene.state)


def _timeline(scene: Scene, width: int, glyphs: Glyphs) -> Text:
    """The minutes played and to come, with the goals where they fell."""
    scale = width / scene.match.length
    played = min(int(scene.minute * scale) + 1, width) if scene.minute else 0
    characters = list(glyphs.played * played + glyphs.ahead * (width - played))
    for change in scene.so_far:
        column = min(int(change.minute * scale), width - 1)
        characters[column] = glyphs.taken_back if change.taken_back else glyphs.goal
    line = Text("".join(characters))
    line.stylize("dim", played)
    return line


def way_table(way: BetWay) -> Group:
    """How one bet fared: minute, score and state of each change."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right")
    for minute, score, state in way.steps:
        at = "" if minute is None else f"{minute}'"
        table.add_row(at, score, Text(state, STYLES[state]))
    return Group(Text.assemble(f"{way.title}: ", (way.end, STYLES[way.end])), table)
