"""docker-compose.yml and Dockerfile as far as they can be judged without a container engine."""

from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256

import pytest
import yaml

from tests.compose import (
    dockerfile,
    network,
    observability,
    order,
    parts,
    resources,
    schema,
    touchline,
)
from tests.compose.beside import BREAKS_BESIDE
from tests.compose.breaking import Break, Check
from tests.compose.checks import BREAKS, CHECKS
from tests.compose.document import Document, load, parse, published, services

DOCKERFILE = dockerfile.DOCKERFILE.read_text()
DOCKERIGNORE = dockerfile.DOCKERIGNORE.read_text()

TextCheck = Callable[[str], Iterator[str]]
missing_sources: TextCheck = partial(dockerfile.missing_sources, dockerignore=DOCKERIGNORE)

TEXT_BREAKS: list[tuple[TextCheck, str, str, str]] = [
    (dockerfile.wrong_bases, "3.11.15-slim-trixie", "3.11-slim", "no pinned"),
    (dockerfile.wrong_bases, "3.11.15", "3.10.20", "supports"),
    (dockerfile.wrong_bases, "3.11.15-slim-trixie AS", "3.12.13-slim-trixie AS", "will run it"),
    (dockerfile.root_users, "USER 10001\n", "", "root"),
    (dockerfile.root_users, "USER 10001", "USER 0", "0"),
    (dockerfile.root_users, "USER 10001", "USER touchline", "touchline"),
    (dockerfile.wrong_entry_points, '["touchline"]', "touchline", "/bin/sh"),
    (dockerfile.wrong_entry_points, '["touchline"]', '["touchlin"]', "touchlin"),
    (dockerfile.wrong_entry_points, 'ENTRYPOINT ["touchline"]', "", "[]"),
    (dockerfile.build_tools, "&& useradd", "&& apt-get install gcc && useradd", "apt-get"),
    (dockerfile.build_tools, "&& useradd", "&& pip install x && useradd", "pip install x"),
    (dockerfile.build_tools, "ignore pip setuptools", "ignore setuptools", "leaves pip"),
    (dockerfile.loose_installs, "--require-hashes ", "", "without hashes"),
    (dockerfile.loose_installs, "--only-binary :all: ", "", "compiles"),
    (dockerfile.loose_installs, "-r requirements.lock", "fastapi", "does not install"),
    (dockerfile.loose_installs, "-r requirements.lock", "fastapi", "no lock names: pip --python"),
    (dockerfile.loose_installs, "-r requirements-build.lock", "setuptools", "build.lock"),
    (dockerfile.loose_installs, "--no-index", "", "no lock names: pip --python"),
    (dockerfile.loose_installs, "--no-build-isolation ", "", "builds with what"),
    (dockerfile.wrong_labels, 'version="0.1.0"', 'version="0.0.9"', "'0.0.9'"),
    (dockerfile.wrong_surroundings, "STOPSIGNAL SIGTERM", "STOPSIGNAL SIGINT", "SIGTERM"),
    (dockerfile.wrong_surroundings, "PYTHONDONTWRITEBYTECODE=1", "A=1", "DONTWRITE"),
    (
        dockerfile.wrong_surroundings,
        "STOPSIGNAL",
        "HEALTHCHECK CMD true\nSTOPSIGNAL",
        "one healthcheck",
    ),
    (dockerfile.hadolint_violations, "WORKDIR /build", "WORKDIR build", "DL3000"),
    (dockerfile.hadolint_violations, "--no-cache-dir --no-deps", "--no-deps", "DL3042"),
    (missing_sources, "COPY src src", "COPY sources src", "does not exist"),
    (missing_sources, "COPY src src", "COPY tests src", "keeps back"),
]


@pytest.fixture(scope="module")
def document() -> Document:
    return load()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_file_passes(check: Check, document: Document) -> None:
    assert list(check(document)) == []


@pytest.mark.parametrize(
    "broken",
    [*BREAKS, *BREAKS_BESIDE],
    ids=lambda broken: f"{broken.check.__name__}: {broken.says}",
)
def test_a_broken_file_fails(broken: Break, document: Document) -> None:
    problems = list(broken.check(broken.apply(document)))
    assert any(broken.says in problem for problem in problems), problems


@pytest.mark.parametrize(
    "module", [network, observability, order, parts, resources, schema, touchline]
)
def test_every_check_is_listed(module: object) -> None:
    """A check is what takes a document and yields text; a new one must be in the list."""
    found = {
        each
        for name, each in vars(module).items()
        if getattr(each, "__module__", None) == getattr(module, "__name__", "")
        and not name.startswith("_")
        and getattr(each, "__annotations__", {}) == {"document": Document, "return": Iterator[str]}
    }
    assert found
    assert found <= set(CHECKS)


def test_a_key_given_twice_is_an_error() -> None:
    with pytest.raises(yaml.YAMLError, match="stands twice"):
        parse("services: {kafka: {image: a, image: b}}")


def test_ports_in_another_form_are_an_error() -> None:
    with pytest.raises(ValueError, match="8001"):
        published({"ports": ["8001"]})


def test_services_start_after_what_they_wait_for(document: Document) -> None:
    started = order.start_order(document)
    assert set(started) == set(services(document))
    assert started.index("kafka") < started.index("topics") < started.index("bet-scorer")


def test_the_schema_is_the_one_that_its_readme_names() -> None:
    readme = schema.SCHEMA.with_name("README.md").read_text()
    assert sha256(schema.SCHEMA.read_bytes()).hexdigest() in readme


@pytest.mark.parametrize("check", dict.fromkeys(each[0] for each in TEXT_BREAKS))
def test_the_dockerfile_passes(check: TextCheck) -> None:
    assert list(check(DOCKERFILE)) == []


@pytest.mark.parametrize(("check", "old", "new", "says"), TEXT_BREAKS)
def test_a_broken_dockerfile_fails(check: TextCheck, old: str, new: str, says: str) -> None:
    assert old in DOCKERFILE
    problems = list(check(DOCKERFILE.replace(old, new)))
    assert any(says in problem for problem in problems), problems


@pytest.mark.parametrize(("line", "name"), [("!src", "src"), ("*", ".env"), ("*", ".git")])
def test_a_broken_dockerignore_fails(line: str, name: str) -> None:
    broken = DOCKERIGNORE.replace(f"{line}\n", "", 1)
    problems = list(dockerfile.missing_sources(DOCKERFILE, broken))
    assert any(name in problem for problem in problems), problems


def test_the_wheel_holds_all_of_src() -> None:
    pyproject = dockerfile.PYPROJECT.read_text()
    assert list(dockerfile.files_left_out(pyproject)) == []
    (problem,) = dockerfile.files_left_out(pyproject.replace('"*.mako", ', ""))
    assert "script.py.mako" in problem
