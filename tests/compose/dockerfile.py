"""Checks of the Dockerfile and .dockerignore, given as text: each yields what is wrong."""

import json
import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from typing import NamedTuple

from packaging.specifiers import SpecifierSet

from tests.compose.document import ROOT

DOCKERFILE = ROOT / "Dockerfile"
DOCKERIGNORE = ROOT / ".dockerignore"
PYPROJECT = ROOT / "pyproject.toml"

PRIVATE = (".env", ".git", ".venv", ".touchline", ".cache", "tests", "docs")
"""What no image may hold, nor any builder be sent."""

_PINNED = re.compile(r"python:(\d+\.\d+\.\d+)-slim-[a-z]+")
_BUILD_TOOLS = re.compile(r"\b(apt-get|apk|gcc|g\+\+|make|build-essential)\b")


class Instruction(NamedTuple):
    keyword: str
    arguments: str


def stages(dockerfile: str) -> list[list[Instruction]]:
    """The instructions of each stage, each beginning with its FROM."""
    joined = re.sub(r"\\\n\s*", "", dockerfile)
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    found: list[list[Instruction]] = []
    for line in lines:
        keyword, _, arguments = line.partition(" ")
        if keyword == "FROM":
            found.append([])
        found[-1].append(Instruction(keyword, arguments.strip()))
    return found


def entry_point(dockerfile: str) -> list[str]:
    """The last stage's entry point as a list of arguments."""
    text = _last(stages(dockerfile)[-1], "ENTRYPOINT") or "[]"
    arguments: list[str] = json.loads(text) if text.startswith("[") else ["/bin/sh", "-c", text]
    return arguments


def copied_sources(dockerfile: str) -> list[str]:
    """What is copied from the repository."""
    return [
        source
        for stage in stages(dockerfile)
        for keyword, arguments in stage
        if keyword in {"COPY", "ADD"} and "--from" not in arguments
        for source in arguments.split()[:-1]
    ]


def is_sent(dockerignore: str, name: str) -> bool:
    """Whether the builder is sent this file or folder of the repository's root."""
    sent = True
    for line in dockerignore.splitlines():
        pattern = line.strip()
        if fnmatch(name, pattern.removeprefix("!").removeprefix("**/")):
            sent = pattern.startswith("!")
    return sent


def wrong_bases(dockerfile: str) -> Iterator[str]:
    """Each stage is the same pinned slim Python, of a version that Touchline supports."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    bases = [stage[0].arguments.split()[0] for stage in stages(dockerfile)]
    for base in bases:
        pinned = _PINNED.fullmatch(base)
        if not pinned:
            yield f"{base} is no pinned slim Python"
        elif pinned[1] not in SpecifierSet(project["requires-python"]):
            yield f"{base} is no Python that Touchline supports"
    if len(bases) < 2 or len(set(bases)) != 1:
        yield "the wheel is not built in a stage of its own, by the Python that will run it"


def root_users(dockerfile: str) -> Iterator[str]:
    user = _last(stages(dockerfile)[-1], "USER")
    if user is None or not user.isdigit() or int(user) == 0:
        yield f"runs as {user or 'root'}; a number other than 0 can be checked from outside"


def wrong_entry_points(dockerfile: str) -> Iterator[str]:
    """PID 1 is Touchline itself: a shell there would keep SIGTERM to itself."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    given = entry_point(dockerfile)
    if len(given) != 1 or given[0] not in project["scripts"]:
        yield f"the entry point is {given}, not one console script"


def build_tools(dockerfile: str) -> Iterator[str]:
    for keyword, arguments in stages(dockerfile)[-1]:
        if keyword == "RUN" and _BUILD_TOOLS.search(arguments):
            yield f"the last stage installs or uses build tools: {arguments}"


def loose_installs(dockerfile: str) -> Iterator[str]:
    """All dependencies come from the lock file by their hashes, as wheels; then ours, alone."""
    runs = [each.arguments for each in stages(dockerfile)[-1] if each.keyword == "RUN"]
    installs = [arguments for arguments in runs if "pip install" in arguments]
    locked = [each for each in installs if "requirements.lock" in each]
    for each in locked:
        if "--require-hashes" not in each or "--only-binary :all:" not in each:
            yield f"installs without hashes, or compiles: {each}"
    for each in installs:
        if each not in locked and not {"--no-deps", "--no-index"} <= set(each.split()):
            yield f"installs what no lock names: {each}"
    if not locked:
        yield "does not install requirements.lock"


def missing_sources(dockerfile: str, dockerignore: str) -> Iterator[str]:
    """What is copied exists and is sent; what is private is not."""
    for source in copied_sources(dockerfile):
        if not (ROOT / source).exists():
            yield f"copies {source}, which does not exist"
        if not is_sent(dockerignore, source):
            yield f"copies {source}, which .dockerignore keeps back"
    for name in PRIVATE:
        if is_sent(dockerignore, name):
            yield f"{name} is sent to the builder"


def files_left_out(pyproject: str) -> Iterator[str]:
    """What lies beside the modules, such as the migrations' template, comes into the wheel too."""
    patterns = tomllib.loads(pyproject)["tool"]["setuptools"]["package-data"]["*"]
    for path in sorted((ROOT / "src").rglob("*")):
        name = path.relative_to(ROOT / "src")
        if path.is_dir() or path.suffix in {".py", ".pyc"} or name.parts[0].endswith(".egg-info"):
            continue
        if not any(fnmatch(path.name, pattern) for pattern in patterns):
            yield f"src/{name} is left out of the wheel"


def _last(stage: list[Instruction], keyword: str) -> str | None:
    found = [each.arguments for each in stage if each.keyword == keyword]
    return found[-1] if found else None
