"""Stand-ins for what is slow: a pool that scores formulas by arithmetic, and a task that needs no training."""

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator
from statistics import fmean

import numpy as np

from symloss.errors import FormulaError
from symloss.judging.evaluate import Job, Judged
from symloss.judging.plan import Plan
from symloss.language.candidate import Measurement, Outcome, State
from symloss.language.formula import Canonical, parse


@functools.cache
def _read(text: str) -> Canonical | None:
    try:
        return parse(text).canonical()
    except FormulaError:
        return None


class PowerCutError(Exception):
    """The process ends here."""


def number_of(*facts: object) -> float:
    """Return a number in [0, 1) that depends on the facts alone."""
    digest = hashlib.sha256(repr(facts).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


class FakePool:
    """Scores each formula by its text, learning rate and seed; rungs stop it; every seventh or so fails.

    Args:
        backwards: give jobs back in the opposite order, as workers might.
        cut_after: jobs after which the power fails.
        alone: give each candidate of a job back by itself, as when its worker had died; then these are counted.
        targets: of the test part, for finals: outputs of a formula hit them with its own probability.
        skill: formula text -> probability of a hit.
    """

    def __init__(
        self,
        backwards: bool = False,
        cut_after: int | None = None,
        alone: bool = False,
        targets: np.ndarray | None = None,
        skill: Callable[[str], float] = number_of,
    ) -> None:
        self.jobs: list[Job] = []
        self.fate: dict[str, object] = {}  # of workers, were there any
        self._backwards = backwards
        self._cut_after = cut_after
        self._alone = alone
        self._given = 0
        self._targets = targets
        self._skill = skill

    def start(self) -> None:
        """Be ready."""

    def close(self) -> None:
        """Leave nothing behind."""

    def expect(self, task: object) -> None:
        """Nothing travels."""

    def facts(self) -> dict[str, object]:
        return dict(self.fate)

    def run(self, jobs: Iterable[Job], stop: Callable[[], bool] = bool) -> Iterator[tuple[Job, list[Outcome]]]:
        for job, judged in self.run_with_outputs(jobs, stop):
            yield job, [each.outcome for each in judged]

    def run_with_outputs(
        self, jobs: Iterable[Job], stop: Callable[[], bool] = bool
    ) -> Iterator[tuple[Job, list[Judged]]]:
        ordered = list(jobs)[::-1] if self._backwards else list(jobs)
        for job in ordered:
            if stop():
                return
            self._fail()
            self.jobs.append(job)
            judged = [self._judged(number, text, job.plan) for number, text, _ in job.candidates]
            for part in [[one] for one in judged] if self._alone else [judged]:
                self._fail()
                self._given += 1
                yield job, part

    def _fail(self) -> None:
        if self._cut_after is not None and self._given >= self._cut_after:
            raise PowerCutError

    def _judged(self, number: int, text: str, plan: Plan) -> Judged:
        formula = _read(text)
        if formula is None:
            return Judged(Outcome(number, State.REJECTED, "no formula: undefined", seconds=0.1))
        text = formula.text
        if number_of(text, "fails") < 0.1 and self._targets is None:
            return Judged(Outcome(number, State.DIVERGED, "the loss was not finite", seconds=0.1))
        measured = tuple(one for rate in plan.learning_rates for one in self._measured(text, rate, plan))
        done = any(each.step == plan.steps for each in measured)
        state, reason = (State.SCORED, "") if done else (State.STOPPED, "it did not reach a rung")
        outcome = Outcome(number, state, reason, measurements=measured, seconds=0.1, formula=formula)
        return Judged(outcome, self._outputs(text, plan) if plan.measure == ("test",) else None)

    def _measured(self, text: str, rate: float, plan: Plan) -> list[Measurement]:
        measured: list[Measurement] = []
        for step, threshold, _ in plan.legs():
            here = [Measurement(step, rate, seed, self._values(text, step, rate, seed)) for seed in plan.seeds]
            measured += here
            if threshold is not None and fmean(each.values["accuracy"] for each in here) < threshold:
                break
        return measured

    def _values(self, text: str, step: int, rate: float, seed: int) -> dict[str, float]:
        bonus = 0.01 * number_of(text, rate) + 0.001 * number_of(text, rate, seed)
        return {"accuracy": 0.9 * self._skill(text) + bonus, "nll": number_of(text, rate, seed, step)}

    def _outputs(self, text: str, plan: Plan) -> np.ndarray:
        assert self._targets is not None
        rows = []
        for seed in plan.seeds:
            rng = np.random.default_rng(seed)
            hit = rng.random(len(self._targets)) < self._skill(text)
            rows.append(np.eye(10)[np.where(hit, self._targets, (self._targets + 1) % 10)])
        return np.asarray(rows, np.float32)
