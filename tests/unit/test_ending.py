"""How a process ends."""

import asyncio
import os
import signal

import pytest

from entrypoints.ending import SIGNALS, end_of_service
from tests.shortages import one_thread_refused

PATIENCE = 10.0


@pytest.mark.parametrize("number", SIGNALS)
def test_a_server_ends_though_no_thread_is_to_be_had(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then there is nobody to end it where it hangs: but it is told to."""
    monkeypatch.setattr(os, "_exit", lambda _: None)

    async def test() -> None:
        ended = await end_of_service()
        with one_thread_refused("end-in-time"):
            signal.raise_signal(number)
            await asyncio.wait_for(ended.wait(), PATIENCE)

    asyncio.run(test())
