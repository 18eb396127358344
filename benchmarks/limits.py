"""What the machine could do at best: products at the peak of one core, and bytes at the rate of one core's memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch

PRODUCT = 1024
REPEATS = 7
MOVED = {"sgd": 3, "momentum": 5, "adam": 7}  # numbers read and written per parameter and step, the gradient included


def fastest(call: Callable[[], object], times: int = REPEATS) -> float:
    """Return the shortest time of a call in seconds, after one to warm up."""
    call()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return min(taken)


def peak_flops() -> float:
    """Measure one thread's peak in floating-point operations a second: a large product in float32."""
    torch.set_num_threads(1)
    a, b = torch.randn(PRODUCT, PRODUCT), torch.randn(PRODUCT, PRODUCT)
    out = torch.empty(PRODUCT, PRODUCT)
    return 2 * PRODUCT**3 / fastest(lambda: torch.mm(a, b, out=out))


def peak_bytes(size: int) -> float:
    """Measure how many bytes a second one thread moves in `c = a + b`, over arrays of so many bytes in all."""
    torch.set_num_threads(1)
    count = max(1024, size // 12)
    a, b, c = torch.randn(count), torch.randn(count), torch.randn(count)
    repeats = max(1, 2**26 // (12 * count))

    def move() -> None:
        for _ in range(repeats):
            torch.add(a, b, out=c)

    return 12 * count * repeats / fastest(move)


def parameters(sizes: Sequence[int]) -> int:
    """Count a perceptron's parameters."""
    return sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))


def product_flops(sizes: Sequence[int], batch: int) -> int:
    """Count the operations of a step's products: forward, and backward to weights and to all layers but the input."""
    layers = list(pairwise(sizes))
    forward = sum(2 * batch * inputs * outputs for inputs, outputs in layers)
    return 2 * forward + sum(2 * batch * inputs * outputs for inputs, outputs in layers[1:])


def moved_bytes(sizes: Sequence[int], optimiser: str) -> int:
    """Count the bytes that an optimiser must move in a step: parameters, gradients and its memories."""
    return 4 * MOVED[optimiser] * parameters(sizes)
