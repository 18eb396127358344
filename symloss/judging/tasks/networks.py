"""Base models that tasks share: perceptrons, a small convnet, and the convnet of GLO's MNIST experiments.

Images come as rows of pixels, channel after channel, so that one set of inputs serves all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from torch import nn

from symloss.errors import ExperimentError, unknown
from symloss.judging.tasks.dropout import SeededDropout

Shape = tuple[int, int, int]  # channels, rows, columns


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """Make a perceptron with ReLU between its layers, e.g. of sizes 64, 64, 64, 10."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def convolution(inputs: int, outputs: int, side: int) -> list[nn.Module]:
    """Make a convolution that keeps the image's size, ReLU, and 2 x 2 pooling."""
    return [nn.Conv2d(inputs, outputs, side, padding="same"), nn.ReLU(), nn.MaxPool2d(2)]


def convnet(shape: Shape, hidden: Sequence[int], classes: int) -> nn.Sequential:
    """Make two 3 x 3 convolutions of 16 and 32 channels with pooling, and a perceptron on top."""
    return nn.Sequential(
        nn.Unflatten(1, shape),
        *convolution(shape[0], 16, 3),
        *convolution(16, 32, 3),
        nn.Flatten(),
        *mlp((pooled(shape, 32), *hidden, classes)),
    )


def glo(shape: Shape, hidden: Sequence[int], classes: int) -> nn.Sequential:
    """Make GLO's network for MNIST: 5 x 5 convolutions of 32 and 64 channels, 1024 units, dropout of 40 %.

    Source: Gonzalez and Miikkulainen 2020, arXiv:1905.11528, section 4.
    """
    return nn.Sequential(
        nn.Unflatten(1, shape),
        *convolution(shape[0], 32, 5),
        *convolution(32, 64, 5),
        nn.Flatten(),
        nn.Linear(pooled(shape, 64), 1024),
        nn.ReLU(),
        SeededDropout(0.4),
        nn.Linear(1024, classes),
    )


def pooled(shape: Shape, channels: int) -> int:
    """Return the numbers that are left of an image after two poolings."""
    return channels * (shape[1] // 4) * (shape[2] // 4)


@dataclass(frozen=True)
class Network:
    """A kind of model for images.

    Args:
        make: (shape, widths of hidden layers, classes) -> a fresh model of `(batch, pixels)`.
        takes_widths: whether hidden layers may be chosen.
    """

    make: Callable[[Shape, Sequence[int], int], nn.Module]
    takes_widths: bool = True


MODELS: dict[str, Network] = {
    "mlp": Network(lambda shape, hidden, classes: mlp((math.prod(shape), *hidden, classes))),
    "convnet": Network(convnet),
    "glo": Network(glo, takes_widths=False),
}


def choose_model(
    name: str, shape: Shape, hidden: Sequence[int] | None, usual: Sequence[int], classes: int
) -> Callable[[], nn.Module]:
    """Return what makes fresh models of a name in MODELS.

    Args:
        shape: of one image.
        hidden: widths of the hidden layers, of those after the convolutions in a convnet; None for the usual ones.
        usual: the task's own widths.

    Raises:
        ExperimentError: the model is unknown, widths are none, or the model's layers cannot be chosen.
    """
    if not isinstance(name, str) or name not in MODELS:
        raise ExperimentError(unknown("[task] model", "model", str(name), MODELS))
    network = MODELS[name]
    if hidden is not None and not network.takes_widths:
        raise ExperimentError(f"[task] model = '{name}' has the layers that were published. Leave out hidden.")
    widths = check_hidden(usual if hidden is None else hidden)
    return lambda: network.make(shape, widths, classes)


def check_hidden(hidden: Any) -> tuple[int, ...]:
    """Refuse widths of hidden layers that are no whole numbers of at least 1."""
    is_list = isinstance(hidden, list | tuple)
    if not is_list or not all(isinstance(width, int) and not isinstance(width, bool) and width > 0 for width in hidden):
        raise ExperimentError(f"[task] hidden must be a list of layer widths, e.g. [64, 64], got {hidden!r}.")
    return tuple(hidden)
