"""Checks of limits: what a service may take of the machine, and what it needs of that."""

import re
from collections.abc import Iterator

from tests.compose.document import Document, Service, environment, is_touchline, services

MEASURED_MB = 150
"""What a process of ours took at most: docs/performance.md, rows 9 and 11."""

SMALLEST_MACHINE_CORES = 1
"""Docker refuses to start what may take more cores than there are."""

_UNITS = {"k": 1 / 1024, "m": 1, "g": 1024}


def missing_limits(document: Document) -> Iterator[str]:
    """Each service has a limit of memory and cores that the smallest machine can give."""
    for name, service in services(document).items():
        if not memory_mb(service):
            yield f"{name} may take all the memory"
        if not 0 < float(_limits(service).get("cpus", 0)) <= SMALLEST_MACHINE_CORES:
            yield f"{name} may take all cores, or more than a small machine has"


def tight_limits(document: Document) -> Iterator[str]:
    """What was measured leaves a third of the limit free. A Java heap takes half of it at most:
    Java needs much beside it, and Kafka's healthcheck is a second Java."""
    for name, service in services(document).items():
        limit = memory_mb(service)
        if is_touchline(document, service) and limit < 1.5 * MEASURED_MB:
            yield f"{name} may take {limit} MB, and has taken {MEASURED_MB}"
        heap = heap_mb(service)
        if heap and limit < 2 * heap:
            yield f"{name} may take {limit} MB, and its heap alone {heap}"


def unbounded_heaps(document: Document) -> Iterator[str]:
    """What runs on Java is told how much heap it may have: by itself it goes by the machine's."""
    for name, service in services(document).items():
        if "kafka" in service.get("image", "") and not heap_mb(service):
            yield f"{name} runs on Java, and its heap has no bound"


def memory_mb(service: Service) -> float:
    """Its limit; 0 if there is none."""
    return _mb(str(_limits(service).get("memory", "")))


def heap_mb(service: Service) -> float:
    """The bound of its Java heap; 0 if none is given."""
    given = environment(service)
    options = given.get("KAFKA_HEAP_OPTS", "") + given.get("JAVA_OPTS", "")
    bound = re.search(r"-Xmx(\w+)", options)
    return _mb(bound[1]) if bound else 0


def _limits(service: Service) -> dict[str, str]:
    limits: dict[str, str] = service.get("deploy", {}).get("resources", {}).get("limits", {})
    return limits


def _mb(text: str) -> float:
    match = re.fullmatch(r"(\d+)([kmg])b?", text.lower())
    return int(match[1]) * _UNITS[match[2]] if match else 0
