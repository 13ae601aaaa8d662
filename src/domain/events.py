"""An event: its state machine, its versions, and which changes are allowed when."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from domain.errors import FieldFrozen, IllegalTransition, InvalidValue, ScoreNotAllowed
from domain.score import GOALLESS, Score
from domain.text import check_text, fold

LONGEST_TYPE = 50
LONGEST_TEAM = 100
FIRST_VERSION = 1


class EventState(StrEnum):
    """Where an event stands. Bets are taken while `created`; `finished` is final."""

    CREATED = "created"
    ACTIVE = "active"
    FINISHED = "finished"


EVENT_TRANSITIONS: Mapping[EventState, frozenset[EventState]] = MappingProxyType(
    {
        EventState.CREATED: frozenset({EventState.ACTIVE}),
        EventState.ACTIVE: frozenset({EventState.FINISHED}),
        EventState.FINISHED: frozenset(),
    }
)

FROZEN_ONCE_STARTED = ("type", "team_1", "team_2", "event_date")
"""Fields that may change only while the event is created."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One version of an event, whole. Raises InvalidValue when a field is not allowed."""

    id: UUID
    type: str
    team_1: str
    team_2: str
    event_date: datetime
    score: Score = GOALLESS
    state: EventState = EventState.CREATED
    version: int = FIRST_VERSION

    def __post_init__(self) -> None:
        check_text("type", self.type, longest=LONGEST_TYPE)
        check_text("team_1", self.team_1, longest=LONGEST_TEAM)
        check_text("team_2", self.team_2, longest=LONGEST_TEAM)
        _check_teams(self.team_1, self.team_2)
        if self.version < FIRST_VERSION:
            raise InvalidValue("version", "must be 1 or more")

    def same_content(self, other: "Event") -> bool:
        """Equal in everything but the version."""
        return replace(self, version=other.version) == other


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPatch:
    """What a client wants changed; None stands for *not named*. Raises InvalidValue when it names
    equal teams: that is wrong whatever the event is."""

    type: str | None = None
    team_1: str | None = None
    team_2: str | None = None
    event_date: datetime | None = None
    score: Score | None = None
    state: EventState | None = None

    def __post_init__(self) -> None:
        if self.team_1 is not None and self.team_2 is not None:
            _check_teams(self.team_1, self.team_2)

    def changes(self, event: Event) -> dict[str, object]:
        """The named fields whose values differ from the event's, by name."""
        return {
            name: value
            for name in (*FROZEN_ONCE_STARTED, "score", "state")
            if (value := getattr(self, name)) is not None and value != getattr(event, name)
        }

    def carries_with_step(self) -> list[str]:
        """The frozen fields that the patch names beside a step, changed or not."""
        return [name for name in FROZEN_ONCE_STARTED if getattr(self, name) is not None]


def patch_event(event: Event, patch: EventPatch) -> Event:
    """The next version of `event` with `patch` applied, or `event` itself when nothing changes.

    Raises InvalidValue (as when the teams would become equal), IllegalTransition, FieldFrozen or
    ScoreNotAllowed, looked for in this order.
    """
    changes = patch.changes(event)
    if not changes:
        return event
    check_values(event, patch)
    if "state" in changes:
        # A step carries nothing else (but the final score), not even values that change nothing:
        # who sends them means something that this step can't do.
        _check_step(event.state, patch.state or event.state)
        for name in patch.carries_with_step():
            raise FieldFrozen(name)
        if patch.score is not None and patch.state is not EventState.FINISHED:
            raise ScoreNotAllowed
    elif "score" in changes and event.state is EventState.CREATED:
        raise ScoreNotAllowed
    after: Event = replace(event, **changes, version=event.version + 1)  # type: ignore[arg-type]
    check_change(event, after)
    return after


def check_values(event: Event, patch: EventPatch) -> None:
    """Raise InvalidValue when `patch` would make what no event may be, such as one with equal
    teams. That comes before any conflict: it would be as wrong at another version."""
    changes = patch.changes(event)
    if patch.team_1 is not None and patch.team_2 is None:
        _check_teams(event.team_2, patch.team_1, names=("team_2", "team_1"))
    renamed = {name: value for name, value in changes.items() if name in FROZEN_ONCE_STARTED}
    replace(event, **renamed)  # type: ignore[arg-type]


def check_change(before: Event, after: Event) -> None:
    """Raise when `after` is no legal successor of `before` (versions are not looked at)."""
    if after.state is not before.state:
        _check_step(before.state, after.state)
    if before.state is not EventState.CREATED or after.state is not EventState.CREATED:
        for name in FROZEN_ONCE_STARTED:
            if getattr(before, name) != getattr(after, name):
                raise FieldFrozen(name)
    if after.score != before.score and before.state is not EventState.ACTIVE:
        raise ScoreNotAllowed


def _check_teams(first: str, second: str, *, names: tuple[str, str] = ("team_1", "team_2")) -> None:
    """The second one is wrong if they are equal."""
    if fold(first) == fold(second):
        raise InvalidValue(names[1], f"must differ from {names[0]}")


def _check_step(before: EventState, after: EventState) -> None:
    if after not in EVENT_TRANSITIONS[before]:
        raise IllegalTransition(from_state=before, to_state=after)
