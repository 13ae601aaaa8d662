"""The one id of a request: in its answer, in every log line on its way, and of its message.

So one goal can be followed by it: through the server, the topics and the consumers.
"""

import re
from collections.abc import Callable
from contextvars import ContextVar
from uuid import UUID

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars
from uuid_utils.compat import uuid7

HEADER = "X-Request-ID"
_HEADER = HEADER.lower().encode()
_CLIENTS_OWN = re.compile(rb"[!-~]{1,128}")
_current: ContextVar[UUID | None] = ContextVar("request_id", default=None)


def request_id() -> UUID | None:
    """The id of the request that is being answered here, if one is."""
    return _current.get()


class RequestIds:
    """Gives each request an id of ours. What the client calls it is only logged beside it: others
    can't make two requests one, nor write into our logs what is not visible."""

    def __init__(self, app: ASGIApp, *, new_id: Callable[[], UUID] = uuid7) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        own = self._new_id()
        _current.set(own)
        clear_contextvars()
        bind_contextvars(request_id=str(own), **_client_request_id(scope))

        async def naming(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (_HEADER, str(own).encode())]
            await send(message)

        await self._app(scope, receive, naming)


def _client_request_id(scope: Scope) -> dict[str, str]:
    values = [value for name, value in scope["headers"] if name == _HEADER]
    if len(values) != 1 or not _CLIENTS_OWN.fullmatch(values[0]):
        return {}
    return {"client_request_id": values[0].decode("ascii")}
