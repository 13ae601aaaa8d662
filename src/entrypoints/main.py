"""The command line: parse, call, translate. What a command does is imported when it runs."""

import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from domain.errors import TouchlineError
from domain.records import ConsumerName
from entrypoints import game_commands
from entrypoints.matches import MATCHES

if TYPE_CHECKING:
    from entrypoints.settings import Settings

FAILED = 1
COULD_NOT = 2
"""Exit code when the question could not be answered, or the settings are wrong."""

app = typer.Typer(
    help="Scores bets on live sporting events, right whatever crashes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
letters = typer.Typer(help="Records that could not be read: see them, put them back.")
app.add_typer(letters, name="dead-letters", no_args_is_help=True)
app.add_typer(game_commands.events, name="events", no_args_is_help=True)
app.add_typer(game_commands.bets, name="bets", no_args_is_help=True)

TokenRole = Literal["player", "operator", "auditor"]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="0 = a free one.", min=0, max=65535)]
HealthPort = Annotated[
    int | None, typer.Option(help="Serve /livez, /readyz and /metrics here.", min=0, max=65535)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Workers = Annotated[int, typer.Option(help="Server processes.", min=1, max=64)]


def main() -> None:
    """Run the command line; what is expected to go wrong ends in one line, not in a traceback."""
    try:
        app()
    except TouchlineError as error:
        from entrypoints.settings import WrongSettings

        fail(str(error), COULD_NOT if isinstance(error, WrongSettings) else FAILED)


def fail(text: str, code: int = FAILED) -> NoReturn:
    typer.echo(f"error: {text}", err=True)
    sys.exit(code)


def _settings(**given: object) -> "Settings":
    """The settings, with what the command line gave instead; logs are set up on the way."""
    from entrypoints.logs import configure_logs
    from entrypoints.settings import load_settings

    settings = load_settings()
    settings = settings.model_copy(update={k: v for k, v in given.items() if v is not None})
    configure_logs(settings)
    return settings


@contextmanager
def _database(*, is_there: bool = False) -> "Iterator[tuple[Settings, str]]":
    """The settings and the URL of the database; the embedded one is started, and made unless it
    `is_there`: who only looks would find nothing wrong with an empty one."""
    from entrypoints.bootstrap import database_url

    settings = _settings()
    with database_url(settings, is_there=is_there) as url:
        yield settings, url


@app.command()
def up(
    *,
    data: Annotated[Path | None, typer.Option(help="Folder of the data.")] = None,
    host: Host = "127.0.0.1",
    events_port: Port = 8001,
    bets_port: Port = 8002,
    demo: Annotated[bool, typer.Option("--demo", help="Play the demo match.")] = False,
) -> None:
    """Run everything in one go, embedded, until stopped."""
    from entrypoints.up import run_everything

    if events_port == bets_port != 0:
        raise typer.BadParameter("must differ", param_hint="--events-port and --bets-port")
    settings = _settings(data=data)
    run_everything(settings, host=host, events_port=events_port, bets_port=bets_port, demo=demo)


@app.command()
def migrate() -> None:
    """Bring the database schema to head."""
    from entrypoints import bootstrap

    with _database() as (_, url):
        changed = bootstrap.migrate(url)
    typer.echo("the schema is at head" if changed else "the schema was at head already")


@app.command()
def topics() -> None:
    """Create the topics events.taxonomy and bets.state."""
    from entrypoints import bootstrap

    settings = _settings()
    # An embedded PostgreSQL is not started for Kafka's topics.
    needed = nullcontext("") if settings.bus == "kafka" else bootstrap.database_url(settings)
    with needed as url:
        for topic, created in bootstrap.create_topics(settings, url).items():
            typer.echo(f"{topic}: {'created' if created else 'exists already'}")


@app.command()
def events_api(host: Host = "127.0.0.1", port: Port = 8001, workers: Workers = 1) -> None:
    """Serve the events API."""
    from entrypoints.api_process import run_api

    with _database() as (settings, url):
        run_api("events", settings, url, host=host, port=port, workers=workers)


@app.command()
def bets_api(host: Host = "127.0.0.1", port: Port = 8002, workers: Workers = 1) -> None:
    """Serve the bets API."""
    from entrypoints.api_process import run_api

    with _database() as (settings, url):
        run_api("bets", settings, url, host=host, port=port, workers=workers)


def _consumer(name: ConsumerName, health_port: int | None) -> None:
    from entrypoints.consumer_process import run_consumer

    with _database() as (settings, url):
        run_consumer(name, settings, url, health_port=health_port)


@app.command()
def event_writer(health_port: HealthPort = None) -> None:
    """Run one Event Writer: folds the story into events and their versions."""
    _consumer(ConsumerName.EVENT_WRITER, health_port)


@app.command()
def bet_scorer(health_port: HealthPort = None) -> None:
    """Run one Bet Scorer: tells which bets a new version of an event moves."""
    _consumer(ConsumerName.BET_SCORER, health_port)


@app.command()
def bet_writer(health_port: HealthPort = None) -> None:
    """Run one Bet Writer: inserts the bets that stand and writes their states."""
    _consumer(ConsumerName.BET_WRITER, health_port)


@app.command()
def demo(
    *,
    speed: Annotated[
        float | None, typer.Option(help="Match minutes per second; default: about 45 s in all.")
    ] = None,
    bets: Annotated[int, typer.Option(help="How many bets to place.", min=1)] = 120,
    match: Annotated[
        str, typer.Option(help=f"Which one: {', '.join(MATCHES)}.")
    ] = "world-cup-2022",
    events_url: Annotated[str, typer.Option(help="The events API.")] = "http://127.0.0.1:8001",
    bets_url: Annotated[str, typer.Option(help="The bets API.")] = "http://127.0.0.1:8002",
) -> None:
    """Replay a recorded match over HTTP and watch the bets flip."""
    from entrypoints.credentials import credentials_of_all
    from entrypoints.demo_command import run_demo

    credentials = credentials_of_all(_settings())
    right = run_demo(
        match=match,
        bets=bets,
        speed=speed,
        events_url=events_url,
        bets_url=bets_url,
        credentials=credentials,
    )
    if not right:
        raise typer.Exit(FAILED)


@app.command()
def token(
    subject: Annotated[str, typer.Argument(help="Who it is for: a player's userId.")],
    *,
    role: Annotated[TokenRole, typer.Option(help="What it lets them do.")] = "player",
    hours: Annotated[float, typer.Option(help="How long it lasts.", min=0.01, max=87600)] = 24.0,
    key: Annotated[
        Path | None, typer.Option(help="PEM of the private key; default: TOUCHLINE_AUTH_SECRET.")
    ] = None,
    link: Annotated[
        str | None, typer.Option(help="A server's address: print a link that signs in there.")
    ] = None,
) -> None:
    """Make a token for TOUCHLINE_AUTH=jwt."""
    from datetime import UTC, datetime, timedelta

    from entrypoints.bootstrap import sign_token

    if link is not None and not link.startswith(("http://", "https://")):
        raise typer.BadParameter("must begin with http:// or https://", param_hint="--link")
    made = sign_token(
        _settings(),
        subject,
        role=role,
        now=datetime.now(UTC),
        lifetime=timedelta(hours=hours),
        private_key=key,
    )
    typer.echo(made if link is None else f"{link.rstrip('/')}/pages/sign-in#{made}")


@app.command()
def watch(
    event: Annotated[str | None, typer.Argument(metavar="[EVENT]", help="All without it.")] = None,
    *,
    user: Annotated[str | None, typer.Option(help="Whose bets on it, too.")] = None,
    events_url: Annotated[str, typer.Option(help="The events API.")] = game_commands.EVENTS_URL,
    bets_url: Annotated[str, typer.Option(help="The bets API.")] = game_commands.BETS_URL,
    as_json: AsJson = False,
) -> None:
    """Watch a match until every bet on it is decided, or all matches until stopped. Plain lines
    where the output is no terminal."""
    from rich.console import Console

    from entrypoints.watch import watch_all, watch_event

    console = Console()
    with suppress(KeyboardInterrupt):
        if event is None:
            watch_all(events_url=events_url, console=console, as_json=as_json)
        else:
            watch_event(event, user=user, bets_url=bets_url, console=console, as_json=as_json)


@app.command()
def verify(
    *,
    fold: Annotated[
        bool, typer.Option("--fold/--no-fold", help="Whether to read the whole log, too.")
    ] = True,
    repair: Annotated[
        bool, typer.Option("--repair", help="Say which states of bets would be corrected, and how.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --repair: correct them.")] = False,
    every: Annotated[
        float | None, typer.Option(help="Go on, and check again after so many seconds.", min=1)
    ] = None,
    health_port: HealthPort = None,
    as_json: AsJson = False,
) -> None:
    """Check the invariants on the database and the topics, also while they are in use. Exit code
    0: all hold, 1: violations, 2: could not check. Changes nothing but with --repair --yes, which
    derives wrong states of bets again from their events. With --every it goes on until it is
    stopped, and what it finds is in its log and at its --health-port."""
    from entrypoints import verify_command

    if yes and not repair:
        raise typer.BadParameter("only --repair needs a yes", param_hint="--yes")
    if (every is None) is not (health_port is None):
        raise typer.BadParameter("one needs the other", param_hint="--every and --health-port")
    if every is not None and health_port is not None:
        if repair or as_json:
            raise typer.BadParameter("not with --repair or --json", param_hint="--every")
        _verify_regularly(every, health_port, with_fold=fold)
        return
    logging.disable(logging.WARNING)
    with _checking(), _database(is_there=True) as (settings, url):
        report, repaired = verify_command.run_verify(
            settings, url, with_fold=fold, repair=repair, apply=yes
        )
    if as_json:
        typer.echo(json.dumps(verify_command.as_json(report, repaired)))
    else:
        typer.echo(verify_command.as_text(report, repaired))
    raise typer.Exit(0 if report.holds else FAILED)


@contextmanager
def _checking() -> Iterator[None]:
    """What keeps `verify` from its answer is no violation, whatever it is."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - also a fault of ours
        if not isinstance(error, TouchlineError):
            traceback.print_exc()
        fail(f"could not check: {error}", COULD_NOT)


def _verify_regularly(every: float, health_port: int, *, with_fold: bool) -> None:
    from entrypoints.verify_regularly import run_regularly

    with _checking(), _database(is_there=True) as (settings, url):
        run_regularly(settings, url, every=every, health_port=health_port, with_fold=with_fold)


def _letters(act: "Callable[[Settings, str], object]", *, as_json: bool) -> None:
    from entrypoints.dead_letters import shown

    with _database(is_there=True) as (settings, url):
        typer.echo(shown(act(settings, url), as_json=as_json))


@letters.command("list")
def list_letters(
    *,
    after: Annotated[int | None, typer.Option(help="Only those with a higher ID.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=100_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """List them, oldest first."""
    from entrypoints.dead_letters import page

    _letters(lambda _, url: page(url, after=after, most=limit), as_json=as_json)


@letters.command("show")
def show_letter(
    letter: Annotated[int, typer.Argument(metavar="ID")], *, as_json: AsJson = False
) -> None:
    """Show one, with its raw bytes."""
    from entrypoints.dead_letters import one

    _letters(lambda _, url: one(url, letter), as_json=as_json)


@letters.command("requeue")
def requeue_letter(
    letter: Annotated[int, typer.Argument(metavar="ID")], *, as_json: AsJson = False
) -> None:
    """Append it to its topic again, once."""
    from entrypoints.dead_letters import requeue

    _letters(lambda settings, url: requeue(settings, url, letter), as_json=as_json)
