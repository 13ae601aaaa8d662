"""A bet: what was bet on, by whom, and how it stands."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from operator import ge
from types import MappingProxyType
from typing import Self
from uuid import UUID

from domain.errors import InvalidValue
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


@dataclass(frozen=True, slots=True, kw_only=True)
class BetColumns:
    """Bets of one market in the order of their ids, as columns: a million bets pass through here,
    and an object for each would cost more than all else that is done with them.

    `ids` are UUIDs as text, in lower case with hyphens, which sorts as the ids do; `user_ids` are
    as many, taken as they are. Raises InvalidValue when the ids don't rise.
    """

    ids: tuple[str, ...]
    user_ids: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.user_ids):
            raise InvalidValue("bets", "must have a userId for each id")
        if any(map(ge, self.ids, self.ids[1:])):
            raise InvalidValue("bets", "must be in rising order of their ids")

    @classmethod
    def of(cls, bets: Iterable[tuple[UUID, str]]) -> Self:
        """From pairs of an id and a user."""
        ids, user_ids = tuple(zip(*bets, strict=True)) or ((), ())
        return cls(ids=tuple(map(str, ids)), user_ids=user_ids)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def first(self) -> UUID:
        return UUID(self.ids[0])

    @property
    def last(self) -> UUID:
        return UUID(self.ids[-1])
