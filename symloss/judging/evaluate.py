"""One job of a pool: formula texts in, one outcome per candidate out, whatever the candidates do.

Text travels: no object of sympy or torch does. Here, in the workers, sympy brings a candidate's text to its canonical
form, and the last free test is made. A time limit that ends a job says whom to blame, or that nobody knows.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from symloss.errors import FormulaError
from symloss.judging.drain import LeftUndoneError, Stop, never
from symloss.judging.failures import Failures, OutOfTimeError, blamed, in_words
from symloss.judging.free_outputs import stuck
from symloss.judging.plan import Plan, Trained
from symloss.judging.tasks.task import Task
from symloss.judging.time_limit import time_limit
from symloss.judging.train import train_cohort
from symloss.judging.tuning import tune
from symloss.language.candidate import Outcome, State
from symloss.language.formula import Canonical, parse
from symloss.language.loss import TorchFunction, compile_loss
from symloss.language.tuning import UNTUNED, Tuning

FREE_OUTPUTS, NO_FORMULA = "free outputs", "no formula"  # the free tests that workers make, as their reasons begin


@dataclass(frozen=True)
class Job:
    """A cohort to train.

    Args:
        number: the pool gives it back with the outcomes.
        candidates: (candidate number, formula text, slot) each.
        plan: with `stack` settled; `auto` would measure anew in every job.
        time_limit: seconds for the job; a candidate blamed for using it up leaves the others as much again.
        free_test: whether a formula that does not even bring free outputs to their targets is rejected untrained.
        tuning: how a formula's numbers are tuned before it trains; the outcome's formula is the tuned one.
    """

    number: int
    candidates: tuple[tuple[int, str, str], ...]
    plan: Plan
    time_limit: float
    free_test: bool = False
    tuning: Tuning = UNTUNED

    def __post_init__(self) -> None:
        assert self.candidates, "a job has candidates"


@dataclass(frozen=True)
class Judged:
    """A candidate's outcome, and its models' outputs where the plan measures the test part.

    Args:
        outputs: float32 `(seeds, n, outputs)`.
    """

    outcome: Outcome
    outputs: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Report:
    """What became of a job.

    Args:
        judged: one per candidate, in the job's order; empty when the job is unfinished.
        unfinished: why nobody can tell whose fault it was: each candidate is to be tried alone. Empty when finished.
        state: what a candidate that is unfinished alone has come to.
    """

    judged: tuple[Judged, ...] = ()
    unfinished: str = ""
    state: State = State.CRASHED


def evaluate(job: Job, task: Task) -> list[Outcome]:
    """Train a job's candidates and return one outcome each, in order.

    Args:
        job: what to train, and how long it may take.
        task: what to train on.

    Example:
        >>> job = Job(0, ((7, "-t*log(p)", "classification"),), Plan(100, (0.01,), (0,)), time_limit=60.0)
        >>> evaluate(job, make_task({"name": "digits"}))[0].state
        <State.SCORED: 'scored'>
    """
    report = judge(job, task)
    if not report.unfinished:
        return [judged.outcome for judged in report.judged]
    return [Outcome(number, report.state, report.unfinished) for number, _, _ in job.candidates]


def judge(job: Job, task: Task, stop: Stop = never) -> Report:
    """Train a job's candidates; a failure that no candidate can be blamed for leaves the job unfinished.

    Raises:
        LeftUndoneError: `stop` became true.
    """
    started = time.monotonic()
    try:
        with time_limit(job.time_limit):
            trained = train_all(job, task, stop)
    except OutOfTimeError:
        return Report((), f"training did not end within {job.time_limit:g} s", State.TIMED_OUT)
    except LeftUndoneError:
        raise
    except Exception as error:
        return Report((), in_words(error), State.CRASHED)
    share = (time.monotonic() - started) / len(job.candidates)
    numbers = [number for number, _, _ in job.candidates]
    return Report(tuple(judged_as(number, share, *one) for number, one in zip(numbers, trained, strict=True)))


def train_all(job: Job, task: Task, stop: Stop) -> list[tuple[Trained, Canonical | None]]:
    """Read, compile and train; a text that is no formula is its candidate's outcome."""
    failures: Failures = {}
    functions = compile_all(job, failures)
    places = without_stuck(job, functions, task, failures)
    functions |= tuned(job, {place: functions[place] for place in places}, task, failures, stop)
    places = [place for place in places if place not in failures]
    ended = train_cohort([functions[i] for i in places], task, job.plan, stop) if places else []
    trained = dict(zip(places, ended, strict=True))
    read = {place: function.formula.canonical() for place, function in functions.items()}
    return [(trained[i] if i in trained else Trained(*failures[i]), read.get(i)) for i in range(len(job.candidates))]


def without_stuck(job: Job, functions: Mapping[int, TorchFunction], task: Task, failures: Failures) -> list[int]:
    """Return the places of the functions that are worth training; the others are noted in `failures`."""
    places = sorted(functions)
    if job.free_test:
        reasons = stuck([functions[place] for place in places], task.slot, task.width)
        ended = {place: reason for place, reason in zip(places, reasons, strict=True) if reason}
        failures |= {place: (State.REJECTED, f"{FREE_OUTPUTS}: {reason}") for place, reason in ended.items()}
    return [place for place in places if place not in failures]


def tuned(
    job: Job, functions: Mapping[int, TorchFunction], task: Task, failures: Failures, stop: Stop
) -> dict[int, TorchFunction]:
    """Tune each formula by itself; one that fails at it is noted in `failures`."""
    found: dict[int, TorchFunction] = {}
    for place, function in functions.items() if job.tuning.method != "none" else ():
        with blamed(place, failures, "the tuning of its numbers"):
            found[place] = compile_loss(tune(function.formula, task, job.plan, job.tuning, stop))
    return found


def failed_test(outcome: Outcome) -> str:
    """Return the name of the free test with which a worker ended a candidate; empty where none did."""
    tests = (FREE_OUTPUTS, NO_FORMULA) if outcome.state is State.REJECTED else ()
    return next((test for test in tests if outcome.reason.startswith(f"{test}: ")), "")


def compile_all(job: Job, failures: Failures) -> dict[int, TorchFunction]:
    """Return place -> compiled formula; what cannot be compiled is noted in `failures`."""
    functions: dict[int, TorchFunction] = {}
    for place, (_, text, slot) in enumerate(job.candidates):
        with blamed(place, failures):
            try:
                functions[place] = compile_loss(parse(text, slot))
            except FormulaError as error:
                failures[place] = (State.REJECTED, f"{NO_FORMULA}: {error}")
    return functions


def judged_as(number: int, seconds: float, trained: Trained, formula: Canonical | None) -> Judged:
    """Turn a training's end into a candidate's outcome."""
    outcome = Outcome(
        number, trained.state, trained.reason, None, measurements=trained.measurements, seconds=seconds, formula=formula
    )
    return Judged(outcome, trained.outputs)


def alone(job: Job) -> Sequence[Job]:
    """Cut a job into one per candidate."""
    return [replace(job, candidates=(candidate,)) for candidate in job.candidates]
