"""The pool that judges in this process: for a debugger, and for machines without Ray."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from symloss.judging.drain import Drain, LeftUndoneError, Stop, never
from symloss.judging.evaluate import Job, Judged, alone, judge
from symloss.judging.pool import Finished, given_up, outcomes_of
from symloss.judging.tasks import make_task
from symloss.judging.tasks.task import Task
from symloss.judging.threads import one_thread
from symloss.language.candidate import Outcome


class SerialPool:
    """Judges jobs in this process, one after the other: for a debugger, and for machines without Ray.

    It cannot survive a candidate that kills its process, nor end one that hangs inside a C function. A job left undone
    when the run is to stop has no outcome.
    """

    def __init__(self, task_spec: Mapping[str, Any]) -> None:
        self._spec = dict(task_spec)
        self._task: Task | None = None

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
                self._task = self._task or make_task(self._spec)
                try:
                    finished = job, judge_patiently(job, self._task, drain.over)
                except LeftUndoneError:
                    return
            yield finished

    def close(self) -> None:
        """Forget the task."""
        self._task = None


def judge_patiently(job: Job, task: Task, stop: Stop) -> list[Judged]:
    """Judge a job; when nobody can tell whose fault it is that it did not finish, judge each candidate alone."""
    report = judge(job, task, stop)
    if not report.unfinished:
        return list(report.judged)
    if len(job.candidates) == 1:
        return [given_up(job, report.state, report.unfinished)]
    return [one for single in alone(job) for one in judge_patiently(single, task, stop)]
