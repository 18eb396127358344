"""The handwritten digits inside scikit-learn: 1797 images of 8 x 8 pixels, 10 classes, made harder on request.

Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from symloss.errors import ExperimentError, unknown
from symloss.judging.tasks.base import SupervisedTask
from symloss.judging.tasks.bundled import read_bundled
from symloss.judging.tasks.labels import Hardship
from symloss.judging.tasks.task import OptimiserFactory

CLASSES = 10


def pixels() -> tuple[Tensor, Tensor]:
    """Return `(1797, 64)` pixels in [0, 1] and `(1797,)` labels."""
    table = read_bundled("digits.csv.gz", _from_package, ",")
    return torch.tensor(table[:, :-1], dtype=torch.float32) / 16, torch.tensor(table[:, -1], dtype=torch.int64)


def _from_package() -> NDArray[Any]:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return np.column_stack([images, labels])


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """Make a perceptron with ReLU between its layers, e.g. of sizes 64, 64, 64, 10."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def convnet(hidden: Sequence[int]) -> nn.Sequential:
    """Make two 3 x 3 convolutions of 16 and 32 channels with pooling, and a perceptron on top."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        *mlp((128, *hidden, CLASSES)),
    )


MODELS: dict[str, Callable[[Sequence[int]], nn.Module]] = {
    "mlp": lambda hidden: mlp((64, *hidden, CLASSES)),
    "conv": convnet,
}


def check_hidden(hidden: Any) -> tuple[int, ...]:
    """Refuse widths of hidden layers that are no whole numbers of at least 1."""
    is_list = isinstance(hidden, list | tuple)
    if not is_list or not all(isinstance(width, int) and not isinstance(width, bool) and width > 0 for width in hidden):
        raise ExperimentError(f"[task] hidden must be a list of layer widths, e.g. [64, 64], got {hidden!r}.")
    return tuple(hidden)


def digits(
    noise: float = 0.0,
    examples: int | None = None,
    imbalance: float = 1.0,
    model: str = "mlp",
    optimiser: str | OptimiserFactory = "adam",
    hidden: Sequence[int] = (64, 64),
    device: str = "cpu",
) -> SupervisedTask:
    """Classify handwritten digits.

    The test part is 30 % of the rows, validation a quarter of the rest; both are clean.

    Args:
        noise: share of training labels flipped to another class, drawn anew for each seed.
        examples: training rows kept; None keeps all 944.
        imbalance: rows of the most frequent class over the rarest's in the training part.
        model: `mlp` or `conv`, a small convnet.
        optimiser: a name in OPTIMISERS, or a factory.
        hidden: widths of the hidden layers; of those after the convolutions for `conv`.
        device: `cpu`, `cuda`, `cuda:1`, or `auto`.

    Raises:
        ExperimentError: an option is unknown or out of its range.

    Example:
        >>> digits(noise=0.4).split(seed=0).train_y.shape
        torch.Size([944])
    """
    if not isinstance(model, str) or model not in MODELS:
        raise ExperimentError(unknown("[task] model", "model", str(model), MODELS))
    widths = check_hidden(hidden)
    x, y = pixels()
    return SupervisedTask(
        "digits",
        x=x,
        y=y,
        model=lambda: MODELS[model](widths),
        optimiser=optimiser,
        learning_rates=(0.001, 0.003, 0.01),
        batch_size=64,
        alter=Hardship(noise, examples, imbalance),
        device=device,
    )
