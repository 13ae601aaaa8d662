"""An observation that fails is said, and holds up nobody."""

import logging

import pytest
from pytest_mock import MockerFixture

from adapters.telemetry.measures import Measures
from adapters.telemetry.observation import Observation
from domain.records import ConsumerName


def test_what_fails_is_said(mocker: MockerFixture, caplog: pytest.LogCaptureFixture) -> None:
    measures = Measures()
    mocker.patch.object(measures, "batch", side_effect=ValueError("out of order"))
    with caplog.at_level(logging.ERROR):
        Observation(ConsumerName.BET_WRITER, measures=measures).did({}, [], [])
    assert "observing failed" in caplog.text
    assert "out of order" in caplog.text
