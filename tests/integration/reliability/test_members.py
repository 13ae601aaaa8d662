"""Members of the consumer groups that come, go, and stand still for so long that they are taken
for dead: others take over, and what the dead do when they wake changes nothing."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from tests.integration.promises import Promises
from tests.integration.reliability.membership import has_all, has_members, is_shared_out
from tests.integration.site import Site, running_site
from tests.integration.system import CONSUMERS, eventually

IDLE_SECONDS = 3
"""PostgreSQL ends a transaction that has stood still for so long. Shorter than in production, so
that it is over while its owner is stopped: its COMMIT comes too late."""

ATTEMPTS = 20
WRITERS = ("touchline event-writer", "touchline bet-writer")
TO_WRITE = "RowShareLock"
"""What SELECT … FOR UPDATE takes of a table; looking, or saying how far one is, takes others."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    options = f"-c idle_in_transaction_session_timeout={IDLE_SECONDS}s"
    with running_site(tmp_path_factory.mktemp("site"), with_options=options) as site:
        yield site


@pytest.fixture
def promises(site: Site) -> Iterator[Promises]:
    """Clients at work meanwhile; then all is held to what they heard."""
    promises = Promises(site.system.client)
    with promises.kept_busy():
        promises.after(5)
        yield promises
        promises.after(10)
    promises.check_answers()
    promises.check(site.system)


def test_groups_grow_and_shrink(site: Site, promises: Promises) -> None:
    for members in (1, 3, 2):
        has_members(site, members)
        promises.after(10)


@pytest.mark.parametrize("rank", [0, pytest.param(1, marks=pytest.mark.long)])
def test_zombies(site: Site, promises: Promises, rank: int) -> None:
    system = site.system
    has_members(site, 2)
    zombies = [system.members(consumer)[rank] for consumer in CONSUMERS]
    heirs = [system.members(consumer)[1 - rank] for consumer in CONSUMERS]
    with everybody_in_the_midst_of_a_batch(site):
        for zombie in zombies:
            system.running[zombie].send(signal.SIGSTOP)
    try:
        for heir in heirs:
            eventually(partial(has_all, site, heir))
        promises.push()
        promises.after(10)
    finally:
        for zombie in zombies:
            system.running[zombie].send(signal.SIGCONT)
    for consumer in CONSUMERS:
        eventually(partial(is_shared_out, site, consumer))
    system.are_ready()
    # The writers had begun to write, and were not let finish.
    for zombie in zombies[:2]:
        assert "DatabaseUnavailable" in (system.folder / f"{zombie}.log").read_text()


@contextmanager
def everybody_in_the_midst_of_a_batch(site: Site) -> Iterator[None]:
    """Every member has read records, and waits for the positions to begin its decision."""
    members = {f"touchline {name}": len(site.system.members(name)) for name in CONSUMERS}
    for _ in range(ATTEMPTS):
        with site.postgres.cursor() as cursor:
            cursor.execute("LOCK TABLE positions IN ACCESS EXCLUSIVE MODE")
            waiting = eventually(lambda cursor=cursor: _waiting(cursor, members))  # type: ignore[misc]
            if all(waiting[name] == {TO_WRITE} for name in WRITERS):
                yield
                return
        # Somebody only looked, such as at what it has just been given: let all go on.
    pytest.fail(f"not all had a batch at once, in {ATTEMPTS} attempts")


def _waiting(cursor: Any, members: Mapping[str, int]) -> Mapping[str, set[str]] | None:
    """In which modes the members wait for the positions, by name; None unless all do."""
    cursor.execute(
        "SELECT application_name, array_agg(mode) FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE NOT granted AND relation = 'positions'::regclass GROUP BY 1"
    )
    found = dict(cursor.fetchall())
    if {name: len(found.get(name, ())) for name in members} != members:
        return None
    return {name: set(found[name]) for name in members}
