"""Trains a cohort at once: candidates x learning rates x seeds as one stacked model, read from top to bottom.

Each candidate gives its own gradient at the model's output; mini-batches and initial weights are the same for all.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from weakref import proxy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symloss.errors import ExperimentError
from symloss.judging.batches import Data, draw, load
from symloss.judging.cuda_graph import counted, replayed
from symloss.judging.drain import LeftUndoneError, Stop, never
from symloss.judging.draws import Draws
from symloss.judging.failures import Failures, blamed, untouched
from symloss.judging.feed import Batch, Feed
from symloss.judging.kernel import Function
from symloss.judging.memory import candidates_per_stack
from symloss.judging.plan import Leg, Plan, Trained
from symloss.judging.rungs import Cut, Record, cut_in_words, cuts, mean_score, measure, member_model
from symloss.judging.soundness import finite
from symloss.judging.stack import Column, Stack, start
from symloss.judging.tasks.task import Task
from symloss.language.candidate import Measurement, State
from symloss.language.slots import SLOTS

SWEEP = 50  # steps between two looks for learning rates that have diverged


def train_cohort(functions: Sequence[Function], task: Task, plan: Plan, stop: Stop = never) -> list[Trained]:
    """Train candidates at every learning rate and seed of a plan.

    A candidate's numbers are the same alone or in company: its formula computes on a copy of its own, and torch's
    batched product gives each matrix the same bits in any batch of two or more. Layers of a user's model whose
    vectorised and scalar code round differently (sigmoid, batch norm) may differ in a step's last bit, and training
    makes more of it: Adam divides each gradient by its own size, so that one of nearly zero, as of a bias before
    batch norm, may take its whole step in the other direction.

    Args:
        functions: compiled formulas of the task's slot.
        task: what to train.
        plan: how long, how often; its `stack` is `stacked` or `single`. Stacked, candidates are cut to its memory;
            where the models of one alone do not fit, they train one by one.
        stop: asked at every step; once it is true, training is left undone.

    Returns:
        One per function, in order. A function that raises or diverges fails alone; a learning rate at which a seed
        diverges leaves alone, unmeasured, and one that a rung stops leaves with what was measured so far.

    Raises:
        LeftUndoneError: `stop` became true.
        ExperimentError: the task cannot be trained in the way that the plan demands, or a metric of its raises.
    """
    assert plan.stack != "auto", "the driver decides once for the whole run: stacking.choose_stacking"
    if plan.stack == "stacked" and not isinstance(task.optimiser, str):
        raise ExperimentError(f"task '{task.name}' brings its own optimiser, so stack must be 'single' or 'auto'.")
    size = candidates_per_stack(task, plan) if plan.stack == "stacked" else 0
    if not size:
        return [train_singly(function, task, plan, stop) for function in functions]
    parts = [functions[i : i + size] for i in range(0, len(functions), size)]
    data = load(task, plan)
    return [trained for part in parts for trained in train_stack(part, task, plan, data, stop, stacked=True)]


@dataclass
class Training:
    """A stack on its way.

    Args:
        step: optimiser steps done.
        failures: candidates that have failed, and how.
        stopped: columns that a rung has stopped.
        records: what the rungs so far have measured.

    Attributes:
        feed: hands out the mini-batches.
    """

    functions: Sequence[Function]
    task: Task
    data: Data
    stack: Stack
    step: int = 0
    failures: Failures = field(default_factory=dict)
    stopped: dict[Column, Cut] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.feed = Feed(self.data, self.task, reuses=self.stack.dense is not None)
        # Its own step must not hold it: its memory is to be let go with it, not when garbage is next collected.
        self._replay = replayed(self.stack, partial(take_step, proxy(self)))

    def take(self, step: int) -> None:
        """Take the step of a number, on a GPU by replaying a graph."""
        if self._replay is not None:
            self._replay(step)
        else:
            take_step(self, step)


def train_together(
    functions: Sequence[Function], task: Task, plan: Plan, stop: Stop = never, *, stacked: bool
) -> list[Trained]:
    """Train one stack, see `train_stack`, on data of its own."""
    return train_stack(functions, task, plan, load(task, plan), stop, stacked=stacked)


def train_stack(
    functions: Sequence[Function], task: Task, plan: Plan, data: Data, stop: Stop = never, *, stacked: bool
) -> list[Trained]:
    """Train one stack; unstacked, it must be of one candidate, learning rate and seed."""
    training = Training(functions, task, data, start(functions, task, plan, stacked))
    for leg in plan.legs():
        advance(training, leg.rung, stop)
        stop_at(training, leg)
        if not training.stack.columns:
            break
    return [conclude(i, training, plan) for i in range(len(functions))]


def advance(training: Training, rung: int, stop: Stop) -> None:
    """Train to a rung, and measure there."""
    stack, failures = training.stack, training.failures
    while training.step < rung and stack.columns:
        if stop():
            raise LeftUndoneError
        training.step += 1
        training.take(training.step)
        if training.step == rung:
            training.records.append(measure(stack, training.functions, training.task, training.data, rung, failures))
        if training.step == rung or training.step % SWEEP == 0:
            sweep(training)
        if failures:
            leave(stack, [place for place, column in enumerate(stack.columns) if column.candidate in failures])


# One step: every candidate's own gradient, and one backward pass through what they share.


def take_step(training: Training, step: int | None) -> None:
    """Take a step; without its number it is the one that the device has counted up to, and nothing is asked of here."""
    stack, feed = training.stack, training.feed
    batch = feed.batch(step) if step is not None else feed.batch_after(counted(stack))
    listed = stack.listed
    if listed is not None and listed.x is batch.x and batch.given is not None:
        listed(batch.given)
    else:
        stack.stepper.step(stack.parameters, differentiate(training, batch))


def differentiate(training: Training, batch: Batch) -> Mapping[str, Tensor]:
    """Return every member's gradient; a loss that is not finite ends its member."""
    if SLOTS[training.task.slot].shares_forward:
        return through_output(training.stack, batch, training.failures)
    return through_model(training, batch.x, batch.y)


def through_output(stack: Stack, batch: Batch, failures: Failures) -> Mapping[str, Tensor]:
    """Differentiate formulas that see the model's output alone: one forward and one backward pass for all."""
    output = stack.forward(batch.x)

    def guard(position: int) -> AbstractContextManager[object]:
        return blamed(list(stack.spans())[position], failures)

    losses, at_output = stack.losses.values_and_gradients(output, batch.y, guard, batch.given)
    stack.silence(losses, stack.alive, at_output)
    gradients = stack.backward(output, at_output)
    stack.list_calls(batch.x, output, batch.given, gradients)
    return gradients


def through_model(training: Training, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Differentiate formulas inside the model: each candidate has a forward and backward pass of its own."""
    stack, functions, slot = training.stack, training.functions, SLOTS[training.task.slot]
    losses = torch.zeros(stack.alive.shape, device=stack.alive.device)
    gradients = {name: torch.zeros_like(value) for name, value in stack.parameters.items()}
    for i, columns in stack.spans().items():
        own = {n: v.detach()[:, columns].contiguous().requires_grad_() for n, v in stack.parameters.items()}
        with untouched(x), blamed(i, training.failures):
            output = slot.forward(functions[i], member_model(stack, own, columns), x)
            loss = slot.objective(functions[i], output, y)
            values = torch.autograd.grad(loss.sum(), list(own.values()), materialize_grads=True, allow_unused=True)
            losses[:, columns] = loss.detach()
            for name, value in zip(own, values, strict=True):
                gradients[name][:, columns] = value
    stack.alive &= losses.isfinite()
    return gradients


# Leaving.


def sweep(training: Training) -> None:
    """Let learning rates leave at which a seed is not finite any more; candidates that have no other have failed."""
    stack = training.stack
    for value in stack.parameters.values():
        stack.alive &= finite(value.detach())
    sound = stack.alive.all(0).cpu()
    stopped = {column.candidate for column in training.stopped}
    for candidate, columns in stack.spans().items():
        if candidate not in training.failures and candidate not in stopped and not sound[columns].any():
            reason = f"loss, weights or metrics were not finite at any learning rate by step {training.step}"
            training.failures[candidate] = (State.DIVERGED, reason)
    leave(stack, [place for place in range(len(stack.columns)) if not sound[place]])


def stop_at(training: Training, leg: Leg) -> None:
    """Let learning rates leave that the last rung stops."""
    stack, metric = training.stack, training.task.metric
    if not leg.decides or not stack.columns:
        return
    last = training.records[-1]
    for candidate, places in stack.spans().items():
        scores = {each.rate: mean_score([last], each, metric) for each in stack.columns[places]}
        training.stopped |= {Column(candidate, rate): cut for rate, cut in cuts(scores, leg, metric).items()}
    leave(stack, [place for place, column in enumerate(stack.columns) if column in training.stopped])


def leave(stack: Stack, places: Collection[int]) -> None:
    """Let the columns at these places leave."""
    if places:
        stack.keep([place for place in range(len(stack.columns)) if place not in places])


def conclude(candidate: int, training: Training, plan: Plan) -> Trained:
    """Gather a candidate's measurements: at the learning rates that stayed sound, up to where each was stopped."""
    if candidate in training.failures:
        return Trained(*training.failures[candidate])
    done = [column for column in training.stack.columns if column.candidate == candidate]
    cuts = {column: cut for column, cut in training.stopped.items() if column.candidate == candidate}
    measurements = tuple(
        Measurement(record.step, plan.learning_rates[column.rate], seed, record.of(column, s))
        for column in sorted([*done, *cuts])
        for s, seed in enumerate(plan.seeds)
        for record in training.records
        if column in record.places
    )
    if not done:
        return Trained(State.STOPPED, cut_in_words(cuts.values(), training.task.metric), measurements)
    return Trained(State.SCORED, "", measurements, outputs_of(training.records[-1], candidate))


def outputs_of(record: Record, candidate: int) -> NDArray[np.float32] | None:
    """Return a candidate's outputs on the test part, `(seeds, n, outputs)`, at the plan's one learning rate."""
    if record.outputs is None:
        return None
    outputs: NDArray[np.float32] = record.outputs[:, record.places[Column(candidate, 0)]].float().numpy().copy()
    return outputs


# One by one, for models and optimisers that cannot be stacked.


def train_singly(function: Function, task: Task, plan: Plan, stop: Stop = never) -> Trained:
    """Train one candidate's members one after the other, each as a stack of one."""
    each = [Singly(function, task, replace(plan, learning_rates=(rate,))) for rate in plan.learning_rates]
    for leg in plan.legs():
        for one in each:
            one.advance(leg.rung, stop)
            if one.ended is not None and one.ended.state in (State.CRASHED, State.TIMED_OUT):
                return one.ended
        scores = {place: one.score for place, one in enumerate(each) if one.ended is None}
        for place, cut in cuts(scores, leg, task.metric).items():
            each[place].end(cut)
    ended = [one.ended for one in each if one.ended is not None]
    measurements = tuple(measurement for trained in ended for measurement in trained.measurements)
    done = [trained for trained in ended if trained.state is State.SCORED]
    if done:
        return Trained(State.SCORED, "", measurements, done[0].outputs)
    stopped = [one.cut for one in each if one.cut is not None]
    return Trained(State.STOPPED, cut_in_words(stopped, task.metric), measurements) if stopped else ended[-1]


class Singly:
    """One learning rate's seeds, which take turns from rung to rung.

    Args:
        plan: of this learning rate alone.

    Attributes:
        ended: what became of it, once that is known.
        cut: where a rung has stopped it.
    """

    def __init__(self, function: Function, task: Task, plan: Plan) -> None:
        self.ended: Trained | None = None
        self.cut: Cut | None = None
        self._function, self._task, self._plan = function, task, plan
        self._turns: list[tuple[Training, Plan, Draws]] = []  # a seed each

    def advance(self, rung: int, stop: Stop) -> None:
        """Train to a rung, unless it has ended; with the last rung it has."""
        if self.ended is not None:
            return
        for training, plan, draws in self._turns or self._begin():
            with draws.used():
                advance(training, rung, stop)
            if training.failures:
                self.ended = conclude(0, training, plan)
                self._turns = []
                return
        if rung == self._plan.steps:
            self.end()

    @property
    def score(self) -> float:
        """Its mean over the seeds at the last rung."""
        return mean_score((training.records[-1] for training, *_ in self._turns), Column(0, 0), self._task.metric)

    def end(self, cut: Cut | None = None) -> None:
        """Note what it came to, where a rung has stopped it or at the end of all; its models are let go."""
        self.cut = cut
        each = [conclude(0, training, plan) for training, plan, _ in self._turns]
        outputs = [trained.outputs for trained in each if trained.outputs is not None]
        measurements = tuple(one for trained in each for one in trained.measurements)
        state, reason = (State.SCORED, "") if cut is None else (State.STOPPED, cut_in_words([cut], self._task.metric))
        self.ended = Trained(state, reason, measurements, np.concatenate(outputs) if outputs else None)
        self._turns = []

    def _begin(self) -> list[tuple[Training, Plan, Draws]]:
        draws = [Draws(seed, self._task.x.device) for seed in self._plan.seeds]
        for seed, own in zip(self._plan.seeds, draws, strict=True):
            plan = replace(self._plan, seeds=(seed,))
            with own.used():
                data = draw(self._task, plan)  # anew for each: what `alter` draws from torch's own source is part of it
                stack = start([self._function], self._task, plan, stacked=False)
            self._turns.append((Training([self._function], self._task, data, stack), plan, own))
        return self._turns
