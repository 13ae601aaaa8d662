"""The score of a match: two goal counts, and who leads."""

import re
from dataclasses import dataclass
from typing import Self

from domain.errors import InvalidValue

_SCORE = re.compile(r"(0|[1-9][0-9]{0,2})-(0|[1-9][0-9]{0,2})", re.ASCII)
SCORE_RULE = "must be two numbers from 0 to 999 joined by a hyphen, such as 2-1"
MOST_GOALS = 999


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Goals of team_1 (home) and team_2 (away), each 0 to 999; they may go down again."""

    home: int
    away: int

    def __post_init__(self) -> None:
        if not (0 <= self.home <= MOST_GOALS and 0 <= self.away <= MOST_GOALS):
            raise InvalidValue("score", SCORE_RULE)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `H-A` in ASCII digits without leading zeros; raise InvalidValue otherwise."""
        match = _SCORE.fullmatch(text)
        if match is None:
            raise InvalidValue("score", SCORE_RULE)
        return cls(home=int(match[1]), away=int(match[2]))

    def __str__(self) -> str:
        return f"{self.home}-{self.away}"


GOALLESS = Score(home=0, away=0)
