"""One replay against the demo's test server, and what it wrote."""

import io
import re
import threading

from rich.console import Console

from entrypoints.demo import replay
from entrypoints.demo_player import Waits
from entrypoints.matches import MATCHES
from tests.unit.demo_server import BETS_URL, EVENTS_URL, DemoServer

FAST = 1e6
"""Match minutes per second."""
IMPATIENT = Waits(
    for_servers=0, for_an_answer=0.1, for_a_flip=0, for_the_end=0, between_tries=0.001
)
PATIENT = Waits(between_tries=0.001)
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
PATCH = "PATCH events:/events/ID"
TALLY = "GET bets:/events/ID/tally"


class Run:
    """One replay, and what it wrote."""

    def __init__(self, server: DemoServer) -> None:
        self.server = server
        self._written = io.BytesIO()
        self.stop = threading.Event()

    def play(
        self,
        name: str = "world-cup-2022",
        *,
        bets: int = 12,
        speed: float | None = FAST,
        waits: Waits = IMPATIENT,
        events_url: str = EVENTS_URL,
        terminal: bool = False,
        term: str = "xterm",
        encoding: str = "utf-8",
    ) -> bool:
        file = io.TextIOWrapper(self._written, encoding=encoding, write_through=True)
        console = Console(file=file, width=80, force_terminal=terminal, _environ={"TERM": term})
        try:
            return replay(
                match=MATCHES[name],
                bets=bets,
                speed=speed,
                events_url=events_url,
                bets_url=BETS_URL,
                console=console,
                stop=self.stop,
                waits=waits,
                transport=self.server.transport,
            )
        finally:
            file.detach()

    @property
    def output(self) -> str:
        return self._written.getvalue().decode()

    @property
    def text(self) -> str:
        """The output without the terminal's control sequences."""
        return CONTROL.sub("", self.output)

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()
