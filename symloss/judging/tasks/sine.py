"""A sine on an interval, the regression problem of ML3: a perceptron of 100 and 10 units learns one curve.

Bechtle et al. 2021, "Meta learning via learned loss", ICPR, arXiv:1906.05374, section IV.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from symloss.errors import ExperimentError
from symloss.judging.tasks.base import TEST_SEED, SupervisedTask
from symloss.judging.tasks.labels import is_number
from symloss.judging.tasks.networks import check_hidden, mlp
from symloss.judging.tasks.task import OptimiserFactory, generator

ROWS, WIDE = 1000, 5.0


def curve(amplitude: float, frequency: float, phase: float) -> tuple[Tensor, Tensor]:
    """Return `(1000, 1)` points in [-5, 5) and `(1000,)` the sine there."""
    x = WIDE * (2 * torch.rand(ROWS, 1, generator=generator(TEST_SEED, "sine")) - 1)
    return x, amplitude * torch.sin(frequency * (x[:, 0] - phase))


def network(sizes: Sequence[int]) -> nn.Sequential:
    """Make a perceptron with Glorot's uniform weights and no biases to start with."""
    model = mlp(sizes)
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return model


def sine(
    amplitude: float = 1.0,
    frequency: float = 1.0,
    phase: float = math.pi,
    hidden: Sequence[int] = (100, 10),
    optimiser: str | OptimiserFactory = "adam",
    metric: str = "mse",
    batch_size: int = 50,
    device: str = "cpu",
) -> SupervisedTask:
    """Predict amplitude * sin(frequency * (x - phase)).

    The curve is the one that ML3 learns its loss on, there from -2 to 2; the interval is that of its tests, whose
    curves have amplitudes from 0.2 to 5 and phases from -pi to pi. A transfer names such: `sine:amplitude=3,phase=1`.

    Args:
        amplitude: of the sine, above 0.
        frequency: in radians per unit of x, above 0.
        phase: in radians, at frequency 1.
        hidden: widths of the perceptron's hidden layers.
        optimiser: a name in OPTIMISERS, or a factory.
        metric: a name in METRICS, by which candidates are judged.
        batch_size: rows per step.
        device: `cpu`, `cuda`, `cuda:1`, or `auto`.

    Raises:
        ExperimentError: an option is out of its range.
    """
    for name, value in {"amplitude": amplitude, "frequency": frequency}.items():
        if not is_number(value) or not 0 < value < math.inf:
            raise ExperimentError(f"[task] {name} must be a number above 0, got {value!r}.")
    if not is_number(phase) or not math.isfinite(phase):
        raise ExperimentError(f"[task] phase must be a number of radians, got {phase!r}.")
    widths = check_hidden(hidden)
    x, y = curve(amplitude, frequency, phase)
    return SupervisedTask(
        "sine",
        x=x,
        y=y,
        model=lambda: network((1, *widths, 1)),
        metric=metric,
        optimiser=optimiser,
        learning_rates=(0.003, 0.01, 0.03),
        batch_size=batch_size,
        device=device,
    )
