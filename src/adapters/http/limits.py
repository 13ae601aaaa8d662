"""What one client, and one request, may take of a server."""

import asyncio
import math
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_KNOWN = 50_000
"""Clients that are remembered: memory stays small whoever comes."""


ROUNDING = 1e-6
"""Seconds: shares are fractions, and don't add up exactly."""


class RateLimited(Exception):
    """A client asks too often, or for too much; answered as 429."""

    def __init__(self, retry_after: int, reason: str = "too many requests") -> None:
        super().__init__(f"{reason}: try again in {retry_after} s")
        self.retry_after = retry_after
        """Seconds."""


class RateLimit:
    """So many requests a second for each client, of which a second's worth may come at once.

    It remembers one number for each: when its last request would end if each took its share of a
    second (the generic cell rate algorithm, ITU-T I.371).
    """

    def __init__(
        self, per_second: float, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._share = 1 / per_second
        self._tolerance = max(1.0 - self._share, 0.0)
        self._monotonic = monotonic
        self._busy_until: dict[str, float] = {}

    def count(self, client: str) -> None:
        """Count a request. Raises RateLimited; a refused one does not count."""
        now = self._monotonic()
        busy_until = max(self._busy_until.get(client, now), now)
        wait = busy_until - now - self._tolerance
        if wait > ROUNDING:
            raise RateLimited(max(math.ceil(wait), 1))
        if len(self._busy_until) >= MOST_KNOWN:
            self._forget(now)
        self._busy_until[client] = busy_until + self._share

    def _forget(self, now: float) -> None:
        """Those that are idle; all, where a crowd of others is not."""
        busy = {client: until for client, until in self._busy_until.items() if until > now}
        self._busy_until = busy if len(busy) < MOST_KNOWN // 2 else {}


class TimeLimit:
    """Answers for a request that takes too long, be it that its body never ends, or that the server
    does, and cancels it. Once there is an answer, it is its reader who takes the time, and may."""

    def __init__(
        self, app: ASGIApp, *, seconds: float, answer: ASGIApp, answer_at_end: ASGIApp
    ) -> None:
        self._app = app
        self._seconds = seconds
        self._answer = answer
        self._answer_at_end = answer_at_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        has_begun = False

        async def noting(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                limit.reschedule(None)
            await send(message)

        limit = asyncio.timeout(self._seconds)
        try:
            async with limit:
                await self._app(scope, receive, noting)
        except TimeoutError:
            if not limit.expired():
                raise
            await self._answer(scope, receive, send)
        except asyncio.CancelledError:
            if has_begun:
                raise
            await self._answer_at_end(scope, receive, send)
