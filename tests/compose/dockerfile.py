"""Checks of the Dockerfile and .dockerignore, given as text: each yields what is wrong."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from packaging.specifiers import SpecifierSet

from tests.compose.document import ROOT

DOCKERFILE = ROOT / "Dockerfile"
DOCKERIGNORE = ROOT / ".dockerignore"
PYPROJECT = ROOT / "pyproject.toml"

HADOLINT = Path(sys.executable).with_name("hadolint")

PRIVATE = (".env", ".git", ".venv", ".touchline", ".cache", "tests", "docs")
"""What no image may hold, nor any builder be sent."""

_PINNED = re.compile(r"python:(\d+\.\d+\.\d+)-slim-[a-z]+")
_BUILD_TOOLS = re.compile(
    r"\b(apt-get|apk|gcc|g\+\+|make|build-essential|pip\S* .*install|pip wheel)\b"
)
_INSTALLERS = {"pip", "setuptools", "wheel"}


class Instruction(NamedTuple):
    keyword: str
    arguments: str


def stages(dockerfile: str) -> list[list[Instruction]]:
    """The instructions of each stage, each beginning with its FROM."""
    told = "\n".join(each for each in dockerfile.splitlines() if not each.startswith("#"))
    lines = [line for line in re.sub(r"\\\n\s*", "", told).splitlines() if line.strip()]
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
    """The image that runs can build and install nothing, not even what the base brings along."""
    removed: set[str] = set()
    for command in _commands(stages(dockerfile)[-1]):
        if command.startswith("pip uninstall"):
            removed.update(command.split()[2:])
        elif _BUILD_TOOLS.search(command):
            yield f"the last stage installs or uses build tools: {command}"
    for name in sorted(_INSTALLERS - removed):
        yield f"the last stage leaves {name} in the image"


def loose_installs(dockerfile: str) -> Iterator[str]:
    """All that comes from elsewhere comes from a lock file by its hashes, as wheels; ours comes
    alone, and is built with what is there already."""
    commands = [command for stage in stages(dockerfile) for command in _commands(stage)]
    for command in commands:
        words = set(command.split())
        if words & {"-r", "--requirement"}:
            if not {"--require-hashes", "--only-binary"} <= words:
                yield f"installs without hashes, or compiles: {command}"
        elif re.match(r"pip .*\binstall\b", command) and not {"--no-deps", "--no-index"} <= words:
            yield f"installs what no lock names: {command}"
        elif "pip wheel" in command and not {"--no-index", "--no-build-isolation"} <= words:
            yield f"builds with what no lock names: {command}"
    for lock in ("requirements.lock", "requirements-build.lock"):
        if not any(lock in command.split() for command in commands):
            yield f"does not install {lock}"


def wrong_labels(dockerfile: str) -> Iterator[str]:
    """The image says what it is, in the project's words."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    label = _last(stages(dockerfile)[-1], "LABEL") or ""
    given = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', label))
    for name in ("version", "description"):
        if given.get(name) != project[name]:
            yield f"the label {name} is {given.get(name)!r}, not {project[name]!r}"


def wrong_surroundings(dockerfile: str) -> Iterator[str]:
    """What a process finds: the signal that it ends on, and a file system it needn't write."""
    last = stages(dockerfile)[-1]
    if _last(last, "STOPSIGNAL") != "SIGTERM":
        yield "is not told to end by SIGTERM"
    variables = (_last(last, "ENV") or "").split()
    for wanted in ("PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1"):
        if wanted not in variables:
            yield f"runs without {wanted}"
    if _last(last, "HEALTHCHECK"):
        yield "has one healthcheck for commands with different ports"


def hadolint_violations(dockerfile: str) -> Iterator[str]:
    """What hadolint finds, as it is run by `make check`: every rule, with none switched off."""
    command = [str(HADOLINT), "--no-color", "--disable-ignore-pragma", "-"]
    done = subprocess.run(command, input=dockerfile, capture_output=True, text=True, check=False)
    yield from done.stdout.splitlines()
    if done.stderr:
        yield done.stderr


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


def _commands(stage: list[Instruction]) -> list[str]:
    """What its RUN instructions run, one command each."""
    runs = [each.arguments for each in stage if each.keyword == "RUN"]
    return [command.strip() for run in runs for command in run.split("&&")]


def _last(stage: list[Instruction], keyword: str) -> str | None:
    found = [each.arguments for each in stage if each.keyword == keyword]
    return found[-1] if found else None
