"""The request headers that Touchline understands, read exactly as docs/api says."""

import re
from collections.abc import Awaitable, Callable, Collection
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from adapters.http.problems import BadRequest

Value = TypeVar("Value")
_VISIBLE_ASCII = re.compile(r"[!-~]{1,255}")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ENTITY_TAG = re.compile(r'[ \t,]*(W/)?"([!#-~\x80-\xff]*)"[ \t]*(?:,|$)')
_VERSION = re.compile(r"[1-9][0-9]{0,9}")
KEY_PATTERN = r'^(?!""$)[!-~]{1,255}$|^"([!#-\[\]-~]|\\[!-~]){1,255}"$'
"""What `idempotency_key` takes, as a document can say it."""

ENTITY_TAGS_PATTERN = (
    r'^\*$|^[ \t,]*(W/)?"[!#-~\u0080-\u00ff]*"([ \t]*,[ \t,]*(W/)?"[!#-~\u0080-\u00ff]*")*[ \t,]*$'
)
"""What `if_match` and `is_known` take, as a document can say it."""

_BLANKS = " \t"
"""What may stand around a value. (Python would also strip Latin-1's non-breaking space.)"""
ANY = "*"


def idempotency_key(request: Request) -> str | None:
    """The Idempotency-Key: visible ASCII as it is, or the content of a quoted string."""
    values = request.headers.getlist("idempotency-key")
    if not values:
        return None
    key = values[0].strip(_BLANKS)
    quoted = _QUOTED.fullmatch(key)
    if quoted is not None:
        key = re.sub(r"\\(.)", r"\1", quoted[1])
    if len(values) > 1 or not _VISIBLE_ASCII.fullmatch(key):
        raise BadRequest(
            (["header", "Idempotency-Key"], "must be 1 to 255 visible ASCII characters")
        )
    return key


def _entity_tags(request: Request, name: str) -> list[tuple[bool, str]] | None:
    """(weak, tag) of each entity tag; None when the header is absent or `*`."""
    values = request.headers.getlist(name)
    text = ", ".join(values).strip(_BLANKS)
    if not values or text == ANY:
        return None
    text = text.rstrip(_BLANKS + ",")  # a list's empty elements count for nothing (RFC 9110)
    tags: list[tuple[bool, str]] = []
    end = -1
    while end < len(text):
        match = _ENTITY_TAG.match(text, max(end, 0))
        if match is None:
            raise BadRequest((["header", name], 'must be entity tags such as "3", or *'))
        tags.append((match[1] is not None, match[2]))
        end = match.end()
    return tags


def if_match(request: Request) -> Collection[int] | None:
    """The versions that the client expects; None when any will do. Weak tags never match."""
    tags = _entity_tags(request, "If-Match")
    if tags is None:
        return None
    return {int(tag) for weak, tag in tags if not weak and _VERSION.fullmatch(tag)}


def is_known(request: Request, version: int) -> bool:
    """Whether If-None-Match says that the client has this version already."""
    if request.headers.get("if-none-match", "").strip(_BLANKS) == ANY:
        return True
    tags = _entity_tags(request, "If-None-Match") or []
    return str(version) in (tag for _, tag in tags)


def respond_async(request: Request) -> bool:
    """Whether the client prefers not to wait for the decision (RFC 7240)."""
    preferences = ",".join(request.headers.getlist("prefer")).split(",")
    return any(p.partition(";")[0].strip().lower() == "respond-async" for p in preferences)


def entity_tag(version: int) -> str:
    return f'"{version}"'


def _at_once(read: Callable[[Request], Value]) -> Callable[[Request], Awaitable[Value]]:
    """A dependency that runs where it is. FastAPI gives others to a thread, which costs more."""

    async def dependency(request: Request) -> Value:
        return read(request)

    return dependency


IdempotencyKey = Annotated[str | None, Depends(_at_once(idempotency_key))]
IfMatch = Annotated[Collection[int] | None, Depends(_at_once(if_match))]
RespondAsync = Annotated[bool, Depends(_at_once(respond_async))]
