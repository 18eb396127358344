"""What a run keeps of what its search was told: a row for each batch, its candidates side by side in packed columns.

All of it follows from the run's other tables; it is kept so that a resume need not work it out again, and so that a
reader sees in a moment how a million candidates stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
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

MOST = 200_000  # candidates of a batch, for which a column's blob stays small; of a larger one nothing is kept

LAST = 10**12  # number of a candidate, at most: a stranger's file may hold any

# Columns of the table `told` after `batch` and `first`, the number of its first candidate.
COLUMNS: Mapping[str, str] = {
    "origin": "<i8", "fitness": "<f8", "complexity": "<i4", "entered": "<i4", "step": "<i4", "standing": "<f8",
    "robustness": "<f8", "worth": "u1", "trained": "u1", "digest": f"V{DIGEST}",
}  # fmt: skip
SCHEMA = (
    "CREATE TABLE told (batch INTEGER PRIMARY KEY, first INTEGER NOT NULL, "
    + ", ".join(f"{name} BLOB NOT NULL" for name in COLUMNS)
    + ");"
)
INSERT = f"INSERT OR IGNORE INTO told VALUES ({', '.join('?' * (2 + len(COLUMNS)))})"
SELECT = f"SELECT first, {', '.join(COLUMNS)} FROM told WHERE batch = ?"
STANDINGS = "SELECT first, origin, fitness, entered, trained FROM told ORDER BY first"
TEXTS = (
    "SELECT number, text, formula, key, state FROM candidates JOIN outcomes ON candidate = number "
    "WHERE number BETWEEN ? AND ? ORDER BY number"
)
_KEY = re.compile("[0-9a-f]{16}")
_STATES = {state.value: state for state in State}


def row_of(batch: int, told: Sequence[Told]) -> tuple[Any, ...]:
    """Return the row of a batch; 0 for a formula that nobody has read, minus infinity for no fitness."""
    columns = {
        "origin": [each.origin for each in told],
        "fitness": [each.fitness for each in told],
        "complexity": [each.complexity for each in told],
        "entered": [0 if each.formula is None else each.formula.complexity for each in told],
        "step": [each.promise[0] for each in told],
        "standing": [each.promise[1] for each in told],
        "robustness": [each.robustness for each in told],
        "worth": [each.worth_training for each in told],
        "trained": [each.state in TRAINED for each in told],
    }
    packed = (np.asarray(columns[name], COLUMNS[name]).tobytes() for name in COLUMNS if name != "digest")
    return (batch, told[0].number, *packed, b"".join(each.digest for each in told))


def readings_of(told: Iterable[Told]) -> list[tuple[str, str, int, int]]:
    """Return text, key and complexity of the formulas of simpler twins, each with its candidate's number."""
    twins = ((each.formula, each.number) for each in told if each.origin != each.number)
    return [(read.text, read.key, read.complexity, number) for read, number in twins if read is not None]


def span_of(row: tuple[Any, ...], path: Path) -> tuple[int, int]:
    """Return the first and the last number of a batch, from its row of SELECT.

    Raises:
        RunError: they make no sense, so the file is damaged.
    """
    first, digests = row[0], row[-1]
    if not isinstance(first, int) or not isinstance(digests, bytes) or not 0 <= first <= LAST or not digests:
        raise _damaged(path, first)
    return first, first + len(digests) // DIGEST - 1


def told_of(row: tuple[Any, ...], texts: Sequence[tuple[Any, ...]], path: Path) -> list[Told]:
    """Read a batch.

    Args:
        row: of SELECT.
        texts: rows of TEXTS, of its candidates.

    Raises:
        RunError: it makes no sense, so the file is damaged.
    """
    first, *blobs = row
    columns = {name: _unpacked(name, blob, path) for name, blob in zip(COLUMNS, blobs, strict=True)}
    if {len(column) for column in columns.values()} != {len(texts)}:
        raise _damaged(path, first)
    numbers = np.arange(first, first + len(texts))
    if not _sound(columns, numbers) or [each[0] for each in texts] != numbers.tolist():
        raise _damaged(path, first)
    rows = zip(texts, *(columns[name].tolist() for name in COLUMNS), strict=True)
    return [_told(path, text, *values) for text, *values in rows]


def _told(
    path: Path, text: tuple[Any, ...], origin: int, fitness: float, complexity: int, entered: int, step: int,
    standing: float, robustness: float, worth: int, trained: int, digest: bytes,
) -> Told:  # fmt: skip
    number, tree, formula, key, state = text
    sound = isinstance(tree, str) and state in _STATES and (_STATES[state] in TRAINED) == bool(trained)
    if entered:
        sound = sound and isinstance(formula, str) and _KEY.fullmatch(str(key)) is not None
    if not sound:
        raise _damaged(path, number)
    read = Canonical(key, formula, entered) if entered else None
    promise = (step, standing) if step else NO_PROMISE
    return Told(
        number, tree, digest, _STATES[state], origin, fitness, complexity, read, promise, robustness, bool(worth)
    )


def _sound(columns: Mapping[str, NDArray[Any]], numbers: NDArray[np.int64]) -> bool:
    origins, fitness = columns["origin"], columns["fitness"]
    right = (origins >= 0) & (origins <= numbers) & (columns["complexity"] > 0) & (columns["entered"] >= 0)
    right &= (columns["step"] >= 0) & ~np.isnan(columns["standing"]) & ~np.isnan(columns["robustness"])
    right &= np.isfinite(fitness) | (fitness == FAILED)
    return bool(right.all())


def _unpacked(name: str, blob: Any, path: Path) -> NDArray[Any]:
    try:
        return np.frombuffer(blob, COLUMNS[name])
    except (TypeError, ValueError) as error:
        raise RunError(f"{path} is damaged: what was told of candidates, '{name}', cannot be read.") from error


def _damaged(path: Path, number: Any) -> RunError:
    return RunError(f"{path} is damaged: what was told of candidate {number}, or of those with it, makes no sense.")


@dataclass(frozen=True)
class Standings:
    """How told candidates stand, one entry for each; arrays of one length.

    Args:
        numbers: of the candidates, increasing.
        origins: numbers of their first twins.
        fitness: higher is better; not finite for those without.
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
    parts: list[tuple[NDArray[Any], ...]] = []
    for first, *blobs in rows:
        own = [_unpacked(*each, path) for each in zip(("origin", "fitness", "entered", "trained"), blobs, strict=True)]
        if len({len(column) for column in own}) != 1 or not isinstance(first, int) or not 0 <= first <= LAST:
            raise _damaged(path, first)
        parts.append((np.arange(first, first + len(own[0])), *own))
    numbers, origins, fitness, complexity, trained = (
        np.concatenate(column) for column in (zip(*parts, strict=True) if parts else [[np.zeros(0)]] * 5)
    )
    if len(numbers) > 1 and not bool((np.diff(numbers) > 0).all()):
        raise _damaged(path, int(numbers[1:][np.diff(numbers) <= 0][0]))  # it belongs to two batches
    return Standings(
        numbers.astype(np.int64), origins.astype(np.int64), fitness.astype(np.float64), complexity.astype(np.int64),
        trained.astype(np.bool_),
    )  # fmt: skip


def gaps_of(numbers: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return (first, last) of the numbers from 0 that increasing numbers leave out before their last."""
    before = np.concatenate([np.array([-1], np.int64), numbers[:-1]]) if len(numbers) else numbers
    places = np.flatnonzero(numbers - before > 1)
    return [(int(before[place]) + 1, int(numbers[place]) - 1) for place in places]
