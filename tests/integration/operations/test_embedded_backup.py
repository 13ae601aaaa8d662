"""A backup of the embedded default, taken under load: log and tables in one."""

from pathlib import Path

import pytest

from tests.integration.operations.procedure import follow
from tests.integration.promises import Promises
from tests.integration.system import Up


@pytest.mark.long
def test_the_embedded_default_goes_back_to_a_backup(tmp_path: Path) -> None:
    up = Up(tmp_path)
    up.environment["TOUCHLINE_DATA"] = str(tmp_path / ".touchline")
    up.start()
    try:
        kept, lost = Promises(up.client), Promises(up.client)
        with kept.kept_busy():
            kept.after(10)
        with lost.kept_busy():
            lost.after(5)
            follow("Back up the embedded default", folder=tmp_path, environment=up.environment)
            lost.after(5)
        assert up.process.stop() == 0
        follow("Go back to the backup", folder=tmp_path, environment=up.environment)
        up.start()
        kept.check(up)
        assert up.stop() == 0
    finally:
        up.client.close()
        up.process.kill()
