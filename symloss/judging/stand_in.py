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
from symloss.judging.drain import PAUSE, Drain, LeftUndoneError, Stop
from symloss.judging.evaluate import Job, Judged
from symloss.judging.pool import Finished
from symloss.judging.tasks import runs_own_code
from symloss.judging.tasks.task import Task
from symloss.judging.threads import one_thread
from symloss.language.candidate import State


class StandIn:
    """Judges the first ones of some jobs until it is relieved.

    Args:
        spec: of the task, as `make_task` reads it.
        relieved: whether somebody else judges from now on; asked many times a second.

    Attributes:
        left: the jobs that are still to be judged of those given last; a sequence where these are.
        is_done: whether it has judged all of them, and there were some.
    """

    def __init__(self, spec: Mapping[str, Any], relieved: Callable[[], bool]) -> None:
        self.left: Iterable[Job] = []
        self.is_done = False
        self._spec = spec
        self._relieved, self._next = relieved, 0.0
        self._desk: Desk | None = None
        self._made: Task | None = None

    def expect(self, task: Task) -> None:
        """Take what was made of the spec already: to make it anew may take seconds."""
        self._made = task

    def run(self, jobs: Iterable[Job], stop: Stop) -> Iterator[Finished]:
        """Judge job after job; what is at work when somebody else is ready, or fails as a whole or by time, is left."""
        self.left, self.is_done = jobs, False
        drain = Drain(stop)
        desk = None if drain.begun() or self._is_relieved() else self._at_desk()
        if desk is None:
            return
        source = iter(jobs)
        for place, job in enumerate(source):
            judged = None if drain.begun() or self._is_relieved() else self._judged(job, desk, drain)
            if judged is None:
                self.is_done = False
                self.left = jobs[place:] if isinstance(jobs, Sequence) else chain([job], source)
                return
            self.is_done = True
            yield job, judged
        self.left = []

    def _at_desk(self) -> Desk | None:
        try:
            if not is_harmless(self._spec):
                return None
            with one_thread():
                self._desk = self._desk or Desk(self._spec, self._made)
        except Exception:  # the workers will say what is wrong with the task
            return None
        return self._desk

    def _judged(self, job: Job, desk: Desk, drain: Drain) -> list[Judged] | None:
        try:
            with one_thread():
                report = desk.judge(job, lambda: drain.over() or self._is_relieved())
        except LeftUndoneError:
            return None
        drain.begun()  # ends the process here if a library has made a failure of the exit that `stop` raised in it
        late = any(each.outcome.state is State.TIMED_OUT for each in report.judged)  # what starts beside it may be why
        return None if report.unfinished or late else list(report.judged)

    def _is_relieved(self) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + PAUSE
        return self._relieved()


def is_harmless(spec: Mapping[str, Any]) -> bool:
    """Whether all that a job runs is symloss's own."""
    return not runs_own_code(spec) and not plugins.adopted()
