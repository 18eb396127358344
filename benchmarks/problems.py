"""The base problems of the benchmarks, for both sides: digits with a small perceptron, 28 x 28 images with a larger.

The images are Fashion-MNIST where SYMLOSS_DATA has it, else the digits enlarged: what a training costs is the same.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from benchmarks.plain import Problem
from symloss.judging.screen import Screen
from symloss.judging.tasks import make_task
from symloss.judging.tasks.base import SupervisedTask
from symloss.judging.tasks.digits import mlp, pixels
from symloss.judging.tasks.labels import Hardship
from symloss.language.candidate import Candidate, Outcome, State
from symloss.language.grammar import load_grammar
from symloss.searching.fitness import Judge
from symloss.searching.searches import make_search


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

    def problem(self, seed: int = 0) -> Problem:
        """Return the same data and model for the plain loop."""
        task = make_task(self.task)
        split = task.split(seed)
        train, valid = (task.x[split.train_index], split.train_y), (task.x[split.valid_index], split.valid_y)
        return Problem(train, valid, self.sizes, self.optimiser, self.rate, self.batch, self.steps)


def images(optimiser: str = "adam", noise: float = 0.0) -> SupervisedTask:
    """Classify 28 x 28 images with a perceptron 784-128-10, in batches of 100."""
    if os.environ.get("SYMLOSS_DATA"):
        task = make_task({"name": "fashion_mnist", "hidden": [128], "optimiser": optimiser, "noise": noise})
        assert isinstance(task, SupervisedTask)
        return task
    x, y = pixels()
    large = F.interpolate(x.view(-1, 1, 8, 8), size=(28, 28), mode="bilinear").flatten(1)
    return SupervisedTask(
        "images",
        x=large,
        y=y,
        model=lambda: mlp((784, 128, 10)),
        optimiser=optimiser,
        learning_rates=(0.001, 0.003),
        batch_size=100,
        alter=Hardship(noise),
    )


def adam_images() -> SupervisedTask:
    """Train the images by Adam."""
    return images("adam")


def sgd_images() -> SupervisedTask:
    """Train the images by SGD."""
    return images("sgd")


def noisy_images() -> SupervisedTask:
    """Train the images by Adam where 40 % of the training labels are wrong."""
    return images("adam", noise=0.4)


DIGITS = Case("digits, adam", {"name": "digits", "hidden": [32]}, (64, 32, 10), "adam", 0.003, 64, 300)
IMAGES_ADAM = Case("images, adam", {"factory": f"{__file__}:adam_images"}, (784, 128, 10), "adam", 0.001, 100, 500)
IMAGES_SGD = Case("images, sgd", {"factory": f"{__file__}:sgd_images"}, (784, 128, 10), "sgd", 0.1, 100, 500)


def draw(count: int, grammar: str = "compact", seed: int = 0, task: str = "digits") -> list[Candidate]:
    """Return distinct candidates that pass every free test, as a search would propose them."""
    base = make_task({"name": task})
    search = make_search("random", load_grammar(grammar), Judge(base.metric.name, base.metric.maximise), seed, {})
    screen = Screen(base.slot, base.width)
    found: list[Candidate] = []
    while len(found) < count:
        asked = search.ask()
        screened = screen.check(asked)
        found += [each for each, outcome in zip(asked, screened, strict=True) if outcome is None]
        search.tell(
            [
                outcome or Outcome(each.number, State.DIVERGED, "not trained here")
                for each, outcome in zip(asked, screened, strict=True)
            ]
        )
    return found[:count]


def one_thread() -> None:
    """Compute on one thread, as every worker does."""
    torch.set_num_threads(1)
