"""A rolling upgrade under load, as docs/operations.md says: the schema expands, old and new
processes work side by side, and old ones may come back."""

from pathlib import Path

import pytest

from tests.integration.operations.newer import INDEX_BEFORE, newer_code
from tests.integration.operations.procedure import follow
from tests.integration.operations.tables import execute, rows
from tests.integration.promises import Promises
from tests.integration.site import Site, running_site
from tests.integration.system import CONSUMERS, Processes, eventually

URL = "TOUCHLINE_DATABASE_URL"

pytestmark = pytest.mark.long


def test_old_and_new_processes_together(tmp_path: Path) -> None:
    with running_site(tmp_path, has_started=False) as site:
        system = site.system
        system.environment[URL] = site.postgres.url.replace("postgresql+psycopg2:", "postgresql:")
        system.start()
        promises = Promises(system.client)
        with promises.kept_busy():
            promises.after(10)
            upgrade(site, promises, str(newer_code(tmp_path)))
            promises.push()
            go_back(site, promises)
            promises.after(10)
        promises.check(system)
        assert added_by(site) == {None, "new"}


def upgrade(site: Site, promises: Promises, code: str) -> None:
    system = site.system
    system.environment["PYTHONPATH"] = code
    # Who comes too soon does nothing, and says what is missing.
    first = system.add_member("bet-writer")
    eventually(lambda: says_what_is_missing(system, first))
    execute(system.environment[URL], INDEX_BEFORE)
    follow("Migrate", folder=system.folder, environment=system.environment)
    eventually(lambda: system.is_ready(first))
    promises.after(10)
    for name in [each for each in system.names if each != first]:
        restart(system, name)
        promises.after(5)
    assert system.remove_member(first) == 0
    assert "new" in added_by(site)


def go_back(site: Site, promises: Promises) -> None:
    """To the old code, which finds a newer schema."""
    system = site.system
    del system.environment["PYTHONPATH"]
    follow("Migrate", folder=system.folder, environment=system.environment)
    for name in ("bets-api", *(f"{consumer}-0" for consumer in CONSUMERS)):
        restart(system, name)
        promises.after(5)


def restart(system: Processes, name: str) -> None:
    assert system.stop_one(name) == 0
    system.start_one(name)
    eventually(lambda: system.is_ready(name))


def says_what_is_missing(system: Processes, name: str) -> bool:
    health = system.health(name)
    return all("run `touchline migrate`" in health.get(x, "") for x in ("database", "consumer"))


def added_by(site: Site) -> set[str | None]:
    url = site.system.environment[URL]
    return {each for (each,) in rows(url, "SELECT DISTINCT added_by FROM bets")}
