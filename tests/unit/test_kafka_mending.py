"""What kafka-python's clients leave open."""

import asyncio
import socket
from time import monotonic
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError
from kafka.net.inet import KafkaNetSocket

from adapters.kafka import mending


class Slow:
    """A selector that tells of a connection only when its time is over."""

    async def wait_write(self, sock: socket.socket, *, timeout_at: float) -> None:
        await asyncio.sleep(timeout_at - monotonic() + 0.01)


def test_a_connection_that_comes_too_late_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert KafkaNetSocket.sock_connect is mending._connect_or_close
    opened: list[socket.socket] = []

    def noted(_: object, *kind: Any) -> socket.socket:
        opened.append(socket.socket(*kind))
        return opened[-1]

    monkeypatch.setattr(KafkaNetSocket, "socket", noted)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = (socket.AF_INET, socket.SOCK_STREAM, 0, "", server.getsockname())
        connecting = KafkaNetSocket().connect(Slow(), address, timeout_at=monotonic() + 0.01)
        with pytest.raises(KafkaTimeoutError):
            asyncio.run(connecting)
    assert [each.fileno() for each in opened] == [-1]
