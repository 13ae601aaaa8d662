"""What JSON Schema can say of each message: all that a record must be to be read.

Texts, scores, choices and limits are those that the servers are described by, which are the
domain's. A test holds every schema here to the codec, in both directions.
"""

import re
from typing import Any

from pydantic import TypeAdapter

from adapters.canonical import CAUSE
from adapters.cloudevents import CONTENT_TYPE, LARGEST_NUMBER, SOURCES
from adapters.http.schemas import ScoreText, TeamText, TypeText, UserText
from adapters.wire import TIME_PATTERN
from domain.bets import BetState, Market
from domain.events import FIRST_VERSION, EventState
from domain.messages import (
    BET_KINDS,
    MESSAGE_TYPES,
    SLICE_SIZE,
    BetsStateChanged,
    Message,
)

Json = dict[str, Any]

LOWER_CASE_ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
SLICE_NUMBER = "(0|[1-9][0-9]{0,8})"


def components() -> Json:
    """The schemas that messages share, by name."""
    return {
        "Market": _choices(
            Market, "What is bet on: that team_1 wins, that nobody does, or team_2."
        ),
        "EventState": _choices(
            EventState, "Bets are taken while `created`. From `finished` nothing leads on."
        ),
        "BetState": _choices(
            BetState, "How a bet stands. `win` and `lose` are final. A draw loses both team bets."
        ),
        "Event": _event(),
        "Placement": _placement(),
        "Slice": _slice(),
        "SlicedBet": _sliced_bet(),
    }


def payload(kind: type[Message]) -> Json:
    """A whole message: its CloudEvents envelope, and the data in it."""
    subject = (
        "The bet's id, as in `data`." if kind in BET_KINDS else "The event's id, as in `data`."
    )
    return _object(
        specversion={"const": "1.0"},
        id=_id("The message's id. A message that is told again has the same one."),
        source=_text(f"Who says it; Touchline itself as `{SOURCES[kind]}`."),
        type={"const": MESSAGE_TYPES[kind]},
        subject=_id(subject),
        time=_time("When it was said; of a slice, when its event's version was asked for."),
        data=ref(_DATA.get(kind, "Event")),
    )


def key(kind: type[Message]) -> Json:
    """The record's key, in UTF-8."""
    if kind is BetsStateChanged:
        markets = "|".join(Market)
        return {
            "type": "string",
            "pattern": f"^{LOWER_CASE_ID}:({markets}):{SLICE_NUMBER}$",
            "description": "`EVENT:MARKET:N`: the event's id and the market as in `data`, and the "
            "slice's number. A bet is always in the slice of the same number, so all that is said "
            "of it lies on one partition.",
        }
    return {
        "type": "string",
        "format": "uuid",
        "pattern": f"^{LOWER_CASE_ID}$",
        "description": "The event's id, in lower case: all that is said of one event lies on one "
        "partition, in order.",
    }


def headers(kind: type[Message]) -> Json:
    """Sent, not required."""
    content_type = {
        "type": "string",
        "description": "Sent, but not required of others.",
        "examples": [CONTENT_TYPE],
    }
    cause = {
        "type": "string",
        "description": "The id of the `event.updated` that the new states follow from, to find it "
        "in logs. A hint: it may be missing, and changes nothing.",
    }
    is_slice = kind is BetsStateChanged
    return {
        "type": "object",
        "properties": {"content-type": content_type} | ({CAUSE: cause} if is_slice else {}),
    }


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


_DATA: dict[type[Message], str] = {
    **dict.fromkeys(BET_KINDS, "Placement"),
    BetsStateChanged: "Slice",
}


def _event() -> Json:
    return _object(
        "One version of an event, whole.",
        id=_id("The event's id."),
        type=_as(TypeText, "The sport, or whatever kind of event it is."),
        team_1=_as(TeamText, "The home side."),
        team_2=_as(TeamText, "The other side; another name, also when letters' case is ignored."),
        event_date=_time("When it is planned to begin. Nothing depends on it."),
        score=_as(ScoreText, "Goals of team_1, goals of team_2. They may go down again."),
        state=ref("EventState"),
        version=_version("1 at its creation, and one more with each accepted change."),
    )


def _placement() -> Json:
    return _object(
        "A bet as it was asked for; nothing about how it stands.",
        id=_id("The bet's id."),
        date_created=_time("When the bets API took it. It decides nothing: the log's order does."),
        userId=_as(UserText, "Whose bet it is; an opaque text."),
        eventId=_id("The event that is bet on."),
        market=ref("Market"),
    )


def _slice() -> Json:
    return _object(
        "Bets on one market of one event, and the state that they all have from this version on.",
        eventId=_id("The event."),
        event_version=_version("The event's version that makes it so. Numbers may be left out."),
        market=ref("Market"),
        state=ref("BetState"),
        bets={
            "type": "array",
            "minItems": 1,
            "maxItems": SLICE_SIZE,
            "items": ref("SlicedBet"),
            "description": "In rising order of their ids, each once.",
        },
    )


def _sliced_bet() -> Json:
    return _object(
        id=_id("The bet's id."), userId=_as(UserText, "Whose bet it is; an opaque text.")
    )


# Small parts


def _object(description: str = "", /, **members: Json) -> Json:
    """An object that has these members, and may have more."""
    schema = {"type": "object", "required": list(members), "properties": members}
    return schema | ({"description": description} if description else {})


def _as(kind: Any, description: str) -> Json:
    """What the servers' documents say of such a value."""
    return TypeAdapter(kind).json_schema() | {"description": description}


def _choices(kind: Any, description: str) -> Json:
    return {"type": "string", "enum": [str(each) for each in kind], "description": description}


def _text(description: str) -> Json:
    return {"type": "string", "description": description}


def _id(description: str) -> Json:
    any_case = re.sub("a-f", "a-fA-F", LOWER_CASE_ID)
    pattern = f"^{any_case}$"
    return {"type": "string", "format": "uuid", "pattern": pattern, "description": description}


def _time(description: str) -> Json:
    return {
        "type": "string",
        "format": "date-time",
        "pattern": TIME_PATTERN,
        "description": description,
    }


def _version(description: str) -> Json:
    return {
        "type": "integer",
        "minimum": FIRST_VERSION,
        "maximum": LARGEST_NUMBER,
        "description": description,
    }
