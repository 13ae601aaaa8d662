"""Both APIs together against a small model: whatever is asked, each answer is what the model says.

Here requests come one after the other; those that race have tests of their own.
"""

import secrets
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.integration.modelled.machine import BothApis, OpenEnded
from tests.integration.system import PATIENT, Up, running_up


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running_up(tmp_path_factory.mktemp("modelled"), PATIENT) as up:
        yield up


@pytest.fixture
def web(up: Up) -> Iterator[OpenEnded]:
    web = OpenEnded(up.client.events_url, up.client.bets_url)
    yield web
    web.close()


some = settings(
    max_examples=60,
    stateful_step_count=60,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[*HealthCheck],
)


PROBLEMS = {
    "validation-error",
    "event-not-found",
    "bet-not-found",
    "version-mismatch",
    "illegal-transition",
    "field-frozen",
    "score-not-allowed",
    "event-has-bets",
    "event-not-open",
    "event-deleted",
    "bet-deleted",
    "idempotency-key-reused",
}
"""All that one client at a time can meet."""


MOST_GIVEN_UP = 3
"""Examples in which a request was left open: only a machine that stood still is an excuse."""


def asking(web: OpenEnded, met: set[str]) -> type[BothApis]:
    """Hypothesis makes a machine for each example, without arguments."""

    class Machine(BothApis):
        def __init__(self) -> None:
            super().__init__(web, met)

    return Machine


def test_every_answer_is_the_models(up: Up, web: OpenEnded) -> None:
    met: set[str] = set()
    run_state_machine_as_test(asking(web, met), settings=some)
    assert met == PROBLEMS
    assert web.given_up <= MOST_GIVEN_UP
    up.verify()


@pytest.mark.long
def test_every_answer_is_the_models_in_a_long_random_run(up: Up, web: OpenEnded) -> None:
    met: set[str] = set()
    number = secrets.randbits(64)
    print(f"seed {number}")  # noqa: T201 - pytest shows it with a failure
    many = settings(some, max_examples=150, stateful_step_count=60, derandomize=False)
    run_state_machine_as_test(seed(number)(asking(web, met)), settings=many)
    assert met == PROBLEMS
    assert web.given_up <= MOST_GIVEN_UP
    up.verify()
