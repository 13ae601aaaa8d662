"""Running the revisions with alembic; loaded only when there is something to do."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from domain.errors import Misconfigured


def upgrade(connection: Connection) -> None:
    """To head, in the connection's transaction; Misconfigured when the schema is a newer one."""
    config = alembic_config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as unknown:
        raise Misconfigured(f"the database schema is a newer version's: {unknown}") from unknown


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
