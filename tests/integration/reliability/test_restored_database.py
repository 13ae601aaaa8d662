"""A database that goes back to a backup, under load: what was told since then is told again."""

from collections.abc import Iterator

import pytest

from tests.integration.promises import Promises
from tests.integration.site import Site, running_site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.mark.parametrize("meanwhile", [pytest.param("stopped", marks=pytest.mark.long), "running"])
def test_a_database_from_a_backup_catches_up(site: Site, meanwhile: str) -> None:
    system = site.system
    promises = Promises(system.client, goes_back=True)
    with promises.kept_busy():
        promises.after(20)
        dump = site.postgres.dump()
        promises.after(40)
        promises.push()
        if meanwhile == "stopped":
            system.kill()
        site.postgres.restore(dump)
        if meanwhile == "stopped":
            system.start()
        promises.after(20)
    if meanwhile == "running":
        promises.check_answers()
    promises.check(system)
