"""A way to break docker-compose.yml that a check must catch."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, NamedTuple

from tests.compose.document import Document

Check = Callable[[Document], Iterator[str]]

GONE = object()
"""As a new value: the key is removed."""


class Break(NamedTuple):
    """Values put into the document, by their paths, and what the check then says."""

    check: Check
    values: dict[str, Any]
    says: str

    def apply(self, document: Document) -> Document:
        """A broken copy."""
        broken = deepcopy(document)
        for path, value in self.values.items():
            *parents, last = path.split("/")
            place: Any = broken
            for parent in parents:
                place = place[parent]
            key = int(last) if isinstance(place, list) else last
            if value is GONE:
                del place[key]
            else:
                place[key] = value
        return broken


def waits(**conditions: str) -> dict[str, dict[str, str]]:
    """What `depends_on` says then."""
    return {name: {"condition": condition} for name, condition in conditions.items()}
