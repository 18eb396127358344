"""The handwritten digits inside scikit-learn: 1797 images of 8 x 8 pixels, 10 classes, made harder on request.

Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository. Enlarged
to 28 x 28 pixels they cost what MNIST costs, on machines that have no MNIST.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from symloss.judging.tasks.base import SupervisedTask
from symloss.judging.tasks.bundled import read_bundled
from symloss.judging.tasks.labels import CLEAN, Hardship
from symloss.judging.tasks.networks import choose_model
from symloss.judging.tasks.task import OptimiserFactory

CLASSES = 10
SIDE, LARGE = 8, 28


def pixels() -> tuple[Tensor, Tensor]:
    """Return `(1797, 64)` pixels in [0, 1] and `(1797,)` labels."""
    table = read_bundled("digits.csv.gz", _from_package, ",")
    return torch.tensor(table[:, :-1], dtype=torch.float32) / 16, torch.tensor(table[:, -1], dtype=torch.int64)


def _from_package() -> NDArray[Any]:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return np.column_stack([images, labels])


def enlarged(x: Tensor) -> Tensor:
    """Enlarge `(rows, 64)` pixels to `(rows, 784)`, between them in proportion to the distance."""
    return interpolate(x.view(-1, 1, SIDE, SIDE), size=(LARGE, LARGE), mode="bilinear").flatten(1)


def digits(
    model: str = "mlp",
    hidden: Sequence[int] | None = None,
    optimiser: str | OptimiserFactory = "adam",
    metric: str = "accuracy",
    batch_size: int = 64,
    device: str = "cpu",
    hardship: Hardship = CLEAN,
) -> SupervisedTask:
    """Classify handwritten digits.

    The test part is 30 % of the rows, validation a quarter of the rest; both are clean.

    Args:
        model: `mlp`, `convnet`, a small one, or `glo`, which GLO searched on MNIST with.
        hidden: widths of the hidden layers, of those after the convolutions for `convnet`; None for two of 64.
        optimiser: a name in OPTIMISERS, or a factory.
        metric: a name in METRICS, by which candidates are judged.
        batch_size: rows per step.
        device: `cpu`, `cuda`, `cuda:1`, or `auto`.
        hardship: what is done to the training part of 944 rows.

    Raises:
        ExperimentError: an option is unknown or out of its range.

    Example:
        >>> digits(hardship=Hardship(noise=0.4)).split(seed=0).train_y.shape
        torch.Size([944])
    """
    x, y = pixels()
    return SupervisedTask(
        "digits",
        x=x,
        y=y,
        model=choose_model(model, (1, SIDE, SIDE), hidden, (64, 64), CLASSES),
        metric=metric,
        optimiser=optimiser,
        learning_rates=(0.001, 0.003, 0.01),
        batch_size=batch_size,
        alter=hardship,
        device=device,
    )


def digits28(
    model: str = "mlp",
    hidden: Sequence[int] | None = None,
    optimiser: str | OptimiserFactory = "adam",
    metric: str = "accuracy",
    batch_size: int = 100,
    device: str = "cpu",
    hardship: Hardship = CLEAN,
) -> SupervisedTask:
    """Classify the digits, enlarged to MNIST's size: the models and what a step costs are those of `mnist`.

    Args and Raises: those of `digits`; there is one hidden layer of 128.
    """
    x, y = pixels()
    return SupervisedTask(
        "digits28",
        x=enlarged(x),
        y=y,
        model=choose_model(model, (1, LARGE, LARGE), hidden, (128,), CLASSES),
        metric=metric,
        optimiser=optimiser,
        learning_rates=(0.001, 0.003, 0.01),
        batch_size=batch_size,
        alter=hardship,
        device=device,
    )
