"""The next version of Touchline: this code, which expands the schema and uses what is new there."""

import shutil
from pathlib import Path

from adapters.postgres.migrate import HEAD

SOURCES = Path(__file__).parents[3] / "src"
REVISION = f"{int(HEAD[:4]) + 1:04}_for_{HEAD[:4]}"

INDEX = "CREATE INDEX IF NOT EXISTS bets_by_version ON bets (event_version)"
INDEX_BEFORE = INDEX.replace("INDEX", "INDEX CONCURRENTLY", 1)
"""While everybody writes, before the migration."""

MIGRATION = f"""
from alembic import op

revision = "{REVISION}"
down_revision = "{HEAD}"


def upgrade() -> None:
    op.execute("ALTER TABLE bets ADD COLUMN added_by text")
    op.execute("CREATE TABLE adders (name text PRIMARY KEY)")
    op.execute("{INDEX}")
"""

_ADDS = (
    "INSERT INTO bets ({_BET})\nSELECT * FROM",
    "INSERT INTO bets ({_BET}, added_by)\nSELECT *, 'new' FROM",
)


def newer_code(folder: Path) -> Path:
    """Where it lies, for PYTHONPATH."""
    sources = folder / "src"
    shutil.copytree(SOURCES, sources, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    postgres = sources / "adapters" / "postgres"
    (postgres / "migrations" / "versions" / "r9999_added_by.py").write_text(MIGRATION)
    _replace(postgres / "migrate.py", f'HEAD = "{HEAD}"', f'HEAD = "{REVISION}"')
    _replace(postgres / "bets.py", *_ADDS)
    return sources


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, old
    file.write_text(text.replace(old, new))
