"""Columns of rows as PostgreSQL's array texts: far cheaper to parse than a literal each."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID


def words(values: Iterable[object]) -> str:
    """Values whose text holds nothing special: ids of ours, numbers, members of enumerations."""
    return "{" + ",".join(map(str, values)) + "}"


def uuids(values: Iterable[UUID]) -> str:
    return "{" + ",".join([value.hex for value in values]) + "}"


def moments(values: Iterable[datetime]) -> str:
    return "{" + ",".join([value.isoformat() for value in values]) + "}"


def texts(values: Iterable[str]) -> str:
    """Any text that PostgreSQL can hold."""
    return "{" + ",".join([_quoted(value) for value in values]) + "}"


def binaries(values: Iterable[bytes | None]) -> str:
    return "{" + ",".join(["NULL" if v is None else f'"\\\\x{v.hex()}"' for v in values]) + "}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
