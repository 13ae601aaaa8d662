"""How values are spelt in JSON, the same in messages and over HTTP."""

import re
from datetime import UTC, datetime

from domain.bets import Placement
from domain.errors import InvalidValue
from domain.events import Event

TIME_PATTERN = (
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?"
    "([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
"""What `parse_time` takes, as a document can say it. The calendar has more to say."""

_RFC3339 = re.compile(TIME_PATTERN)

_YEAR_ZERO = "0000"


def format_time(time: datetime) -> str:
    """RFC 3339 in UTC, such as 2022-12-18T15:00:00Z."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_time(field: str, text: str) -> datetime:
    """Read RFC 3339 with an offset, into UTC; raise InvalidValue that names `field`."""
    why = "must be an RFC 3339 time with an offset, such as 2022-12-18T15:00:00Z"
    if _RFC3339.fullmatch(text):
        try:
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            if isinstance(error, OverflowError) or text.startswith(_YEAR_ZERO):
                why = "must lie in the years 1 to 9999 in UTC"
    raise InvalidValue(field, why)


def event_data(event: Event) -> dict[str, object]:
    """An event, spelled the same in messages and over HTTP."""
    return {
        "id": str(event.id),
        "type": event.type,
        "team_1": event.team_1,
        "team_2": event.team_2,
        "event_date": format_time(event.event_date),
        "score": str(event.score),
        "state": event.state.value,
        "version": event.version,
    }


def placement_data(placement: Placement) -> dict[str, object]:
    """A bet as it was asked for, spelled likewise."""
    return {
        "id": str(placement.id),
        "date_created": format_time(placement.date_created),
        "userId": placement.user_id,
        "eventId": str(placement.event_id),
        "market": placement.market.value,
    }
