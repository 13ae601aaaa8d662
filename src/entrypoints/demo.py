"""`touchline demo`: a recorded match, played over HTTP against running servers, with bets on it."""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from math import isfinite
from typing import Any

import httpx
from rich.console import Console

from entrypoints.credentials import Credentials, no_headers
from entrypoints.demo_client import DemoFailed, Servers
from entrypoints.demo_narrator import new_narrator
from entrypoints.demo_player import Player, Waits
from entrypoints.matches import Match

__all__ = ["DemoFailed", "replay"]

WHOLE_MATCH_SECONDS = 45
ANSWER_SECONDS = 10
"""How long one answer may take; a server answers 202 long before."""
STOP_CHECK_SECONDS = 0.05


def replay(
    *,
    match: Match,
    bets: int,
    speed: float | None,
    events_url: str,
    bets_url: str,
    console: Console,
    stop: threading.Event,
    credentials: Credentials = no_headers,
    waits: Waits = Waits(),  # noqa: B008 - immutable
    transport: httpx.AsyncBaseTransport | None = None,
) -> bool:
    """Play the match with that many bets at `speed` match minutes per second (None: 45 s in all).

    True when every bet ended as the evaluator says. False when one didn't (a line says which), or
    when `stop` was set on the way, by the caller or by Ctrl-C. Raises DemoFailed when it can't be
    played at all. Returns within a second of `stop`. `waits` and `transport` are for tests.
    """
    if bets < 1:
        raise DemoFailed(f"the number of bets must be 1 or more, not {bets}")
    if speed is None:
        speed = match.length / WHOLE_MATCH_SECONDS
    if not (isfinite(speed) and speed > 0):
        raise DemoFailed(f"the speed must be above 0 match minutes per second, not {speed}")
    narrator = new_narrator(console)

    async def play() -> bool:
        # Straight to the servers: a proxy of the environment is not meant for them.
        async with httpx.AsyncClient(
            transport=transport, timeout=ANSWER_SECONDS, trust_env=False
        ) as http:
            servers = Servers(
                http,
                events_url=events_url,
                bets_url=bets_url,
                patience=waits.for_an_answer,
                delay=waits.between_tries,
                credentials=credentials,
            )
            player = Player(servers, narrator, match, bets=bets, speed=speed, waits=waits)
            return await player.play()

    ended = None
    try:
        ended = asyncio.run(_unless_stopped(play(), stop))
    except KeyboardInterrupt:
        stop.set()
    finally:
        narrator.close()
    if ended is None:
        narrator.tell("stopped; the match stays as it is")
    return bool(ended)


async def _unless_stopped(play: Coroutine[Any, Any, bool], stop: threading.Event) -> bool | None:
    """What `play` returns; None when it was stopped on the way."""
    playing = asyncio.create_task(play)
    while not playing.done() and not stop.is_set():
        await asyncio.wait([playing], timeout=STOP_CHECK_SECONDS)
    if playing.done():
        return playing.result()
    playing.cancel()
    with suppress(asyncio.CancelledError):
        await playing
    return None
