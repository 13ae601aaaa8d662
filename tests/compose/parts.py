"""Checks of what Touchline didn't write: images, volumes, the set-up of broker and database."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from sqlalchemy import make_url

from tests.compose.document import Document, Service, environment, mounts, services
from tests.compose.network import kafka
from tests.kafka.jars import kafka_version

DURABLE_BROKER = {
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_LOG_FLUSH_INTERVAL_MESSAGES": "1",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
}
"""What a single broker needs to keep all it acknowledged, and to serve a group at once."""

_PINNED = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?")
_CLUSTER_ID = re.compile(r"[A-Za-z0-9_-]{22}")


def postgres(document: Document) -> tuple[str, Service]:
    """The database's service: its name and what it says."""
    found = [
        (name, service)
        for name, service in services(document).items()
        if service.get("image", "").startswith("postgres:")
    ]
    return found[0]


def unpinned_images(document: Document) -> Iterator[str]:
    """An image is one exact version, or built here under one name by one service."""
    builders = [name for name, service in services(document).items() if "build" in service]
    if len(builders) != 1:
        yield f"the image is built by {', '.join(builders) or 'nobody'}, not by one service"
    built = {services(document)[name].get("image") for name in builders}
    for name, service in services(document).items():
        if service.get("image") not in built and not _PINNED.fullmatch(service.get("image", "")):
            yield f"{name}'s image is not pinned: {service.get('image')}"


def wrong_pull_policies(document: Document) -> Iterator[str]:
    """Our image comes from no registry, and the one who builds it does so at each start."""
    built = {each.get("image") for each in services(document).values() if "build" in each}
    for name, service in services(document).items():
        wanted = "build" if "build" in service else "never"
        if service.get("image") in built and service.get("pull_policy") != wanted:
            yield f"{name} has pull_policy {service.get('pull_policy')!r}, not {wanted!r}"


def other_kafka_than_tested(document: Document) -> Iterator[str]:
    name, service = kafka(document)
    if service["image"] != f"apache/kafka:{kafka_version()}":
        yield f"{name} is {service['image']}, the tests run against {kafka_version()}"


def forgetful_broker(document: Document) -> Iterator[str]:
    name, service = kafka(document)
    variables = environment(service)
    for variable, wanted in DURABLE_BROKER.items():
        if variables.get(variable) != wanted:
            yield f"{name}: {variable} is {variables.get(variable)!r}, not {wanted!r}"
    if not _CLUSTER_ID.fullmatch(variables.get("CLUSTER_ID", "")):
        yield f"{name}: the cluster id is not fixed, or no id of Kafka's"


def wrong_volumes(document: Document) -> Iterator[str]:
    declared = set(document.get("volumes", {}))
    used = [volume for service in services(document).values() for volume in mounts(service)]
    for volume in sorted(set(used) ^ declared):
        yield f"the volume {volume} is not both declared and used"
    for volume in sorted({each for each in used if used.count(each) > 1}):
        yield f"the volume {volume} is used by several services"


def data_outside_volumes(document: Document) -> Iterator[str]:
    """What Kafka and PostgreSQL write outlives their containers."""
    broker, service = kafka(document)
    logs = environment(service).get("KAFKA_LOG_DIRS", "/tmp/kafka-logs")
    database, other = postgres(document)
    for name, mounted, data in (
        (broker, mounts(service), logs),
        (database, mounts(other), f"/var/lib/postgresql/{postgres_version(document)[0]}/docker"),
    ):
        if not any(PurePosixPath(data).is_relative_to(each) for each in mounted.values()):
            yield f"{name} writes to {data}, which is on no volume"


def wrong_database_urls(document: Document) -> Iterator[str]:
    """Every service signs in with the name, password and database that PostgreSQL is made with."""
    name, service = postgres(document)
    made = environment(service)
    wanted = (
        *(made.get("POSTGRES_USER"), made.get("POSTGRES_PASSWORD")),
        *(name, 5432, made.get("POSTGRES_DB")),
    )
    for client, each in services(document).items():
        if given := environment(each).get("TOUCHLINE_DATABASE_URL"):
            url = make_url(given)
            if (url.username, url.password, url.host, url.port, url.database) != wanted:
                yield f"{client} looks for another database than {name} makes: {given}"


def postgres_version(document: Document) -> tuple[int, int]:
    """Major and minor version of the database's image."""
    _, service = postgres(document)
    match = re.match(r"postgres:(\d+)\.(\d+)", service["image"])
    return (int(match[1]), int(match[2])) if match else (0, 0)
