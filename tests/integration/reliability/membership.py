"""Who is in the consumer groups, and who of them works on what."""

import re
import signal
from contextlib import suppress
from functools import partial

import httpx

from tests.integration.site import Site
from tests.integration.system import CONSUMERS, eventually


def has_members(site: Site, members: int) -> None:
    """Let each group have so many, and wait until they share the partitions."""
    system = site.system
    for consumer in CONSUMERS:
        while len(system.members(consumer)) < members:
            system.add_member(consumer)
        while len(system.members(consumer)) > members:
            # The oldest: it has worked the most.
            assert system.remove_member(system.members(consumer)[0]) == 0
    system.are_ready()
    for consumer in CONSUMERS:
        eventually(partial(is_shared_out, site, consumer))


def is_shared_out(site: Site, consumer: str) -> bool:
    """Whether each of the group has its fair share of the three partitions."""
    members = site.system.members(consumer)
    shares = sorted(partitions(site, member) for member in members)
    return shares == {1: [3], 2: [1, 2], 3: [1, 1, 1]}[len(members)]


def has_all(site: Site, member: str) -> bool:
    return partitions(site, member) == 3


def partitions(site: Site, member: str) -> int:
    """How many partitions of events.taxonomy it says are its own; none while it starts."""
    found = r'^touchline_consumer_next_offset\{.*topic="events\.taxonomy"'
    with suppress(httpx.TransportError):
        return len(re.findall(found, site.system.metrics(member), re.MULTILINE))
    return 0


def stop_at_a_lock(site: Site, member: str) -> None:
    """Let the member, the only one of its group, stand still once it waits for somebody's lock."""
    consumer, _, _ = member.rpartition("-")
    eventually(partial(waiting_for_a_lock, site, consumer))
    site.system.running[member].send(signal.SIGSTOP)


def waiting_for_a_lock(site: Site, consumer: str) -> int:
    """How many members of the group PostgreSQL lets wait for another transaction."""
    with site.postgres.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND application_name = %s",
            (f"touchline {consumer}",),
        )
        (waiting,) = cursor.fetchone() or (0,)
        return int(waiting)
