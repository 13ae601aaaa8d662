"""The example in Java, run as its README says."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.kafka.jars import jars_directory

SOURCE = Path(__file__).parents[2] / "examples" / "java" / "Flips.java"
SMALL = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")

Flip = dict[str, Any]


class Flips:
    """The running program: what it has printed so far."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            ["java", *SMALL, "-cp", f"{jars_directory()}/*", str(SOURCE), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self._lines: list[str] = []
        self._errors: list[str] = []
        self._threads = [
            threading.Thread(target=into.extend, args=(stream,))
            for into, stream in (
                (self._lines, self._process.stdout),
                (self._errors, self._process.stderr),
            )
        ]
        for thread in self._threads:
            thread.start()

    def of(self, event_id: str) -> list[Flip]:
        """The flips of the event's bets, in the order in which they were printed."""
        assert self._process.poll() is None, "".join(self._errors)
        flips = [json.loads(line) for line in self._lines[:]]
        return [flip for flip in flips if flip["eventId"] == event_id]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        for thread in self._threads:
            thread.join()
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._process.stdout.close()
        self._process.stderr.close()


@contextmanager
def flips(*arguments: str) -> Iterator[Flips]:
    """The program on these arguments, until the end of the block."""
    program = Flips(*arguments)
    try:
        yield program
    finally:
        program.stop()
