"""A task's validation loss after a few steps by a formula, unrolled (EvoMAL: Raymond et al. 2022, arXiv:2209.08907).

It is a function of the formula's open numbers, differentiated through the training steps as in section 3.3. Every draw
comes from the plan's seeds, so that a formula's tuning is its own affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from symloss.judging.batches import batches
from symloss.judging.plan import Plan
from symloss.judging.tasks.task import Task, generator, reseed, stream
from symloss.language.loss import compile_loss
from symloss.language.open_loss import OpenLoss
from symloss.language.slots import SLOTS
from symloss.language.tuning import Tuning
from symloss.language.zoo import zoo

Weights = dict[str, Tensor]


class Rehearsal:
    """One seed's base model at its start, and the mini-batches by which formulas are tried on it.

    Args:
        trials: how often it is tried; each time on mini-batches of its own.
    """

    def __init__(self, task: Task, seed: int, tuning: Tuning, trials: int) -> None:
        split, device = task.split(seed), task.x.device
        order = batches(
            len(split.train_y), task.batch_size, trials * tuning.inner_steps, generator(seed, "tuning order")
        )
        judged = batches(len(split.valid_y), task.batch_size, trials, generator(seed, "tuning validation"))
        self._rows, self._targets = split.train_index[order].to(device), split.train_y[order].to(device)
        self._judged_rows, self._judged_targets = split.valid_index[judged].to(device), split.valid_y[judged].to(device)
        self._x, self._seed = task.x, seed
        self.model = task.model(seed)

    def step(self, number: int) -> tuple[Tensor, Tensor]:
        """Return the inputs `(1, batch, ...)` and targets `(1, 1, batch)` of an inner step."""
        return self._x[self._rows[number]][None], self._targets[number][None, None]

    def judged(self, trial: int) -> tuple[Tensor, Tensor]:
        """Return the validation inputs and targets of a trial, in the same shapes."""
        return self._x[self._judged_rows[trial]][None], self._judged_targets[trial][None, None]

    def weights(self) -> tuple[Weights, Weights]:
        """Return the initial parameters, as leaves of a graph, and buffers of their own memory."""
        parameters = {name: value.detach().requires_grad_() for name, value in self.model.named_parameters()}
        return parameters, {name: value.detach().clone() for name, value in self.model.named_buffers()}


class Unrolled:
    """The validation loss after inner steps of SGD by a formula, from the initial weights.

    The loss on validation data is the slot's reference, such as cross-entropy; the seeds of the plan take turns.

    Args:
        loss: the formula with its numbers open.
        trials: how often it will be asked.
    """

    def __init__(self, loss: OpenLoss, task: Task, plan: Plan, tuning: Tuning, trials: int) -> None:
        self._loss, self._slot, self._tuning = loss, SLOTS[task.slot], tuning
        self._reference = compile_loss(zoo[self._slot.baselines[0]])
        each = -(-trials // len(plan.seeds))
        self._rehearsals = [Rehearsal(task, seed, tuning, each) for seed in plan.seeds]
        self._seed, self._device = plan.seeds[0], task.x.device

    def __call__(self, numbers: Tensor, trial: int) -> Tensor:
        """Return the loss `()`, which can be differentiated in the numbers `(count,)` where these ask for it.

        It is not finite where training is not.

        Args:
            trial: from 0; it decides seed and mini-batches, and nothing else does.
        """
        turn, which = divmod(trial, len(self._rehearsals))
        with self._seeded(trial):
            return self._tried(numbers, self._rehearsals[which], turn)

    def abreast(self, points: Tensor, trial: int) -> Tensor:
        """Return the loss of each of several points `(points, count)`, whose models train stacked: `(points,)`.

        It equals theirs one by one but for rounding, and is not finite where training is not.
        """
        turn, which = divmod(trial, len(self._rehearsals))
        with self._seeded(trial):
            return self._tried_abreast(points, self._rehearsals[which], turn)

    @contextmanager
    def _seeded(self, trial: int) -> Iterator[None]:
        """Seed torch's own draws, of dropout."""
        with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []):
            reseed(stream(self._seed, f"tuning {trial}"), self._device)
            yield

    def _tried(self, numbers: Tensor, rehearsal: Rehearsal, turn: int) -> Tensor:
        function, inner = self._loss.at(numbers), self._tuning.inner_steps
        parameters, buffers = rehearsal.weights()
        rehearsal.model.train()
        for number in range(turn * inner, (turn + 1) * inner):
            x, y = rehearsal.step(number)
            output = self._slot.forward(function, _run(rehearsal.model, parameters, buffers), x)
            loss = self._slot.objective(function, output, y).sum()
            if not bool(loss.isfinite()):  # its slopes may be finite all the same, as a logarithm's of -1 are
                return torch.as_tensor(loss)
            parameters = self._stepped(parameters, loss, numbers.requires_grad)
        rehearsal.model.eval()
        x, y = rehearsal.judged(turn)
        with torch.set_grad_enabled(numbers.requires_grad):
            output = self._slot.forward(function, _run(rehearsal.model, parameters, buffers), x)
            return torch.as_tensor(self._slot.objective(self._reference, output, y).sum())

    def _tried_abreast(self, points: Tensor, rehearsal: Rehearsal, turn: int) -> Tensor:
        inner, model = self._tuning.inner_steps, rehearsal.model
        parameters, buffers = (_repeated(group, len(points)) for group in rehearsal.weights())
        for value in parameters.values():
            value.requires_grad_()
        alive = torch.ones(len(points), dtype=torch.bool, device=points.device)
        model.train()
        for number in range(turn * inner, (turn + 1) * inner):
            losses = self._losses(points, model, parameters, buffers, rehearsal.step(number))
            alive &= losses.isfinite()
            if not bool(alive.any()):
                break
            parameters = self._stepped(parameters, losses.sum(), differentiable=False)
        model.eval()
        with torch.no_grad():
            losses = self._losses(points, model, parameters, buffers, rehearsal.judged(turn), self._reference)
        return losses.where(alive, torch.nan)

    def _losses(
        self,
        points: Tensor,
        model: nn.Module,
        parameters: Weights,
        buffers: Weights,
        batch: tuple[Tensor, Tensor],
        judge: Callable[..., Tensor] | None = None,
    ) -> Tensor:
        """Return each point's loss on a mini-batch, or `judge` of it, by weights of its own `(points, ...)`."""
        x, y = batch

        def one(numbers: Tensor, own: Weights, kept: Weights) -> Tensor:
            function = self._loss.at(numbers)
            output = self._slot.forward(function, _run(model, own, kept), x)
            return torch.as_tensor(self._slot.objective(judge or function, output, y).sum())

        losses: Tensor = vmap(one, randomness="same")(points, parameters, buffers)
        return losses

    def _stepped(self, parameters: Weights, loss: Tensor, differentiable: bool) -> Weights:
        """Take a step of SGD; its own derivative costs a graph of the backward pass, so it is had only where asked."""
        leaves = list(parameters.values())
        slopes = torch.autograd.grad(
            loss, leaves, create_graph=differentiable, materialize_grads=True, allow_unused=True
        )
        pairs = zip(parameters.items(), slopes, strict=True)
        stepped = {name: value - self._tuning.inner_rate * slope for (name, value), slope in pairs}
        return stepped if differentiable else {name: value.detach().requires_grad_() for name, value in stepped.items()}


def _repeated(weights: Weights, times: int) -> Weights:
    """Return so many copies of each of the weights, of their own memory: `(times, ...)`."""
    return {name: value.detach().repeat(times, *[1] * value.dim()) for name, value in weights.items()}


def _run(model: nn.Module, parameters: Weights, buffers: Weights) -> Callable[..., Tensor]:
    """Return a model as slots run it: inputs `(1, batch, ...)` -> `(1, 1, batch, outputs)`."""

    def run(x: Tensor, *rest: Any) -> Tensor:
        output: Tensor = functional_call(model, (parameters, buffers), (x[0], *rest))
        return output[None, None]

    return run
