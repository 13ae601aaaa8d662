"""Many open pages on one server, and one event with many bets."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest

from adapters.cloudevents import CloudEventsCodec
from domain.bets import Market
from tests.integration.system import PATIENT, Up, running_up
from tests.samples import a_placement, an_id, placed

CODEC = CloudEventsCodec()
PAGES = 100
BETS = 12_000
PATIENCE = 60.0


class OpenPage:
    """The parts that one page was sent, and how often."""

    def __init__(self) -> None:
        self.parts: Counter[str] = Counter()
        self.bytes = 0
        self.text = ""
        self.is_open = asyncio.Event()

    async def read(self, http: httpx.AsyncClient, url: str, user: str) -> None:
        cookie = {"Cookie": f"touchline_user={quote(user)}"}
        async with http.stream("GET", url, headers=cookie) as response:
            assert response.status_code == 200
            async for line in response.aiter_lines():
                self.bytes += len(line)
                if line.startswith("event: "):
                    self.parts[line.removeprefix("event: ")] += 1
                self.text = f"{self.text}{line}\n"[-20_000:]
                if line == "event: reached":
                    self.is_open.set()


def watched(
    url: str, count: int, act: Callable[[], object], until: Callable[[int, str], bool]
) -> list[OpenPage]:
    """Open so many pages, act, and wait until each was sent what it must, given by its number."""

    async def run() -> list[OpenPage]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=PATIENCE, limits=limits) as http:
            pages = [OpenPage() for _ in range(count)]
            reading = [
                asyncio.create_task(page.read(http, url, f"player {number}"))
                for number, page in enumerate(pages)
            ]
            async with asyncio.timeout(PATIENCE):
                for page in pages:
                    await page.is_open.wait()
                await asyncio.to_thread(act)
                while not all(until(n, page.text) for n, page in enumerate(pages)):
                    await asyncio.sleep(0.05)
                    assert not any(task.done() for task in reading)
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
            return pages

    return asyncio.run(run())


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A Touchline of its own: nobody else wants so many bets."""
    with running_up(tmp_path_factory.mktemp("pages"), PATIENT) as up:
        yield up


def hot_event(up: Up, bets: int) -> str:
    """An event with so many bets, each of another player, which come by the log."""
    event_id: str = up.client.event()["id"]
    first = int(UUID(event_id)) % 2**40
    up.append(
        *(
            CODEC.encode(
                placed(
                    a_placement(
                        id=an_id(first + number),
                        user_id=f"player {number}",
                        event_id=UUID(event_id),
                        market=list(Market)[number % 3],
                    )
                )
            )
            for number in range(bets)
        )
    )
    third = bets // 3
    up.client.becomes(
        event_id, team_1={"none": third}, draw={"none": third}, team_2={"none": third}
    )
    return event_id


def test_a_hot_event_does_not_flood_its_page(up: Up) -> None:
    """What a page is sent does not grow with the bets: parts, as often as they look different."""
    event_id = hot_event(up, BETS)
    url = f"{up.client.bets_url}/pages/stream?page=event&event_id={event_id}"

    def play() -> None:
        up.client.update(event_id, state="active")
        up.client.update(event_id, score="1-0")
        up.client.update(event_id, state="finished")

    third = f"{BETS // 3:,}"
    won = f"{third} of {BETS:,} bets won"
    (page,) = watched(url, 1, play, lambda _, text: won in text)
    assert page.parts["markets"] <= 30, page.parts
    assert page.bytes < 200_000


def test_a_hundred_players_see_their_bets_flip(up: Up) -> None:
    """Each has a bet of another kind, and a page of its own."""
    event_id = hot_event(up, PAGES + 2)
    up.client.update(event_id, state="active")
    url = f"{up.client.bets_url}/pages/stream?page=event&event_id={event_id}"
    third = (PAGES + 2) // 3
    up.client.becomes(
        event_id, team_1={"losing": third}, draw={"winning": third}, team_2={"losing": third}
    )

    def flipped(number: int, text: str) -> bool:
        # What was drawing loses, what was losing by the draw wins, the rest stays as it was.
        is_moved = number % 3 != list(Market).index(Market.TEAM_2)
        return f"{third} winning" in text and ("Your bet on" in text) is is_moved

    pages = watched(url, PAGES, lambda: up.client.update(event_id, score="1-0"), flipped)
    assert {page.parts["betting"] for page in pages} == {1}, "what looks the same is not sent"
