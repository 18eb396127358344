"""The task of a table of numbers that was written to a file: what the scikit-learn estimators search on.

An experiment names a file beside the table as its factory, so that a run can be resumed from wherever it lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from symloss.errors import ExperimentError, RunError
from symloss.judging.tasks.base import SupervisedTask
from symloss.judging.tasks.datafiles import read_npz
from symloss.judging.tasks.networks import check_hidden, mlp
from symloss.language.files import write_whole

# The factory: it lies beside the table and has its name.
FACTORY = '''"""The task of the table beside this file."""

from pathlib import Path

from symloss.adapters.table_task import table_task


def task(**options):
    return table_task(Path(__file__).with_suffix(".npz"), **options)
'''


def write_table(stem: Path, x: NDArray[Any], y: NDArray[Any], outputs: int) -> Path:
    """Write a table and its factory.

    Args:
        stem: the path of both without their suffix.
        x: (rows, features).
        y: (rows,) labels 0, 1, ... or values.
        outputs: of the models that are to be trained.

    Returns:
        The factory's path.

    Raises:
        RunError: the files cannot be written.
    """
    factory = stem.with_name(f"{stem.name}.py")
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
        np.savez(stem.with_name(f"{stem.name}.npz"), x=x, y=y, outputs=outputs)
    except OSError as error:
        raise RunError(f"{stem}.npz cannot be written: {error}.") from error
    write_whole(factory, FACTORY)
    return factory


def table_task(
    data: str | Path,
    hidden: Sequence[int] = (32,),
    metric: str | None = None,
    batch_size: int = 32,
    optimiser: str = "adam",
) -> SupervisedTask:
    """Read a table and train perceptrons on it; inputs are standardised by each seed's training part alone.

    Args:
        data: an `.npz` file with `x` (rows, features), `y` (rows,) and `outputs`, the number of model outputs. Nothing
            in it is unpickled.
        hidden: widths of the perceptron's hidden layers.
        metric: a name; by default accuracy for labels, mse for values.
        batch_size: rows per step.
        optimiser: a name in OPTIMISERS.

    Raises:
        ExperimentError: the file cannot be read, or an option is out of its range.
    """
    try:
        held = read_npz(str(data), Path(data).read_bytes(), ("x", "y", "outputs"), largest=2**40)
        x, y, outputs = held["x"], held["y"], int(held["outputs"])
    except (OSError, ValueError, TypeError, ExperimentError) as error:
        raise ExperimentError(f"{data} cannot be read as a table with x, y and outputs: {error}.") from error
    widths = check_hidden(hidden)
    return SupervisedTask(
        "table",
        x=torch.as_tensor(x),
        y=torch.as_tensor(y),
        model=lambda: mlp((x.shape[1], *widths, outputs)),
        metric=metric,
        also=("mae",) if np.issubdtype(y.dtype, np.floating) else None,  # r2 has no value where targets are all equal
        optimiser=optimiser,
        batch_size=batch_size,
        fractions=(0.25, 0.25),
        standardise=True,
    )
