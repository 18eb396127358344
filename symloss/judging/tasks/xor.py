"""XOR of two numbers, the problem of Kozax's search for a loss: a perceptron of 16 and 16 units, a value of 0 or 1.

de Vries, Keemink and van Gerven, Kozax, github.com/sdevries0/Kozax, its example of an objective function's search.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from symloss.judging.tasks.base import TEST_SEED, SupervisedTask
from symloss.judging.tasks.networks import check_hidden
from symloss.judging.tasks.task import OptimiserFactory, generator

# There, every step has 50 points of its own and a net is judged on 500: as many as 150 steps take are in an epoch here.
TRAIN, VALIDATION, TEST = 7500, 500, 2000


def points() -> tuple[Tensor, Tensor]:
    """Return `(10000, 2)` points in [0, 1) and `(10000,)` whether just one coordinate is above 1/2, as 0 or 1."""
    x = torch.rand(TRAIN + VALIDATION + TEST, 2, generator=generator(TEST_SEED, "xor"))
    return x, ((x[:, 0] > 0.5) != (x[:, 1] > 0.5)).float()


def network(sizes: Sequence[int]) -> nn.Sequential:
    """Make a perceptron with tanh between its layers, weights of variance 2 / inputs, and an output in (0, 1)."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layer = nn.Linear(inputs, outputs)
        nn.init.normal_(layer.weight, std=math.sqrt(2 / inputs))
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.Tanh()]
    return nn.Sequential(*layers[:-1], nn.Sigmoid())


def xor(
    hidden: Sequence[int] = (16, 16),
    optimiser: str | OptimiserFactory = "adam",
    metric: str = "side",
    batch_size: int = 50,
    device: str = "cpu",
) -> SupervisedTask:
    """Predict the XOR of two numbers, above 1/2 or not, as a value.

    As it was published: Adam at 0.01 for 150 steps of 50 points, four nets, judged by the share of 500 points that lie
    on the right side of 1/2, which is the metric `side`.

    Args:
        hidden: widths of the perceptron's hidden layers.
        optimiser: a name in OPTIMISERS, or a factory.
        metric: a name in METRICS, by which candidates are judged.
        batch_size: rows per step.
        device: `cpu`, `cuda`, `cuda:1`, or `auto`.

    Raises:
        ExperimentError: an option is out of its range.
    """
    widths = check_hidden(hidden)
    x, y = points()
    return SupervisedTask(
        "xor",
        train=(x[:-TEST], y[:-TEST]),
        test=(x[-TEST:], y[-TEST:]),
        model=lambda: network((2, *widths, 1)),
        metric=metric,
        also=tuple(name for name in ("mse", "mae") if name != metric),
        optimiser=optimiser,
        learning_rates=(0.01,),
        batch_size=batch_size,
        fractions=(0.3, VALIDATION / (TRAIN + VALIDATION)),  # the test part is given: the first has no effect
        device=device,
    )
