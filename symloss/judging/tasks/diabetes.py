"""The diabetes data inside scikit-learn: 442 patients, 10 measurements, the disease's progress a year later.

Efron, Hastie, Johnstone and Tibshirani 2004, "Least Angle Regression", Annals of Statistics 32.
"""

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray

from symloss.judging.tasks.base import SupervisedTask
from symloss.judging.tasks.bundled import read_bundled
from symloss.judging.tasks.networks import check_hidden, mlp
from symloss.judging.tasks.task import OptimiserFactory

# An arbitrary unit, in round numbers near the scale of the targets: no part of a split has a say in it.
CENTRE, UNIT = 150.0, 75.0


def diabetes(
    hidden: Sequence[int] = (32, 32),
    optimiser: str | OptimiserFactory = "adam",
    metric: str = "mse",
    batch_size: int = 32,
    device: str = "cpu",
) -> SupervisedTask:
    """Predict the progress of diabetes.

    Inputs are standardised by each seed's training part alone. Targets are in units of 75 around 150.

    Args:
        hidden: widths of the perceptron's hidden layers.
        optimiser: a name in OPTIMISERS, or a factory.
        metric: a name in METRICS, by which candidates are judged.
        batch_size: rows per step.
        device: `cpu`, `cuda`, `cuda:1`, or `auto`.

    Raises:
        ExperimentError: an option is out of its range.
    """
    widths = check_hidden(hidden)
    x = read_bundled("diabetes_data_raw.csv.gz", lambda: _from_package()[0])
    y = read_bundled("diabetes_target.csv.gz", lambda: _from_package()[1])
    return SupervisedTask(
        "diabetes",
        x=torch.tensor(x, dtype=torch.float32),
        y=(torch.tensor(y, dtype=torch.float32) - CENTRE) / UNIT,
        model=lambda: mlp((10, *widths, 1)),
        metric=metric,
        optimiser=optimiser,
        learning_rates=(0.0003, 0.001, 0.003),
        batch_size=batch_size,
        standardise=True,
        device=device,
    )


def _from_package() -> tuple[NDArray[Any], NDArray[Any]]:
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True, scaled=False)
    return x, y
