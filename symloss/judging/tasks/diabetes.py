"""The diabetes data inside scikit-learn: 442 patients, 10 measurements, the disease's progress a year later.

Efron, Hastie, Johnstone and Tibshirani 2004, "Least Angle Regression", Annals of Statistics 32.
"""

from collections.abc import Sequence

import torch
from sklearn.datasets import load_diabetes

from symloss.judging.tasks.base import SupervisedTask
from symloss.judging.tasks.digits import check_hidden, mlp
from symloss.judging.tasks.task import OptimiserFactory

# Mean and deviation of the targets in this data's published description, so that no part of a split decides the unit.
MEAN, DEVIATION = 152.0, 77.0


def diabetes(optimiser: str | OptimiserFactory = "adam", hidden: Sequence[int] = (32, 32)) -> SupervisedTask:
    """Predict the progress of diabetes.

    Inputs are standardised by each seed's training part alone. Targets are in deviations of 77 around 152.

    Args:
        optimiser: a name in OPTIMISERS, or a factory.
        hidden: widths of the perceptron's hidden layers.

    Raises:
        ExperimentError: an option is out of its range.
    """
    widths = check_hidden(hidden)
    x, y = load_diabetes(return_X_y=True, scaled=False)
    return SupervisedTask(
        "diabetes",
        x=torch.tensor(x, dtype=torch.float32),
        y=(torch.tensor(y, dtype=torch.float32) - MEAN) / DEVIATION,
        model=lambda: mlp((10, *widths, 1)),
        optimiser=optimiser,
        learning_rates=(0.0003, 0.001, 0.003),
        batch_size=32,
        standardise=True,
    )
