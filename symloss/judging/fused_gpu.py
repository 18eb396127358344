"""Triton's passes over stacked parameters and activations: launches of `triton_passes.py`, one for each tensor."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from symloss.judging import triton_passes
from symloss.judging.optimisers import EPSILON, LAST, MOMENTUM, SHARES, Clock, Update

BLOCK = 1024  # numbers that one program works on


def grid(value: Tensor) -> tuple[int]:
    """Return how many programs a tensor takes."""
    return (-(-value.numel() // BLOCK),)


def shape_of(parameter: Tensor) -> tuple[int, int, int]:
    """Return all numbers of `(seeds, columns, ...)`, columns, and the numbers of one member."""
    members = parameter.shape[0] * parameter.shape[1]
    return parameter.numel(), parameter.shape[1], max(1, parameter.numel() // max(1, members))


def add_bias(activations: Tensor, biases: Tensor, relu: bool) -> None:
    """See `passes.Passes`."""
    sizes = activations.numel(), activations.shape[1]
    triton_passes.shift[grid(activations)](activations, biases, *sizes, RELU=relu, BLOCK=BLOCK)


def sgd(parameter: Tensor, gradient: Tensor, memories: Sequence[Tensor], rates: Tensor, clock: Clock) -> None:
    """See `optimisers.sgd`."""
    own = parameter.detach()
    triton_passes.step_sgd[grid(own)](own, gradient, rates, *shape_of(own), BLOCK=BLOCK)


def momentum(parameter: Tensor, gradient: Tensor, memories: Sequence[Tensor], rates: Tensor, clock: Clock) -> None:
    """See `optimisers.momentum`."""
    own = parameter.detach()
    triton_passes.step_momentum[grid(own)](own, gradient, *memories, rates, MOMENTUM, *shape_of(own), BLOCK=BLOCK)


def adam(parameter: Tensor, gradient: Tensor, memories: Sequence[Tensor], rates: Tensor, clock: Clock) -> None:
    """See `optimisers.adam`."""
    own, shares = parameter.detach(), [float(share) for share in SHARES]
    numbers = *shares, EPSILON, LAST, *shape_of(own)
    triton_passes.step_adam[grid(own)](own, gradient, *memories, rates, clock.count, clock.table, *numbers, BLOCK=BLOCK)


UPDATES: dict[str, Update] = {"sgd": sgd, "momentum": momentum, "adam": adam}
