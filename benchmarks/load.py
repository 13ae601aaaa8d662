"""Requests over many connections at once: a client so lean that it hardly uses the machine."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Load:
    """What became of the requests."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds


def post(
    url: str,
    body: Callable[[], bytes],
    *,
    connections: int,
    seconds: float,
    headers: Mapping[str, str] | None = None,
) -> Load:
    """POST JSON for so long, on each connection one request after the other."""
    return asyncio.run(_post(url, body, connections, seconds, headers or {}))


async def _post(
    url: str,
    body: Callable[[], bytes],
    connections: int,
    seconds: float,
    headers: Mapping[str, str],
) -> Load:
    parts = urlsplit(url)
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Content-Type: application/json\r\n{more}Content-Length: "
    ).encode()
    load = Load()
    streams = [
        await asyncio.open_connection(parts.hostname, parts.port) for _ in range(connections)
    ]
    began = time.perf_counter()
    await asyncio.gather(*(_one(stream, head, body, began + seconds, load) for stream in streams))
    load.seconds = time.perf_counter() - began
    return load


async def _one(
    stream: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    head: bytes,
    body: Callable[[], bytes],
    until: float,
    load: Load,
) -> None:
    reader, writer = stream
    while (sent := time.perf_counter()) < until:
        content = body()
        writer.write(b"%b%d\r\n\r\n%b" % (head, len(content), content))
        answer = await reader.readuntil(b"\r\n\r\n")
        length = answer.lower().index(b"content-length:") + len(b"content-length:")
        await reader.readexactly(int(answer[length : answer.index(b"\r", length)]))
        load.latencies.append(time.perf_counter() - sent)
        load.statuses[int(answer[9:12])] += 1
    writer.close()
