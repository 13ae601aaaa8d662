"""The embedded PostgreSQL, started over what a crash has left."""

import errno
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import psutil
import psycopg2
import pytest

from adapters.postgres import embedded as embedding
from adapters.postgres.embedded import EmbeddedPostgres
from domain.errors import Misconfigured
from tests.integration.system import Process, eventually, running_up
from tests.shortages import one_thread_refused


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    embedded = EmbeddedPostgres(tmp_path)
    yield embedded
    embedded.stop()


@pytest.fixture
def zombie(tmp_path: Path) -> Iterator[int]:
    """The number of a dead process named postgres that nobody has waited for yet."""
    program = tmp_path / "bin" / "postgres"
    program.parent.mkdir()
    shutil.copy(shutil.which("true") or "", program)
    process = subprocess.Popen([program])
    eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    yield process.pid
    process.wait()


def answer(url: str) -> object:
    connection = psycopg2.connect(url.replace("postgresql+psycopg2", "postgresql"))
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return cursor.fetchone()
    finally:
        connection.close()


def answers(url: str) -> bool:
    try:
        return answer(url) == (1,)
    except psycopg2.OperationalError:
        return False


def test_a_killed_server_whose_process_is_still_listed(
    embedded: EmbeddedPostgres, tmp_path: Path, zombie: int
) -> None:
    """Seen when a server and its user were killed together: it was taken for a running one."""
    first = EmbeddedPostgres(tmp_path)
    first.start()
    pid_file = tmp_path / "postgres" / "postmaster.pid"
    running = pid_file.read_text()
    first.stop()
    pid_file.write_text(running.replace(running.split()[0], str(zombie), 1))

    assert answer(embedded.start()) == (1,)


def kill_server(data: Path) -> None:
    """As the kernel does where memory is short."""
    psutil.Process(int((data / "postgres" / "postmaster.pid").read_text().split()[0])).kill()
    eventually(lambda: not _servers_in(data))


def test_looking_after_the_server_that_failed_once(
    embedded: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a server that dies later is never started again."""
    is_alive, failed = embedding._is_alive, Event()

    def fail_once(process: psutil.Process) -> bool:
        if not failed.is_set():
            failed.set()
            raise OSError(errno.EMFILE, "Too many open files")
        return is_alive(process)

    url = embedded.start()
    monkeypatch.setattr(embedding, "_is_alive", fail_once)
    assert failed.wait(10)
    kill_server(tmp_path)
    eventually(lambda: answers(url))


def test_a_server_that_nobody_could_look_after_does_not_run_on(tmp_path: Path) -> None:
    embedded = EmbeddedPostgres(tmp_path)
    with one_thread_refused("postgres-watcher"), pytest.raises(RuntimeError):
        embedded.start()
    embedded.stop()
    assert not _servers_in(tmp_path)


def test_two_start_the_server_that_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that finds it dead and pauses must not remove, as the old one's, the file of the server
    that another has started meanwhile."""
    monkeypatch.setattr(embedding, "WATCH_INTERVAL", 3600)
    slow, quick = EmbeddedPostgres(tmp_path), EmbeddedPostgres(tmp_path)
    url = slow.start()
    quick.start()
    kill_server(tmp_path)
    unlink, found_dead, may_go_on = Path.unlink, Event(), Event()

    def pause_once(path: Path, missing_ok: bool = False) -> None:
        if path.name == "postmaster.pid" and not found_dead.is_set():
            found_dead.set()
            may_go_on.wait(2)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", pause_once)
    server = slow._server
    assert server is not None
    pausing = Thread(target=slow._has_started, args=(server,))
    pausing.start()
    assert found_dead.wait(10)
    quick._has_started(server)
    may_go_on.set()
    pausing.join()
    assert (tmp_path / "postgres" / "postmaster.pid").exists()
    assert answers(url)
    quick.stop()
    slow.stop()
    assert not _servers_in(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_first_start_is_interrupted(tmp_path: Path, number: signal.Signals) -> None:
    """While the cluster is being made: the next start makes it, and nothing is left running."""
    data = tmp_path / "data"
    process = Process(
        ["up", "--events-port", "0", "--bets-port", "0"],
        {"TOUCHLINE_DATA": str(data)},
        tmp_path / "up.log",
    )
    eventually(lambda: list(data.glob("postgres-unfinished-*/PG_VERSION")))
    process.send(number)
    assert process.process.wait(10) == (-number if number is signal.SIGKILL else 0)
    process.kill()
    if number is not signal.SIGKILL:
        eventually(lambda: not _servers_in(data))

    with running_up(tmp_path) as up:
        assert up.client.event()["version"] == 1
    eventually(lambda: not _servers_in(data))
    assert not list(data.glob("postgres-unfinished-*"))


def _servers_in(data: Path) -> list[int]:
    """PostgreSQL's processes that have their data there."""
    return [
        process.pid
        for process in psutil.process_iter(["name", "cmdline"])
        if process.info["name"] == "postgres"
        and str(data) in " ".join(process.info["cmdline"] or [])
    ]


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="can't keep data in"):
        EmbeddedPostgres(tmp_path / "file").start()
