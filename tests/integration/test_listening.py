"""Whoever listens takes notice, also while it has nothing to wait for."""

import psycopg2
import pytest

from entrypoints.bootstrap import database_url
from entrypoints.settings import Settings
from tests.integration.system import eventually, running_up

NOTICES = 40_000
"""More than any socket holds."""

STUCK = """
SELECT application_name FROM pg_stat_activity WHERE wait_event = 'ClientWrite'
"""


def test_no_listener_blocks_postgresql(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One that is stuck in the midst of telling a client holds up whoever waits for all backends,
    as DROP DATABASE does, and the queue of notices is never emptied again."""
    with (
        running_up(tmp_path_factory.mktemp("up")) as up,
        database_url(Settings(data=up.folder / "data", database_url="")) as url,
    ):
        connection = psycopg2.connect(url.replace("+psycopg2", ""))
        connection.autocommit = True
        with connection.cursor() as cursor:
            for _ in range(0, NOTICES, 1000):
                # Equal notices of one transaction are told once.
                cursor.execute(
                    "SELECT count(pg_notify('touchline_positions', number::text))"
                    " FROM generate_series(1, 1000) AS number"
                )

            def all_have_heard() -> bool:
                cursor.execute(STUCK)
                return not cursor.fetchall()

            eventually(all_have_heard, patience=30)
        connection.close()
