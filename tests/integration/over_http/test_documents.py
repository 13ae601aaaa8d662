"""Health, metrics and the OpenAPI documents of both servers."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from prometheus_client.parser import text_string_to_metric_families

from domain.records import ConsumerName
from tests.integration.over_http.asking import Web
from tests.integration.over_http.documented import Json
from tests.integration.over_http.wrong_values import ID

pytestmark = pytest.mark.parametrize("api", ["events", "bets"])

EVENT_ROUTES = {
    "POST /events": "201 202 409 413 415 422 429 500 503",
    "GET /events": "200 413 422 429 500 503",
    "GET /events/{event_id}": "200 304 404 413 422 429 500 503",
    "PATCH /events/{event_id}": "200 202 404 409 412 413 415 422 429 500 503",
    "DELETE /events/{event_id}": "204 404 409 412 413 422 429 500 503",
    "GET /events/{event_id}/history": "200 404 413 422 429 500 503",
    "GET /events/{event_id}/preview": "200 404 409 413 422 429 500 503",
    "GET /stream": "200 404 413 422 429 500 503",
}
BET_ROUTES = {
    "POST /bets": "201 202 404 409 413 415 422 429 500 503",
    "GET /bets": "200 413 422 429 500 503",
    "GET /bets/{bet_id}": "200 404 413 422 429 500 503",
    "PATCH /bets/{bet_id}": "200 202 404 409 413 415 422 429 500 503",
    "DELETE /bets/{bet_id}": "204 404 409 413 422 429 500 503",
    "GET /bets/{bet_id}/history": "200 404 413 422 429 500 503",
    "GET /events/{event_id}/tally": "200 404 413 422 429 500 503",
    "GET /leaderboard": "200 413 422 429 500 503",
    "GET /stream": "200 404 413 422 429 500 503",
}
HEALTH = {f"GET {path}": "200 413 422 500 503" for path in ("/livez", "/readyz", "/metrics")}
REPORTS = {("GET /readyz", "503"), ("GET /livez", "503")}
"""They say how a process is, well or not, in one form."""

ROUTES = {"events": EVENT_ROUTES | HEALTH, "bets": BET_ROUTES | HEALTH}

HEADERS = {
    "POST /events": {"Idempotency-Key", "Prefer"},
    "PATCH /events/{event_id}": {"If-Match", "Prefer"},
    "GET /events/{event_id}": {"If-None-Match"},
    "DELETE /events/{event_id}": {"If-Match"},
    "POST /bets": {"Idempotency-Key", "Prefer"},
    "PATCH /bets/{bet_id}": {"Prefer"},
    "GET /stream": {"Last-Event-ID"},
}


@pytest.fixture
def document(web: Web, api: str) -> Json:
    return web.get(api, "/openapi.json")


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def test_it_lives(web: Web, api: str) -> None:
    assert web.get(api, "/livez") == {"status": "ok"}


def test_it_is_ready(web: Web, api: str) -> None:
    assert web.get(api, "/readyz") == {"status": "ok", "database": "up", "bus": "up"}


def test_metrics_are_prometheus_text(web: Web, api: str) -> None:
    response = web.ask(api, "GET", "/metrics")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    for line in response.text.splitlines():
        assert re.fullmatch(r'# .+|\w+(\{(\w+="[^"]*",?)*\})? [-+.\w]+', line), line


def test_metrics_count_requests_by_route(web: Web, api: str) -> None:
    """By the route's template: what clients make up is one label, however much they make up."""

    def counted(method: str, route: str, status: str) -> float:
        wanted = {"method": method, "route": route, "status": status}
        return sum(
            sample.value
            for family in text_string_to_metric_families(web.ask(api, "GET", "/metrics").text)
            for sample in family.samples
            if sample.name == "touchline_http_requests_total" and sample.labels == wanted
        )

    asked = {
        ("GET", f"/{api}/{{{api[:-1]}_id}}", "404"): ("GET", f"/{api}/{ID}"),
        ("GET", "else", "404"): ("GET", "/made/up"),
        ("else", "else", "404"): ("PURGE", "/made/up"),
        ("GET", f"/{api}", "200"): ("HEAD", f"/{api}"),
        ("POST", f"/{api}", "422"): ("POST", f"/{api}?x=1"),
    }
    for labels, (method, path) in asked.items():
        before = counted(*labels)
        for _ in range(3):
            web.ask(api, method, path, **({"json": {}} if method == "POST" else {}))
        assert counted(*labels) == before + 3, labels


def test_in_one_process_the_metrics_tell_of_the_consumers_too(web: Web, api: str) -> None:
    text = web.ask(api, "GET", "/metrics").text
    for consumer in ConsumerName:
        assert f'touchline_consumer_lag{{consumer="{consumer}"' in text


def test_a_page_for_people(web: Web, api: str) -> None:
    response = web.ask(api, "GET", "/docs")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "/openapi.json" in response.text


def test_the_document_names_every_route_and_what_it_answers(api: str, document: Json) -> None:
    described = {
        name: " ".join(sorted(operation["responses"])) for name, operation in operations(document)
    }
    assert described == ROUTES[api]


def test_the_document_holds_together(api: str, document: Json) -> None:
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert document["info"].keys() >= {"title", "version"}
    for reference in _references(document):
        _resolve(document, reference)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(ids)) == len(ids)


def test_operations_hold_together(api: str, document: Json) -> None:
    for name, operation in operations(document):
        parameters = operation.get("parameters", [])
        names = [(parameter["in"], parameter["name"]) for parameter in parameters]
        assert len(set(names)) == len(names)
        in_path = {parameter for where, parameter in names if where == "path"}
        assert in_path == set(re.findall(r"\{(\w+)\}", name))
        assert {parameter for where, parameter in names if where == "header"} == HEADERS.get(
            name, set()
        )
        assert ("requestBody" in operation) == name.startswith(("POST", "PATCH"))
        for parameter in parameters:
            Draft202012Validator.check_schema(parameter["schema"])


def test_answers_are_described(api: str, document: Json) -> None:
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            assert answer["description"]
            content = answer.get("content", {})
            if status in {"204", "304"}:
                assert content == {}
            elif int(status) >= 400 and (name, status) not in REPORTS:
                problem = {"$ref": "#/components/schemas/Problem"}
                assert content == {"application/problem+json": {"schema": problem}}
            elif name == "GET /metrics":
                assert content == {"text/plain": {"schema": {"type": "string"}}}
            elif name == "GET /stream":
                assert content.keys() == {"text/event-stream"}
            else:
                assert content["application/json"]["schema"]


def test_headers_of_answers_are_described(api: str, document: Json) -> None:
    described = {
        (name, status): set(answer["headers"])
        for name, operation in operations(document)
        for status, answer in operation["responses"].items()
        if status not in {"429", "503"} and "headers" in answer
    }
    pending = {"Location", "Retry-After", "Preference-Applied"}
    assert (
        described
        == {
            "events": {
                ("POST /events", "201"): {"Location", "ETag"},
                ("POST /events", "202"): pending,
                ("GET /events/{event_id}", "200"): {"ETag"},
                ("GET /events/{event_id}", "304"): {"ETag"},
                ("PATCH /events/{event_id}", "200"): {"ETag"},
                ("PATCH /events/{event_id}", "202"): pending,
            },
            "bets": {
                ("POST /bets", "201"): {"Location"},
                ("POST /bets", "202"): pending,
                ("PATCH /bets/{bet_id}", "202"): pending,
            },
        }[api]
    )


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from _references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _references(inner)


def _resolve(document: Json, reference: str) -> None:
    root, *names = reference.split("/")
    assert root == "#"
    part: Any = document
    for name in names:
        part = part[name]
