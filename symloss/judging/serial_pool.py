"""The pool that judges in this process: for a debugger, and for machines without Ray."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from symloss.judging.desk import Desk
from symloss.judging.drain import Drain, LeftUndoneError, Stop, never
from symloss.judging.evaluate import Job, Judged, alone
from symloss.judging.pool import Finished, given_up, outcomes_of
from symloss.judging.tasks.task import Task
from symloss.judging.threads import one_thread
from symloss.language.candidate import Outcome


class SerialPool:
    """Judges jobs in this process, one after the other: for a debugger, and for machines without Ray.

    A candidate that raises, spins in Python or writes into the data ends alone, as in a worker. It cannot survive one
    that kills or stops this process, end one that hangs inside a C function, or hold memory and output to a limit: for
    formulas alone that never happens, for models of one's own Ray workers are safer. A job left undone when the run is
    to stop has no outcome.
    """

    def __init__(self, task_spec: Mapping[str, Any]) -> None:
        self._spec = dict(task_spec)
        self._desk: Desk | None = None
        self._made: Task | None = None

    def start(self) -> None:
        """There is nothing to get ready."""

    def run(self, jobs: Iterable[Job], stop: Stop = never) -> Iterator[tuple[Job, list[Outcome]]]:
        """See Pool.run."""
        return outcomes_of(self.run_with_outputs(jobs, stop))

    def run_with_outputs(self, jobs: Iterable[Job], stop: Stop = never) -> Iterator[Finished]:
        """See Pool.run_with_outputs."""
        drain = Drain(stop)
        for job in jobs:
            if drain.begun():
                return
            with one_thread():
                self._desk = self._desk or Desk(self._spec, self._made)
                try:
                    finished = job, judge_patiently(job, self._desk, drain.over)
                except LeftUndoneError:
                    return
            drain.begun()  # ends the process here if a library has made a failure of the exit that `stop` raised in it
            yield finished

    def expect(self, task: Task) -> None:
        """Nothing travels, so there is nothing to compare, and the task need not be made again."""
        self._made = task

    def facts(self) -> dict[str, Any]:
        """Return nothing: there are no workers."""
        return {}

    def close(self) -> None:
        """Forget the task."""
        self._desk = self._made = None


def judge_patiently(job: Job, desk: Desk, stop: Stop) -> list[Judged]:
    """Judge a job; when nobody can tell whose fault it is that it did not finish, judge each candidate alone."""
    report = desk.judge(job, stop)
    if not report.unfinished:
        return list(report.judged)
    if len(job.candidates) == 1:
        return [given_up(job, report.state, report.unfinished)]
    return [one for single in alone(job) for one in judge_patiently(single, desk, stop)]
