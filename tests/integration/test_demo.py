"""`touchline demo` as a process, against a running `touchline up`."""

import signal
from collections.abc import Iterator

import pytest

from tests.integration.system import Process, System, running_up
from tests.kafka.broker import free_ports
from tests.standstill import in_time


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running_up(tmp_path_factory.mktemp("up")) as system:
        yield system


@pytest.fixture
def urls(system: System) -> list[str]:
    return ["--events-url", system.client.events_url, "--bets-url", system.client.bets_url]


def test_a_match_is_played_to_its_end(system: System, urls: list[str]) -> None:
    match = ["--match", "istanbul-2005-taken-back", "--bets", "30", "--speed", "60"]
    done = system.command("demo", *match, *urls)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert "0' 0-0  larry bets too late: event-not-open" in lines
    assert lines[-1] == "30 bets: 10 win, 20 lose; each one as the rules say"
    happenings = [line.split("  team_2")[0] for line in lines if "team_1 10 " in line]
    assert happenings[-3:] == [
        "85' 3-4  team_1 10 losing  draw 10 losing",
        "89' 3-3  team_1 10 losing  draw 10 winning",
        "120' 3-3  team_1 10 lose  draw 10 win",
    ]
    assert len(happenings) == 10
    system.verify()


def test_ctrl_c_ends_it_within_a_second(system: System, urls: list[str]) -> None:
    log = system.folder / "demo.log"
    demo = Process(["demo", "--bets", "3", *urls], system.environment, log)
    demo.line("larry bets too late")
    with in_time(1):
        demo.send(signal.SIGINT)
        demo.line("^stopped; the match stays as it is$")
    assert demo.process.wait(5) == 1
    assert log.read_text() == ""
    demo.kill()


def test_servers_that_are_not_there_are_named(system: System, urls: list[str]) -> None:
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    done = system.command("demo", *urls[:2], "--bets-url", url)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"error: nobody answers at {url}: start Touchline with `make run` or `touchline up`\n"
    )
