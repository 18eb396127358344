"""Passes over stacked parameters and activations, for Triton to compile; `fused_gpu.py` launches them.

Each is `(seeds, columns, numbers)` in one row of memory; a number's learning rate is that of its column.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _rate_of(place, rates, columns, numbers, mask):
    return tl.load(rates + (place // numbers) % columns, mask=mask, other=0.0)


@triton.jit(do_not_specialize=["size", "columns", "numbers"])
def step_sgd(parameters, gradients, rates, size, columns, numbers, BLOCK: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = place < size
    rate = _rate_of(place, rates, columns, numbers, mask)
    own = tl.load(parameters + place, mask=mask) - rate * tl.load(gradients + place, mask=mask)
    tl.store(parameters + place, own, mask=mask)


@triton.jit(do_not_specialize=["size", "columns", "numbers"])
def step_momentum(parameters, gradients, velocities, rates, decay, size, columns, numbers, BLOCK: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = place < size
    velocity = tl.load(velocities + place, mask=mask) * decay + tl.load(gradients + place, mask=mask)
    rate = _rate_of(place, rates, columns, numbers, mask)
    tl.store(velocities + place, velocity, mask=mask)
    tl.store(parameters + place, tl.load(parameters + place, mask=mask) - rate * velocity, mask=mask)


@triton.jit(
    do_not_specialize=["new_mean", "keep_square", "new_square", "epsilon", "last", "size", "columns", "numbers"]
)
def step_adam(
    parameters,
    gradients,
    means,
    squares,
    rates,
    count,
    table,
    new_mean,
    keep_square,
    new_square,
    epsilon,
    last,
    size,
    columns,
    numbers,
    BLOCK: tl.constexpr,
):
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = place < size
    step = tl.minimum(tl.load(count), last)
    slope = tl.load(gradients + place, mask=mask, other=0.0)
    mean = tl.load(means + place, mask=mask, other=0.0)
    mean += new_mean * (slope - mean)
    square = tl.load(squares + place, mask=mask, other=0.0) * keep_square + new_square * slope * slope
    rate = _rate_of(place, rates, columns, numbers, mask) * tl.load(table + step * 2)
    root = tl.sqrt_rn(square) * tl.load(table + step * 2 + 1) + epsilon
    tl.store(means + place, mean, mask=mask)
    tl.store(squares + place, square, mask=mask)
    own = tl.load(parameters + place, mask=mask, other=0.0) - tl.div_rn(rate * mean, root)
    tl.store(parameters + place, own, mask=mask)


@triton.jit(do_not_specialize=["size", "batch"])
def shift(activations, biases, size, batch, RELU: tl.constexpr, BLOCK: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = place < size
    value = tl.load(activations + place, mask=mask) + tl.load(biases + place // batch, mask=mask)
    if RELU:
        value = tl.where(value <= 0.0, 0.0, value)
    tl.store(activations + place, value, mask=mask)
