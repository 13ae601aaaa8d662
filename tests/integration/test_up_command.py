"""`touchline up` as people type it: with the demo and Ctrl-C, twice, on ports that are taken."""

import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.integration.system import Process, Up, eventually, run, running_up
from tests.standstill import in_time

IN_TIME = 10.0
"""Seconds that a process has to end."""


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        yield somebody.getsockname()[1]


def test_ctrl_c_during_the_demo(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """As in a terminal, where it reaches all processes of the command."""
    up = Up(tmp_path)
    arguments = ["up", "--demo", "--events-port", "0", "--bets-port", "0"]
    process = Process(arguments, up.environment, up.log_file, has_own_group=True)
    request.addfinalizer(process.kill)
    process.line(r"^touchline ready events=\S+ bets=\S+$")
    # The bets were `none`, and flip at kick-off.
    counts = process.line(
        r"^ *0' 0-0  team_1 (\d+) losing  draw (\d+) winning  team_2 (\d+) losing"
    )
    assert sum(map(int, counts.groups())) == 120
    family = psutil.Process(process.process.pid).children(recursive=True)
    with in_time(IN_TIME):
        os.killpg(process.process.pid, signal.SIGINT)
        process.line("^stopped; the match stays as it is$")
        assert process.process.wait() == 0
    assert "Traceback" not in up.log_file.read_text()
    eventually(lambda: not any(each.is_running() for each in family))


def test_a_second_one_on_the_same_folder(tmp_path: Path) -> None:
    with running_up(tmp_path) as up:
        second = up.command("up", "--events-port", "0", "--bets-port", "0")
        assert (second.returncode, second.stdout) == (1, "")
        assert second.stderr == f"error: another `touchline up` runs on {tmp_path / 'data'}\n"
        assert up.client.event()["state"] == "created"


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    options = ("--events-port", "0", "--bets-port", "0")
    done = run("up", *options, environment={"TOUCHLINE_DATA": "data"}, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: can't keep data in {tmp_path / 'data'}: File exists\n"


@pytest.mark.parametrize("which", ["events", "bets"])
def test_a_busy_port(tmp_path: Path, taken_port: int, which: str) -> None:
    ports = {"events": 0, "bets": 0} | {which: taken_port}
    options = [text for name in ports for text in (f"--{name}-port", str(ports[name]))]
    done = run("up", *options, environment={"TOUCHLINE_DATA": "data"}, cwd=tmp_path)
    assert_busy(done.returncode, done.stdout, done.stderr, taken_port)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("workers", [[], ["--workers", "2"]], ids=["one", "two"])
@pytest.mark.parametrize("api", ["events-api", "bets-api"])
def test_a_busy_port_of_one_server(
    tmp_path: Path, taken_port: int, api: str, workers: list[str]
) -> None:
    environment = {"TOUCHLINE_DATABASE_URL": "postgresql://postgres@127.0.0.1:1/nobody"}
    options = ["--port", str(taken_port), *workers]
    done = run(api, *options, environment=environment, cwd=tmp_path)
    assert_busy(done.returncode, done.stdout, done.stderr, taken_port)


def test_a_busy_port_of_a_consumers_health(tmp_path: Path, taken_port: int) -> None:
    environment = {"TOUCHLINE_DATABASE_URL": "postgresql://postgres@127.0.0.1:1/nobody"}
    port = str(taken_port)
    done = run("bet-writer", "--health-port", port, environment=environment, cwd=tmp_path)
    assert_busy(done.returncode, done.stdout, done.stderr, taken_port)


def assert_busy(code: int, said: str, errors: str, port: int) -> None:
    """One clear line."""
    assert (code, said) == (1, "")
    assert re.fullmatch(rf"error: can't listen on [\d.]+:{port}: Address already in use\n", errors)
