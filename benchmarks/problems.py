"""The base problems of the benchmarks, for both sides: digits with a small perceptron, 28 x 28 images with a larger.

Images are the digits enlarged, for what a training costs; Fashion-MNIST, where it is there, for what a search finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.plain import Problem
from benchmarks.survivors import survivors
from symloss.judging.free_outputs import stuck
from symloss.judging.tasks import make_task
from symloss.judging.tasks.datafiles import directory
from symloss.judging.tasks.task import Split, Task
from symloss.language.formula import Formula


@dataclass(frozen=True)
class Case:
    """A base problem and how one training of it goes.

    Args:
        task: as `make_task` reads it.
        sizes: of the perceptron's layers.
    """

    name: str
    task: Mapping[str, Any]
    sizes: tuple[int, ...]
    optimiser: str
    rate: float
    batch: int
    steps: int

    def problems(self, seeds: Iterable[int] = (0,)) -> list[Problem]:
        """Return the same data and model for the plain loop, a problem for each seed."""
        task = make_task(self.task)
        return [self._problem(task, task.split(seed)) for seed in seeds]

    def _problem(self, task: Task, split: Split) -> Problem:
        train, valid = (task.x[split.train_index], split.train_y), (task.x[split.valid_index], split.valid_y)
        return Problem(train, valid, self.sizes, self.optimiser, self.rate, self.batch, self.steps)


def images(data_dir: str | None = None, **options: Any) -> dict[str, Any]:
    """Return Fashion-MNIST with a perceptron 784-128-10 as `make_task` reads it; without it the digits enlarged."""
    return fashion(data_dir, **options) or {"name": "digits28", **options}


def fashion(data_dir: str | None = None, **options: Any) -> dict[str, Any]:
    """Return the same for Fashion-MNIST alone: nothing where neither an argument nor SYMLOSS_DATA says where it is."""
    place = directory(data_dir)
    return {"name": "fashion_mnist", "data_dir": str(place.resolve()), **options} if place is not None else {}


DIGITS = Case("digits, adam", {"name": "digits", "hidden": [32]}, (64, 32, 10), "adam", 0.003, 64, 300)
IMAGES_ADAM = Case("images, adam", {"name": "digits28", "optimiser": "adam"}, (784, 128, 10), "adam", 0.001, 100, 500)
IMAGES_SGD = Case("images, sgd", {"name": "digits28", "optimiser": "sgd"}, (784, 128, 10), "sgd", 0.1, 100, 500)


def draw(count: int, grammar: str = "compact", seed: int = 1) -> list[Formula]:
    """Return distinct formulas that pass every free test, as a search would propose them."""
    task, asked, kept = make_task({"name": "digits"}), count, list[Formula]()
    while len(kept) < count:
        asked *= 2
        found = list({formula.text: formula for formula in survivors(grammar, task, asked, seed)[0]}.values())
        reasons = stuck(found, task.slot, task.width)
        kept = [formula for formula, reason in zip(found, reasons, strict=True) if not reason]
    return kept[:count]


def one_thread() -> None:
    """Compute on one thread, as every worker does."""
    torch.set_num_threads(1)
