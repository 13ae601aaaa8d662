"""Connections that end, hang, crawl or can't be made: nothing is lost, and nobody waits long."""

from collections.abc import Iterator

import pytest

from tests.integration.promises import Promises
from tests.integration.site import Site, running_site

SLOW = 0.1
"""Seconds that a piece of a conversation may be held up: dozens of pieces make one answer."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site"), with_links=True) as site:
        yield site


@pytest.fixture
def promises(site: Site) -> Iterator[Promises]:
    """Clients at work from before the fault until after it; then all is held to what they heard."""
    promises = Promises(site.system.client)
    with promises.kept_busy():
        promises.after(5)
        promises.push()
        yield promises
        for link in site.links.values():
            link.heal()
        site.system.are_ready()
        promises.after(10)
    promises.check_answers()
    promises.check(site.system)


def test_all_database_connections_are_terminated(site: Site, promises: Promises) -> None:
    for _ in range(3):
        assert site.postgres.terminate_connections() >= len(site.system.names)
        promises.after(5)


@pytest.mark.parametrize("to", [pytest.param("kafka", marks=pytest.mark.long), "postgres"])
def test_all_connections_are_reset(site: Site, promises: Promises, to: str) -> None:
    for _ in range(3):
        site.links[to].reset()
        promises.after(5)


@pytest.mark.parametrize("to", ["kafka", pytest.param("postgres", marks=pytest.mark.long)])
def test_a_slow_network(site: Site, promises: Promises, to: str) -> None:
    site.links[to].delay(SLOW)
    promises.after(5)


@pytest.mark.parametrize(
    ("to", "how"),
    [
        ("kafka", "cut"),
        ("postgres", "freeze"),
        pytest.param("kafka", "freeze", marks=pytest.mark.long),
        pytest.param("postgres", "cut", marks=pytest.mark.long),
    ],
)
def test_a_network_that_is_away(site: Site, promises: Promises, to: str, how: str) -> None:
    getattr(site.links[to], how)()
    promises.after_refusals(3)
    if to == "kafka":
        site.says_that_kafka_is_away()
    else:
        site.says_that_postgresql_is_away()
