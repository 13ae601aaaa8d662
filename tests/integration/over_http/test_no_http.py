"""What is no HTTP/1.1: answered where that is possible, and no error of ours."""

import logging

import pytest

from tests.integration.over_http.serving import LIVEZ, Serving, run

BAD_CHUNK = b"zzz\r\n"


def chunked(method: bytes, path: bytes) -> bytes:
    """A request whose body is to come."""
    return b"%s %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % (method, path)


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
