"""A stack: the models of many members that train together, as one set of tensors.

A member is (seed, column); a column is a candidate at a learning rate, and may leave without the candidate's others.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from symloss.judging.bound import Bound, Listed
from symloss.judging.dense import DensePasses, dense_layers
from symloss.judging.kernel import CohortLoss, Function
from symloss.judging.optimisers import OPTIMISERS
from symloss.judging.plan import Plan
from symloss.judging.soundness import silencing
from symloss.judging.steppers import FactoryStepper, StackedStepper, Stepper
from symloss.judging.tasks.task import Task
from symloss.language.slots import SLOTS


class Column(NamedTuple):
    """A candidate at a learning rate, each by its number in the cohort and in the plan."""

    candidate: int
    rate: int


@dataclass
class Stack:
    """Models that train together.

    Args:
        parameters: name -> `(seeds, columns, ...)`.
        buffers: likewise.
        losses: of the candidates still in the stack.
        alive: `(seeds, columns)`, whether loss and parameters have been finite so far.
        columns: those still in the stack, in ascending order, so that a candidate's lie side by side.
        stacked: whether members run together; otherwise there is one, and its model runs as it is.
        dense: passes of its own for a stack of perceptrons; other models run under vmap.
        silence: (losses, alive, gradients at the output) -> None, see `silencing`.
        listed: the calls of a step, see `list_calls`; None before the first one and after columns have left.
    """

    model: nn.Module
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]
    losses: CohortLoss
    stepper: Stepper
    alive: Tensor
    columns: list[Column]
    stacked: bool
    dense: DensePasses | None = None
    silence: Bound = field(default_factory=lambda: Bound(silencing))
    listed: Listed | None = None

    def spans(self) -> dict[int, slice]:
        """Return candidate -> where its columns lie, for the candidates still in the stack, in order."""
        counts, spans, first = Counter(column.candidate for column in self.columns), {}, 0
        for candidate, count in counts.items():
            spans[candidate] = slice(first, first + count)
            first += count
        return spans

    def forward(self, x: Tensor) -> Tensor:
        """Run all members on a mini-batch `(seeds, batch, ...)` -> `(seeds, columns, batch, outputs)`.

        What comes out may lie in memory that the next mini-batch overwrites.
        """
        if self.dense is not None:
            return self.dense.forward(self.parameters, self.buffers, x)
        return self.run(self.parameters, self.buffers, x)

    def outputs(self, x: Tensor) -> Tensor:
        """Return the outputs that `forward` gives, in memory of their own; training's is not disturbed."""
        if self.dense is not None:
            return DensePasses(self.dense.names).forward(self.parameters, self.buffers, x)
        return self.run(self.parameters, self.buffers, x)

    def backward(self, output: Tensor, at_output: Tensor) -> Mapping[str, Tensor]:
        """Return every parameter's gradient, given the last forward pass's output and the gradient there."""
        if self.dense is not None:
            return self.dense.backward(at_output)
        leaves = list(self.parameters.values())
        # One layout alone and in company, whatever the strides of a dimension of one: sums round by it.
        arriving = at_output.contiguous()
        values = torch.autograd.grad(output, leaves, arriving, materialize_grads=True, allow_unused=True)
        return dict(zip(self.parameters, values, strict=True))

    def list_calls(self, x: Tensor, output: Tensor, given: Tensor | None, gradients: Mapping[str, Tensor]) -> None:
        """List the calls of a step whose gradients were just computed, where the next step is the same calls.

        It is on the processor, of perceptrons of which torch walks no loss.

        Args:
            x: its inputs.
            output: that it gave.
            given: target as the losses saw it, see `feed.Batch`.
            gradients: that it came to.
        """
        dense, silence, stepper = self.dense, self.silence.call, self.stepper
        if dense is None or silence is None or not isinstance(stepper, StackedStepper) or output.device.type != "cpu":
            return
        losses = self.losses.bound(output, given)
        if losses is not None:
            passes = dense.bound()
            steps = stepper.bound(self.parameters, gradients, passes.parts)
            self.listed = Listed(x, passes.forward, losses, [silence, *passes.backward, *steps])

    def run(self, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor], x: Tensor, *rest: Any) -> Tensor:
        """Run members' models on inputs `(seeds, batch, ...)` -> `(seeds, columns, batch, outputs)`."""

        def one(p: dict[str, Tensor], b: dict[str, Tensor], inputs: Tensor) -> Tensor:
            output: Tensor = functional_call(self.model, (p, b), (inputs, *rest))
            return output

        if not self.stacked:
            alone = [{name: value[0, 0] for name, value in group.items()} for group in (parameters, buffers)]
            return one(alone[0], alone[1], x[0])[None, None]
        members = vmap(vmap(one, in_dims=(0, 0, None)))
        columns = next(iter(parameters.values())).shape[1]
        if len(x) * columns == 1:  # torch multiplies a batch of one matrix by other code, which rounds differently
            twins = doubled(buffers)
            result: Tensor = members(doubled(parameters), twins, x)
            for name, value in buffers.items():  # what the model has written, such as running statistics
                value.copy_(twins[name][:, :1])
            return result[:, :1]
        result = members(dict(parameters), dict(buffers), x)
        return result

    def keep(self, places: Sequence[int]) -> None:
        """Drop all columns but those at these places, which ascend."""
        self.listed = None  # first: what is bound would keep all that is let go
        kept = torch.tensor(places, dtype=torch.int64).to(self.alive.device)
        left = Counter(self.columns[place].candidate for place in places)
        self.losses.keep([left[candidate] for candidate in self.spans()])
        self.stepper.keep(kept)
        if self.dense is not None:
            self.dense.forget()
        self.parameters = {n: v.detach().index_select(1, kept).requires_grad_() for n, v in self.parameters.items()}
        self.buffers = {name: value.index_select(1, kept) for name, value in self.buffers.items()}
        self.alive = self.alive[:, kept]
        self.columns = [self.columns[place] for place in places]


def start(functions: Sequence[Function], task: Task, plan: Plan, stacked: bool) -> Stack:
    """Make a stack: each seed's initial weights, the same for all its columns."""
    models, rates = [task.model(seed) for seed in plan.seeds], len(plan.learning_rates)
    columns = [Column(candidate, rate) for candidate in range(len(functions)) for rate in range(rates)]
    parameters = stacked_values([dict(m.named_parameters()) for m in models], len(columns))
    for value in parameters.values():
        value.requires_grad_()
    buffers = stacked_values([dict(m.named_buffers()) for m in models], len(columns))
    losses = CohortLoss(functions, task.slot, [rates] * len(functions))
    stepper = make_stepper(task, plan, parameters, columns)
    alive = torch.ones(len(models), len(columns), dtype=torch.bool, device=task.x.device)
    model = models[0].train()
    layers = dense_layers(model) if stacked and SLOTS[task.slot].shares_forward else None
    return Stack(
        model, parameters, buffers, losses, stepper, alive, columns, stacked, DensePasses(layers) if layers else None
    )


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


def make_stepper(task: Task, plan: Plan, parameters: Mapping[str, Tensor], columns: Sequence[Column]) -> Stepper:
    """Make the task's optimiser with each column's learning rate."""
    if isinstance(task.optimiser, str):
        rates = torch.tensor([plan.learning_rates[column.rate] for column in columns], dtype=torch.float32)
        return StackedStepper(OPTIMISERS[task.optimiser], parameters, rates.to(task.x.device))
    return FactoryStepper(task.optimiser, parameters, plan.learning_rates[0])
