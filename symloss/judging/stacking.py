"""Whether a task's cohorts train stacked or one by one: a trial and a short measurement decide, once per run."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from symloss.errors import ExperimentError
from symloss.judging.failures import in_words
from symloss.judging.kernel import Function
from symloss.judging.plan import COHORT, Plan, Trained
from symloss.judging.sizing import choose_size
from symloss.judging.tasks.task import Task
from symloss.judging.threads import one_thread
from symloss.judging.train import train_singly, train_together
from symloss.language.candidate import State
from symloss.language.loss import compile_loss
from symloss.language.slots import SLOTS
from symloss.language.zoo import zoo

SLOWER = 2.0  # how much slower per training stacking must be before a cohort trains one by one: clearly, not by chance
TIMES = 6  # a call is timed: sizes of stacks differ by a few per cent, and so do three times of one size
LONG = 0.2  # seconds of one call's times, after which it is timed no more


@dataclass(frozen=True)
class Decision:
    """Whether cohorts of a task train stacked or one by one, and why; kept with the run.

    Args:
        members: models in one stack.
    """

    stack: str
    reason: str
    members: int = 1


@one_thread()
def choose_stacking(task: Task, plan: Plan, cohort: int = COHORT) -> Decision:
    """Decide by trial and a short measurement whether a task's cohorts train stacked or one by one.

    They train stacked unless that fails or is clearly slower. It is measured on one thread, as workers train.

    Args:
        task: whose model and optimiser are tried, with the slot's first baseline as the loss.
        plan: a `stack` other than `auto` is taken as it is, after one trial step.
        cohort: candidates that come together.

    Raises:
        ExperimentError: the task cannot be trained at all, or not in the way that the plan demands.
    """
    function = compile_loss(zoo[SLOTS[task.slot].baselines[0]])
    trial = replace(plan, steps=3, rungs=(3,), measure=("valid",))
    alone = replace(trial, learning_rates=plan.learning_rates[:1], seeds=plan.seeds[:1])
    if plan.stack != "stacked":
        try:
            singly = seconds_of(lambda: sound(train_singly(function, task, alone)))
        except Exception as error:
            raise ExperimentError(f"task '{task.name}' cannot be trained: {in_words(error)}.") from error
    if plan.stack == "single":
        return Decision("single", "the plan demands it")
    try:
        stacked = seconds_of(lambda: [sound(trained) for trained in stacked_trial(function, task, trial)])
    except Exception as error:
        if plan.stack == "stacked":
            words = f"task '{task.name}' cannot be stacked: {in_words(error)}. Set stack to 'auto'."
            raise ExperimentError(words) from error
        return Decision("single", f"its model or optimiser cannot be stacked: {in_words(error)}")
    if plan.stack == "stacked":
        return sized(function, task, plan, cohort, "the plan demands it")
    stacked /= 2 * len(plan.learning_rates) * len(plan.seeds)
    figures = f"{1000 * stacked:.1f} ms per training of 3 steps stacked, {1000 * singly:.1f} ms one by one"
    if stacked >= SLOWER * singly:
        return Decision("single", figures)
    return sized(function, task, plan, cohort, figures)


def sized(function: Function, task: Task, plan: Plan, cohort: int, why: str) -> Decision:
    """Decide how large stacks are; where not even one candidate fits the memory, its models train one by one."""
    size = choose_size(function, task, plan, cohort, seconds_of)
    return Decision("stacked" if size.members else "single", f"{why}; {size.reason}", size.members or 1)


def stacked_trial(function: Function, task: Task, plan: Plan) -> list[Trained]:
    """Train two candidates together."""
    if not isinstance(task.optimiser, str):
        raise ExperimentError("the task brings its own optimiser")
    return train_together([function, function], task, plan, stacked=True)


def sound(trained: Trained) -> Trained:
    """Raise for a trial that failed: inside a formula's part of the work, an error is an outcome."""
    if trained.state in (State.CRASHED, State.TIMED_OUT):
        raise ExperimentError(trained.reason)
    return trained


def seconds_of(call: Callable[[], object]) -> float:
    """Return the shortest of a few times that a call takes, after one to warm up.

    It is this process's own time: what else the machine does must not decide.
    """
    times: list[float] = []
    while len(times) < 2 or (len(times) <= TIMES and sum(times) < LONG):
        started = now()
        call()
        times.append(now() - started)
    return min(times[1:])


def now() -> float:
    """Return this process's own time; where a GPU is at work, the clock's, once the GPU has done what it was given."""
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()
