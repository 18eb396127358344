"""Tables of text as columns of numbers: comma-separated values with a header line, read and encoded.

Numbers stay as they are, and a missing one is NaN; whoever trains fills it in from the training part. A column of words
becomes one column of 0 and 1 for each word. Nothing here is estimated from rows.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from symloss.errors import ExperimentError, unknown

MISSING = ("", "?")  # how the tables of the field mark a value that nobody knows

Columns = dict[str, list[str]]
Floats = NDArray[np.float32]


class Encoded(NamedTuple):
    """A table as numbers.

    Args:
        x: `(rows, columns)`, NaN where a value is missing.
        names: of the columns; `colour=red` for a word of the column `colour`, `size?` for whether `size` is missing.
        scaled: of each column, whether it is a measurement that wants a common scale; columns of 0 and 1 do not.
    """

    x: Floats
    names: tuple[str, ...]
    scaled: tuple[bool, ...]


def read_csv(place: str, data: bytes) -> Columns:
    """Return name -> the texts of a column, in order.

    Raises:
        ExperimentError: it is no text, a row has more or fewer values than the header, a name comes twice, or there
            are no rows.
    """
    try:
        head, *rows = list(csv.reader(io.StringIO(data.decode("utf-8"))))
    except (UnicodeDecodeError, ValueError, csv.Error) as error:
        raise ExperimentError(f"{place} is no table of comma-separated values ({error}).") from error
    wrong = next((number for number, row in enumerate(rows, start=2) if len(row) != len(head)), None)
    if wrong is not None:
        raise ExperimentError(f"{place}: line {wrong} has {len(rows[wrong - 2])} values, and the header {len(head)}.")
    if not rows or len(set(head)) < len(head):
        raise ExperimentError(f"{place} must have a header of distinct names and at least one row below it.")
    return {
        name: [value.strip() for value in column] for name, column in zip(head, zip(*rows, strict=True), strict=True)
    }


def take_column(place: str, columns: Columns, name: str) -> list[str]:
    """Take a column out of the table.

    Raises:
        ExperimentError: there is none of that name.
    """
    if name not in columns:
        raise ExperimentError(unknown(place, "column", name, columns))
    return columns.pop(name)


def encode(place: str, columns: Columns, words: Collection[str], zeros: Collection[str] = ()) -> Encoded:
    """Turn columns of text into numbers.

    Args:
        place: for complaints, e.g. `task 'adult': adult_train.csv`.
        columns: as `read_csv` returns them, without the target.
        words: names of the columns that hold words, even where these are written as numbers. A missing one is a word
            of its own.
        zeros: names of the columns of numbers in which 0 stands for a missing value.

    Raises:
        ExperimentError: a column named here is not there, or a value is neither a number nor missing.
    """
    for name in (*words, *zeros):
        if name not in columns:
            raise ExperimentError(unknown(place, "column", name, columns))
    parts = [
        encode_words(name, texts) if name in words else encode_numbers(place, name, texts, name in zeros)
        for name, texts in columns.items()
    ]
    return Encoded(
        np.concatenate([part.x for part in parts], axis=1),
        tuple(name for part in parts for name in part.names),
        tuple(scaled for part in parts for scaled in part.scaled),
    )


def encode_words(name: str, texts: Sequence[str]) -> Encoded:
    """Return one column of 0 and 1 for each word, the words in alphabetical order."""
    known, places = np.unique(np.array(texts), return_inverse=True)
    x = np.eye(len(known), dtype=np.float32)[places]
    return Encoded(x, tuple(f"{name}={word}" for word in known), (False,) * len(known))


def encode_numbers(place: str, name: str, texts: Sequence[str], zero_is_missing: bool) -> Encoded:
    """Return the numbers, and where some are missing a second column that says which."""
    numbers = read_numbers(place, name, texts)
    if zero_is_missing:
        numbers[numbers == 0] = np.nan
    missing = np.isnan(numbers)
    scaled = not set(np.unique(numbers[~missing]).tolist()) <= {0.0, 1.0}
    if not missing.any():
        return Encoded(numbers[:, None], (name,), (scaled,))
    return Encoded(np.stack([numbers, missing], axis=1).astype(np.float32), (name, f"{name}?"), (True, False))


def read_numbers(place: str, name: str, texts: Sequence[str]) -> Floats:
    """Read the numbers of a column, NaN where one is missing."""
    missing = np.array([text in MISSING for text in texts])
    try:
        numbers = np.array(["0" if text in MISSING else text for text in texts]).astype(np.float32)
    except ValueError:
        numbers = np.array([number_of(text) for text in texts], dtype=np.float32)
    wrong = np.flatnonzero(~np.isfinite(numbers) & ~missing)
    if len(wrong):
        raise ExperimentError(f"{place}: line {wrong[0] + 2} of the column '{name}' is '{texts[wrong[0]]}', no number.")
    numbers[missing] = np.nan
    return numbers


def number_of(text: str) -> float:
    """Return the number that a text says, NaN where it says none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def read_classes(place: str, name: str, texts: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    """Return the number of each text among the classes.

    Raises:
        ExperimentError: a text is none of them.
    """
    numbers = {text: number for number, text in enumerate(classes)}
    wrong = next((row for row, text in enumerate(texts) if text not in numbers), None)
    if wrong is not None:
        raise ExperimentError(unknown(f"{place}: line {wrong + 2} of '{name}'", "class", texts[wrong], classes))
    return np.array([numbers[text] for text in texts], dtype=np.int64)
