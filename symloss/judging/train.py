"""Trains a cohort at once: candidates x learning rates x seeds as one stacked model, read from top to bottom.

Each candidate gives its own gradient at the model's output; mini-batches and initial weights are the same for all.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, vmap

from symloss.errors import ExperimentError, unknown
from symloss.judging.optimisers import OPTIMISERS, FactoryStepper, StackedStepper, Stepper
from symloss.judging.tasks.task import Split, Task, generator, stream
from symloss.language.candidate import Measurement, State
from symloss.language.loss import compile_loss
from symloss.language.slots import SLOTS, Slot
from symloss.language.zoo import zoo

STACKS = ("auto", "stacked", "single")
PARTS = ("valid", "test")
SWEEP = 50  # steps between two looks for candidates that have diverged
ROWS = 512  # rows per forward pass when measuring; fixed, because products may round differently at another size
STACK_BYTES = 4_000_000  # of parameters in one stack: as much as stays near the processor during an optimiser step
SLOWER = 1.5  # how much slower per training stacking may be before a cohort trains one by one

Function = Callable[..., Any]
Failures = dict[int, tuple[State, str]]


@dataclass(frozen=True)
class Plan:
    """What training a cohort means.

    Args:
        steps: optimiser steps.
        learning_rates: each candidate trains at each of them.
        seeds: each fixes initial weights, mini-batch order, noise and split of one training per learning rate.
        rungs: steps at which metrics are measured, increasing, the last is `steps`; empty for `steps` alone.
        measure: `("valid",)`, or `("test",)`, which also keeps the outputs and takes one learning rate only.
        stack: `stacked` trains all at once, `single` one by one, `auto` measures which pays.

    Raises:
        ExperimentError: a value is out of its range.
    """

    steps: int
    learning_rates: tuple[float, ...]
    seeds: tuple[int, ...]
    rungs: tuple[int, ...] = ()
    measure: tuple[str, ...] = ("valid",)
    stack: str = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "rungs", self.rungs or (self.steps,))
        if self.steps < 1:
            raise ExperimentError(f"[budget] steps must be at least 1, got {self.steps}.")
        if list(self.rungs) != sorted(set(self.rungs)) or self.rungs[0] < 1 or self.rungs[-1] != self.steps:
            raise ExperimentError(
                f"[budget] rungs must increase from at least 1 to steps = {self.steps}, got {list(self.rungs)}."
            )
        if not self.learning_rates or not all(0 < rate < float("inf") for rate in self.learning_rates):
            raise ExperimentError(f"[budget] learning_rates must be positive, got {list(self.learning_rates)}.")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ExperimentError(f"[budget] seeds must differ, at least one, got {list(self.seeds)}.")
        if self.stack not in STACKS:
            raise ExperimentError(unknown("[budget] stack", "way to train", self.stack, STACKS))
        if self.measure not in (("valid",), ("test",)):
            raise ExperimentError(f"measure must be ('valid',) or ('test',), got {self.measure!r}.")
        if self.measure == ("test",) and len(self.learning_rates) > 1:
            raise ExperimentError("The test part is measured at one learning rate: choose it on validation first.")


@dataclass(frozen=True)
class Trained:
    """How one candidate's training ended.

    Args:
        state: SCORED, DIVERGED, CRASHED or TIMED_OUT.
        reason: why it is not SCORED, in words.
        measurements: of the learning rates at which all seeds stayed finite; by learning rate, seed, step.
        outputs: of the trained models on the test part, float32 `(seeds, n, outputs)`, when the plan measures it.
    """

    state: State
    reason: str = ""
    measurements: tuple[Measurement, ...] = ()
    outputs: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Decision:
    """Whether cohorts of a task train stacked or one by one, and why; kept with the run."""

    stack: str
    reason: str


class OutOfTimeError(Exception):
    """The soft time limit; raised by the alarm, wherever training is.

    Args:
        patience: seconds that a candidate must have held things up to be blamed.
    """

    def __init__(self, patience: float) -> None:
        super().__init__("out of time")
        self.patience = patience


def train_cohort(functions: Sequence[Function], task: Task, plan: Plan) -> list[Trained]:
    """Train candidates at every learning rate and seed of a plan.

    A candidate's numbers are the same alone or in company: its formula computes on a copy of its own, and torch's
    batched product gives each matrix the same bits in any batch of two or more. Elementwise layers of a user's model
    whose vectorised and scalar code round differently (sigmoid) may differ in the last bit.

    Args:
        functions: compiled formulas of the task's slot.
        task: what to train.
        plan: how long, how often.

    Returns:
        One per function, in order. A function that raises or diverges fails alone.

    Raises:
        ExperimentError: the task cannot be trained in the way that the plan demands.
    """
    way = choose_stacking(task, plan).stack if plan.stack == "auto" else plan.stack
    if way == "single":
        return [train_singly(function, task, plan) for function in functions]
    if not isinstance(task.optimiser, str):
        raise ExperimentError(f"task '{task.name}' brings its own optimiser, so stack must be 'single' or 'auto'.")
    size = candidates_per_stack(task, plan)
    parts = [functions[i : i + size] for i in range(0, len(functions), size)]
    return [trained for part in parts for trained in train_together(part, task, plan, stacked=True)]


def train_together(functions: Sequence[Function], task: Task, plan: Plan, *, stacked: bool) -> list[Trained]:
    """Train one stack; unstacked, it must be of one candidate, learning rate and seed."""
    slot = SLOTS[task.slot]
    data = load(task, plan)
    stack = start(task, plan, len(functions), stacked)
    failures: Failures = {}
    records: list[Record] = []
    for step in range(1, plan.steps + 1):
        x, y = data.batch(step)
        gradients = differentiate(stack, functions, slot, x, y, failures)
        stack.stepper.step(stack.parameters, gradients)
        if step in plan.rungs:
            records.append(measure(stack, functions, slot, task, data, step, failures))
        if failures or step % SWEEP == 0 or step in plan.rungs:
            sweep(stack, failures, step)
        if not stack.candidates:
            break
    return [conclude(i, stack, plan, records, failures) for i in range(len(functions))]


# The data: every draw comes from the seed of its training alone, so that results depend on nothing else.


@dataclass(frozen=True)
class Data:
    """The rows of every step and the judged part.

    Args:
        rows: `(seeds, steps, batch)` of `x`.
        targets: `(seeds, steps, batch)`.
        judged_x: `(seeds, n, ...)`.
        judged_y: `(seeds or 1, 1, n)`.
        is_test: whether the judged part is the test part, whose outputs are kept.
    """

    x: Tensor
    rows: Tensor
    targets: Tensor
    judged_x: Tensor
    judged_y: Tensor
    is_test: bool

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return step's inputs `(seeds, batch, ...)` and targets `(seeds, 1, batch)`; steps count from 1."""
        return self.x[self.rows[:, step - 1]], self.targets[:, step - 1].unsqueeze(1)


def load(task: Task, plan: Plan) -> Data:
    """Draw splits and mini-batches for all seeds."""
    splits = [task.split(seed) for seed in plan.seeds]
    order = torch.stack(
        [
            batches(len(split.train_y), task.batch_size, plan.steps, generator(seed, "order"))
            for seed, split in zip(plan.seeds, splits, strict=True)
        ]
    )
    rows = torch.stack([split.train_index[places] for split, places in zip(splits, order, strict=True)])
    targets = torch.stack([split.train_y[places] for split, places in zip(splits, order, strict=True)])
    return Data(task.x, rows, targets, *judged(task, plan, splits), plan.measure == ("test",))


def judged(task: Task, plan: Plan, splits: Sequence[Split]) -> tuple[Tensor, Tensor]:
    """Return the inputs and targets that the plan measures on."""
    if plan.measure == ("test",):
        x, y = task.test()
        return x.expand(len(splits), *x.shape), y[None, None]
    if len({len(split.valid_y) for split in splits}) > 1:
        raise ExperimentError(f"task '{task.name}': the validation parts of two seeds differ in size; they must not.")
    targets = torch.stack([split.valid_y for split in splits])
    return torch.stack([task.x[split.valid_index] for split in splits]), targets.unsqueeze(1)


def batches(rows: int, size: int, steps: int, draws: torch.Generator) -> Tensor:
    """Return `(steps, size)` places in a training part, shuffled anew each epoch, without its incomplete rest."""
    size = min(size, rows)
    per_epoch = rows // size
    epochs = [
        torch.randperm(rows, generator=draws)[: per_epoch * size].view(per_epoch, size)
        for _ in range(-(-steps // per_epoch))
    ]
    return torch.cat(epochs)[:steps]


# The stack: members are (seed, column); a column is a candidate at a learning rate.


@dataclass
class Stack:
    """Models that train together.

    Args:
        parameters: name -> `(seeds, columns, ...)`.
        buffers: likewise.
        alive: `(seeds, columns)`, whether loss and parameters have been finite so far.
        candidates: numbers of the functions still in the stack; each has `rates` columns, in order.
        stacked: whether the model runs under vmap; otherwise there is one member, and it runs as it is.
    """

    model: nn.Module
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]
    stepper: Stepper
    alive: Tensor
    candidates: list[int]
    rates: int
    stacked: bool

    def columns(self, position: int) -> slice:
        """Return the columns of the candidate at a position."""
        return slice(position * self.rates, (position + 1) * self.rates)

    def run(self, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor], x: Tensor, *rest: Any) -> Tensor:
        """Run members' models on inputs `(seeds, batch, ...)` -> `(seeds, columns, batch, outputs)`."""

        def one(p: dict[str, Tensor], b: dict[str, Tensor], inputs: Tensor) -> Tensor:
            output: Tensor = functional_call(self.model, (p, b), (inputs, *rest))
            return output

        if not self.stacked:
            alone = [{name: value[0, 0] for name, value in group.items()} for group in (parameters, buffers)]
            return one(alone[0], alone[1], x[0])[None, None]
        columns = next(iter(parameters.values())).shape[1]
        if len(x) * columns == 1:  # torch multiplies a batch of one matrix by other code, which rounds differently
            parameters, buffers = doubled(parameters), doubled(buffers)
        over_columns = vmap(one, in_dims=(0, 0, None))
        result: Tensor = vmap(over_columns)(dict(parameters), dict(buffers), x)
        return result[:, :columns]

    def keep(self, positions: Sequence[int]) -> None:
        """Drop all candidates but those at these positions."""
        starts = torch.tensor(positions, dtype=torch.int64).unsqueeze(1) * self.rates
        columns = (starts + torch.arange(self.rates)).flatten()
        self.parameters = {n: v.detach().index_select(1, columns).requires_grad_() for n, v in self.parameters.items()}
        self.buffers = {name: value.index_select(1, columns) for name, value in self.buffers.items()}
        self.stepper.keep(columns)
        self.alive = self.alive[:, columns]
        self.candidates = [self.candidates[i] for i in positions]


def start(task: Task, plan: Plan, candidates: int, stacked: bool) -> Stack:
    """Make a stack: each seed's initial weights, the same for all its columns."""
    models = [task.model(seed) for seed in plan.seeds]
    columns = candidates * len(plan.learning_rates)
    parameters = stacked_values([dict(m.named_parameters()) for m in models], columns)
    for value in parameters.values():
        value.requires_grad_()
    buffers = stacked_values([dict(m.named_buffers()) for m in models], columns)
    stepper = make_stepper(task, plan, parameters, candidates)
    alive = torch.ones(len(models), columns, dtype=torch.bool)
    model, rates = models[0].train(), len(plan.learning_rates)
    return Stack(model, parameters, buffers, stepper, alive, list(range(candidates)), rates, stacked)


def stacked_values(per_seed: Sequence[Mapping[str, Tensor]], columns: int) -> dict[str, Tensor]:
    """Return name -> `(seeds, columns, ...)` of its own memory."""
    return {
        name: torch.stack([values[name].detach() for values in per_seed])
        .unsqueeze(1)
        .repeat(1, columns, *[1] * per_seed[0][name].ndim)
        for name in per_seed[0]
    }


def doubled(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Repeat every column."""
    return {name: torch.cat([value, value], dim=1) for name, value in values.items()}


def make_stepper(task: Task, plan: Plan, parameters: Mapping[str, Tensor], candidates: int) -> Stepper:
    """Make the task's optimiser with each column's learning rate."""
    if isinstance(task.optimiser, str):
        rates = torch.tensor(plan.learning_rates, dtype=torch.float32).repeat(candidates)
        return StackedStepper(OPTIMISERS[task.optimiser], parameters, rates)
    return FactoryStepper(task.optimiser, parameters, plan.learning_rates[0])


def candidates_per_stack(task: Task, plan: Plan) -> int:
    """Return how many candidates make one stack of a good size; it depends on the task and the plan alone."""
    parameters = sum(value.numel() * value.element_size() for value in task.model(plan.seeds[0]).parameters())
    return max(1, STACK_BYTES // (parameters * len(plan.seeds) * len(plan.learning_rates) or 1))


# One step: every candidate's own gradient, and one backward pass through what they share.


def differentiate(
    stack: Stack, functions: Sequence[Function], slot: Slot, x: Tensor, y: Tensor, failures: Failures
) -> dict[str, Tensor]:
    """Return every member's gradient; a loss that is not finite ends its member."""
    gradients_of = through_output if slot.shares_forward else through_model
    losses, gradients = gradients_of(stack, functions, slot, x, y, failures)
    stack.alive &= losses.isfinite()
    return gradients


def through_output(
    stack: Stack, functions: Sequence[Function], slot: Slot, x: Tensor, y: Tensor, failures: Failures
) -> tuple[Tensor, dict[str, Tensor]]:
    """Differentiate formulas that see the model's output alone: one forward and one backward pass for all."""
    output = stack.run(stack.parameters, stack.buffers, x)
    losses = output.new_zeros(stack.alive.shape)
    at_output = torch.zeros_like(output, memory_format=torch.contiguous_format)
    for position, i in enumerate(stack.candidates):
        columns = stack.columns(position)
        # A contiguous copy has the same layout alone and in company, so elementwise code rounds the same.
        own = output.detach()[:, columns].contiguous().requires_grad_()
        with blamed(i, failures):
            loss = slot.objective(functions[i], own, y)
            (at_output[:, columns],) = torch.autograd.grad(loss.sum(), own)
            losses[:, columns] = loss.detach()
    # A dead member's gradient would be NaN: it has none, so that no product of the stack can meet it.
    at_output.masked_fill_(~(stack.alive & losses.isfinite())[..., None, None], 0)
    leaves = list(stack.parameters.values())
    values = torch.autograd.grad(output, leaves, at_output, materialize_grads=True, allow_unused=True)
    return losses, dict(zip(stack.parameters, values, strict=True))


def through_model(
    stack: Stack, functions: Sequence[Function], slot: Slot, x: Tensor, y: Tensor, failures: Failures
) -> tuple[Tensor, dict[str, Tensor]]:
    """Differentiate formulas inside the model: each candidate has a forward and backward pass of its own."""
    losses = torch.zeros(stack.alive.shape)
    gradients = {name: torch.zeros_like(value) for name, value in stack.parameters.items()}
    for position, i in enumerate(stack.candidates):
        columns = stack.columns(position)
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


@contextmanager
def blamed(candidate: int, failures: Failures) -> Iterator[None]:
    """Let a candidate's own computation fail without its neighbours."""
    started = time.monotonic()
    try:
        yield
    except OutOfTimeError as late:
        if time.monotonic() - started < late.patience:
            raise
        failures[candidate] = (State.TIMED_OUT, "one step of its training did not end within the time limit")
    except Exception as error:
        failures[candidate] = (State.CRASHED, in_words(error))


def in_words(error: BaseException) -> str:
    """Word an error on one line, with its class."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


# Measuring, and leaving.


@dataclass(frozen=True)
class Record:
    """What one rung measured.

    Args:
        candidates: in the stack at that step.
        values: metric -> `(seeds, columns)`.
        outputs: `(seeds, columns, n, outputs)`, kept for the test part only.
    """

    step: int
    candidates: tuple[int, ...]
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
        values = {metric.name: metric.function(outputs, data.judged_y) for metric in task.metrics}
        for value in (*values.values(), outputs.flatten(2).sum(-1)):
            stack.alive &= value.isfinite()
    stack.model.train()
    return Record(step, tuple(stack.candidates), values, outputs if data.is_test else None)


def predict(stack: Stack, functions: Sequence[Function], slot: Slot, x: Tensor, failures: Failures) -> Tensor:
    """Return every member's outputs `(seeds, columns, rows, outputs)` for inputs `(seeds, rows, ...)`."""
    if slot.shares_forward:
        return stack.run(stack.parameters, stack.buffers, x)
    pieces: dict[int, Tensor] = {}
    for position, i in enumerate(stack.candidates):
        columns = stack.columns(position)
        own = {name: value[:, columns].contiguous() for name, value in stack.parameters.items()}
        with blamed(i, failures):
            pieces[i] = slot.forward(functions[i], member_model(stack, own, columns), x)
    shape = next(iter(pieces.values())).shape if pieces else (len(x), stack.rates, x.shape[1], 1)
    return torch.cat([pieces.get(i, torch.full(shape, torch.nan)) for i in stack.candidates], dim=1)


def sweep(stack: Stack, failures: Failures, step: int) -> None:
    """Let candidates leave that have failed or that no learning rate can save any more."""
    for value in stack.parameters.values():
        stack.alive &= value.detach().isfinite().flatten(2).all(-1)
    kept = []
    for position, i in enumerate(stack.candidates):
        if i not in failures and not sound_rates(stack, position).any():
            reason = f"loss, weights or metrics were not finite at any learning rate by step {step}"
            failures[i] = (State.DIVERGED, reason)
        if i not in failures:
            kept.append(position)
    if len(kept) < len(stack.candidates):
        stack.keep(kept)


def sound_rates(stack: Stack, position: int) -> Tensor:
    """Return which learning rates `(rates,)` have all their seeds alive."""
    return stack.alive[:, stack.columns(position)].all(0)


def conclude(candidate: int, stack: Stack, plan: Plan, records: Sequence[Record], failures: Failures) -> Trained:
    """Gather a candidate's measurements at its sound learning rates."""
    if candidate in failures:
        return Trained(*failures[candidate])
    sound = sound_rates(stack, stack.candidates.index(candidate))
    measurements = tuple(
        Measurement(record.step, rate, seed, values_of(record, candidate, stack.rates, s, r))
        for r, rate in enumerate(plan.learning_rates)
        if sound[r]
        for s, seed in enumerate(plan.seeds)
        for record in records
    )
    return Trained(State.SCORED, "", measurements, outputs_of(records[-1], candidate))


def values_of(record: Record, candidate: int, rates: int, seed: int, rate: int) -> dict[str, float]:
    """Return one member's metrics."""
    column = record.candidates.index(candidate) * rates + rate
    return {name: float(values[seed, column]) for name, values in record.values.items()}


def outputs_of(record: Record, candidate: int) -> NDArray[np.float32] | None:
    """Return a candidate's outputs on the test part, `(seeds, n, outputs)`, at the plan's one learning rate."""
    if record.outputs is None:
        return None
    outputs: NDArray[np.float32] = record.outputs[:, record.candidates.index(candidate)].float().numpy().copy()
    return outputs


# One by one, for models and optimisers that cannot be stacked.


def train_singly(function: Function, task: Task, plan: Plan) -> Trained:
    """Train one candidate's members one after the other, each as a stack of one."""
    by_rate = [train_rate(function, task, replace(plan, learning_rates=(rate,))) for rate in plan.learning_rates]
    broken = next((t for t in by_rate if t.state in (State.CRASHED, State.TIMED_OUT)), None)
    if broken is not None:
        return broken
    sound = [trained for trained in by_rate if trained.state is State.SCORED]
    if not sound:
        return by_rate[-1]
    measurements = tuple(one for trained in sound for one in trained.measurements)
    return Trained(State.SCORED, "", measurements, sound[0].outputs)


def train_rate(function: Function, task: Task, plan: Plan) -> Trained:
    """Train one learning rate's seeds, until one fails."""
    done: list[Trained] = []
    for seed in plan.seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream(seed, "dropout"))
            (trained,) = train_together([function], task, replace(plan, seeds=(seed,)), stacked=False)
        if trained.state is not State.SCORED:
            return trained
        done.append(trained)
    outputs = [trained.outputs for trained in done if trained.outputs is not None]
    measurements = tuple(one for trained in done for one in trained.measurements)
    return Trained(State.SCORED, "", measurements, np.concatenate(outputs) if outputs else None)


# Which way pays.


def choose_stacking(task: Task, plan: Plan) -> Decision:
    """Decide by trial and a short measurement whether a task's cohorts train stacked or one by one.

    Args:
        task: whose model and optimiser are tried, with the slot's first baseline as the loss.
        plan: a `stack` other than `auto` is taken as it is, after one trial step.

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
        return Decision("stacked", "the plan demands it")
    stacked /= 2 * len(plan.learning_rates) * len(plan.seeds)
    figures = f"{1000 * stacked:.1f} ms per training of 3 steps stacked, {1000 * singly:.1f} ms one by one"
    return Decision("single" if stacked >= SLOWER * singly else "stacked", figures)


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
    """Return the shortest of three times that a call takes, after one to warm up."""
    times = []
    for _ in range(4):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times[1:])
