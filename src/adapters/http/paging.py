"""Pages of a list: `?limit=`, `?cursor=`, and `{"items", "next"}`."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from domain.records import Cursor

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 500
Item = TypeVar("Item")


def encode_cursor(items: str, cursor: Cursor) -> str:
    """A place in the list of these items, opaque to clients."""
    text = f"{items} {cursor.created_at.isoformat()} {cursor.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(items: str, text: str) -> Cursor:
    """Raise ValueError for anything that `encode_cursor` didn't make for these items."""
    try:
        padded = text + "=" * (-len(text) % 4)
        _, when, item = base64.b64decode(padded, b"-_", validate=True).decode().split(" ")
        cursor = Cursor(datetime.fromisoformat(when), UUID(item))
        known = encode_cursor(items, cursor) == text and cursor.created_at.tzinfo is UTC
    except (ValueError, binascii.Error):
        known = False
    if not known:
        raise ValueError("must be the `next` of an earlier page")
    return cursor


def _ascii_number(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII):
        raise ValueError(f"must be a number from 1 to {LARGEST_LIMIT}")
    return value


class LimitQuery(BaseModel):
    """The query parameter of every list."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=LARGEST_LIMIT), BeforeValidator(_ascii_number)] = (
        DEFAULT_LIMIT
    )


class PageQuery(LimitQuery):
    """The query parameters of a list that goes on; `items` names what it lists."""

    items: ClassVar[str]

    cursor: str | None = Field(
        default=None,
        description="The `next` of the page before.",
        json_schema_extra={"minLength": 1},
    )

    @field_validator("cursor")
    @classmethod
    def _is_of_this_list(cls, text: str) -> str:
        decode_cursor(cls.items, text)
        return text

    @property
    def after(self) -> Cursor | None:
        return None if self.cursor is None else decode_cursor(self.items, self.cursor)


def page_of(
    items: Sequence[Item],
    query: PageQuery,
    *,
    cursor: Callable[[Item], Cursor],
    show: Callable[[Item], dict[str, object]],
) -> dict[str, object]:
    """A page from `query.limit` + 1 items: the one too many tells that there is a next page."""
    shown = items[: query.limit]
    more = len(items) > len(shown)
    return {
        "items": [show(item) for item in shown],
        "next": encode_cursor(query.items, cursor(shown[-1])) if more else None,
    }
