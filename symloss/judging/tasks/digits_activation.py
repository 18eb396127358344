"""The digits again, with the formula inside the model: it is the perceptron's nonlinearity.

Ramachandran, Zoph and Le 2017, "Searching for Activation Functions", arXiv:1710.05941.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn

from symloss.judging.tasks.base import SupervisedTask
from symloss.judging.tasks.digits import CLASSES, pixels
from symloss.judging.tasks.labels import CLEAN, Hardship
from symloss.judging.tasks.networks import check_hidden
from symloss.judging.tasks.task import OptimiserFactory


class Perceptron(nn.Module):
    """A perceptron whose nonlinearity is given with each call."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in pairwise(sizes))

    def forward(self, x: Tensor, nonlinearity: Callable[[Tensor], Tensor]) -> Tensor:
        """Map `(batch, inputs)` to `(batch, classes)` logits."""
        *hidden, last = self.layers
        for layer in hidden:
            x = nonlinearity(layer(x))
        logits: Tensor = last(x)
        return logits


def digits_activation(
    hidden: Sequence[int] = (64, 64),
    optimiser: str | OptimiserFactory = "adam",
    metric: str = "accuracy",
    batch_size: int = 64,
    device: str = "cpu",
    hardship: Hardship = CLEAN,
) -> SupervisedTask:
    """Classify handwritten digits with a perceptron that uses the formula as its nonlinearity.

    Args:
        hidden: widths of the hidden layers.
        optimiser: a name in OPTIMISERS, or a factory.
        metric: a name in METRICS, by which candidates are judged.
        batch_size: rows per step.
        device: `cpu`, `cuda`, `cuda:1`, or `auto`.
        hardship: what is done to the training part of 944 rows.

    Raises:
        ExperimentError: an option is out of its range.
    """
    widths = check_hidden(hidden)
    x, y = pixels()
    return SupervisedTask(
        "digits_activation",
        slot="activation",
        x=x,
        y=y,
        model=lambda: Perceptron((64, *widths, CLASSES)),
        metric=metric,
        optimiser=optimiser,
        learning_rates=(0.001, 0.003, 0.01),
        batch_size=batch_size,
        alter=hardship,
        device=device,
    )
