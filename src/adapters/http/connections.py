"""One client's connection: how long it may stay without a request, and what is answered to what is
none."""

import asyncio

import h11
from fastapi import Response
from uuid_utils.compat import uuid7
from uvicorn.protocols.http.h11_impl import H11Protocol

from adapters.http import problems
from adapters.http.browsers import SAFE_HEADERS
from adapters.http.request_ids import HEADER as REQUEST_ID

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
        """As a problem. Behind an answer, or in the midst of one, nothing more can be said."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self._refuse(problems.bad_request("this is no HTTP/1.1, or its head is too large"))
        self.transport.close()
        if self.cycle is not None and not self.cycle.response_complete:
            # Whoever reads this request's body must not wait for more, nor answer it again.
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _refuse(self, answer: Response) -> None:
        headers = [
            *self.server_state.default_headers,
            *answer.raw_headers,
            *SAFE_HEADERS.items(),
            (REQUEST_ID.lower().encode(), str(uuid7()).encode()),
            (b"connection", b"close"),
        ]
        for event in (
            h11.Response(status_code=answer.status_code, headers=headers, reason=b"Bad Request"),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")

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
