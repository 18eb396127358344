"""Judges in this process as long as the workers are not ready: they take seconds to start, which is many trainings.

Formulas alone cannot harm a process, and their numbers are those of a worker; a user's own code waits for a worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from symloss import plugins
from symloss.judging.desk import Desk
from symloss.judging.drain import PAUSE, LeftUndoneError, Stop
from symloss.judging.evaluate import Job, Judged
from symloss.judging.pool import Finished
from symloss.judging.tasks import runs_own_code
from symloss.judging.threads import one_thread


class StandIn:
    """Judges the first ones of some jobs until it is relieved.

    Args:
        spec: of the task, as `make_task` reads it.
        relieved: whether somebody else judges from now on; asked many times a second.

    Attributes:
        left: the jobs that are still to be judged; a sequence where the given ones are.
        is_done: whether it has judged all, and there were some.
    """

    def __init__(self, spec: Mapping[str, Any], jobs: Iterable[Job], relieved: Callable[[], bool]) -> None:
        self.left, self.is_done = jobs, False
        self._spec = spec
        self._relieved, self._next = relieved, 0.0

    def run(self, stop: Stop) -> Iterator[Finished]:
        """Judge job after job; one that is at work when somebody else is ready, or that fails as a whole, is left."""
        desk = self._desk(stop)
        if desk is None:
            return
        source = iter(self.left)
        for place, job in enumerate(source):
            judged = self._judged(job, desk, stop)
            if judged is None:
                self.is_done = False
                self.left = self.left[place:] if isinstance(self.left, Sequence) else chain([job], source)
                return
            self.is_done = True
            yield job, judged
        self.left = []

    def _desk(self, stop: Stop) -> Desk | None:
        if not is_harmless(self._spec) or self._over(stop):
            return None
        try:
            with one_thread():
                return Desk(self._spec)
        except Exception:  # the workers will say what is wrong with the task
            return None

    def _judged(self, job: Job, desk: Desk, stop: Stop) -> list[Judged] | None:
        try:
            with one_thread():
                return None if self._over(stop) else list(desk.judge(job, lambda: self._over(stop)).judged) or None
        except LeftUndoneError:
            return None

    def _over(self, stop: Stop) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + PAUSE
        return stop() or self._relieved()


def is_harmless(spec: Mapping[str, Any]) -> bool:
    """Whether all that a job runs is symloss's own."""
    return not runs_own_code(spec) and not plugins.adopted()
