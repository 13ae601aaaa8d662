"""Checks of the services that run Touchline: commands, settings, healthchecks, ways to end."""

import os
import re
from collections.abc import Iterator
from unittest import mock

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from entrypoints.main import app
from entrypoints.settings import PREFIX, Settings, WrongSettings, load_settings
from tests.compose.document import (
    Document,
    Service,
    command,
    environment,
    healthcheck,
    is_touchline,
    option,
    profiles,
    services,
)
from tests.compose.order import one_shots

LASTING = {"events-api", "bets-api", "event-writer", "bet-scorer", "bet-writer", "verify"}
"""Touchline's commands that run until stopped, one service each."""

PROFILES = {
    "demo": {"demo"},
    "observability": {"verify", "prometheus", "grafana"},
    "tools": {"kafka-ui"},
}
"""What is started only when it is asked for; everything else always."""

DRAIN_SECONDS = 10
"""How long a stopping process may take: contract, and tests of each process."""

EXECUTABLES = {
    "apache/kafka": {
        "/opt/kafka/bin/kafka-broker-api-versions.sh",
        "/opt/kafka/bin/kafka-topics.sh",
    },
    "grafana/grafana": {"curl"},
    "kafbat/kafka-ui": {"wget"},
    "postgres": {"pg_isready"},
    "prom/prometheus": {"promtool"},
    "touchline": {"python"},
}
"""By image, what is known to be in it and may be asked for health."""


def missing_services(document: Document) -> Iterator[str]:
    """Each process of Touchline's is one service, named as its command."""
    ours = {name for name, each in services(document).items() if is_touchline(document, each)}
    for name in sorted(ours ^ (LASTING | one_shots(document))):
        yield f"{name} is not both a service and a process of Touchline's"
    for name in sorted(ours):
        if command(services(document)[name])[:1] != [name]:
            yield f"{name} runs another command than its name says"


def wrong_profiles(document: Document) -> Iterator[str]:
    """The deployment itself needs no profile, and what is beside it has its own."""
    wanted = {name: {profile} for profile, names in PROFILES.items() for name in names}
    known = services(document)
    for name in sorted(wanted.keys() - known):
        yield f"there is no service {name}"
    for name, service in known.items():
        if profiles(service) != wanted.get(name, set()):
            yield f"{name} is started with {', '.join(profiles(service)) or 'no profile'}"


def unknown_commands(document: Document) -> Iterator[str]:
    """Every command is one that the command line takes, with all its options."""
    for name, service in _ours(document):
        if "entrypoint" in service:
            yield f"{name} goes round the image's entry point"
        if problem := _parse_problem(command(service)):
            yield f"{name}: {problem}"


def unknown_settings(document: Document) -> Iterator[str]:
    known = {PREFIX + field.upper() for field in Settings.model_fields}
    for name, service in _ours(document):
        for variable in sorted(environment(service).keys() - known):
            yield f"{name}: {variable} is no setting"


def refused_settings(document: Document) -> Iterator[str]:
    """All values together are taken as the process would take them. The bus is Kafka; the demo only
    asks over HTTP."""
    for name, service in _ours(document):
        try:
            with mock.patch.dict(os.environ, environment(service), clear=True):
                settings = load_settings()
        except WrongSettings as wrong:
            yield from (f"{name}: {problem}" for problem in wrong.args)
        else:
            inside = command(service)[:1] != ["demo"]
            if (settings.bus == "kafka" and bool(settings.database_url)) is not inside:
                yield f"{name} does not run on Kafka and a database of its own, or should not"


def different_tokens(document: Document) -> Iterator[str]:
    """Who asks for tokens, and who signs them, are told the same."""
    told = {
        name: {k: v for k, v in environment(service).items() if k.startswith(f"{PREFIX}AUTH")}
        for name, service in _ours(document)
    }
    for name in ("bets-api", "demo"):
        if told.get(name) != told.get("events-api"):
            yield f"{name} is told other things about tokens than events-api"


def refused_listeners(document: Document) -> Iterator[str]:
    """A server that asks for no token starts on all addresses only when it is told to."""
    for name, service in _ours(document):
        allowed = environment(service).get("TOUCHLINE_ALLOW_UNAUTHENTICATED")
        if option(command(service), "--port") and allowed != "1":
            yield f"{name} would not start: it listens on all addresses and asks for no token"
        if not option(command(service), "--port") and allowed is not None:
            yield f"{name} is allowed what it does not do"


def missing_healthchecks(document: Document) -> Iterator[str]:
    for name in services(document).keys() - one_shots(document):
        if not healthcheck(services(document)[name]):
            yield f"{name} has no healthcheck that runs without a shell"


def unknown_executables(document: Document) -> Iterator[str]:
    for name, service in services(document).items():
        image = service.get("image", "").partition(":")[0]
        for executable in healthcheck(service)[:1]:
            if executable not in EXECUTABLES.get(image, set()):
                yield f"{name} is asked with {executable}, which {image} may not have"


def wrong_probes(document: Document) -> Iterator[str]:
    """The probe is Python that compiles, and asks the port that the command serves."""
    for name, service in _ours(document):
        asked = healthcheck(service)
        if not asked:
            continue
        code, port = asked[2], asked[-1]
        served = option(command(service), "--port") or option(command(service), "--health-port")
        if port != served:
            yield f"{name} is asked on {port}, but serves {served}"
        if "/readyz" not in code:
            yield f"{name} is not asked whether it is ready"
        try:
            compile(code, name, "exec")
        except SyntaxError as error:
            yield f"{name}'s probe does not compile: {error}"


def short_grace_periods(document: Document) -> Iterator[str]:
    """Docker kills nobody who still has time to drain."""
    for name, service in _ours(document):
        seconds = re.fullmatch(r"(\d+)s", service.get("stop_grace_period", "10s"))
        if name not in one_shots(document) and (not seconds or int(seconds[1]) <= DRAIN_SECONDS):
            yield f"{name} is killed before its {DRAIN_SECONDS} s to drain are over"


def privileges(document: Document) -> Iterator[str]:
    """Ours and what is beside the deployment run without capabilities, on a file system that they
    can't write. Kafka's and PostgreSQL's images set themselves up as root."""
    for name, service in services(document).items():
        if not is_touchline(document, service) and not profiles(service):
            continue
        if not service.get("read_only") or service.get("cap_drop") != ["ALL"]:
            yield f"{name} may write its file system or has capabilities"
        if service.get("security_opt") != ["no-new-privileges:true"]:
            yield f"{name} may get more privileges than it has"
    for name, service in _ours(document):
        if "user" in service or service.get("privileged"):
            yield f"{name} runs as another user than the image's"
        if not service.get("init"):
            yield f"{name} has no init: it would not hear SIGTERM before Python has a handler"


def _ours(document: Document) -> Iterator[tuple[str, Service]]:
    for name, service in services(document).items():
        if is_touchline(document, service):
            yield name, service


def _parse_problem(arguments: list[str]) -> str | None:
    """Why Touchline's command line refuses these arguments; None if it takes them."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    if not arguments or arguments[0] not in group.commands:
        return f"there is no command {arguments[:1]}"
    try:
        group.commands[arguments[0]].make_context(arguments[0], arguments[1:])
    except TyperException as error:
        return f"{' '.join(arguments)}: {error.format_message()}"
    return None
