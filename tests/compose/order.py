"""Checks of who waits for whom. Each takes the parsed document and yields what is wrong with it."""

from collections.abc import Iterator

from tests.compose.document import (
    Document,
    command,
    conditions,
    is_touchline,
    profiles,
    services,
)
from tests.compose.network import addresses

HEALTHY = "service_healthy"
COMPLETED = "service_completed_successfully"

SET_UP = {"migrate", "topics"}
"""Touchline's commands that end by themselves, and that all others need done."""

ONE_SHOTS = SET_UP | {"demo"}
"""All that end by themselves."""


def set_up(document: Document) -> set[str]:
    """The services that run to their end before others start."""
    return _that_run(document, SET_UP)


def one_shots(document: Document) -> set[str]:
    """The services that run to their end."""
    return _that_run(document, ONE_SHOTS)


def start_order(document: Document) -> list[str]:
    """Each service after all that it waits for; services in a cycle are left out."""
    waiting = {name: set(conditions(service)) for name, service in services(document).items()}
    order: list[str] = []
    while ready := [name for name, targets in waiting.items() if targets <= set(order)]:
        order += ready
        waiting = {name: targets for name, targets in waiting.items() if name not in ready}
    return order


def unknown_targets(document: Document) -> Iterator[str]:
    known = services(document)
    for name, service in known.items():
        for target in conditions(service).keys() - known:
            yield f"{name} waits for {target}, which is no service"


def cycles(document: Document) -> Iterator[str]:
    stuck = services(document).keys() - start_order(document)
    if stuck and not any(unknown_targets(document)):
        yield f"these wait for each other: {', '.join(sorted(stuck))}"


def targets_without_healthcheck(document: Document) -> Iterator[str]:
    known = services(document)
    for name, service in known.items():
        for target, condition in conditions(service).items():
            check = known.get(target, {}).get("healthcheck", {})
            if condition == HEALTHY and ("test" not in check or check.get("disable")):
                yield f"{name} waits for {target} to be healthy, which has no healthcheck"


def unawaited_one_shots(document: Document) -> Iterator[str]:
    """Each lasting service of ours waits until each one-shot has ended well."""
    for name, service in services(document).items():
        if is_touchline(document, service) and name not in one_shots(document):
            for one_shot in sorted(set_up(document)):
                if conditions(service).get(one_shot) != COMPLETED:
                    yield f"{name} does not wait until {one_shot} has completed"


def endless_waits(document: Document) -> Iterator[str]:
    """Nobody waits for the end of a service that does not end."""
    for name, service in services(document).items():
        for target, condition in conditions(service).items():
            if condition == COMPLETED and target not in one_shots(document):
                yield f"{name} waits for the end of {target}, which lasts"


def early_starts(document: Document) -> Iterator[str]:
    """Whoever is given another's address starts after that one was healthy."""
    for name in services(document):
        for host in sorted(_hosts(document, name) - _healthy_before(document, name)):
            yield f"{name} uses {host}, but may start before it is healthy"


def wrong_restarts(document: Document) -> Iterator[str]:
    """What lasts comes back after a crash; a one-shot that fails stops the start, once."""
    for name, service in services(document).items():
        wanted = "no" if name in one_shots(document) else "unless-stopped"
        if service.get("restart") != wanted:
            yield f"{name} has restart {service.get('restart')!r}, not {wanted!r}"


def waits_across_profiles(document: Document) -> Iterator[str]:
    """Whom it waits for is started whenever it is itself; Compose refuses the file otherwise."""
    known = services(document)
    for name, service in known.items():
        for target in sorted(conditions(service).keys() & known):
            given, needed = profiles(service), profiles(known[target])
            if needed and not (given and given <= needed):
                yield f"{name} waits for {target}, which starts with {', '.join(needed)} only"


def _that_run(document: Document, commands: set[str]) -> set[str]:
    return {
        name
        for name, service in services(document).items()
        if is_touchline(document, service) and commands.intersection(command(service)[:1])
    }


def _hosts(document: Document, name: str) -> set[str]:
    """The other services whose addresses it is given."""
    return {host for host, _ in addresses(document, name)} - {name}


def _healthy_before(document: Document, name: str) -> set[str]:
    """The services that were healthy at some moment before this one starts."""
    known = services(document)
    healthy: set[str] = set()
    seen: set[str] = set()
    todo = [name]
    while todo:
        waits = conditions(known.get(todo.pop(), {}))
        healthy |= {target for target, condition in waits.items() if condition == HEALTHY}
        todo += waits.keys() - seen
        seen |= waits.keys()
    return healthy
