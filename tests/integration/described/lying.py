"""A server between the events API and its clients that breaks the document in every way."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

_HOP_BY_HOP = {"connection", "content-length", "date", "server", "transfer-encoding", "host"}


@contextmanager
def lying(url: str) -> Iterator[str]:
    """Its own address."""
    with httpx.Client(base_url=url) as http:
        handler = type("Handler", (_Liar,), {"http": http})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()
                thread.join()


class _Liar(BaseHTTPRequestHandler):
    http: httpx.Client
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # the head and the body in one segment, or each answer takes 40 ms

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        if self.command == "DELETE" and self.path.startswith("/events/"):
            # use_after_free: it deletes nothing.
            self._send(204, {}, b"")
            return
        kept = [(n, v.strip()) for n, v in self.headers.items() if n.lower() not in _HOP_BY_HOP]
        told = self.http.request(self.command, self.path, content=body, headers=kept)
        headers = {n: v for n, v in told.headers.items() if n not in _HOP_BY_HOP}
        self._send(*self._twisted(told.status_code, headers, told.content))

    def __getattr__(self, name: str) -> Any:
        """`do_GET` and all the others."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _twisted(  # noqa: C901 - one case for each lie
        self, status: int, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        match (self.command, self.path.partition("?")[0], status):
            case ("GET", "/livez", 200):  # not_a_server_error
                status = 500
            case ("GET", "/readyz", 200):  # status_code_conformance
                status = 206
            case ("GET", "/metrics", 200):  # content_type_conformance
                headers["content-type"] = "text/html"
            case ("OPTIONS", "/metrics", 405):  # allow_header_conformance
                headers["allow"] = "POST"
            case (_, "/metrics", 405):  # unsupported_method
                status = 200
            case ("PATCH", _, 200):  # response_headers_conformance
                del headers["etag"]
            case ("GET", "/events", 200) if "state=" in self.path:  # positive_data_acceptance
                return 422, headers | _PROBLEM, _refusal("query", "state")
            case ("GET", "/events", 200):  # response_schema_conformance
                body = _without(body, "next")
            case ("GET", "/events", 422):  # negative_data_rejection
                return 200, headers | _JSON, b'{"items":[],"next":null}'
            case ("GET", path, 200) if path.endswith("/history"):  # ensure_resource_availability
                return 404, headers | _PROBLEM, _refusal("path", "event_id", status=404)
        return status, headers, body

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status not in {204, 304}:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: it lies in silence."""


_PROBLEM = {"content-type": "application/problem+json"}
_JSON = {"content-type": "application/json"}


def _refusal(*loc: str, status: int = 422) -> bytes:
    problem = {"type": "/problems/a-lie", "title": "A lie", "status": status, "detail": "it is"}
    return json.dumps(problem | {"errors": [{"loc": loc, "msg": "a lie"}]}).encode()


def _without(body: bytes, member: str) -> bytes:
    found = json.loads(body)
    del found[member]
    return json.dumps(found).encode()
