"""Answers held against what the model says."""

from uuid import UUID

import httpx

from tests.integration.modelled.model import Json, Problem
from tests.integration.over_http import asking


def shows(response: httpx.Response, resource: Json) -> None:
    """It must show the resource, also when it is undecided."""
    assert response.status_code in {200, 201, 202}, response.text
    shown = response.json()
    if response.status_code == 202:
        assert UUID(shown.pop("message_id"))
    assert shown == resource


def is_answer(response: httpx.Response, problem: Problem, status: int) -> None:
    """It must be the problem, or have the status when there is none."""
    if problem is None:
        assert response.status_code == status, response.text
        return
    code, members = problem
    body = asking.problem(response, code)
    if "loc" in members:
        assert [error["loc"] for error in body["errors"]] == [members["loc"]]
    else:
        assert body | members == body


def without(item: Json, *names: str) -> Json:
    return {name: value for name, value in item.items() if name not in names}
