"""What is answered while PostgreSQL is away, or holds no tables yet: 503, and why."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.over_http.asking import (
    ASYNC,
    Web,
    new_bet_body,
    new_event_body,
    problem,
)
from tests.integration.over_http.documented import Json
from tests.integration.over_http.wrong_values import ID
from tests.integration.system import Process, eventually

NOBODY = "postgresql+psycopg2://postgres@127.0.0.1:1/nobody"

REQUESTS: list[tuple[str, str, str, Json | None]] = [
    ("events", "POST", "/events", new_event_body()),
    ("events", "GET", "/events", None),
    ("events", "GET", f"/events/{ID}", None),
    ("events", "PATCH", f"/events/{ID}", {"state": "active"}),
    ("events", "DELETE", f"/events/{ID}", None),
    ("events", "GET", f"/events/{ID}/history", None),
    ("bets", "POST", "/bets", new_bet_body(ID)),
    ("bets", "GET", "/bets", None),
    ("bets", "GET", f"/bets/{ID}", None),
    ("bets", "PATCH", f"/bets/{ID}", {"userId": "bob"}),
    ("bets", "DELETE", f"/bets/{ID}", None),
    ("bets", "GET", f"/bets/{ID}/history", None),
    ("bets", "GET", f"/events/{ID}/tally", None),
]

REASONS = {
    "the database can't be reached just now: try again": "connection to server",
    "Touchline is not set up: see its log": "run `touchline migrate`",
}
"""What stands in the log, by what clients are told."""


@pytest.fixture(params=["away", "empty"])
def lame_web(request: pytest.FixtureRequest, fresh_database: str, tmp_path: Path) -> Iterator[Web]:
    """Both servers, whose database is away or was never migrated."""
    settings = {"TOUCHLINE_DATABASE_URL": NOBODY if request.param == "away" else fresh_database}
    logs = {api: tmp_path / f"{api}.log" for api in ("events", "bets")}
    servers = [Process([f"{api}-api", "--port", "0"], settings, log) for api, log in logs.items()]
    try:
        web = Web(*(_address(log) for log in logs.values()))
        yield web
        web.close()
    finally:
        codes = [server.stop() for server in servers]
    assert codes == [0, 0]
    assert not any("Traceback" in log.read_text() for log in logs.values())


def _address(log: Path) -> str:
    """Where the server says that it listens, once it does."""
    url = eventually(lambda: re.search(r"http://[\d.]+:\d+", log.read_text()))[0]

    def lives() -> bool:
        try:
            return httpx.get(f"{url}/livez").is_success
        except httpx.ConnectError:
            return False

    eventually(lives)
    return url


def test_without_a_database(lame_web: Web) -> None:
    for api, method, path, body in REQUESTS:
        sent = {} if body is None else {"json": body}
        problem(lame_web.ask(api, method, path, **sent, headers=ASYNC), "unavailable")
        keyed = lame_web.ask(api, method, path, **sent, headers={"Idempotency-Key": "x"})
        problem(keyed, "unavailable")
    for api in ("events", "bets"):
        assert lame_web.get(api, "/livez") == {"status": "ok"}
        ready = lame_web.ask(api, "GET", "/readyz")
        assert ready.status_code == 503
        assert ready.json()["status"] == "unavailable"
        assert re.fullmatch(r"down: .{10,}", ready.json()["database"], re.DOTALL)
        problem(lame_web.ask(api, "POST", f"/{api}", json={}), "validation-error")
        assert lame_web.ask(api, "GET", "/metrics").status_code == 200


def test_why_is_told_to_operators_alone(lame_web: Web, tmp_path: Path) -> None:
    answers = [
        lame_web.ask(api, method, path, **({} if body is None else {"json": body}))
        for api, method, path, body in REQUESTS
        if (method, path) != ("POST", "/events")  # that asks the log alone
    ]
    (detail,) = {problem(each, "unavailable")["detail"] for each in answers}
    pages = [lame_web.ask(api, "GET", "/") for api in ("events", "bets")]
    assert {page.status_code for page in pages} == {503}
    log = "".join((tmp_path / f"{api}.log").read_text() for api in ("events", "bets"))
    for each in answers + pages:
        (line,) = (line for line in log.splitlines() if each.headers["X-Request-ID"] in line)
        assert REASONS[detail] in line
        assert REASONS[detail] not in each.text
