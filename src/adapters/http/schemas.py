"""The bodies that clients send and get, as OpenAPI describes them; rules come from the domain."""

import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from adapters.http import examples
from adapters.http.examples import items_of, shown_by
from adapters.wire import event_data, format_time, parse_time, placement_data
from domain.bets import LONGEST_USER_ID, Bet, BetState, Market, check_user_id
from domain.errors import InvalidValue
from domain.events import LONGEST_TEAM, LONGEST_TYPE, Event, EventPatch, EventState
from domain.history import BetChange
from domain.messages import EventCreated, EventUpdated
from domain.records import BetTally, EventVersion, Standing
from domain.score import Score
from domain.text import check_text
from domain.verdicts import Publication
from domain.watching import Preview


def _by(check: Callable[[str], object]) -> AfterValidator:
    """Validate with a check of the domain, and let its words be the message."""

    def validate(value: str) -> str:
        try:
            check(value)
        except InvalidValue as invalid:
            raise ValueError(invalid.problem) from invalid
        return value

    return AfterValidator(validate)


_UNPRINTABLE = r"\u0000-\u001f\u007f-\u009f"
_SPACES = r"\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
TEXT_PATTERN = f"^[^{_UNPRINTABLE}{_SPACES}]([^{_UNPRINTABLE}]*[^{_UNPRINTABLE}{_SPACES}])?$"
"""What `check_text` takes, as a document can say it to every regular expression engine."""


def _text(longest: int) -> Any:
    return Field(json_schema_extra={"minLength": 1, "maxLength": longest, "pattern": TEXT_PATTERN})


TypeText = Annotated[
    str, _by(partial(check_text, "type", longest=LONGEST_TYPE)), _text(LONGEST_TYPE)
]
TeamText = Annotated[
    str, _by(partial(check_text, "team", longest=LONGEST_TEAM)), _text(LONGEST_TEAM)
]
UserText = Annotated[str, _by(check_user_id), _text(LONGEST_USER_ID)]
_SCORE = Field(json_schema_extra={"pattern": "^(0|[1-9][0-9]{0,2})-(0|[1-9][0-9]{0,2})$"})
ScoreText = Annotated[str, _by(Score.parse), _SCORE]
TimeText = Annotated[
    str,
    _by(partial(parse_time, "event_date")),
    Field(json_schema_extra={"format": "date-time"}),
]


_HYPHENATED = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def _hyphenated(value: object) -> object:
    """Of the spellings that Python knows, only RFC 9562's: no braces, no URN, all hyphens."""
    if isinstance(value, str) and not _HYPHENATED.fullmatch(value):
        raise ValueError("must be a UUID such as 01a20585-a486-751c-8f89-fd61238fbd4a")
    return value


UuidText = Annotated[UUID, BeforeValidator(_hyphenated)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewEvent(_Body):
    """An event to be created."""

    model_config = shown_by(examples.NEW_EVENT)

    type: TypeText
    team_1: TeamText
    team_2: TeamText
    event_date: TimeText
    score: Literal["0-0"] = "0-0"
    state: Literal["created"] = "created"

    def event(self, event_id: UUID) -> Event:
        return Event(
            id=event_id,
            type=self.type,
            team_1=self.team_1,
            team_2=self.team_2,
            event_date=parse_time("event_date", self.event_date),
        )


_ABSENT: Any = Field(default=None)
"""Absent is not null: a default that is no value of the type, and null is refused as any other."""


class EventFields(_Body):
    """What of an event can change."""

    state: EventState = _ABSENT
    score: ScoreText = _ABSENT
    type: TypeText = _ABSENT
    team_1: TeamText = _ABSENT
    team_2: TeamText = _ABSENT
    event_date: TimeText = _ABSENT

    def patch(self) -> EventPatch:
        named: dict[str, Any] = self.model_dump(exclude_unset=True)
        if "score" in named:
            named["score"] = Score.parse(named["score"])
        if "event_date" in named:
            named["event_date"] = parse_time("event_date", named["event_date"])
        return EventPatch(**named)


class EventChanges(EventFields):
    """What shall change; at least one field."""

    model_config = ConfigDict(
        json_schema_extra={"minProperties": 1, "examples": list(examples.EVENT_CHANGES)}
    )

    @model_validator(mode="after")
    def _not_empty(self) -> "EventChanges":
        if not self.model_fields_set:
            raise ValueError("name at least one field to change")
        return self


class NewBet(_Body):
    """A bet to be placed."""

    model_config = shown_by(examples.NEW_BET)

    userId: UserText  # noqa: N815 - the API's name
    eventId: UuidText  # noqa: N815 - the API's name
    market: Market


class BetChanges(_Body):
    """What of a bet can change from outside: its user, and nothing else."""

    model_config = shown_by({"userId": "bob"})

    userId: UserText  # noqa: N815 - the API's name


# Shown

ShownScore = Annotated[str, _SCORE]
ShownNumber = Annotated[int, Field(ge=1)]


class ShownEvent(BaseModel):
    model_config = shown_by(examples.EVENT)

    id: UUID
    type: str
    team_1: str
    team_2: str
    event_date: str = Field(json_schema_extra={"format": "date-time"})
    score: ShownScore
    state: EventState
    version: ShownNumber


class ShownBet(BaseModel):
    model_config = shown_by(examples.BET)

    id: UUID
    date_created: str = Field(json_schema_extra={"format": "date-time"})
    userId: str  # noqa: N815 - the API's name
    eventId: UUID  # noqa: N815 - the API's name
    market: Market
    state: BetState
    event_version: ShownNumber


class PendingEvent(ShownEvent):
    model_config = shown_by(examples.PENDING_EVENT)

    message_id: UUID


class PendingBet(ShownBet):
    model_config = shown_by(examples.PENDING_BET)

    message_id: UUID


class EventPage(BaseModel):
    model_config = shown_by(examples.EVENT_PAGE)

    items: list[ShownEvent]
    next: str | None


class BetPage(BaseModel):
    model_config = shown_by(examples.BET_PAGE)

    items: list[ShownBet]
    next: str | None


class ShownVersion(BaseModel):
    version: ShownNumber
    state: EventState
    score: ShownScore
    at: str = Field(json_schema_extra={"format": "date-time"})
    message_id: UUID


class EventHistory(BaseModel):
    model_config = items_of(examples.VERSION)

    items: list[ShownVersion]


class ShownChange(BaseModel):
    event_version: ShownNumber
    event_state: EventState
    score: ShownScore
    state: BetState
    at: str = Field(json_schema_extra={"format": "date-time"})


class BetHistory(BaseModel):
    model_config = items_of(examples.CHANGE)

    items: list[ShownChange]


class MarketTally(BaseModel):
    none: int
    winning: int
    losing: int
    win: int
    lose: int


class EventTally(BaseModel):
    model_config = shown_by(examples.TALLY)

    event_version: ShownNumber
    markets: dict[Market, MarketTally]


class ShownPreview(BaseModel):
    model_config = shown_by(examples.PREVIEW)

    event: ShownEvent
    bets: int = Field(description="How many bets stand on the event.")
    flips: dict[BetState, int] = Field(description="How many of them would get which new state.")


class ShownStanding(BaseModel):
    rank: ShownNumber
    userId: str  # noqa: N815 - the API's name
    wins: int
    losses: int
    open: int = Field(description="Bets that are not decided yet.")
    winning: int = Field(description="Of these, how many would win now.")


class Leaderboard(BaseModel):
    model_config = items_of(examples.STANDING)

    items: list[ShownStanding]


class ProblemError(BaseModel):
    loc: list[str | int]
    msg: str


class Problem(BaseModel):
    """RFC 9457; more members where the code has them."""

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"examples": list(examples.PROBLEMS)}
    )

    type: str
    title: str
    status: int
    detail: str
    errors: list[ProblemError] = Field(default=[])


def show_event(event: Event) -> dict[str, object]:
    return event_data(event)


def show_bet(bet: Bet) -> dict[str, object]:
    return placement_data(bet.placement) | {
        "state": bet.state.value,
        "event_version": bet.event_version,
    }


def show_tally(event_version: int, tally: BetTally) -> dict[str, object]:
    markets = {
        market.value: {state.value: tally.get((market, state), 0) for state in BetState}
        for market in Market
    }
    return {"event_version": event_version, "markets": markets}


def show_preview(preview: Preview) -> dict[str, object]:
    flips = {state.value: count for state, count in preview.flips.items()}
    return {"event": show_event(preview.event), "bets": preview.bets, "flips": flips}


def show_standing(standing: Standing) -> dict[str, object]:
    return {
        "rank": standing.rank,
        "userId": standing.user_id,
        "wins": standing.wins,
        "losses": standing.losses,
        "open": standing.open,
        "winning": standing.winning,
    }


def show_pending(publication: Publication) -> dict[str, object]:
    """The resource as it was asked for, and the message that the history will name."""
    message = publication.message
    if isinstance(message, EventCreated | EventUpdated):
        shown = event_data(message.event)
    else:
        shown = placement_data(message.placement) | {
            "state": BetState.NONE.value,
            "event_version": publication.event_version,
        }
    return shown | {"message_id": str(message.id)}


def show_version(version: EventVersion) -> dict[str, object]:
    return {
        "version": version.version,
        "state": version.state.value,
        "score": str(version.score),
        "at": format_time(version.at),
        "message_id": str(version.message_id),
    }


def show_change(change: BetChange) -> dict[str, object]:
    return {
        "event_version": change.event_version,
        "event_state": change.event_state.value,
        "score": str(change.score),
        "state": change.state.value,
        "at": format_time(change.at),
    }
