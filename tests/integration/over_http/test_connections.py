"""What happens on the wire: large bodies, bodies that never end, and how soon an answer comes."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from adapters.http.bodies import LARGEST_BODY
from tests.integration.over_http.asking import JSON, Web, as_json, new_event_body, problem, unique
from tests.integration.over_http.story import Story
from tests.integration.over_http.wrong_values import ID
from tests.integration.system import Up

ROUTES = [
    ("events", "POST", "/events"),
    ("events", "PATCH", f"/events/{ID}"),
    ("events", "DELETE", f"/events/{ID}"),
    ("events", "GET", "/events"),
    ("events", "GET", "/livez"),
    ("bets", "POST", "/bets"),
    ("bets", "PATCH", f"/bets/{ID}"),
    ("bets", "GET", f"/events/{ID}/tally"),
]


def in_chunks(body: bytes) -> Iterator[bytes]:
    """Sent without a Content-Length."""
    return (body[start : start + 4096] for start in range(0, len(body), 4096))


def padded(size: int, **changes: object) -> bytes:
    """A body that creates an event, filled up with blanks."""
    return as_json(new_event_body(**changes)).ljust(size)


@pytest.mark.parametrize(("api", "method", "path"), ROUTES)
def test_a_large_body_is_refused_whatever_the_request(
    web: Web, story: Story, api: str, method: str, path: str
) -> None:
    before = story.length()
    for size in (LARGEST_BODY + 1, 10_000_000):
        for content in (b" " * size, in_chunks(b" " * size)):
            problem(web.ask(api, method, path, content=content, headers=JSON), "body-too-large")
    assert story.length() == before


@pytest.mark.parametrize("chunked", [False, True])
def test_the_largest_body_is_accepted(web: Web, chunked: bool) -> None:
    body = padded(LARGEST_BODY)
    content = in_chunks(body) if chunked else body
    response = web.ask("events", "POST", "/events", content=content, headers=JSON)
    assert response.status_code == 201


@pytest.mark.parametrize("chunked", [False, True])
def test_the_connection_goes_on_after_a_large_body(web: Web, chunked: bool) -> None:
    """A plain client sends all of its body before it looks for the answer."""
    url = httpx.URL(web.events_url)
    with closing(http.client.HTTPConnection(url.host, url.port or 80, timeout=30)) as connection:
        for size in (LARGEST_BODY + 1, 2_000_000):
            body = in_chunks(b" " * size) if chunked else b" " * size
            connection.request("POST", "/events", body, JSON, encode_chunked=chunked)
            with connection.getresponse() as response:
                assert response.status == 413
                assert json.load(response)["type"] == "/problems/body-too-large"
        connection.request("GET", "/livez")
        with connection.getresponse() as response:
            assert response.status == 200


def test_a_client_that_asks_first_is_told_before_it_sends(web: Web) -> None:
    head = (
        b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2000000\r\nExpect: 100-continue\r\n\r\n"
    )
    with connected(web) as connection:
        connection.sendall(head)
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_a_client_that_goes_away_leaves_no_trace(web: Web, story: Story, touchline: Up) -> None:
    """In the midst of its body: nothing is published, and the log tells of no error."""
    before = story.length()
    content = padded(500, type=unique())
    head = b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    for rest in (
        b"Content-Length: 1000\r\n\r\n" + content,
        b"Transfer-Encoding: chunked\r\n\r\n1f4\r\n" + content + b"\r\n",
    ):
        with connected(web) as connection:
            connection.sendall(head + rest)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    assert web.ask("events", "GET", "/livez").status_code == 200
    assert story.length() == before
    assert "Traceback" not in (touchline.folder / "up.log").read_text()


@pytest.mark.parametrize("api", ["events", "bets"])
def test_answers_are_not_held_back(web: Web, api: str) -> None:
    """40 ms, on every answer but a connection's first few, are Nagle's algorithm at work."""
    took = []
    for _ in range(20):
        started = time.perf_counter()
        web.ask(api, "GET", "/livez")
        took.append(time.perf_counter() - started)
    assert min(took[10:]) < 0.03


def connected(web: Web) -> socket.socket:
    """A bare connection to the events API."""
    url = httpx.URL(web.events_url)
    return socket.create_connection((url.host, url.port or 80), timeout=30)
