"""Both servers against their own OpenAPI documents, by schemathesis."""

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.described.hooks import MET
from tests.integration.described.lying import lying
from tests.integration.system import PATIENT, Client, running_up

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
ROOT = Path(__file__).parents[3]

CHECKS = {
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "unsupported_method",
    "allow_header_conformance",
    "use_after_free",
    "ensure_resource_availability",
    # Left out: `missing_required_header`, for no header is required, and `ignored_auth` and
    # `object_level_authorization`, for who may do what is not asked for by default.
}
FAILURES = {
    "ServerError",
    "UndefinedStatusCode",
    "UndefinedContentType",
    "MissingHeaders",
    "JsonSchemaError",
    "AcceptedNegativeData",
    "RejectedPositiveData",
    "UnsupportedMethodResponse",
    "AllowHeaderMismatch",
    "UseAfterFree",
    "EnsureResourceAvailability",
}
"""What `CHECKS` report, in the same order."""

RUNS = 5
"""Until each kind of failure must have come up."""

HARMLESS = {"validation_mismatch", "low_valid_rate", "unmatched_filter"}
"""Warnings: two count what `filter_failure` lets pass (cursors that it makes up, equal teams), and
`SETTINGS` hold for both documents."""

STREAM = "/stream"
"""It has tests of its own: `over_http/test_streams.py`."""

MOST_OPEN = 0.01
"""Of all answers, those with 503: only a machine that stood still is an excuse."""

UNMET = {413, 429, 500, 503}
"""Nothing that is made is as large as 64 KiB, requests are not limited, and nothing breaks here."""

SETTINGS = """
hooks = "tests.integration.described.hooks"
continue-on-failure = true
{seed}

[generation]
deterministic = {deterministic}
database = "none"
max-examples = {examples}
no-shrink = true

[dictionaries.events]
values = {events}

[checks.response_schema_conformance]
validate-formats = true

[checks.positive_data_acceptance]
# What is schema-valid may still name another version.
expected-statuses = ["2xx", "3xx", 404, 409, 412]

# The events API is another server: bets need events that are there.
[[operations]]
include-name = "POST /bets"
[operations.parameters]
"body.eventId" = {{ dictionary = "events", probability = 0.9 }}

# A stream doesn't end.
[[operations]]
include-name = "GET {stream}"
enabled = false

[[operations]]
include-name = "GET /events/{{event_id}}/tally"
[operations.parameters]
"path.event_id" = {{ dictionary = "events", probability = 0.9 }}
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with running_up(tmp_path_factory.mktemp("described"), PATIENT) as up:
        yield up.client


@pytest.fixture
def events(client: Client) -> list[str]:
    """Two that are open for bets, and one that is not. (The run on the events API deletes what it
    finds: each run has its own.)"""
    found = [client.event()["id"] for _ in range(3)]
    client.update(found[-1], state="active")
    return found


class Run:
    """One run of schemathesis on one server, to its end."""

    def __init__(
        self, url: str, folder: Path, events: list[str], *, examples: int, seed: int | None = None
    ) -> None:
        (folder / "schemathesis.toml").write_text(
            SETTINGS.format(
                seed="" if seed is None else f"seed = {seed}",
                deterministic=json.dumps(seed is None),
                examples=examples,
                events=json.dumps(events),
                stream=STREAM,
            )
        )
        arguments = ["--checks", ",".join(sorted(CHECKS)), "--report-json-path", "report.json"]
        self._done = subprocess.run(
            [SCHEMATHESIS, "run", f"{url}/openapi.json", "--no-color", *arguments],
            env=os.environ | {"PYTHONPATH": str(ROOT), MET: str(folder / "met.json")},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        self.output = f"{self._done.stdout}\n{self._done.stderr}"
        assert self._done.returncode in {0, 1}, self.output
        self.report: dict[str, Any] = json.loads((folder / "report.json").read_text())
        told = json.loads((folder / "met.json").read_text())
        self.met: dict[str, list[int]] = told["met"]
        self.share_open: float = told["open"] / told["all"]
        assert self.report["complete"], self.output

    @property
    def links_followed(self) -> int:
        found = re.search(r"API Links: +([0-9]+) covered", self.output)
        assert found, self.output
        return int(found[1])

    def is_clean(self) -> None:
        """Nothing was found, and not because nothing was looked at."""
        assert self._done.returncode == 0, self.output
        all_but_the_stream = self.report["operations"]["total"] - 1
        assert self.report["operations"]["tested"] == all_but_the_stream
        assert {phase["status"] for phase in self.report["phases"].values()} == {"success"}
        warnings = {kind for kind, found in self.report["warnings"].items() if found}
        assert warnings <= HARMLESS, self.output
        assert self.links_followed >= 10, self.output
        assert self.share_open <= MOST_OPEN, self.output


def check(url: str, folder: Path, events: list[str], **how: Any) -> None:
    run = Run(url, folder, events, **how)
    run.is_clean()
    document = documented(url)
    for operation, statuses in document.items():
        assert {status for status in statuses if status < 400} <= set(run.met[operation])
    assert set.union(*document.values()) - UNMET <= {s for met in run.met.values() for s in met}


def documented(url: str) -> dict[str, set[int]]:
    """What each operation may answer."""
    document = httpx.get(f"{url}/openapi.json").json()
    return {
        f"{method.upper()} {path}": {int(status) for status in operation["responses"]}
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if path != STREAM
    }


@pytest.mark.parametrize("api", ["events", "bets"])
def test_the_server_keeps_its_document(
    client: Client, events: list[str], tmp_path: Path, api: str
) -> None:
    """Every answer is a documented one; each success of each operation is met, and each problem."""
    url = {"events": client.events_url, "bets": client.bets_url}[api]
    check(url, tmp_path, events, examples=30)


@pytest.mark.long
@pytest.mark.parametrize("api", ["events", "bets"])
def test_the_server_keeps_its_document_in_a_long_random_run(
    client: Client, events: list[str], tmp_path: Path, api: str
) -> None:
    url = {"events": client.events_url, "bets": client.bets_url}[api]
    seed = secrets.randbits(64)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it with a failure
    check(url, tmp_path, events, examples=300, seed=seed)


@pytest.mark.long
def test_a_server_that_breaks_its_document_is_seen(
    client: Client, events: list[str], tmp_path: Path
) -> None:
    """Every check can fail; in which run is chance, for each one has other ids."""
    found, output = set[str](), ""
    with lying(client.events_url) as url:
        for seed in range(RUNS):
            folder = tmp_path / str(seed)
            folder.mkdir()
            run = Run(url, folder, events, examples=20, seed=seed)
            found |= {failure["type"] for failure in run.report["failures"]}
            output += run.output
            if found >= FAILURES:
                break
    assert found == FAILURES, output
