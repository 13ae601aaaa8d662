"""Who waits for a verdict gets it, whatever has happened to the thread that looks for them."""

import asyncio
import errno

from pytest_mock import MockerFixture

from adapters.http.desk import Desk, Stamp
from domain.events import Event
from domain.ports import UnitOfWork
from domain.verdicts import Publication
from tests.world import World

PATIENCE = 5.0


async def created(world: World) -> Event | Publication:
    """What the desk answers who creates an event, while the consumers work."""
    ask = world.creating()

    def create(uow: UnitOfWork, stamp: Stamp) -> Event | Publication:
        return ask(uow)

    desk = Desk(
        database=world.database,
        bus=world.bus,
        codec=world.codec,
        answer_wait=PATIENCE,
        new_id=world.new_id,
        now=world.now,
    )
    desk.open()
    try:
        answer = asyncio.create_task(desk.submit(create, respond_async=False))
        while not answer.done():
            world.settle()
            await asyncio.sleep(0.01)
        return answer.result()
    finally:
        desk.close()


def test_listening_that_failed_once(mocker: MockerFixture) -> None:
    """Or a moment without file descriptors means 202 for every request until a restart."""
    world = World()
    listener = world.database.listen()
    hear, failures = listener.wait, [OSError(errno.EMFILE, "Too many open files")]

    def hear_or_fail(timeout: float) -> bool:
        if failures:
            raise failures.pop()
        return hear(timeout)

    mocker.patch.object(listener, "wait", side_effect=hear_or_fail)
    mocker.patch.object(world.database, "listen", return_value=listener)
    assert isinstance(asyncio.run(created(world)), Event)
    assert not failures
