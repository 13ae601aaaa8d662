"""Faults of every kind at random moments, alone and two at a time, for minutes. Each run is another
one; its seed is printed, and given as SEED in the environment it makes the same choices again."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import pytest

from tests.integration.promises import Promises
from tests.integration.site import APIS, Site, running_site
from tests.integration.system import CONSUMERS

pytestmark = pytest.mark.long

KILLS = 40
ROUNDS = 20
LONGEST_FAULT = 4.0
"""Seconds."""

SESSION = 10.0
"""Seconds after which a silent member is taken for dead."""

WAYS = ("reset", "cut", "freeze", "delay")

Fault = Callable[[Site, random.Random], AbstractContextManager[None]]
"""Breaks something, and mends it at the end."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site"), with_links=True) as site:
        for consumer in CONSUMERS:
            site.system.add_member(consumer)
        site.system.are_ready()
        yield site


@pytest.fixture
def chance() -> random.Random:
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(2**32))
    print(f"SEED={seed}")  # noqa: T201
    return random.Random(seed)


@pytest.fixture
def promises(site: Site) -> Iterator[Promises]:
    """Clients at work meanwhile; then all is held to what they heard."""
    promises = Promises(site.system.client)
    with promises.kept_busy():
        promises.after(10)
        yield promises
        site.system.are_ready()
        promises.after(20)
    promises.check(site.system)


def test_kills_at_random_moments(site: Site, promises: Promises, chance: random.Random) -> None:
    """Each process dies some times; those that are just starting, too."""
    system = site.system
    for kill in range(KILLS):
        time.sleep(chance.uniform(0, 1))
        some = chance.randint(1, 2) if chance.random() < 0.9 else len(system.names)
        for name in chance.sample(sorted(system.names), some):
            system.kill(name)
            system.start_one(name)
        if kill % 10 == 9:
            system.are_ready()
            promises.after(5)


def test_random_faults(site: Site, promises: Promises, chance: random.Random) -> None:
    for number in range(ROUNDS):
        ranks = sorted(chance.sample(range(len(FAULTS)), chance.choice((1, 1, 2))))
        faults = [chance.choice(FAULTS[rank]) for rank in ranks]
        print(f"round {number}: {', '.join(fault.__name__ for fault in faults)}")  # noqa: T201
        with ExitStack() as stack:
            for fault in faults:
                stack.enter_context(fault(site, chance))
                time.sleep(chance.uniform(0, LONGEST_FAULT))
        site.system.are_ready()
        promises.after(3)


@contextmanager
def broker_is_killed(site: Site, chance: random.Random) -> Iterator[None]:
    site.broker.kill()
    yield
    site.broker.start()


@contextmanager
def broker_is_frozen(site: Site, chance: random.Random) -> Iterator[None]:
    site.broker.suspend()
    yield
    site.broker.resume()


@contextmanager
def postgresql_is_killed(site: Site, chance: random.Random) -> Iterator[None]:
    site.postgres.kill()
    yield
    site.postgres.start()


@contextmanager
def database_connections_are_terminated(site: Site, chance: random.Random) -> Iterator[None]:
    site.postgres.terminate_connections()
    yield
    site.postgres.terminate_connections()


@contextmanager
def some_are_killed(site: Site, chance: random.Random) -> Iterator[None]:
    names = sorted(site.system.names)
    victims = chance.sample(names, chance.randint(1, len(names)))
    site.system.kill(*victims)
    yield
    for name in victims:
        site.system.start_one(name)


@contextmanager
def a_consumer_stands_still(site: Site, chance: random.Random) -> Iterator[None]:
    """Sometimes for so long that others take over."""
    name = chance.choice([name for name in sorted(site.system.names) if name not in APIS])
    process = site.system.running[name]
    process.send(signal.SIGSTOP)
    if chance.random() < 0.5:
        time.sleep(SESSION + 1)
    yield
    process.send(signal.SIGCONT)


@contextmanager
def members_come_and_go(site: Site, chance: random.Random) -> Iterator[None]:
    consumer = chance.choice(CONSUMERS)
    oldest = site.system.members(consumer)[0]
    site.system.add_member(consumer)
    yield
    assert site.system.remove_member(oldest) == 0


@contextmanager
def a_link_breaks(site: Site, chance: random.Random) -> Iterator[None]:
    name, how = chance.choice(("kafka", "postgres")), chance.choice(WAYS)
    print(f"the link to {name}: {how}")  # noqa: T201
    link = site.links[name]
    if how == "delay":
        link.delay(chance.uniform(0.01, 0.2))
    else:
        getattr(link, how)()
    yield
    link.heal()


FAULTS: list[list[Fault]] = [
    [broker_is_killed, broker_is_frozen],
    [postgresql_is_killed, database_connections_are_terminated],
    [some_are_killed, a_consumer_stands_still, members_come_and_go],
    [a_link_breaks],
]
"""No two of one kind at a time. The last that came goes first: a broker starts only where it can
be reached."""
