"""Triton's passes over stacked parameters and activations: launches of `triton_passes.py`, one for each tensor."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from symloss.judging import triton_passes
from symloss.judging.bound import Call
from symloss.judging.optimisers import EPSILON, LAST, MOMENTUM, SHARES, Clock, Step, Update

BLOCK = 1024  # numbers that one program works on


def grid(value: Tensor) -> tuple[int]:
    """Return how many programs a tensor takes."""
    return (-(-value.numel() // BLOCK),)


def shape_of(parameter: Tensor) -> tuple[int, int, int]:
    """Return all numbers of `(seeds, columns, ...)`, columns, and the numbers of one member."""
    members = parameter.shape[0] * parameter.shape[1]
    return parameter.numel(), parameter.shape[1], max(1, parameter.numel() // max(1, members))


def add_bias(activations: Tensor, biases: Tensor, relu: bool) -> Call:
    """See `passes.Passes`."""
    sizes, launch = (activations.numel(), activations.shape[1]), triton_passes.shift[grid(activations)]
    return partial(launch, activations, biases, *sizes, RELU=relu, BLOCK=BLOCK)


add_bias_turned = None  # which side of a product the batch is on makes no difference there
end_unsound = None
pick_rows = None


def sgd(parameter: Tensor, memories: Sequence[Tensor], rates: Tensor, clock: Clock) -> Step:
    """See `optimisers.sgd`."""
    own = parameter.detach()
    launch = triton_passes.step_sgd[grid(own)]
    return lambda gradient: launch(own, gradient, rates, *shape_of(own), BLOCK=BLOCK)


def momentum(parameter: Tensor, memories: Sequence[Tensor], rates: Tensor, clock: Clock) -> Step:
    """See `optimisers.momentum`."""
    own, (velocity,) = parameter.detach(), memories
    launch = triton_passes.step_momentum[grid(own)]
    return lambda gradient: launch(own, gradient, velocity, rates, MOMENTUM, *shape_of(own), BLOCK=BLOCK)


def adam(parameter: Tensor, memories: Sequence[Tensor], rates: Tensor, clock: Clock) -> Step:
    """See `optimisers.adam`."""
    own, (mean, square) = parameter.detach(), memories
    launch, numbers = triton_passes.step_adam[grid(own)], (*map(float, SHARES), EPSILON, LAST, *shape_of(own))
    return lambda gradient: launch(own, gradient, mean, square, rates, clock.count, clock.table, *numbers, BLOCK=BLOCK)


UPDATES: dict[str, Update] = {"sgd": sgd, "momentum": momentum, "adam": adam}
