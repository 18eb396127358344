"""How many candidates make one stack: what memory holds, and of that what a short measurement finds quickest.

The size decides nothing but speed. Where a model's numbers depend on its company all that fit train together, so that
one machine's timing cannot change results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from symloss.disk import size_words
from symloss.errors import ExperimentError
from symloss.judging.batches import load
from symloss.judging.kernel import Function
from symloss.judging.memory import bytes_of_judged, bytes_per_member, candidates_per_stack, members_that_fit
from symloss.judging.plan import Plan, Trained
from symloss.judging.stack import start
from symloss.judging.tasks.task import Task
from symloss.judging.train import Training, take_step, train_together

# Times the least time per candidate that a smaller stack may take: a difference below that is chance, or less than a
# larger one loses once other workers want their share of the cache.
NEAR = 1.03
CLOSE = 1.25  # times the least time, within which a size is measured a second time: a busy machine may have slowed one
LONG = 0.25  # seconds of one trial, beyond which no larger stack is tried
STEPS = 3

Clock = Callable[[Callable[[], object]], float]


@dataclass(frozen=True)
class Size:
    """How large stacks are.

    Args:
        members: models in one; 0 where the models of one candidate do not fit, so that they train one by one.
        reason: why, in words.
    """

    members: int
    reason: str


def choose_size(function: Function, task: Task, plan: Plan, cohort: int, clock: Clock) -> Size:
    """Choose the size of stacks.

    Args:
        function: the loss that is tried.
        cohort: candidates that come together.
        clock: call -> its seconds.

    Raises:
        ExperimentError: the plan's memory does not hold a single model.
    """
    each, free = len(plan.seeds) * len(plan.learning_rates), replace(plan, members=None)
    fitting = candidates_per_stack(task, free)
    if not fitting:
        return Size(0, _too_large(task, free, each))
    limit = min(cohort, fitting)
    cut = f"; a cohort of {cohort} is cut to fit {size_words(plan.memory)}" if fitting < cohort else ""
    if limit == 1 or not _is_free_of_company(function, task, plan):
        return Size(limit * each, f"{limit} candidates a stack, all that train together{cut}")
    times = _times(function, task, plan, limit, clock)
    width = _choice(times)
    figures = ", ".join(f"{1000 * time:.2g} ms with {width}" for width, time in times.items())
    return Size(width * each, f"{width} candidates a stack: a step of one takes {figures}{cut}")


def _times(function: Function, task: Task, plan: Plan, limit: int, clock: Clock) -> dict[int, float]:
    """Return candidates in a stack -> seconds that a training step of one candidate takes, up to the limit."""
    trial = replace(plan, steps=STEPS, rungs=(STEPS,), measure=("valid",))
    data, times = load(task, trial), dict[int, float]()

    def measure(width: int) -> None:
        functions = [function] * width
        training = Training(functions, task, data, start(functions, task, trial, stacked=True))
        taken = clock(partial(_take_steps, training)) / STEPS / width
        times[width] = min(taken, times.get(width, taken))

    twice = set[int]()
    for width in sorted({*(2**n for n in range(limit.bit_length())), limit}):
        measure(width)
        if times[width] * STEPS * width > LONG:
            break
        if width == limit or _choice(times) != width:
            close = [one for one, time in times.items() if time <= CLOSE * min(times.values()) and one not in twice]
            twice.update(close)
            for one in close:
                measure(one)
        if _choice(times) != width:  # a larger one would take as long as all before to change nothing
            break
    return times


def _choice(times: Mapping[int, float]) -> int:
    best = min(times.values())
    return next(width for width, time in times.items() if time <= NEAR * best)


def _take_steps(training: Training) -> None:
    for step in range(1, STEPS + 1):
        take_step(training, step)


def _train(functions: Sequence[Function], task: Task, plan: Plan, steps: int) -> list[Trained]:
    trial = replace(plan, steps=steps, rungs=(steps,), measure=("valid",))
    return train_together(functions, task, trial, stacked=True)


def _is_free_of_company(function: Function, task: Task, plan: Plan) -> bool:
    """Whether a candidate's numbers are the same alone and in company, to the last bit, over a few steps."""
    (alone,), company = (_train([function] * width, task, plan, STEPS) for width in (1, 3))
    return all(one.measurements == alone.measurements for one in company)


def _too_large(task: Task, plan: Plan, each: int) -> str:
    needed, shared = bytes_per_member(task, plan), bytes_of_judged(task, plan)
    if not members_that_fit(task, plan):
        raise ExperimentError(
            f"task '{task.name}': training one model takes about {size_words(needed + shared)}, and [budget] memory is "
            f"{size_words(plan.memory)}; raise it, or choose a smaller model or batch."
        )
    return (
        f"the {each} models of one candidate would take about {size_words(each * needed + shared)} together, over the "
        f"{size_words(plan.memory)} of [budget] memory, so they train one by one"
    )
