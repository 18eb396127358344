"""Where jobs are judged: a task made of its spec, and made anew when a model has written into its data."""

import math
from collections.abc import Mapping
from typing import Any

from symloss.judging.batches import forget
from symloss.judging.drain import LeftUndoneError, Stop, never
from symloss.judging.evaluate import Job, Report, judge
from symloss.judging.plan import Plan
from symloss.judging.seal import Seal
from symloss.judging.tasks import make_task, runs_own_code
from symloss.judging.tasks.task import Task
from symloss.language.candidate import State
from symloss.language.slots import SLOTS
from symloss.language.zoo import zoo

SPOILT = "the data of its task were written into while it trained"


class Desk:
    """Judges jobs on one task, whose data are those of the first job in every job.

    Args:
        spec: as `make_task` reads it. Where it runs code that is not symloss's own, the data are looked at after each
            job; formulas alone cannot reach them.
        made: what was made of it already, which is taken where it runs no such code.

    Raises:
        ExperimentError: the task cannot be made.
    """

    def __init__(self, spec: Mapping[str, Any], made: Task | None = None) -> None:
        self._spec = dict(spec)
        self._lay(made)
        warm_up(self.task)

    def judge(self, job: Job, stop: Stop = never) -> Report:
        """Judge a job; one that wrote into the data is unfinished: nobody knows who did, and what it did to others.

        Raises:
            LeftUndoneError: `stop` became true.
        """
        try:
            report = judge(job, self.task, stop)
        except LeftUndoneError:
            self._cleared()
            raise
        return Report((), SPOILT, State.CRASHED) if self._cleared() else report

    def _cleared(self) -> bool:
        """Let go of what a user's code may have written into; make the task anew where its data were."""
        if self._seal is None:
            return False
        forget(self.task)
        if not self._seal.broken():
            return False
        self._lay()
        return True

    def _lay(self, made: Task | None = None) -> None:
        self.task = make_task(self._spec) if made is None or runs_own_code(self._spec) else made
        self._seal = Seal(self.task) if runs_own_code(self._spec) else None


def warm_up(task: Task) -> None:
    """Take one step with a published formula, so that all is imported and compiled before any job's time counts.

    An alarm that rings within an import would leave half a library behind, for every job after.
    """
    formula = zoo[SLOTS[task.slot].baselines[0]]
    way = "stacked" if isinstance(task.optimiser, str) else "single"
    plan = Plan(1, tuple(task.learning_rates[:1]), (0,), stack=way)
    judge(Job(0, ((0, formula.text, formula.slot),), plan, math.inf, free_test=True), task)
