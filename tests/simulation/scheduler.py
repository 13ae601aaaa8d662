"""Simulated time: many tasks in one thread, switched only where they pause, the same way each time.

Every pause takes a random while of simulated time, so a seed gives one interleaving, always the
same one. Nothing here waits for real.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from random import Random

from greenlet import getcurrent, greenlet

INSTANT = 0.001
"""Seconds that a statement or a message takes, on average."""


class Killed(BaseException):
    """Ends a task where it stands: kill -9 of its process."""


class Task:
    """One thread of a simulated process."""

    def __init__(
        self, scheduler: "Scheduler", name: str, work: Callable[[], None], *, slowness: float = 1.0
    ) -> None:
        self.name = name
        self.slowness = slowness
        self.alive = True
        self._scheduler = scheduler
        self._work = work
        self._greenlet = greenlet(self._run)
        self._wakes = 0
        """Only the newest wake-up counts: a stall takes the place of an earlier one."""
        self._wake_in(0.0)

    def pause(self, mean: float = INSTANT) -> None:
        """Let the others go on for a random while; called by the task itself."""
        random = self._scheduler.random
        self._wake_in(random.expovariate(1.0) * mean * self.slowness)
        self._scheduler.main.switch()

    def sleep(self, seconds: float) -> None:
        """Let the others go on for exactly so long; called by the task itself."""
        self._wake_in(seconds)
        self._scheduler.main.switch()

    def kill(self) -> None:
        """End it where it stands; called by others. A task ends itself by raising Killed."""
        if self.alive:
            self._scheduler.running = self
            self._greenlet.throw(Killed)

    def _wake_in(self, seconds: float) -> None:
        self._wakes += 1
        wake = self._wakes
        self._scheduler.call_in(seconds, lambda: self._wake(wake))

    def _wake(self, wake: int) -> None:
        if self.alive and wake == self._wakes:
            self._scheduler.running = self
            self._greenlet.switch()

    def _run(self) -> None:
        try:
            self._work()
        except Killed:
            pass
        finally:
            self.alive = False


class Scheduler:
    """What happens when. All randomness of a run comes from `random`."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.now = 0.0
        """Seconds since the beginning."""
        self.steps = 0
        self.running: Task
        """The task that runs, or ran last."""
        self.main = getcurrent()
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def call_in(self, seconds: float, call: Callable[[], None]) -> None:
        heappush(self._queue, (self.now + seconds, next(self._numbers), call))

    def run(self, *, until: float, unless: Callable[[], bool] = lambda: False) -> bool:
        """Let everything happen up to that time; stop early, and return True, once `unless`."""
        while self._queue and self._queue[0][0] <= until:
            if unless():
                return True
            self.now, _, call = heappop(self._queue)
            self.steps += 1
            call()
        self.now = max(self.now, until)
        return unless()
