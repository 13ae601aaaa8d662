"""What is no HTTP/1.1: answered where that is possible, and no error of ours."""

import json
import logging

import pytest

from tests.integration.over_http.serving import LIVEZ, Serving, run

BAD_CHUNK = b"zzz\r\n"
POST = b"POST /body HTTP/1.1\r\nHost: x\r\n"


def chunked(method: bytes, path: bytes) -> bytes:
    """A request whose body is to come."""
    return b"%s %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % (method, path)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01 TLS\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n\r\n",
        POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{",
        POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n" + BAD_CHUNK,
    ],
)
def test_it_is_answered_with_a_problem(sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Alone, or behind a request; it ends the connection."""

    async def test(server: Serving) -> None:
        alone, behind = await server.connect(sent), await server.connect(LIVEZ + sent)
        assert await behind.status() == 200
        for client in (alone, behind):
            head, body = (await client.read()).split(b"\r\n\r\n")
            status, *lines = head.decode().splitlines()
            headers = dict(line.lower().split(": ") for line in lines)
            assert status == "HTTP/1.1 400 Bad Request"
            assert headers["content-type"] == "application/problem+json"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["connection"] == "close"
            assert headers.keys() >= {"date", "cache-control", "x-request-id"}
            problem = json.loads(body)
            assert (problem["type"], problem["status"]) == ("/problems/bad-request", 400)
        assert await (await server.connect(LIVEZ)).status() == 200

    run(test)
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("request_head", [chunked(b"POST", b"/livez"), chunked(b"POST", b"/nope")])
def test_a_bad_chunk_behind_the_answer(
    request_head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(server: Serving) -> None:
        client = await server.connect(request_head)
        assert await client.status() in {404, 405}
        client.send(BAD_CHUNK)
        await client.is_closed()
        assert await (await server.connect(LIVEZ)).status() == 200

    run(test)
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


def test_a_bad_chunk_in_the_midst_of_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    async def test(server: Serving) -> None:
        client = await server.connect(chunked(b"GET", b"/stream"))
        await client.until(b"first\n")
        client.send(BAD_CHUNK)
        assert b"last" not in await client.read()
        server.goes_on.set()
        assert await (await server.connect(LIVEZ)).status() == 200

    run(test)
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []
