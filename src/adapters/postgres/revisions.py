"""Which code and which schema go together. A revision's id says it: `0003_for_0002` is the third
one, and whoever knows the second works on it, too. So old processes go on while new ones come.
"""

import re
from typing import NamedTuple

from sqlalchemy import Connection

from domain.errors import Misconfigured

# Not to_regclass: what that has not found, it does not look for again in the same transaction.
_HAS_REVISION = (
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_class"
    " WHERE relname = 'alembic_version' AND pg_catalog.pg_table_is_visible(oid))"
)

_ID = re.compile(r"([0-9]{4})(?:_for_([0-9]{4}))?")

TO_DO = "run `touchline migrate`"


class Revision(NamedTuple):
    """A schema: its number, and the lowest head of code that works on it."""

    number: int
    oldest: int

    @classmethod
    def parse(cls, text: str) -> "Revision":
        """Without `_for_`, older code doesn't work on it. Misconfigured if it is none of ours."""
        found = _ID.fullmatch(text)
        if found is None:
            raise Misconfigured(f"the database schema is a newer version's: {text}")
        number, oldest = found.groups(default=found[1])
        return cls(int(number), int(oldest))


NOTHING = Revision(0, 0)
"""An empty database."""


def revision_of(connection: Connection) -> Revision:
    """The revision of the database's schema."""
    if not connection.exec_driver_sql(_HAS_REVISION).scalar_one():
        return NOTHING
    rows = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all()
    return Revision.parse(rows[0]) if rows else NOTHING


def is_behind(schema: Revision, head: str) -> bool:
    """Whether the schema is older than this code, whose newest revision is `head`. Misconfigured
    when it is a newer one that this code doesn't work on any more."""
    known = Revision.parse(head).number
    if known < schema.oldest:
        raise Misconfigured(
            f"the database schema is a newer version's: {schema.number}, which needs one that"
            f" knows {schema.oldest}; this one knows {known}"
        )
    return schema.number < known


def check_revision(connection: Connection, head: str) -> None:
    """Misconfigured, with what to do, unless this code works on the schema."""
    schema = revision_of(connection)
    if is_behind(schema, head):
        raise Misconfigured(f"{TO_DO}: the schema is {schema.number or 'not there'}, not {head}")
