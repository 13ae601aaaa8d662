"""Whose processor time a piece of work took: what bounds a figure on a machine that is all busy."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from benchmarks.site import Site


class Processor:
    """Seconds of processor time by part, added up over what runs within `counted`."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def counted(self) -> Iterator[None]:
        before = self._now()
        yield
        for part, seconds in self._now().items():
            self._seconds[part] += seconds - before[part]

    def per(self, units: float) -> dict[str, float]:
        """Microseconds for each unit of the work; what took none is left out."""
        assert all(seconds >= 0 for seconds in self._seconds.values()), self._seconds
        found = {part: 1e6 * seconds / units for part, seconds in self._seconds.items()}
        return {part: round(each, 2) for part, each in sorted(found.items()) if each >= 0.01}

    def _now(self) -> dict[str, float]:
        now: dict[str, float] = defaultdict(float)
        for name, each in self._site.system.running.items():
            now[name.rpartition("-")[0] if name[-1].isdigit() else name] += _seconds(
                psutil.Process(each.process.pid)
            )
        ((backend,),) = self._site.query("SELECT pg_backend_pid()")
        postmaster = psutil.Process(backend).parent()
        assert postmaster is not None
        family = [postmaster, *postmaster.children()]
        now["PostgreSQL"] = sum(_seconds(each) for each in family if each.pid != backend)
        # Those that have ended meanwhile.
        ended = postmaster.cpu_times()
        now["PostgreSQL"] += ended.children_user + ended.children_system
        if self._site.broker is not None:
            children = psutil.Process().children()
            now["Kafka"] = sum(_seconds(each) for each in children if each.name() == "java")
        return now


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
