"""Trains a cohort at once: candidates x learning rates x seeds as one stacked model, read from top to bottom.

Each candidate gives its own gradient at the model's output; mini-batches and initial weights are the same for all.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symloss.errors import ExperimentError
from symloss.judging.batches import Data, load
from symloss.judging.drain import LeftUndoneError, Stop, never
from symloss.judging.failures import Failures, blamed
from symloss.judging.kernel import Function
from symloss.judging.memory import ROWS, candidates_per_stack
from symloss.judging.plan import Plan, Trained
from symloss.judging.stack import Column, Stack, start
from symloss.judging.tasks.metrics import apply
from symloss.judging.tasks.task import Task, stream
from symloss.language.candidate import Measurement, State
from symloss.language.slots import SLOTS, Slot

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
        diverges leaves alone, unmeasured, as long as another of its candidate is sound.

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
    return [trained for part in parts for trained in train_together(part, task, plan, stop, stacked=True)]


def train_together(
    functions: Sequence[Function], task: Task, plan: Plan, stop: Stop = never, *, stacked: bool
) -> list[Trained]:
    """Train one stack; unstacked, it must be of one candidate, learning rate and seed."""
    slot = SLOTS[task.slot]
    data = load(task, plan)
    stack = start(functions, task, plan, stacked)
    failures: Failures = {}
    records: list[Record] = []
    for step in range(1, plan.steps + 1):
        if stop():
            raise LeftUndoneError
        take_step(stack, functions, slot, data, step, failures)
        if step in plan.rungs:
            records.append(measure(stack, functions, slot, task, data, step, failures))
        if step % SWEEP == 0 or step in plan.rungs:
            sweep(stack, failures, step)
        dismiss(stack, failures)
        if not stack.columns:
            break
    return [conclude(i, stack, plan, records, failures) for i in range(len(functions))]


# One step: every candidate's own gradient, and one backward pass through what they share.


def take_step(
    stack: Stack, functions: Sequence[Function], slot: Slot, data: Data, step: int, failures: Failures
) -> None:
    """Take every member's optimiser step on the rows of a step, which counts from 1."""
    x, y = data.batch(step)
    stack.stepper.step(stack.parameters, differentiate(stack, functions, slot, x, y, failures))


def differentiate(
    stack: Stack, functions: Sequence[Function], slot: Slot, x: Tensor, y: Tensor, failures: Failures
) -> dict[str, Tensor]:
    """Return every member's gradient; a loss that is not finite ends its member."""
    if slot.shares_forward:
        losses, gradients = through_output(stack, x, y, failures)
    else:
        losses, gradients = through_model(stack, functions, slot, x, y, failures)
    stack.alive &= losses.isfinite()
    return gradients


def through_output(stack: Stack, x: Tensor, y: Tensor, failures: Failures) -> tuple[Tensor, dict[str, Tensor]]:
    """Differentiate formulas that see the model's output alone: one forward and one backward pass for all."""
    output = stack.forward(x)
    candidates = list(stack.spans())
    losses, at_output = stack.losses.values_and_gradients(output, y, lambda at: blamed(candidates[at], failures))
    # A dead member's gradient would be NaN: it has none, so that no product of the stack can meet it.
    at_output.masked_fill_(~(stack.alive & losses.isfinite())[..., None, None], 0)
    return losses, stack.backward(output, at_output)


def through_model(
    stack: Stack, functions: Sequence[Function], slot: Slot, x: Tensor, y: Tensor, failures: Failures
) -> tuple[Tensor, dict[str, Tensor]]:
    """Differentiate formulas inside the model: each candidate has a forward and backward pass of its own."""
    losses = torch.zeros(stack.alive.shape)
    gradients = {name: torch.zeros_like(value) for name, value in stack.parameters.items()}
    for i, columns in stack.spans().items():
        own = {n: v.detach()[:, columns].contiguous().requires_grad_() for n, v in stack.parameters.items()}
        with blamed(i, failures):
            output = slot.forward(functions[i], member_model(stack, own, columns), x)
            loss = slot.objective(functions[i], output, y)
            values = torch.autograd.grad(loss.sum(), list(own.values()), materialize_grads=True, allow_unused=True)
            losses[:, columns] = loss.detach()
            for name, value in zip(own, values, strict=True):
                gradients[name][:, columns] = value
    return losses, gradients


def member_model(stack: Stack, parameters: Mapping[str, Tensor], columns: slice) -> Callable[..., Tensor]:
    """Return the model of some columns as a function of its inputs and what else its forward takes."""
    buffers = {name: value[:, columns] for name, value in stack.buffers.items()}

    def model(x: Tensor, *rest: Any) -> Tensor:
        return stack.run(parameters, buffers, x, *rest)

    return model


# Measuring, and leaving.


@dataclass(frozen=True)
class Record:
    """What one rung measured.

    Args:
        columns: in the stack at that step.
        values: metric -> `(seeds, columns)`.
        outputs: `(seeds, columns, n, outputs)`, kept for the test part only.
    """

    step: int
    columns: tuple[Column, ...]
    values: Mapping[str, Tensor]
    outputs: Tensor | None


def measure(
    stack: Stack, functions: Sequence[Function], slot: Slot, task: Task, data: Data, step: int, failures: Failures
) -> Record:
    """Compute every metric for every member; a metric that is not finite ends its member."""
    stack.model.eval()
    with torch.no_grad():
        chunks = torch.split(data.judged_x, ROWS, dim=1)
        outputs = torch.cat([predict(stack, functions, slot, x, failures) for x in chunks], dim=2)
        place = f"task '{task.name}'"
        values = {metric.name: apply(place, metric, outputs, data.judged_y) for metric in task.metrics}
        for value in (*values.values(), outputs.flatten(2).sum(-1)):
            stack.alive &= value.isfinite()
    stack.model.train()
    return Record(step, tuple(stack.columns), values, outputs if data.is_test else None)


def predict(stack: Stack, functions: Sequence[Function], slot: Slot, x: Tensor, failures: Failures) -> Tensor:
    """Return every member's outputs `(seeds, columns, rows, outputs)` for inputs `(seeds, rows, ...)`."""
    if slot.shares_forward:
        return stack.forward(x)
    pieces: dict[int, Tensor] = {}
    for i, columns in stack.spans().items():
        own = {name: value[:, columns].contiguous() for name, value in stack.parameters.items()}
        with blamed(i, failures):
            pieces[i] = slot.forward(functions[i], member_model(stack, own, columns), x)
    width = next((piece.shape[-1] for piece in pieces.values()), 1)
    shape = len(x), len(stack.columns), x.shape[1], width
    outputs = torch.full(shape, torch.nan)
    for i, columns in stack.spans().items():
        if i in pieces:
            outputs[:, columns] = pieces[i]
    return outputs


def sweep(stack: Stack, failures: Failures, step: int) -> None:
    """Let learning rates leave at which a seed is not finite any more, and candidates that have no other."""
    for value in stack.parameters.values():
        stack.alive &= value.detach().isfinite().flatten(2).all(-1)
    sound = stack.alive.all(0)
    for candidate, columns in stack.spans().items():
        if candidate not in failures and not sound[columns].any():
            reason = f"loss, weights or metrics were not finite at any learning rate by step {step}"
            failures[candidate] = (State.DIVERGED, reason)
    leave(stack, [place for place in range(len(stack.columns)) if not sound[place]])


def dismiss(stack: Stack, failures: Failures) -> None:
    """Let candidates leave that have failed."""
    if failures:
        leave(stack, [place for place, column in enumerate(stack.columns) if column.candidate in failures])


def leave(stack: Stack, places: Collection[int]) -> None:
    """Let the columns at these places leave."""
    if places:
        stack.keep([place for place in range(len(stack.columns)) if place not in places])


def conclude(candidate: int, stack: Stack, plan: Plan, records: Sequence[Record], failures: Failures) -> Trained:
    """Gather a candidate's measurements at the learning rates that stayed sound to the end."""
    if candidate in failures:
        return Trained(*failures[candidate])
    measurements = tuple(
        Measurement(record.step, plan.learning_rates[column.rate], seed, values_of(record, column, s))
        for column in stack.columns
        if column.candidate == candidate
        for s, seed in enumerate(plan.seeds)
        for record in records
    )
    return Trained(State.SCORED, "", measurements, outputs_of(records[-1], candidate))


def values_of(record: Record, column: Column, seed: int) -> dict[str, float]:
    """Return one member's metrics."""
    place = record.columns.index(column)
    return {name: float(values[seed, place]) for name, values in record.values.items()}


def outputs_of(record: Record, candidate: int) -> NDArray[np.float32] | None:
    """Return a candidate's outputs on the test part, `(seeds, n, outputs)`, at the plan's one learning rate."""
    if record.outputs is None:
        return None
    place = record.columns.index(Column(candidate, 0))
    outputs: NDArray[np.float32] = record.outputs[:, place].float().numpy().copy()
    return outputs


# One by one, for models and optimisers that cannot be stacked.


def train_singly(function: Function, task: Task, plan: Plan, stop: Stop = never) -> Trained:
    """Train one candidate's members one after the other, each as a stack of one."""
    plans = [replace(plan, learning_rates=(rate,)) for rate in plan.learning_rates]
    by_rate = [train_rate(function, task, each, stop) for each in plans]
    broken = next((t for t in by_rate if t.state in (State.CRASHED, State.TIMED_OUT)), None)
    if broken is not None:
        return broken
    sound = [trained for trained in by_rate if trained.state is State.SCORED]
    if not sound:
        return by_rate[-1]
    measurements = tuple(one for trained in sound for one in trained.measurements)
    return Trained(State.SCORED, "", measurements, sound[0].outputs)


def train_rate(function: Function, task: Task, plan: Plan, stop: Stop) -> Trained:
    """Train one learning rate's seeds, until one fails."""
    done: list[Trained] = []
    for seed in plan.seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream(seed, "dropout"))
            (trained,) = train_together([function], task, replace(plan, seeds=(seed,)), stop, stacked=False)
        if trained.state is not State.SCORED:
            return trained
        done.append(trained)
    outputs = [trained.outputs for trained in done if trained.outputs is not None]
    measurements = tuple(one for trained in done for one in trained.measurements)
    return Trained(State.SCORED, "", measurements, np.concatenate(outputs) if outputs else None)
