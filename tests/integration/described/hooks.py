"""What schemathesis can't know of Touchline from its documents; it loads this module by name."""

import atexit
import json
import os
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import schemathesis
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import Failure, ServerError
from schemathesis.openapi.checks import RejectedPositiveData

from tests.integration.system import eventually

MET = "TOUCHLINE_TEST_MET"
"""Names the variable that names the file for what was answered: by operation, each status; and how
many answers there were, and how many of them left it open what became of a request."""

OUT_OF_RANGE = "must lie in the years 1 to 9999 in UTC"
"""Said of a time; the format `date-time` knows no range."""

_met: defaultdict[str, set[int]] = defaultdict(set)
_is_open: Counter[bool] = Counter()


@schemathesis.hook
def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
    """Remember the answer. Behind a 202 wait for the decision, before which a GET is 404."""
    _met[case.operation.label].add(response.status_code)
    _is_open[response.status_code == 503] += 1
    if response.status_code == 202 and case.method == "POST":
        url = urljoin(str(response.request.url), response.headers["location"][0])
        eventually(lambda: not _problem(httpx.get(url, timeout=30).json()).endswith("-not-found"))


@schemathesis.hook
def filter_failure(
    context: HookContext, failure: Failure, case: Case[Any], response: Response
) -> bool:
    """Whether it is one: not when what was sent is wrong in a way that no schema can tell, nor when
    the machine stood still for so long that it is open what became of it."""
    if response.status_code == 503 and isinstance(failure, ServerError | RejectedPositiveData):
        return "retry-after" not in response.headers or _problem(response.json()) != "unavailable"
    if not isinstance(failure, RejectedPositiveData):
        return True
    return not (_is_misjudged(case) or _is_beyond_schemas(response.json()))


def _is_misjudged(case: Case[Any]) -> bool:
    """Whether it calls a header right that doesn't match its pattern: a slip of the coverage phase,
    which makes headers of letters and digits only."""
    return any(
        not re.search(parameter["schema"]["pattern"], str(case.headers[parameter["name"]]))
        for parameter in case.operation.definition.raw.get("parameters", [])
        if parameter["in"] == "header"
        and "pattern" in parameter["schema"]
        and parameter["name"] in case.headers
    )


def _is_beyond_schemas(body: dict[str, Any]) -> bool:
    if _problem(body) == "idempotency-key-reused":
        return True
    wrong = [(error["loc"], error["msg"]) for error in body.get("errors", [])]
    return wrong in (
        [(["query", "cursor"], "must be the `next` of an earlier page")],
        *([([part, "event_date"], OUT_OF_RANGE)] for part in ("body", "query")),
        *(
            [([part, f"team_{one}"], f"must differ from team_{other}")]
            for part in ("body", "query")
            for one, other in ((1, 2), (2, 1))
        ),
    )


def _problem(body: dict[str, Any]) -> str:
    """The code of a problem; of anything else nothing."""
    return str(body.get("type", "")).removeprefix("/problems/") if "status" in body else ""


@atexit.register
def _tell() -> None:
    if MET in os.environ:
        met = {operation: sorted(statuses) for operation, statuses in _met.items()}
        told = {"met": met, "open": _is_open[True], "all": _is_open.total()}
        Path(os.environ[MET]).write_text(json.dumps(told))
