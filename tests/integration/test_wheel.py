"""Touchline as one file: built from its source distribution, installed into an empty environment
without the checkout in reach, and used. Only its dependencies come from this environment."""

import email
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
from collections.abc import Iterator
from contextlib import closing
from email.message import Message
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import httpx
import pytest

from tests.compose.document import ROOT
from tests.integration.system import PATIENCE, Client, Process

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VENDOR = "adapters/http/pages/static/vendor"
NOT_SOURCE = shutil.ignore_patterns("__pycache__", "*.egg-info")

_BUILD_SDIST = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the Dockerfile gives to pip, in a folder where building leaves no traces."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "src", folder / "src", ignore=NOT_SOURCE)
    return folder


@pytest.fixture(scope="module")
def sdist(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-c", _BUILD_SDIST, str(made), cwd=source)
    (found,) = made.iterdir()
    return found


@pytest.fixture(scope="module")
def wheel(sdist: Path) -> Path:
    """Built from nothing but the source distribution and what is installed here."""
    made = sdist.with_name("wheel")
    alone = ("--no-deps", "--no-index", "--no-build-isolation")
    run(*pip("wheel"), *alone, "--wheel-dir", str(made), str(sdist), cwd=sdist.parent)
    (found,) = made.iterdir()
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The programs of an environment that has Touchline from the wheel, and lends the rest."""
    folder = wheel.with_name("environment")
    run(sys.executable, "-m", "venv", "--without-pip", str(folder), cwd=wheel.parent)
    python = folder / "bin" / "python"
    options = ("--no-deps", "--no-index", "--no-compile")
    run(*pip("--python", str(python), "install"), *options, str(wheel), cwd=wheel.parent)
    # A line in a .pth file is a folder to look into; .pth files that lie there, such as the one
    # that leads to the checkout, are not read.
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "lent.pth").write_text(sysconfig.get_paths()["purelib"])
    return folder / "bin"


def test_the_source_distribution_holds_what_it_is_built_from(sdist: Path, source: Path) -> None:
    with tarfile.open(sdist) as archive:
        held = {PurePosixPath(*PurePosixPath(name).parts[1:]) for name in archive.getnames()}
    assert set(files_in(source)) <= held


def test_the_wheel_holds_all_of_the_source_and_nothing_else(wheel: Path, source: Path) -> None:
    names = map(PurePosixPath, ZipFile(wheel).namelist())
    assert {name for name in names if not name.parts[0].endswith(".dist-info")} == set(
        files_in(source / "src")
    )


def test_the_metadata_is_the_projects(wheel: Path) -> None:
    about = metadata(wheel)
    assert (about["Name"], about["Version"]) == (PROJECT["name"], PROJECT["version"])
    assert about["Summary"] == PROJECT["description"]
    assert about.get_all("Classifier") == PROJECT["classifiers"]
    assert about["Keywords"] == ",".join(PROJECT["keywords"])
    assert about["Description-Content-Type"] == "text/markdown"


def test_what_is_vendored_comes_with_its_licence(wheel: Path) -> None:
    """Beside it, and where tools that list licences look."""
    names = ZipFile(wheel).namelist()
    scripts = re.compile(rf"{VENDOR}/([a-z-]+)-[0-9][^/]*\.(js|css)")
    vendored = {match[1] for name in names if (match := scripts.fullmatch(name))}
    assert vendored >= {"htmx", "uplot"}
    listed = metadata(wheel).get_all("License-File") or []
    assert {PurePosixPath(each).stem for each in listed} == vendored
    for path in listed:
        assert f"{VENDOR}/{PurePosixPath(path).name}" in names
        assert any(name.endswith(f".dist-info/licenses/{path}") for name in names)


@pytest.fixture
def up(installed: Path, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """`touchline up` in an empty folder: the URLs that it says."""
    process = Process(
        ["up", "--events-port", "0", "--bets-port", "0"],
        {"PYTHONPATH": ""},
        tmp_path / "up.log",
        program=(str(installed / "touchline"),),
    )
    try:
        ready = process.line(r"^touchline ready events=(\S+) bets=(\S+)$")
        yield ready[1], ready[2]
        assert process.stop(within=PATIENCE) == 0
    finally:
        process.kill()
    assert (tmp_path / ".touchline").is_dir()


def test_it_runs_where_there_is_no_checkout(installed: Path, up: tuple[str, str]) -> None:
    where = "import domain, adapters, entrypoints as e; print(*domain.__path__, *e.__path__)"
    for path in run(str(installed / "python"), "-c", where, cwd=installed).split():
        assert Path(path).is_relative_to(installed.parent)
    for url in up:
        page = httpx.get(url, follow_redirects=True)
        assert page.status_code == 200
        links = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text))
        assert len(links) > 3
        for link in links:
            assert httpx.get(url + link).status_code == 200, link
    with closing(Client(*up)) as client:
        event = client.event()["id"]
        client.bet(event, "team_1")
        client.update(event, state="active")
        client.becomes(event, team_1={"losing": 1})


def pip(*arguments: str) -> list[str]:
    quiet = ("--quiet", "--disable-pip-version-check", "--no-cache-dir")
    return [sys.executable, "-m", "pip", *quiet, *arguments]


def run(*command: str, cwd: Path) -> str:
    """What it writes; it must end well."""
    done = subprocess.run(
        command, cwd=cwd, env={"PATH": ""}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def files_in(folder: Path) -> Iterator[PurePosixPath]:
    for path in folder.rglob("*"):
        if path.is_file() and ".egg-info" not in str(path):
            yield PurePosixPath(path.relative_to(folder))


def metadata(wheel: Path) -> Message:
    archive = ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    return email.message_from_bytes(archive.read(name))
