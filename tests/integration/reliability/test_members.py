"""Members of the consumer groups that come, go, and stand still for so long that they are taken
for dead: others take over, and what the dead do when they wake changes nothing."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import cycle

import pytest

from tests.integration.promises import Promises
from tests.integration.reliability.membership import (
    has_all,
    has_members,
    is_shared_out,
    waiting_for_a_lock,
)
from tests.integration.site import Site, running_site
from tests.integration.system import CONSUMERS, eventually

IDLE_SECONDS = 3
"""PostgreSQL ends a transaction that has stood still for so long. Shorter than in production, so
that it is over while its owner is stopped: its COMMIT comes too late."""

EVENTS = 30
"""So many leave out one of three partitions but once in sixty thousand times."""

UNANSWERED = {"Prefer": "respond-async"}


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
    logs = {zombie: system.folder / f"{zombie}.log" for zombie in zombies}
    with everybody_in_the_midst_of_a_batch(site):
        before = {zombie: log.stat().st_size for zombie, log in logs.items()}
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
    # They had begun to write, and were not let finish.
    for zombie in zombies:
        assert b"DatabaseUnavailable" in logs[zombie].read_bytes()[before[zombie] :]


@contextmanager
def everybody_in_the_midst_of_a_batch(site: Site) -> Iterator[None]:
    """Every member waits for the positions from which its batch begins."""
    client = site.system.client
    events = cycle([client.event()["id"] for _ in range(EVENTS)])
    with site.postgres.cursor() as cursor:
        # The last in the order of work come first: the ones before still give them something to do.
        for consumer in reversed(CONSUMERS):
            # Who only looks, or says that it is caught up, is not held up by this.
            cursor.execute("SELECT FROM positions WHERE consumer = %s FOR KEY SHARE", (consumer,))
            eventually(partial(_all_wait_or_have_more, site, consumer, events))
        assert all(_all_wait(site, consumer) for consumer in CONSUMERS)
        yield


def _all_wait_or_have_more(site: Site, consumer: str, events: Iterator[str]) -> bool:
    """The clients' load could stop: each waits for an answer, perhaps all for the same member."""
    if _all_wait(site, consumer):
        return True
    client = site.system.client
    client.post_event(headers=UNANSWERED)
    client.post_bet(next(events), "draw", headers=UNANSWERED)
    return False


def _all_wait(site: Site, consumer: str) -> bool:
    return waiting_for_a_lock(site, consumer) == len(site.system.members(consumer))
