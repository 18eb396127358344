"""Numba's passes over stacked parameters and activations: each reads and writes its memory once, whatever torch needs.

All compiled code that a training step needs beside the losses is in this one file, as in `interpreter.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from symloss.judging.compiling import cached
from symloss.judging.optimisers import EPSILON, MOMENTUM, SHARES, Clock, Update

_ZERO = np.float32(0)


def by_member(value: Tensor) -> NDArray[np.float32]:
    """Return `(seeds, columns, ...)` as `(seeds, columns, numbers)`, over the same memory."""
    array: NDArray[np.float32] = value.detach().view(*value.shape[:2], -1).numpy()
    return array


@cached
def step_sgd(parameters: Any, gradients: Any, rates: Any) -> None:
    """Step down the gradient; arrays `(seeds, columns, numbers)`, rates `(columns,)`."""
    for seed in range(parameters.shape[0]):
        for column in range(parameters.shape[1]):
            own, slope, rate = parameters[seed, column], gradients[seed, column], rates[column]
            for i in range(len(own)):
                own[i] -= rate * slope[i]


@cached
def step_momentum(parameters: Any, gradients: Any, velocities: Any, rates: Any, decay: Any) -> None:
    """Step down a decaying sum of gradients."""
    for seed in range(parameters.shape[0]):
        for column in range(parameters.shape[1]):
            own, slope, rate = parameters[seed, column], gradients[seed, column], rates[column]
            velocity = velocities[seed, column]
            for i in range(len(own)):
                velocity[i] = velocity[i] * decay + slope[i]
                own[i] -= rate * velocity[i]


@cached
def step_adam(
    parameters: Any,
    gradients: Any,
    means: Any,
    squares: Any,
    rates: Any,
    shares: Any,
    corrections: Any,
    epsilon: Any,
) -> None:
    """Step by the gradient's mean over its root mean square.

    Args:
        shares: `(1 - b1, b2, 1 - b2)`; float32 would lose half of what is left of 1 - 0.999.
        corrections: `(1 / (1 - b1**step), 1 / sqrt(1 - b2**step))`.
    """
    new_mean, keep_square, new_square = shares
    for seed in range(parameters.shape[0]):
        for column in range(parameters.shape[1]):
            own, slope = parameters[seed, column], gradients[seed, column]
            mean, square = means[seed, column], squares[seed, column]
            rate, to_root = rates[column] * corrections[0], corrections[1]
            for i in range(len(own)):
                mean[i] += new_mean * (slope[i] - mean[i])
                square[i] = square[i] * keep_square + new_square * slope[i] * slope[i]
                own[i] -= rate * mean[i] / (np.sqrt(square[i]) * to_root + epsilon)


@cached
def shift(activations: Any, biases: Any, relu: bool) -> None:
    """Add biases `(rows,)` to activations `(rows, batch)`, and rectify; NaN stays NaN."""
    for row in range(activations.shape[0]):
        own, bias = activations[row], biases[row]
        if relu:
            for i in range(len(own)):
                value = own[i] + bias
                own[i] = _ZERO if value <= _ZERO else value
        else:
            for i in range(len(own)):
                own[i] += bias


def add_bias(activations: Tensor, biases: Tensor, relu: bool) -> None:
    """See `passes.Passes`."""
    shift(activations.numpy(), biases.numpy(), relu)


def sgd(parameter: Tensor, gradient: Tensor, memories: Sequence[Tensor], rates: Tensor, clock: Clock) -> None:
    """See `optimisers.sgd`."""
    step_sgd(by_member(parameter), by_member(gradient), rates.numpy())


def momentum(parameter: Tensor, gradient: Tensor, memories: Sequence[Tensor], rates: Tensor, clock: Clock) -> None:
    """See `optimisers.momentum`."""
    own, slope, velocity = map(by_member, (parameter, gradient, *memories))
    step_momentum(own, slope, velocity, rates.numpy(), np.float32(MOMENTUM))


def adam(parameter: Tensor, gradient: Tensor, memories: Sequence[Tensor], rates: Tensor, clock: Clock) -> None:
    """See `optimisers.adam`."""
    own, slope, mean, square = map(by_member, (parameter, gradient, *memories))
    corrections = np.array([float(each) for each in clock.corrections()], np.float32)
    step_adam(own, slope, mean, square, rates.numpy(), SHARES, corrections, np.float32(EPSILON))


UPDATES: dict[str, Update] = {"sgd": sgd, "momentum": momentum, "adam": adam}
