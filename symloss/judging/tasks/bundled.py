"""The data inside scikit-learn, read from its files: to import it takes each process more than a second."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def read_bundled(name: str, otherwise: Callable[[], NDArray[Any]], delimiter: str | None = None) -> NDArray[Any]:
    """Read one of scikit-learn's tables.

    Args:
        name: of a file in `sklearn/datasets/data`.
        otherwise: asks scikit-learn itself, where the file does not lie there.
        delimiter: between columns; None for spaces.

    Returns:
        float64 `(rows, columns)`, or `(rows,)` where there is one column.
    """
    found = importlib.util.find_spec("sklearn")
    file = Path(found.origin or "").parent / "datasets" / "data" / name if found is not None else Path(name)
    return np.loadtxt(file, delimiter=delimiter) if file.is_file() else otherwise()
