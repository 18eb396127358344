"""What a run keeps of a told candidate beside its outcome, as rows of the run store's table `told`.

All of it follows from the run's other tables; it is kept so that a resume need not work it out again, and so that a
reader sees how a million candidates stand without their measurements.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symloss.errors import RunError
from symloss.language.candidate import TRAINED, State
from symloss.language.formula import Canonical
from symloss.language.probing import DIGEST
from symloss.searching.fitness import FAILED, NO_PROMISE
from symloss.searching.told import Told

INSERT = "INSERT OR IGNORE INTO told VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
STANDINGS = "SELECT candidate, origin, fitness, entered, trained FROM told ORDER BY candidate"
SELECT = (
    "SELECT t.candidate, c.text, digest, state, origin, fitness, t.complexity, c.formula, c.key, entered, "
    "step, standing, worth FROM told AS t JOIN candidates AS c ON c.number = t.candidate "
    "JOIN outcomes AS o ON o.candidate = t.candidate WHERE t.candidate BETWEEN ? AND ? ORDER BY t.candidate"
)
_KEY = re.compile("[0-9a-f]{16}")
_STATES = {state.value: state for state in State}


def row_of(told: Told) -> tuple[Any, ...]:
    """Return the row of a candidate; what has no fitness, or no promise, has NULL there."""
    fitness = None if told.fitness == FAILED else told.fitness
    promise = (None, None) if told.promise == NO_PROMISE else told.promise
    entered = None if told.formula is None else told.formula.complexity
    flags = int(told.worth_training), int(told.state in TRAINED)
    return (told.number, told.digest, told.origin, fitness, told.complexity, entered, *promise, *flags)


def told_of(row: tuple[Any, ...], path: Path) -> Told:
    """Read a row of SELECT.

    Raises:
        RunError: it makes no sense, so the file is damaged.
    """
    number, text, digest, state, origin, fitness, complexity, formula, key, size, step, standing, worth = row
    read = None if formula is None else Canonical(key, formula, size)
    promise = NO_PROMISE if step is None else (step, standing)
    try:
        sound = len(digest) == DIGEST and 0 <= origin <= number and complexity > 0
        sound &= isinstance(text, str) and isinstance(fitness, float | None) and isinstance(digest, bytes)
        sound &= isinstance(promise[0], int) and isinstance(promise[1], float)
        sound &= read is None or (bool(_KEY.fullmatch(key)) and isinstance(formula, str) and size > 0)
        if sound:
            score = FAILED if fitness is None else fitness
            return Told(
                number, text, digest, _STATES[state], origin, score, complexity, read, promise, bool(worth)
            )  # fmt: skip
    except (TypeError, KeyError):
        pass
    raise RunError(f"{path} is damaged: what it says of candidate {number}, which was told, makes no sense.")


def reading_of(told: Told) -> tuple[Any, ...] | None:
    """Return text, key and complexity of a simpler twin's formula with its number; None for all others."""
    formula = told.formula
    twin = formula is not None and told.origin != told.number
    return (formula.text, formula.key, formula.complexity, told.number) if twin and formula is not None else None


@dataclass(frozen=True)
class Standings:
    """How told candidates stand, one entry for each; arrays of one length.

    Args:
        numbers: of the candidates, increasing.
        origins: numbers of their first twins.
        fitness: higher is better; NaN for those without.
        complexity: of its formula; 0 where nobody has read it.
        trained: whether it was trained.
    """

    numbers: NDArray[np.int64]
    origins: NDArray[np.int64]
    fitness: NDArray[np.float64]
    complexity: NDArray[np.int64]
    trained: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.numbers)


def standings_of(rows: Iterable[tuple[Any, ...]], path: Path) -> Standings:
    """Put rows of STANDINGS into columns.

    Raises:
        RunError: they make no sense, so the file is damaged.
    """
    columns = list(zip(*rows, strict=True)) or [()] * 5
    try:
        entered = [size or 0 for size in columns[3]]
        numbers, origins, complexity, trained = (
            np.asarray(column, np.int64) for column in (columns[0], columns[1], entered, columns[4])
        )
        return Standings(numbers, origins, np.asarray(columns[2], np.float64), complexity, trained.astype(np.bool_))
    except (TypeError, ValueError, OverflowError) as error:
        raise RunError(f"{path} is damaged: how its candidates stand cannot be read ({error}).") from error
