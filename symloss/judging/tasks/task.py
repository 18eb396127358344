"""What training asks of a task: data, splits, a base model, an optimiser and a metric.

A task is any object with these attributes; `SupervisedTask` makes one of tensors and a model.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from symloss.judging.tasks.metrics import Metric

OptimiserFactory = Callable[[Iterable[Tensor], float], Any]  # (parameters, learning rate) -> a torch.optim.Optimizer


@dataclass(frozen=True)
class Split:
    """One seed's division of a task's rows into training and validation.

    Args:
        train_index: `(n_train,)` rows of `task.x`.
        train_y: `(n_train,)` what training is told, label noise included.
        valid_index: `(n_valid,)` rows of `task.x`, none of them in `train_index`.
        valid_y: `(n_valid,)` the true targets.
    """

    train_index: Tensor
    train_y: Tensor
    valid_index: Tensor
    valid_y: Tensor


class Task(Protocol):
    """A base problem. The number of rows in a split's parts is the same for every seed.

    Args:
        x: `(rows, ...)` the inputs of everything but the test part, on the device that models train on; splits and the
            test part are on the processor.
        width: the number of the base model's outputs.
        metrics: what is measured; the first is `metric`, by which candidates are judged.
        optimiser: a name in OPTIMISERS, or a factory of a torch optimiser.
        learning_rates: what an experiment that names none tries.
    """

    name: str
    slot: str
    x: Tensor
    width: int
    metric: Metric
    metrics: tuple[Metric, ...]
    optimiser: str | OptimiserFactory
    learning_rates: tuple[float, ...]
    batch_size: int

    def split(self, seed: int) -> Split:
        """Divide the rows for a seed, the same each time."""
        ...

    def test(self) -> tuple[Tensor, Tensor]:
        """Return the test part's inputs `(n, ...)` and targets `(n,)`."""
        ...

    def model(self, seed: int) -> nn.Module:
        """Make the base model with the initial weights of a seed, on the device of `x`."""
        ...


def stream(seed: int, purpose: str) -> int:
    """Derive the seed of one purpose, e.g. `order`, so that no two purposes share their draws."""
    digest = hashlib.sha256(f"{seed}:{purpose}".encode()).digest()
    return int.from_bytes(digest[:7], "big")


def reseed(seed: int, device: torch.device) -> None:
    """Seed torch's global random numbers, as far as models on a device draw from them.

    Without a GPU that is the processor's source alone: `torch.manual_seed` takes a millisecond to tell all others.
    """
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


def generator(seed: int, purpose: str) -> torch.Generator:
    """Make a private source of random numbers; torch's global one stays untouched."""
    return torch.Generator().manual_seed(stream(seed, purpose))
