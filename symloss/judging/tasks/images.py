"""Tasks of images that lie on this machine: MNIST, Fashion-MNIST and CIFAR-10, with a perceptron or a convnet.

A data set is one record in IMAGE_SETS; all of them have the same options.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from symloss.errors import ExperimentError
from symloss.judging.tasks.base import SupervisedTask
from symloss.judging.tasks.cifar10 import read_cifar10
from symloss.judging.tasks.datafiles import Bytes, Images
from symloss.judging.tasks.labels import CLEAN, Hardship
from symloss.judging.tasks.mnist import read_fashion_mnist, read_mnist
from symloss.judging.tasks.networks import Shape, choose_model
from symloss.judging.tasks.parts import without_shared
from symloss.judging.tasks.task import OptimiserFactory

CLASSES = 10
HIDDEN = (128,)


@dataclass(frozen=True)
class ImageSet:
    """Images in an official training and test part, of ten classes.

    Args:
        name: of the task.
        shape: of one image: channels, rows, columns.
        read: directory of data sets, or None for the environment's -> the bytes.
    """

    name: str
    shape: Shape
    read: Callable[[str | None], Images]


IMAGE_SETS: dict[str, ImageSet] = {
    each.name: each
    for each in (
        ImageSet("mnist", (1, 28, 28), read_mnist),
        ImageSet("fashion_mnist", (1, 28, 28), read_fashion_mnist),
        ImageSet("cifar10", (3, 32, 32), read_cifar10),
    )
}


def images(
    data: str,
    model: str = "mlp",
    hidden: Sequence[int] | None = None,
    optimiser: str | OptimiserFactory = "adam",
    metric: str = "accuracy",
    batch_size: int = 100,
    validation: int = 5000,
    data_dir: str | None = None,
    device: str = "cpu",
    hardship: Hardship = CLEAN,
) -> SupervisedTask:
    """Classify images; the test part is the official one, and training images that are also in it are left out.

    Args:
        data: a name in IMAGE_SETS.
        model: `mlp`, `convnet`, a small one, or `glo`, which GLO searched on MNIST with.
        hidden: widths of the hidden layers, of those after the convolutions for `convnet`; None for one of 128.
        optimiser: a name in OPTIMISERS, or a factory.
        metric: a name in METRICS, by which candidates are judged.
        batch_size: rows per step.
        validation: rows that validation takes of the official training part, drawn anew for each seed.
        data_dir: directory that the data set's folder lies in; None for the environment variable SYMLOSS_DATA.
        device: `cpu`, `cuda`, `cuda:1`, or `auto`.
        hardship: what is done to the training part.

    Raises:
        ExperimentError: an option is out of its range, or a file is missing or not the published one.
    """
    source = IMAGE_SETS[data]
    factory, held = choose_model(model, source.shape, hidden, HIDDEN, CLASSES), source.read(data_dir)
    test = scaled(held.test_x, held.test_y)
    return SupervisedTask(
        data,
        train=without_shared(*scaled(held.train_x, held.train_y), test[0]),
        test=test,
        model=factory,
        metric=metric,
        optimiser=optimiser,
        learning_rates=(0.001, 0.003, 0.01),
        batch_size=batch_size,
        fractions=(0.3, share_of(validation, len(held.train_y))),  # the test part is given: the first has no effect
        alter=hardship,
        device=device,
    )


def share_of(validation: int, rows: int) -> float:
    """Return the share of the official training part that validation takes."""
    if isinstance(validation, bool) or not isinstance(validation, int) or not 0 < validation < rows:
        raise ExperimentError(
            f"[task] validation must be a whole number of rows from 1 to {rows - 1}, got {validation!r}."
        )
    return validation / rows


def scaled(x: Bytes, y: Bytes) -> tuple[Tensor, Tensor]:
    """Return `(rows, pixels)` in [0, 1], channel after channel, and `(rows,)` labels."""
    return torch.tensor(x.reshape(len(x), -1)).float().div_(255), torch.tensor(y).long()
