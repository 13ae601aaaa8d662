"""Members that stand still in the midst of their work, are taken for dead, and wake while what they
had begun can still be done: others have taken over, and it changes nothing."""

import signal
from collections.abc import Iterator
from functools import partial
from time import sleep

import pytest

from adapters.cloudevents import CloudEventsCodec
from domain.log import BETS_STATE, EVENTS_TAXONOMY, PARTITIONS, partition_of
from domain.messages import BetsStateChanged
from tests.integration.reliability.membership import (
    has_all,
    has_members,
    is_shared_out,
    stop_at_a_lock,
)
from tests.integration.site import Site, running_site
from tests.integration.system import CONSUMERS, eventually

LONG_ENOUGH = 2.0
"""Seconds in which an heir whom nobody holds up is through with a dozen of records."""

IDLE_SECONDS = 60
"""PostgreSQL ends a transaction that has stood still for so long. Twice as long as in production:
on a slow machine, too, the dead wake before."""

ASYNC = {"Prefer": "respond-async"}
MARKETS = ("team_1", "draw", "team_2")

NOTE_WHO_GOES_BACK = """
CREATE TABLE gone_back (before text, after text);
CREATE FUNCTION note_going_back() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO gone_back VALUES (OLD::text, NEW::text); RETURN NEW; END $$;
CREATE TRIGGER going_back BEFORE UPDATE ON positions FOR EACH ROW
    WHEN (NEW.next_offset < OLD.next_offset) EXECUTE FUNCTION note_going_back();
"""

REFUSED_THOUGH_APPLIED = """
SELECT refusals.message_id, reason FROM refusals JOIN event_versions USING (message_id)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    options = f"-c idle_in_transaction_session_timeout={IDLE_SECONDS}s"
    with running_site(tmp_path_factory.mktemp("site"), with_options=options) as site:
        with site.postgres.cursor() as cursor:
            cursor.execute(NOTE_WHO_GOES_BACK)
        yield site


@pytest.fixture(autouse=True)
def all_is_well(site: Site) -> Iterator[None]:
    """One member in each group before; and afterwards no position ever went back, and nothing
    that was applied is refused."""
    has_members(site, 1)
    yield
    site.system.are_ready()
    site.system.verify()
    with site.postgres.cursor() as cursor:
        for wrong in ("DELETE FROM gone_back RETURNING *", REFUSED_THOUGH_APPLIED):
            cursor.execute(wrong)
            assert cursor.fetchall() == []


def test_writers_that_had_begun_to_write(site: Site) -> None:
    """Both hold their positions, and have not read yet what they will judge by."""
    system, client = site.system, site.system.client
    event_writer, bet_writer = (system.members(name)[0] for name in ("event-writer", "bet-writer"))
    event = client.event()["id"]
    # Whoever is in the midst of another batch would keep us out of the table below.
    eventually(partial(is_passed_by, site, "bet-writer", event))
    system.running[bet_writer].send(signal.SIGSTOP)
    body = {"userId": "ann", "eventId": event, "market": "draw"}
    placed = client.http.post(f"{client.bets_url}/bets", json=body, headers=ASYNC)
    assert placed.status_code == 202
    eventually(partial(is_passed_by, site, "event-writer", event))
    with site.postgres.cursor() as cursor:
        # What a consumer asks for once it holds its positions.
        cursor.execute("LOCK TABLE logs IN ACCESS EXCLUSIVE MODE")
        assert client.patch(event, state="active", headers=ASYNC).status_code == 202
        stop_at_a_lock(site, event_writer)
        system.running[bet_writer].send(signal.SIGCONT)
        stop_at_a_lock(site, bet_writer)
    for heir in [system.add_member(consumer) for consumer in ("event-writer", "bet-writer")]:
        eventually(partial(has_all, site, heir))
    for step in ({"state": "active"}, {"score": "1-0"}, {"score": "2-0"}):
        # They are for heirs that have not waited. Decided or not, here nobody cares.
        client.patch(event, headers=ASYNC, **step)
        sleep(LONG_ENOUGH / 3)
    wake(site, event_writer, bet_writer)
    bet = eventually(lambda: found(client.get_bet(placed.json()["id"]).json()))
    assert (bet["userId"], bet["market"]) == ("ann", "draw")
    eventually(lambda: client.patch(event, state="finished", score="2-2").status_code == 200)
    client.becomes(event, draw={"win": 1})


@pytest.mark.long
def test_a_scorer_that_was_about_to_tell(site: Site) -> None:
    """What it tells in the end was told before, and something newer, too."""
    client = site.system.client
    (scorer,) = site.system.members("bet-scorer")
    event = active_event(site)
    with site.postgres.cursor() as cursor:
        cursor.execute("LOCK TABLE bets IN ACCESS EXCLUSIVE MODE")
        client.update(event, score="1-0")
        stop_at_a_lock(site, scorer)
    eventually(partial(has_all, site, site.system.add_member("bet-scorer")))
    client.becomes(event, team_1={"winning": 1}, draw={"losing": 1}, team_2={"losing": 1})
    client.update(event, score="0-1")
    now = {"team_1": {"losing": 1}, "draw": {"losing": 1}, "team_2": {"winning": 1}}
    client.becomes(event, **now)
    wake(site, scorer)
    # 1-0 by both, 0-1 by the heir; each more than once, where an acknowledgement comes too late.
    eventually(lambda: is_told_late(versions_told(site, event, "team_1")))
    site.system.verify()
    assert client.tally(event) == now


@pytest.mark.long
def test_a_scorer_that_had_told(site: Site) -> None:
    """It holds its position, to record what it has told; who takes over tells it again."""
    client = site.system.client
    (scorer,) = site.system.members("bet-scorer")
    event = active_event(site)
    with site.postgres.cursor() as cursor:
        # Its mark doesn't wait for this, but who records a position does.
        cursor.execute("SELECT FROM positions WHERE consumer = 'bet-scorer' FOR KEY SHARE")
        client.update(event, score="1-0")
        stop_at_a_lock(site, scorer)
    by_the_first = versions_told(site, event, "team_1")
    assert set(by_the_first) == {2, 3}
    eventually(partial(has_all, site, site.system.add_member("bet-scorer")))
    # Before the next goal: both in one batch would be told as one.
    eventually(lambda: len(versions_told(site, event, "team_1")) > len(by_the_first))
    client.update(event, score="0-1")
    sleep(LONG_ENOUGH)
    wake(site, scorer)
    client.becomes(event, team_1={"losing": 1}, draw={"losing": 1}, team_2={"winning": 1})
    # Each may be told again while the members share the work anew, but 1-0 never after 0-1.
    told = versions_told(site, event, "team_1")
    assert told == sorted(told)
    assert set(told) == {2, 3, 4}


def is_passed_by(site: Site, consumer: str, event: str) -> bool:
    """Whether it has read all of the event's partition that is there."""
    partition = partition_of(event.encode(), PARTITIONS)
    with site.system.connected() as (_, bus), site.postgres.cursor() as cursor:
        (end,) = (
            bounds.end
            for source, bounds in bus.bounds(EVENTS_TAXONOMY).items()
            if source.partition == partition
        )
        cursor.execute(
            "SELECT next_offset FROM positions"
            " WHERE consumer = %s AND topic = %s AND partition = %s",
            (consumer, EVENTS_TAXONOMY, partition),
        )
        return cursor.fetchone() == (end,)


def wake(site: Site, *zombies: str) -> None:
    """Let them go on, and wait until they share the work again."""
    for zombie in zombies:
        site.system.running[zombie].send(signal.SIGCONT)
    for consumer in CONSUMERS:
        eventually(partial(is_shared_out, site, consumer))


def active_event(site: Site) -> str:
    """With a bet on each market."""
    client = site.system.client
    event: str = client.event()["id"]
    for market in MARKETS:
        client.bet(event, market)
    client.update(event, state="active")
    client.becomes(event, team_1={"losing": 1}, draw={"winning": 1}, team_2={"losing": 1})
    # Who has told of the kick-off, and not recorded it yet, would stand still with that.
    eventually(partial(is_passed_by, site, "bet-scorer", event))
    return event


def versions_told(site: Site, event: str, market: str) -> list[int]:
    """Of which versions slices lie in the log, in order."""
    told = map(CloudEventsCodec().decode, site.system.log(BETS_STATE))
    return [
        message.event_version
        for message in told
        if isinstance(message, BetsStateChanged)
        and (str(message.event_id), message.market) == (event, market)
    ]


def is_told_late(versions: list[int]) -> bool:
    """Whether one was told after a newer one."""
    return versions != sorted(versions)


def found(bet: dict[str, str]) -> dict[str, str] | None:
    return bet if "market" in bet else None
