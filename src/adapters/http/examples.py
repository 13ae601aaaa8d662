"""What the OpenAPI documents show of each body: one match, one bet, at the same moment.

Plain values, so that nothing is computed for them; a test holds each to its schema.
"""

from typing import Any

from pydantic import ConfigDict

Example = dict[str, Any]

NEW_EVENT: Example = {
    "type": "football",
    "team_1": "Argentina",
    "team_2": "France",
    "event_date": "2022-12-18T15:00:00Z",
}
_EVENT_ID = "01a20585-a486-751c-8f89-fd61238fbd4a"
EVENT: Example = {
    "id": _EVENT_ID,
    **NEW_EVENT,
    "score": "1-0",
    "state": "active",
    "version": 3,
}
_MESSAGE_ID = "01a20585-c3a1-7d02-9a55-2f0be1f6a9d7"
EVENT_PAGE: Example = {
    "items": [EVENT],
    "next": "ZXZlbnRzIDIwMjItMTItMDFUMDk6MDA6MDAuMTIzNDU2KzAwOjAwIDAxYTIwNTg1LWE0ODYt"
    "NzUxYy04Zjg5LWZkNjEyMzhmYmQ0YQ",
}
PENDING_EVENT: Example = EVENT | {"message_id": _MESSAGE_ID}
EVENT_CHANGES: tuple[Example, ...] = (
    {"state": "active"},
    {"score": "1-0"},
    {"state": "finished", "score": "3-3"},
)
VERSION: Example = {
    "version": 3,
    "state": "active",
    "score": "1-0",
    "at": "2022-12-18T15:22:53.251873Z",
    "message_id": _MESSAGE_ID,
}

NEW_BET: Example = {"userId": "ann", "eventId": _EVENT_ID, "market": "team_1"}
BET: Example = {
    "id": "544d87d5-5ea6-50d0-ba8d-eadaedaa7747",
    "date_created": "2022-12-17T20:09:34.506128Z",
    **NEW_BET,
    "state": "winning",
    "event_version": 3,
}
BET_PAGE: Example = {
    "items": [BET],
    "next": "YmV0cyAyMDIyLTEyLTE3VDIwOjA5OjM0LjUwNjEyOCswMDowMCA1NDRkODdkNS01ZWE2LTUw"
    "ZDAtYmE4ZC1lYWRhZWRhYTc3NDc",
}
PENDING_BET: Example = BET | {"state": "none", "event_version": 1, "message_id": _MESSAGE_ID}
CHANGE: Example = {
    "event_version": 3,
    "event_state": "active",
    "score": "1-0",
    "state": "winning",
    "at": "2022-12-18T15:22:53.251873Z",
}
_NONE: Example = {"none": 0, "winning": 0, "losing": 0, "win": 0, "lose": 0}
TALLY: Example = {
    "event_version": 3,
    "markets": {
        "team_1": _NONE | {"winning": 40},
        "draw": _NONE | {"losing": 25},
        "team_2": _NONE | {"losing": 38},
    },
}
PREVIEW: Example = {"event": EVENT, "bets": 103, "flips": {"winning": 40, "losing": 25}}
STANDING: Example = {"rank": 1, "userId": "ann", "wins": 4, "losses": 1, "open": 2, "winning": 1}

PROBLEMS: tuple[Example, ...] = (
    {
        "type": "/problems/event-not-open",
        "title": "Event not open",
        "status": 409,
        "detail": "the event is no longer open for bets: it has left created",
    },
    {
        "type": "/problems/validation-error",
        "title": "Validation error",
        "status": 422,
        "detail": "body.userId: Field required",
        "errors": [{"loc": ["body", "userId"], "msg": "Field required"}],
    },
)


def shown_by(*examples: Example) -> ConfigDict:
    """The configuration of a model whose schema shows these."""
    return ConfigDict(json_schema_extra={"examples": list(examples)})


def items_of(example: Example) -> ConfigDict:
    """As `shown_by`, of a list that is always whole."""
    return shown_by({"items": [example]})
