"""Tasks of the tabular data sets: a perceptron on the columns of a file that lies on this machine.

Inputs are shifted, scaled and filled in by each seed's training part alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from symloss.errors import ExperimentError
from symloss.judging.tasks.base import SupervisedTask
from symloss.judging.tasks.csvfile import Columns, Encoded, encode, read_classes, read_csv, read_numbers, take_column
from symloss.judging.tasks.labels import Hardship
from symloss.judging.tasks.networks import check_hidden, mlp
from symloss.judging.tasks.parts import without_shared
from symloss.judging.tasks.tables import TABLES, Table
from symloss.judging.tasks.task import OptimiserFactory


def tabular(
    data: str,
    hidden: Sequence[int] | None = None,
    optimiser: str | OptimiserFactory = "adam",
    metric: str | None = None,
    batch_size: int | None = None,
    data_dir: str | None = None,
    device: str = "cpu",
    hardship: Hardship | None = None,
) -> SupervisedTask:
    """Predict a class, or a number in the data set's unit, from a row of a table.

    The test part is the published one, or 30 % of the rows; validation is a quarter of the rest; both are clean. Rows
    of a training file that are also in its test file are left out.

    Args:
        data: a name in TABLES.
        hidden: widths of the perceptron's hidden layers; None for the data set's own, and so with
        metric: a name in METRICS, by which candidates are judged, and
        batch_size: rows per step.
        optimiser: a name in OPTIMISERS, or a factory.
        data_dir: directory that the data set's folder lies in; None for the environment variable SYMLOSS_DATA.
        device: `cpu`, `cuda`, `cuda:1`, or `auto`.
        hardship: what is done to the training part; for classes only.

    Raises:
        ExperimentError: an option is out of its range, or a file is missing or not the known one.
    """
    table = TABLES[data]
    widths = check_hidden(table.hidden if hidden is None else hidden)
    encoded, y, trained = read_table(table, data_dir)
    x = torch.from_numpy(encoded.x)
    test = None if trained == len(x) else (x[trained:], y[trained:])
    return SupervisedTask(
        data,
        train=(x, y) if test is None else without_shared(x[:trained], y[:trained], test[0]),
        test=test,
        model=lambda: mlp((x.shape[1], *widths, max(1, len(table.classes)))),
        metric=metric or table.metric,
        optimiser=optimiser,
        learning_rates=table.learning_rates,
        batch_size=table.batch_size if batch_size is None else batch_size,
        standardise=encoded.scaled,
        alter=hardship,
        device=device,
    )


def read_table(table: Table, data_dir: str | None) -> tuple[Encoded, Tensor, int]:
    """Read a table's files one after the other: inputs, targets, and how many rows are of the training part.

    Which words a column may hold is read off all files, so that both parts have the same columns.

    Raises:
        ExperimentError: a file is missing, is not the known one, or does not hold what the table says.
    """
    place = f"task '{table.name}': {' and '.join(file.name for file in table.files)}"
    files = [read_csv(f"task '{table.name}': {file.name}", table.data.read(data_dir, file)) for file in table.files]
    columns = joined(place, files)
    for name in table.drop:
        take_column(place, columns, name)
    y = read_target(place, table, take_column(place, columns, table.target))
    return encode(place, columns, table.words, table.zeros), y, len(files[0][table.target])


def joined(place: str, files: Sequence[Columns]) -> Columns:
    """Put the rows of files with the same header below each other."""
    if any(list(file) != list(files[0]) for file in files):
        raise ExperimentError(f"{place} must have the same header.")
    return {name: [text for file in files for text in file[name]] for name in files[0]}


def read_target(place: str, table: Table, texts: Sequence[str]) -> Tensor:
    """Turn the target's column into labels, or into numbers in the table's unit."""
    if table.classes:
        return torch.from_numpy(read_classes(place, table.target, texts, table.classes))
    values = read_numbers(place, table.target, texts).astype(np.float64)
    return torch.from_numpy(((values - table.centre) / table.unit).astype(np.float32))
