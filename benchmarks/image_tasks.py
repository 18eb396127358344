"""Tasks of 28 x 28 images with a perceptron 784-128-10, in batches of 100.

The images are Fashion-MNIST where SYMLOSS_DATA has it, else the digits enlarged: what a training costs is the same.
"""

import os

import torch.nn.functional as F

from symloss.judging.tasks import make_task
from symloss.judging.tasks.base import SupervisedTask
from symloss.judging.tasks.digits import mlp, pixels
from symloss.judging.tasks.labels import Hardship


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
