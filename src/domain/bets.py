"""A bet: what was bet on, by whom, and how it stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from domain.log import LogPosition
from domain.text import check_text

LONGEST_USER_ID = 64


class Market(StrEnum):
    """What can be bet on: one of the teams wins, or nobody does."""

    TEAM_1 = "team_1"
    DRAW = "draw"
    TEAM_2 = "team_2"


class BetState(StrEnum):
    """How a bet stands. `win` and `lose` are final."""

    NONE = "none"
    WINNING = "winning"
    LOSING = "losing"
    WIN = "win"
    LOSE = "lose"


BET_TRANSITIONS: Mapping[BetState, frozenset[BetState]] = MappingProxyType(
    {
        BetState.NONE: frozenset({BetState.WINNING, BetState.LOSING}),
        BetState.WINNING: frozenset({BetState.LOSING, BetState.WIN, BetState.LOSE}),
        BetState.LOSING: frozenset({BetState.WINNING, BetState.WIN, BetState.LOSE}),
        BetState.WIN: frozenset(),
        BetState.LOSE: frozenset(),
    }
)
"""Every step that a bet can make, version by version. A bet that skipped versions (its writer was
away) goes straight to its newest state; that is a path through this table, not one step of it."""


def check_user_id(value: str) -> str:
    """Return `value` when it may be a userId; raise InvalidValue otherwise."""
    return check_text("userId", value, longest=LONGEST_USER_ID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A bet as its player asked for it; nothing about how it stands."""

    id: UUID
    date_created: datetime
    user_id: str
    event_id: UUID
    market: Market

    def __post_init__(self) -> None:
        check_user_id(self.user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bet:
    """A bet that stands. `event_version` is the version of the event that produced `state`."""

    placement: Placement
    position: LogPosition
    """Where in events.taxonomy it was placed."""
    state: BetState = BetState.NONE
    event_version: int

    @property
    def id(self) -> UUID:
        return self.placement.id

    @property
    def event_id(self) -> UUID:
        return self.placement.event_id
