"""Numba's passes over stacked parameters, activations and mini-batches, each over its memory once.

All compiled code that a training step needs beside the losses is in this one file, as in `interpreter.py`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from symloss.judging.bound import Call
from symloss.judging.compiling import cached
from symloss.judging.optimisers import EPSILON, MOMENTUM, SHARES, Clock, Step, Update

_ZERO = np.float32(0)
TILE = 16  # rows that are turned together: what a line of memory holds


def by_member(value: Tensor) -> NDArray[np.float32]:
    """Return `(seeds, columns, ...)` as `(seeds, columns, numbers)`, over the same memory."""
    array: NDArray[np.float32] = value.detach().view(*value.shape[:2], -1).numpy()
    return array


class Seen:
    """`by_member` of one tensor after the other: kept where the same one comes again, its memory written into anew.

    What comes only once is not held: it would take memory that nobody has counted.
    """

    def __init__(self) -> None:
        self._last: Callable[[], Tensor | None] = lambda: None
        self._held: tuple[Tensor, NDArray[np.float32]] | None = None

    def __call__(self, value: Tensor) -> NDArray[np.float32]:
        """See `by_member`."""
        if self._held is not None and self._held[0] is value:
            return self._held[1]
        array = by_member(value)
        self._held = (value, array) if self._last() is value else None
        self._last = weakref.ref(value)
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
                v = velocity[i] * decay + slope[i]
                velocity[i] = v
                own[i] -= rate * v


@cached
def step_adam(
    parameters: Any,
    gradients: Any,
    means: Any,
    squares: Any,
    rates: Any,
    shares: Any,
    of_mean: Any,
    of_root: Any,
    epsilon: Any,
) -> None:
    """Step by the gradient's mean over its root mean square.

    Args:
        shares: `(1 - b1, b2, 1 - b2)`; float32 would lose half of what is left of 1 - 0.999.
        of_mean: 1 / (1 - b1**step).
        of_root: 1 / sqrt(1 - b2**step).
    """
    new_mean, keep_square, new_square = shares
    for seed in range(parameters.shape[0]):
        for column in range(parameters.shape[1]):
            own, slope = parameters[seed, column], gradients[seed, column]
            mean, square = means[seed, column], squares[seed, column]
            rate = rates[column] * of_mean
            for i in range(len(own)):  # by values of its own: memory just written would be read again
                m = mean[i] + new_mean * (slope[i] - mean[i])
                s = square[i] * keep_square + new_square * slope[i] * slope[i]
                mean[i], square[i] = m, s
                own[i] -= rate * m / (np.sqrt(s) * of_root + epsilon)


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


@cached
def shift_turned(products: Any, biases: Any, activations: Any, relu: bool) -> None:
    """Turn products `(seeds, batch, rows)` into activations `(seeds, rows, batch)`, then do as `shift` does."""
    seeds, batch, rows = products.shape
    whole = rows // TILE * TILE
    for seed in range(seeds):
        for first in range(0, whole, TILE):
            for i in range(batch):
                row = products[seed, i]
                for k in range(TILE):  # a constant number of rows: a few lines of memory, all of which stay near
                    activations[seed, first + k, i] = row[first + k]
            shift(activations[seed, first : first + TILE], biases[seed, first : first + TILE], relu)
        for row in range(whole, rows):
            for i in range(batch):
                activations[seed, row, i] = products[seed, i, row]
        shift(activations[seed, whole:], biases[seed, whole:], relu)


@cached
def silence(losses: Any, alive: Any, gradients: Any) -> None:
    """See `soundness.silencing`; gradients `(seeds, columns, outputs, batch)`."""
    for seed in range(losses.shape[0]):
        for column in range(losses.shape[1]):
            alive[seed, column] &= np.isfinite(losses[seed, column])
            if not alive[seed, column]:
                gradients[seed, column] = _ZERO


@cached
def pick(source: Any, rows: Any, room: Any) -> Any:
    """Copy rows `(rows,)` of `(n, numbers)` to `(rows, numbers)`, and return a sum that means nothing.

    It looks at each row first, so that all that lie far away are on their way at once.
    """
    seen = _ZERO
    for row in rows:
        seen += source[row, 0]
    for i in range(len(rows)):
        own, there = room[i], source[rows[i]]
        for k in range(len(own)):
            own[k] = there[k]
    return seen


def add_bias(activations: Tensor, biases: Tensor, relu: bool) -> Call:
    """See `passes.Passes`."""
    return partial(shift, activations.numpy(), biases.numpy(), relu)


def add_bias_turned(products: Tensor, biases: Tensor, activations: Tensor, relu: bool) -> Call:
    """See `passes.Passes`."""
    return partial(shift_turned, products.numpy(), biases.numpy(), activations.numpy(), relu)


def end_unsound(losses: Tensor, alive: Tensor, at_output: Tensor) -> Call:
    """See `passes.Passes`."""
    return partial(silence, losses.numpy(), alive.numpy(), at_output.transpose(2, 3).numpy())


def pick_rows(source: Tensor, room: Tensor) -> Callable[[Tensor], object]:
    """See `passes.Passes`."""
    array, target = (value.detach().flatten(1).numpy() for value in (source, room))
    return lambda rows: pick(array, rows.numpy(), target)


def sgd(parameter: Tensor, memories: Sequence[Tensor], rates: Tensor, clock: Clock) -> Step:
    """See `optimisers.sgd`."""
    own, by_column = by_member(parameter), rates.numpy()
    slope = Seen()
    return lambda gradient: step_sgd(own, slope(gradient), by_column)


def momentum(parameter: Tensor, memories: Sequence[Tensor], rates: Tensor, clock: Clock) -> Step:
    """See `optimisers.momentum`."""
    own, velocity, by_column = by_member(parameter), by_member(memories[0]), rates.numpy()
    slope, decay = Seen(), np.float32(MOMENTUM)
    return lambda gradient: step_momentum(own, slope(gradient), velocity, by_column, decay)


def adam(parameter: Tensor, memories: Sequence[Tensor], rates: Tensor, clock: Clock) -> Step:
    """See `optimisers.adam`."""
    own, mean, square = map(by_member, (parameter, *memories))
    slope, by_column, epsilon = Seen(), rates.numpy(), np.float32(EPSILON)

    def step(gradient: Tensor) -> None:
        of_mean, of_root = map(np.float32, clock.corrections())
        step_adam(own, slope(gradient), mean, square, by_column, SHARES, of_mean, of_root, epsilon)

    return step


UPDATES: dict[str, Update] = {"sgd": sgd, "momentum": momentum, "adam": adam}
