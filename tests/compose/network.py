"""Checks of addresses: published ports, and Kafka's listeners seen from inside and outside."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.compose.document import (
    Document,
    Service,
    command,
    environment,
    option,
    published,
    services,
)

LOOPBACK = "127.0.0.1"
ALL_ADDRESSES = {"", "0.0.0.0"}
BOOTSTRAP_SERVERS = {"TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS", "KAFKA_CLUSTERS_0_BOOTSTRAPSERVERS"}
"""How clients are told where Kafka is: ours, and Kafka UI."""

_ADDRESS = re.compile(r"(?<![\w.-])(?P<host>[a-z][a-z0-9-]*):(?P<port>\d+)\b")
_LISTENER = re.compile(r"(?P<name>[A-Z_]+)://(?P<host>[^:/]*):(?P<port>\d+)")


class Address(NamedTuple):
    host: str
    port: int


def kafka(document: Document) -> tuple[str, Service]:
    """The broker's service: its name and what it says."""
    found = [
        (name, service)
        for name, service in services(document).items()
        if service.get("image", "").startswith("apache/kafka:")
    ]
    return found[0]


def listeners(text: str) -> dict[str, Address]:
    """Kafka's listeners by their names."""
    matches = _LISTENER.finditer(text)
    return {each["name"]: Address(each["host"], int(each["port"])) for each in matches}


def bound(document: Document) -> dict[str, Address]:
    """Where Kafka listens."""
    return listeners(environment(kafka(document)[1]).get("KAFKA_LISTENERS", ""))


def advertised(document: Document) -> dict[str, Address]:
    """Where Kafka tells clients to come back to."""
    return listeners(environment(kafka(document)[1]).get("KAFKA_ADVERTISED_LISTENERS", ""))


def addresses(document: Document, name: str) -> set[Address]:
    """Where it is told to find services: what stands in its variables and its command."""
    given = services(document)[name]
    text = " ".join([*environment(given).values(), *command(given)])
    found = {Address(each["host"], int(each["port"])) for each in _ADDRESS.finditer(text)}
    return {address for address in found if address.host in services(document)}


def served(document: Document, name: str) -> set[int]:
    """The ports on which it answers other containers, as far as the file tells."""
    service = services(document)[name]
    options = (option(command(service), each) for each in ("--port", "--health-port"))
    inside = {port.inside for port in published(service)}
    if name == kafka(document)[0]:
        inside = {each.port for each in advertised(document).values() if each.host == name}
    return inside | {int(each) for each in options if each is not None}


def wrong_addresses(document: Document) -> Iterator[str]:
    """Whoever is told to find a service somewhere finds it there."""
    for name in services(document):
        for host, port in sorted(addresses(document, name)):
            if port not in served(document, host):
                yield f"{name} is told to find {host} at {port}, where it does not answer"


def open_ports(document: Document) -> Iterator[str]:
    """Nothing is reachable from another machine."""
    for name, service in services(document).items():
        if "network_mode" in service:
            yield f"{name} has a network_mode, which may go round the loopback address"
        for port in published(service):
            if port.address != LOOPBACK:
                yield f"{name} publishes {port.outside} on {port.address or 'all addresses'}"


def ports_published_twice(document: Document) -> Iterator[str]:
    seen: dict[int, str] = {}
    for name, service in services(document).items():
        for port in published(service):
            if port.outside in seen:
                yield f"{name} and {seen[port.outside]} both publish {port.outside}"
            seen[port.outside] = name


def unreachable_servers(document: Document) -> Iterator[str]:
    """What a server of ours listens on is what is published, on every address inside."""
    for name, service in services(document).items():
        inside = {str(port.inside) for port in published(service)}
        served = option(command(service), "--port")
        if served is not None and served not in inside:
            yield f"{name} listens on {served}, which is not published"
        if served is not None and option(command(service), "--host") not in ALL_ADDRESSES:
            yield f"{name} listens where its published port does not lead"


def unbound_listeners(document: Document) -> Iterator[str]:
    """What Kafka advertises it also listens on, on every address, as the protocol map names it."""
    name, service = kafka(document)
    protocols = environment(service).get("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "")
    mapped = {pair.split(":")[0] for pair in protocols.split(",")}
    for listener in sorted(bound(document).keys() - mapped):
        yield f"{name}: {listener} has no security protocol"
    for listener in sorted(advertised(document)):
        address = bound(document).get(listener)
        if address is None:
            yield f"{name} advertises {listener}, but does not listen on it"
        elif address.host not in ALL_ADDRESSES:
            yield f"{name} advertises {listener}, but listens on {address.host} only"


def unreachable_listeners(document: Document) -> Iterator[str]:
    """Clients in containers reach the broker by its service's name, those outside by loopback."""
    name, service = kafka(document)
    outside = {(port.outside, port.inside) for port in published(service)}
    for listener, (host, port) in advertised(document).items():
        inside = bound(document).get(listener, Address(host, port)).port
        if host not in {name, LOOPBACK}:
            yield f"{name} advertises {listener} as {host}, which nobody can resolve"
        if host == name and inside != port:
            yield f"{name} advertises {listener} at {port}, but listens on {inside}"
        if host == LOOPBACK and (port, inside) not in outside:
            yield f"{name} advertises {listener} at {port}, which is not published to {inside}"
    for missing in sorted({name, LOOPBACK} - {each.host for each in advertised(document).values()}):
        yield f"{name} advertises no listener as {missing}"


def wrong_bootstrap_servers(document: Document) -> Iterator[str]:
    """Every client is given a listener that is advertised by the broker's name."""
    broker, _ = kafka(document)
    known = {f"{each.host}:{each.port}" for each in advertised(document).values()}
    inside = {address for address in known if address.startswith(f"{broker}:")}
    for name, service in services(document).items():
        for variable in BOOTSTRAP_SERVERS & environment(service).keys():
            given = environment(service)[variable]
            if given not in inside:
                yield f"{name} is told to find Kafka at {given}; it is at {', '.join(inside)}"


def wrong_quorum(document: Document) -> Iterator[str]:
    """The broker is its own controller, on a listener that it advertises to nobody."""
    name, service = kafka(document)
    variables = environment(service)
    controller = variables.get("KAFKA_CONTROLLER_LISTENER_NAMES", "")
    host, port = bound(document).get(controller, Address("", 0))
    voters = variables.get("KAFKA_CONTROLLER_QUORUM_VOTERS")
    if voters != f"{variables.get('KAFKA_NODE_ID')}@{host}:{port}":
        yield f"{name}: the voters {voters} are not the listener {controller} of this node"
    if controller in advertised(document):
        yield f"{name} advertises its controller"
    if variables.get("KAFKA_INTER_BROKER_LISTENER_NAME") not in advertised(document):
        yield f"{name}: the listener between brokers is not advertised"
