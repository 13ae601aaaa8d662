"""Paths, methods and query strings: what is served, and what is refused."""

from typing import Any

import pytest

from tests.integration.over_http.asking import Web, invalid, problem
from tests.integration.over_http.wrong_values import ID, WRONG_IDS

WITHOUT_PARAMETERS = ("/docs", "/openapi.json", "/static/icon.svg", "/static/nowhere")
ALLOWED = {
    ("events", "/events"): "GET, HEAD, POST",
    ("events", "/events/{id}"): "DELETE, GET, HEAD, PATCH",
    ("events", "/events/{id}/history"): "GET, HEAD",
    ("bets", "/bets"): "GET, HEAD, POST",
    ("bets", "/bets/{id}"): "DELETE, GET, HEAD, PATCH",
    ("bets", "/bets/{id}/history"): "GET, HEAD",
    ("bets", "/events/{id}/tally"): "GET, HEAD",
    **{
        (api, path): "GET, HEAD"
        for api in ("events", "bets")
        for path in ("/livez", "/readyz", "/metrics", *WITHOUT_PARAMETERS)
    },
}
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"]

WITH_ID = [
    (api, method, path)
    for (api, path), methods in ALLOWED.items()
    if "{id}" in path
    for method in methods.split(", ")
]


@pytest.mark.parametrize(("api", "path"), ALLOWED, ids=[" ".join(each) for each in ALLOWED])
def test_other_methods_are_refused_with_those_that_are_served(
    web: Web, api: str, path: str
) -> None:
    for method in METHODS:
        if method in ALLOWED[api, path]:
            continue
        response = web.ask(api, method, path.format(id=ID))
        assert response.status_code == 405
        assert response.headers["Allow"] == ALLOWED[api, path]


@pytest.mark.parametrize(
    "path", ["/events", "/events/{id}", "/bets", "/bets/{id}", "/livez", "/docs"]
)
def test_head_is_get_without_the_body(web: Web, path: str) -> None:
    event = web.event()
    ids = {"/events/{id}": event["id"], "/bets/{id}": web.bet(event["id"], "draw")["id"]}
    api = "bets" if path.startswith("/bets") else "events"
    got = web.ask(api, "GET", path.format(id=ids.get(path)))
    headed = web.ask(api, "HEAD", path.format(id=ids.get(path)))
    assert (headed.status_code, headed.content) == (200, b"")
    for response in (got, headed):
        del response.headers["Date"], response.headers["X-Request-ID"]
    assert headed.headers == got.headers


@pytest.mark.parametrize("api", ["events", "bets"])
@pytest.mark.parametrize(
    "path",
    [
        *(
            "/nothing",
            "/event",
            "/Events",
            "/BETS",
            "/events/",
            "/bets/",
            "//events",
            "/livez/",
        ),
        *(f"/events/{ID}/", f"/bets/{ID}/", f"/events/{ID}/nothing", f"/bets/{ID}/history/"),
        *(
            "/events//history",
            "/events/%2F",
            f"/events/{ID}%2Fhistory%2F",
            "/redoc",
            "/.env",
            "/%00",
        ),
        *("/events/../../etc/passwd", "/é", "/%FF", "/events/history/x/y", "/problems/not-found"),
    ],
)
def test_unknown_paths(web: Web, api: str, path: str) -> None:
    for method in ("GET", "POST", "DELETE", "OPTIONS"):
        problem(web.ask(api, method, path), "not-found")


def test_each_server_has_its_own_paths(web: Web) -> None:
    problem(web.ask("bets", "GET", "/events"), "not-found")
    problem(web.ask("bets", "GET", f"/events/{ID}"), "not-found")
    problem(web.ask("events", "GET", "/bets"), "not-found")
    problem(web.ask("events", "GET", f"/events/{ID}/tally"), "not-found")


@pytest.mark.parametrize(("api", "method", "path"), WITH_ID)
def test_ids_that_are_no_uuid(web: Web, api: str, method: str, path: str) -> None:
    parameter = "bet_id" if path.startswith("/bets") else "event_id"
    for wrong in WRONG_IDS:
        response = web.ask(api, method, path.format(id=_quoted(wrong)), **_body(method, path))
        if method == "HEAD":
            assert response.status_code == 422
        else:
            invalid(response, "path", parameter)


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def _body(method: str, path: str) -> dict[str, Any]:
    """A right body, if such a request has one."""
    if method != "PATCH":
        return {}
    return {"json": {"userId": "bob"} if path.startswith("/bets") else {"state": "active"}}


@pytest.mark.parametrize(("api", "method", "path"), WITH_ID)
def test_ids_that_nothing_has(web: Web, api: str, method: str, path: str) -> None:
    """Of a deletion too: by then it must be certain that nothing was missed."""
    code = "bet-not-found" if path.startswith("/bets") else "event-not-found"
    response = web.ask(api, method, path.format(id=ID), **_body(method, path))
    if method == "HEAD":
        assert response.status_code == 404
    else:
        problem(response, code)


def test_an_id_in_capitals_is_the_same(web: Web) -> None:
    event = web.event()
    assert web.get_event(event["id"].upper()) == event


@pytest.mark.parametrize(("api", "path"), ALLOWED, ids=[" ".join(each) for each in ALLOWED])
def test_unknown_parameters_are_refused(web: Web, api: str, path: str) -> None:
    if path in WITHOUT_PARAMETERS:
        return
    for method in ALLOWED[api, path].replace("HEAD, ", "").removesuffix(", HEAD").split(", "):
        body: dict[str, Any] = {"json": {}} if method in {"POST", "PATCH"} else {}
        for name in ("x", "Limit", "limit ", "id", "query", "items", "", "é", "\x00"):
            response = web.ask(api, method, path.format(id=ID), params={name: "1"}, **body)
            invalid(response, "query", name)
