"""Recorded matches for the demo: the facts, and the scores that follow from them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal

from domain.errors import InvalidValue
from domain.score import GOALLESS, Score

Team = Literal[1, 2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A goal, in minutes since kick-off; `taken_back_at` for one that didn't stand in the end."""

    minute: int
    team: Team
    taken_back_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreChange:
    """The score from a minute on: `team` scored, or a goal of theirs was taken back."""

    minute: int
    team: Team
    taken_back: bool
    score: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A match as it went. Raises InvalidValue when its goals don't lead to its final score."""

    title: str
    team_1: str
    team_2: str
    kick_off: datetime
    length: int
    """Minutes, extra time included."""
    goals: tuple[Goal, ...]
    final_score: Score
    type: str = "football"

    def __post_init__(self) -> None:
        for goal in self.goals:
            if goal.taken_back_at is not None and goal.taken_back_at <= goal.minute:
                raise InvalidValue("goals", "a goal is taken back only after it was given")
        changes = self.score_changes()
        if any(not 0 < change.minute <= self.length for change in changes):
            raise InvalidValue("goals", f"must lie in minutes 1 to {self.length}")
        reached = changes[-1].score if changes else GOALLESS
        if reached != self.final_score:
            raise InvalidValue("goals", f"lead to {reached}, not to {self.final_score}")

    def score_changes(self) -> tuple[ScoreChange, ...]:
        """Every change of the score, in order."""
        facts = [(goal.minute, goal.team, False) for goal in self.goals]
        facts += [
            (goal.taken_back_at, goal.team, True)
            for goal in self.goals
            if goal.taken_back_at is not None
        ]
        score = GOALLESS
        changes = []
        for minute, team, taken_back in sorted(facts):
            score = _after(score, team, -1 if taken_back else 1)
            changes.append(
                ScoreChange(minute=minute, team=team, taken_back=taken_back, score=score)
            )
        return tuple(changes)

    def team(self, team: Team) -> str:
        return self.team_1 if team == 1 else self.team_2


def _after(score: Score, team: Team, goals: int) -> Score:
    if team == 1:
        return replace(score, home=score.home + goals)
    return replace(score, away=score.away + goals)


def _goals(*facts: tuple[int, Team]) -> tuple[Goal, ...]:
    return tuple(Goal(minute=minute, team=team) for minute, team in facts)


_WORLD_CUP_2022 = Match(
    title="World Cup 2022, final",
    team_1="Argentina",
    team_2="France",
    kick_off=datetime(2022, 12, 18, 15, tzinfo=UTC),
    length=120,
    goals=_goals((23, 1), (36, 1), (80, 2), (81, 2), (108, 1), (118, 2)),
    final_score=Score(home=3, away=3),
)
_WORLD_CUP_2014 = Match(
    title="World Cup 2014, semi-final",
    team_1="Brazil",
    team_2="Germany",
    kick_off=datetime(2014, 7, 8, 20, tzinfo=UTC),
    length=90,
    goals=_goals((11, 2), (23, 2), (24, 2), (26, 2), (29, 2), (69, 2), (79, 2), (90, 1)),
    final_score=Score(home=1, away=7),
)
_ISTANBUL_2005 = Match(
    title="Champions League 2005, final",
    team_1="Milan",
    team_2="Liverpool",
    kick_off=datetime(2005, 5, 25, 18, 45, tzinfo=UTC),
    length=120,
    goals=_goals((1, 1), (39, 1), (44, 1), (54, 2), (56, 2), (60, 2)),
    final_score=Score(home=3, away=3),
)
_ISTANBUL_2005_TAKEN_BACK = replace(
    _ISTANBUL_2005,
    title="Champions League 2005, final (invented: the goal of 85' taken back at 89')",
    goals=(*_ISTANBUL_2005.goals, Goal(minute=85, team=2, taken_back_at=89)),
)

MATCHES: Mapping[str, Match] = MappingProxyType(
    {
        "world-cup-2022": _WORLD_CUP_2022,
        "world-cup-2014": _WORLD_CUP_2014,
        "istanbul-2005": _ISTANBUL_2005,
        "istanbul-2005-taken-back": _ISTANBUL_2005_TAKEN_BACK,
    }
)
"""By the name that the command line takes. Decided on penalties counts as a draw."""
