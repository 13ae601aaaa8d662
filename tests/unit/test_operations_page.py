"""What docs/operations.md says, and neither a benchmark nor a typed procedure shows, is so."""

import asyncio
import re
import threading
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from adapters.cloudevents import CloudEventsCodec
from adapters.memory.bus import MemoryBus
from adapters.memory.database import MemoryDatabase
from adapters.memory.log import MemoryLog
from domain.bets import BetColumns, BetState, Market
from domain.events import Event, EventState
from domain.fold import Fold
from domain.log import EVENTS_TAXONOMY, LogPartition, Record
from domain.messages import SLICE_SIZE, BetsStateChanged, EventCreated, EventUpdated
from domain.records import ConsumerName
from domain.score import Score
from domain.verification import verify
from entrypoints import bootstrap
from entrypoints.settings import Settings
from tests.pages import CODE, table
from tests.samples import an_id

TEXT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
PAGE = " ".join(TEXT.split())
CODEC = CloudEventsCodec()
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_what_verify_prints() -> None:
    report = verify(MemoryDatabase(), MemoryBus(MemoryLog()), CODEC)
    rows = table(TEXT, "invariant")
    assert [CODE.findall(name)[0] for name, *_ in rows] == [each.name for each in report.invariants]
    assert all(says and what_to_do for _, says, what_to_do in rows)


# Sizing


def said(pattern: str) -> list[int]:
    """The numbers of one sentence of the page."""
    (found,) = re.findall(pattern, PAGE)
    return [int(number) for number in found]


def test_a_flip() -> None:
    each, characters = said(r"(\d+) bytes on `bets.state`, with user ids of (\d+) characters")
    bets = BetColumns.of((an_id(n), f"user-{n:0{characters - 5}}") for n in range(SLICE_SIZE))
    record = CODEC.encode(
        BetsStateChanged(
            id=an_id(1),
            time=NOW,
            event_id=an_id(2),
            event_version=2,
            market=Market.DRAW,
            state=BetState.WINNING,
            number=0,
            bets=bets,
        )
    )
    assert set(map(len, bets.user_ids)) == {characters}
    assert round(len((record.key or b"") + (record.value or b"")) / SLICE_SIZE) == each
    assert f"a slice of 1,000 is {each} kB" in PAGE


def test_what_verify_keeps_of_an_event() -> None:
    events = 1000
    assert "keeps something of each event while it reads the whole log: about 1 KB" in PAGE
    records = [of(n) for of in (created, kicked_off) for n in range(events)]
    fold = Fold(CODEC)
    tracemalloc.start()
    try:
        for record in records:
            assert fold.judge(record) is not None
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert round(kept / events / 1024) == 1


def an_event(number: int, **fields: Any) -> Event:
    return Event(
        id=an_id(number),
        type="football",
        team_1=f"Argentina {number}",
        team_2=f"France {number}",
        event_date=NOW,
        **fields,
    )


def created(number: int) -> Record:
    return read_back(number, EventCreated(id=an_id(9), time=NOW, event=an_event(number)))


def kicked_off(number: int) -> Record:
    event = an_event(number, version=2, state=EventState.ACTIVE, score=Score(home=0, away=0))
    return read_back(number, EventUpdated(id=an_id(9), time=NOW, event=event))


def read_back(number: int, message: EventCreated | EventUpdated) -> Record:
    new = CODEC.encode(message)
    return Record(LogPartition(EVENTS_TAXONOMY, 0, an_id(0)), number, new.key, new.value)


def test_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as each part's pool holds, and one for each that listens."""
    memory, pools, listeners = MemoryDatabase(), dict[str, int](), list[str]()

    def opened(url: str, *, connections: int, name: str) -> MemoryDatabase:
        pools[name] = connections
        return memory

    monkeypatch.setattr(bootstrap, "open_database", opened)
    monkeypatch.setattr(bootstrap, "open_bus", lambda settings, database: MemoryBus(MemoryLog()))
    for of, listen in ("listen", memory.listen), ("watch", memory.watch):
        monkeypatch.setattr(memory, of, noting(listeners, of, listen))
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    asyncio.run(opened_and_closed(bootstrap.bets_api(settings, "")))
    assert sorted(listeners) == ["listen", "watch"]
    listen, stop = memory.listen, threading.Event()

    def listen_and_end(*given: Any) -> Any:
        stop.set()
        return listen(*given)

    monkeypatch.setattr(memory, "listen", listen_and_end)
    runner = bootstrap.consumer_runner(ConsumerName.BET_WRITER, settings, "", stop)
    bootstrap.consumer_health(runner, settings, "")
    runner.run()
    assert sorted(listeners) == ["listen", "listen", "watch"]
    assert (
        f"A server process has up to {pools['bets-api']}, and two that listen; a consumer up to"
        f" {pools['bet-writer']}, one that listens, and two for its health."
    ) in PAGE
    assert pools["health"] == 2


async def opened_and_closed(app: FastAPI) -> None:
    async with app.router.lifespan_context(app):
        pass


def noting(noted: list[str], name: str, act: Callable[..., Any]) -> Callable[..., Any]:
    def noted_act(*given: Any) -> Any:
        noted.append(name)
        return act(*given)

    return noted_act
