"""docker-compose.yml as Python values, in the forms that this project writes and no others."""

import json
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"

Document = dict[str, Any]
Service = dict[str, Any]

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z][A-Z0-9_]*):-(?P<default>[^${}]*)\}")
_PORT = re.compile(r"(?:(?P<address>[0-9.]+):)?(?P<outside>[0-9]+):(?P<inside>[0-9]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPort:
    """A port of a container that the host serves too; an empty address is every one it has."""

    address: str
    outside: int
    inside: int


def parse(text: str, variables: Mapping[str, str] | None = None) -> Document:
    """The document, its anchors and merges copied out, each `${NAME:-default}` filled in as Compose
    does: an empty variable is one that isn't there. A key given twice is an error."""
    copied = json.loads(json.dumps(yaml.load(text, Loader=_Loader)))
    document: Document = _filled(copied, variables or {})
    return document


def load(variables: Mapping[str, str] | None = None) -> Document:
    return parse(COMPOSE_FILE.read_text(), variables)


def substituted(text: str) -> dict[str, set[str]]:
    """Each variable that is filled in, and the defaults that stand for it."""
    found: dict[str, set[str]] = {}
    for match in _VARIABLE.finditer(text):
        found.setdefault(match["name"], set()).add(match["default"])
    return found


def services(document: Document) -> dict[str, Service]:
    found: dict[str, Service] = document["services"]
    return found


def environment(service: Service) -> dict[str, str]:
    """The variables as the process sees them: text, whatever YAML took the value for."""
    return {name: str(value) for name, value in service.get("environment", {}).items()}


def conditions(service: Service) -> dict[str, str]:
    """What it waits for: the other service's name, and the state that is waited for."""
    return {name: wait["condition"] for name, wait in service.get("depends_on", {}).items()}


def command(service: Service) -> list[str]:
    return list(service.get("command", []))


def option(arguments: list[str], name: str) -> str | None:
    """The argument that follows the one named; None if it isn't there."""
    return arguments[arguments.index(name) + 1] if name in arguments else None


def healthcheck(service: Service) -> list[str]:
    """The executable and its arguments; empty if there is none, or one that needs a shell."""
    test = service.get("healthcheck", {}).get("test", [])
    return list(test[1:]) if test[:1] == ["CMD"] else []


def published(service: Service) -> list[PublishedPort]:
    return [_published_port(text) for text in service.get("ports", [])]


def mounts(service: Service) -> dict[str, str]:
    """Where each volume is mounted: a path inside the container by the volume's name."""
    volumes = [text for text in service.get("volumes", []) if not text.startswith(".")]
    return dict(text.split(":", 1) for text in volumes)


def folders(service: Service) -> dict[str, str]:
    """Where each folder of this repository is mounted, with the mode that follows the path."""
    named = [text for text in service.get("volumes", []) if text.startswith("./")]
    return dict(text.removeprefix("./").split(":", 1) for text in named)


def profiles(service: Service) -> set[str]:
    """Those with which alone it is started; none of them: always."""
    return set(service.get("profiles", []))


def is_touchline(document: Document, service: Service) -> bool:
    """Whether it runs the image that this repository builds."""
    built = {each.get("image") for each in services(document).values() if "build" in each}
    return service.get("image") in built


def _published_port(text: str) -> PublishedPort:
    match = _PORT.fullmatch(text)
    if match is None:
        raise ValueError(f"ports are written address:outside:inside here, not {text!r}")
    return PublishedPort(
        address=match["address"] or "",
        outside=int(match["outside"]),
        inside=int(match["inside"]),
    )


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: variables.get(match["name"]) or match["default"], value)
    if isinstance(value, dict):
        return {key: _filled(each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, variables) for each in value]
    return value


class _Loader(yaml.SafeLoader):
    """Refuses a key given twice, of which YAML's own loader would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen and key.value != "<<":
                raise yaml.constructor.ConstructorError(
                    problem=f"{key.value!r} stands twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)
