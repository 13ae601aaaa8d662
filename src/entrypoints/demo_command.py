"""`touchline demo`: from the command line's words to a replay."""

import threading

import typer
from rich.console import Console

from entrypoints.credentials import Credentials, no_headers
from entrypoints.demo import DemoFailed, replay
from entrypoints.matches import MATCHES


def run_demo(
    *,
    match: str = "world-cup-2022",
    bets: int = 120,
    speed: float | None = None,
    events_url: str,
    bets_url: str,
    credentials: Credentials = no_headers,
    stop: threading.Event | None = None,
) -> bool:
    """Replay the match; tell whether every bet ended right."""
    if match not in MATCHES:
        raise typer.BadParameter(f"{match!r}: choose one of {', '.join(MATCHES)}")
    if speed is not None and not speed > 0:
        raise typer.BadParameter("--speed must be above 0, in match minutes per second")
    try:
        return replay(
            match=MATCHES[match],
            bets=bets,
            speed=speed,
            events_url=events_url,
            bets_url=bets_url,
            credentials=credentials,
            console=Console(),
            stop=stop or threading.Event(),
        )
    except DemoFailed as failed:
        typer.echo(f"error: {failed}", err=True)
        return False
