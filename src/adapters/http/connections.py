"""One client's connection: how long it may stay without a request. What a request is answered is
not known here."""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10
"""In which a request's head must be there: from the connection's beginning, or from the head's
first byte after an answer. A connection costs us a file, and there are only so many."""


class Connection(H11Protocol):
    """HTTP/1.1 by h11, also where uvicorn would find httptools, with one timer for whatever is
    waited for. A request that is there ends it: what follows has limits of its own.

    uvicorn's own timer begins with the first answer, and any byte ends it for good.
    """

    _is_head_timed = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._close_after(HEAD_SECONDS)

    def data_received(self, data: bytes) -> None:
        # As uvicorn's, but that the timer goes on: also while the rest of a refused body comes.
        self.conn.receive_data(data)
        self.handle_events()
        self._time_head()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP may come behind an answer, too: then nothing more can be said."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            super().send_400_response(msg)
        else:
            self.transport.close()

    def on_response_complete(self) -> None:
        super().on_response_complete()  # it lets the connection be idle, and takes the next request
        self._time_head()

    def _time_head(self) -> None:
        """Give a head that has begun its time."""
        if self.conn.their_state is not h11.IDLE:
            self._is_head_timed = False
        elif not self._is_head_timed and self.conn.trailing_data[0]:
            self._is_head_timed = True
            self._close_after(HEAD_SECONDS)

    def _close_after(self, seconds: float) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )
