"""A process that stands still: alive, but taken for dead."""

import os
import signal
import subprocess
from typing import Any


def stand_still(process: "subprocess.Popen[Any]") -> None:
    """SIGSTOP; return once it stands still. The signal reaches one thread, which then stops the
    others: on a busy machine they may do something yet."""
    if process.poll() is None:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
